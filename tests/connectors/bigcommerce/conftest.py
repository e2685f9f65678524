"""A store stand-in in a process of its own, and a connector to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from ml_connector.connectors.base import Call, Settings
from ml_connector.connectors.bigcommerce import system
from ml_connector.connectors.bigcommerce.connector import BigCommerce
from ml_connector.sandbox.process import Announced, SandboxProcess
from tests.connectors.shared import LocalServices

WEBHOOK_SECRET = "own-webhook-secret-of-the-tests-000"


@dataclass
class WatchedCalls:
    """Keeps every call; `then` runs when a call is over, before its caller goes on."""

    calls: list[Call] = field(default_factory=list[Call])
    then: Callable[[Call], Awaitable[None]] | None = None

    async def call(self, call: Call) -> None:
        self.calls.append(call)
        if self.then is not None:
            await self.then(call)

    @property
    def paths(self) -> list[str]:
        """Method and path below the store, without the query."""
        return [f"{call.method} /{call.url.split('/stores/')[1].split('/', 1)[1].split('?')[0]}" for call in self.calls]


class Shop:
    """The stand-in, its control API, and connectors to it."""

    def __init__(self, told: Announced, http: aiohttp.ClientSession) -> None:
        self.told = told
        self._http = http
        self.calls = WatchedCalls()
        self.services = LocalServices()
        self.services.calls = self.calls
        self._open: list[BigCommerce] = []

    async def control(self, path: str, body: object = None, *, method: str = "POST") -> Any:
        async with self._http.request(method, self.told.control_url + path, json=body) as answer:
            told = await answer.json()
            assert answer.status < 300, told
            return told

    async def state(self, kind: str) -> list[Any]:
        return (await self.control(f"/state/{kind}", method="GET"))["items"]

    async def fault(self, fault: str, *, args: dict[str, object] | None = None, **match: object) -> None:
        await self.control("/faults", [{"fault": fault, "match": match, "args": args or {}}])

    async def now(self) -> datetime:
        told = await self.control("/clock", method="GET")
        return datetime.fromisoformat(told["now"]).astimezone(UTC)

    def connect(self, *, credentials: dict[str, str] | None = None, **settings: object) -> BigCommerce:
        own = dict(self.told.credentials)
        store_hash = own.pop("store_hash")
        given = Settings(
            name="store",
            base_url=self.told.base_url,
            settings={"store_hash": store_hash, **settings},
            credentials={**own, "webhook_secret": WEBHOOK_SECRET, **(credentials or {})},
            sandbox=True,
        )
        connector = system.connect(given, self.services)
        assert isinstance(connector, BigCommerce)
        self._open.append(connector)
        return connector

    async def close(self) -> None:
        for connector in self._open:
            await connector.close()


@pytest.fixture(scope="session")
def stand_in() -> Iterator[Announced]:
    with SandboxProcess(["bigcommerce"]) as process:
        yield process.systems["bigcommerce"]


@pytest.fixture
async def shop(stand_in: Announced) -> AsyncIterator[Shop]:
    """An empty store."""
    defaults = {"quota": 60_000, "headers_on_429": True}
    async with aiohttp.ClientSession() as http:
        shop = Shop(stand_in, http)
        await shop.control("/reset", {})
        await shop.control("/settings", defaults)
        yield shop
        await shop.close()
