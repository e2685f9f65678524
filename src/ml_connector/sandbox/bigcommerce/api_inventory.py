"""Inventory v3: locations, quantities by location, absolute and relative adjustments, settings of a location's items.

A 200 says that an adjustment was accepted; it takes effect `inventory_delay_s` later. No call tells what became of a
transaction. A refused request changes nothing at all.
"""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from aiohttp import web

from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found, unprocessable
from ml_connector.sandbox.bigcommerce.inventory import MOST, Change, Inventory, Item, Level
from ml_connector.sandbox.bigcommerce.tables_inventory import ADJUSTMENTS, KEYS, LOCATION_SETTINGS
from ml_connector.sandbox.bigcommerce.web import Call, answer, id_list, must_fit_v3, v3_page, words

Doc = dict[str, Any]
READ_AT_ONCE = 1000
WRITTEN_AT_ONCE = 2000


def list_locations(call: Call) -> web.Response:
    query = call.query
    found = list(call.store.inventory.locations.values())
    if "location_id:in" in query:
        found = [each for each in found if each["id"] in id_list(query["location_id:in"])]
    if "location_code:in" in query:
        found = [each for each in found if each["code"] in words(query["location_code:in"])]
    if "is_active" in query:
        found = [each for each in found if each["enabled"] == (query["is_active"] == "true")]
    if "is_default" in query:
        found = [each for each in found if (each["id"] == 1) == (query["is_default"] == "true")]
    return v3_page(call, found, lambda each: each, most=READ_AT_ONCE)


def list_items(call: Call) -> web.Response:
    """Every item, or those asked for, with each location that knows it."""
    inventory, query = call.store.inventory, call.query
    places = _places(call)

    def shown(item: Item) -> Doc:
        return {
            "identity": item.identity(),
            "locations": [
                {
                    "location_id": place,
                    "location_code": inventory.locations[place]["code"],
                    "location_name": inventory.locations[place]["label"],
                    "location_enabled": inventory.locations[place]["enabled"],
                    **_quantities(inventory.levels[place, item.sku]),
                }
                for place in places
                if (place, item.sku) in inventory.levels
            ],
        }

    return v3_page(call, _asked(inventory, query), shown, most=READ_AT_ONCE)


def list_location_items(call: Call) -> web.Response:
    inventory, place = call.store.inventory, call.path_id("location_id")
    if place not in inventory.locations:
        raise not_found()
    found = [item for item in _asked(inventory, call.query) if (place, item.sku) in inventory.levels]

    def shown(item: Item) -> Doc:
        identity = {name: value for name, value in item.identity().items() if name != "sku_id"}
        return {"identity": identity, **_quantities(inventory.levels[place, item.sku])}

    return v3_page(call, found, shown, most=READ_AT_ONCE)


def set_location_items(call: Call) -> web.Response:
    """Settings of a location's items; what is not named stays."""
    inventory, place = call.store.inventory, call.path_id("location_id")
    if place not in inventory.locations:
        raise not_found()
    body = call.document()
    must_fit_v3(LOCATION_SETTINGS, body)
    rows = _at_most(body["settings"])
    wanted: list[tuple[Level, Doc]] = []
    for number, row in enumerate(rows):
        given = {name: value for name, value in row.items() if name != "identity"}
        if not given:
            words_ = "At least one setting must be specified: warning_level, is_in_stock or safety_stock"
            raise unprocessable({f"setting.{number}.settings": words_}, "Payload contains invalid fields")
        item = _item(call, cast("Doc", row.get("identity") or {}))
        wanted.append((inventory.level(place, item.sku), given))
    for level, given in wanted:
        for name, value in given.items():
            setattr(level, name, value)
    return _accepted()


def set_absolute(call: Call) -> web.Response:
    return _adjust(call, absolute=True)


def change_relative(call: Call) -> web.Response:
    return _adjust(call, absolute=False)


