"""A ping names what is missing; document numbers are kept beside the order."""

import json

import pytest

from ml_connector.connectors.base import Check, Pings, Settings, WritesBack
from ml_connector.connectors.bigcommerce import system
from ml_connector.connectors.errors import Rejected, Transient
from tests.connectors.bigcommerce.conftest import Shop

SCOPES = ["store_v2_orders", "store_v2_transactions", "store_v2_customers", "store_v2_information"]


async def checks_of(shop: Shop, *scopes: str, **settings: object) -> dict[str, Check]:
    account = {"access_token": "narrow-token", "client_id": "narrow", "client_secret": "s", "scopes": list(scopes)}
    await shop.control("/accounts", account)
    connector = shop.connect(credentials={"access_token": "narrow-token"}, **settings)
    assert isinstance(connector, Pings)
    return {check.name: check for check in await connector.ping()}


async def test_everything_is_well(shop: Shop) -> None:
    connector = shop.connect(read_categories=True)
    await connector.ensure_hooks("http://127.0.0.1:9/hooks")
    checks = await connector.ping()
    assert [check for check in checks if not check.ok] == []
    assert {check.kind for check in checks} >= {"credentials", "right", "clock", "setting"}


@pytest.mark.parametrize(
    ("missing", "name", "title"),
    [
        ("store_v2_transactions", "transactions", "Order transactions"),
        ("store_v2_customers", "customers", "Customers"),
        ("store_v2_orders", "orders", "Orders"),
        ("store_v2_information", "store information", "Information & settings"),
    ],
)
async def test_a_missing_right_is_named(shop: Shop, missing: str, name: str, title: str) -> None:
    checks = await checks_of(shop, *(scope for scope in SCOPES if scope != missing))
    refused = [check.name for check in checks.values() if check.kind == "right" and check.needed and not check.ok]
    assert refused == [name]
    assert title in checks[name].fix


async def test_rights_of_stock_are_named_and_not_needed_by_everybody(shop: Shop) -> None:
    checks = await checks_of(shop, *SCOPES, "store_inventory")
    assert checks["stock"].ok
    assert (checks["locations"].ok, checks["locations"].needed) == (False, False)
    assert "Store locations" in checks["locations"].fix


async def test_categories_are_a_right_only_where_they_are_read(shop: Shop) -> None:
    assert "product categories" not in await checks_of(shop, *SCOPES)
    check = (await checks_of(shop, *SCOPES, read_categories=True))["product categories"]
    assert not check.ok
    assert "Products" in check.fix


async def test_a_wrong_token_is_the_only_finding(shop: Shop) -> None:
    (check,) = await shop.connect(credentials={"access_token": "wrong"}).ping()
    assert (check.ok, check.kind) == (False, "credentials")
    assert "access token" in check.message


async def test_no_network_is_the_only_finding(shop: Shop) -> None:
    given = Settings("store", "http://127.0.0.1:1", {"store_hash": "x"}, {"access_token": "t"}, sandbox=True)
    connector = system.connect(given, shop.services)
    assert isinstance(connector, Pings)
    (check,) = await connector.ping()
    await connector.close()
    assert (check.ok, check.kind) == (False, "connection")


async def test_something_else_than_the_api_is_said(shop: Shop) -> None:
    await shop.fault("status", args={"status": 200, "body": "<html>Welcome</html>"}, path="/v2/time$")
    (check,) = await shop.connect().ping()
    assert not check.ok
    assert "not the API" in check.message


async def test_a_clock_that_is_off_is_said(shop: Shop) -> None:
    await shop.control("/clock", {"advance_s": 400})
    try:
        check = next(check for check in await shop.connect().ping() if check.name == "clock")
    finally:
        await shop.control("/clock", {"advance_s": -400})
    assert not check.ok
    assert "400" in check.message or "399" in check.message or "401" in check.message


