"""What happens to orders after they are placed, with the stamps and webhooks that the store would make of it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce import refunding, statuses
from ml_connector.sandbox.bigcommerce.dates import iso_offset, rfc2822
from ml_connector.sandbox.bigcommerce.errors import ApiError, unprocessable
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, plain
from ml_connector.sandbox.bigcommerce.payments import captured, due, rows, transaction
from ml_connector.sandbox.bigcommerce.refunding import Figures
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder

Doc = dict[str, Any]
_PENDING = ("capture pending", "void pending")


def order_event(store: Store, stored: StoredOrder, what: str, **more: Any) -> None:
    """Announce `store/order/<what>` and its channel-specific twin, whose data has another key; stock follows."""
    store.inventory.follow(stored.id, int(stored.order["status_id"]), stored.products)
    store.on_event(f"store/order/{what}", {"type": "order", "id": stored.id, **more})
    channel = stored.order.get("channel_id") or 1
    store.on_event(f"store/channel/{channel}/order/{what}", {"order_id": stored.id, **more})


def transaction_event(store: Store, stored: StoredOrder, row: Mapping[str, Any], what: str = "created") -> None:
    ids = {"order_id": str(stored.id), "transaction_id": str(row["id"])}
    result = {"code": "", "message": "Approved" if row["status"] == "ok" else "Declined", "type": row["status"]}
    store.on_event(
        f"store/order/transaction/{what}",
        {
            "type": "transaction",
            **ids,
            "transaction_status": row["status"],
            "transaction_type": row["event"],
            "result": result,
            "platform_transaction_id": str(row["id"]),
            "provider_transaction_id": row["gateway_transaction_id"],
        },
    )


def add_transaction(store: Store, stored: StoredOrder, row: Doc) -> None:
    """Append a row; reads show it after the store's `transactions_delay_s`."""
    store.remember(stored)
    stored.transactions.append(row)
    delay_s = store.settings.transactions_delay_s
    if delay_s > 0:
        stored.transactions_at = store.now() + delay_s
    store.touch(stored, bump=store.settings.transactions_bump_modified)
    transaction_event(store, stored, row)
    if store.settings.transactions_bump_modified:
        order_event(store, stored, "updated")


def set_status(store: Store, stored: StoredOrder, status_id: int, **fields: Any) -> None:
    """Move to a status (and change further fields of the order with it)."""
    if status_id not in statuses.LABELS:
        raise ApiError(400, "The field 'status_id' is invalid.")
    store.remember(stored)
    previous = int(stored.order["status_id"])
    stored.order.update(fields)
    stored.order.update(
        status_id=status_id, status=statuses.LABELS[status_id], custom_status=statuses.LABELS[status_id]
    )
    if status_id in (statuses.SHIPPED, statuses.COMPLETED) and not stored.order.get("date_shipped"):
        stored.order["date_shipped"] = rfc2822(store.now())
    store.touch(stored)
    order_event(store, stored, "updated")
    if status_id != previous:
        status = {"previous_status_id": previous, "new_status_id": status_id}
        order_event(store, stored, "statusUpdated", status=status)


def change(store: Store, stored: StoredOrder, **fields: Any) -> None:
    """Change fields of the order; an update is announced."""
    store.remember(stored)
    stored.order.update(fields)
    store.touch(stored)
    order_event(store, stored, "updated")


def announce(store: Store, stored: StoredOrder) -> None:
    """The events that a finished checkout leaves behind, for an order that was inserted whole."""
    order_event(store, stored, "created")
    for row in stored.transactions:
        transaction_event(store, stored, row)
    status_id = int(stored.order["status_id"])
    if status_id:
        order_event(store, stored, "updated")
        order_event(store, stored, "statusUpdated", status={"previous_status_id": 0, "new_status_id": status_id})
    for refund in stored.refunds:
        order_event(store, stored, "refund/created", refund={"refund_id": refund["id"]})


def checkout(store: Store, snapshot: Doc) -> StoredOrder:
    """Place an order as a shopper does: Incomplete and unpaid first, then its transactions, its status, its refunds.

    The steps follow after `payment_delay_s` each; with no delay they happen at once, in this order.
    """
    final = dict(snapshot["order"])
    status_id, payment_status = int(final["status_id"]), final.get("payment_status", "")
    opening = {**snapshot, "order": {**final, "status_id": 0, "status": statuses.LABELS[0], "payment_status": ""}}
    stored = store.add_order({**opening, "transactions": [], "refunds": []}, modified="now")
    stored.visible_at = store.now() + store.settings.order_404_for_s
    order_event(store, stored, "created")

    transactions: list[Doc] = snapshot.get("transactions") or []
    refunds: list[Doc] = snapshot.get("refunds") or []
    money_back: list[Doc] = [row for row in transactions if row["event"] == "refund"]

    def pay() -> None:
        for row in transactions:
            if row not in money_back:
                add_transaction(store, stored, dict(row))
        if refunds:
            set_status(store, stored, statuses.AWAITING_FULFILLMENT, payment_status="captured")
            store.at(store.settings.payment_delay_s, refund)
        elif status_id:
            set_status(store, stored, status_id, payment_status=payment_status)

    def refund() -> None:
        for document in refunds:
            stored.refunds.append(dict(document))
            store.touch(stored)
            order_event(store, stored, "refund/created", refund={"refund_id": document["id"]})
        for row in money_back:
            add_transaction(store, stored, dict(row))
        set_status(store, stored, status_id, payment_status=payment_status)

    store.at(store.settings.payment_delay_s, pay)
    return stored


