"""What connectors share with other processes, put together: `Shared` once per process, `Services` per connection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ml_connector.connectors.base import Call, Services, Trace
from ml_connector.connectors.systems import UnknownSystem, find_system
from ml_connector.engine import crash, tracing
from ml_connector.engine.audit import Audit
from ml_connector.engine.breaker import Breakers, Side, both_sides
from ml_connector.engine.database import Database
from ml_connector.engine.limiter import PostgresLimiter
from ml_connector.engine.metrics import Metrics
from ml_connector.engine.metrics import metrics as process_metrics
from ml_connector.engine.sessions import PostgresSessions
from ml_connector.engine.tokens import PostgresTokens
from ml_connector.engine.vault import Vault

CONCURRENCY = 4
"""Calls at once on a connection that says nothing else."""


class Known(Protocol):
    """What is needed of a connection (`registry.Connection` is one)."""

    @property
    def id(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def system(self) -> str: ...

    @property
    def concurrency(self) -> int | None: ...


class Limits(Protocol):
    """What a system declares of itself (`System` is one)."""

    @property
    def concurrency(self) -> int | None: ...

    @property
    def calls_per_minute(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class _Unlimited:
    concurrency: int | None = None
    calls_per_minute: int | None = None


def limits_of(system: str) -> Limits:
    """As the system declares them."""
    try:
        return find_system(system)
    except UnknownSystem:
        return _Unlimited()


async def _crash_points(point: str) -> None:
    await crash.point(point)


class _Calls:
    """The `CallSink` of one connection: audit and metrics."""

    def __init__(self, audit: Audit, metrics: Metrics, connection: Known) -> None:
        self._audit = audit
        self._metrics = metrics
        self._connection = connection

    async def call(self, call: Call) -> None:
        self._metrics.call(self._connection.system, self._connection.name, call)
        failed = call.status is None or call.status >= 400
        tracing.past(
            f"{call.method} {self._connection.system}", call.duration_s, failed=failed,
            connection=self._connection.name, status=call.status or 0, references=" ".join(call.references),
            request_id=call.request_id,
        )  # fmt: skip
        await self._audit.call(self._connection.id, self._connection.system, call)


class Shared:
    """The services of one process. `close` at its end writes the last audit entries and gives leases back.

    `sides`: which connections a flow needs, for `breakers.may_claim`, which is the worker's lane gate. `limits`: by the
    name of a system, what it takes.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        *,
        audit: Audit | None = None,
        metrics: Metrics | None = None,
        sides: Callable[[str], frozenset[Side]] = both_sides,
        limits: Callable[[str], Limits] = limits_of,
    ) -> None:
        self.db = db
        self.vault = vault
        self.audit = audit or Audit(db, secrets=vault.secrets)
        self.metrics = metrics or process_metrics
        self.breakers = Breakers(db, sides=sides)
        self._limits_of = limits
        self._limiters: dict[int, PostgresLimiter] = {}
        self._tokens: dict[int, PostgresTokens] = {}
        self._sessions: dict[int, PostgresSessions] = {}

    def services_for(self, connection: Known, *, trace: Trace = _crash_points) -> Services:
        """The services of a connection; asked again (its settings changed), the same limiter, tokens and sessions."""
        limits = self._limits_of(connection.system)
        places = connection.concurrency or limits.concurrency or CONCURRENCY
        limiter = self._limiters.get(connection.id)
        if limiter is None:
            limiter = self._limiters[connection.id] = PostgresLimiter(self.db, connection.id, places)
        limiter.places = places
        limiter.pace.per_minute = limits.calls_per_minute
        tokens = self._tokens.get(connection.id)
        if tokens is None:
            tokens = self._tokens[connection.id] = PostgresTokens(self.db, self.vault, connection.id, trace=trace)
        sessions = self._sessions.get(connection.id)
        if sessions is None:
            sessions = PostgresSessions(self.db, self.vault, connection.id, trace=trace)
            self._sessions[connection.id] = sessions
        return Services(
            tokens=tokens,
            sessions=sessions,
            limiter=limiter,
            breaker=self.breakers.of(connection.id),
            calls=_Calls(self.audit, self.metrics, connection),
            trace=trace,
        )

    async def close(self) -> None:
        """Raises what `Audit.flush` raises."""
        for limiter in self._limiters.values():
            await limiter.close()
        await self.audit.close()


async def services_for(db: Database, vault: Vault, connection: Known) -> Services:
    """The services of one connection, for a command that uses one; a process that uses several has a `Shared`."""
    return Shared(db, vault).services_for(connection)
