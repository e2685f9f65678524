"""What a ledger must hold for an order, read from the store's facts alone.

Written apart from `planning/` on purpose: a tie-out that asks the planner what is right cannot find the planner wrong.
It knows kinds, IDs and amounts; it knows no accounts and no lines.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from ml_connector.domain.money import ZERO, minor_unit
from ml_connector.domain.orders import OrderSnapshot, Refund, Transaction
from ml_connector.domain.policy import Policy

NEVER_POSTED = {0, 6}  # incomplete, declined
CANCELLED = 5
SHIPPED = {2, 10}
COMPLETED = {10}
PAID_BY_STATUS = {11, 9, 8, 3, 2, 10}
TENDERS = {"store_credit", "gift_certificate"}

KIND_NAMES = {
    "O": "orders",
    "P": "captures",
    "S": "captures",
    "R": "refunds",
    "M": "refund payments",
    "D": "adjustments",
}
"""By the letter of a reference. Adjustments are counted with the order that they adjust; those of no order show up."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that must be in the ledger: `kind` is the letter of its reference, `id` the store's ID of it."""

    order_id: int
    kind: str
    id: str
    amount: Decimal
    tax: Decimal
    currency: str
    day: date


def captured(snapshot: OrderSnapshot) -> tuple[Transaction, ...]:
    """Transactions in which money really moved to the merchant, tenders of the store itself left out."""
    return tuple(
        t
        for t in snapshot.transactions
        if t.status == "ok" and not t.test and t.event in {"purchase", "capture"} and t.method not in TENDERS
    )


def amount_due(snapshot: OrderSnapshot) -> Decimal:
    order = snapshot.order
    return order.total.inc_tax - order.store_credit_amount - order.gift_certificate_amount


def expected_of(snapshot: OrderSnapshot, policy: Policy) -> Iterator[Expected]:
    """Everything that the ledger must hold live for `snapshot`; nothing for orders that are not (or no more) sales."""
    order = snapshot.order
    if order.status_id in NEVER_POSTED or before_cut_over(snapshot, policy):
        return
    zone = ZoneInfo(snapshot.store.time_zone if policy.dates_time_zone == "store" else policy.dates_time_zone)

    def day(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    def expect(kind: str, thing: str, amount: Decimal, tax: Decimal, on: date) -> Expected:
        return Expected(order.id, kind, thing, amount, tax, order.currency, on)

    money = captured(snapshot)
    refunds = [r for r in snapshot.refunds if not _declined(r)]
    given_back = sum((r.total_amount for r in refunds), ZERO)
    wanted = _order_wanted(snapshot, policy)
    if order.status_id == CANCELLED:
        wanted = wanted and refunds != [] and abs(given_back - order.total.inc_tax) < minor_unit(order.currency)
    invoice_payment = snapshot.b2b is not None and snapshot.b2b.is_invoice_order
    if wanted and not invoice_payment:
        yield expect("O", str(order.id), order.total.inc_tax, order.total.tax, day(order.created))
    if policy.posting_settlement == "two_step" or invoice_payment:
        for transaction in money:
            yield expect("P", transaction.id, transaction.amount, ZERO, day(transaction.created))
        if wanted and not money and _paid_by_status(snapshot, policy):
            yield expect("S", str(order.id), amount_due(snapshot), ZERO, day(order.created))
    for refund in refunds:
        yield expect("R", str(refund.id), refund.total_amount, refund.total_tax, day(refund.created))
        if policy.posting_settlement == "two_step":
            for payment in refund.payments:
                if not payment.is_declined:
                    yield expect("M", str(payment.id), payment.amount, ZERO, day(refund.created))


def before_cut_over(snapshot: OrderSnapshot, policy: Policy) -> bool:
    if policy.posting_cut_over is None:
        return False
    zone = ZoneInfo(snapshot.store.time_zone if policy.dates_time_zone == "store" else policy.dates_time_zone)
    return snapshot.order.created.astimezone(zone).date() < policy.posting_cut_over


def _declined(refund: Refund) -> bool:
    return bool(refund.payments) and all(p.is_declined for p in refund.payments)


def _paid_by_status(snapshot: OrderSnapshot, policy: Policy) -> bool:
    way = policy.offline_methods.get(snapshot.order.payment_method)
    return way == "paid_by_status" and snapshot.order.status_id in PAID_BY_STATUS and amount_due(snapshot) > 0


def _order_wanted(snapshot: OrderSnapshot, policy: Policy) -> bool:
    order = snapshot.order
    total = sum((t.amount for t in captured(snapshot)), ZERO)
    due = amount_due(snapshot)
    on_account = policy.offline_methods.get(order.payment_method) == "on_account"
    paid = total > 0 or due <= 0 or on_account or _paid_by_status(snapshot, policy)
    if policy.posting_partial_capture == "wait_full" and 0 < total < due:
        paid = False
    rules: Mapping[str, bool] = {
        "capture": paid,
        "placement": True,
        "shipment": order.status_id in SHIPPED,
        "completion": order.status_id in COMPLETED,
    }
    return rules[policy.posting_trigger]
