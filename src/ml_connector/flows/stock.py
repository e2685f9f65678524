"""Stock of the ERP into the store, SKU by SKU.

One run: read the store -> read the ERP -> add what orders have taken -> plan -> write what differs, in as few calls as
the store allows -> look once more when the write must have taken effect. Level-triggered: a retry reads again, and no
figure is ever sent a second time because it was sent once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ml_connector.connectors.errors import ConnectorError, NotSent, Rejected, Transient
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.stock import ItemStock, Level, StoreStock, stock_from_json
from ml_connector.engine import crash, stock
from ml_connector.engine.records import Status
from ml_connector.engine.runs import Again, Done, Hold, Outcome, Run
from ml_connector.engine.stock import Known, Noted, Reserved
from ml_connector.engine.stock_permit import StockPermit
from ml_connector.flows.answers import AGAIN_SOON_S, outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.stock_orders import catch_up, reserved
from ml_connector.planning.stock import SkusOfItems, StockPlan, item_of, plan_stock, scan_digest

NAME = "stock"
BATCH = 2000
STALE = "stale_stock"
"""Hold of a SKU whose figure was too old, until a person releases it."""
FOUND, HELD, FLOORED = "found", "held", "floored"
REASON = "ml-connector"
NEVER = -1
SCAN_SERVES_S = 600.0
"""What a scan has read is not read again by key for so long; the next scan says what has changed since."""


@dataclass(frozen=True, slots=True)
class _Figure:
    """What the ERP has of an item, and when that read began."""

    stock: ItemStock
    read_at: datetime


class StockFlow:
    """ERP to store. A record's key is the store's SKU."""

    name = NAME
    batch = BATCH

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        batch = _Batch(context, run, StockWriter(self._runtime, context, run))
        try:
            await batch.process()
        except ConnectorError as error:
            batch.stop_rest(error)
        return batch.outcomes


@dataclass(slots=True)
class _Batch:
    """The SKUs of one run. `outcomes` fills up; what is not in it yet is still on its way."""

    context: Context
    run: Run
    writer: "StockWriter"
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    doubtful: set[str] = field(default_factory=set[str])

    async def process(self) -> None:
        mapping = self.context.mapping
        if not self.context.integration.flow(NAME).enabled:
            self.outcomes |= dict.fromkeys(self.run.keys, Done(status=Status.EXCLUDED, reason="switched_off: stock"))
        elif not mapping.warehouses:
            words = "no warehouse feeds a location: fill `warehouses` of the mapping"
            self.outcomes |= dict.fromkeys(self.run.keys, Hold("unmapped", "warehouses|", words))
        elif (hold := await nowhere(self.context)) is not None:
            self.outcomes |= dict.fromkeys(self.run.keys, hold)
        known = await self._known()
        items = self._items()
        shelves = await self.context.shelves.quantities(self._left(), sorted(set(mapping.warehouses.values())))
        self._exclude(shelves, "not_in_store: the store keeps no stock of")
        await self._verify(known, shelves)
        left = {sku: items[sku] for sku in self._left()}
        if not left:
            return
        levels = await self._levels(set(left.values()))
        found = {sku: levels[item] for sku, item in left.items() if item in levels}
        self._exclude(found, "not_in_erp: the ERP has no item for")
        await crash.point("source.read.a", NAME)
        await self._apply(found, {sku: shelves[sku] for sku in found})

    def stop_rest(self, error: ConnectorError) -> None:
        outcome = outcome_of_error(
            error, connection=self.context.failed_connection(error), epoch=self.context.epoch_of(error)
        )
        for key in self.run.keys:
            self.outcomes.setdefault(key, outcome)

    # -------------------------------------------------------------- before reading

    async def _known(self) -> Mapping[str, Known]:
        """What earlier runs left: a write that may still be on its way, a figure that was too old."""
        async with self.context.database.connect() as connection:
            known = await stock.known(connection, self.run.integration, self._left())
        waiting = {record.key: record for record in self.run.records}
        for sku, each in known.items():
            if each.settles_in_s > 0:
                self.outcomes[sku] = Again(
                    each.settles_in_s, why="the last figure may still be on its way to the store"
                )
            elif self.context.policy.stock_oversell == "hold" and (
                each.stale == FOUND or (each.stale == HELD and waiting[sku].hold_kind == STALE)
            ):
                self.outcomes[sku] = Hold(
                    "stale_stock",
                    "",
                    "the ERP's figure was older than stock.staleness_minutes; nothing is written until somebody says "
                    f"that it is right again: `ml-connector release {STALE}`",
                    wakes=False,
                )
        held = [sku for sku, outcome in self.outcomes.items() if isinstance(outcome, Hold) and outcome.kind == STALE]
        async with self.context.database.connect() as connection:
            await stock.set_stale(connection, self.run.integration, held, HELD)
        return known

    def _items(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for sku in self._left():
            try:
                found[sku] = item_of(sku, self.context.mapping)
            except Unmapped as error:
                self.outcomes[sku] = Hold("unmapped", f"{error.kind}|{error.key}", str(error))
        return found

    async def _verify(self, known: Mapping[str, Known], shelves: Mapping[str, StoreStock]) -> None:
        """What was written last and is there, with no mark since: nothing more to do."""
        seqs = {record.key: record.seq for record in self.run.records}
        there = [
            sku
            for sku in self._left()
            if known[sku].sent
            and known[sku].sent_seq == seqs[sku]
            and all(shelves[sku].on_hand.get(place) == count for place, count in known[sku].sent.items())
        ]
        async with self.context.database.connect() as connection:
            await stock.verified(connection, self.run.integration, there)
        self.outcomes |= dict.fromkeys(there, Done())

    async def _levels(self, items: Collection[str]) -> Mapping[str, "_Figure"]:
        """What a scan has just read, where it was made with this mapping and policy; the rest by itself."""
        mapping, policy, skus = self.context.mapping, self.context.policy, SkusOfItems(self.context.mapping)
        async with self.context.database.connect() as connection:
            younger_s = min(SCAN_SERVES_S, policy.stock_staleness_minutes * 30.0)
            seen = await stock.scanned(connection, self.run.integration, items, younger_s=younger_s)
            began = await stock.now(connection)
        figures = {item: _Figure(stock_from_json(item, each.content), each.as_of) for item, each in seen.items()}
        known = {
            item: figure
            for item, figure in figures.items()
            if scan_digest(figure.stock, skus.of(item), mapping, policy) == seen[item].digest
        }
        rest = sorted(set(items) - known.keys())
        read: Mapping[str, ItemStock] = {}
        if rest:
            read = await self.context.stock.stock(rest, sorted(mapping.warehouses))
        return {**known, **{item: _Figure(each, began) for item, each in read.items()}}

    # -------------------------------------------------------------- plan and write

    async def _apply(self, levels: Mapping[str, "_Figure"], shelves: Mapping[str, StoreStock]) -> None:
        plans = await self._plan(levels, shelves)
        if any(plan.raises for plan in plans.values()):
            caught_up = await catch_up(self.context, self.run)
            plans = await self._plan(levels, shelves)
            if not caught_up:
                soon = Again(AGAIN_SOON_S * 5, why="orders of the store must be read before more is offered")
                self.outcomes |= {sku: soon for sku, plan in plans.items() if plan.raises}
        noted = [
            Noted(sku, levels[sku].stock.item, levels[sku].read_at, plan.wanted, shelves[sku].on_hand)
            for sku, plan in plans.items()
            if sku not in self.outcomes
        ]
        async with self.context.database.connect() as connection:
            versions = await stock.note(connection, self.run.fence, noted)
        for sku in [each.sku for each in noted]:
            if sku not in versions:
                self.outcomes[sku] = Again(AGAIN_SOON_S, why="a later read of it is kept already")
            elif not plans[sku].writes:
                self.outcomes[sku] = Done(next_in_s=self._look_again_s) if sku in self.doubtful else Done()
        await crash.point("plan.a", NAME)
        work = {sku: plan.writes for sku, plan in plans.items() if sku not in self.outcomes}
        self.outcomes |= await self.writer.write(work, versions, unsure=self.doubtful)

    async def _plan(self, levels: Mapping[str, "_Figure"], shelves: Mapping[str, StoreStock]) -> dict[str, StockPlan]:
        lag = timedelta(seconds=self.context.stock.stock_lag_s)
        counted = {sku: figure.read_at - lag for sku, figure in levels.items()}
        taken = await reserved(self.context, counted)
        self.doubtful = {sku for sku, each in taken.items() if each.unsure}
        default = await default_location(self.context)
        return {
            sku: plan_stock(
                levels[sku].stock,
                shelves[sku],
                self.context.mapping,
                self.context.policy,
                reserved=taken.get(sku, Reserved()).quantity,
                default_location=default,
            )
            for sku in levels
        }

    @property
    def _look_again_s(self) -> float:
        """An order was posted while the figure was read, or may have been, and may have been taken off twice: the next
        scan, or the look-up of its document, knows."""
        return self.context.integration.flow(NAME).poll_s + 1.0

    def _left(self) -> list[str]:
        return [key for key in self.run.keys if key not in self.outcomes]

    def _exclude(self, found: Mapping[str, object], why: str) -> None:
        for sku in self._left():
            if sku not in found:
                self.outcomes[sku] = Done(status=Status.EXCLUDED, reason=f"{why} {sku}")


async def nowhere(context: Context) -> Hold | None:
    """Where the mapping names a location that the store does not have: every write to it would be refused by itself."""
    known = {each.id for each in await context.shelves.locations()}
    unknown = min(set(context.mapping.warehouses.values()) - known, default=None)
    if unknown is None:
        return None
    words = f"the store has no location {unknown}, which `warehouses` of the mapping names; it has {sorted(known)}"
    return Hold("unmapped", f"warehouses|{unknown}", words)


async def default_location(context: Context) -> int | None:
    """Where the store takes orders from if nothing else is said."""
    return next((each.id for each in await context.shelves.locations() if each.default), None)


class StockWriter:
    """Writes levels in calls as large as the store takes them; a SKU is never split."""

    def __init__(self, runtime: Runtime, context: Context, run: Run) -> None:
        self._runtime = runtime
        self._context = context
        self._run = run
        self._seqs = {record.key: record.seq for record in run.records}

    async def write(
        self, work: Mapping[str, Sequence[Level]], versions: Mapping[str, int], *, unsure: Collection[str] = ()
    ) -> dict[str, Outcome]:
        """Says of each SKU what became of it. `versions` as read before the plan was made. `unsure`: to be planned
        again even if the store shows what was written."""
        self._seqs |= dict.fromkeys(unsure, NEVER)
        outcomes: dict[str, Outcome] = {}
        for chunk in chunks(work, self._context.shelves.stock_write_size):
            if not self._run.alive or self._run.stopping:
                outcomes |= dict.fromkeys(chunk, Again(0, why="the worker was asked to stop"))
                continue
            outcomes |= await self._send(chunk, {sku: versions[sku] for sku in chunk})
        return outcomes

    async def _send(self, work: Mapping[str, Sequence[Level]], versions: Mapping[str, int]) -> dict[str, Outcome]:
        """One call; where the store refuses it, its halves, until those that it refuses are alone."""
        shelves = self._context.shelves
        sent = {sku: {level.location: level.quantity for level in levels} for sku, levels in work.items()}
        permit = StockPermit(
            *(self._runtime.database, self._run.fence, versions, sent, self._seqs),
            *(shelves.stock_timing, self._runtime.watchdog),
        )
        try:
            await shelves.set_quantities([level for levels in work.values() for level in levels], permit, reason=REASON)
        except Transient as error:  # it may have been done: nothing follows before it must have taken effect
            return dict.fromkeys(work, self._outcome(error))
        except Rejected as error:
            await self._not_written(permit)
            if len(work) == 1:
                return dict.fromkeys(work, self._outcome(error))
            middle = len(work) // 2
            halves = [dict(list(work.items())[part]) for part in (slice(middle), slice(middle, None))]
            after = {**versions, **permit.armed}
            return {k: v for half in halves for k, v in (await self._send(half, {s: after[s] for s in half})).items()}
        except NotSent as error:
            await self._not_written(permit)
            return dict.fromkeys(work, Again(AGAIN_SOON_S, why=str(error)))
        except ConnectorError as error:
            await self._not_written(permit)
            return dict.fromkeys(work, self._outcome(error))
        finally:
            permit.close()
        within_s = shelves.stock_timing.v_s
        async with self._context.database.connect() as connection:
            await stock.accepted(connection, self._run.integration, permit.armed, within_s)
        self._context.story("stock", "", "", {"skus": len(work), "first": next(iter(work))})
        return dict.fromkeys(work, Done(next_in_s=within_s + 1))

    async def _not_written(self, permit: StockPermit) -> None:
        async with self._context.database.connect() as connection:
            await stock.refused(connection, self._run.integration, permit.armed)

    def _outcome(self, error: ConnectorError) -> Outcome:
        return outcome_of_error(error, connection=self._context.store.id, epoch=self._context.store.epoch)


def chunks(work: Mapping[str, Sequence[Level]], size: int) -> Iterator[dict[str, Sequence[Level]]]:
    """As few parts as `size` levels each allow."""
    part: dict[str, Sequence[Level]] = {}
    count = 0
    for sku, levels in work.items():
        if part and count + len(levels) > size:
            yield part
            part, count = {}, 0
        part[sku] = levels
        count += len(levels)
    if part:
        yield part
