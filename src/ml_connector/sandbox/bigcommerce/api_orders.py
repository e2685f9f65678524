"""Orders v2: list, count, detail and the sub-resources that are read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ml_connector.sandbox.bigcommerce import statuses, wire
from ml_connector.sandbox.bigcommerce.dates import parse_date
from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found
from ml_connector.sandbox.bigcommerce.money import dec
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder
from ml_connector.sandbox.bigcommerce.web import Call, answer, nothing, paging, v2_list, words

Doc = dict[str, Any]
_PAGING = {"page", "limit"}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the list: how its text is read, and which orders pass."""

    parse: Callable[[str], Any]
    passes: Callable[[StoredOrder, Any], bool]


def _date(text: str) -> int:
    at = parse_date(text)
    if at is None:
        raise ValueError(text)
    return at


def _field(name: str, default: Any = "") -> Callable[[StoredOrder, Any], bool]:
    return lambda stored, wanted: str(stored.order.get(name, default) or "") == wanted


FILTERS: dict[str, Filter] = {
    "min_id": Filter(int, lambda s, v: s.id >= v),
    "max_id": Filter(int, lambda s, v: s.id <= v),
    "min_total": Filter(dec, lambda s, v: dec(s.order["total_inc_tax"]) >= v),
    "max_total": Filter(dec, lambda s, v: dec(s.order["total_inc_tax"]) <= v),
    "customer_id": Filter(int, lambda s, v: int(s.order.get("customer_id") or 0) == v),
    "status_id": Filter(int, lambda s, v: int(s.order["status_id"]) == v),
    "channel_id": Filter(int, lambda s, v: int(s.order.get("channel_id") or 1) == v),
    "email": Filter(str.lower, lambda s, v: str(s.order["billing_address"].get("email", "")).lower() == v),
    "cart_id": Filter(str, _field("cart_id")),
    "payment_method": Filter(str, _field("payment_method")),
    "external_order_id": Filter(str, _field("external_order_id")),
    "min_date_created": Filter(_date, lambda s, v: s.created >= v),
    "max_date_created": Filter(_date, lambda s, v: s.created <= v),
    "min_date_modified": Filter(_date, lambda s, v: s.modified >= v),
    "max_date_modified": Filter(_date, lambda s, v: s.modified <= v),
    "is_deleted": Filter(lambda t: t == "true", lambda s, v: bool(s.order.get("is_deleted")) is v),
}
_SORT_KEYS: dict[str, Callable[[StoredOrder], Any]] = {
    "id": lambda s: s.id,
    "customer_id": lambda s: (int(s.order.get("customer_id") or 0), s.id),
    "date_created": lambda s: (s.created, s.id),
    "date_modified": lambda s: (s.modified, s.id),
    "status_id": lambda s: (int(s.order["status_id"]), s.id),
    "channel_id": lambda s: (int(s.order.get("channel_id") or 1), s.id),
    "external_id": lambda s: (str(s.order.get("external_id") or ""), s.id),
}


def matching(store: Store, query: Mapping[str, str], beside: frozenset[str]) -> list[StoredOrder]:
    """The orders that pass the query's filters, by id. Raises ApiError 400 for an unknown or unreadable filter."""
    tests: list[tuple[Callable[[StoredOrder, Any], bool], Any]] = []
    for name, text in query.items():
        if name in beside:
            continue
        if name not in FILTERS:
            raise ApiError(400, f"The field '{name}' is not supported by this resource.")
        try:
            tests.append((FILTERS[name].passes, FILTERS[name].parse(text)))
        except (ValueError, ArithmeticError) as error:
            raise ApiError(400, f"The field '{name}' is invalid.") from error
    now, archived = store.now(), "is_deleted" in query
    return [
        stored
        for stored in _between(store, query)
        if stored.visible_at <= now
        and (archived or not stored.order.get("is_deleted"))
        and all(passes(stored, wanted) for passes, wanted in tests)
    ]


def _between(store: Store, query: Mapping[str, str]) -> Iterable[StoredOrder]:
    """All orders; of a few IDs that `min_id` and `max_id` enclose, those alone: a store may have very many."""
    if "min_id" in query and "max_id" in query:
        ids = range(int(query["min_id"]), int(query["max_id"]) + 1)
        if len(ids) < len(store.orders):
            return [store.orders[id] for id in ids if id in store.orders]
    return store.orders.values()


def list_orders(call: Call) -> web.Response:
    page, limit = paging(call)
    include, structure = _include(call)
    found = matching(call.store, call.query, frozenset({*_PAGING, "sort", "include", "consignment_structure"}))
    key, _, direction = call.query.get("sort", "id:asc").partition(":")
    if key not in _SORT_KEYS or direction not in ("", "asc", "desc"):
        raise ApiError(400, "The field 'sort' is invalid.")
    found.sort(key=_SORT_KEYS[key], reverse=direction == "desc")
    shown = found[(page - 1) * limit : page * limit]
    return v2_list([wire.order(call.store, s, include, structure, _stale(call, s)) for s in shown])


