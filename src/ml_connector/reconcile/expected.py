"""What a ledger must hold for an order, read from the store's facts alone.

Written apart from `planning/` on purpose: a tie-out that asks the planner what is right cannot find the planner wrong.
It knows kinds, IDs and amounts; it knows no accounts and no lines.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from ml_connector.domain.money import ZERO, minor_unit
from ml_connector.domain.orders import OrderSnapshot, Refund, RefundPayment, Transaction
from ml_connector.domain.policy import Policy

INCOMPLETE, CANCELLED, DECLINED = 0, 5, 6
NEVER_POSTED = {INCOMPLETE: "incomplete", DECLINED: "declined"}
SHIPPED = {2, 10}
AFTER_SHIPPING = {4, 13, 14}  # refunded, disputed, partially refunded: shipped only if the order says when
COMPLETED = {10}
PAID_BY_STATUS = {11, 9, 8, 3, 2, 10}
TENDERS = {"store_credit", "gift_certificate"}
DELIVERY = {"shipment", "completion"}
SHIPPING_COUPONS = {3, 4}


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that must be in the ledger: `kind` is the letter of its reference, `id` the store's ID of it.

    `shipping`: net of what was charged with an order; None where it cannot be told. `certificates`, `credit`: by how
    much the debt to holders of gift certificates and of store credit grows. `at`: when it came into being.
    """

    order_id: int
    kind: str
    id: str
    amount: Decimal
    tax: Decimal
    currency: str
    day: date
    at: datetime
    shipping: Decimal | None = ZERO
    certificates: Decimal = ZERO
    credit: Decimal = ZERO


def captured(snapshot: OrderSnapshot) -> tuple[Transaction, ...]:
    """Transactions in which money really moved to the merchant, tenders of the store itself left out, and rows of less
    than half a unit."""
    return tuple(
        t
        for t in snapshot.transactions
        if t.status == "ok"
        and not t.test
        and t.event in {"purchase", "capture"}
        and t.method not in TENDERS
        and 2 * abs(t.amount) >= minor_unit(t.currency)
    )


def amount_due(snapshot: OrderSnapshot) -> Decimal:
    order = snapshot.order
    return order.total.inc_tax - order.store_credit_amount - order.gift_certificate_amount


def expected_of(
    snapshot: OrderSnapshot, policy: Policy, *, sales: bool = False, posted: Collection[tuple[str, str]] = ()
) -> Iterator[Expected]:
    """Everything that the ledger must hold live for `snapshot`; nothing for orders that are not (or no more) sales.

    `sales`: the ERP takes itemised documents. Store credit and gift certificates that pay an order are payments there
    (`T`, `G`); a journal entry carries them on its own lines. An order over nothing moves goods, so it is due there.
    `posted`: what stands for the order already, as (letter, ID). The rules for when an order is posted are about orders
    that are not posted yet: what stands stays due, and an order before the cut-over was brought in on purpose.
    """
    order = snapshot.order
    if order.status_id in NEVER_POSTED or (before_cut_over(snapshot, policy) and not posted):
        return
    zone = zone_of(snapshot, policy)

    def expect(
        kind: str,
        thing: str,
        amount: Decimal,
        at: datetime,
        *,
        tax: Decimal = ZERO,
        shipping: Decimal | None = ZERO,
        certificates: Decimal = ZERO,
        credit: Decimal = ZERO,
    ) -> Expected:
        day = at.astimezone(zone).date()
        return Expected(
            order.id, kind, thing, amount, tax, order.currency, day, at, shipping, certificates, credit
        )  # fmt: skip

    money = captured(snapshot)
    refunds = [r for r in snapshot.refunds if not _declined(r) and _counts(snapshot, r, policy)]
    given_back = sum((r.total_amount for r in refunds), ZERO)
    wanted = ("O", str(order.id)) in posted or _order_wanted(snapshot, policy, sales=sales)
    if order.status_id == CANCELLED:
        wanted = wanted and refunds != [] and abs(given_back - order.total.inc_tax) < minor_unit(order.currency)
    if wanted and order.total.inc_tax == 0 and ("O", str(order.id)) not in posted:
        wanted = sales or (policy.posting_zero_total == "post" and policy.discounts_presentation == "gross")
    invoice_payment = snapshot.b2b is not None and snapshot.b2b.is_invoice_order
    sold = wanted and not invoice_payment
    payments_apart = sales or not _one_document(snapshot, policy)
    certificates, credit = order.gift_certificate_amount, order.store_credit_amount
    if sold:
        yield expect(
            "O",
            str(order.id),
            order.total.inc_tax,
            order.created,
            tax=order.total.tax,
            shipping=None if sales and _has_shipping_coupon(snapshot) else _shipping(snapshot),
            certificates=_certificates_sold(snapshot, policy) - (ZERO if sales else certificates),
            credit=ZERO if sales else -credit,
        )
        if sales and credit:
            yield expect("T", str(order.id), credit, order.created, credit=-credit)
        if sales and certificates:
            yield expect("G", str(order.id), certificates, order.created, certificates=-certificates)
    if payments_apart or invoice_payment:
        for transaction in money:
            yield expect("P", transaction.id, transaction.amount, transaction.created)
        if wanted and not money and _paid_by_status(snapshot, policy):
            yield expect("S", str(order.id), amount_due(snapshot), order.created)
    for refund in refunds:
        if sold and (refund.items or refund.payments or refund.total_amount):
            yield expect("R", str(refund.id), refund.total_amount, refund.created, tax=refund.total_tax)
        if payments_apart or not sold:
            for payment in refund.payments:
                if not payment.is_declined and payment.amount:
                    as_certificates, as_credit = _given_as(payment)
                    yield expect(
                        "M", str(payment.id), payment.amount, refund.created,
                        certificates=as_certificates, credit=as_credit,
                    )  # fmt: skip


