"""What may be done about differences by itself: marking the orders and SKUs that a run mends."""

from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import records
from ml_connector.engine.records import MARK_AT_ONCE, Lane
from ml_connector.flows.stock import NAME as STOCK
from ml_connector.reconcile.causes import ABOUT
from ml_connector.reconcile.sources import FLOW
from ml_connector.reconcile.stock_causes import ABOUT as STOCK_ABOUT
from ml_connector.reconcile.stock_values import StockTotals
from ml_connector.reconcile.values import Difference

__all__ = ["FLOW", "STOCK", "mark", "notify", "parts_of", "skus_to_mark", "to_mark"]


def to_mark(found: Iterable[Difference]) -> list[str]:
    """Keys of the orders that a run may mend: never heard of, not posted although done, not amended."""
    return sorted({str(each.order_id) for each in found if each.order_id is not None and ABOUT[each.cause].heals})


def skus_to_mark(totals: StockTotals) -> list[str]:
    """SKUs whose figure a run may put right."""
    return sorted({each.sku for each in totals.differing if STOCK_ABOUT[each.cause].heals})


async def mark(connection: AsyncConnection, integration: int, keys: Sequence[str], *, flow: str = FLOW) -> None:
    """In the caller's transaction; at most `MARK_AT_ONCE` keys."""
    await records.mark(connection, integration, flow, keys)


async def notify(connection: AsyncConnection, integration: int, *, flow: str = FLOW) -> None:
    await records.notify(connection, [Lane(integration, flow)])


def parts_of(keys: Sequence[str]) -> Iterable[list[str]]:
    """Keys for one transaction each."""
    return (list(keys[start : start + MARK_AT_ONCE]) for start in range(0, len(keys), MARK_AT_ONCE))
