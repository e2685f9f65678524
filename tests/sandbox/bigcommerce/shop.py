"""A running stand-in for tests, with short ways to its API and its control actions."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from ml_connector.sandbox.core.runner import Running, start_system, stop_system
from ml_connector.sandbox.core.tls import make_tls

DEADLINE_S = 10.0
TOKEN, STORE_HASH = "sandbox-access-token-0001", "sandbox1"


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)

    @property
    def data(self) -> Any:
        return self.json["data"]


@dataclass
class Shop:
    running: Running
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return self.running.environment.base_url

    async def api(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        headers = {"X-Auth-Token": TOKEN, "Accept": "application/json", **options.pop("headers", {})}
        store_hash = options.pop("store_hash", STORE_HASH)
        url = f"{self.url}/stores/{store_hash}{path}"
        return await self._ask(method, url, headers, body, **options)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.api("GET", path, **options)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._ask(method, f"{self.url}/_control{path}", {}, body)
        assert answer.status < 300, answer.text
        return answer.json

    async def state(self, kind: str, query: str = "") -> list[Any]:
        return (await self.control("GET", f"/state/{kind}{query}"))["items"]

    async def _ask(self, method: str, url: str, headers: dict[str, str], body: Any, **options: Any) -> Answer:
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
            options["data"] = json.dumps(body, default=float)
        async with self.http.request(method, url, headers=headers, **options) as response:
            return Answer(response.status, response.headers, await response.text())


@asynccontextmanager
async def open_shop(tls_dir: Path | None = None) -> AsyncIterator[Shop]:
    tls = None if tls_dir is None else make_tls(tls_dir, "127.0.0.1")
    running = await start_system("bigcommerce", host="127.0.0.1", port=0, tls=tls, seed=1)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as http:
            yield Shop(running, http)
    finally:
        await stop_system(running)


@dataclass
class Receiver:
    """A webhook receiver that notes what arrives and answers `status`."""

    url: str
    received: list[tuple[dict[str, str], bytes]]
    status: int = 200

    def scopes(self) -> list[str]:
        return [json.loads(body)["scope"] for _, body in self.received]


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver("", [])

    async def take(request: web.Request) -> web.Response:
        receiver.received.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return web.Response(status=receiver.status)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition. Fails with `what` after the deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE_S
    while not condition():
        assert loop.time() < end, f"never: {what}"
        await asyncio.sleep(0.01)


async def until_state(shop: Shop, kind: str, passes: Callable[[list[Any]], bool], what: str) -> list[Any]:
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE_S
    while not passes(items := await shop.state(kind)):
        assert loop.time() < end, f"never: {what}: {items[-3:]}"
        await asyncio.sleep(0.02)
    return items


def recipe(kind: str, market: str = "us_tx", **features: float) -> dict[str, Any]:
    """A profile that makes orders of one kind in one market, with exactly these features."""
    off = dict.fromkeys(
        [
            "guest",
            "promotion",
            "manual_discount",
            "percent_coupon",
            "fixed_coupon",
            "item_coupon",
            "promotion_coupon",
            "third_off",
            "shipping_coupon",
            "free_shipping_coupon",
            "multi_address",
            "handling",
            "wrapping",
            "fee",
            "bundle",
            "gift_certificate",
            "digital",
            "display_currency",
            "long",
            "several",
            "free",
        ],
        0,
    )
    return {"kinds": {kind: 1}, "markets": {market: 1}, "features": {**off, **features}}


async def seeded(shop: Shop, kind: str, market: str = "us_tx", **features: float) -> int:
    """One order of the recipe; its id."""
    made = await shop.control("POST", "/seed", {"orders": 1, "seed": 3, "profile": recipe(kind, market, **features)})
    return int(made["first_id"])
