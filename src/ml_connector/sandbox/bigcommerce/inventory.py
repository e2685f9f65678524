"""Stock of the store: locations, items, quantities, and what orders take from them.

An item is a product or a variant whose stock is tracked; products that nobody put into stock are not items.
Adjustments are accepted at once and applied later (`inventory_delay_s` of the store's settings), in the order in which
they were accepted. Orders take their lines from the default location when they are placed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

Doc = dict[str, Any]
MOST = 2_147_483_647
DEFAULT_LOCATION = 1
TAKES_NOTHING = frozenset({0, 5, 6})
"""Statuses of orders that hold no stock: incomplete, cancelled, declined."""


@dataclass(slots=True)
class Item:
    """`tracked_by`: product or variant, as the product's `inventory_tracking` says. `refuses`: adjustments, since
    somebody else works on it."""

    sku: str
    product_id: int
    variant_id: int
    tracked_by: str = "product"
    refuses: bool = False

    def identity(self) -> Doc:
        return {"sku": self.sku, "variant_id": self.variant_id, "product_id": self.product_id, "sku_id": None}


@dataclass(slots=True)
class Level:
    """One item at one location. `counted`: an absolute quantity was set once, so relative ones may follow."""

    on_hand: int = 0
    safety_stock: int = 0
    is_in_stock: bool = True
    warning_level: int = 0
    bin_picking_number: str = ""
    counted: bool = False

    @property
    def available(self) -> int:
        return self.on_hand - self.safety_stock

    def settings(self) -> Doc:
        names = ("safety_stock", "is_in_stock", "warning_level", "bin_picking_number")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Change:
    """An accepted adjustment of one item."""

    location_id: int
    sku: str
    quantity: int
    absolute: bool


@dataclass(slots=True)
class Inventory:
    """`oversold`: (order, SKU, quantity) of what was bought while the default location had less. `applied`: every
    change in the order in which it took effect."""

    locations: dict[int, Doc] = field(default_factory=dict[int, Doc])
    items: dict[str, Item] = field(default_factory=dict[str, Item])
    levels: dict[tuple[int, str], Level] = field(default_factory=dict[tuple[int, str], Level])
    taken: dict[int, dict[str, int]] = field(default_factory=dict[int, dict[str, int]])
    oversold: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])
    applied: list[Change] = field(default_factory=list[Change])

    def __post_init__(self) -> None:
        if not self.locations:
            self.locations[DEFAULT_LOCATION] = location(DEFAULT_LOCATION, "BC-LOCATION-1", "Default location")

    def level(self, location_id: int, sku: str) -> Level:
        return self.levels.setdefault((location_id, sku), Level())

    def find(self, key: str, value: object) -> Item | None:
        """By `sku`, `variant_id` or `product_id`."""
        if key == "sku":
            return self.items.get(str(value))
        return next((item for item in self.items.values() if getattr(item, key) == value), None)

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            level = self.level(change.location_id, change.sku)
            level.on_hand = change.quantity if change.absolute else level.on_hand + change.quantity
            level.counted = True
        self.applied += changes

    def follow(self, order_id: int, status_id: int, lines: Sequence[Mapping[str, Any]]) -> None:
        """What an order takes, made true: after it was placed, edited, cancelled."""
        wanted: dict[str, int] = {}
        if status_id not in TAKES_NOTHING:
            for line in lines:
                if line.get("sku") in self.items:
                    wanted[line["sku"]] = wanted.get(line["sku"], 0) + int(line["quantity"])
        held = self.taken.get(order_id, {})
        for sku in wanted.keys() | held.keys():
            more = wanted.get(sku, 0) - held.get(sku, 0)
            level = self.level(DEFAULT_LOCATION, sku)
            if more > max(level.available, 0):
                self.oversold.append((order_id, sku, more - max(level.available, 0)))
            level.on_hand -= more
        self.taken[order_id] = wanted


def location(number: int, code: str, label: str, *, enabled: bool = True) -> Doc:
    return {
        "id": number,
        "code": code,
        "label": label,
        "description": "",
        "managed_by_external_source": True,
        "type_id": "PHYSICAL",
        "enabled": enabled,
        "operating_hours": {},
        "time_zone": "Etc/UTC",
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-01T00:00:00Z",
        "address": {"address1": "1 Main Street", "city": "Austin", "state": "TX", "zip": "78701", "country_code": "US"},
        "storefront_visibility": True,
        "special_hours": [],
    }


def put(inventory: Inventory, body: Mapping[str, Any], product_of: Callable[[str], tuple[int, int]]) -> int:
    """The merchant's own hand: `locations` to add, `items` to set at once (`sku`, `quantity`, `location_id`,
    `tracked_by`, `safety_stock`, `refuses`). `product_of`: product and variant of a SKU, made where
    it is new. How many items."""
    locations = cast("list[Doc]", body.get("locations") or [])
    for each in locations:
        number = int(each["id"])
        inventory.locations[number] = location(
            number, str(each["code"]), str(each.get("label") or each["code"]), enabled=bool(each.get("enabled", True))
        )
    items = cast("list[Doc]", body.get("items") or [])
    for each in items:
        sku = str(each["sku"])
        known = inventory.items.get(sku)
        if known is None:
            product_id, variant_id = product_of(sku)
            known = inventory.items[sku] = Item(sku, product_id, variant_id)
        known.refuses = bool(each.get("refuses", known.refuses))
        known.tracked_by = str(each.get("tracked_by", known.tracked_by))
        level = inventory.level(int(each.get("location_id", DEFAULT_LOCATION)), sku)
        if "quantity" in each:
            level.on_hand, level.counted = int(each["quantity"]), True
        level.safety_stock = int(each.get("safety_stock", level.safety_stock))
    return len(items)
