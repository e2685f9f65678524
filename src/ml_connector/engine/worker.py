"""The worker: claims batches of due records, lets a flow run them, writes what became of each.

Workers are stateless and equal; more of them, on more machines, need nothing but the same database. Lanes take turns
(R11), each run has a lease and a token (`runs.py`), NOTIFY wakes an idle worker at once and a poll every second is the
truth. SIGTERM: no new claims, running flows are asked to stop, what is unfinished is handed back (R14).
"""

import asyncio
import os
import secrets
import signal
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from ml_connector.engine import crash, gate, records
from ml_connector.engine.database import TROUBLE, Database, is_contention, is_outage
from ml_connector.engine.ending import write_outcomes
from ml_connector.engine.records import Claim, Lane
from ml_connector.engine.runs import LEASE_S, RUN_LIMIT_S, Again, Fenced, Flow, Heartbeat, Outcome, Run

log = structlog.get_logger()

LaneGate = Callable[[Lane], Awaitable[bool]]
"""Whether a lane may be claimed now: false while the breaker of its connection is open. Asked before every claim."""


def worker_name() -> str:
    """Unique among all workers that share a database."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker spends its time, in seconds where the name says so."""

    runs_at_once: int = 4
    """Of one integration: what its connections take at once is limited anyway."""
    runs_in_all: int = 32
    """Half of these places are for integrations that have no run: a flood in some must not keep the others out."""
    poll_s: float = 1.0
    sweep_every_s: float = 5.0
    lease_s: float = LEASE_S
    run_limit_s: float = RUN_LIMIT_S
    alone_s: float = 60.0
    """How long a suspect has the process to itself."""
    grace_s: float = 25.0
    """How long running flows may take to stop before they are cancelled."""
    floor_s: float = 3.0
    """How long the floor of a lane is trusted (records with an older `run_at` appear by late commits)."""


@dataclass(slots=True)
class _LaneState:
    floor: datetime | None = None
    floor_until: float = 0.0


@dataclass(slots=True)
class _Active:
    """A run and its two tasks: the outer writes the outcomes and is never cancelled, the inner is the flow."""

    run: Run
    task: "asyncio.Task[None]"
    flow: "asyncio.Task[Mapping[str, Outcome]] | None" = None

    def cancel_flow(self) -> None:
        if self.flow is not None:
            self.flow.cancel()


@dataclass(slots=True)
class Counters:
    """What this worker has done since it started; for metrics and tests."""

    runs: int = 0
    records: int = 0
    defects: int = 0
    fenced: int = 0
    swept: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict[str, int])


