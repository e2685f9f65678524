"""Circuit breakers: one per connection, in the database, seen by every process.

Closed: calls go. After some failures in a row it opens: the lanes of the connection are skipped at claim, with no
write per record. After a pause (growing, with jitter) one process may send one run as a probe; the first success
closes the breaker and raises the connection's epoch, a failure of the probe opens it for a longer pause.

The state is kept in memory and read again once a second, so that neither a claim nor a successful call costs a look at
the database while all is well. A breaker is advice: when the database is away it neither holds up nor fails a call.
"""

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.errors import ConnectorError, Transient, Uncertain, Unreachable
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.masking import known_secrets
from ml_connector.engine.records import Lane

log = structlog.get_logger()

Side = Literal["store", "erp"]


@dataclass(frozen=True, slots=True)
class Rules:
    """`failures` in a row open it. Pauses in seconds: the first, the longest; each is doubled, plus or minus a quarter.
    `probe_s`: a probe that has brought no call by then is given to somebody else."""

    failures: int = 10
    pause_s: float = 5.0
    pause_max_s: float = 300.0
    probe_s: float = 60.0
    refresh_s: float = 1.0

    def pause(self, pauses: int) -> float:
        """How long the next pause is after `pauses` without a success."""
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing
        return min(self.pause_max_s, self.pause_s * 2 ** min(pauses, 16)) * jitter


@dataclass(frozen=True, slots=True)
class State:
    """A breaker as last read. `retry_in_s`: a probe may go then (open), or the present probe counts as lost then.
    `since`: when it opened; probes that failed since do not count."""

    connection: int
    state: Literal["closed", "open", "half_open"]
    failures: int
    retry_in_s: float
    error: str = ""
    since: datetime | None = None

    @property
    def spotless(self) -> bool:
        return self.state == "closed" and self.failures == 0


_COLUMNS = """
connection, state, failures, pauses, prober, error, opened_at,
extract(epoch FROM coalesce(CASE state WHEN 'half_open' THEN probe_until ELSE retry_at END, statement_timestamp())
        - statement_timestamp())::float8 AS retry_in_s
"""

ALL = text(f"SELECT {_COLUMNS} FROM breakers")  # noqa: S608 - our own columns

BLOCKED = text(
    """
    SELECT i.integration, i.store, i.erp FROM integrations i
     WHERE EXISTS (SELECT FROM breakers b WHERE b.connection IN (i.store, i.erp) AND b.state <> 'closed')
    """
)

MAKE = text("INSERT INTO breakers (connection) VALUES (:connection) ON CONFLICT DO NOTHING")

LOCK = text(f"SELECT {_COLUMNS} FROM breakers WHERE connection = :connection FOR UPDATE")  # noqa: S608 - our own columns

COUNT = text("UPDATE breakers SET failures = failures + 1, error = :error WHERE connection = :connection")

OPEN = text(
    """
    UPDATE breakers SET state = 'open', failures = failures + 1, pauses = pauses + 1, error = :error, prober = NULL,
           probe_until = NULL, retry_at = statement_timestamp() + :pause_s * interval '1 second',
           changed_at = statement_timestamp(), opened_at = coalesce(opened_at, statement_timestamp())
     WHERE connection = :connection
    """
)
"""A probe that fails opens it again: it has been open since the first time."""

CLOSE = text(
    """
    UPDATE breakers SET state = 'closed', failures = 0, pauses = 0, retry_at = NULL, prober = NULL, probe_until = NULL,
           error = NULL, opened_at = NULL,
           changed_at = CASE state WHEN 'closed' THEN changed_at ELSE statement_timestamp() END
     WHERE connection = :connection
    """
)

RAISE_EPOCH = text("UPDATE connections SET epoch = epoch + 1 WHERE connection = :connection")
"""What was held because the connection was down may have been decided on that: nothing may be held on it now (R5)."""

PROBE = text(
    """
    UPDATE breakers SET state = 'half_open', prober = :prober,
           probe_until = statement_timestamp() + :probe_s * interval '1 second', changed_at = statement_timestamp()
     WHERE connection = :connection
       AND (state = 'open' AND retry_at <= statement_timestamp()
            OR state = 'half_open' AND probe_until < statement_timestamp())
    """
)
"""One probe at a time, whoever asks first."""


def counts(error: Exception) -> bool:
    """Whether a failure says that the system is down; a refusal, a throttle or a lack of rights does not."""
    if isinstance(error, Unreachable | Transient | Uncertain | TimeoutError):
        return True
    return isinstance(error, ConnectorError) and (error.status or 0) >= 500


def both_sides(flow: str) -> frozenset[Side]:
    """A flow that says nothing else needs the store and the ERP."""
    return frozenset(("store", "erp"))


