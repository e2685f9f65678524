"""What a refund comes to: quotes, alternatives of payment, and the limits (vendor: Orders v3, payment actions)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.errors import ApiError, unprocessable
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, decimals_of, to_minor
from ml_connector.sandbox.bigcommerce.payments import captured_by_tender
from ml_connector.sandbox.bigcommerce.state import StoredOrder

Doc = dict[str, Any]


@dataclass(slots=True)
class Figures:
    """A refund's items as stored, and its sums. Amounts include tax; `tax` is the part of it that is tax."""

    items: list[Doc] = field(default_factory=list[Doc])
    total: Decimal = ZERO
    tax: Decimal = ZERO
    order_level: Decimal = ZERO
    adjustment: Decimal = ZERO
    rounding: Decimal = ZERO


def live_refunds(stored: StoredOrder) -> list[Doc]:
    """Refunds that stand: those with no payment, or at least one that was not declined."""
    return [r for r in stored.refunds if not r["payments"] or not all(p["is_declined"] for p in r["payments"])]


def refunded_total(stored: StoredOrder) -> Decimal:
    return sum((dec(r["total_amount"]) for r in live_refunds(stored)), ZERO)


def quantity_refunded(stored: StoredOrder, item_type: str, item_id: int) -> int:
    items = [i for r in live_refunds(stored) for i in r["items"]]
    return sum(int(i["quantity"] or 0) for i in items if i["item_type"] == item_type and i["item_id"] == item_id)


def figures(stored: StoredOrder, items: Sequence[Mapping[str, Any]], tax_adjustment: Decimal | None = None) -> Figures:
    """Sums of the asked items. Raises ApiError 422 for an unknown item or more than can be refunded."""
    result = Figures()
    for index, item in enumerate(items):
        rule = _RULES.get(str(item.get("item_type")))
        if rule is None:
            raise unprocessable({f"items.{index}.item_type": "error.expected.validenumvalue"})
        rule(stored, item, result, index)
    if tax_adjustment is not None:
        result.total += tax_adjustment
        result.tax += tax_adjustment
    left = dec(stored.order["total_inc_tax"]) - refunded_total(stored)
    if result.total > left:
        over = result.total - left
        if over > max(len(stored.products), 2) * _unit(stored):  # rounding of each line, no more
            raise refused(f"Requested refund of {result.total} is above the {left} that can still be refunded.")
        result.rounding, result.total = -over, left
    if result.total <= 0 and tax_adjustment is None:
        raise refused("The refund amount must be above zero.")
    return result


def refused(text: str) -> ApiError:
    """The refunds endpoints' own error shape."""
    return ApiError(422, text, body={"data": [{"status": 422, "title": text}]})


def alternatives(stored: StoredOrder, total: Decimal) -> list[list[Doc]]:
    """Ways to pay the refund: back to the tenders that paid, as store credit, or outside of the store."""
    gone: dict[str, Decimal] = {}
    for refund in live_refunds(stored):
        for payment in refund["payments"]:
            if not payment["is_declined"]:
                gone[payment["provider_id"]] = gone.get(payment["provider_id"], ZERO) + dec(payment["amount"])
    split: list[Doc] = []
    left = total
    for (gateway, _), paid in captured_by_tender(stored).items():
        share = min(left, paid - min(gone.get(gateway, ZERO), paid))
        gone[gateway] = max(gone.get(gateway, ZERO) - paid, ZERO)
        if share > 0:
            split.append(_method(gateway, share, offline=False))
            left -= share
    for provider, fieldname in (("storecredit", "store_credit_amount"), ("giftcertificate", "gift_certificate_amount")):
        share = min(left, max(dec(stored.order[fieldname]) - gone.get(provider, ZERO), ZERO))
        if share > 0:
            split.append(_method(provider, share, offline=True))
            left -= share
    ways = [] if left > 0 or not split else [split]
    if stored.order.get("customer_id"):
        ways.append([_method("storecredit", total, offline=True)])
    return [*ways, [_method("custom", total, offline=True)]]


def _method(provider: str, amount: Decimal, *, offline: bool) -> Doc:
    return {
        "provider_id": provider,
        "provider_description": provider.capitalize(),
        "amount": amount,
        "offline": offline,
        "offline_provider": offline,
        "offline_reason": "This provider moves no money online." if offline else "",
    }


