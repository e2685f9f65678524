"""A run: a claimed batch, its lease, and what it may say about each record in the end.

The lease belongs to the run. `Heartbeat` renews all runs of a process; a run whose token does not come back was taken
over and is told so (`alive`). It also knows when this process may sweep the runs of others (R8).
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import text

from ml_connector.engine import crash
from ml_connector.engine.database import TROUBLE, AsyncConnection, Database, is_outage
from ml_connector.engine.postings import Fence
from ml_connector.engine.records import Claim, Claimed, Lane, Status

log = structlog.get_logger()

RUN_LIMIT_S = 900.0
"""A run that takes longer is no longer renewed: a hung record is then swept like a dead one (R9)."""

LEASE_S = 30.0

# A lapsed lease that nobody swept is still good (R2): renewing compares no time.
_RENEW = text("""
UPDATE runs SET lease_until = statement_timestamp() + :lease_s * interval '1 second'
 WHERE integration = :integration AND token = ANY(CAST(:tokens AS bigint[])) RETURNING token
""")

_STILL_THERE = text("""
SELECT token FROM runs WHERE integration = :integration AND token = ANY(CAST(:tokens AS bigint[]))
""")

_FENCE = text("SELECT 1 FROM runs WHERE integration = :integration AND token = :token FOR KEY SHARE")


class Fenced(Exception):
    """This run was taken over; what it still wanted to write belongs to another run."""


@dataclass(slots=True)
class Run:
    """What a flow gets: keys and nothing of the event that marked them. The token goes into every write.

    `epoch`: read mappings and policies at this epoch or later (R5). `alive` turns false when the run was taken over,
    `stopping` when the worker is asked to end: finish the document at hand, then answer `Again(0)` for the rest (R14).
    """

    lane: Lane
    token: int
    epoch: int
    lease_s: float
    records: tuple[Claimed, ...]
    started: float = field(default_factory=time.monotonic)
    alive: bool = True
    stopping: bool = False

    @classmethod
    def of(cls, claim: Claim, lease_s: float) -> "Run":
        return cls(claim.lane, claim.token, claim.epoch, lease_s, claim.records)

    @property
    def integration(self) -> int:
        return self.lane.integration

    @property
    def flow(self) -> str:
        return self.lane.flow

    @property
    def keys(self) -> list[str]:
        return [record.key for record in self.records]

    @property
    def fence(self) -> Fence:
        return Fence(self.integration, self.token)


async def fence(connection: AsyncConnection, fence: Fence) -> None:
    """Locks the run's row in this transaction, for a write of the run beside its postings (watermarks, facts).

    The lock excludes the sweep and passes renewals and marks (R3). Raises `Fenced`.
    """
    parameters = {"integration": fence.integration, "token": fence.token}
    if (await connection.execute(_FENCE, parameters)).first() is None:
        raise Fenced(f"run {fence.token} was taken over")


# ------------------------------------------------------------------ what a run says about a record


@dataclass(frozen=True, slots=True)
class Done:
    """Everything that the record asks for is true. `stamp`: the source's own stamp of the snapshot (R6).

    `next_at` or `next_in_s`: the next time of a scheduled record. `status` EXCLUDED: left out, for `reason`.
    """

    stamp: datetime | None = None
    next_at: datetime | None = None
    next_in_s: float | None = None
    status: Status = Status.SYNCED
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Not finished: run again after `after_s` seconds. `waits_for`: a reference in flight that wakes it earlier."""

    after_s: float
    waits_for: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits for a named condition. `wakes`: new source data may end it too. `resolve_at`: look at it then anyway.

    `connection` and `connection_epoch`: for a condition of a connection, with its epoch as read before deciding.
    """

    kind: str
    key: str
    message: str
    wakes: bool = True
    resolve_at: datetime | None = None
    connection: int | None = None
    connection_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Back-off from `floor_s`, doubling, with jitter. `wakes`: new data can help. `counts` false: throttled."""

    error: str
    wakes: bool = False
    floor_s: float = 5.0
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Dead:
    """Parked until a person replays it: only for what no run can ever do."""

    error: str


