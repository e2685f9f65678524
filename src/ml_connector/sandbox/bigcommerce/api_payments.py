"""Orders v3: transactions, capture and void, refunds."""

from typing import Any, cast

from aiohttp import web

from ml_connector.sandbox.bigcommerce import lifecycle, refunding, wire
from ml_connector.sandbox.bigcommerce.api_orders import find
from ml_connector.sandbox.bigcommerce.dates import parse_date
from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found, unprocessable
from ml_connector.sandbox.bigcommerce.money import dec
from ml_connector.sandbox.bigcommerce.pricing import Doc
from ml_connector.sandbox.bigcommerce.refunding import Figures
from ml_connector.sandbox.bigcommerce.state import StoredOrder
from ml_connector.sandbox.bigcommerce.tables import (
    MERCHANT_OVERRIDE,
    REFUND_BY_AMOUNT,
    REFUND_BY_QUANTITY,
    REFUND_PAYMENT,
)
from ml_connector.sandbox.bigcommerce.web import Call, id_list, must_fit_v3, nothing, v3, v3_page

_BY_QUANTITY = ("PRODUCT", "GIFT_WRAPPING")
_KEYS_OF_ITEMS = frozenset({"items", "tax_adjustment_amount", "merchant_calculated_override"})


def list_transactions(call: Call) -> web.Response:
    """204 without a body when there are none; 503 while the payments back end is away."""
    stored = find(call)
    if call.fault("transactions_503") is not None:
        raise ApiError(503, "Service unavailable. The payments service did not answer.")
    late = call.fault("transactions_late")
    now = call.store.now()
    hidden = late is not None and now < stored.arrived_at + float(late.get("seconds", 10**12))
    if hidden or stored.transactions_at > now or not stored.transactions:
        return nothing()
    return v3_page(call, stored.transactions, wire.transaction)


def capture(call: Call) -> web.Response:
    lifecycle.capture(call.store, find(call))
    return web.Response(status=201)


def void(call: Call) -> web.Response:
    lifecycle.void(call.store, find(call))
    return web.Response(status=201)


def quote_refund(call: Call) -> web.Response:
    stored = find(call)
    sums = _figures(stored, call.document())
    return v3(
        {
            "order_id": stored.id,
            "total_refund_amount": sums.total,
            "total_refund_tax_amount": sums.tax,
            "order_level_refund_amount": sums.order_level,
            "rounding": sums.rounding,
            "adjustment": sums.adjustment,
            "tax_inclusive": bool(stored.order.get("is_tax_inclusive_pricing")),
            "refund_methods": refunding.alternatives(stored, sums.total),
        },
        status=201,
    )


def create_refund(call: Call) -> web.Response:
    stored, body = find(call), call.document()
    sums = _figures(stored, body)
    payments = cast("list[Doc]", body.get("payments") or [])
    for index, payment in enumerate(payments):
        must_fit_v3(REFUND_PAYMENT, payment, path=f"payments.{index}.")
    if not stored.order.get("customer_id") and any(p.get("provider_id") == "storecredit" for p in payments):
        raise refunding.refused("Unable to provide store credit for a guest customer.")
    override = body.get("merchant_calculated_override")
    total = dec(override["total_amount"]) if override else sums.total
    ways = refunding.alternatives(stored, total)
    if _tenders(payments) not in [_tenders(way) for way in ways]:
        raise refunding.refused("The requested refund had invalid split payment.")
    refund = lifecycle.create_refund(
        call.store, stored, sums, payments, reason=str(body.get("reason") or ""), override=override
    )
    return v3(wire.refund(refund), status=201)


def _tenders(payments: list[Doc]) -> list[tuple[str, Any, bool]]:
    return sorted((str(p.get("provider_id")), dec(p.get("amount")), bool(p.get("offline"))) for p in payments)


def _figures(stored: StoredOrder, body: Doc) -> Figures:
    """The sums that a refund body asks for. Raises ApiError 422."""
    if not body.keys() & _KEYS_OF_ITEMS:
        raise unprocessable({"items": "error.path.missing"})
    items = cast("list[Doc]", body.get("items") or [])
    for index, item in enumerate(items):
        rules = REFUND_BY_QUANTITY if item.get("item_type") in _BY_QUANTITY else REFUND_BY_AMOUNT
        must_fit_v3(rules, item, path=f"items.{index}.")
    override = body.get("merchant_calculated_override")
    if override is not None:
        must_fit_v3(MERCHANT_OVERRIDE, override, path="merchant_calculated_override.")
    adjustment = body.get("tax_adjustment_amount")
    if not items and adjustment is None:
        raise unprocessable({"items": "error.minLength"})
    return refunding.figures(stored, items, None if adjustment is None else dec(adjustment))


def order_refunds(call: Call) -> web.Response:
    refunds = find(call).refunds
    if wanted := call.query.get("transaction_id"):
        refunds = [r for r in refunds if any(str(p["transaction_id"]) == wanted for p in r["payments"])]
    return v3([wire.refund(r) for r in sorted(refunds, key=lambda r: int(r["id"]))])


def list_refunds(call: Call) -> web.Response:
    """All refunds of the store, by id: the polling back-fill."""
    query = call.query
    orders = id_list(query["order_id:in"]) if "order_id:in" in query else None
    ids = id_list(query["id:in"]) if "id:in" in query else None
    bounds = {name: _bound(query[name]) for name in ("created:min", "created:max") if name in query}
    wanted = query.get("transaction_id")
    found: list[Doc] = []
    chosen = (
        call.store.orders.values()
        if orders is None
        else [o for i in orders if (o := call.store.orders.get(i)) is not None]
    )
    for stored in chosen:
        for refund in stored.refunds:
            created = parse_date(refund["created"]) or 0
            if ids is not None and refund["id"] not in ids:
                continue
            if created < bounds.get("created:min", created) or created > bounds.get("created:max", created):
                continue
            if wanted and all(str(p["transaction_id"]) != wanted for p in refund["payments"]):
                continue
            found.append(refund)
    return v3_page(call, sorted(found, key=lambda r: int(r["id"])), wire.refund)


def _bound(text: str) -> int:
    at = parse_date(text)
    if at is None:
        raise unprocessable({"created": "error.expected.date.isoformat"})
    return at


def get_refund(call: Call) -> web.Response:
    wanted = call.path_id("refund_id")
    for stored in call.store.orders.values():
        for refund in stored.refunds:
            if refund["id"] == wanted:
                return v3(wire.refund(refund, single=True))
    raise not_found()
