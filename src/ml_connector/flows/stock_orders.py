"""What store orders have taken off its stock, kept for the stock flow: an absolute write must not give it back."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ml_connector.connectors.errors import Rejected
from ml_connector.connectors.systems import find_system
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine import records, stock, watermarks
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Run, fence
from ml_connector.engine.stock import Asked, Reserved, Taken
from ml_connector.flows.batches import each_by_itself
from ml_connector.flows.context import Context
from ml_connector.planning.stock import open_quantities, skus_beside

STOCK = "stock"
ORDERS = "orders"
CAUGHT_UP = 50
"""Unread orders that a run of the stock flow reads by itself; where there are more, it raises nothing meanwhile."""
COUNTED = "open_orders"
LOOK_BACK_S = 5.0
FIRST_LOOK_BACK_S = 86_400.0


async def note_orders(context: Context, run: Run, snapshots: Mapping[str, OrderSnapshot]) -> None:
    """Keeps what these orders hold, and marks the SKUs whose figure in the store may not know it, in the same
    transaction: of other SKUs of the item the store takes nothing off by itself."""
    if not snapshots:
        return
    if not context.integration.flow(STOCK).enabled:
        await forget_count(context, run)
        return
    by_shipment = find_system(context.erp.system).style != "sales"
    taken = [
        Taken(key, each.order.created, each.order.modified, open_quantities(each, leaves_by_shipment=by_shipment))
        for key, each in sorted(snapshots.items())
    ]
    again = 0
    beside = skus_beside({sku for each in taken for sku in each.by_sku}, context.mapping)
    for part in _parts(taken, beside):
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            told = await stock.reserve(connection, run.integration, part)
            skus = {sku for sku, look in told.items() if look}
            known = skus_beside(told, context.mapping)
            skus |= {other for sku in told if sku in known for other in known[sku][1] if other != sku}
            await records.mark(connection, run.integration, STOCK, sorted(skus))
        again += len(skus)
    if again:
        async with context.database.connect() as connection:
            await records.notify(connection, [Lane(run.integration, STOCK)])


async def reserved(context: Context, counted_before: Mapping[str, datetime]) -> dict[str, Reserved]:
    """By SKU, what orders have taken of its item, under this or another SKU, and the figure does not show that was
    counted before then. SKUs without are absent."""
    beside = skus_beside(counted_before, context.mapping)
    asked = {sku: Asked(*beside[sku], at) for sku, at in counted_before.items() if sku in beside}
    async with context.database.connect() as connection:
        return await stock.reserved(connection, context.integration.id, asked)


def _parts(taken: Sequence[Taken], beside: Mapping[str, tuple[str, Collection[str]]]) -> Iterator[list[Taken]]:
    """As few parts as the number of marks in a transaction allows: an edit marks what an order had and what it has."""
    part: list[Taken] = []
    count = 0
    for each in taken:
        marks = sum(len(beside[sku][1]) if sku in beside else 1 for sku in each.by_sku)
        if part and count + marks > records.MARK_AT_ONCE // 2:
            yield part
            part, count = [], 0
        part.append(each)
        count += marks
    if part:
        yield part


async def count_open_orders(context: Context, run: Run) -> bool:
    """Before the first figure is written: what was sold and has not left before this flow was switched on.

    Where our documents take the goods out, orders that we never heard of, or leave out, are in the ERP by other ways;
    and one that we could not post yet is in the ERP in no way, also when the merchant has shipped it.
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
        if not by_shipment:
            keys = sorted(heard | await stock.unposted_orders(connection, run.integration))
            read = await stock.read_orders(connection, run.integration, keys)
    unread = [key for key in keys if key not in read]
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
    async with context.database.connect() as connection:
        if not await watermarks.noted(connection, run.integration, STOCK, COUNTED):
            return
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await watermarks.note(connection, run.integration, STOCK, {COUNTED: None})


async def catch_up(context: Context, run: Run) -> bool:
    """Takes in the orders that the store has by now and nobody has read. False: too many, or unreadable ones.

    Called right before figures are raised. What is placed after it reaches us like any order, and marks its SKUs then.
    """
    unread = await unread_orders(context)
    if len(unread) > CAUGHT_UP:
        return False
    snapshots, failures = await each_by_itself(context.orders.orders, unread)
    await note_orders(context, run, snapshots)
    return not failures


async def unread_orders(context: Context) -> list[str]:
    """Orders that the store has by now, in their present state, and of which nobody has noted what they hold."""
    if not context.integration.flow(ORDERS).enabled:
        return []
    integration = context.integration.id
    async with context.database.connect() as connection:
        kept = await watermarks.read(connection, integration, ORDERS)
    since = kept or datetime.now(UTC) - timedelta(seconds=FIRST_LOOK_BACK_S)
    changed: dict[str, datetime | None] = {}
    async for page in context.orders.changed_orders(since - timedelta(seconds=LOOK_BACK_S)):
        for change in page.changes:
            before = changed.get(change.key)
            changed[change.key] = max(filter(None, (before, change.stamp)), default=None)
    async with context.database.connect() as connection:
        read = await stock.read_orders(connection, integration, list(changed))
    return [key for key, stamp in changed.items() if key not in read or stamp is None or read[key] < stamp]
