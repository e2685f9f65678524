"""The dry run: the exact documents that orders would make now, beside what is posted already. Nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_connector.domain.documents import Document, Documents, Plan, plan_digest
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine.postings import Posting
from ml_connector.flows.context import Context
from ml_connector.flows.order_plans import OrderPlans

NAME = "orders"


@dataclass(frozen=True, slots=True)
class Preview:
    """One order. `plan` None: the store does not know it. `digest` is what a person approves.

    `uncertain`: references whose outcome is not known yet; they are resolved before anything is sent. `known`: every
    posting of the order, whatever its state.
    """

    key: str
    snapshot: OrderSnapshot | None
    plan: Plan | None
    digest: str
    uncertain: tuple[str, ...] = ()
    known: tuple[Posting, ...] = ()

    @property
    def news(self) -> tuple[Document, ...]:
        """What would be posted: the documents of the plan that do not stand yet."""
        return tuple(d for d in self.plan.documents if not d.already) if isinstance(self.plan, Documents) else ()


async def preview(context: Context, keys: Sequence[str], *, assume_backfilled: bool = False) -> list[Preview]:
    """Reads the orders and plans them against what is posted. Raises `ConnectorError`."""
    snapshots = await context.orders.orders(keys)
    orders = await OrderPlans.read(context, snapshots, assume_backfilled=assume_backfilled)
    plans = await orders.all()
    return [_preview(key, snapshots.get(key), plans.get(key), orders.known.get(key, ())) for key in keys]


def _preview(key: str, snapshot: OrderSnapshot | None, plan: Plan | None, rows: Sequence[Posting]) -> Preview:
    uncertain = tuple(sorted(posting.name.reference for posting in rows if posting.is_open))
    return Preview(key, snapshot, plan, plan_digest(plan) if plan is not None else "", uncertain, tuple(rows))