class Breakers:
    """All breakers as one process sees them. `sides`: which connections a flow needs."""

    def __init__(
        self, db: Database, *, rules: Rules | None = None, sides: Callable[[str], frozenset[Side]] = both_sides
    ) -> None:
        self._db = db
        self._sides = sides
        self.rules = rules or Rules()
        self.process = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._states: dict[int, State] = {}
        self._blocked: dict[int, dict[Side, int | None]] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    def of(self, connection: int) -> "PostgresBreaker":
        """The `Breaker` of one connection."""
        return PostgresBreaker(self, connection)

    # ------------------------------------------------------------------ for the worker

    async def may_claim(self, lane: Lane) -> bool:
        """Whether the lane may be claimed now. True with an open breaker means: this claim is its probe."""
        await self._refresh()
        sides = self._blocked.get(lane.integration)
        if sides is None:
            return True
        needed = {sides[side] for side in self._sides(lane.flow)}
        down = [state for state in self._states.values() if state.connection in needed and state.state != "closed"]
        waited_s = time.monotonic() - self._read_at
        if any(state.retry_in_s > waited_s for state in down):
            return False
        for state in sorted(down, key=lambda state: state.connection):
            if not await self._probe(state.connection):
                return False
        return True

    async def closed_lanes(self, lanes: Iterable[Lane]) -> list[Lane]:
        """Those of `lanes` that `may_claim` would let pass, in order."""
        return [lane for lane in lanes if await self.may_claim(lane)]

    def probing(self, connection: int) -> bool:
        """Whether a call on the connection is a probe, as far as this process has read."""
        known = self._states.get(connection)
        return known is not None and known.state == "half_open"

    async def states(self) -> Mapping[int, State]:
        """Every connection that has failed at least once, as it is now."""
        await self._read()
        return dict(self._states)

    # ------------------------------------------------------------------ for the calls

    async def success(self, connection: int) -> None:
        """The system answered. Costs nothing while its breaker is closed and no failure is counted."""
        try:
            await self._refresh()
            known = self._states.get(connection)
            if known is not None and not known.spotless:
                await self._close(connection)
        except (SQLAlchemyError, OSError) as error:
            log.warning("breaker.not_written", connection=connection, error=type(error).__name__)

    async def failure(self, connection: int, error: Exception) -> None:
        """A call failed; counted if `counts` says so."""
        if not counts(error):
            return
        try:
            await self._count(connection, known_secrets.mask(str(error)))
        except (SQLAlchemyError, OSError) as trouble:
            log.warning("breaker.not_written", connection=connection, error=type(trouble).__name__)

    # ------------------------------------------------------------------ parts

    async def _close(self, connection: int) -> None:
        async with self._db.transaction() as sql:
            row = (await sql.execute(LOCK, {"connection": connection})).one_or_none()
            if row is None:
                return
            await sql.execute(CLOSE, {"connection": connection})
            if row.state != "closed":
                await sql.execute(RAISE_EPOCH, {"connection": connection})
                await _tell(sql, connection, {"state": "closed", "was": row.state})
        self._states[connection] = State(connection, "closed", 0, 0.0)
        self._expire()

    async def _count(self, connection: int, error: str) -> None:
        async with self._db.transaction() as sql:
            await sql.execute(MAKE, {"connection": connection})
            row = (await sql.execute(LOCK, {"connection": connection})).one()
            full = row.state == "closed" and row.failures + 1 >= self.rules.failures
            probe_failed = row.state == "half_open" and row.prober == self.process
            if full or probe_failed:
                pause_s = self.rules.pause(row.pauses)
                await sql.execute(OPEN, {"connection": connection, "error": error, "pause_s": pause_s})
                facts = {"state": "open", "was": row.state, "failures": row.failures + 1, "error": error}
                await _tell(sql, connection, {**facts, "pause_s": round(pause_s, 1)})
            else:
                # An open breaker is not kept open by calls that began before it opened.
                await sql.execute(COUNT, {"connection": connection, "error": error})
        self._states[connection] = State(connection, row.state, row.failures + 1, row.retry_in_s, error)
        if full or probe_failed:
            self._expire()

    async def _probe(self, connection: int) -> bool:
        async with self._db.transaction() as sql:
            taken = await sql.execute(
                PROBE, {"connection": connection, "prober": self.process, "probe_s": self.rules.probe_s}
            )
            if taken.rowcount == 1:
                await _tell(sql, connection, {"state": "half_open"})
        self._expire()
        return taken.rowcount == 1

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_at < self.rules.refresh_s:
            return
        async with self._reading:
            if time.monotonic() - self._read_at >= self.rules.refresh_s:
                await self._read()

    async def _read(self) -> None:
        async with self._db.connect() as sql:
            states = await all_states(sql)
            blocked: list[Any] = []
            if any(each.state != "closed" for each in states.values()):
                blocked = list((await sql.execute(BLOCKED)).all())
        self._states = dict(states)
        self._blocked = {row.integration: {"store": row.store, "erp": row.erp} for row in blocked}
        self._read_at = time.monotonic()

    def _expire(self) -> None:
        """What is in memory is known to be old."""
        self._read_at = float("-inf")


async def all_states(sql: AsyncConnection) -> Mapping[int, State]:
    """Every connection that has failed at least once, for who only looks."""
    return {
        row.connection: State(row.connection, row.state, row.failures, row.retry_in_s, row.error or "", row.opened_at)
        for row in await sql.execute(ALL)
    }


class PostgresBreaker:
    """The `Breaker` of one connection."""

    def __init__(self, breakers: Breakers, connection: int) -> None:
        self._breakers = breakers
        self._connection = connection

    async def success(self) -> None:
        await self._breakers.success(self._connection)

    async def failure(self, error: Exception) -> None:
        await self._breakers.failure(self._connection, error)


async def _tell(sql: AsyncConnection, connection: int, facts: Mapping[str, Any]) -> None:
    await append(sql, [entry("breaker", connection=connection, data=facts)])
