"""Stored documents as the API writes them: links and labels in v2, JSON numbers in v3."""

from collections.abc import Callable, Collection
from typing import Any

from ml_connector.sandbox.bigcommerce.money import number
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder
from ml_connector.sandbox.bigcommerce.statuses import LABELS

Doc = dict[str, Any]
ORDER_INCLUDES = ("consignments", "consignments.line_items", "fees")
_LINKED = ("products", "shipping_addresses", "coupons", "fees", "consignments")
# The documented path is shipping_addresses; the link that the store writes says shippingaddresses.
_LINK_PATHS = {"shipping_addresses": "shippingaddresses"}
_NOT_ON_THE_WIRE = ("categories",)
# What every order of the real API carries, for orders that were put in with fewer fields.
_ORDER_DEFAULTS: Doc = {
    "date_shipped": "",
    "cart_id": None,
    "payment_provider_id": None,
    "items_shipped": 0,
    "order_is_digital": False,
    "ip_address": "",
    "ip_address_v6": "",
    "geoip_country": "",
    "geoip_country_iso2": "",
    "staff_notes": "",
    "customer_message": "",
    "is_email_opt_in": False,
    "ebay_order_id": "0",
    "external_source": None,
    "external_id": None,
    "external_merchant_id": None,
    "external_order_id": "",
    "customer_locale": "en",
    "is_deleted": False,
    "channel_id": 1,
}


def order(
    store: Store, stored: StoredOrder, include: Collection[str] = (), structure: str = "", stale: Doc | None = None
) -> Doc:
    """One v2 order. Sub-resources are links unless included; consignments need `consignment_structure=object`."""
    document = {**_ORDER_DEFAULTS, **(stale or stored.order)}
    label = LABELS[int(document["status_id"])]
    document["status"] = document["custom_status"] = label
    for name in _LINKED:
        document[name] = link(store, stored.id, name)
    if structure == "object" and ("consignments" in include or "consignments.line_items" in include):
        document["consignments"] = consignments(store, stored, with_lines="consignments.line_items" in include)
    if "fees" in include:
        document["fees"] = stored.fees
    return document


def link(store: Store, order_id: int, name: str) -> Doc:
    resource = f"/orders/{order_id}/{_LINK_PATHS.get(name, name)}"
    return {"url": f"{store.base_url}/stores/{store.store_hash}/v2{resource}", "resource": resource}


def line(document: Doc) -> Doc:
    return {k: v for k, v in document.items() if k not in _NOT_ON_THE_WIRE}


def consignments(store: Store, stored: StoredOrder, *, with_lines: bool) -> Doc:
    """The fulfilment structure: lines below the place that they go to."""

    def lines_of(pick: Callable[[Doc], bool]) -> Any:
        if with_lines:
            return [line(p) for p in stored.products if pick(p)]
        return link(store, stored.id, "products")

    address_ids = {a["id"] for a in stored.shipping_addresses}

    def ships_to(address_id: int) -> Callable[[Doc], bool]:
        return lambda p: p.get("order_address_id") == address_id and p["type"] != "giftcertificate"

    def is_download(p: Doc) -> bool:
        return p["type"] != "giftcertificate" and p.get("order_address_id") not in address_ids

    email = stored.order["billing_address"].get("email", "")
    gifts = [p for p in stored.products if p["type"] == "giftcertificate"]
    return {
        "pickups": [],
        "shipping": [
            {**_numbers(a, _ADDRESS_MONEY), "line_items": lines_of(ships_to(a["id"]))}
            for a in stored.shipping_addresses
        ],
        "downloads": (
            [{"recipient_email": email, "line_items": lines_of(is_download)}]
            if any(is_download(p) for p in stored.products)
            else []
        ),
        "email": {
            "gift_certificates": [
                {
                    "recipient_email": email,
                    "line_items": [line(p)] if with_lines else link(store, stored.id, "products"),
                }
                for p in gifts
            ]
        },
    }


_ADDRESS_MONEY = (
    "base_cost", "cost_ex_tax", "cost_inc_tax", "cost_tax", "base_handling_cost", "handling_cost_ex_tax",
    "handling_cost_inc_tax", "handling_cost_tax",
)  # fmt: skip


def _numbers(document: Doc, names: Collection[str]) -> Doc:
    return {k: number(v) if k in names else v for k, v in document.items() if k != "order_id"}


def coupon(document: Doc) -> Doc:
    """A v2 coupon: unlike the other amounts of v2, its discount is a number."""
    return {**document, "discount": number(document["discount"])}


def transaction(row: Doc) -> Doc:
    """A v3 transaction: amounts as numbers."""
    shown = {**row, "amount": number(row["amount"])}
    if certificate := row.get("gift_certificate"):
        shown["gift_certificate"] = {k: number(v) if k.endswith("_balance") else v for k, v in certificate.items()}
    if credit := row.get("store_credit"):
        shown["store_credit"] = {k: number(v) for k, v in credit.items()}
    return shown


def refund(document: Doc, *, single: bool = False) -> Doc:
    """A v3 refund: amounts as numbers; read by its own id, `requested_amount` is a string."""
    return {
        **document,
        "total_amount": number(document["total_amount"]),
        "total_tax": number(document["total_tax"]),
        "items": [
            {
                **item,
                "requested_amount": item["requested_amount"] if single else number(item["requested_amount"]),
                "adjustments": [{**a, "amount": number(a["amount"])} for a in item.get("adjustments", [])],
            }
            for item in document["items"]
        ],
        "payments": [{**p, "amount": number(p["amount"])} for p in document["payments"]],
    }


def customer(document: Doc, *, credit: bool) -> Doc:
    shown = {k: v for k, v in document.items() if k != "store_credit_amounts"}
    if credit:
        shown["store_credit_amounts"] = [{"amount": number(c["amount"])} for c in document["store_credit_amounts"]]
    return shown
