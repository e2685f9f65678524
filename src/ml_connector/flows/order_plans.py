"""The plans of a batch of orders: the same for the dry run and for the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml_connector.domain.documents import Plan, plan_digest
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import OpenPeriods
from ml_connector.engine import wishes
from ml_connector.engine.postings import Posting
from ml_connector.engine.wishes import Wishes
from ml_connector.flows.accounts import known_accounts, new_customer
from ml_connector.flows.context import Context
from ml_connector.flows.facts import facts_of, postings_by_record
from ml_connector.flows.periods import PERIODS_LIFETIME_S, moved_by_periods, open_periods
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
    periods: OpenPeriods = OpenPeriods()

    @classmethod
    async def read(
        cls, context: Context, snapshots: Mapping[str, OrderSnapshot], *, assume_backfilled: bool = False
    ) -> "OrderPlans":
        """With what earlier runs posted and what persons asked for."""
        keys = list(snapshots)
        known = await postings_by_record(context.database, context.integration.id, FLOW, keys)
        async with context.database.connect() as connection:
            asked = await wishes.of_records(connection, context.integration.id, FLOW, keys)
        periods = await open_periods(context, PERIODS_LIFETIME_S) if snapshots else context.periods
        return cls(context, snapshots, known, asked, assume_backfilled=assume_backfilled, periods=periods)

    async def all(self) -> dict[str, Plan]:
        """Every order's plan; customers that another order brought into the ERP are known by their account."""
        plans = {key: self.one(key) for key in self.snapshots}
        plans |= await self._moved(plans)
        self.accounts |= await known_accounts(self.context, plans.values())
        return plans | {key: self.one(key) for key, made in plans.items() if new_customer(made)}

    async def _moved(self, plans: Mapping[str, Plan]) -> dict[str, Plan]:
        """What a closed period has moved or held, planned once more by what the ERP says now: a day must not be moved
        because of what was true a while ago. What is not closed any more is planned for its own day; what was closed
        since is refused by the ERP, and held."""
        doubtful = [key for key, made in plans.items() if moved_by_periods(made, self.periods)]
        if not doubtful:
            return {}
        self.periods = await open_periods(self.context, 0)
        return {key: self.one(key) for key in doubtful}

    def is_approved(self, key: str, made: Plan) -> bool:
        """Whether `made` is what a person approved; also where its customer was new then and has an account by now,
        because another order brought them."""
        shown = self.wishes.approved[key]
        return shown == plan_digest(made) or (bool(self.accounts) and shown == plan_digest(self.one(key, {})))

    def one(self, key: str, accounts: Mapping[str, str] | None = None) -> Plan:
        """The plan with the accounts that are known now, or with these. Pure."""
        facts = facts_of(
            self.known.get(key, ()),
            self.context,
            periods=self.periods,
            customer_accounts=self.accounts if accounts is None else accounts,
            backfilled=self.assume_backfilled or key in self.wishes.backfilled,
            repost=key in self.wishes.reposted,
            left_out=self.wishes.excluded.get(key, ""),
        )
        return plan_order(self.snapshots[key], self.context.mapping, self.context.policy, facts)
