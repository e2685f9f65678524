"""Orders v2, writes: create, update, archive. The Orders API computes no taxes and applies no promotions."""

from decimal import Decimal
from typing import Any

from aiohttp import web

from ml_connector.sandbox.bigcommerce import editing, lifecycle, statuses, wire
from ml_connector.sandbox.bigcommerce.api_orders import find
from ml_connector.sandbox.bigcommerce.dates import parse_date, rfc2822
from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, money4
from ml_connector.sandbox.bigcommerce.pricing import Basis, order_totals
from ml_connector.sandbox.bigcommerce.state import Store
from ml_connector.sandbox.bigcommerce.tables import ORDER_POST, ORDER_PUT, SHIPPING_ADDRESS_PUT
from ml_connector.sandbox.bigcommerce.web import Call, answer, must_fit_v2, nothing

Doc = dict[str, Any]
PENDING = statuses.PENDING
_NESTED = ("products", "shipping_addresses", "consignments", "fees", "billing_address", "status_id")
# Overridden totals come in pairs, with and without tax.
_PAIRS = tuple(
    (f"{n}_ex_tax", f"{n}_inc_tax") for n in ("subtotal", "total", "shipping_cost", "handling_cost", "wrapping_cost")
)


def create_order(call: Call) -> web.Response:
    body = call.document()
    must_fit_v2(ORDER_POST, body)
    for name in ("billing_address", "products"):
        if not body.get(name):
            raise ApiError(400, f"The required field '{name}' was not supplied.")
    if "shipping_addresses" in body and "consignments" in body:
        raise ApiError(400, "Supply either 'shipping_addresses' or 'consignments'.")
    _must_pair(body)
    store = call.store
    order_id = store.number("order")
    currency = str(body.get("default_currency_code", store.profile["currency"]))
    addresses = [_address(store, order_id, a) for a in body.get("shipping_addresses") or [body["billing_address"]]]
    products = [_line(store, order_id, p, addresses[0]["id"]) for p in body["products"]]
    fees = [_fee(store, f) for f in body.get("fees", [])]
    basis = Basis(currency, bool(store.profile["is_price_entered_with_tax"]))
    status_id = int(body.get("status_id", PENDING))
    if status_id not in statuses.LABELS:
        raise ApiError(400, "The field 'status_id' is invalid.")
    created = parse_date(str(body.get("date_created", ""))) or int(store.now())
    scalars = {k: _as_stored(k, v) for k, v in body.items() if k not in _NESTED}
    quantity = sum(int(p["quantity"]) for p in products)
    order: Doc = {
        "id": order_id,
        "customer_id": 0,
        "channel_id": 1,
        **order_totals(products, addresses, fees, [], basis),
        "is_tax_inclusive_pricing": basis.inclusive,
        "store_credit_amount": "0.0000",
        "gift_certificate_amount": "0.0000",
        "refunded_amount": "0.0000",
        "payment_method": "",
        "payment_status": "",
        "items_total": quantity,
        "currency_id": 1,
        "currency_code": currency,
        "currency_exchange_rate": "1.0000000000",
        "default_currency_id": 1,
        "store_default_currency_code": store.profile["currency"],
        "store_default_to_transactional_exchange_rate": "1.0000000000",
        "tax_provider_id": "",
        "shipping_address_count": len(addresses),
        "billing_address": {"form_fields": [], **body["billing_address"]},
        **scalars,
        "default_currency_code": currency,
        "order_source": "external",
        "status_id": status_id,
        "date_created": rfc2822(created),
        "date_modified": rfc2822(store.now()),
    }
    _follow_overrides(order, body)
    parts = {"products": products, "shipping_addresses": addresses, "fees": fees}
    stored = store.add_order({"order": order, **parts})
    lifecycle.announce(store, stored)
    return answer(wire.order(store, stored), 201)


def _must_pair(body: Doc) -> None:
    for ex_tax, inc_tax in _PAIRS:
        if (ex_tax in body) != (inc_tax in body):
            raise ApiError(400, f"The fields '{ex_tax}' and '{inc_tax}' must be supplied together.")


def _as_stored(name: str, value: Any) -> Any:
    return money4(dec(value)) if ORDER_POST.fields[name].kind == "money" else value


def _follow_overrides(order: Doc, body: Doc) -> None:
    """Overridden charges move the totals; overridden totals stand, without tax detail."""
    if "total_inc_tax" in body:
        order["total_tax"] = money4(dec(order["total_inc_tax"]) - dec(order["total_ex_tax"]))
        return
    for side in ("ex_tax", "inc_tax"):
        names = ("subtotal", "shipping_cost", "handling_cost", "wrapping_cost")
        whole = sum((dec(order[f"{n}_{side}"]) for n in names), ZERO) - dec(order["discount_amount"])
        order[f"total_{side}"] = money4(whole)
    order["total_tax"] = money4(dec(order["total_inc_tax"]) - dec(order["total_ex_tax"]))


def _address(store: Store, order_id: int, body: Doc) -> Doc:
    zero = dict.fromkeys(
        (
            "base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost", "handling_cost_ex_tax",
            "handling_cost_inc_tax", "handling_cost_tax",
        ),
        "0.0000",
    )  # fmt: skip
    return {
        "id": store.number("address"),
        "order_id": order_id,
        "items_shipped": 0,
        "shipping_method": "",
        **zero,
        **body,
    }


