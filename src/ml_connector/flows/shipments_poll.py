"""What has changed among the ERP's delivery notes: asked for by its own stamps, with an overlap.

Such stamps are coarse (a minute) and in the server's own time, where an hour comes twice in autumn. So the overlap is
longer than an hour, and a stamp is taken for seen only when it has stood for a few minutes by our own clock: a later
change has another one. Level-triggered: a poll decides nothing, it marks.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_connector.connectors.base import ChangePage
from ml_connector.connectors.errors import ConnectorError
from ml_connector.engine import crash, records, watermarks
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run, fence
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.polls import first_since, poll_name
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.shipments import NAME as SHIPMENTS

NAME = poll_name(SHIPMENTS)
SEEN = "seen"
OVERLAP_S = 3900.0
SETTLED_S = 120
"""A change after that time has another stamp, which is of a minute."""
SEEN_AT_MOST = 5000


class ShipmentsPollFlow:
    """One periodic record per integration; its next run is `poll_s` after the last ended."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        settings = context.integration.flow(SHIPMENTS)
        done = Done(next_in_s=float(settings.poll_s))
        if not settings.enabled or not context.integration.active:
            return dict.fromkeys(run.keys, done)
        try:
            await _scan(context, run, timedelta(seconds=max(OVERLAP_S, settings.overlap_s)))
        except ConnectorError as error:
            outcome = outcome_of_error(error, connection=context.erp.id, epoch=context.erp.epoch)
            return dict.fromkeys(run.keys, outcome)
        return dict.fromkeys(run.keys, done)


async def _scan(context: Context, run: Run, overlap: timedelta) -> None:
    async with context.database.connect() as connection:
        kept = await watermarks.read(connection, run.integration, SHIPMENTS)
        noted = await watermarks.noted(connection, run.integration, SHIPMENTS, SEEN)
    seen: Mapping[str, Sequence[Any]] = noted or {}
    since = kept or first_since(None, datetime.now(UTC))  # what left before that is old business
    async for page in context.deliveries.changed_deliveries(since - overlap):
        if not run.alive or run.stopping:
            return
        await _mark(context, run, page, seen)


async def _mark(context: Context, run: Run, page: ChangePage, seen: Mapping[str, Sequence[Any]]) -> None:
    """Marks what was not marked since its stamp has stood for long, and moves the watermark, in one transaction."""
    known, news = news_of(page, seen, int(time.time()))
    for start in range(0, max(1, len(news)), records.MARK_AT_ONCE):
        part = news[start : start + records.MARK_AT_ONCE]
        last = start + records.MARK_AT_ONCE >= len(news)
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            await records.mark(connection, run.integration, SHIPMENTS, part)
            await crash.point("watermark.commit.b", SHIPMENTS)
            if last and page.watermark is not None:
                await watermarks.save(connection, run.integration, SHIPMENTS, page.watermark)
                await watermarks.note(connection, run.integration, SHIPMENTS, {SEEN: known})
        await crash.point("watermark.commit.a", SHIPMENTS)
    if news:
        async with context.database.connect() as connection:
            await records.notify(connection, [Lane(run.integration, SHIPMENTS)])


def news_of(
    page: ChangePage, seen: Mapping[str, Sequence[Any]], now: int
) -> tuple[dict[str, tuple[str, int, bool]], list[str]]:
    """By key the stamp, since when we know it, and whether it was marked when it had stood for long; and what is to be
    marked now. `seen`: the same of the poll before. `now` in seconds."""
    known: dict[str, tuple[str, int, bool]] = {}
    news: set[str] = set()
    for change in page.changes:
        stamp = change.stamp.isoformat() if change.stamp is not None else ""
        before, since, settled = seen.get(change.key, ("", now, False))
        if not stamp or before != stamp:
            since, settled = now, False
        if not settled:
            news.add(change.key)
        known[change.key] = (stamp, since, settled or now - since >= SETTLED_S)
    kept = sorted(known.items(), key=lambda each: each[1][0])[-SEEN_AT_MOST:]
    return dict(kept), sorted(news)
