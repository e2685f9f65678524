"""Inventory v3 of the stand-in: what a client may rely on, and what it may not."""

from typing import Any

import pytest

from tests.sandbox.bigcommerce.shop import Shop, seeded, until_state

ABSOLUTE, RELATIVE, ITEMS = (
    "/v3/inventory/adjustments/absolute",
    "/v3/inventory/adjustments/relative",
    "/v3/inventory/items",
)


async def stocked(shop: Shop, *items: dict[str, Any], **more: Any) -> None:
    await shop.control("POST", "/inventory", {"items": list(items), **more})


async def on_hand(shop: Shop, sku: str, place: int = 1) -> int:
    rows = await shop.state("inventory", f"?sku={sku}")
    return next(row["on_hand"] for row in rows if row["location_id"] == place)


def level(sku: str, quantity: int, place: int = 1) -> dict[str, Any]:
    return {"location_id": place, "sku": sku, "quantity": quantity}


async def test_items_are_told_with_each_location_that_knows_them(shop: Shop) -> None:
    await stocked(
        shop,
        {"sku": "PLATE", "quantity": 7, "safety_stock": 2},
        {"sku": "PLATE", "quantity": 3, "location_id": 5},
        locations=[{"id": 5, "code": "WEST"}],
    )
    (row,) = (await shop.get(f"{ITEMS}?sku:in=PLATE,NONE")).data
    assert row["identity"] == {"sku": "PLATE", "variant_id": 6001, "product_id": 1001, "sku_id": None}
    told = {
        each["location_id"]: (each["total_inventory_onhand"], each["available_to_sell"]) for each in row["locations"]
    }
    assert told == {1: (7, 5), 5: (3, 3)}
    (only,) = (await shop.get(f"{ITEMS}?location_id:in=5")).data
    assert [each["location_code"] for each in only["locations"]] == ["WEST"]
    (flat,) = (await shop.get("/v3/inventory/locations/5/items")).data
    assert flat["total_inventory_onhand"] == 3
    assert [each["code"] for each in (await shop.get("/v3/inventory/locations?is_default=true")).data] == [
        "BC-LOCATION-1"
    ]


async def test_a_page_has_a_thousand_items_at_most(shop: Shop) -> None:
    await stocked(shop, *({"sku": f"S{n:04}", "quantity": n} for n in range(1001)))
    first = await shop.get(f"{ITEMS}?limit=1000")
    assert len(first.data) == 1000
    assert first.json["meta"]["pagination"]["total"] == 1001
    assert (await shop.get(f"{ITEMS}?limit=1001")).status == 413


async def test_an_adjustment_is_accepted_and_takes_effect_later_in_order(shop: Shop) -> None:
    await stocked(shop, {"sku": "PLATE", "quantity": 1})
    await shop.control("POST", "/settings", {"inventory_delay_s": 0.3})
    for quantity in (10, 20):
        answer = await shop.api("PUT", ABSOLUTE, {"reason": "count", "items": [level("PLATE", quantity)]})
        assert answer.status == 200
        assert set(answer.json) == {"transaction_id"}
    assert await on_hand(shop, "PLATE") == 1
    await until_state(shop, "inventory", lambda rows: rows[0]["on_hand"] == 20, "the second is the last")


async def test_a_refused_request_changes_nothing(shop: Shop) -> None:
    await stocked(shop, {"sku": "PLATE", "quantity": 1}, {"sku": "LAMP", "quantity": 1, "tracked_by": "variant"})
    answer = await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 9), level("NONE", 9)]})
    assert answer.status == 422
    assert await on_hand(shop, "PLATE") == 1
    many = [level("PLATE", 2)] * 2001
    assert (await shop.api("PUT", ABSOLUTE, {"items": many})).status == 413
    assert (await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 2_147_483_648)]})).status == 422
    assert (await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 2, place=9)]})).status == 422
    assert (await shop.api("PUT", ABSOLUTE, {"items": [{**level("PLATE", 2), "product_id": 1001}]})).status == 422