def capture(store: Store, stored: StoredOrder, amount: Decimal | None = None, *, ok: bool = True) -> None:
    """Capture an authorised payment: pending at once, the money follows after `payment_delay_s`.

    Without an amount all that is authorised and not yet captured. Raises ApiError 422 if nothing can be captured.
    """
    authorised = rows(stored, "authorization")
    if not authorised or rows(stored, "void") or stored.order["payment_status"] in _PENDING:
        raise unprocessable({}, "This transaction can't be captured.")
    left = min(sum((dec(t["amount"]) for t in authorised), ZERO), due(stored.order)) - captured(stored)
    wanted = left if amount is None else amount
    if wanted <= 0 or wanted > left:
        raise unprocessable({}, "This transaction can't be captured.")
    change(store, stored, payment_status="capture pending")

    def settle() -> None:
        first = authorised[0]
        row = _follow_up(store, stored, first, "capture", wanted, "ok" if ok else "error")
        add_transaction(store, stored, row)
        if not ok:
            change(store, stored, payment_status="authorized")
        elif int(stored.order["status_id"]) == statuses.AWAITING_PAYMENT:
            set_status(store, stored, statuses.AWAITING_FULFILLMENT, payment_status="captured")
        else:
            change(store, stored, payment_status="captured")

    store.at(store.settings.payment_delay_s, settle)


def void(store: Store, stored: StoredOrder) -> None:
    """Void an authorised payment that was not captured; asynchronous like a capture."""
    authorised = rows(stored, "authorization")
    if not authorised or captured(stored) or rows(stored, "void") or stored.order["payment_status"] in _PENDING:
        raise unprocessable({}, "This transaction can't be voided.")
    change(store, stored, payment_status="void pending")

    def settle() -> None:
        first = authorised[0]
        add_transaction(store, stored, _follow_up(store, stored, first, "void", dec(first["amount"]), "ok"))
        change(store, stored, payment_status="void")

    store.at(store.settings.payment_delay_s, settle)


def _follow_up(store: Store, stored: StoredOrder, first: Doc, event: str, amount: Decimal, status: str) -> Doc:
    return transaction(
        store.number("transaction"), stored.id, event, amount, stored.currency, store.now(),
        gateway=first["gateway"], method=first["method"], status=status, reference=first["id"],
    )  # fmt: skip


def create_refund(
    store: Store,
    stored: StoredOrder,
    sums: Figures,
    payments: Sequence[Mapping[str, Any]],
    *,
    reason: str = "",
    override: Mapping[str, Any] | None = None,
    decline: bool | None = None,
) -> Doc:
    """Create a refund. Its money moves after `payment_delay_s` and may be declined then; nothing is restocked."""
    refund: Doc = {
        "id": store.number("refund"),
        "order_id": stored.id,
        "user_id": 9,
        "created": iso_offset(store.now()),
        "reason": reason,
        "total_amount": plain(dec(override["total_amount"]) if override else sums.total, stored.currency),
        "total_tax": plain(dec(override["total_tax"]) if override else sums.tax, stored.currency),
        "uses_merchant_override_values": override is not None,
        "items": sums.items,
        "payments": [
            {
                "id": store.number("refund_payment"),
                "provider_id": p["provider_id"],
                "amount": plain(dec(p["amount"]), stored.currency),
                "offline": bool(p["offline"]),
                "is_declined": False,
                "declined_message": "",
                "transaction_id": None,
            }
            for p in payments
        ],
    }
    store.remember(stored)
    stored.refunds.append(refund)
    _mark_lines(stored)
    store.touch(stored, bump=store.settings.refunds_bump_modified)
    order_event(store, stored, "refund/created", refund={"refund_id": refund["id"]})
    declined = store.settings.refund_decline if decline is None else decline
    store.at(store.settings.payment_delay_s, lambda: _settle_refund(store, stored, refund, declined=declined))
    return refund


def _settle_refund(store: Store, stored: StoredOrder, refund: Doc, *, declined: bool) -> None:
    for payment in refund["payments"]:
        if payment["offline"]:
            _give_store_credit(store, stored, payment)
        elif declined:
            payment.update(is_declined=True, declined_message="The gateway declined the refund.")
        else:
            method = next((t["method"] for t in rows(stored, "purchase", "capture")), "credit_card")
            row = transaction(
                store.number("transaction"), stored.id, "refund", dec(payment["amount"]), stored.currency,
                store.now(), gateway=payment["provider_id"], method=method,
            )  # fmt: skip
            payment["transaction_id"] = str(row["id"])
            add_transaction(store, stored, row)
    _mark_lines(stored)
    gone, total = refunding.refunded_total(stored), dec(stored.order["total_inc_tax"])
    if gone <= 0:
        return
    if gone >= total:
        set_status(store, stored, statuses.REFUNDED, payment_status="refunded")
    else:
        set_status(store, stored, statuses.PARTIALLY_REFUNDED, payment_status="partially refunded")


def _mark_lines(stored: StoredOrder) -> None:
    for line in stored.products:
        if "quantity_refunded" in line:
            line["quantity_refunded"] = refunding.quantity_refunded(stored, "PRODUCT", line["id"])


def _give_store_credit(store: Store, stored: StoredOrder, payment: Doc) -> None:
    customer = store.customers.get(int(stored.order.get("customer_id") or 0))
    if payment["provider_id"] == "storecredit" and customer is not None:
        before = dec(customer["store_credit_amounts"][0]["amount"]) if customer["store_credit_amounts"] else ZERO
        customer["store_credit_amounts"] = [{"amount": str(before + dec(payment["amount"]))}]


def cancel(store: Store, stored: StoredOrder) -> None:
    """Cancel the order; an open authorisation is voided with it."""
    if rows(stored, "authorization") and not captured(stored) and not rows(stored, "void"):
        void(store, stored)
    set_status(store, stored, statuses.CANCELLED)