async def test_hooks_and_secrets_that_are_missing_are_said(shop: Shop) -> None:
    connector = shop.connect(credentials={"webhook_secret": "", "client_secret": ""}, b2b=True)
    found = {check.name: check for check in await connector.ping() if not check.ok}
    assert {"webhooks", "webhook secret", "webhook signature", "B2B Edition"} <= found.keys()
    assert not found["webhooks"].needed


@pytest.mark.parametrize(
    ("settings", "credentials", "words"),
    [
        ({}, {"access_token": "t"}, "store_hash is missing"),
        ({"store_hash": "x"}, {}, "access_token is missing"),
        ({"store_hash": "x", "webhook_scheme": "hope"}, {"access_token": "t"}, "webhook_scheme"),
        ({"store_hash": "x", "metafield_key": "k" * 65}, {"access_token": "t"}, "metafield_key"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    shop: Shop, settings: dict[str, object], credentials: dict[str, str], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        system.connect(Settings("store", "https://api.store.example", settings, credentials), shop.services)


async def an_order(shop: Shop) -> str:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    return str((await shop.state("orders"))[0]["order"]["id"])


async def test_numbers_are_noted_and_replaced(shop: Shop) -> None:
    key = await an_order(shop)
    connector = shop.connect()
    assert isinstance(connector, WritesBack)
    await connector.note_documents(key, {"BC1-10250": "0100000008/1710/2026"})
    await connector.note_documents(key, {"BC1-10250": "0100000008/1710/2026", "BC1-10250-P1": "0100000009/1710/2026"})
    (field,) = await shop.state("metafields")
    assert (field["namespace"], field["key"], field["permission_set"]) == ("ml_connector", "erp_documents", "app_only")
    assert json.loads(field["value"]) == {
        "BC1-10250": "0100000008/1710/2026",
        "BC1-10250-P1": "0100000009/1710/2026",
    }


async def test_names_of_the_metafield_are_settings_and_the_note_can_be_off(shop: Shop) -> None:
    key = await an_order(shop)
    await shop.connect(write_back=False).note_documents(key, {"a": "1"})
    assert await shop.state("metafields") == []
    assert shop.calls.calls == []
    await shop.connect(metafield_namespace="books", metafield_key="entries").note_documents(key, {"a": "1"})
    (field,) = await shop.state("metafields")
    assert (field["namespace"], field["key"]) == ("books", "entries")


@pytest.mark.parametrize("fault", ["reset_after_commit", "error_after_commit"])
async def test_a_note_whose_answer_was_lost_is_repeated_safely(shop: Shop, fault: str) -> None:
    key = await an_order(shop)
    await shop.fault(fault, method="POST", path="/metafields$", times=1)
    connector = shop.connect()
    with pytest.raises(Transient):
        await connector.note_documents(key, {"a": "1"})
    await connector.note_documents(key, {"a": "2"})
    (field,) = await shop.state("metafields")
    assert json.loads(field["value"]) == {"a": "2"}


async def test_a_note_for_an_order_that_is_not_there_is_refused(shop: Shop) -> None:
    with pytest.raises(Rejected):
        await shop.connect().note_documents("777777", {"a": "1"})


async def test_more_than_a_metafield_can_hold_is_refused_before_it_is_sent(shop: Shop) -> None:
    with pytest.raises(Rejected, match="more than one metafield"):
        await shop.connect().note_documents("1", {f"reference-{n}": "9" * 40 for n in range(2000)})
    assert shop.calls.calls == []


async def test_secrets_are_in_no_call_that_is_kept(shop: Shop) -> None:
    key = await an_order(shop)
    connector = shop.connect()
    await connector.ensure_hooks("http://127.0.0.1:9/hooks")
    await connector.orders([key])
    kept = repr(shop.calls.calls) + repr(connector._settings)
    for secret in (*[shop.told.credentials[name] for name in ("access_token", "client_secret")], "own-webhook-secret"):
        assert secret not in kept
