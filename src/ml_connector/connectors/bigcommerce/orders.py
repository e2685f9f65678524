"""Complete order snapshots with the fewest calls.

Calls for a batch of n orders, L of them in neighbouring ID windows and c of them discounted:

| call | how many |
|---|---|
| order with lines, ship-to addresses and fees | one per window of IDs (at most 250 wide), else one per order |
| taxes, transactions | two per order, in parallel |
| coupons | one per discounted order |
| refunds | one per 100 orders |
| second look | one per window, two for the batch where it has more than two windows |
| lines, addresses, fees of their own | only where the order's own answer is not complete |

One order alone costs 5 calls (6 with a discount), a batch of 50 neighbours 103. The second look makes sure that no
snapshot mixes an old with a new state: an order that changed meanwhile is read again.
"""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from ml_connector.connectors.bigcommerce import consignments
from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.changes import moment, written
from ml_connector.connectors.bigcommerce.client import LARGEST_PAGE, Client, Json, paging_of, whole_of
from ml_connector.connectors.bigcommerce.facts import StoreFacts, chunks
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.bigcommerce.wire import WireError, snapshot_from
from ml_connector.connectors.bigcommerce.wire_fields import number_in
from ml_connector.connectors.errors import Rejected, Transient
from ml_connector.connectors.gathering import together
from ml_connector.domain.orders import B2BFacts, OrderSnapshot

READS_AT_MOST = 3
_GAP = 25  # unwanted orders that a list may carry between two wanted ones before two calls are cheaper
_WITH_LINES = {"include": consignments.INCLUDE, "consignment_structure": "object"}

# What tells that an order is not the one that was read before: the stamp has whole seconds only, so it is not enough.
_WATCHED = (
    "date_modified",
    "status_id",
    "payment_status",
    "customer_id",
    "items_total",
    "total_inc_tax",
    "total_ex_tax",
    "discount_amount",
    "coupon_discount",
    "store_credit_amount",
    "gift_certificate_amount",
    "is_deleted",
)


@dataclass(frozen=True, slots=True)
class Window:
    """Wanted orders whose IDs lie close enough to be read by one list call."""

    ids: tuple[int, ...]

    @property
    def query(self) -> Mapping[str, str | int]:
        return {"min_id": self.ids[0], "max_id": self.ids[-1], "limit": LARGEST_PAGE}


def windows(ids: Iterable[int]) -> list[Window]:
    """Neighbours together: a gap of at most 25, at most 250 IDs from first to last."""
    groups: list[list[int]] = []
    for key in sorted(set(ids)):
        if groups and key - groups[-1][-1] <= _GAP and key - groups[-1][0] < LARGEST_PAGE:
            groups[-1].append(key)
        else:
            groups.append([key])
    return [Window(tuple(group)) for group in groups]


