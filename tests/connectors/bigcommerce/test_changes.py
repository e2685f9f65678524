"""Polls find every change, whatever fills a page and whatever moves meanwhile."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from ml_connector.connectors.base import Call, ChangePage, ReadsCustomers, ReadsOrders
from ml_connector.connectors.bigcommerce.changes import moment, written
from ml_connector.connectors.errors import Throttled, Transient
from tests.connectors.bigcommerce.conftest import Shop

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


async def keys_of(pages: AsyncIterator[ChangePage]) -> list[str]:
    return [change.key for page in [page async for page in pages] for change in page.changes]


async def fill(shop: Shop, count: int, *, modified: dict[int, datetime]) -> list[str]:
    """`count` copies of one order; the n-th was changed at `modified[n]` (default: at START)."""
    await shop.control("/seed", {"orders": 1, "seed": 5})
    pattern = (await shop.state("orders"))[0]
    await shop.control("/reset", {})
    copies: list[dict[str, Any]] = []
    for number in range(count):
        stamp = format_datetime(modified.get(number, START))
        order = {**pattern["order"], "id": 5000 + number, "date_modified": stamp, "date_created": stamp}
        copies.append({**pattern, "order": order, "refunds": []})
    await shop.control("/orders", {"orders": copies, "modified": "verbatim", "webhooks": False})
    return [str(5000 + number) for number in range(count)]


async def test_changes_come_oldest_first_with_a_watermark(shop: Shop) -> None:
    keys = await fill(shop, 5, modified={n: START + timedelta(minutes=5 - n) for n in range(5)})
    connector = shop.connect()
    assert isinstance(connector, ReadsOrders)
    pages = [page async for page in connector.changed_orders(START)]
    assert [change.key for page in pages for change in page.changes] == keys[::-1]
    assert pages[-1].watermark == START + timedelta(minutes=5)
    assert pages[0].changes[0].stamp == START + timedelta(minutes=1)


async def test_nothing_changed_keeps_the_watermark(shop: Shop) -> None:
    await fill(shop, 3, modified={})
    assert [page async for page in shop.connect().changed_orders(START + timedelta(days=1))] == []


async def test_a_change_in_the_second_of_the_watermark_is_found(shop: Shop) -> None:
    keys = await fill(shop, 3, modified={0: START - timedelta(seconds=1), 2: START + timedelta(seconds=1)})
    assert sorted(await keys_of(shop.connect().changed_orders(START))) == keys[1:]


async def test_a_second_that_fills_pages_is_read_whole(shop: Shop) -> None:
    later = {n: START + timedelta(seconds=n) for n in range(600, 630)}
    keys = await fill(shop, 630, modified=later)
    found = await keys_of(shop.connect().changed_orders(START))
    assert sorted(set(found)) == sorted(keys)


async def test_pages_that_begin_in_one_second_and_end_in_another(shop: Shop) -> None:
    stamps = {n: START + timedelta(seconds=n // 200) for n in range(700)}
    keys = await fill(shop, 700, modified=stamps)
    pages = [page async for page in shop.connect().changed_orders(START)]
    assert sorted({change.key for page in pages for change in page.changes}) == sorted(keys)
    watermarks = [page.watermark for page in pages if page.watermark]
    assert watermarks == sorted(watermarks)
    assert watermarks[-1] == START + timedelta(seconds=3)


async def test_orders_that_move_while_they_are_listed_are_not_lost(shop: Shop) -> None:
    keys = await fill(shop, 520, modified={n: START + timedelta(seconds=n) for n in range(520)})
    moved = False

    async def move_some(call: Call) -> None:
        nonlocal moved
        if not moved and "min_date_modified" in call.url:
            moved = True
            for key in keys[:20]:  # they were on the page just read and now stand at the end
                await shop.control(f"/orders/{key}/touch", {"fields": {"staff_notes": "x"}})

    shop.calls.then = move_some
    found = await keys_of(shop.connect().changed_orders(START))
    assert moved
    assert set(found) == set(keys)


async def refunded_orders(shop: Shop, refunded_at: datetime) -> list[str]:
    """Three orders last changed at START, the second refunded at `refunded_at` all the same."""
    await shop.control("/seed", {"profile": "demo", "seed": 3})
    pattern = next(parts for parts in await shop.state("orders") if parts["refunds"])
    await shop.control("/reset", {})
    copies: list[dict[str, Any]] = []
    for number in range(3):
        order = {**pattern["order"], "id": 6000 + number, "date_modified": format_datetime(START)}
        refund = {**pattern["refunds"][0], "id": 1, "order_id": 6001, "created": refunded_at.isoformat()}
        copies.append({**pattern, "order": order, "refunds": [refund] if number == 1 else []})
    await shop.control("/orders", {"orders": copies, "modified": "verbatim", "webhooks": False})
    return ["6000", "6001", "6002"]


async def test_a_refund_that_does_not_touch_its_order_marks_it(shop: Shop) -> None:
    refunded_at = START + timedelta(hours=5)
    keys = await refunded_orders(shop, refunded_at)
    (page,) = [page async for page in shop.connect().changed_orders(START + timedelta(hours=1))]
    assert [(change.key, change.stamp) for change in page.changes] == [(keys[1], None)]
    assert page.watermark == refunded_at
    assert await keys_of(shop.connect().changed_orders(refunded_at + timedelta(seconds=1))) == []


async def test_an_order_that_is_listed_itself_is_not_marked_for_its_refund_again(shop: Shop) -> None:
    keys = await refunded_orders(shop, START + timedelta(hours=5))
    assert sorted(await keys_of(shop.connect().changed_orders(START))) == keys


async def test_orders_of_a_window_of_creation(shop: Shop) -> None:
    keys = await fill(shop, 300, modified={n: START + timedelta(minutes=n) for n in range(300)})
    window = shop.connect().orders_created(START + timedelta(minutes=10), START + timedelta(minutes=290))
    assert sorted(await keys_of(window)) == keys[10:291]


async def test_a_poll_that_is_throttled_says_so(shop: Shop) -> None:
    await shop.fault("throttle", path="/v2/orders$")
    with pytest.raises(Throttled):
        await keys_of(shop.connect().changed_orders(START))


async def test_customers_changed_in_one_second_are_all_found(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 0, "customers": 620, "seed": 5})
    kept = {str(customer["id"]) for customer in await shop.state("customers")}
    connector = shop.connect()
    assert isinstance(connector, ReadsCustomers)
    since = await shop.now() - timedelta(hours=1)
    assert set(await keys_of(connector.changed_customers(since))) == kept
    assert await keys_of(connector.changed_customers(since + timedelta(days=1))) == []


async def test_customers_come_with_all_their_addresses(shop: Shop) -> None:
    await shop.control("/seed", {"orders": 0, "customers": 5, "seed": 5})
    told, first = shop.told, (await shop.state("customers"))[0]["id"]
    url = f"{told.base_url}/stores/{told.credentials['store_hash']}/v3/customers/addresses"
    more = [
        {
            "customer_id": first,
            "first_name": "Ana",
            "last_name": "Prill",
            "address1": f"{number} Main Street",
            "city": "Austin",
            "state_or_province": "Texas",
            "postal_code": "78701",
            "country_code": "US",
        }
        for number in range(100, 113)
    ]
    async with shop._http.post(url, json=more, headers={"X-Auth-Token": told.credentials["access_token"]}) as answer:
        assert answer.status == 200
    keys = [str(customer["id"]) for customer in await shop.state("customers")]
    found = await shop.connect().customers([*keys, "999999"])
    assert sorted(found) == sorted(keys)
    assert len(found[str(first)].addresses) == 14
    assert {address.country_iso2 for address in found[str(first)].addresses} == {"US"}


async def test_groups_are_listed(shop: Shop) -> None:
    kept = {group["id"]: group["name"] for group in await shop.state("customer_groups")}
    assert {group.id: group.name for group in await shop.connect().customer_groups()} == kept


@pytest.mark.parametrize(
    "told", ["Sun, 01 Mar 2026 12:00:00 +0000", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00"]
)
def test_moments_of_both_apis(told: str) -> None:
    assert moment(told) == START
    assert written(moment(told)) == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize("told", ["", None, "soon"])
def test_a_moment_that_is_none_is_an_error(told: object) -> None:
    with pytest.raises(Transient):
        moment(told)


@pytest.mark.parametrize(("away", "told"), [("/payment_actions/refunds$", [0, 1, 2]), ("/v2/orders$", [1])])
async def test_orders_and_refunds_do_not_stop_each_other(shop: Shop, away: str, told: list[int]) -> None:
    """What can be read is told; without a watermark, so that the next poll looks again from where both were read."""
    keys = await refunded_orders(shop, START + timedelta(hours=5))
    connector = shop.connect()
    assert isinstance(connector, ReadsOrders)
    await shop.fault("status", args={"status": 503}, path=away)
    found: list[ChangePage] = []

    async def poll() -> None:
        async for page in connector.changed_orders(START):
            found.append(page)

    with pytest.raises(Transient):
        await poll()
    assert [page.watermark for page in found] == [None]
    assert sorted(change.key for change in found[0].changes) == [keys[at] for at in told]
    await shop.control("/faults", method="DELETE")
    again = [page async for page in connector.changed_orders(START)]
    assert again[-1].watermark == START + timedelta(hours=5)
