"""Finding what webhooks missed: the store is asked for what changed since the watermark, with an overlap.

The watermark moves in the transaction that marks what was found, so a crash between pages costs a second look and
nothing else (`docs/exactly-once.md`). A poll never decides anything: it marks.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.base import ChangePage, ReadsCustomers, ReadsOrders
from ml_connector.connectors.errors import ConnectorError
from ml_connector.engine import crash, records, watermarks
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run, fence
from ml_connector.engine.stamps import newer
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime

POLLED = ("orders", "customers")


def first_since(cut_over: date | None, now: datetime) -> datetime:
    """Where the first poll starts: a day before the cut-over, or before now where that is earlier or none is set.

    The cut-over is a day of the store, which may begin half a day before that of UTC. One that lies ahead must not put
    the watermark there: orders that were chosen before it change too.
    """
    begins = now if cut_over is None else min(now, datetime(cut_over.year, cut_over.month, cut_over.day, tzinfo=UTC))
    return begins - timedelta(days=1)


def poll_name(flow: str) -> str:
    """The lane of the periodic record that polls for `flow`."""
    return f"poll:{flow}"


class PollFlow:
    """A periodic record per polled flow; its next run is `poll_s` after the last ended."""

    batch = 1

    def __init__(self, runtime: Runtime, polled: str) -> None:
        self._runtime = runtime
        self._polled = polled
        self.name = poll_name(polled)
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        settings = context.integration.flow(self._polled)
        done = Done(next_in_s=float(settings.poll_s))
        if not settings.enabled or not context.integration.active:
            return dict.fromkeys(run.keys, done)
        try:
            since = await self._since(context)
            async for page in self._changes(context, since - timedelta(seconds=settings.overlap_s)):
                if not run.alive:
                    break
                await self._mark(context, run, page)
        except ConnectorError as error:
            return dict.fromkeys(
                run.keys, outcome_of_error(error, connection=context.store.id, epoch=context.store.epoch)
            )
        return dict.fromkeys(run.keys, done)

    async def _since(self, context: Context) -> datetime:
        """The watermark, or where the first poll starts."""
        async with context.database.connect() as connection:
            kept = await watermarks.read(connection, context.integration.id, self._polled)
        return kept or first_since(context.policy.posting_cut_over, datetime.now(UTC))

    def _changes(self, context: Context, since: datetime) -> AsyncIterator[ChangePage]:
        source = context.store_connector
        if self._polled == "orders":
            assert isinstance(source, ReadsOrders)
            return source.changed_orders(since)
        assert isinstance(source, ReadsCustomers)
        return source.changed_customers(since)

    async def _mark(self, context: Context, run: Run, page: ChangePage) -> None:
        """One page: what is not known at that stamp already is marked, and the watermark moves with it."""
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            marked = await mark_changes(connection, run.integration, self._polled, page)
            await crash.point("watermark.commit.b")
            if page.watermark is not None:
                await watermarks.save(connection, run.integration, self._polled, page.watermark)
        await crash.point("watermark.commit.a")
        if marked:
            async with context.database.connect() as connection:
                await records.notify(connection, [Lane(run.integration, self._polled)])


async def mark_changes(connection: AsyncConnection, integration: int, flow: str, page: ChangePage) -> int:
    """Marks what the page names, except records that have been brought to that very stamp already."""
    unseen = [change for change in page.changes if change.stamp is None]
    stamped = [change for change in page.changes if change.stamp is not None]
    if unseen:
        await records.mark(connection, integration, flow, sorted({change.key for change in unseen}))
    news = await newer(connection, integration, flow, {c.key: c.stamp for c in stamped if c.stamp is not None})
    by_stamp: dict[datetime, list[str]] = {}
    for key, stamp in news.items():
        by_stamp.setdefault(stamp, []).append(key)
    for stamp, keys in sorted(by_stamp.items()):
        await records.mark(connection, integration, flow, sorted(keys), want=stamp)
    return len(unseen) + len(news)