def _unit(stored: StoredOrder) -> Decimal:
    return Decimal(1).scaleb(-decimals_of(stored.currency))


def _find(docs: Sequence[Doc], item: Mapping[str, Any], index: int) -> Doc:
    for doc in docs:
        if doc["id"] == item.get("item_id"):
            return doc
    raise refused(f"Item {index} does not belong to this order.")


def _by_quantity(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int, inc: str, tax: str) -> None:
    line = _find(stored.products, item, index)
    quantity, taken = int(item.get("quantity") or 0), quantity_refunded(stored, item["item_type"], line["id"])
    taken += sum(
        int(i["quantity"]) for i in result.items if i["item_type"] == item["item_type"] and i["item_id"] == line["id"]
    )
    whole = int(line["quantity"])
    if quantity < 1 or taken + quantity > whole:
        raise refused(f"Quantity {quantity} of item {line['id']} is above the {whole - taken} that can be refunded.")

    def share(amount: Decimal) -> Decimal:
        upto = to_minor(amount * (taken + quantity) / whole, stored.currency)
        return upto - to_minor(amount * taken / whole, stored.currency)

    given: list[Doc] = item.get("adjustments") or []
    adjustments = [{"amount": str(a["amount"]), "description": str(a.get("description", ""))} for a in given]
    adjustment = sum((dec(a["amount"]) for a in adjustments), ZERO)
    amount_field = line.get(inc) or line["total_inc_tax"]
    result.total += share(dec(amount_field)) + adjustment
    result.tax += share(dec(line.get(tax)))
    result.adjustment += adjustment
    result.items.append(_item(item, quantity=quantity, adjustments=adjustments))


def _product(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int) -> None:
    _by_quantity(stored, item, result, index, "discounted_total_inc_tax", "total_tax")


def _wrapping(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int) -> None:
    _by_quantity(stored, item, result, index, "wrapping_cost_inc_tax", "wrapping_cost_tax")


def _by_amount(stored: StoredOrder, item: Mapping[str, Any], result: Figures, charge: Doc, prefix: str) -> None:
    amount, cost, tax = _amount(stored, item), dec(charge[f"{prefix}_inc_tax"]), dec(charge[f"{prefix}_tax"])
    before = [i for r in live_refunds(stored) for i in r["items"]] + result.items
    same = [i for i in before if i["item_type"] == item["item_type"] and i["item_id"] == item["item_id"]]
    taken = sum((dec(i["requested_amount"]) for i in same), ZERO)
    if amount <= 0 or taken + amount > cost:
        raise refused(f"Amount {amount} is above the {cost - taken} that can be refunded.")
    upto = to_minor(tax * (taken + amount) / cost, stored.currency)
    result.total += amount
    result.tax += upto - to_minor(tax * taken / cost, stored.currency)
    result.items.append(_item(item, requested_amount=format(amount, "f")))


def _shipping(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int) -> None:
    _by_amount(stored, item, result, _find(stored.shipping_addresses, item, index), "cost")


def _handling(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int) -> None:
    _by_amount(stored, item, result, _find(stored.shipping_addresses, item, index), "handling_cost")


def _fee(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int) -> None:
    _by_amount(stored, item, result, _find(stored.fees, item, index), "cost")


def _order(stored: StoredOrder, item: Mapping[str, Any], result: Figures, index: int) -> None:
    if item.get("item_id") != stored.id:
        raise refused(f"Item {index} does not belong to this order.")
    amount = _amount(stored, item)
    result.total += amount
    result.order_level += amount
    result.items.append(_item(item, requested_amount=format(amount, "f")))


def _amount(stored: StoredOrder, item: Mapping[str, Any]) -> Decimal:
    return to_minor(dec(item.get("amount")), stored.currency)


def _item(
    item: Mapping[str, Any],
    *,
    quantity: int | None = None,
    requested_amount: str | None = None,
    adjustments: list[Doc] | None = None,
) -> Doc:
    return {
        "item_type": item["item_type"],
        "item_id": item["item_id"],
        "quantity": quantity,
        "requested_amount": requested_amount,
        "reason": str(item.get("reason") or ""),
        "adjustments": adjustments or [],
    }


_RULES = {
    "PRODUCT": _product,
    "GIFT_WRAPPING": _wrapping,
    "SHIPPING": _shipping,
    "HANDLING": _handling,
    "FEE": _fee,
    "ORDER": _order,
}
