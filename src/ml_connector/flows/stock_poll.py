"""What has changed in the ERP's stock: all of it is read and compared with what the last scan saw.

ERPs give stock no date of change (a sale moves no stamp of the item), so digests tell. A digest is kept in the
transaction that marks the item's SKUs: a scan that dies costs a second look. A scan decides nothing: it marks.
"""

from collections.abc import Mapping, Sequence
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
from ml_connector.flows.stock import NAME as STOCK
from ml_connector.planning.stock import SkusOfItems, scan_digest

NAME = poll_name(STOCK)
SCANNED_AT = "scanned_at"
MARKED_AT_ONCE = 1000


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
            return dict.fromkeys(run.keys, done)
        try:
            await scan(context, run)
        except ConnectorError as error:
            outcome = outcome_of_error(error, connection=context.erp.id, epoch=context.erp.epoch)
            return dict.fromkeys(run.keys, outcome)
        return dict.fromkeys(run.keys, done)


async def scan(context: Context, run: Run) -> None:
    """Marks the SKUs of every item that is not as the last scan saw it, also of those that are gone."""
    skus = SkusOfItems(context.mapping)
    async with context.database.connect() as connection:
        began = await stock.now(connection)
        before = await stock.seen_items(connection, run.integration)
    async for page in context.stock.all_stock(sorted(context.mapping.warehouses)):
        if not run.alive or run.stopping:
            return
        before -= {each.item for each in page}
        for start in range(0, len(page), MARKED_AT_ONCE):
            await _compare(context, run, skus, began, page[start : start + MARKED_AT_ONCE])
    gone = sorted(before)
    for start in range(0, len(gone), MARKED_AT_ONCE):
        await _mark(context, run, skus, began, dict.fromkeys(gone[start : start + MARKED_AT_ONCE], ""), {})
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await watermarks.note(connection, run.integration, STOCK, {SCANNED_AT: began.isoformat()})


async def _compare(context: Context, run: Run, skus: SkusOfItems, began: datetime, page: Sequence[ItemStock]) -> None:
    digests = {
        each.item: scan_digest(each, skus.of(each.item), context.mapping, context.policy)
        for each in page
        if skus.of(each.item)
    }
    if not digests:
        return
    async with context.database.connect() as connection:
        news = set(await stock.news(connection, run.integration, digests))
    contents = {each.item: stock_to_json(each) for each in page if each.item in news}
    await _mark(context, run, skus, began, {item: digests[item] for item in contents}, contents)


async def _mark(
    context: Context,
    run: Run,
    skus: SkusOfItems,
    began: datetime,
    digests: Mapping[str, str],
    contents: Mapping[str, Mapping[str, object]],
) -> None:
    keys = sorted({sku for item in digests for sku in skus.of(item)})
    if not digests:
        return
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        await records.mark(connection, run.integration, STOCK, keys)
        await crash.point("watermark.commit.b", STOCK)
        await stock.see(connection, run.integration, began, digests, contents)
    await crash.point("watermark.commit.a", STOCK)
    async with context.database.connect() as connection:
        await records.notify(connection, [Lane(run.integration, STOCK)])
