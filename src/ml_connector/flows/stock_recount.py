"""The nightly recount: every SKU of the store against the ERP. Differences are kept as drift, and marked.

Between recounts only what changes is written, so whatever else moved a figure (a hand in the control panel, another
app, a write that the store accepted and lost) shows here. It reads everything once and writes nothing to the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ml_connector.connectors.base import KnowsItself, in_background
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.stock import ItemStock, StoreStock
from ml_connector.engine import records, stock, watermarks
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run, fence
from ml_connector.engine.stock import Levels, Reserved
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.stock import NAME as STOCK
from ml_connector.flows.stock import default_location, nowhere
from ml_connector.flows.stock_orders import catch_up, reserved
from ml_connector.planning.stock import StockPlan, item_of, plan_stock

NAME = "recount:stock"
RESULT = "recount"


@dataclass(slots=True)
class Recount:
    """What a recount found. `not_in_erp`: SKUs of the store without an item; `unsettled`: a write was on its way."""

    skus: int = 0
    drifted: int = 0
    pieces: int = 0
    not_in_erp: int = 0
    unmapped: int = 0
    unsettled: int = 0
    first: list[str] = field(default_factory=list[str])

    def as_note(self, began: datetime, took_s: float) -> Mapping[str, object]:
        counts = {name: getattr(self, name) for name in ("skus", "drifted", "pieces", "not_in_erp", "unmapped")}
        return {"at": began.isoformat(), "took_s": round(took_s, 1), **counts, "unsettled": self.unsettled,
                "first": self.first[:20]}  # fmt: skip


class StockRecountFlow:
    """One periodic record per integration, at the hour of the nightly reconciliation."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        try:
            zone = await _zone(context)
            if context.integration.flow(STOCK).enabled and context.integration.active and context.mapping.warehouses:
                with in_background():
                    if await nowhere(context) is None:  # the SKUs say so as soon as they run
                        await recount(context, run)
        except ConnectorError as error:
            outcome = outcome_of_error(
                error, connection=context.failed_connection(error), epoch=context.epoch_of(error)
            )
            return dict.fromkeys(run.keys, outcome)
        return dict.fromkeys(run.keys, Done(next_in_s=seconds_to_night(context.integration.reconcile.hour, zone)))


async def recount(context: Context, run: Run) -> Recount:
    """Reads the ERP, then the store page by page. Keeps the result as a note of the flow."""
    async with context.database.connect() as connection:
        began = await stock.now(connection)
    await catch_up(context, run)
    levels = {
        each.item: each async for page in context.stock.all_stock(sorted(context.mapping.warehouses)) for each in page
    }
    result = Recount()
    default = await default_location(context)
    async for page in context.shelves.all_quantities(sorted(set(context.mapping.warehouses.values()))):
        if not run.alive or run.stopping:
            return result
        await _page(context, run, began, levels, page, default, result)
    async with context.database.transaction() as connection:
        await fence(connection, run.fence)
        took_s = (await stock.now(connection) - began).total_seconds()
        await watermarks.note(connection, run.integration, STOCK, {RESULT: dict(result.as_note(began, took_s))})
        await stock.forget_orders(connection, run.integration)
    context.story("recount", "", "", result.as_note(began, took_s))
    return result


async def _page(
    context: Context,
    run: Run,
    began: datetime,
    levels: Mapping[str, ItemStock],
    page: Sequence[StoreStock],
    default: int | None,
    result: Recount,
) -> None:
    """One page of the store: SKUs that have something else than they should are kept and marked, in one transaction.
    What looks too low may be an order that has just come: it is taken in before that is said."""
    async with context.database.connect() as connection:
        known = await stock.known(connection, run.integration, [each.sku for each in page])
    compared: dict[str, tuple[ItemStock, StoreStock]] = {}
    for each in page:
        result.skus += 1
        try:
            name = item_of(each.sku, context.mapping)
        except Unmapped:
            result.unmapped += 1
            continue
        item = levels.get(name) or levels.get(name.upper())
        if item is None:
            result.not_in_erp += 1
        elif known[each.sku].settles_in_s > 0:
            result.unsettled += 1
        else:
            compared[each.sku] = item, each
    plans = await _plans(context, began, compared, default)
    if any(plan.raises for plan in plans.values()):
        await catch_up(context, run)
        plans = await _plans(context, began, compared, default)
    drift: dict[str, tuple[Levels, Levels]] = {}
    for sku, plan in plans.items():
        if plan.writes:
            on_hand = compared[sku][1].on_hand
            drift[sku] = (on_hand, plan.wanted)
            result.pieces += sum(abs(count - on_hand.get(place, 0)) for place, count in plan.wanted.items())
    result.drifted += len(drift)
    result.first += sorted(drift)
    if drift:
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            await stock.drifted(connection, run.integration, drift)
            await records.mark(connection, run.integration, STOCK, sorted(drift))
        async with context.database.connect() as connection:
            await records.notify(connection, [Lane(run.integration, STOCK)])


async def _plans(
    context: Context,
    began: datetime,
    compared: Mapping[str, tuple[ItemStock, StoreStock]],
    default: int | None,
) -> dict[str, StockPlan]:
    counted = began - timedelta(seconds=context.stock.stock_lag_s)
    taken = await reserved(context, dict.fromkeys(compared, counted))
    return {
        sku: plan_stock(
            item,
            store,
            context.mapping,
            context.policy,
            reserved=taken.get(sku, Reserved()).quantity,
            default_location=default,
        )
        for sku, (item, store) in compared.items()
    }


async def _zone(context: Context) -> ZoneInfo:
    store = context.store_connector
    return ZoneInfo(await store.time_zone()) if isinstance(store, KnowsItself) else ZoneInfo("UTC")


def seconds_to_night(hour: int, zone: ZoneInfo | None = None) -> float:
    """Until the store's clock shows that hour next; before its zone is known, by UTC."""
    now = datetime.now(zone or UTC)
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    night = today if today > now else today + timedelta(days=1)
    return (night.astimezone(UTC) - now.astimezone(UTC)).total_seconds()
