"""What a connector shares with other processes: protocols that `engine/` implements on PostgreSQL."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that opens a session. `expires_at` in UTC."""

    value: str
    expires_at: datetime


class TokenStore(Protocol):
    """Tokens fetched once and shared by all processes, encrypted at rest."""

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, min_valid_s: float = 60) -> Token:
        """The stored token if it is valid for `min_valid_s` more, else the result of one `fetch` for all processes."""
        ...

    async def drop(self, name: str, token: Token) -> None:
        """Forget `token` if it is still the stored one (another process may have renewed it)."""
        ...


class LeasedSession(Protocol):
    """A session of another system that is this caller's alone until the lease ends.

    `value` is whatever the connector keeps of a session, as text, and secret. `unused_s`: seconds since its last lease
    ended; 0 for one that was opened in this lease.
    """

    @property
    def value(self) -> str: ...

    @property
    def unused_s(self) -> float: ...

    def check(self) -> None:
        """Raises `NotSent` once another process may have the session (this one stood still). Called right before bytes
        of a call leave."""
        ...

    def keep(self, value: str) -> None:
        """The session goes on under this value: the other side has moved it."""
        ...

    async def renew(self) -> None:
        """The session is dead: another one is opened in its place. Raises what `open` raises."""
        ...


class SessionPool(Protocol):
    """Sessions of a system that allows few of them and one call at a time in each: leased across all processes,
    encrypted at rest. A process that dies gives its session back when the lease lapses."""

    def lease(
        self, name: str, size: int, open: Callable[[], Awaitable[str]]
    ) -> AbstractAsyncContextManager[LeasedSession]:
        """One of at most `size` sessions, opened by `open` where there is none yet; one process opens at a time.

        Raises `Throttled` when none becomes free for long, what `open` raises, and, for some minutes after `open`
        raised `Unauthorized` in any process, the same again without asking: wrong passwords lock a user.
        """
        ...

    async def forgive(self, name: str) -> None:
        """Forgets that a login was refused: a person asks again."""
        ...

    async def end(self, name: str, close: Callable[[str], Awaitable[None]]) -> None:
        """Ends by `close` the sessions that this process has opened and that nobody uses just now."""
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """What a system said about its own limits: requests left of `limit` until `reset_s` seconds from now."""

    limit: int
    left: int
    reset_s: float


Priority = Literal["orders", "catalogue", "background"]

_background: ContextVar[bool] = ContextVar("background", default=False)


@contextmanager
def in_background() -> Generator[None]:
    """Every call that is made within goes after orders and catalogue, whatever priority its caller asks for."""
    before = _background.set(True)
    try:
        yield
    finally:
        _background.reset(before)


def effective(priority: Priority) -> Priority:
    """The priority of a call that is made here and now."""
    return "background" if _background.get() else priority


class Limiter(Protocol):
    """Concurrency and pace of one connection, held across processes."""

    def slot(self, priority: Priority = "orders") -> AbstractAsyncContextManager[None]:
        """Waits until a call may start; holds one of the connection's places until left."""
        ...

    async def observe(self, quota: Quota | None = None, *, throttled_for_s: float | None = None) -> None:
        """Feeds the pace: the quota of an answer, or that the system asked to wait."""
        ...


class Breaker(Protocol):
    """One circuit breaker per connection, seen by everyone."""

    async def success(self) -> None: ...

    async def failure(self, error: Exception) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request to another system, as the audit keeps it (headers and bodies redacted by the caller of the sink).

    `status` None: no answer was read. `sent` False: no byte of the request has left.
    """

    method: str
    url: str
    status: int | None
    duration_s: float
    request_id: str = ""
    error: str = ""
    request_body: str = ""
    response_body: str = ""
    references: tuple[str, ...] = ()
    sent: bool = True


class CallSink(Protocol):
    """Where every call is written down, with the correlation ID of the run that made it."""

    async def call(self, call: Call) -> None:
        """Has `call` before it waits for anything: its caller may be about to be cancelled."""
        ...


async def _no_trace(point: str) -> None:
    """Nothing observes."""


Trace = Callable[[str], Awaitable[None]]
"""Called at the named points of a write: `send.connected`, `send.half_body`, `send.body_out`, `answer.read`, `login.a`,
`session.store.b`. Tests kill the process there."""


class Services:
    """What a connector shares with other processes. One per connection."""

    def __init__(
        self,
        *,
        tokens: TokenStore,
        sessions: SessionPool,
        limiter: Limiter,
        breaker: Breaker,
        calls: CallSink,
        trace: Trace = _no_trace,
    ) -> None:
        self.tokens = tokens
        self.sessions = sessions
        self.limiter = limiter
        self.breaker = breaker
        self.calls = calls
        self.trace = trace
