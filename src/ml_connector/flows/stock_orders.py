"""What store orders have taken off its stock, kept for the stock flow: an absolute write must not give it back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ml_connector.connectors.errors import Rejected
from ml_connector.connectors.systems import find_system
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine import records, stock, watermarks
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Run, fence
from ml_connector.engine.stock import Taken
from ml_connector.flows.batches import each_by_itself
from ml_connector.flows.context import Context
from ml_connector.planning.stock import open_quantities

STOCK = "stock"
ORDERS = "orders"
CAUGHT_UP = 50
"""Unread orders that a run of the stock flow reads by itself; where there are more, it raises nothing meanwhile."""
COUNTED = "open_orders"
LOOK_BACK_S = 5.0
FIRST_LOOK_BACK_S = 86_400.0


async def note_orders(context: Context, run: Run, snapshots: Mapping[str, OrderSnapshot]) -> None:
    """Keeps what these orders hold, and marks the SKUs whose figure in the store may not know it, in the same
    transaction."""
    if not snapshots or not context.integration.flow(STOCK).enabled:
        return
    by_shipment = find_system(context.erp.system).style != "sales"
    taken = [
        Taken(key, each.order.created, each.order.modified, open_quantities(each, leaves_by_shipment=by_shipment))
        for key, each in sorted(snapshots.items())
    ]
    again = 0
    for part in _parts(taken):
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            skus = await stock.reserve(connection, run.integration, part)
            await records.mark(connection, run.integration, STOCK, skus)
        again += len(skus)
    if again:
        async with context.database.connect() as connection:
            await records.notify(connection, [Lane(run.integration, STOCK)])


def _parts(taken: Sequence[Taken]) -> Iterator[list[Taken]]:
    """As few parts as the number of marks in a transaction allows: an edit marks what an order had and what it has."""
    part: list[Taken] = []
    count = 0
    for each in taken:
        if part and count + len(each.by_sku) > records.MARK_AT_ONCE // 2:
            yield part
            part, count = [], 0
        part.append(each)
        count += len(each.by_sku)
    if part:
        yield part


async def count_open_orders(context: Context, run: Run) -> bool:
    """Before the first figure is written: what was sold and has not left before this flow was switched on.

    Where our documents take the goods out, orders that we never heard of, or leave out, are in the ERP by other ways.
    """
    if not context.integration.flow(ORDERS).enabled:
        return True
    async with context.database.connect() as connection:
        if await watermarks.noted(connection, run.integration, STOCK, COUNTED):
            return True
    keys = [key async for page in context.shelves.open_orders() for key in page]
    async with context.database.connect() as connection:
        read = await stock.read_orders(connection, run.integration, keys)
        heard = await stock.heard_orders(connection, run.integration, keys)
    by_shipment = find_system(context.erp.system).style != "sales"
    unread = [key for key in keys if key not in read and (by_shipment or key in heard)]
    for start in range(0, len(unread), CAUGHT_UP):
        if not run.alive or run.stopping:
            return False
        snapshots, failures = await each_by_itself(context.orders.orders, unread[start : start + CAUGHT_UP])
        await note_orders(context, run, snapshots)
        for error in failures.values():
            if not isinstance(error, Rejected):  # one that can never be read is held by its own flow
                raise error
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await watermarks.note(connection, run.integration, STOCK, {COUNTED: len(unread) or True})
    return True


async def forget_count(context: Context, run: Run) -> None:
    """The flow is switched off: orders that come meanwhile leave no note, so they are counted when it is on again."""
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await watermarks.note(connection, run.integration, STOCK, {COUNTED: None})


async def catch_up(context: Context, run: Run) -> bool:
    """Takes in the orders that the store has by now and nobody has read. False: too many, or unreadable ones.

    Called right before figures are raised. What is placed after it reaches us like any order, and marks its SKUs then.
    """
    if not context.integration.flow(ORDERS).enabled:
        return True
    async with context.database.connect() as connection:
        kept = await watermarks.read(connection, run.integration, ORDERS)
    since = kept or datetime.now(UTC) - timedelta(seconds=FIRST_LOOK_BACK_S)
    changed: dict[str, datetime | None] = {}
    async for page in context.orders.changed_orders(since - timedelta(seconds=LOOK_BACK_S)):
        for change in page.changes:
            before = changed.get(change.key)
            changed[change.key] = max(filter(None, (before, change.stamp)), default=None)
    async with context.database.connect() as connection:
        read = await stock.read_orders(connection, run.integration, list(changed))
    unread = [key for key, stamp in changed.items() if key not in read or stamp is None or read[key] < stamp]
    if len(unread) > CAUGHT_UP:
        return False
    snapshots, failures = await each_by_itself(context.orders.orders, unread)
    await note_orders(context, run, snapshots)
    return not failures
