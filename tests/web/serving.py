"""The real application on a real socket, the example's store behind it, deliveries signed as the store does."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from fastapi import FastAPI
from sqlalchemy import text

from ml_connector.config.apply import apply
from ml_connector.connectors.bigcommerce.webhooks import SECRET_HEADER
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.metrics import Metrics
from ml_connector.engine.registry import Registry
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault
from ml_connector.flows.runtime import Runtime
from ml_connector.web.access import Settings
from ml_connector.web.app import Parts, build
from ml_connector.web.server import Listen, server_of
from tests.config.examples import ENVIRONMENT, loaded

SCOPE = "store/order/updated"
PLAIN = Settings()


def body_of(order: int, *, producer: str = "stores/abc123", scope: str = SCOPE) -> bytes:
    data = {"type": "order", "id": order}
    told = {"scope": scope, "store_id": "1", "data": data, "hash": f"h{order}", "created_at": 1, "producer": producer}
    return json.dumps(told).encode()


def headers_of(body: bytes, id: str, *, at: float | None = None, secret: str = "") -> dict[str, str]:
    """Standard Webhooks headers and our own secret header, as `webhook_scheme: standard` wants them."""
    stamp = str(int(time.time() if at is None else at))
    key = (secret or ENVIRONMENT["BC_CLIENT_SECRET"]).encode()
    signature = base64.b64encode(hmac.digest(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256)).decode()
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
        SECRET_HEADER: ENVIRONMENT["BC_WEBHOOK_SECRET"],
        "Content-Type": "application/json",
    }


@dataclass
class Served:
    """A running application and a client of it."""

    url: str
    client: aiohttp.ClientSession
    database: Database
    shared: Shared
    app: FastAPI
    vault: Vault

    async def deliver(self, body: bytes, headers: dict[str, str], connection: str = "web-store") -> tuple[int, bytes]:
        async with self.client.post(f"{self.url}/hooks/{connection}", data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def order(self, number: int, *, id: str = "") -> tuple[int, bytes]:
        body = body_of(number)
        return await self.deliver(body, headers_of(body, id or f"msg_{number}"))

    async def rows(self, statement: str) -> list[Any]:
        async with self.database.connect() as connection:
            return list((await connection.execute(text(statement))).all())

    async def marked(self) -> dict[str, int]:
        """Order -> how often it was marked."""
        return {row.key: row.seq for row in await self.rows("SELECT key, seq FROM records WHERE flow = 'orders'")}

    async def stored(self) -> list[str]:
        rows = await self.rows("SELECT delivery_key FROM webhooks ORDER BY delivery_key")
        return [row.delivery_key for row in rows]


@asynccontextmanager
async def serving(
    database_url: str,
    change: Any = None,
    settings: Settings = PLAIN,
    environment: Mapping[str, str] = ENVIRONMENT,
    *,
    configured: bool = True,
) -> AsyncGenerator[Served]:
    """`configured` false: nobody has connected anything yet."""
    database = Database(database_url, application="test", pool_size=10)
    vault = Vault(database, MasterKeys([MasterKey.new()]))
    if configured:
        await apply(database, vault, loaded(change), environment, author="test")
    registry = Registry(database)
    shared = Shared(database, vault, metrics=Metrics())
    runtime = Runtime(database, registry, vault, shared.audit, shared.services_for, shared.metrics)
    app = build(Parts(runtime, settings))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = server_of(app, Listen(port=port))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        connector = aiohttp.TCPConnector(limit=100)
        async with aiohttp.ClientSession(connector=connector) as client:
            yield Served(f"http://127.0.0.1:{port}", client, database, shared, app, vault)
    finally:
        server.should_exit = True
        await task
        await runtime.close()
        await shared.close()
        await database.close()