def _adjust(call: Call, *, absolute: bool) -> web.Response:
    inventory = call.store.inventory
    body = call.document()
    must_fit_v3(ADJUSTMENTS, body)
    changes: list[Change] = []
    for number, row in enumerate(_at_most(body["items"])):
        place, quantity = int(row["location_id"]), int(row["quantity"])
        if place not in inventory.locations:
            raise unprocessable({f"items.{number}.location_id": "The location does not exist."})
        if quantity > MOST or (absolute and quantity < 0):
            raise unprocessable({f"items.{number}.quantity": "The quantity is out of range."})
        item = _item(call, row)
        if item.refuses:
            raise unprocessable({f"items.{number}": "The item cannot be adjusted."}, "Payload contains invalid fields")
        level = inventory.level(place, item.sku)
        if not absolute:
            if not level.counted:
                key = next(name for name in KEYS if name in row)
                raise unprocessable(
                    {}, f"Items with identity: [{key} {row[key]}] requires absolute adjustment before relative"
                )
            if level.on_hand + quantity < 0:
                raise unprocessable({}, f"Not enough stock of {item.sku}")
        changes.append(Change(place, item.sku, quantity, absolute))
    if call.fault("inventory_lost") is None:
        call.store.at(call.store.settings.inventory_delay_s, lambda: _take_effect(call, changes))
    return _accepted()


def _take_effect(call: Call, changes: Sequence[Change]) -> None:
    store = call.store
    store.inventory.apply(changes)
    for change in changes:
        item = store.inventory.items[change.sku]
        method = "absolute" if change.absolute else "relative"
        store.on_event(
            "store/sku/inventory/updated" if item.tracked_by == "variant" else "store/product/inventory/updated",
            {
                "type": "product",
                "id": item.product_id,
                "inventory": {
                    "product_id": item.product_id,
                    "method": method,
                    "value": change.quantity,
                    "variant_id": item.variant_id,
                },
            },
        )


def _item(call: Call, row: Doc) -> Item:
    """The item that a row names by exactly one key, the one by which it is tracked."""
    named = [name for name in KEYS if name in row]
    if len(named) != 1:
        raise unprocessable({"items": "One of the sku, product_id, or variant_id is required to identify the item."})
    key = named[0]
    item = call.store.inventory.find(key, row[key])
    if item is None:
        raise unprocessable({}, f"Items with identity: [{key} {row[key]}] do not exist")
    strict = key == "sku" and call.store.settings.inventory_sku_names_variants
    if item.tracked_by == "product" and (key == "variant_id" or strict):
        raise unprocessable(
            {}, f"[Item with {key} {row[key]} is tracked by product, please update stock by product id]"
        )
    if item.tracked_by == "variant" and key == "product_id":
        raise unprocessable(
            {}, f"[Item with {key} {row[key]} is tracked by variant, please update stock by variant id]"
        )
    return item


def _at_most(rows: list[Doc]) -> list[Doc]:
    if len(rows) > WRITTEN_AT_ONCE:
        raise ApiError(413, f"The maximum items allowed in the array is {WRITTEN_AT_ONCE}.")
    return rows


def _places(call: Call) -> list[int]:
    known, query = call.store.inventory.locations, call.query
    found = list(known)
    if "location_id:in" in query:
        found = [place for place in found if place in id_list(query["location_id:in"])]
    if "location_code:in" in query:
        found = [place for place in found if known[place]["code"] in words(query["location_code:in"])]
    return found


def _asked(inventory: Inventory, query: Any) -> list[Item]:
    if "sku:in" in query:
        return [inventory.items[sku] for sku in query["sku:in"].split(",") if sku in inventory.items]
    found = list(inventory.items.values())
    for name in ("variant_id", "product_id"):
        if f"{name}:in" in query:
            wanted = id_list(query[f"{name}:in"])
            found = [item for item in found if getattr(item, name) in wanted]
    return found


def _quantities(level: Level) -> Doc:
    return {
        "available_to_sell": level.available,
        "total_inventory_onhand": level.on_hand,
        "settings": level.settings(),
    }


def _accepted() -> web.Response:
    return answer({"transaction_id": str(uuid.uuid4())})
