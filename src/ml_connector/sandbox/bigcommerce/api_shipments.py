"""Shipments v2: one per delivery, below an order; they move the order to Shipped or Partially Shipped."""

from typing import Any

from aiohttp import web

from ml_connector.sandbox.bigcommerce import lifecycle, statuses
from ml_connector.sandbox.bigcommerce.api_orders import find, stale_s
from ml_connector.sandbox.bigcommerce.dates import rfc2822
from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder
from ml_connector.sandbox.bigcommerce.tables import SHIPMENT_POST, SHIPMENT_PUT
from ml_connector.sandbox.bigcommerce.web import Call, answer, must_fit_v2, nothing, paging, v2_list

Doc = dict[str, Any]
PROVIDERS = {
    "", "auspost", "canadapost", "endicia", "usps", "fedex", "royalmail", "ups", "upsready", "upsonline", "shipperhq",
}  # fmt: skip
_PERSON = (
    "first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip", "country", "country_iso2",
    "phone", "email",
)  # fmt: skip


def list_shipments(call: Call) -> web.Response:
    """Without those that are too young to be seen, while reads are stale."""
    page, limit = paging(call)
    stored, seen_until = find(call), call.store.now() - stale_s(call)
    shown = [each for each in stored.shipments if stored.shipped_at.get(each["id"], 0.0) <= seen_until]
    return v2_list(shown[(page - 1) * limit : page * limit])


def count_shipments(call: Call) -> web.Response:
    return answer({"count": len(find(call).shipments)})


def get_shipment(call: Call) -> web.Response:
    return answer(_one(call, find(call)))


def create_shipment(call: Call) -> web.Response:
    stored, body = find(call), call.document()
    must_fit_v2(SHIPMENT_POST, body)
    return answer(ship(call.store, stored, body), 201)


def ship(store: Store, stored: StoredOrder, body: Doc) -> Doc:
    """Add a shipment. Raises ApiError 400 for an address, a provider or a quantity that does not fit."""
    address = next((a for a in stored.shipping_addresses if a["id"] == body.get("order_address_id")), None)
    if address is None:
        raise ApiError(400, "The field 'order_address_id' is invalid.")
    provider = str(body.get("shipping_provider") or "")
    if provider not in PROVIDERS and not provider.startswith("carrier_"):
        raise ApiError(400, "The field 'shipping_provider' is invalid.")
    items: list[Doc] = body.get("items") or []
    if not items:
        raise ApiError(400, "The required field 'items' was not supplied.")
    lines = {p["id"]: p for p in stored.products}
    for item in items:
        line = lines.get(item.get("order_product_id"))
        if line is None or line["order_address_id"] != address["id"]:
            raise ApiError(400, f"The order product {item.get('order_product_id')} is not in this consignment.")
        if not 0 < int(item.get("quantity", 0)) <= line["quantity"] - line.get("quantity_shipped", 0):
            raise ApiError(400, f"The quantity of order product {line['id']} is above what is left to ship.")
    for item in items:
        line = lines[item["order_product_id"]]
        line["quantity_shipped"] = line.get("quantity_shipped", 0) + item["quantity"]
    shipped = sum(int(i["quantity"]) for i in items)
    address["items_shipped"] = address.get("items_shipped", 0) + shipped
    shipment: Doc = {
        "id": store.number("shipment"),
        "order_id": stored.id,
        "customer_id": stored.order.get("customer_id", 0),
        "order_address_id": address["id"],
        "date_created": rfc2822(store.now()),
        "tracking_number": body.get("tracking_number", ""),
        "merchant_shipping_cost": str(body.get("merchant_shipping_cost", "0.0000")),
        "shipping_method": body.get("shipping_method", address.get("shipping_method", "")),
        "shipping_provider": provider,
        "tracking_carrier": body.get("tracking_carrier", ""),
        "tracking_link": body.get("tracking_link", ""),
        "comments": body.get("comments", ""),
        "billing_address": {k: v for k, v in stored.order["billing_address"].items() if k in _PERSON},
        "shipping_address": {k: v for k, v in address.items() if k in _PERSON},
        "items": [
            {
                "order_product_id": i["order_product_id"],
                "product_id": lines[i["order_product_id"]]["product_id"],
                "quantity": i["quantity"],
            }
            for i in items
        ],
        "shipping_provider_display_name": provider.upper(),
        "generated_tracking_link": "",
    }
    stored.shipments.append(shipment)
    stored.shipped_at[shipment["id"]] = store.now()
    _event(store, stored, shipment, "created")
    whole = all(p.get("quantity_shipped", 0) >= p["quantity"] for p in stored.products if p["type"] == "physical")
    total = sum(p.get("quantity_shipped", 0) for p in stored.products)
    status = statuses.SHIPPED if whole else statuses.PARTIALLY_SHIPPED
    lifecycle.set_status(store, stored, status, items_shipped=total, date_shipped=rfc2822(store.now()))
    return shipment


def update_shipment(call: Call) -> web.Response:
    stored, body = find(call), call.document()
    shipment = _one(call, stored)
    must_fit_v2(SHIPMENT_PUT, body)
    shipment.update(body)
    _event(call.store, stored, shipment, "updated")
    lifecycle.change(call.store, stored)
    return answer(shipment)


def delete_shipment(call: Call) -> web.Response:
    """The order's status does not go back."""
    stored = find(call)
    remove_shipments(call.store, stored, [_one(call, stored)])
    return nothing()


def delete_shipments(call: Call) -> web.Response:
    stored = find(call)
    remove_shipments(call.store, stored, list(stored.shipments))
    return nothing()


def remove_shipments(store: Store, stored: StoredOrder, shipments: list[Doc]) -> None:
    lines = {p["id"]: p for p in stored.products}
    for shipment in shipments:
        stored.shipments.remove(shipment)
        for item in shipment["items"]:
            lines[item["order_product_id"]]["quantity_shipped"] -= item["quantity"]
        _event(store, stored, shipment, "deleted")


def _event(store: Store, stored: StoredOrder, shipment: Doc, what: str) -> None:
    store.on_event(f"store/shipment/{what}", {"type": "shipment", "id": shipment["id"], "orderId": stored.id})


def _one(call: Call, stored: StoredOrder) -> Doc:
    wanted = call.path_id("shipment_id")
    for shipment in stored.shipments:
        if shipment["id"] == wanted:
            return shipment
    raise not_found()