def zone_of(snapshot: OrderSnapshot, policy: Policy) -> ZoneInfo:
    """Where a day begins and ends."""
    return ZoneInfo(snapshot.store.time_zone if policy.dates_time_zone == "store" else policy.dates_time_zone)


def created_on(snapshot: OrderSnapshot, policy: Policy) -> date:
    return snapshot.order.created.astimezone(zone_of(snapshot, policy)).date()


def before_cut_over(snapshot: OrderSnapshot, policy: Policy) -> bool:
    return policy.posting_cut_over is not None and created_on(snapshot, policy) < policy.posting_cut_over


def never_a_sale(snapshot: OrderSnapshot, policy: Policy) -> str:
    """The rule that leaves the order out whatever else it says, in the words of an exclusion; empty: none."""
    if before_cut_over(snapshot, policy):
        return "before_cut_over"
    if snapshot.order.status_id == CANCELLED:
        return "cancelled_before_posting"
    return NEVER_POSTED.get(snapshot.order.status_id, "")


def _declined(refund: Refund) -> bool:
    return bool(refund.payments) and all(p.is_declined for p in refund.payments)


def _counts(snapshot: OrderSnapshot, refund: Refund, policy: Policy) -> bool:
    """Whether policy waits for nothing more: with `settled`, each payment has its refund transaction."""
    if policy.refunds_post_when != "settled":
        return True
    rows = [t for t in snapshot.transactions if t.event == "refund" and t.status == "ok" and not t.test]
    for payment in refund.payments:
        row = next((each for each in rows if _pays(each, payment)), None)
        if row is None and not payment.offline:
            return False
        if row is not None:
            rows.remove(row)
    return True


def _pays(row: Transaction, payment: RefundPayment) -> bool:
    if payment.transaction_id:
        return row.id == payment.transaction_id
    return row.gateway == payment.provider_id and row.amount == payment.amount


def _has_shipping_coupon(snapshot: OrderSnapshot) -> bool:
    """An itemised document has shipping net of its coupon, and the store does not say what the coupon took off it."""
    return any(coupon.type in SHIPPING_COUPONS for coupon in snapshot.coupons)


def _shipping(snapshot: OrderSnapshot) -> Decimal:
    if snapshot.addresses:
        return sum((address.shipping.ex_tax for address in snapshot.addresses), ZERO)
    return snapshot.order.shipping.ex_tax


def _certificates_sold(snapshot: OrderSnapshot, policy: Policy) -> Decimal:
    """Net of the certificates on the order; single-purpose vouchers are revenue, not a debt."""
    if policy.gift_certificates_voucher == "single_purpose":
        return ZERO
    sold = [line for line in snapshot.lines if line.type == "giftcertificate"]
    return sum(
        (
            line.totals.ex_tax
            if line.discounted_total_inc_tax is None
            else line.discounted_total_inc_tax - line.totals.tax
            for line in sold
        ),
        ZERO,
    )


def _given_as(payment: RefundPayment) -> tuple[Decimal, Decimal]:
    """What a refund payment adds to gift certificates and to store credit."""
    provider = "".join(character for character in payment.provider_id.lower() if character.isalnum())
    return (
        payment.amount if provider == "giftcertificate" else ZERO,
        payment.amount if provider == "storecredit" else ZERO,
    )


def _on_account(snapshot: OrderSnapshot, policy: Policy) -> bool:
    return policy.offline_methods.get(snapshot.order.payment_method) == "on_account"


def _one_document(snapshot: OrderSnapshot, policy: Policy) -> bool:
    """Whether the order's entry carries its money itself, without a receivable in between."""
    return (
        policy.posting_settlement == "one_step"
        and policy.posting_trigger not in DELIVERY
        and not _on_account(snapshot, policy)
    )


def _paid_by_status(snapshot: OrderSnapshot, policy: Policy) -> bool:
    way = policy.offline_methods.get(snapshot.order.payment_method)
    return way == "paid_by_status" and snapshot.order.status_id in PAID_BY_STATUS and amount_due(snapshot) > 0


def _order_wanted(snapshot: OrderSnapshot, policy: Policy, *, sales: bool) -> bool:
    order = snapshot.order
    total = sum((t.amount for t in captured(snapshot)), ZERO)
    due = amount_due(snapshot)
    paid = total > 0 or due <= 0 or _on_account(snapshot, policy) or _paid_by_status(snapshot, policy)
    one_document = not sales and _one_document(snapshot, policy)
    whole = policy.posting_partial_capture == "wait_full" or one_document
    if whole and 0 < total < due and not _on_account(snapshot, policy):
        paid = False
    shipped = order.status_id in SHIPPED or (order.status_id in AFTER_SHIPPING and order.shipped is not None)
    rules: Mapping[str, bool] = {
        "capture": paid,
        "placement": paid or not one_document,
        "shipment": shipped,
        "completion": order.status_id in COMPLETED,
    }
    return rules[policy.posting_trigger]
