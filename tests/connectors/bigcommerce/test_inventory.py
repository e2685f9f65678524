"""Reading and writing a store's stock."""

from typing import Any

import pytest

from ml_connector.connectors.base import FreePermit, WritesStock
from ml_connector.connectors.bigcommerce.inventory import FILTER_LENGTH, filters
from ml_connector.connectors.errors import Rejected, Transient
from ml_connector.domain.stock import Level, StoreStock
from tests.connectors.bigcommerce.conftest import Shop
from tests.connectors.shared import TestPermit

ABSOLUTE = "PUT /v3/inventory/adjustments/absolute"
ITEMS = "GET /v3/inventory/items"


async def stocked(shop: Shop, *items: dict[str, Any], **more: Any) -> WritesStock:
    await shop.control("/inventory", {"items": list(items), **more})
    connector = shop.connect()
    assert isinstance(connector, WritesStock)
    return connector


async def levels(shop: Shop) -> dict[tuple[str, int], int]:
    return {(row["sku"], row["location_id"]): row["on_hand"] for row in await shop.state("inventory")}


async def test_quantities_are_told_by_location_and_unknown_skus_are_not(shop: Shop) -> None:
    store = await stocked(
        shop,
        {"sku": "PLATE", "quantity": 7, "safety_stock": 2},
        {"sku": "PLATE", "quantity": 3, "location_id": 5},
        {"sku": "LAMP", "quantity": 1},
        locations=[{"id": 5, "code": "WEST", "enabled": False}],
    )
    assert await store.quantities(["PLATE", "NONE"], [1, 5]) == {"PLATE": StoreStock("PLATE", {1: 7, 5: 3})}
    places = await store.locations()
    assert [(each.id, each.code, each.enabled, each.default) for each in places] == [
        (1, "BC-LOCATION-1", True, True),
        (5, "WEST", False, False),
    ]


async def test_as_few_calls_as_the_length_of_an_address_allows(shop: Shop) -> None:
    skus = [f"SKU-{n:05}" for n in range(1300)]
    store = await stocked(shop, *({"sku": sku, "quantity": 1} for sku in skus))
    assert len(await store.quantities(skus, [1])) == 1300
    assert shop.calls.paths == [ITEMS] * len(filters(skus))
    assert len(filters(skus)) == -(-1300 * len("SKU-00000=") // FILTER_LENGTH)
    shop.calls.calls.clear()
    assert sum([len(page) async for page in store.all_quantities([1])]) == 1300
    assert shop.calls.paths == [ITEMS] * 2


async def test_a_sku_with_a_comma_is_found(shop: Shop) -> None:
    store = await stocked(shop, {"sku": "A,B", "quantity": 4}, {"sku": "A", "quantity": 1})
    assert await store.quantities(["A,B", "A"], [1]) == {"A,B": StoreStock("A,B", {1: 4}), "A": StoreStock("A", {1: 1})}


async def test_levels_go_in_one_absolute_call(shop: Shop) -> None:
    store = await stocked(shop, *({"sku": f"S{n}", "quantity": 0} for n in range(2000)))
    permit = TestPermit()
    await store.set_quantities([Level(f"S{n}", 1, n) for n in range(2000)], permit, reason="test")
    assert shop.calls.paths == [ABSOLUTE]
    assert permit.arms == 1
    assert await levels(shop) == {(f"S{n}", 1): n for n in range(2000)}


async def test_a_refused_permit_writes_nothing(shop: Shop) -> None:
    store = await stocked(shop, {"sku": "PLATE", "quantity": 1})
    with pytest.raises(Exception, match="refused by the test"):
        await store.set_quantities([Level("PLATE", 1, 9)], TestPermit(refuse_arm=True), reason="test")
    assert await levels(shop) == {("PLATE", 1): 1}


@pytest.mark.parametrize("settings", [{"inventory_sku_names_variants": True}])
async def test_an_item_that_is_tracked_otherwise_is_named_otherwise(shop: Shop, settings: dict[str, object]) -> None:
    items = [{"sku": "PLATE", "quantity": 1}, {"sku": "LAMP", "quantity": 1, "tracked_by": "variant"}]
    store = await stocked(shop, *items)
    await shop.control("/settings", settings)
    try:
        await store.quantities(["PLATE", "LAMP"], [1])
        wanted = [Level("LAMP", 1, 4), Level("PLATE", 1, 5)]
        shop.calls.calls.clear()
        await store.set_quantities(wanted, FreePermit(), reason="test")
        assert shop.calls.paths == [ABSOLUTE] * 2
        shop.calls.calls.clear()
        await store.set_quantities(wanted, FreePermit(), reason="test")
        assert shop.calls.paths == [ABSOLUTE]
        assert await levels(shop) == {("LAMP", 1): 4, ("PLATE", 1): 5}
    finally:
        await shop.control("/settings", dict.fromkeys(settings, False))


async def test_a_refusal_is_told_in_the_stores_words(shop: Shop) -> None:
    store = await stocked(shop, {"sku": "PLATE", "quantity": 1})
    with pytest.raises(Rejected, match="do not exist"):
        await store.set_quantities([Level("NONE", 1, 4)], FreePermit(), reason="test")


async def test_a_lost_answer_is_not_repeated(shop: Shop) -> None:
    store = await stocked(shop, {"sku": "PLATE", "quantity": 1})
    await shop.fault("reset_after_commit", path="absolute", nth=1, times=1)
    with pytest.raises(Transient):
        await store.set_quantities([Level("PLATE", 1, 4)], FreePermit(), reason="test")
    assert shop.calls.paths == [ABSOLUTE]
    assert await levels(shop) == {("PLATE", 1): 4}
