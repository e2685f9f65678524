"""Cancelled orders: the entry is reversed, money that moved stays, and what is unclear goes to a person."""

from ml_connector.domain.documents import Document, ExcludedCode, HoldCode, Kind
from ml_connector.domain.orders import Transaction
from ml_connector.planning.amendment import kept, reverse_standing
from ml_connector.planning.facts import exclude, hold
from ml_connector.planning.lookups import plain
from ml_connector.planning.money_state import sum_of
from ml_connector.planning.refunds import Selection
from ml_connector.planning.work import Work


def cancelled_entry(work: Work, captures: tuple[Transaction, ...], selection: Selection) -> tuple[list[Document], bool]:
    """The documents of the order entry of a cancelled order, and whether the entry still stands.

    It stands where refunds gave everything back: a reversal on top would count twice. Raises `Stop`.
    """
    adjustments = work.names.name("D", work.order.id)
    standing = [*work.ledger.standing(work.order_name), *work.ledger.standing(adjustments)]
    past = [kept(item) for name in (work.order_name, adjustments) for item in work.ledger.reversals(name)]
    if not standing:
        if not work.ledger:
            _nothing_posted(work, captures)
        return past, False
    if 0 < work.whole(selection.total) < work.total:
        raise hold(
            HoldCode.CANCELLED_PARTLY_REFUNDED,
            f"cancelled, with {plain(selection.total)} of {work.total} {work.currency} refunded",
            facts={
                "refunded": str(work.whole(selection.total)),
                "total": str(work.total),
                "left": str(work.total - work.whole(selection.total)),
            },
        )
    if selection.total > 0:
        return [*past, *(kept(item) for item in standing)], True
    if work.policy.cancel_after_posting == "hold":
        raise hold(
            HoldCode.CANCELLED_AFTER_POSTING,
            f"cancelled after {standing[0].document.reference} was posted",
            key=standing[0].document.reference,
            facts={"reference": standing[0].document.reference},
        )
    _guard_paid_invoice(work, captures, standing[0].document.reference)
    day = work.day(work.order.modified)
    return [*reverse_standing(work, adjustments, day), *reverse_standing(work, work.order_name, day)], False


def _guard_paid_invoice(work: Work, captures: tuple[Transaction, ...], reference: str) -> None:
    """No ERP cancels an invoice that money was applied to; the refund in the store is what credits it."""
    paid = sum_of(captures)
    by_status = work.ledger.live(work.names.name("S", work.order.id))
    if work.form.order is not Kind.SALES_INVOICE or (paid == 0 and by_status is None):
        return
    raise hold(
        HoldCode.CANCELLED_WITH_MONEY,
        f"cancelled, and {reference} is paid: refund it in the store, and it is credited; or credit it in "
        "the ERP by hand",
        key=reference,
        facts={"captured": str(work.whole(paid)), "total": str(work.total), "reference": reference},
    )


def _nothing_posted(work: Work, captures: tuple[Transaction, ...]) -> None:
    if captures:
        raise hold(
            HoldCode.CANCELLED_WITH_MONEY,
            f"cancelled before anything was posted, with {plain(sum_of(captures))} {work.currency} captured",
            facts={"captured": str(work.whole(sum_of(captures)))},
        )
    raise exclude(ExcludedCode.CANCELLED_BEFORE_POSTING, "cancelled before anything was posted")
