"""Whether anything may be planned, and whether the order entry is due: status, money and policy, never the event."""

from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import ExcludedCode, HoldCode
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import OrderSnapshot, Transaction
from ml_connector.domain.policy import Policy
from ml_connector.planning.facts import Facts, Stop, exclude, hold
from ml_connector.planning.ledger import Ledger
from ml_connector.planning.money_state import (
    ONLINE_PAYMENT_STATUSES,
    PAID_STATUSES,
    OfflineWay,
    authorised,
    has_rows,
    sum_of,
)
from ml_connector.planning.work import Work

INCOMPLETE, SHIPPED, REFUNDED, CANCELLED, DECLINED, COMPLETED, DISPUTED, PARTIALLY_REFUNDED = 0, 2, 4, 5, 6, 10, 13, 14
_NEVER_A_SALE = {
    INCOMPLETE: (ExcludedCode.INCOMPLETE, "the checkout was not finished"),
    DECLINED: (ExcludedCode.DECLINED, "the payment was declined"),
}
# Statuses that follow shipment or completion without telling which of them happened.
_AFTERWARDS = frozenset({REFUNDED, PARTIALLY_REFUNDED, DISPUTED})


def guard_status(snapshot: OrderSnapshot, policy: Policy, facts: Facts, ledger: Ledger, created: date) -> None:
    """Raises `Stop` for orders that are not planned at all. What was posted is never left behind by an exclusion."""
    order = snapshot.order
    if facts.left_out:
        raise exclude(ExcludedCode.BY_PERSON, facts.left_out)
    if order.status_id in _NEVER_A_SALE and not ledger:
        raise exclude(*_NEVER_A_SALE[order.status_id])
    cut_over = policy.posting_cut_over
    if cut_over is not None and created < cut_over and not facts.backfilled and not ledger:
        raise exclude(ExcludedCode.BEFORE_CUT_OVER, f"created on {created}, before the cut-over on {cut_over}")
    if order.is_deleted and not is_cancelled(snapshot):
        raise hold(
            HoldCode.ARCHIVED,
            f"order {order.id} was archived with status {order.status_id}",
            facts={"status_id": str(order.status_id)},
        )
    if order.status_id in policy.posting_held_statuses:
        raise hold(
            HoldCode.STATUS_HELD,
            f"status {order.status_id} waits for a decision in the store",
            key=str(order.status_id),
            facts={"status_id": str(order.status_id)},
        )
    if snapshot.b2b is not None and not snapshot.b2b.read:
        raise hold(HoldCode.B2B_UNKNOWN, "the B2B edition could not be asked for company, terms and invoices")


def is_cancelled(snapshot: OrderSnapshot) -> bool:
    """Cancelled, or back to a status of no sale: what was posted for it is undone the same way."""
    return snapshot.order.status_id in (CANCELLED, INCOMPLETE, DECLINED)


def offline_way(work: Work) -> OfflineWay:
    """What policy says about a payment method without transaction rows."""
    if has_rows(work.snapshot):
        way = work.policy.offline_methods.get(work.order.payment_method, "online")
        return "on_account" if way == "on_account" else "online"
    way = work.policy.offline_methods.get(work.order.payment_method)
    if way is not None:
        return way
    return "online" if work.order.payment_status.lower() in ONLINE_PAYMENT_STATUSES else "unknown"


def paid_by_status(work: Work, way: OfflineWay) -> bool:
    return way == "paid_by_status" and work.order.status_id in PAID_STATUSES


def order_is_due(work: Work, captures: tuple[Transaction, ...], way: OfflineWay, direct: bool) -> bool:
    """Whether the order entry must exist now; false: not yet, but deposits may. Raises `Stop`."""
    if work.ledger.live(work.order_name) is not None:
        return True
    captured = sum_of(captures)
    if work.due > 0 and captured == 0 and way == "unknown":
        work.lookups.miss("offline_method", work.order.payment_method)
        held = work.lookups.held()
        assert held is not None
        raise Stop(held)
    trigger = work.policy.posting_trigger
    if trigger in ("shipment", "completion"):
        return _delivered(work)
    paid = work.due <= 0 or way == "on_account" or paid_by_status(work, way)
    if trigger == "placement":
        paid = paid or not direct or captured >= work.due
    elif captured > 0:
        whole = direct or work.policy.posting_partial_capture == "wait_full"
        paid = paid or not whole or captured >= work.due
    if not paid:
        raise awaiting_capture(work, captures)
    return True


def awaiting_capture(work: Work, captures: tuple[Transaction, ...], why: str = "") -> Stop:
    captured = sum_of(captures)
    return hold(
        HoldCode.AWAITING_CAPTURE,
        why or f"{work.whole(captured)} of {work.due} {work.currency} are captured",
        facts={
            "due": str(work.due),
            "authorised": str(work.whole(authorised(work.snapshot))),
            "captured": str(work.whole(captured)),
        },
    )


def zero_total() -> Stop:
    return exclude(ExcludedCode.ZERO_TOTAL, "the order's total is zero, and policy leaves such orders out")


def _delivered(work: Work) -> bool:
    order = work.order
    if work.policy.posting_trigger == "completion":
        return order.status_id == COMPLETED
    return order.status_id in (SHIPPED, COMPLETED) or (order.status_id in _AFTERWARDS and order.shipped is not None)


def money_for_refunds(work: Work, captures: tuple[Transaction, ...], way: OfflineWay, by_status: bool) -> Decimal:
    """What refunds may give back at most, beside store credit and certificates."""
    owed = work.due if way == "on_account" or by_status else ZERO
    return max(sum_of(captures), owed)
