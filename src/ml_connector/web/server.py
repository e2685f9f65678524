"""Serves the application until it is asked to stop: requests under way are answered, what waits is stored."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE_S = 20
QUIET_S = 30.0
"""How long a connection may be open without a whole request: after that long, whoever waits on the line has nothing to
say, or says it so slowly that others find no place."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. With a certificate it speaks TLS itself; otherwise a reverse proxy does."""

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None


class _Protocol(H11Protocol):
    """The server's own time-out begins with the first answer and ends with any byte, so that a thousand silent lines,
    or slow ones, would keep webhooks out. This one begins with the line, and with every answer."""

    quiet_s = QUIET_S
    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._rest()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._answering:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]

    def _watch(self) -> None:
        self._rest()
        self._until = self.loop.call_later(self.quiet_s, self.transport.close)

    def _rest(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn's own handling would end the process before the database is let go."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def server_of(app: FastAPI, listen: Listen, *, quiet_s: float = QUIET_S) -> uvicorn.Server:
    """A server that trusts no header about its peer and says nothing about itself."""
    protocol = type("Protocol", (_Protocol,), {"quiet_s": quiet_s})
    return _Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            host=listen.host,
            port=listen.port,
            ssl_certfile=listen.certificate,
            ssl_keyfile=listen.key,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=1000,
            timeout_keep_alive=30,
        )
    )


async def serve(app: FastAPI, listen: Listen) -> bool:
    """Serves until SIGTERM or SIGINT. False when it could not start (the port is taken: the log says so)."""
    server = server_of(app, listen)

    def stop() -> None:
        for end in getattr(app.state, "ends", ()):  # what would answer for ever
            end()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await server.serve()
    except SystemExit:  # its way to say that it could not listen
        return False
    return server.started
