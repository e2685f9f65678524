"""Rows of the transactions API, and what they add up to. Amounts are decimal strings; v3 writes them as numbers."""

from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.dates import iso_offset
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, plain
from ml_connector.sandbox.bigcommerce.state import StoredOrder

Doc = dict[str, Any]
TENDERS_ON_ORDER = ("store_credit", "gift_certificate")


def transaction(
    number: int,
    order_id: int,
    event: str,
    amount: Decimal,
    currency: str,
    at_s: float,
    *,
    gateway: str,
    method: str,
    status: str = "ok",
    reference: int | None = None,
    **details: Any,
) -> Doc:
    """One row. `event`: purchase, authorization, capture, refund, void, pending or settled; amounts are positive."""
    card = method == "credit_card"
    return {
        "id": number,
        "order_id": str(order_id),
        "event": event,
        "method": method,
        "amount": plain(amount, currency),
        "currency": currency,
        "gateway": gateway,
        "gateway_transaction_id": f"gw{number}" if gateway else "",
        "status": status,
        "test": False,
        "fraud_review": False,
        "reference_transaction_id": reference,
        "date_created": iso_offset(at_s),
        "avs_result": {},
        "cvv_result": {},
        "credit_card": _CARD if card else None,
        "gift_certificate": None,
        "store_credit": None,
        "offline": None,
        "custom": None,
        "payment_method_id": f"{gateway}.card" if card else gateway,
        "payment_instrument_token": None,
        **details,
    }


_CARD = {
    "card_type": "visa",
    "card_iin": "411111",
    "card_last4": "1111",
    "card_expiry_month": 9,
    "card_expiry_year": 2031,
}


def rows(stored: StoredOrder, *events: str) -> list[Doc]:
    """The order's good rows of these events."""
    return [t for t in stored.transactions if t["event"] in events and t["status"] == "ok" and not t["test"]]


def captured(stored: StoredOrder) -> Decimal:
    """Money that came in through gateways (store credit and gift certificates are not money)."""
    good = [t for t in rows(stored, "purchase", "capture") if t["method"] not in TENDERS_ON_ORDER]
    return sum((dec(t["amount"]) for t in good), ZERO)


def due(order: Doc) -> Decimal:
    """What the buyer still has to pay in money: total without store credit and gift certificates."""
    return dec(order["total_inc_tax"]) - dec(order["store_credit_amount"]) - dec(order["gift_certificate_amount"])


def captured_by_tender(stored: StoredOrder) -> dict[tuple[str, str], Decimal]:
    """Captured money by (gateway, method), in the order of the rows."""
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows(stored, "purchase", "capture"):
        if row["method"] not in TENDERS_ON_ORDER:
            key = (str(row["gateway"]), str(row["method"]))
            sums[key] = sums.get(key, ZERO) + dec(row["amount"])
    return sums
