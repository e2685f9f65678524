"""`/metrics` and `/healthz` of a process that serves nothing else: a worker."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from ml_connector.engine.database import Database
from ml_connector.engine.metrics import CONTENT_TYPE, Metrics

READ_WITHIN_S = 3.0


def place_of(given: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[V6]:PORT` or `PORT`. Raises `ValueError`."""
    host, _, port = given.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{given!r} is no HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


@asynccontextmanager
async def metrics_door(place: str, database: Database, metrics: Metrics) -> AsyncGenerator[None]:
    """Open while the block runs; an empty `place` opens nothing. Raises `OSError` where it cannot listen."""
    if not place:
        yield
        return

    async def show(_: web.Request) -> web.Response:
        await metrics.try_refresh(database, within_s=READ_WITHIN_S)
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "up"})

    app = web.Application()
    app.router.add_get("/metrics", show)
    app.router.add_get("/healthz", alive)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        host, port = place_of(place)
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
