"""In-memory services of one process, and a raw TCP server that counts what it is sent."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ml_connector.connectors.base import Call, Priority, Quota, Services, Token
from ml_connector.connectors.errors import NotSent, Unauthorized


class MemoryTokens:
    """Keeps tokens for one process; counts fetches."""

    def __init__(self) -> None:
        self.kept: dict[str, Token] = {}
        self.fetches = 0

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, min_valid_s: float = 60) -> Token:
        if name not in self.kept:
            self.fetches += 1
            self.kept[name] = await fetch()
        return self.kept[name]

    async def drop(self, name: str, token: Token) -> None:
        if self.kept.get(name) == token:
            del self.kept[name]


@dataclass
class MemoryLease:
    """A session of `MemorySessions`."""

    pool: "MemorySessions"
    open: Callable[[], Awaitable[str]]
    value: str = ""
    unused_s: float = 0.0

    def check(self) -> None:
        if self.pool.lapsed:
            raise NotSent("the lease has lapsed, says the test")

    def keep(self, value: str) -> None:
        self.value = value

    async def renew(self) -> None:
        self.value = ""
        self.value = await self.pool.opened(self.open)


class MemorySessions:
    """Keeps sessions for one process; counts logins and the most that were in use at once. `lapsed`: set by a test
    that wants to see leases refused."""

    def __init__(self) -> None:
        self.free: list[str] = []
        self.logins = 0
        self.most = 0
        self.unused_s = 0.0
        self.lapsed = False
        self._used = 0
        self._turns: asyncio.Semaphore | None = None
        self._refused: Unauthorized | None = None

    async def opened(self, open: Callable[[], Awaitable[str]]) -> str:
        if self._refused is not None:
            raise self._refused
        self.logins += 1
        try:
            return await open()
        except Unauthorized as error:
            self._refused = error
            raise

    @asynccontextmanager
    async def lease(self, name: str, size: int, open: Callable[[], Awaitable[str]]) -> AsyncGenerator[MemoryLease]:
        self._turns = self._turns or asyncio.Semaphore(size)
        async with self._turns:
            self._used += 1
            self.most = max(self.most, self._used)
            lease = MemoryLease(self, open, unused_s=self.unused_s)
            try:
                lease.value = self.free.pop() if self.free else await self.opened(open)
                yield lease
            finally:
                self._used -= 1
                if lease.value:
                    self.free.append(lease.value)

    async def forgive(self, name: str) -> None:
        self._refused = None

    async def end(self, name: str, close: Callable[[str], Awaitable[None]]) -> None:
        while self.free:
            await close(self.free.pop())


class OpenLimiter:
    """Never waits; remembers what it was told."""

    def __init__(self) -> None:
        self.quotas: list[Quota | None] = []
        self.throttled: list[float | None] = []

    @asynccontextmanager
    async def slot(self, priority: Priority = "orders") -> AsyncGenerator[None]:
        yield

    async def observe(self, quota: Quota | None = None, *, throttled_for_s: float | None = None) -> None:
        self.quotas.append(quota)
        self.throttled.append(throttled_for_s)


class CountingBreaker:
    def __init__(self) -> None:
        self.successes = 0
        self.failures: list[Exception] = []

    async def success(self) -> None:
        self.successes += 1

    async def failure(self, error: Exception) -> None:
        self.failures.append(error)


class KeptCalls:
    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def call(self, call: Call) -> None:
        self.calls.append(call)


class LocalServices(Services):
    """Services of one process, with everything visible to a test."""

    def __init__(self, trace: Callable[[str], Awaitable[None]] | None = None) -> None:
        self.memory_tokens = MemoryTokens()
        self.memory_sessions = MemorySessions()
        self.open_limiter = OpenLimiter()
        self.counting_breaker = CountingBreaker()
        self.kept = KeptCalls()
        self.points: list[str] = []
        self._then = trace
        super().__init__(
            tokens=self.memory_tokens,
            sessions=self.memory_sessions,
            limiter=self.open_limiter,
            breaker=self.counting_breaker,
            calls=self.kept,
            trace=self._observe,
        )

    async def _observe(self, point: str) -> None:
        self.points.append(point)
        if self._then is not None:
            await self._then(point)


@dataclass
class TestPermit:
    """Granted unless told otherwise. `refuse_check_at`: the n-th check (1-based) refuses."""

    __test__ = False
    refuse_arm: bool = False
    refuse_check_at: int = 0
    on_arm: Callable[[], Awaitable[None]] | None = None
    arms: int = 0
    checks: int = 0

    async def arm(self) -> None:
        self.arms += 1
        if self.on_arm is not None:
            await self.on_arm()
        if self.refuse_arm:
            raise NotSent("refused by the test")

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.refuse_check_at:
            raise NotSent("too late, says the test")

    def again(self) -> "TestPermit":
        return self


@dataclass
class Heard:
    """One connection as the server saw it."""

    data: bytes = b""
    requests: int = 0
    ended: str = ""  # "eof" or "reset"
    closed: asyncio.Event = field(default_factory=asyncio.Event)


Answer = bytes | Callable[["Heard"], Awaitable[bytes | None]]


class RawServer:
    """Speaks just enough HTTP to read whole requests; answers what it is told, in order, the last one for ever.

    An answer of `b""` closes the connection without a word; None from a callable keeps it open, silent.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.connections: list[Heard] = []
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.port = 0

    @property
    def requests(self) -> int:
        return len(self.heads)

    @property
    def bytes_received(self) -> int:
        return sum(len(heard.data) for heard in self.connections)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = Heard()
        self.connections.append(heard)
        try:
            while await self._one(heard, reader, writer):
                pass
            heard.ended = heard.ended or "eof"
        except (ConnectionResetError, BrokenPipeError):
            heard.ended = "reset"
        finally:
            heard.closed.set()
            writer.close()

    async def _one(self, heard: Heard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = await reader.read(65536)
            if not piece:
                return False
            heard.data += piece
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            piece = await reader.read(65536)
            if not piece:
                return False
            heard.data += piece
            body += piece
        heard.requests += 1
        self.heads.append(head)
        self.bodies.append(body)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        said = answer if isinstance(answer, bytes) else await answer(heard)
        if said is None:
            await reader.read(65536)  # until the other side ends it
            return False
        if not said:
            return False
        writer.write(said)
        await writer.drain()
        return b"connection: close" not in said.lower()


@asynccontextmanager
async def raw_server(*answers: Answer) -> AsyncIterator[RawServer]:
    served = RawServer(*answers)
    server = await asyncio.start_server(served._serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(heard.closed.wait() for heard in served.connections)), 5)


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