def count_orders(call: Call) -> web.Response:
    found = matching(call.store, call.query, frozenset())
    counts = dict.fromkeys(statuses.LABELS, 0)
    for stored in found:
        counts[int(stored.order["status_id"])] += 1
    rows = [
        {**{k: v for k, v in row.items() if k != "order"}, "count": counts[status], "sort_order": status}
        for status, row in enumerate(statuses.status_rows())
    ]
    return answer({"statuses": rows, "count": len(found)})


def get_order(call: Call) -> web.Response:
    include, structure = _include(call)
    stored = find(call)
    return answer(wire.order(call.store, stored, include, structure, _stale(call, stored)))


def _include(call: Call) -> tuple[set[str], str]:
    include = words(call.query.get("include", ""))
    structure = call.query.get("consignment_structure", "")
    if unknown := include - set(wire.ORDER_INCLUDES):
        raise ApiError(400, f"The include '{sorted(unknown)[0]}' is not supported by this resource.")
    if structure not in ("", "object"):
        raise ApiError(400, "The field 'consignment_structure' is invalid.")
    return include, structure


def _stale(call: Call, stored: StoredOrder) -> Doc | None:
    """The order as it was before its latest change, while reads are stale."""
    return stored.before if stored.before and call.store.now() < stored.changed_at + stale_s(call) else None


def stale_s(call: Call) -> float:
    """How far this read lags behind."""
    fault = call.fault("stale_read")
    return float(fault.get("seconds", 5)) if fault is not None else call.store.settings.stale_read_s


def find(call: Call) -> StoredOrder:
    """The order that the path names. Raises ApiError 404, also while a fault hides a young order."""
    stored = call.store.orders.get(call.path_id("order_id"))
    now = call.store.now()
    if stored is None or stored.visible_at > now:
        raise not_found()
    fault = call.fault("order_404_for")
    if fault is not None and ("seconds" not in fault or now < stored.arrived_at + float(fault["seconds"])):
        raise not_found()
    return stored


def list_products(call: Call) -> web.Response:
    page, limit = paging(call)
    lines = find(call).products[(page - 1) * limit : page * limit]
    return v2_list([wire.line(p) for p in lines])


def get_product(call: Call) -> web.Response:
    return answer(wire.line(_one(find(call).products, call.path_id("product_id"))))


def count_products(call: Call) -> web.Response:
    return answer({"count": len(find(call).products)})


def list_shipping_addresses(call: Call) -> web.Response:
    stored = find(call)
    return _paged(call, [_address(call.store, stored, a) for a in stored.shipping_addresses])


def get_shipping_address(call: Call) -> web.Response:
    stored = find(call)
    return answer(_address(call.store, stored, _one(stored.shipping_addresses, call.path_id("address_id"))))


def _address(store: Store, stored: StoredOrder, address: Doc) -> Doc:
    quotes = wire.link(store, stored.id, f"shipping_addresses/{address['id']}/shipping_quotes")
    return {"form_fields": [], "items_shipped": 0, **address, "shipping_quotes": quotes}


def list_coupons(call: Call) -> web.Response:
    return _paged(call, [wire.coupon(c) for c in find(call).coupons])


def list_taxes(call: Call) -> web.Response:
    """Tax rows; which line each belongs to only with `details=true`."""
    rows = find(call).taxes
    if call.query.get("details") != "true":
        rows = [{k: v for k, v in r.items() if k not in ("order_product_id", "line_item_type")} for r in rows]
    return _paged(call, rows)


def list_fees(call: Call) -> web.Response:
    """An object around the rows, unlike the other lists."""
    fees = find(call).fees
    return answer({"fees": fees}) if fees else nothing()


def list_consignments(call: Call) -> web.Response:
    stored = find(call)
    return answer(wire.consignments(call.store, stored, with_lines="line_items" in call.query.get("include", "")))


def list_messages(call: Call) -> web.Response:
    find(call)
    return nothing()


def list_statuses(call: Call) -> web.Response:
    return answer(statuses.status_rows())


def get_status(call: Call) -> web.Response:
    return answer(_one(statuses.status_rows(), call.path_id("status_id")))


def _paged(call: Call, rows: list[Doc]) -> web.Response:
    page, limit = paging(call)
    return v2_list(rows[(page - 1) * limit : page * limit])


def _one(rows: list[Doc], wanted: int) -> Doc:
    for row in rows:
        if row["id"] == wanted:
            return row
    raise not_found()
