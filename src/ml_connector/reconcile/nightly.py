"""The nightly reconciliation, a periodic record of each integration.

Marks what a run can mend, and holds what it cannot: a document that is gone, reversed by hand, doubled or changed in
the ERP. Holds, marks and the result are one transaction. A long window is compared in slices of a few minutes; where
one ended, the next run goes on, on whatever machine.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from ml_connector.connectors.base import in_background
from ml_connector.connectors.errors import ConnectorError
from ml_connector.engine import crash, postings
from ml_connector.engine.postings import LIVE, Posting
from ml_connector.engine.registry import Integration
from ml_connector.engine.runs import Again, Done, Outcome, Run, fence
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context, Incapable
from ml_connector.flows.runtime import Runtime
from ml_connector.reconcile import healing, results
from ml_connector.reconcile.results import NAME
from ml_connector.reconcile.sources import ContextSources, zone_of
from ml_connector.reconcile.stream import Cursor, examine, reconcile
from ml_connector.reconcile.values import Case, Compared, Difference, Rules

SLICE_S = 300.0
"""A run that takes longer than the engine's limit is given up: a slice ends well before."""

HOLD_AT_MOST = 200
"""More documents than that in one night were not touched by hand: the set-up is wrong. Nothing is held then."""

FIRST_AT_LEAST_S = 7200.0
_OFF_S = 3600.0


class ReconcileFlow:
    """One periodic record per integration, at `reconcile.hour` of the store's day."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime, *, slice_s: float = SLICE_S) -> None:
        self._runtime = runtime
        self._slice_s = slice_s
        self.lease_s = runtime.lease_s

    def first_in_s(self, integration: Integration) -> float | None:
        """By UTC, and not within the next two hours: an installation that is being set up has other things to do.
        From then on each run knows the store's zone."""
        if not integration.reconcile.enabled:
            return None
        now = datetime.now(UTC) + timedelta(seconds=FIRST_AT_LEAST_S)
        return FIRST_AT_LEAST_S + until(now, integration.reconcile.hour, ZoneInfo("UTC"))

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        if not context.integration.reconcile.enabled or not context.integration.active:
            return dict.fromkeys(run.keys, Done(next_in_s=_OFF_S))
        try:
            with in_background():
                outcome = await self._slice(context, run)
        except Incapable:
            outcome = Done(next_in_s=_OFF_S)
        except ConnectorError as error:
            outcome = outcome_of_error(
                error, connection=context.failed_connection(error), epoch=context.epoch_of(error)
            )
        return dict.fromkeys(run.keys, outcome)

    async def _slice(self, context: Context, run: Run) -> Outcome:
        zone = await zone_of(context)
        sources = ContextSources(context, zone)
        async with context.database.connect() as connection:
            cursor = await results.under_way(connection, run.integration)
        now = datetime.now(UTC)
        settings = context.integration.reconcile
        if cursor is None:
            today = now.astimezone(zone).date()
            cursor = Cursor.of(today - timedelta(days=settings.days), today - timedelta(days=1))
        rules = rules_of(context, cursor.first, cursor.last, now, lag_s=settings.lag_s)
        try:
            whole = await reconcile(sources, rules, cursor, enough=slice_of(cursor, run, self._slice_s))
        except ConnectorError:
            await self._keep(context, run, cursor)
            raise
        if not whole:
            await self._keep(context, run, cursor)
            return Again(0.0, why=f"compared up to {cursor.day}")
        await self._conclude(context, run, sources, rules, cursor, now)
        return Done(next_in_s=until(datetime.now(UTC), settings.hour, zone))

    async def _keep(self, context: Context, run: Run, cursor: Cursor) -> None:
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            await results.keep(connection, run.integration, cursor)

    async def _conclude(
        self, context: Context, run: Run, sources: ContextSources, rules: Rules, cursor: Cursor, now: datetime
    ) -> None:
        """Holds and marks; then the night is over."""
        found = cursor.totals.found
        doubtful = await self._doubtful(sources, rules, found)
        mended = healing.to_mark(found)
        for part in healing.parts_of(mended):  # a mark too many costs a look and nothing else
            async with context.database.transaction() as connection:
                await fence(connection, run.fence)
                await healing.mark(connection, run.integration, part)
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            held = await postings.hold_all(connection, run.fence, doubtful)
            await crash.point("tie_out.commit.b")
            shown = sorted({posting.record_key for posting, _ in doubtful if posting.name in held})
            await healing.mark(connection, run.integration, shown)
            await results.conclude(connection, run.integration, cursor, now, marked=len(mended), held=len(held))
        await crash.point("tie_out.commit.a")
        for posting, error in doubtful:
            if posting.name in held:
                context.story("held", posting.record_key, posting.name.written, {"error": error})
        if mended or held:
            async with context.database.connect() as connection:
                await healing.notify(connection, run.integration)

    async def _doubtful(
        self, sources: ContextSources, rules: Rules, found: Sequence[Difference]
    ) -> list[tuple[Posting, str]]:
        """Postings whose document is not in the ERP as we sent it, judged once more by what is there now."""
        orders = sorted({each.order_id for each in found if each.touched and each.order_id is not None})
        if not 0 < sum(1 for each in found if each.touched) <= HOLD_AT_MOST:
            return []
        return [
            doubt for case, compared in await examine(sources, rules, orders) for doubt in _touched(case, compared)
        ]  # fmt: skip


def slice_of(cursor: Cursor, run: Run, slice_s: float) -> Callable[[], bool]:
    """Tells when a slice that begins now is over. By time only after some step: the lists of a day are read anew in
    each slice, and may take longer than one."""
    ends_at = time.monotonic() + slice_s
    begun = (cursor.day, cursor.after)

    def enough() -> bool:
        late = time.monotonic() > ends_at and (cursor.day, cursor.after) != begun
        return late or run.stopping or not run.alive

    return enough


def rules_of(context: Context, first: date, last: date, now: datetime, *, lag_s: float) -> Rules:
    """The comparison of a window, both days included, in one integration."""
    ledger = context.ledger
    return Rules(
        context.policy,
        context.mapping,
        now,
        first,
        last,
        lag_s=lag_s,
        visible_s=max(1.0, 2 * ledger.timing.v_s),
        differs=ledger.differences,
        form=context.reference_form,
        sales_document=context.policy.sales_document if context.style == "sales" else "",
    )


def until(now: datetime, hour: int, zone: ZoneInfo) -> float:
    """Seconds until it is next `hour` o'clock in `zone`; never zero. Nights of a clock change have their own length."""
    local = now.astimezone(zone)
    for days in (0, 1, 2):
        day = local.date() + timedelta(days=days)
        due = datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)
        if due > now:
            return (due - now).total_seconds()
    raise AssertionError("a day has that hour")


def _touched(case: Case, compared: Compared) -> list[tuple[Posting, str]]:
    """One doubt for each posting that a touched document belongs to."""
    texts = {each.reference: each.text for each in reversed(compared.differences) if each.touched}
    return [
        (posting, texts[posting.name.written])
        for posting in case.postings
        if posting.name.written in texts and posting.state in LIVE
    ]
