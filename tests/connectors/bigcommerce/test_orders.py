"""Snapshots are complete, of one moment, and cost the fewest calls."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ml_connector.connectors.base import Call, ReadsOrders
from ml_connector.connectors.bigcommerce.wire import snapshot_from
from ml_connector.connectors.errors import Rejected, Throttled, Transient, Unauthorized, Unreachable
from ml_connector.domain.orders import B2BFacts, OrderSnapshot
from tests.connectors.bigcommerce.conftest import Shop


def comparable(snapshot: OrderSnapshot) -> OrderSnapshot:
    """Coupons that gave nothing (free shipping that cost nothing) are not asked for."""
    return replace(snapshot, coupons=tuple(coupon for coupon in snapshot.coupons if coupon.discount))


async def test_every_kind_of_order_is_read_as_the_store_has_it(shop: Shop) -> None:
    await shop.control("/seed", {"profile": "demo", "seed": 3})
    connector = shop.connect(read_categories=True)
    assert isinstance(connector, ReadsOrders)
    kept = {str(parts["order"]["id"]): snapshot_from(parts) for parts in await shop.state("orders")}
    snapshots = await connector.orders(list(kept))
    assert len(kept) >= 36
    for key, expected in kept.items():
        assert comparable(snapshots[key]) == comparable(expected)


async def test_an_order_with_more_lines_than_a_page_is_whole(shop: Shop) -> None:
    await shop.control("/seed", {"profile": "demo", "seed": 3})
    kept = {str(parts["order"]["id"]): len(parts["products"]) for parts in await shop.state("orders")}
    longest = max(kept, key=lambda key: kept[key])
    assert kept[longest] > 50
    snapshots = await shop.connect().orders([longest])
    assert len(snapshots[longest].lines) == kept[longest]


async def test_lines_that_the_order_does_not_show_whole_are_read_by_page(shop: Shop) -> None:
    await shop.control("/seed", {"profile": "demo", "seed": 3})
    parts = max(await shop.state("orders"), key=lambda parts: len(parts["products"]))
    broken = {**parts, "order": {**parts["order"], "id": 9001, "items_total": 1}}
    await shop.control("/orders", broken)
    snapshots = await shop.connect().orders(["9001"])
    assert len(snapshots["9001"].lines) == len(parts["products"])
    assert shop.calls.paths.count("GET /v2/orders/9001/products") >= 1


async def test_one_order_costs_five_calls_and_neighbours_two_each(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 50, "seed": 5, "profile": {"features": {}}})
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")]
    connector = shop.connect()
    await connector.orders(keys[:1])  # also reads the store's own facts once
    shop.calls.calls.clear()

    await connector.orders(keys[:1])
    coupons = shop.calls.paths.count(f"GET /v2/orders/{keys[0]}/coupons")
    assert len(shop.calls.calls) == 5 + coupons

    shop.calls.calls.clear()
    await connector.orders(keys)
    coupons = sum(path.endswith("/coupons") for path in shop.calls.paths)
    assert len(shop.calls.calls) == 3 + 2 * len(keys) + coupons


async def test_unknown_and_senseless_keys_are_absent(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 2, "seed": 5})
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")]
    snapshots = await shop.connect().orders([*keys, "777777", "none", ""])
    assert sorted(snapshots) == sorted(keys)


async def test_scattered_orders_are_read_with_two_calls_for_the_second_look(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 120, "seed": 5, "profile": {"features": {}}})
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")][::40]
    assert len(keys) == 3
    snapshots = await shop.connect().orders(keys)
    assert sorted(snapshots) == sorted(keys)
    assert shop.calls.paths.count("GET /v2/orders") == 2
    details = [f"GET /v2/orders/{key}" for key in keys]
    assert sorted(path for path in shop.calls.paths if path in details) == sorted(details)


@pytest.mark.parametrize("batch", ["alone", "neighbours", "scattered"])
async def test_an_order_that_changes_while_it_is_read_is_read_again(shop: Shop, batch: str) -> None:
    await shop.control("/seed", {"orders": 120, "seed": 5, "profile": {"features": {}}, "modified": "placed"})
    kept = await shop.state("orders")
    keys = [str(parts["order"]["id"]) for parts in kept]
    hot = next(parts for parts in kept if parts["products"][0]["quantity"] > 1)
    key = str(hot["order"]["id"])
    wanted = {"alone": [key], "neighbours": keys[:30], "scattered": keys[::40]}[batch]
    wanted = sorted({*wanted, key})
    changes = 0

    async def edit_once(call: Call) -> None:
        nonlocal changes
        if "/taxes" in call.url and not changes:
            changes += 1
            await shop.control(f"/orders/{key}/edit", {"quantity": hot["products"][0]["quantity"] - 1})

    shop.calls.then = edit_once
    snapshots = await shop.connect(read_categories=True).orders(wanted)
    assert changes == 1
    now = {str(parts["order"]["id"]): snapshot_from(parts) for parts in await shop.state("orders")}
    assert sorted(snapshots) == wanted
    for each in wanted:
        assert comparable(snapshots[each]) == comparable(now[each])


async def test_an_order_that_never_stands_still_is_not_planned(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])
    status = 9

    async def keep_changing(call: Call) -> None:
        nonlocal status
        if "/taxes" in call.url:
            status = 11 if status == 9 else 9
            await shop.control(f"/orders/{key}/status", {"status_id": status})

    shop.calls.then = keep_changing
    with pytest.raises(Transient, match="changed at each of 3 readings"):
        await shop.connect().orders([key])


async def test_an_order_that_vanishes_while_it_is_read_is_absent(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])

    async def vanish(call: Call) -> None:
        if "/taxes" in call.url:
            await shop.fault("status", args={"status": 404, "body": "[]"}, path=f"/v2/orders/{key}$")

    shop.calls.then = vanish
    assert await shop.connect().orders([key]) == {}


async def test_archived_orders_are_read_one_by_one(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 3, "seed": 5})
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")]
    told = shop.told
    url = f"{told.base_url}/stores/{told.credentials['store_hash']}/v2/orders/{keys[1]}"
    async with shop._http.delete(url, headers={"X-Auth-Token": told.credentials["access_token"]}) as answer:
        assert answer.status == 204
    snapshots = await shop.connect().orders(keys)
    assert snapshots[keys[1]].order.is_deleted
    assert not snapshots[keys[0]].order.is_deleted


async def test_no_answer_about_payments_is_never_no_payment(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])
    await shop.fault("transactions_503", path="/transactions$")
    with pytest.raises(Transient, match="transactions"):
        await shop.connect().orders([key])


async def test_an_order_without_payments_has_none(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    parts = (await shop.state("orders"))[0]
    parts["order"]["id"] = 9002
    await shop.control("/orders", {**parts, "transactions": []})
    snapshots = await shop.connect().orders(["9002"])
    assert snapshots["9002"].transactions == ()


async def test_customer_facts_come_with_the_order_where_they_are_asked_for(shop: Shop) -> None:
    await shop.control("/seed", {"profile": "demo", "seed": 3})
    kept = await shop.state("orders")
    groups = {customer["id"]: customer["customer_group_id"] for customer in await shop.state("customers")}
    registered = [str(parts["order"]["id"]) for parts in kept if groups.get(parts["order"]["customer_id"])]
    assert registered
    snapshots = await shop.connect(read_customer_facts=True).orders(registered)
    for snapshot in snapshots.values():
        assert snapshot.order.customer_group_id == groups[snapshot.order.customer_id]


async def test_a_b2b_store_says_that_its_company_facts_are_unread(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])
    assert (await shop.connect(b2b=True).orders([key]))[key].b2b == B2BFacts(read=False)
    assert (await shop.connect().orders([key]))[key].b2b is None


async def test_data_that_cannot_be_used_names_order_and_field(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    parts = (await shop.state("orders"))[0]
    parts["order"] |= {"id": 9003, "total_inc_tax": "a lot"}
    await shop.control("/orders", parts)
    with pytest.raises(Rejected, match="order 9003/total_inc_tax"):
        await shop.connect().orders(["9003"])


ERRORS: list[tuple[str, dict[str, object], type[Exception], str]] = [
    ("throttle", {"retry_after": 7}, Throttled, "slow down"),
    ("unauthorized", {}, Unauthorized, "access token"),
    ("status", {"status": 403}, Unauthorized, "scope"),
    ("status", {"status": 502}, Transient, "cannot answer now"),
    ("html_503", {}, Transient, "cannot answer now"),
    ("truncated_json", {}, Transient, "not complete JSON"),
    ("half_body", {}, Unreachable, "127"),
    ("reset_before", {}, Unreachable, "127"),
]


@pytest.mark.parametrize(("fault", "args", "kind", "words"), ERRORS)
async def test_what_goes_wrong_has_its_class(
    shop: Shop, fault: str, args: dict[str, object], kind: type[Exception], words: str
) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])
    await shop.fault(fault, args=args, path=f"/v2/orders/{key}$")
    with pytest.raises(kind, match=words):
        await shop.connect().orders([key])


async def test_throttled_says_how_long_and_slows_the_limiter(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])
    await shop.fault("throttle", args={"retry_after": 7}, path=f"/v2/orders/{key}$")
    with pytest.raises(Throttled) as caught:
        await shop.connect().orders([key])
    assert caught.value.retry_after_s == 7
    assert 7 in shop.services.open_limiter.throttled


async def test_the_quota_of_every_answer_reaches_the_limiter(shop: Shop) -> None:
    await shop.control("/settings", {"quota": 50_000})
    await shop.control("/seed", {"orders": 1, "seed": 5})
    key = str((await shop.state("orders"))[0]["order"]["id"])
    await shop.connect().orders([key])
    quotas = [quota for quota in shop.services.open_limiter.quotas if quota is not None]
    assert len(quotas) == len(shop.calls.calls)
    assert {quota.limit for quota in quotas} == {50_000}


@pytest.mark.parametrize("wrong", [{"access_token": "wrong"}, {"store_hash": "another"}])
async def test_wrong_credentials_are_said_in_words(shop: Shop, wrong: dict[str, str]) -> None:
    token = {"access_token": wrong["access_token"]} if "access_token" in wrong else None
    settings: dict[str, Any] = {"store_hash": wrong["store_hash"]} if "store_hash" in wrong else {}
    with pytest.raises(Unauthorized, match="does not accept the access token for this store hash"):
        await shop.connect(credentials=token, **settings).orders(["1"])


async def test_the_first_error_ends_the_other_calls(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 5, "seed": 5})
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")]
    await shop.fault("hang", path="/taxes$")
    await shop.fault("transactions_503", path="/transactions$")
    async with asyncio.timeout(10):  # a call that hangs is given up after 60 seconds only
        with pytest.raises(Transient):
            await shop.connect().orders(keys)


async def test_cancelling_a_read_leaves_nothing_running(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 5, "seed": 5})
    keys = [str(parts["order"]["id"]) for parts in await shop.state("orders")]
    await shop.fault("hang", path="/taxes$")
    before = asyncio.all_tasks()
    reading = asyncio.ensure_future(shop.connect().orders(keys))
    async with asyncio.timeout(10):
        while not any("/transactions" in call.url for call in shop.calls.calls):
            await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