async def test_an_item_answers_to_the_id_that_it_is_tracked_by(shop: Shop) -> None:
    await stocked(shop, {"sku": "PLATE", "quantity": 1})
    by_variant = {"location_id": 1, "variant_id": 6001, "quantity": 5}
    answer = await shop.api("PUT", ABSOLUTE, {"items": [by_variant]})
    assert (
        answer.json["title"] == "[Item with variant_id 6001 is tracked by product, please update stock by product id]"
    )
    await shop.control("POST", "/settings", {"inventory_sku_names_variants": True})
    assert "tracked by product" in (await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 5)]})).json["title"]
    by_product = {"location_id": 1, "product_id": 1001, "quantity": 5}
    assert (await shop.api("PUT", ABSOLUTE, {"items": [by_product]})).status == 200
    assert await on_hand(shop, "PLATE") == 5


async def test_relative_needs_an_absolute_before(shop: Shop) -> None:
    await stocked(shop, {"sku": "PLATE"})
    answer = await shop.api("POST", RELATIVE, {"items": [level("PLATE", 2)]})
    assert answer.json["title"] == "Items with identity: [sku PLATE] requires absolute adjustment before relative"
    await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 3)]})
    assert (await shop.api("POST", RELATIVE, {"items": [level("PLATE", -2)]})).status == 200
    assert await on_hand(shop, "PLATE") == 1
    assert (await shop.api("POST", RELATIVE, {"items": [level("PLATE", -2)]})).status == 422


async def test_settings_of_items(shop: Shop) -> None:
    await stocked(shop, {"sku": "PLATE", "quantity": 5})
    path = "/v3/inventory/locations/1/items"
    row = {"identity": {"sku": "PLATE"}, "safety_stock": 2}
    assert (await shop.api("PUT", path, {"settings": [row]})).status == 200
    assert (await shop.state("inventory"))[0]["available"] == 3
    empty = await shop.api("PUT", path, {"settings": [{"identity": {"sku": "PLATE"}}]})
    assert empty.json["errors"]["setting.0.settings"].startswith("At least one setting")


async def test_orders_take_their_lines_and_a_cancelled_one_gives_them_back(shop: Shop) -> None:
    skus = [row["sku"] for row in (await shop.state("products"))]
    await stocked(shop, *({"sku": sku, "quantity": 100} for sku in skus))
    order = await seeded(shop, "paid", several=1)
    (whole,) = await shop.state("orders")
    for line in whole["products"]:
        assert await on_hand(shop, line["sku"]) == 100 - line["quantity"]
    await shop.control("POST", f"/orders/{order}/cancel", {})
    assert {row["on_hand"] for row in await shop.state("inventory")} == {100}
    assert await shop.state("oversold") == []


async def test_what_was_not_there_is_told_as_oversold(shop: Shop) -> None:
    skus = [row["sku"] for row in (await shop.state("products"))]
    await stocked(shop, *({"sku": sku, "quantity": 0} for sku in skus))
    order = await seeded(shop, "paid", several=1)
    (whole,) = await shop.state("orders")
    lines = {line["sku"]: line["quantity"] for line in whole["products"]}
    assert {sku: short for number, sku, short in await shop.state("oversold") if number == order} == lines


@pytest.mark.parametrize("scope", ["store_inventory", "store_inventory_read_only"])
async def test_reading_is_open_to_the_read_only_scope_and_writing_is_not(shop: Shop, scope: str) -> None:
    await stocked(shop, {"sku": "PLATE", "quantity": 5})
    account = {"access_token": "t", "client_id": "c", "scopes": [scope]}
    await shop.control("POST", "/accounts", account)
    headers = {"X-Auth-Token": "t"}
    assert (await shop.api("GET", ITEMS, headers=headers)).status == 200
    written = await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 1)]}, headers=headers)
    assert written.status == (200 if scope == "store_inventory" else 403)


async def test_an_accepted_adjustment_may_be_lost(shop: Shop) -> None:
    await stocked(shop, {"sku": "PLATE", "quantity": 5})
    await shop.control("POST", "/faults", [{"fault": "inventory_lost", "match": {"path": "absolute", "times": 1}}])
    assert (await shop.api("PUT", ABSOLUTE, {"items": [level("PLATE", 9)]})).status == 200
    assert await on_hand(shop, "PLATE") == 5