Outcome = Done | Again | Hold | Fail | Dead


class Flow(Protocol):
    """One kind of work. Gets keys, reads the whole current state, makes the difference true, says what became of it."""

    @property
    def name(self) -> str: ...

    @property
    def batch(self) -> int:
        """Records claimed together, at most."""
        ...

    @property
    def lease_s(self) -> float:
        """How long the run outlives its worker's last sign of life."""
        ...

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        """An outcome for each of `run.keys`. An exception is a defect of ours; errors of systems are outcomes."""
        ...


# ------------------------------------------------------------------ leases


class Heartbeat:
    """Renews the runs of this process every third of their lease, and tells when sweeping is allowed."""

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float = LEASE_S,
        run_limit_s: float = RUN_LIMIT_S,
        fenced: Callable[[Run], None] = lambda run: None,
    ) -> None:
        self._database = database
        self._lease_s = lease_s
        self._run_limit_s = run_limit_s
        self._fenced = fenced
        self._runs: dict[int, Run] = {}
        self._over_limit: set[int] = set()
        self._changed = asyncio.Event()
        self._away = False
        # R8: at its start a process cannot know for how long the database was away.
        self._sweep_from = time.monotonic() + lease_s
        self._last_beat = time.monotonic()

    def add(self, run: Run) -> None:
        self._runs[run.token] = run
        self._changed.set()

    def remove(self, run: Run) -> None:
        self._runs.pop(run.token, None)
        self._over_limit.discard(run.token)

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(self._runs.values())

    def note_outage(self) -> None:
        """The database did not answer: after it is back, renew first, and sweep only after one full lease (R8)."""
        self._away = True
        self._changed.set()

    def may_sweep(self) -> bool:
        """Every lease lapses in an outage although the workers live; the first one back must not take them all."""
        return not self._away and time.monotonic() >= self._sweep_from

    async def beat_for_ever(self) -> None:
        tried = time.monotonic()
        while True:
            shortest_s = min((run.lease_s for run in self._runs.values()), default=self._lease_s)
            pause_s = min(1.0, shortest_s / 3) if self._away else shortest_s / 3
            self._changed.clear()
            try:
                async with asyncio.timeout(max(0.0, tried + pause_s - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                tried = time.monotonic()
                await self.beat()

    async def beat(self) -> None:
        """Renews every run once. After an outage or a pause of this process, the time of sweeping is put off."""
        paused_s = time.monotonic() - self._last_beat
        try:
            await crash.point("renew.b", " ".join(sorted({run.flow for run in self._runs.values()})))
            if self._runs:
                await self._renew()
            elif self._away:
                async with self._database.connect() as connection:
                    await connection.execute(text("SELECT 1"))
        except TROUBLE as error:
            if not is_outage(error):
                raise
            if not self._away:
                log.warning("database.away", error=str(error).splitlines()[0])
            self._away = True
            return
        if self._away:
            log.info("database.back", sweeps_in_s=self._lease_s)
        if self._away or paused_s > self._lease_s:
            self._sweep_from = time.monotonic() + self._lease_s
        self._away = False
        self._last_beat = time.monotonic()

    async def _renew(self) -> None:
        """Runs over the limit are only looked for: once swept, their flow is ended and its place freed (R9)."""
        groups: dict[tuple[int, float, bool], list[Run]] = {}
        for run in self._runs.values():
            over = time.monotonic() - run.started >= self._run_limit_s
            groups.setdefault((run.integration, run.lease_s, over), []).append(run)
            if over and run.token not in self._over_limit:
                self._over_limit.add(run.token)
                log.warning("run.over_limit", flow=run.flow, token=run.token, limit_s=self._run_limit_s)
        async with self._database.connect() as connection:
            for (integration, lease_s, over), runs in groups.items():
                parameters = {"integration": integration, "lease_s": lease_s, "tokens": [run.token for run in runs]}
                statement = _STILL_THERE if over else _RENEW
                there = set((await connection.execute(statement, parameters)).scalars())
                for run in runs:
                    if run.token not in there and run.token in self._runs and run.alive:
                        run.alive = False
                        self._fenced(run)
