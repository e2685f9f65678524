"""The synthetic check as a periodic record: a test order goes the whole way, and what each step took is kept.

Never where real books may be: both connections are sandboxes, or the integration says `staging`. A run only looks and
comes again soon, so that a check holds no worker. How long a step took is read from the rows that the way itself
writes (heard, posted, noted), not from when the check looked.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from ml_connector.connectors.base import Lookup, PlacesSyntheticOrders, SyntheticOrder
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.engine import checks, watermarks
from ml_connector.engine.checks import Result, Step
from ml_connector.engine.correlation import new_id
from ml_connector.engine.postings import LIVE
from ml_connector.engine.registry import CheckSettings
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.flows.context import Context
from ml_connector.flows.facts import postings_by_record
from ml_connector.flows.runtime import Runtime

NAME = checks.NAME
OPEN = "open"
LOOK_EVERY_S = 2.0
ENDED = ("held", "dead", "excluded")

NOW = text("SELECT statement_timestamp()")
STANDS = text("""
SELECT flow, status, coalesce(hold_kind, '') AS hold, coalesce(last_error, reason, '') AS why, heard_at, done_at
  FROM records WHERE integration = :integration AND flow IN ('orders', 'write_back') AND key = :key
""")


class CheckFlow:
    """One record per integration that is to be checked."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        settings = context.integration.check
        if not settings.enabled or not context.integration.active:
            return dict.fromkeys(run.keys, Done())
        async with context.database.connect() as sql:
            begun: dict[str, Any] | None = await watermarks.noted(sql, run.integration, NAME, OPEN)
            now: datetime = (await sql.execute(NOW)).scalar_one()
        if begun is None:
            steps = await self._begin(context, settings, now)
            begun = steps if isinstance(steps, dict) else None
            result = None if begun is not None else Result(now, (steps,) if isinstance(steps, Step) else ())
        else:
            result = await _look(context, settings, _Begun.read(begun), now)
        if result is None:
            return dict.fromkeys(run.keys, Done(next_in_s=LOOK_EVERY_S))
        async with context.database.transaction() as sql:
            await checks.save(sql, run.integration, result)
            await watermarks.note(sql, run.integration, NAME, {OPEN: None})
        context.story("check", run.keys[0], "", result.as_json())
        return dict.fromkeys(run.keys, Done(next_in_s=float(settings.every_s)))

    async def _begin(self, context: Context, settings: CheckSettings, now: datetime) -> dict[str, Any] | Step:
        """Places the order. The note is written before: a run that dies over it leaves a check that failed."""
        refusal = refused(context, settings)
        if refusal:
            return Step("order", 0.0, refusal)
        store = context.store_connector
        if not isinstance(store, PlacesSyntheticOrders):
            return Step("order", 0.0, f"{context.store.name} cannot take test orders")
        begun = {"marker": new_id(), "at": now.isoformat(), "order": "", "took_s": "0"}
        await _note(context, begun)
        started = time.monotonic()
        order = SyntheticOrder(
            begun["marker"], settings.sku, settings.name, Decimal(settings.price), settings.payment_method
        )
        try:
            begun["order"] = await store.place_synthetic(order)
        except ConnectorError as error:
            return Step("order", time.monotonic() - started, _words(error))
        begun["took_s"] = f"{time.monotonic() - started:.3f}"
        await _note(context, begun)
        return begun


@dataclass(frozen=True, slots=True)
class _Begun:
    at: datetime
    order: str
    took_s: float

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "_Begun":
        return cls(datetime.fromisoformat(kept["at"]), kept["order"], float(kept["took_s"]))


def refused(context: Context, settings: CheckSettings) -> str:
    """Why this pair must not be given a test order; empty where it may."""
    if settings.staging or (context.store.sandbox and context.erp.sandbox):
        return ""
    return "real books may be behind this pair: only sandboxes, or an integration with check.staging, get test orders"


async def _look(context: Context, settings: CheckSettings, begun: _Begun, now: datetime) -> Result | None:
    """The result once every step came through, one cannot any more, or the time is over; None: look again."""
    if not begun.order:
        return Result(begun.at, (Step("order", 0.0, "the process ended while the order was being placed"),))
    async with context.database.connect() as sql:
        rows = await sql.execute(STANDS, {"integration": context.integration.id, "key": begun.order})
        stands = {row.flow: row for row in rows}
    steps = [Step("order", begun.took_s)]
    missing = await _way(context, begun, stands, steps)
    if missing is None:
        missing = await _stock(context, steps, now)
    if missing is None:
        return Result(begun.at, tuple(steps), begun.order)
    name, why, final = missing
    waited_s = (now - begun.at).total_seconds()
    if not final and waited_s < settings.within_s:
        return None
    late = "" if final else f"not within {settings.within_s} s"
    steps.append(Step(name, waited_s, ": ".join(filter(None, (late, why)))))
    return Result(begun.at, tuple(steps), begun.order)


_Missing = tuple[str, str, bool]
"""The step that has not come through, why as far as it is known, and whether it never will."""


async def _way(context: Context, begun: _Begun, stands: Mapping[str, Any], steps: list[Step]) -> _Missing | None:
    order = stands.get("orders")
    if order is None:
        return "heard", "", False
    steps.append(Step("heard", _between(begun.at, order.heard_at)))
    if order.status in ENDED:
        return "document", f"the order is {order.status} {order.hold}: {order.why}"[:500], True
    rows = (await postings_by_record(context.database, context.integration.id, "orders", [begun.order])).get(
        begun.order, ()
    )
    live = [row for row in rows if row.state in LIVE and row.number]
    if order.status != "synced" or not live:
        return "document", order.why, False
    steps.append(Step("document", _between(order.heard_at, order.done_at)))
    try:
        found = await context.ledger.find([Lookup(document_from_json(row.content)) for row in live])
    except ConnectorError as error:
        return "in the ERP", _words(error), False
    absent = [row.name.reference for row in live if not found.get(row.name.reference)]
    if absent:
        return "in the ERP", f"{absent[0]} is not found", False
    if context.writes_back:
        noted = stands.get("write_back")
        if noted is None or noted.status != "synced":
            return "post-back", noted.why if noted is not None else "", noted is not None and noted.status in ENDED
        steps.append(Step("post-back", _between(order.done_at, noted.done_at)))
    return None


async def _stock(context: Context, steps: list[Step], now: datetime) -> _Missing | None:
    settings = context.integration.flow("stock")
    if not settings.enabled or not context.mapping.warehouses:
        return None
    async with context.database.connect() as sql:
        scanned = await watermarks.noted(sql, context.integration.id, "stock", "scanned_at")
    if not scanned:
        return "stock", "the ERP's stock was never read", False
    age_s = _between(datetime.fromisoformat(scanned), now)
    if age_s > 3 * settings.poll_s + 60:
        return "stock", f"the ERP's stock was read {age_s:.0f} s ago", False
    steps.append(Step("stock", age_s))
    return None


def _between(begin: datetime, end: datetime | None) -> float:
    return max(0.0, (end - begin).total_seconds()) if end is not None else 0.0


def _words(error: ConnectorError) -> str:
    return str(error)[:500]


async def _note(context: Context, begun: Mapping[str, Any]) -> None:
    async with context.database.connect() as sql:
        await watermarks.note(sql, context.integration.id, NAME, {OPEN: dict(begun)})