def _fee(store: Store, body: Doc) -> Doc:
    ex_tax, inc_tax = dec(body.get("cost_ex_tax")), dec(body.get("cost_inc_tax", body.get("cost_ex_tax")))
    costs = {"cost_ex_tax": money4(ex_tax), "cost_inc_tax": money4(inc_tax), "cost_tax": money4(inc_tax - ex_tax)}
    return {"id": store.number("fee"), "tax_class_id": None, **body, "base_cost": money4(ex_tax), **costs}


def update_shipping_address(call: Call) -> web.Response:
    stored, body = find(call), call.document()
    must_fit_v2(SHIPPING_ADDRESS_PUT, body)
    wanted = call.path_id("address_id")
    address = next((a for a in stored.shipping_addresses if a["id"] == wanted), None)
    if address is None:
        raise not_found()
    address.update(body)
    lifecycle.change(call.store, stored)
    return answer(address)


def _line(store: Store, order_id: int, body: Doc, address_id: int) -> Doc:
    product = store.products.get(int(body.get("product_id") or 0))
    if product is None and not {"name", "quantity", "price_ex_tax", "price_inc_tax"} <= body.keys():
        raise ApiError(400, "A product needs a known product_id, or a name, a quantity and both prices.")
    listed = dec(product["price"]) if product else ZERO
    ex_tax: Decimal = dec(body.get("price_ex_tax", listed))
    inc_tax: Decimal = dec(body.get("price_inc_tax", listed))
    quantity = int(body.get("quantity", 1))
    return {
        "id": store.number("line"),
        "order_id": order_id,
        "product_id": product["id"] if product else 0,
        "variant_id": body.get("variant_id", 0),
        "order_address_id": address_id,
        "name": body.get("name", product["name"] if product else ""),
        "sku": body.get("sku", product["sku"] if product else ""),
        "upc": body.get("upc", ""),
        "type": product["type"] if product else "physical",
        "base_price": money4(ex_tax),
        "price_ex_tax": money4(ex_tax),
        "price_inc_tax": money4(inc_tax),
        "price_tax": money4(inc_tax - ex_tax),
        "base_total": money4(ex_tax * quantity),
        "total_ex_tax": money4(ex_tax * quantity),
        "total_inc_tax": money4(inc_tax * quantity),
        "total_tax": money4((inc_tax - ex_tax) * quantity),
        "discounted_total_inc_tax": money4(inc_tax * quantity),
        "quantity": quantity,
        "quantity_shipped": 0,
        "quantity_refunded": 0,
        "is_refunded": False,
        "parent_order_product_id": None,
        "is_bundled_product": False,
        "brand": "",
        "categories": product["categories"] if product else [],
        "gift_certificate_id": None,
        "applied_discounts": [],
        "product_options": [],
        "configurable_fields": [],
    }


def update_order(call: Call) -> web.Response:
    """Only what is sent changes. Edited lines lose their discounts; `external_merchant_id` cannot be changed."""
    stored, body = find(call), call.document()
    must_fit_v2(ORDER_PUT, body)
    if "external_merchant_id" in body:
        raise ApiError(
            400, "The field 'external_merchant_id' cannot be written to. Please remove it from your request."
        )
    _must_pair(body)
    store = call.store
    for line in body.get("products", []):
        _edit_line(store, stored.id, line)
    for address in body.get("shipping_addresses", []):
        for known in stored.shipping_addresses:
            if known["id"] == address.get("id", known["id"]):
                known.update(address)
                break
    if "fees" in body:
        stored.fees[:] = [_fee(store, f) for f in body["fees"]]
        editing.add_up(store, stored)
    if "billing_address" in body:
        stored.order["billing_address"] = {**stored.order["billing_address"], **body["billing_address"]}
    scalars = {k: _as_stored_put(k, v) for k, v in body.items() if k not in _NESTED}
    if "status_id" in body:
        lifecycle.set_status(store, stored, int(body["status_id"]), **scalars)
    else:
        lifecycle.change(store, stored, **scalars)
    return answer(wire.order(store, stored))


def _as_stored_put(name: str, value: Any) -> Any:
    return money4(dec(value)) if ORDER_PUT.fields[name].kind == "money" else value


def _edit_line(store: Store, order_id: int, body: Doc) -> None:
    stored = store.orders[order_id]
    if "id" not in body:
        address = stored.shipping_addresses[0]["id"] if stored.shipping_addresses else 0
        stored.products.append(_line(store, order_id, body, address))
        quantity = int(body.get("quantity", 1))
        editing.change_quantity(store, stored, stored.products[-1]["id"], quantity)
        return
    line = next((p for p in stored.products if p["id"] == body["id"]), None)
    if line is None:
        raise ApiError(400, f"The order product {body['id']} does not exist.")
    side = "price_inc_tax" if stored.order["is_tax_inclusive_pricing"] else "price_ex_tax"
    price = dec(body[side]) if side in body else None
    editing.change_quantity(store, stored, line["id"], int(body.get("quantity", line["quantity"])), price)


def archive_order(call: Call) -> web.Response:
    stored = find(call)
    stored.order["is_deleted"] = True
    call.store.touch(stored)
    lifecycle.order_event(call.store, stored, "archived")
    return nothing()
