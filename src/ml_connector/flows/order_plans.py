"""The plans of a batch of orders: the same for the dry run and for the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml_connector.domain.documents import Plan
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine import wishes
from ml_connector.engine.postings import Posting
from ml_connector.engine.wishes import Wishes
from ml_connector.flows.accounts import known_accounts, new_customer
from ml_connector.flows.context import Context
from ml_connector.flows.facts import facts_of, postings_by_record
from ml_connector.planning.plan import plan_order

FLOW = "orders"


@dataclass(slots=True)
class OrderPlans:
    """`accounts`: customer key -> ERP account, of customers that exist there; it grows as customers are created."""

    context: Context
    snapshots: Mapping[str, OrderSnapshot]
    known: Mapping[str, Sequence[Posting]]
    wishes: Wishes
    accounts: dict[str, str] = field(default_factory=dict[str, str])
    assume_backfilled: bool = False

    @classmethod
    async def read(
        cls, context: Context, snapshots: Mapping[str, OrderSnapshot], *, assume_backfilled: bool = False
    ) -> "OrderPlans":
        """With what earlier runs posted and what persons asked for."""
        keys = list(snapshots)
        known = await postings_by_record(context.database, context.integration.id, FLOW, keys)
        async with context.database.connect() as connection:
            asked = await wishes.of_records(connection, context.integration.id, FLOW, keys)
        return cls(context, snapshots, known, asked, assume_backfilled=assume_backfilled)

    async def all(self) -> dict[str, Plan]:
        """Every order's plan; customers that another order brought into the ERP are known by their account."""
        plans = {key: self.one(key) for key in self.snapshots}
        self.accounts |= await known_accounts(self.context, plans.values())
        return plans | {key: self.one(key) for key, made in plans.items() if new_customer(made)}

    def one(self, key: str) -> Plan:
        """The plan with the accounts that are known now. Pure."""
        facts = facts_of(
            self.known.get(key, ()),
            self.context,
            customer_accounts=self.accounts,
            backfilled=self.assume_backfilled or key in self.wishes.backfilled,
            repost=key in self.wishes.reposted,
        )
        return plan_order(self.snapshots[key], self.context.mapping, self.context.policy, facts)
