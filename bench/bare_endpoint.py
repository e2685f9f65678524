"""The bare endpoint that webhook intake is held against: read the body, one INSERT that commits, 200.

The same server program with the same options in one process; psycopg without SQLAlchemy, as many connections as
`ml-connector serve` has, statements prepared. It verifies nothing, knows no integrations and marks nothing.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONNECTIONS = 10
TABLE = """
CREATE TABLE IF NOT EXISTS bare_deliveries
  (delivery_key text PRIMARY KEY, body bytea NOT NULL, received_at timestamptz NOT NULL DEFAULT statement_timestamp())
"""
INSERT = "INSERT INTO bare_deliveries (delivery_key, body) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def application(database_url: str) -> Starlette:
    free: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        for _ in range(CONNECTIONS):
            connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=0)
            free.put_nowait(connection)
        async with free_one() as connection:
            await connection.execute(TABLE)
        yield
        while not free.empty():
            await free.get_nowait().close()

    @asynccontextmanager
    async def free_one() -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
        connection = await free.get()
        try:
            yield connection
        finally:
            free.put_nowait(connection)

    async def receive(request: Request) -> Response:
        body = await request.body()
        async with free_one() as connection:
            await connection.execute(INSERT, (request.headers["webhook-id"], body))
        return Response(status_code=200)

    async def ready(request: Request) -> Response:
        return Response(status_code=200)

    routes = [Route("/hooks/{connection}", receive, methods=["POST"]), Route("/readyz", ready)]
    return Starlette(routes=routes, lifespan=lifespan)


def main() -> None:
    config = uvicorn.Config(
        application(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        lifespan="on",
        timeout_keep_alive=30,
    )
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
