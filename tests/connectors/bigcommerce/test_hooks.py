"""Our hooks exist once per scope, active, with our secret; what the store then sends is verified and marks records."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from ml_connector.connectors.base import Call, ReceivesWebhooks
from ml_connector.connectors.bigcommerce.hooks import SCOPES
from ml_connector.connectors.bigcommerce.webhooks import SECRET_HEADER
from ml_connector.connectors.errors import Forged, Rejected, Unauthorized
from tests.connectors.bigcommerce.conftest import WEBHOOK_SECRET, Shop

HERE = "http://127.0.0.1:9/hooks/store"
ELSEWHERE = "http://127.0.0.1:9/elsewhere"


def api(shop: Shop, path: str) -> dict[str, Any]:
    told = shop.told
    return {
        "url": f"{told.base_url}/stores/{told.credentials['store_hash']}{path}",
        "headers": {"X-Auth-Token": told.credentials["access_token"]},
    }


async def test_missing_hooks_are_created_once_with_our_secret(shop: Shop) -> None:
    connector = shop.connect()
    assert isinstance(connector, ReceivesWebhooks)
    said = await connector.ensure_hooks(HERE)
    assert sorted(said) == sorted(f"created {scope}" for scope in SCOPES)
    hooks = await shop.state("hooks")
    assert sorted(hook["scope"] for hook in hooks) == sorted(SCOPES)
    assert all(hook["headers"] == {SECRET_HEADER: WEBHOOK_SECRET} and hook["is_active"] for hook in hooks)
    assert await connector.ensure_hooks(HERE) == []
    assert len(await shop.state("hooks")) == len(SCOPES)


async def test_a_hook_that_was_switched_off_is_switched_on(shop: Shop) -> None:
    connector = shop.connect()
    await connector.ensure_hooks(HERE)
    await shop.fault("hook_deactivated", path="/v2/time$", times=1)
    await connector.ping()
    assert not any(hook["is_active"] for hook in await shop.state("hooks"))
    said = await connector.ensure_hooks(HERE)
    assert sorted(said) == sorted(f"{scope}: switched on again" for scope in SCOPES)
    assert all(hook["is_active"] for hook in await shop.state("hooks"))


async def test_a_removed_hook_comes_back_and_a_changed_secret_is_written(shop: Shop) -> None:
    connector = shop.connect()
    await connector.ensure_hooks(HERE)
    hooks = await shop.state("hooks")
    async with shop._http.delete(**api(shop, f"/v3/hooks/{hooks[0]['id']}")) as answer:
        assert answer.status == 200
    renewed = shop.connect(credentials={"webhook_secret": "another secret of the tests, long too"})
    said = await renewed.ensure_hooks(HERE)
    assert said.count(f"created {hooks[0]['scope']}") == 1
    assert sum("given our secret header" in words for words in said) == len(SCOPES) - 1
    assert {hook["headers"][SECRET_HEADER] for hook in await shop.state("hooks")} == {
        "another secret of the tests, long too"
    }


async def test_other_destinations_stay_unless_asked(shop: Shop) -> None:
    connector = shop.connect()
    await connector.ensure_hooks(ELSEWHERE)
    await connector.ensure_hooks(HERE)
    assert len(await shop.state("hooks")) == 2 * len(SCOPES)
    said = await connector.ensure_hooks(HERE, remove_others=True)
    assert sorted(said) == sorted(f"removed {scope} at {ELSEWHERE}" for scope in SCOPES)
    assert {hook["destination"] for hook in await shop.state("hooks")} == {HERE}


async def test_two_processes_that_register_at_once_make_one_hook_each(shop: Shop) -> None:
    first, second = shop.connect(), shop.connect()
    done = False

    async def overtake(call: Call) -> None:
        nonlocal done
        if call.method == "GET" and call.url.split("?")[0].endswith("/v3/hooks/admin") and not done:
            done = True
            await second.ensure_hooks(HERE)

    shop.calls.then = overtake
    said = await first.ensure_hooks(HERE)
    assert done
    assert sorted(said) == sorted(f"found {scope}, created meanwhile" for scope in SCOPES)
    assert len(await shop.state("hooks")) == len(SCOPES)


async def test_a_lost_answer_to_a_create_leaves_one_hook(shop: Shop) -> None:
    await shop.fault("error_after_commit", method="POST", path="/v3/hooks$", times=1)
    connector = shop.connect()
    with pytest.raises(Exception, match="POST /v3/hooks"):
        await connector.ensure_hooks(HERE)
    await connector.ensure_hooks(HERE)
    assert len(await shop.state("hooks")) == len(SCOPES)


async def test_a_scope_without_its_right_does_not_keep_the_others(shop: Shop) -> None:
    account = {
        "access_token": "orders-only",
        "client_id": "orders",
        "client_secret": "s",
        "scopes": ["store_v2_orders"],
    }
    await shop.control("/accounts", account)
    said = await shop.connect(credentials={"access_token": "orders-only"}).ensure_hooks(HERE)
    registered = {hook["scope"] for hook in await shop.state("hooks")}
    assert registered >= {"store/order/created", "store/order/updated", "store/order/refund/created"}
    assert "store/customer/created" not in registered
    assert any(words.startswith("store/customer/created could not be registered") for words in said)


async def test_an_account_without_any_right_is_an_error(shop: Shop) -> None:
    account = {"access_token": "nothing", "client_id": "nothing", "client_secret": "s", "scopes": []}
    await shop.control("/accounts", account)
    with pytest.raises(Unauthorized):
        await shop.connect(credentials={"access_token": "nothing"}).ensure_hooks(HERE)


@pytest.mark.parametrize("destination", ["http://connector.example/hooks", "https://connector.example:8443/hooks", "x"])
async def test_an_address_that_the_store_cannot_call_is_refused_before_anything_is_sent(
    shop: Shop, destination: str
) -> None:
    connector = shop.connect()
    object.__setattr__(connector._settings, "sandbox", False)
    with pytest.raises(Rejected, match="HTTPS on port 443"):
        await connector.ensure_hooks(destination)
    assert shop.calls.calls == []


async def test_no_hook_without_our_secret(shop: Shop) -> None:
    with pytest.raises(Rejected, match="webhook_secret is not set"):
        await shop.connect(credentials={"webhook_secret": ""}).ensure_hooks(HERE)


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, asyncio.Queue[tuple[dict[str, str], bytes]]]]:
    """A web server that keeps what it is sent."""
    heard: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def keep(request: web.Request) -> web.Response:
        heard.put_nowait((dict(request.headers), await request.read()))
        return web.Response()

    application = web.Application()
    application.router.add_post("/hooks", keep)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}/hooks", heard
    finally:
        await runner.cleanup()


async def test_what_the_store_sends_is_believed_and_marks_the_order(shop: Shop) -> None:
    connector = shop.connect()
    async with receiver() as (address, heard):
        await connector.ensure_hooks(address)
        await shop.control("/seed", {"orders": 1, "seed": 5})
        key = str((await shop.state("orders"))[0]["order"]["id"])
        async with asyncio.timeout(20):
            while True:
                headers, body = await heard.get()
                delivery = connector.verify(headers, body, await shop.now())
                assert delivery.scope == json.loads(body)["scope"]
                if delivery.scope.startswith("store/order/"):
                    break
        assert delivery.marks == (("orders", key, None),)


@pytest.mark.parametrize("signature", ["none", "standard"])
async def test_the_standard_scheme_needs_the_signature(shop: Shop, signature: str) -> None:
    await shop.control("/webhooks", {"signature": signature})
    standard, secret = shop.connect(), shop.connect(webhook_scheme="secret_header")
    async with receiver() as (address, heard):
        await standard.ensure_hooks(address)
        await shop.control("/seed", {"orders": 1, "seed": 5})
        async with asyncio.timeout(20):
            headers, body = await heard.get()
        now = await shop.now()
        assert secret.verify(headers, body, now).marks
        if signature == "standard":
            assert standard.verify(headers, body, now).marks
        else:
            with pytest.raises(Forged):
                standard.verify(headers, body, now)
    await shop.control("/webhooks", {"signature": "standard"})


@pytest.mark.parametrize("mode", ["unsigned", "bad_signature", "stale", "wrong_header"])
async def test_what_the_store_never_said_is_refused(shop: Shop, mode: str) -> None:
    connector = shop.connect()
    async with receiver() as (address, heard):
        await connector.ensure_hooks(address)
        await shop.control("/webhooks/forge", {"mode": mode})
        async with asyncio.timeout(20):
            headers, body = await heard.get()
        with pytest.raises(Forged):
            connector.verify(headers, body, await shop.now())
