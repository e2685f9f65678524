"""One write on its way: when the permit is asked, what may have left, and how the connection is ended."""

import asyncio
import contextlib
import contextvars
import socket
import struct
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass
from typing import Any

from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.connector import Connection

from ml_connector.connectors.base import Permit, Services
from ml_connector.connectors.errors import NotSent

_write_attempt: contextvars.ContextVar["WriteAttempt"] = contextvars.ContextVar("write_attempt")


@dataclass(slots=True)
class WriteAttempt:
    """What is known of one write on its way. The connection stands: `connected`; a byte may have left: `written`."""

    permit: Permit
    services: Services
    write_s: float
    deadline: asyncio.Timeout | None = None
    requested: bool = False
    connected: bool = False
    written: bool = False
    refusal: BaseException | None = None
    transport: asyncio.Transport | None = None

    @contextlib.contextmanager
    def under_way(self) -> Generator[None]:
        """Requests that this task makes within the block belong to this attempt: one, the first."""
        token = _write_attempt.set(self)
        try:
            yield
        finally:
            _write_attempt.reset(token)

    async def ask(self, conn: Connection) -> None:
        """Arms the permit; the connect deadline no longer counts, and T does from here on."""
        self.connected = True
        transport = conn.transport
        assert isinstance(transport, asyncio.Transport)
        assert self.deadline is not None
        self.transport = transport
        _tune(transport, self.write_s)
        self.deadline.reschedule(None)
        try:
            await self.permit.arm()
            await self.services.trace("send.connected")
        except BaseException as error:
            self.refusal = error
            raise
        if transport.is_closing():
            raise NotSent("the other side closed the connection while the permit was asked for")
        self.deadline.reschedule(asyncio.get_running_loop().time() + self.write_s)

    def check(self) -> None:
        try:
            self.permit.check()
        except BaseException as error:
            self.refusal = error
            raise

    async def pieces(self, body: bytes) -> AsyncIterator[bytes]:
        """The body in two pieces; the permit is checked right before each is written."""
        middle = (len(body) + 1) // 2
        self.check()
        self.written = True
        yield body[:middle]
        await self.services.trace("send.half_body")
        self.check()
        yield body[middle:]
        await self.services.trace("send.body_out")

    def kill(self) -> None:
        """Ends the connection at once with a reset: nothing that is still buffered may leave later."""
        if self.transport is None:
            return
        with contextlib.suppress(OSError, AttributeError):  # already closed
            sock: socket.socket = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class PermittedRequest(ClientRequest):
    """Asks the permit of its attempt when the connection stands and nothing has been written to it.

    aiohttp repeats PUT and DELETE once when the connection drops, even a fresh one, by building a second request: that
    second request is refused.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._attempt = _write_attempt.get()
        if self._attempt.requested:
            raise NotSent("the connection dropped; a write is not repeated")
        self._attempt.requested = True
        super().__init__(*args, **kwargs)

    async def send(self, conn: Connection) -> ClientResponse:
        attempt = self._attempt
        await attempt.ask(conn)
        if self._body is None:  # with a body, headers leave together with its first piece
            attempt.check()
            attempt.written = True
            response = await super().send(conn)
            await attempt.services.trace("send.body_out")
            return response
        return await super().send(conn)


def _tune(transport: asyncio.Transport, write_s: float) -> None:
    """The kernel gives up when we do (TCP_USER_TIMEOUT, also for a stopped process), and sends at once."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(write_s * 1000))
