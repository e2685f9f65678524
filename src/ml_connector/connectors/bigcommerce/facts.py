"""What orders need beside themselves and what seldom changes: the store, categories, customers' groups."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import LARGEST_PAGE, Client, Json, whole_of
from ml_connector.connectors.errors import Rejected, Transient, Unauthorized

STORE_LIFETIME_S = 3600.0
CATEGORY_LIFETIME_S = 900.0
_CACHED_PRODUCTS = 50_000
IDS_PER_CALL = 100


def chunks(ids: Iterable[int], size: int = IDS_PER_CALL) -> list[str]:
    """Ascending IDs joined by commas, `size` at most each, as `:in` filters take them."""
    ordered = sorted(set(ids))
    return [",".join(map(str, ordered[at : at + size])) for at in range(0, len(ordered), size)]


class StoreFacts:
    """The store's own facts and its products' categories, each kept for a while in this process."""

    def __init__(self, client: Client, store_hash: str) -> None:
        self._client = client
        self._store_hash = store_hash
        self._lock = asyncio.Lock()
        self._store: tuple[float, Json] | None = None
        self._categories: dict[int, tuple[float, Sequence[int]]] = {}

    async def store(self) -> Json:
        """`GET /v2/store` (name, time zone, currency), with `store_hash`."""
        async with self._lock:
            now = time.monotonic()
            if self._store is None or now - self._store[0] > STORE_LIFETIME_S:
                told = await self._ask_store()
                self._store = (now, {**told, "store_hash": self._store_hash})
            return self._store[1]

    async def _ask_store(self) -> Json:
        """Raises `Unauthorized` where there is no store: the connection is wrong, whatever record asked first."""
        try:
            told = await self._client.get("/v2/store")
        except Rejected as error:
            if error.status != 404:
                raise
            words = "there is no store at this address: check base_url and store_hash of the connection"
            raise Unauthorized(
                f"GET /v2/store: {words}", system=SYSTEM, status=error.status, request_id=error.request_id
            ) from error
        if not isinstance(told, dict):
            raise Transient("GET /v2/store: the answer does not describe a store", system=SYSTEM)
        return cast(Json, told)

    async def categories(self, product_ids: Collection[int]) -> Mapping[int, Sequence[int]]:
        """Category IDs by product ID; products that the catalogue no longer has are absent.

        One call for 100 products that are not cached.
        """
        now = time.monotonic()
        fresh = {product for product, (until, _) in self._categories.items() if until > now}
        missing = {product for product in product_ids if product > 0} - fresh
        if len(self._categories) + len(missing) > _CACHED_PRODUCTS:
            self._categories.clear()
            missing = {product for product in product_ids if product > 0}
        for ids in chunks(missing):
            query = {"id:in": ids, "include_fields": "categories", "limit": LARGEST_PAGE}
            rows = self._client.data(await self._client.get("/v3/catalog/products", query), "/v3/catalog/products")
            for row in rows:
                told = row.get("categories")
                found = tuple(cast(list[Any], told)) if isinstance(told, list) else ()
                self._categories[whole_of(row, "id")] = (now + CATEGORY_LIFETIME_S, found)
        return {product: self._categories[product][1] for product in product_ids if product in self._categories}

    async def customers(self, customer_ids: Collection[int], *, include: str) -> dict[int, Json]:
        """Customers by ID, with `include`; one call for 100."""
        found: dict[int, Json] = {}
        for ids in chunks(customer for customer in customer_ids if customer > 0):
            query: dict[str, Any] = {"id:in": ids}
            if include:
                query["include"] = include
            for row in await self._client.v3_list("/v3/customers", query):
                found[whole_of(row, "id")] = row
        return found
