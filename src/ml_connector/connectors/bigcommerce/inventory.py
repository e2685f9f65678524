"""The store's stock: quantities on hand by location, and absolute adjustments.

An adjustment that is answered with 200 is accepted, not yet done, and no call tells what became of it. A refused one
changes nothing. Source: "Inventory" (Inventory v3: Items, Adjustments), "Locations" (Locations v3).
"""

import re
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from ml_connector.connectors.base import Permit
from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import Client, Json, Query, object_of, whole_of
from ml_connector.connectors.errors import Rejected, Transient
from ml_connector.connectors.http_answer import encode_query
from ml_connector.connectors.odata import AgainPermit
from ml_connector.domain.stock import Level, StoreLocation, StoreStock

ITEMS = "/v3/inventory/items"
LOCATIONS = "/v3/inventory/locations"
ABSOLUTE = "/v3/inventory/adjustments/absolute"
READ_AT_ONCE = 1000
OPEN_STATUSES = (1, 3, 7, 8, 9, 11, 12, 13, 14)
"""Pending, partly shipped, awaiting something, in verification, disputed, partly refunded."""
WRITTEN_AT_ONCE = 2000
FILTER_LENGTH = 6000
"""Characters of a filter: servers take addresses of 8 kB."""
PLACES_LIFETIME_S = 900.0
_TRACKED_BY = re.compile(r"Item with (sku|variant_id|product_id) (.+?) is tracked by (product|variant)")
_OTHER_KEYS = 20
"""Items of one adjustment that may turn out to be tracked otherwise; each costs a refused call, once."""


class InventoryApi:
    """Remembers how items are named in the store: by SKU, or as the store's refusals ask for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ids: dict[str, Mapping[str, int]] = {}  # SKU -> product_id, variant_id
        self._named_by: dict[str, str] = {}
        self._places: tuple[float, tuple[StoreLocation, ...]] | None = None

    # -------------------------------------------------------------- reads

    async def locations(self) -> tuple[StoreLocation, ...]:
        """Kept for a while: places seldom change."""
        if self._places is None or time.monotonic() > self._places[0]:
            found = [row async for row in self._rows(LOCATIONS, {})]
            default = {whole_of(row, "id") async for row in self._rows(LOCATIONS, {"is_default": "true"})}
            self._places = (time.monotonic() + PLACES_LIFETIME_S, tuple(_location(row, default) for row in found))
        return self._places[1]

    async def quantities(self, skus: Collection[str], locations: Collection[int]) -> dict[str, StoreStock]:
        """As few calls as the length of an address asks for. A SKU with a comma cannot be asked for: then all are
        read."""
        wanted = sorted(set(skus))
        found: dict[str, StoreStock] = {}
        if any("," in sku for sku in wanted):
            async for page in self.all_quantities(locations):
                found |= {stock.sku: stock for stock in page if stock.sku in wanted}
            return found
        for part in filters(wanted):
            async for row in self._rows(ITEMS, {"sku:in": part, **_only(locations)}):
                stock = self._stock(row)
                found[stock.sku] = stock
        return {sku: found[sku] for sku in wanted if sku in found}

    async def all_quantities(self, locations: Collection[int]) -> AsyncIterator[Sequence[StoreStock]]:
        pages = self._client.v3_pages(ITEMS, _only(locations), limit=READ_AT_ONCE, priority="catalogue")
        async for rows in pages:
            yield [stock for row in rows if (stock := self._stock(row)).sku]

    async def open_orders(self) -> AsyncIterator[Sequence[str]]:
        for status in OPEN_STATUSES:
            yield [str(whole_of(row, "id")) for row in await self._client.v2_list("/v2/orders", {"status_id": status})]

    async def _rows(self, path: str, query: Query) -> AsyncIterator[Json]:
        async for rows in self._client.v3_pages(path, query, limit=READ_AT_ONCE, priority="catalogue"):
            for row in rows:
                yield row

    def _stock(self, row: Json) -> StoreStock:
        identity = object_of(row.get("identity"))
        sku = str(identity.get("sku") or "")
        self._ids[sku] = {name: whole_of(identity, name, 0) for name in ("product_id", "variant_id")}
        told: Any = row.get("locations")
        if not isinstance(told, list):
            raise Transient(f"GET {ITEMS}: an item without its locations", system=SYSTEM)
        places = [object_of(place) for place in cast(list[Any], told)]
        return StoreStock(sku, {whole_of(p, "location_id"): whole_of(p, "total_inventory_onhand", 0) for p in places})

    # -------------------------------------------------------------- writes

    async def set_quantities(self, levels: Sequence[Level], permit: Permit, *, reason: str) -> None:
        """One adjustment; again at once where the store asks for another name of an item, for then nothing was done."""
        granted = permit
        for _ in range(_OTHER_KEYS):
            body = {"reason": reason, "items": [self._item(level) for level in levels]}
            try:
                answer = await self._client.put_absolute("PUT", ABSOLUTE, body, permit=granted, priority="catalogue")
            except Rejected as error:
                if not self._learn(error.message, levels):
                    raise
                granted = AgainPermit(permit)
                continue
            if answer.status == 409:
                raise Transient(f"PUT {ABSOLUTE}: the stock is being changed elsewhere", system=SYSTEM, status=409)
            return
        raise Rejected(
            f"PUT {ABSOLUTE}: more than {_OTHER_KEYS} items are tracked otherwise; the next try goes on", system=SYSTEM
        )

    def _item(self, level: Level) -> Json:
        key = self._named_by.get(level.sku, "sku")
        name = level.sku if key == "sku" else self._ids[level.sku][key]
        return {"location_id": level.location, key: name, "quantity": level.quantity}

    def _learn(self, message: str, levels: Sequence[Level]) -> bool:
        """Whether the refusal tells by which ID an item of these must be named."""
        told = _TRACKED_BY.search(message)
        if told is None:
            return False
        key, name, by = told.groups()
        wanted = f"{by}_id"
        for sku in {level.sku for level in levels}:
            ids = self._ids.get(sku)
            named = sku if key == "sku" else str(ids[key]) if ids else ""
            if named == name and ids and ids[wanted] and self._named_by.get(sku) != wanted:
                self._named_by[sku] = wanted
                return True
        return False


def _location(row: Json, default: Collection[int]) -> StoreLocation:
    number = whole_of(row, "id")
    return StoreLocation(
        number,
        str(row.get("code") or ""),
        str(row.get("label") or ""),
        enabled=row.get("enabled") is not False,
        default=number in default,
    )


def filters(skus: Iterable[str]) -> list[str]:
    """SKUs joined by commas, as few texts as the length of an address and the size of a page allow."""
    parts: list[str] = []
    waiting: list[str] = []
    length = 0
    for sku in skus:
        size = len(encode_query({"": sku}))
        if waiting and (length + size > FILTER_LENGTH or len(waiting) == READ_AT_ONCE):
            parts.append(",".join(waiting))
            waiting, length = [], 0
        waiting.append(sku)
        length += size
    if waiting:
        parts.append(",".join(waiting))
    return parts


def _only(locations: Collection[int]) -> dict[str, str]:
    return {"location_id:in": ",".join(map(str, sorted(set(locations))))} if locations else {}
