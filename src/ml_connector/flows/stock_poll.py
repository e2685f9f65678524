"""What has changed in the ERP's stock: all of it is read and compared with what the last scan saw.

ERPs give stock no date of change (a sale moves no stamp of the item), so digests tell. A digest is kept in the
transaction that marks the item's SKUs: a scan that dies costs a second look. A scan decides nothing: it marks.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.stock import ItemStock, stock_to_json
from ml_connector.engine import crash, records, stock, watermarks
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run, fence
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.polls import poll_name
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.stock import BATCH
from ml_connector.flows.stock import NAME as STOCK
from ml_connector.flows.stock_orders import count_open_orders, forget_count
from ml_connector.planning.stock import SkusOfItems, other_spellings, scan_digest

NAME = poll_name(STOCK)
SCANNED_AT = "scanned_at"
MARKED_AT_ONCE = BATCH


class StockPollFlow:
    """One periodic record per integration; its next run is `poll_s` after the last ended."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        settings = context.integration.flow(STOCK)
        done = Done(next_in_s=float(settings.poll_s))
        if not settings.enabled or not context.integration.active or not context.mapping.warehouses:
            await forget_count(context, run)
            return dict.fromkeys(run.keys, done)
        try:
            if await count_open_orders(context, run):
                await scan(context, run)
        except ConnectorError as error:
            outcome = outcome_of_error(
                error, connection=context.failed_connection(error), epoch=context.epoch_of(error)
            )
            return dict.fromkeys(run.keys, outcome)
        return dict.fromkeys(run.keys, done)


async def scan(context: Context, run: Run) -> None:
    """Marks the SKUs of every item that is not as the last scan saw it, also of those that are gone.

    As many at once as a run of the flow takes, so that few changes among many items make few calls to the store.
    """
    async with context.database.connect() as connection:
        began = await stock.now(connection)
        before = await stock.seen_items(connection, run.integration)
    skus_of = await all_skus_of(context)
    found: dict[str, tuple[str, ItemStock | None]] = {}
    async for page in context.stock.all_stock(sorted(context.mapping.warehouses)):
        if not run.alive or run.stopping:
            return
        before -= {each.item for each in page}
        found |= await _news(context, run, skus_of, page)
        while len(found) >= MARKED_AT_ONCE:
            await _mark(context, run, skus_of, began, found)
    found |= dict.fromkeys(sorted(before), ("", None))
    while found:
        await _mark(context, run, skus_of, began, found)
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await watermarks.note(connection, run.integration, STOCK, {SCANNED_AT: began.isoformat()})


SkusOf = Callable[[str], Collection[str]]
"""The SKUs that show an item, as the ERP spells it."""


async def all_skus_of(context: Context) -> SkusOf:
    """By the mapping, and by the SKUs that are known to be spelled otherwise than their item."""
    async with context.database.connect() as connection:
        known = await stock.not_in_capitals(connection, context.integration.id)
    by_item, spelled = SkusOfItems(context.mapping), other_spellings(known, context.mapping)
    return lambda item: spelled.get(item, frozenset()).union(by_item.of(item))


async def _news(
    context: Context, run: Run, skus_of: SkusOf, page: Sequence[ItemStock]
) -> dict[str, tuple[str, ItemStock | None]]:
    """Digest and content of the items that a SKU shows and that are not as they were."""
    shown = {each.item: each for each in page if skus_of(each.item)}
    digests = {item: scan_digest(each, skus_of(item), context.mapping, context.policy) for item, each in shown.items()}
    if not digests:
        return {}
    async with context.database.connect() as connection:
        return {item: (digests[item], shown[item]) for item in await stock.news(connection, run.integration, digests)}


async def _mark(
    context: Context, run: Run, skus_of: SkusOf, began: datetime, found: dict[str, tuple[str, ItemStock | None]]
) -> None:
    """Takes what it keeps and marks, in one transaction, out of `found`."""
    part: dict[str, tuple[str, ItemStock | None]] = {}
    keys: set[str] = set()
    while found and len(part) < MARKED_AT_ONCE:
        item = next(iter(found))
        more = keys.union(skus_of(item))
        if part and len(more) > records.MARK_AT_ONCE:
            break
        part[item], keys = found.pop(item), more
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await records.mark(connection, run.integration, STOCK, sorted(keys))
        await crash.point("watermark.commit.b", STOCK)
        contents = {item: stock_to_json(each) for item, (_, each) in part.items() if each is not None}
        digests = {item: digest for item, (digest, _) in part.items()}
        await stock.see(connection, run.integration, began, digests, contents)
    await crash.point("watermark.commit.a", STOCK)
    async with context.database.connect() as connection:
        await records.notify(connection, [Lane(run.integration, STOCK)])
