"""What the store should have on hand of a SKU. Pure: ERP stock + mapping + policy + orders on their way -> quantities.

    quantity at a location = sum over its warehouses of (in stock - committed [+ on order]) - safety,
                             less what store orders have taken that the ERP has not counted yet,
                             never below zero, in whole pieces

An absolute write overwrites what the store has taken off for its own orders: an order that the ERP does not know yet
must be subtracted here, or its goods are offered a second time.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.domain.stock import ItemStock, Level, StoreStock, WarehouseStock

MOST = 2_147_483_647
"""The store counts no further."""

_TAKES_NOTHING = frozenset({0, 5, 6})  # incomplete, cancelled, declined
_GONE = frozenset({2, 4, 10})  # shipped, refunded, completed: nothing of it is still to leave the warehouse


@dataclass(frozen=True, slots=True)
class StockPlan:
    """`wanted` by location; `writes`: where the store has something else. `raises`: a write would offer more than the
    store does now, which must not be goods that an order has just taken."""

    wanted: Mapping[int, int]
    writes: tuple[Level, ...]
    raises: bool


def item_of(sku: str, mapping: Tables) -> str:
    """The ERP's item of a SKU. Raises `Unmapped`."""
    item = mapping.items.get(sku) or (sku if mapping.items_match == "sku" else "")
    if not item:
        raise Unmapped("item", sku)
    return item


class SkusOfItems:
    """The way back: which SKUs show an item's stock. Several may; none where the item is not sold under a SKU.

    `only`: the items that will be asked for; None: any.
    """

    def __init__(self, mapping: Tables, only: Collection[str] | None = None) -> None:
        self._same = mapping.items_match == "sku"
        self._listed = mapping.items
        self._by_item: dict[str, list[str]] = {}
        for sku, item in mapping.items.items():
            if sku and (only is None or item in only):
                self._by_item.setdefault(item, []).append(sku)

    def of(self, item: str) -> tuple[str, ...]:
        listed = self._by_item.get(item, [])
        return (*listed, item) if self._same and item not in self._listed else tuple(listed)


def other_spellings(skus: Iterable[str], mapping: Tables) -> dict[str, frozenset[str]]:
    """By item in capitals, the SKUs that name it otherwise: there are ERPs that know items in capitals alone.

    `skus`: of the store, as far as they are known.
    """
    found: dict[str, set[str]] = {}
    for sku in {*filter(None, mapping.items), *skus}:
        with suppress(Unmapped):
            item = item_of(sku, mapping)
            if item != item.upper():
                found.setdefault(item.upper(), set()).add(sku)
    return {item: frozenset(named) for item, named in found.items()}


def skus_beside(skus: Iterable[str], mapping: Tables) -> dict[str, tuple[str, frozenset[str]]]:
    """Each of these SKUs that has an item, with it and every SKU that shows it, itself among them."""
    items: dict[str, str] = {}
    for sku in skus:
        with suppress(Unmapped):
            items[sku] = item_of(sku, mapping)
    others = SkusOfItems(mapping, frozenset(items.values()))
    return {sku: (item, frozenset({sku, *others.of(item)})) for sku, item in items.items()}


def location_of(warehouse: str, mapping: Tables) -> int | None:
    """Of a warehouse, or of the whole that it is a part of; None: it does not feed the store."""
    return mapping.warehouses.get(warehouse) or mapping.warehouses.get(warehouse.partition("/")[0])


def available(stock: ItemStock, mapping: Tables, policy: Policy) -> dict[int, int]:
    """Whole pieces to sell by location, before orders on their way; every mapped location is named."""
    sums: dict[int, Decimal] = dict.fromkeys(mapping.warehouses.values(), ZERO)
    if stock.sellable:
        for warehouse, each in stock.warehouses.items():
            location = location_of(warehouse, mapping)
            if location is not None:
                sums[location] += _to_promise(each, policy)
    return {
        location: min(MOST, max(0, int(total.to_integral_value(ROUND_FLOOR)) - policy.stock_safety))
        for location, total in sums.items()
    }


def scan_digest(stock: ItemStock, skus: Iterable[str], mapping: Tables, policy: Policy) -> str:
    """Another one as soon as any of these SKUs may want other quantities, also by the mapping or the policy."""
    facts = [
        stock.digest,
        *sorted(skus),
        *(f"{warehouse}={location}" for warehouse, location in sorted(mapping.warehouses.items())),
        f"{policy.stock_safety}|{policy.stock_back_order}",
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def _to_promise(stock: WarehouseStock, policy: Policy) -> Decimal:
    more = stock.on_order if policy.stock_back_order == "on_order" else ZERO
    return stock.in_stock - stock.committed + more


def plan_stock(
    stock: ItemStock,
    store: StoreStock,
    mapping: Tables,
    policy: Policy,
    *,
    reserved: int = 0,
    default_location: int | None = None,
) -> StockPlan:
    """`reserved`: pieces that store orders have taken and the ERP's figure does not show yet."""
    wanted = _less(available(stock, mapping, policy), reserved, default_location)
    return compared(store, wanted)


def compared(store: StoreStock, wanted: Mapping[int, int]) -> StockPlan:
    """What has to be written so that the store has what is wanted."""
    differing = {place: count for place, count in wanted.items() if store.on_hand.get(place) != count}
    return StockPlan(
        wanted=wanted,
        writes=tuple(Level(store.sku, place, count) for place, count in sorted(differing.items())),
        raises=any(count > store.on_hand.get(place, 0) for place, count in differing.items()),
    )


def nothing_to_sell(store: StoreStock, mapping: Tables) -> StockPlan:
    """The oversell guard's plan: zero wherever the store offers more."""
    places = set(mapping.warehouses.values())
    return compared(store, {place: 0 for place, count in store.on_hand.items() if place in places and count > 0})


def _less(levels: Mapping[int, int], reserved: int, default_location: int | None) -> dict[int, int]:
    """The store takes orders from its default location first; what that lacks comes from the others, in order."""
    left = dict(levels)
    first = [place for place in (default_location,) if place in left]
    for place in [*first, *sorted(place for place in left if place != default_location)]:
        taken = min(left[place], reserved)
        left[place] -= taken
        reserved -= taken
    return left


def open_quantities(snapshot: OrderSnapshot, *, leaves_by_shipment: bool) -> dict[str, int]:
    """Pieces by SKU that the order has taken off the store's stock and that the ERP may still count.

    `leaves_by_shipment`: what we post moves no stock there (journal entries), so the ERP's own goods issue does, which
    is taken to have happened when the store shows the shipment. Elsewhere our document takes the goods out, and who
    adds these up looks whether it is posted.
    """
    status = snapshot.order.status_id
    if status in _TAKES_NOTHING or snapshot.order.is_deleted or (leaves_by_shipment and status in _GONE):
        return {}
    return _by_sku(
        (line.sku, line.quantity - (max(line.quantity_shipped, line.quantity_refunded) if leaves_by_shipment else 0))
        for line in snapshot.lines
        if line.sku and line.type != "giftcertificate"
    )


def _by_sku(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for sku, count in counts:
        if count > 0:
            sums[sku] = sums.get(sku, 0) + count
    return sums