class OrderReader:
    """Reads complete orders of one store."""

    def __init__(self, client: Client, facts: StoreFacts, settings: StoreSettings) -> None:
        self._client = client
        self._facts = facts
        self._settings = settings

    async def read(self, keys: Sequence[str]) -> Mapping[str, OrderSnapshot]:
        """Snapshots by key; keys that the store does not know are absent.

        Raises `ConnectorError`; `Transient` when an order changed at every reading, `Rejected` on unusable data.
        """
        found: dict[str, OrderSnapshot] = {}
        wanted = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) <= 18]
        for _ in range(READS_AT_MOST):
            if not wanted:
                return found
            bracket = await self._newest_stamp(wanted)
            heads = await self._heads(windows(wanted), _WITH_LINES)
            parts = await self._parts(heads)
            now = await self._second_look(heads, bracket)
            same = [key for key, head in heads.items() if unchanged(head, now.get(key, {}))]
            found |= {str(key): self._snapshot(parts[key]) for key in same}
            wanted = sorted(heads.keys() - same)
        if wanted:
            shown = ", ".join(map(str, wanted[:10]))
            raise Transient(f"order {shown} changed at each of {READS_AT_MOST} readings", system=SYSTEM)
        return found

    # ------------------------------------------------------------------ the order itself

    async def _heads(self, ranges: Sequence[Window], extra: Mapping[str, str]) -> dict[int, Json]:
        """The orders by ID: neighbours by list, others and those that lists hide (archived) one by one."""
        lists = [window for window in ranges if len(window.ids) > 1]
        rows = await together(self._client.v2_page("/v2/orders", {**window.query, **extra}) for window in lists)
        wanted = {key for window in ranges for key in window.ids}
        found = {id: row for page in rows for row in page if (id := whole_of(row, "id")) in wanted}
        missing = sorted(wanted - found.keys())
        details = await together(self._client.find(f"/v2/orders/{key}", extra or None) for key in missing)
        if not all(detail is None or isinstance(detail, dict) for detail in details):
            raise Transient("GET /v2/orders/{id}: the answer is not an order", system=SYSTEM)
        return found | {key: detail for key, detail in zip(missing, details, strict=True) if detail is not None}

    async def _newest_stamp(self, wanted: Sequence[int]) -> str | None:
        """For a scattered batch: the newest `date_modified` in the store before anything is read."""
        if len(windows(wanted)) <= 2:
            return None
        rows = await self._client.v2_page("/v2/orders", {"sort": "date_modified:desc", "limit": 1})
        if not rows:
            return ""
        # One second less, as it is not documented that the bound belongs to what is listed.
        return written(moment(rows[0].get("date_modified")) - timedelta(seconds=1))

    async def _second_look(self, heads: Mapping[int, Json], bracket: str | None) -> Mapping[int, Json]:
        """The orders as they are after everything was read; those that are gone are absent."""
        if bracket is None:
            return await self._heads(windows(heads), {})
        query: dict[str, str | int] = {"min_id": min(heads, default=0), "max_id": max(heads, default=0)}
        if bracket:
            query["min_date_modified"] = bracket
        rows = await self._client.v2_list("/v2/orders", {**query, "sort": "date_modified:asc"})
        return {**heads, **{id: row for row in rows if (id := whole_of(row, "id")) in heads}}

    # ------------------------------------------------------------------ what belongs to it

    async def _parts(self, heads: Mapping[int, Json]) -> dict[int, dict[str, object]]:
        store = await self._facts.store()
        calls: list[Coroutine[Any, Any, Any]] = [
            together(self._own_parts(key, head) for key, head in heads.items()),
            self._refunds(heads),
            self._customers(heads),
        ]
        own: list[dict[str, Any]]
        refunds: dict[int, list[Json]]
        customers: dict[int, Json]
        own, refunds, customers = await together(calls)
        categories = await self._categories(own)
        return {
            key: {
                "store": store,
                "order": head,
                "customer": customers.get(_customer_id(head)),
                **part,
                "products": [_with_categories(line, categories) for line in part["products"]],
                "refunds": refunds.get(key, []),
            }
            for (key, head), part in zip(heads.items(), own, strict=True)
        }

    async def _own_parts(self, key: int, head: Json) -> dict[str, Any]:
        path = f"/v2/orders/{key}"
        lines, addresses, fees = (
            consignments.lines_of(head),
            consignments.addresses_of(head),
            consignments.fees_of(head),
        )
        calls: dict[str, Any] = {
            "taxes": self._client.v2_list(f"{path}/taxes", {"details": "true"}),
            "transactions": self._transactions(key),
        }
        if lines is None:
            calls["products"] = self._client.v2_list(f"{path}/products")
        if addresses is None:
            calls["shipping_addresses"] = self._client.v2_list(f"{path}/shipping_addresses")
        if fees is None:
            calls["fees"] = self._fees(path)
        if discounted(head, lines):
            calls["coupons"] = self._client.v2_list(f"{path}/coupons")
        told = dict(zip(calls, await together(calls.values()), strict=True))
        return {"products": lines, "shipping_addresses": addresses, "fees": fees, "coupons": [], **told}

    async def _transactions(self, key: int) -> list[Json]:
        """Every payment row. 204 means none; anything that is not a complete answer is an error, never "no payment".

        Paging beyond the first page is not documented, so it is held against the total.
        """
        path = f"/v3/orders/{key}/transactions"
        told = await self._client.get(path)
        rows = {str(row.get("id")): row for row in self._client.data(told, path)}
        total = whole_of(paging_of(told), "total", len(rows))
        page = 2
        while len(rows) < total:
            more = self._client.data(await self._client.get(path, {"page": page}), path)
            new = {str(row.get("id")): row for row in more}
            if new.keys() <= rows.keys():
                raise Rejected(f"order {key} has {total} payment rows and shows only {len(rows)}", system=SYSTEM)
            rows |= new
            page += 1
        return list(rows.values())

    async def _fees(self, path: str) -> list[Json]:
        rows = consignments.fee_rows(await self._client.get(f"{path}/fees") or [])
        if rows is None:
            raise Transient(f"GET {path}/fees: the answer is not a list of fees", system=SYSTEM)
        return rows

    async def _refunds(self, heads: Mapping[int, Json]) -> dict[int, list[Json]]:
        pages = await together(
            self._client.v3_list("/v3/orders/payment_actions/refunds", {"order_id:in": ids}) for ids in chunks(heads)
        )
        found: dict[int, list[Json]] = {}
        for refund in (refund for page in pages for refund in page):
            found.setdefault(whole_of(refund, "order_id"), []).append(refund)
        return found

    async def _customers(self, heads: Mapping[int, Json]) -> dict[int, Json]:
        if not self._settings.read_customer_facts:
            return {}
        include = "formfields" if self._settings.vat_form_field else ""
        return await self._facts.customers({_customer_id(head) for head in heads.values()}, include=include)

    async def _categories(self, own: Iterable[Mapping[str, Any]]) -> Mapping[int, Sequence[int]]:
        if not self._settings.read_categories:
            return {}
        return await self._facts.categories({_product_id(line) for part in own for line in part["products"]})

    def _snapshot(self, parts: Mapping[str, object]) -> OrderSnapshot:
        try:
            snapshot = snapshot_from({**parts, "vat_form_field": self._settings.vat_form_field})
        except WireError as error:
            raise Rejected(f"the store's data cannot be used: {error}", system=SYSTEM) from error
        # The B2B edition is not read yet, and its orders must not be planned without it.
        return replace(snapshot, b2b=B2BFacts(read=False)) if self._settings.b2b else snapshot


def unchanged(before: Json, after: Json) -> bool:
    """Whether two readings of one order, perhaps by different calls, show the same state. Nothing after: it is gone."""
    names = [name for name in _WATCHED if name in before and name in after]
    return bool(after) and all(_comparable(before[name]) == _comparable(after[name]) for name in names)


def _comparable(value: Any) -> str | Decimal:
    """Amounts by value (`8` is `8.0000`), everything else by its text."""
    number = number_in(value)
    return str(value).strip().lower() if number is None else number


def discounted(order: Json, lines: Sequence[Json] | None) -> bool:
    """Whether a coupon can be on the order; without its lines it can."""
    if lines is None or any(line.get("applied_discounts") for line in lines):
        return True
    return any(_amount(order.get(name)) != 0 for name in ("coupon_discount", "discount_amount"))


def _with_categories(line: Json, categories: Mapping[int, Sequence[int]]) -> Json:
    known = categories.get(_product_id(line))
    return line if known is None else {**line, "categories": list(known)}


def _customer_id(order: Json) -> int:
    return whole_of(order, "customer_id", 0)


def _product_id(line: Json) -> int:
    return whole_of(line, "product_id", 0)


def _amount(told: Any) -> Decimal:
    return number_in(told or 0) or Decimal(0)
