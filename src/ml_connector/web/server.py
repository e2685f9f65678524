"""Serves the application until it is asked to stop: requests under way are answered, what waits is stored."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

GRACE_S = 20


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. With a certificate it speaks TLS itself; otherwise a reverse proxy does."""

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn's own handling would end the process before the database is let go."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def server_of(app: FastAPI, listen: Listen) -> uvicorn.Server:
    """A server that trusts no header about its peer and says nothing about itself."""
    return _Server(
        uvicorn.Config(
            app,
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
