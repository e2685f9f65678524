"""What becomes of a generated order: its tender, status, transactions and refunds, by kind of recipe."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce import refunding, statuses
from ml_connector.sandbox.bigcommerce.dates import iso_offset, rfc2822
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, money4, plain, to_minor
from ml_connector.sandbox.bigcommerce.payments import due, transaction
from ml_connector.sandbox.bigcommerce.state import StoredOrder
from ml_connector.sandbox.bigcommerce.vocabulary import (
    MARKETS,
    OFFLINE_ON_ACCOUNT,
    OFFLINE_PAID_BY_STATUS,
    PAYMENT_NAMES,
)

Doc = dict[str, Any]
Numbers = Callable[[str], int]
_HOUR, _DAY = 3600, 86_400


@dataclass(slots=True)
class Case:
    """An order on its way from fresh documents to its outcome. Nothing is dated after `until_s`."""

    documents: Doc
    market: str
    draw: random.Random
    numbers: Numbers
    placed_s: int
    until_s: int

    @property
    def order(self) -> Doc:
        return self.documents["order"]

    @property
    def currency(self) -> str:
        return str(self.order["default_currency_code"])

    @property
    def due(self) -> Decimal:
        return due(self.order)

    def tender(self) -> tuple[str, str]:
        return self.draw.choice(MARKETS[self.market].gateways)

    def at(self, delay_s: int) -> int:
        return min(self.placed_s + delay_s, max(self.until_s, self.placed_s))

    def row(self, event: str, amount: Decimal, delay_s: int, tender: tuple[str, str], **more: Any) -> Doc:
        row = transaction(
            self.numbers("transaction"), self.order["id"], event, amount, self.currency, self.at(delay_s),
            gateway=tender[0], method=tender[1], **more,
        )  # fmt: skip
        self.documents["transactions"].append(row)
        return row

    def settle(self, status_id: int, payment_status: str, method: str) -> None:
        label = statuses.LABELS[status_id]
        self.order.update(
            status_id=status_id, status=label, custom_status=label, payment_status=payment_status, payment_method=method
        )

    def stored(self) -> StoredOrder:
        return StoredOrder(self.order["id"], **self.documents, created=self.placed_s, modified=self.placed_s)


def _paid(case: Case, status_id: int = statuses.AWAITING_FULFILLMENT) -> tuple[str, str]:
    if case.due <= 0:
        case.settle(status_id, "", "")
        return ("", "")
    tender = case.tender()
    case.row("purchase", case.due, 5, tender)
    case.settle(status_id, "captured", PAYMENT_NAMES[tender[1]])
    case.order["payment_provider_id"] = tender[0]
    return tender


def _shipped(case: Case) -> None:
    _paid(case, statuses.SHIPPED)
    at_s = case.at(_DAY)
    case.order.update(date_shipped=rfc2822(at_s), items_shipped=case.order["items_total"])
    for line in case.documents["products"]:
        line["quantity_shipped"] = line["quantity"]


def _two_providers(case: Case) -> None:
    tenders = MARKETS[case.market].gateways
    part = to_minor(case.due / 3, case.currency)
    case.row("purchase", case.due - part, 5, tenders[0])
    case.row("purchase", part, 6, tenders[-1])
    case.settle(statuses.AWAITING_FULFILLMENT, "captured", PAYMENT_NAMES[tenders[0][1]])


def _authorised(case: Case) -> Doc:
    tender = MARKETS[case.market].gateways[0]
    case.settle(statuses.AWAITING_PAYMENT, "authorized", PAYMENT_NAMES[tender[1]])
    return case.row("authorization", case.due, 5, tender)


def _authorised_only(case: Case) -> None:
    _authorised(case)


def _capture_failed(case: Case) -> None:
    first = _authorised(case)
    case.row("capture", case.due, 9, _tender_of(first), status="error", reference=first["id"])


def _partly_captured(case: Case) -> None:
    first = _authorised(case)
    part = to_minor(case.due * Decimal("0.6"), case.currency)
    case.row("capture", part, _DAY, _tender_of(first), reference=first["id"])
    case.settle(statuses.AWAITING_FULFILLMENT, "captured", case.order["payment_method"])


def _two_captures(case: Case) -> None:
    first = _authorised(case)
    part = to_minor(case.due * Decimal("0.6"), case.currency)
    case.row("capture", part, _DAY, _tender_of(first), reference=first["id"])
    case.row("capture", case.due - part, 3 * _DAY, _tender_of(first), reference=first["id"])
    case.settle(statuses.AWAITING_FULFILLMENT, "captured", case.order["payment_method"])


def _cancelled(case: Case) -> None:
    first = _authorised(case)
    case.row("void", case.due, _HOUR, _tender_of(first), reference=first["id"])
    case.settle(statuses.CANCELLED, "void", case.order["payment_method"])


def _tender_of(row: Doc) -> tuple[str, str]:
    return (row["gateway"], row["method"])


def _bank_paid(case: Case) -> None:
    case.settle(statuses.AWAITING_FULFILLMENT, "", OFFLINE_PAID_BY_STATUS)


def _bank_waiting(case: Case) -> None:
    case.settle(statuses.AWAITING_PAYMENT, "", OFFLINE_PAID_BY_STATUS)


def _on_account(case: Case) -> None:
    case.settle(statuses.AWAITING_FULFILLMENT, "", OFFLINE_ON_ACCOUNT)


def _incomplete(case: Case) -> None:
    case.settle(statuses.INCOMPLETE, "", "")


def _declined(case: Case) -> None:
    tender = case.tender()
    case.row("purchase", case.due, 5, tender, status="error")
    case.settle(statuses.DECLINED, "declined", PAYMENT_NAMES[tender[1]])


def _certificate(case: Case, wanted: Decimal) -> None:
    amount = min(to_minor(wanted, case.currency), case.due)
    balance = to_minor(wanted, case.currency)
    case.order["gift_certificate_amount"] = money4(amount)
    details = {
        "code": f"GC-{case.order['id']}",
        "original_balance": plain(balance, case.currency),
        "starting_balance": plain(balance, case.currency),
        "remaining_balance": plain(balance - amount, case.currency),
        "status": "active",
    }
    case.row("purchase", amount, 4, ("", "gift_certificate"), gift_certificate=details)


def _credit(case: Case, wanted: Decimal) -> None:
    amount = min(to_minor(wanted, case.currency), case.due)
    case.order["store_credit_amount"] = money4(amount)
    case.row("purchase", amount, 4, ("", "store_credit"), store_credit={"remaining_balance": "0"})


def _share(case: Case, percent: int) -> Decimal:
    return to_minor(case.due * percent / 100, case.currency)


def _gift_redeemed(case: Case) -> None:
    _certificate(case, _share(case, 40))
    _paid(case)


def _store_credit(case: Case) -> None:
    _credit(case, _share(case, 30))
    _paid(case)


def _three_tenders(case: Case) -> None:
    _certificate(case, _share(case, 30))
    _credit(case, _share(case, 20))
    _paid(case)


def _refund(case: Case, items: Sequence[Doc], delay_s: int, provider: str = "", *, declined: bool = False) -> None:
    stored = case.stored()
    sums = refunding.figures(stored, items)
    split: list[Doc] = refunding.alternatives(stored, sums.total)[0]
    if provider:
        split = [{"provider_id": provider, "amount": sums.total, "offline": True}]
    payments: list[Doc] = []
    for part in split:
        number: str | None = None
        if not part["offline"] and not declined:
            tender = next(t for t in case.documents["transactions"] if t["gateway"] == part["provider_id"])
            number = str(case.row("refund", part["amount"], delay_s + 60, _tender_of(tender))["id"])
        payments.append(
            {
                "id": case.numbers("refund_payment"),
                "provider_id": part["provider_id"],
                "amount": plain(part["amount"], case.currency),
                "offline": part["offline"],
                "is_declined": declined,
                "declined_message": "The gateway declined the refund." if declined else "",
                "transaction_id": number,
            }
        )
    case.documents["refunds"].append(
        {
            "id": case.numbers("refund"),
            "order_id": case.order["id"],
            "user_id": 9,
            "created": iso_offset(case.at(delay_s)),
            "reason": "",
            "total_amount": plain(sums.total, case.currency),
            "total_tax": plain(sums.tax, case.currency),
            "uses_merchant_override_values": False,
            "items": sums.items,
            "payments": payments,
        }
    )
    stored = case.stored()
    for line in case.documents["products"]:
        line["quantity_refunded"] = refunding.quantity_refunded(stored, "PRODUCT", line["id"])
    gone = refunding.refunded_total(stored)
    if gone >= dec(case.order["total_inc_tax"]):
        case.settle(statuses.REFUNDED, "refunded", case.order["payment_method"])
    elif gone > 0:
        case.settle(statuses.PARTIALLY_REFUNDED, "partially refunded", case.order["payment_method"])


def _returnable(case: Case) -> list[Doc]:
    return [p for p in case.documents["products"] if dec(p["discounted_total_inc_tax"]) > 0]


def _product(line: Doc, quantity: int, adjustment: Decimal = ZERO) -> Doc:
    adjustments = [{"amount": adjustment, "description": "Restocking"}] if adjustment else []
    return {"item_type": "PRODUCT", "item_id": line["id"], "quantity": quantity, "adjustments": adjustments}


def _shipping(case: Case) -> list[Doc]:
    return [
        {"item_type": "SHIPPING", "item_id": a["id"], "amount": dec(a["cost_inc_tax"])}
        for a in case.documents["shipping_addresses"]
        if dec(a["cost_inc_tax"]) > 0
    ]


def _refund_quantity(case: Case) -> None:
    _paid(case)
    _refund(case, [_product(case.draw.choice(_returnable(case)), 1)], 2 * _DAY)


def _refund_shipping(case: Case) -> None:
    _paid(case)
    _refund(case, _shipping(case)[:1], 2 * _DAY)


def _refund_amount(case: Case) -> None:
    _paid(case)
    amount = to_minor(case.due / 20, case.currency)
    _refund(case, [{"item_type": "ORDER", "item_id": case.order["id"], "amount": amount}], 2 * _DAY)


def _refund_restocking(case: Case) -> None:
    _paid(case)
    line = _returnable(case)[0]
    worth = dec(line["discounted_total_inc_tax"]) / line["quantity"]
    _refund(case, [_product(line, 1, -to_minor(worth / 10, case.currency))], 2 * _DAY)


def _refund_several(case: Case) -> None:
    _paid(case)
    first, *others = _returnable(case)
    _refund(case, [_product(first, 1)], _DAY)
    rest = [_product(first, first["quantity"] - 1)] if first["quantity"] > 1 else []
    rest += [_product(line, line["quantity"]) for line in others]
    if rest:
        _refund(case, rest, 2 * _DAY)
    if shipping := _shipping(case):
        _refund(case, shipping, 3 * _DAY)


def _refund_full(case: Case) -> None:
    _paid(case)
    items = [_product(line, line["quantity"]) for line in _returnable(case)]
    wrapped = [p for p in case.documents["products"] if dec(p["wrapping_cost_inc_tax"]) > 0]
    items += [{"item_type": "GIFT_WRAPPING", "item_id": p["id"], "quantity": p["quantity"]} for p in wrapped]
    handling = [a for a in case.documents["shipping_addresses"] if dec(a["handling_cost_inc_tax"]) > 0]
    items += [
        {"item_type": "HANDLING", "item_id": a["id"], "amount": dec(a["handling_cost_inc_tax"])} for a in handling
    ]
    items += [
        {"item_type": "FEE", "item_id": f["id"], "amount": dec(f["cost_inc_tax"])} for f in case.documents["fees"]
    ]
    _refund(case, items + _shipping(case), 2 * _DAY)


def _refund_credit(case: Case) -> None:
    _paid(case)
    _refund(case, [_product(_returnable(case)[0], 1)], 2 * _DAY, "storecredit")


def _refund_declined(case: Case) -> None:
    _paid(case)
    _refund(case, [_product(_returnable(case)[0], 1)], 2 * _DAY, declined=True)


OUTCOMES: dict[str, Callable[[Case], object]] = {
    "paid": _paid,
    "shipped": _shipped,
    "two_providers": _two_providers,
    "authorised_only": _authorised_only,
    "capture_failed": _capture_failed,
    "partly_captured": _partly_captured,
    "two_captures": _two_captures,
    "cancelled": _cancelled,
    "bank_paid": _bank_paid,
    "bank_waiting": _bank_waiting,
    "on_account": _on_account,
    "incomplete": _incomplete,
    "declined": _declined,
    "gift_redeemed": _gift_redeemed,
    "store_credit": _store_credit,
    "three_tenders": _three_tenders,
    "refund_quantity": _refund_quantity,
    "refund_shipping": _refund_shipping,
    "refund_amount": _refund_amount,
    "refund_restocking": _refund_restocking,
    "refund_several": _refund_several,
    "refund_full": _refund_full,
    "refund_credit": _refund_credit,
    "refund_declined": _refund_declined,
}
