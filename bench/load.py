"""Requests over kept connections, as fast as they are answered or at moments of their own: little more than sockets, so
that the server is measured and not the client."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Load:
    """`latencies_s`: one per request, from its first byte out to the last byte of its answer."""

    seconds: float
    latencies_s: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies_s) / self.seconds


class _Client(asyncio.Protocol):
    """One connection: the next request leaves when the answer to the one before is complete."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._done = done
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def start(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(END)
        if not end:
            return
        length = _length_of(head)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        if head[9:12] != b"200":
            self._fail(f"answered {head[:40]!r}")
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self.start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the server closed the connection ({exc})")

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))


def _length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(LENGTH):
            return int(line[len(LENGTH) :])
    return 0


async def send_all(port: int, requests: Sequence[bytes], *, connections: int) -> Load:
    """Sends all `requests` (complete HTTP/1.1 messages). Raises `RuntimeError` on any answer but 200."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    shared = iter(requests)
    clients: list[_Client] = []
    ends: list[asyncio.Future[None]] = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(lambda done=done: _Client(shared, latencies, done), "127.0.0.1", port)
        clients.append(client)
        ends.append(done)
    started = time.perf_counter()
    for client in clients:
        client.start()
    await asyncio.gather(*ends)
    return Load(time.perf_counter() - started, latencies)


class _Post(asyncio.Protocol):
    """One connection of open arrivals: one request at a time, then it is free for another."""

    def __init__(self, free: Callable[["_Post"], None]) -> None:
        self._free = free
        self._buffer = b""
        self._due_at = 0.0
        self._latencies: list[float] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes, due_at: float, latencies: list[float]) -> None:
        assert self.transport is not None
        self._due_at, self._latencies = due_at, latencies
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(END)
        if not end or len(rest) < (length := _length_of(head)):
            return
        self._buffer = rest[length:]
        if head[9:12] == b"200":
            self._latencies.append(time.perf_counter() - self._due_at)
        self._free(self)


async def send_at(port: int, requests: Sequence[bytes], due_s: Sequence[float], *, connections: int) -> Load:
    """Sends each request at its moment (seconds from the start, rising), whether earlier ones are answered or not.

    A latency counts from that moment, also where all connections were busy then. Anything but 200 has no latency.
    Raises `TimeoutError` when answers are missing five minutes after the last moment.
    """
    loop = asyncio.get_running_loop()
    idle: deque[_Post] = deque()
    waiting: deque[tuple[bytes, float]] = deque()
    latencies: list[float] = []
    answered = 0
    all_answered = asyncio.Event()

    def free(post: _Post) -> None:
        nonlocal answered
        answered += 1
        if answered == len(requests):
            all_answered.set()
        if waiting:
            post.send(*waiting.popleft(), latencies)
        else:
            idle.append(post)

    for _ in range(connections):
        _, post = await loop.create_connection(lambda: _Post(free), "127.0.0.1", port)
        idle.append(post)
    posts = list(idle)
    started = time.perf_counter()
    for request, due in zip(requests, due_s, strict=True):
        due_at = started + due
        if (early := due_at - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        if idle:
            idle.popleft().send(request, due_at, latencies)
        else:
            waiting.append((request, due_at))
    async with asyncio.timeout(300):
        await all_answered.wait()
    seconds = time.perf_counter() - started
    for post in posts:
        if post.transport is not None:
            post.transport.close()
    return Load(seconds, latencies)