class Worker:
    """`flows` by name; `gate` may hold back lanes; `name` must be unique among workers.

    `run()` works until `stop()` (or a signal, with `handle_signals`), then hands back and returns.
    """

    def __init__(
        self,
        database: Database,
        flows: Mapping[str, Flow],
        *,
        pace: Pace | None = None,
        lane_gate: LaneGate | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name or worker_name()
        self.counters = Counters()
        self._database = database
        self._flows = flows
        self._pace = pace or Pace()
        self._lane_gate = lane_gate
        self._heartbeat = Heartbeat(
            database,
            lease_s=max((self._pace.lease_s, *(flow.lease_s for flow in flows.values()))),
            run_limit_s=self._pace.run_limit_s,
            fenced=self._on_fenced,
        )
        self._active: dict[int, _Active] = {}
        self._ring: deque[Lane] = deque()
        self._lanes: dict[Lane, _LaneState] = {}
        self._asked_at = float("-inf")
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._broken: asyncio.Future[None] | None = None

    # ------------------------------------------------------------- life

    async def run(self, *, handle_signals: bool = False) -> None:
        """Works until it is asked to stop. Survives outages of the database; any other error ends it."""
        if handle_signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        self._broken = asyncio.get_running_loop().create_future()
        log.info("worker.started", worker=self.name, flows=sorted(self._flows))
        helpers = [
            asyncio.create_task(self._heartbeat.beat_for_ever(), name="heartbeat"),
            asyncio.create_task(self._sweep_for_ever(), name="sweeper"),
            asyncio.create_task(self._listen_for_ever(), name="listener"),
        ]
        claiming = asyncio.create_task(self._claim_until_stopped(), name="claimer")
        try:
            done, _ = await asyncio.wait([claiming, self._broken, *helpers], return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await self._hand_back()
            for task in done:
                task.result()  # only the claimer ends by itself: raise what ended another one
        finally:
            left = [claiming, *helpers, *(active.task for active in self._active.values())]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            log.info("worker.stopped", worker=self.name, runs=self.counters.runs, records=self.counters.records)

    def stop(self) -> None:
        """No new claims; running flows are asked to stop; `run()` returns when they have, or after the grace."""
        self._stopping.set()
        self._wake.set()
        for active in self._active.values():
            active.run.stopping = True

    def wake(self) -> None:
        """There may be work: look at once."""
        self._asked_at = float("-inf")
        for state in self._lanes.values():
            state.floor = None
        self._wake.set()

    async def _hand_back(self) -> None:
        """R14. What does not end within the grace is cancelled; its run writes `Again` without suspicion."""
        if not self._active:
            return
        await asyncio.wait([active.task for active in self._active.values()], timeout=self._pace.grace_s)
        for active in self._active.values():
            active.cancel_flow()
        if self._active:
            await asyncio.wait([active.task for active in self._active.values()], timeout=self._pace.grace_s)

    # ------------------------------------------------------------- claiming

    async def _claim_until_stopped(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                claim = await self._claim_next() if len(self._active) < self._pace.runs_in_all else None
            except TROUBLE as error:
                await self._database_away(error)
                continue
            if claim is not None:
                await self._begin(claim)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.poll_s):
                        await self._wake.wait()

    async def _claim_next(self) -> Claim | None:
        """One claim from the next lane that gives something. None: nothing is due anywhere."""
        if not self._ring or time.monotonic() - self._asked_at >= self._pace.poll_s:
            await self._ask_for_lanes()
        for _ in range(len(self._ring)):
            lane = self._ring.popleft()
            if not self._has_room(lane.integration):
                self._ring.append(lane)
                continue
            claim = await self._claim_from(lane)
            if claim is not None:
                self._ring.append(lane)  # its turn comes again after the others
                return claim
        return None

    def _has_room(self, integration: int) -> bool:
        """Whether one more run of it may begin (R11)."""
        own = sum(active.run.integration == integration for active in self._active.values())
        return not own or (own < self._pace.runs_at_once and 2 * len(self._active) < self._pace.runs_in_all)

    async def _ask_for_lanes(self) -> None:
        async with self._database.connect() as connection:
            found = await records.lanes(connection)
        self._asked_at = time.monotonic()
        known = set(self._ring)
        self._ring.extend(lane for lane in found if lane not in known and lane.flow in self._flows)

    async def _claim_from(self, lane: Lane) -> Claim | None:
        flow = self._flows.get(lane.flow)
        if flow is None or (self._lane_gate is not None and not await self._lane_gate(lane)):
            return None
        state = self._lanes.setdefault(lane, _LaneState())
        floor = state.floor if time.monotonic() < state.floor_until else None
        await crash.point("claim.commit.b", f"{lane.integration}:{lane.flow}")
        async with self._database.connect() as connection:
            claim = await records.claim(
                connection, lane, worker=self.name, batch=flow.batch, lease_s=flow.lease_s, floor=floor
            )
        if claim is None:
            state.floor = None
            return await self._claim_from(lane) if floor is not None else None
        await crash.point("claim.commit.a", " ".join(record.key for record in claim.records))
        if floor is None:
            state.floor_until = time.monotonic() + self._pace.floor_s
        state.floor = claim.floor
        return claim

    # ------------------------------------------------------------- running

    async def _begin(self, claim: Claim) -> None:
        """Starts the run. A suspect has the process to itself (R7): whatever ran beside it would die with it."""
        flow = self._flows[claim.lane.flow]
        run = Run.of(claim, flow.lease_s)
        run.stopping = self._stopping.is_set()
        self._heartbeat.add(run)
        suspect = any(record.suspect for record in run.records)
        if suspect:
            await self._until_idle(asks=True)
        self._active[run.token] = _Active(run, asyncio.create_task(self._run(flow, run), name=f"run {run.token}"))
        if suspect:
            await self._until_idle()

    async def _until_idle(self, *, asks: bool = False) -> None:
        """Until nothing runs here, or `alone_s` has gone: a record that hangs must not stop everything else.

        `asks`: what is not done after a quarter of that is asked to hand back the rest (R14). A run that lasts for
        minutes, such as a part of a reconciliation, would be taken along by the suspect's death, alone as it runs.
        """
        wait_s = self._pace.alone_s
        if asks and self._active:
            wait_s = wait_s / 4
            await asyncio.wait([active.task for active in self._active.values()], timeout=wait_s)
            for active in self._active.values():
                active.run.stopping = True
            wait_s = self._pace.alone_s - wait_s
        if self._active:
            await asyncio.wait([active.task for active in self._active.values()], timeout=wait_s)

    async def _run(self, flow: Flow, run: Run) -> None:
        with structlog.contextvars.bound_contextvars(integration=run.integration, flow=run.flow, token=run.token):
            try:
                outcomes, defect = await self._outcomes(flow, run)
                await self._write(run, outcomes, defect)
            except DBAPIError as error:
                # Not an outage: our SQL is wrong, or the database is. Going on would run the records again and again.
                log.exception("run.not_written", keys=run.keys)
                if self._broken is not None and not self._broken.done():
                    self._broken.set_exception(error)
            finally:
                self._heartbeat.remove(run)
                del self._active[run.token]
                if run.lane not in self._ring and not self._stopping.is_set():
                    self._ring.append(run.lane)  # a hot record, marked while it ran, goes back to back
                self._wake.set()

    async def _outcomes(self, flow: Flow, run: Run) -> tuple[Mapping[str, Outcome], str | None]:
        """What the flow says, and the error of ours that ended it, if one did."""
        self.counters.runs += 1
        task = asyncio.ensure_future(flow.run(run))
        self._active[run.token].flow = task
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.cancelled():
            return {}, None  # taken over, or handed back
        error = task.exception()
        if isinstance(error, DBAPIError) and (is_outage(error) or is_contention(error)):
            # No defect of the records: they are handed back, or outages enough would park them.
            log.warning("flow.database_away", keys=run.keys, error=str(error).splitlines()[0])
            if is_outage(error):
                self._heartbeat.note_outage()
            await asyncio.sleep(self._pace.poll_s)
            return {}, None
        if isinstance(error, Fenced):
            return {}, None  # taken over, noticed by the flow before the heartbeat; nothing it writes would stand
        if error is not None:
            self.counters.defects += 1
            log.error("flow.defect", keys=run.keys, exc_info=error)
            return {}, f"{type(error).__name__}: {error}"
        outcomes = task.result()
        missing = [] if run.stopping else [key for key in run.keys if key not in outcomes]
        if missing:
            self.counters.defects += 1
            log.error("flow.no_outcome", keys=missing)
            return outcomes, f"the flow {run.flow} said nothing about this record"
        return outcomes, None

    async def _write(self, run: Run, outcomes: Mapping[str, Outcome], defect: str | None) -> None:
        """Writes every outcome, then ends the run; goes on trying through an outage while the run is its own."""
        pause_s = 0.1
        while run.alive:
            try:
                written = await write_outcomes(self._database, run, outcomes, defect=defect)
            except TROUBLE as error:
                if is_outage(error):
                    self._heartbeat.note_outage()
                elif not is_contention(error):
                    raise
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)
                continue
            self.counters.records += len(written)
            for key in written:
                name = type(outcomes.get(key, Again(0))).__name__
                self.counters.by_outcome[name] = self.counters.by_outcome.get(name, 0) + 1
            return
        log.warning("run.fenced", keys=run.keys)

    def _on_fenced(self, run: Run) -> None:
        """Taken over: nothing it writes will stand, so its flow is ended and its place freed."""
        self.counters.fenced += 1
        active = self._active.get(run.token)
        if active is not None:
            active.cancel_flow()

    # ------------------------------------------------------------- helpers

    async def _sweep_for_ever(self) -> None:
        """Takes over the runs of dead workers, and watches for a server that may have lost commits."""
        while True:
            try:
                changed = await gate.observe(self._database)
                if changed:
                    log.warning("send_gate.closed", why=changed)
                while self._heartbeat.may_sweep() and await self._sweep_one():
                    pass
            except TROUBLE as error:
                await self._database_away(error)
            await asyncio.sleep(self._pace.sweep_every_s)

    async def _sweep_one(self) -> bool:
        try:
            async with self._database.transaction() as connection:
                swept = await records.sweep(connection)
                if swept is not None:
                    await crash.point("sweep.commit.b", " ".join(swept.statuses))
        except DBAPIError as error:
            if is_contention(error):
                return False  # a record is locked by a long transaction: the whole sweep is tried again later
            raise
        if swept is None:
            return False
        await crash.point("sweep.commit.a", " ".join(swept.statuses))
        self.counters.swept += 1
        log.warning("run.taken_over", flow=swept.lane.flow, token=swept.token, records=len(swept.statuses))
        async with self._database.connect() as connection:
            await records.notify(connection, [swept.lane])
        self.wake()
        return True

    async def _listen_for_ever(self) -> None:
        """NOTIFY is a hint. When the line breaks, the poll finds everything and this connects again."""
        while True:
            try:
                async with self._database.listen(records.CHANNEL) as payloads:
                    self.wake()
                    async for payload in payloads:
                        _, _, flow = payload.partition(":")
                        if flow in self._flows:
                            self.wake()
            except (psycopg.Error, OSError) as error:
                log.info("listen.broken", error=str(error).splitlines()[0] if str(error) else type(error).__name__)
            await asyncio.sleep(self._pace.poll_s)

    async def _database_away(self, error: Exception) -> None:
        if not is_outage(error):
            raise error
        self._heartbeat.note_outage()
        await asyncio.sleep(min(self._pace.poll_s, 1.0))
