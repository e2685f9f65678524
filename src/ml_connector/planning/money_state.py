"""The state of an order's money: what was captured, what a payment method without rows says, what is still open."""

from decimal import Decimal
from typing import Literal

from ml_connector.domain.documents import HoldCode
from ml_connector.domain.money import ZERO, round_half_up
from ml_connector.domain.orders import OrderSnapshot, Transaction
from ml_connector.planning.facts import hold

# Paid with something that is on the order itself; their rows may be late or missing.
TENDERS = frozenset({"store_credit", "gift_certificate"})
CAPTURES = frozenset({"purchase", "capture"})
# Awaiting Fulfillment, Awaiting Shipment, Awaiting Pickup, Partially Shipped, Shipped, Completed.
PAID_STATUSES = frozenset({11, 9, 8, 3, 2, 10})
# What the store says about a payment that went through a gateway: its rows exist or will.
ONLINE_PAYMENT_STATUSES = frozenset(
    {
        "authorized",
        "captured",
        "capture pending",
        "held for review",
        "declined",
        "void",
        "void pending",
        "refunded",
        "partially refunded",
    }
)

OfflineWay = Literal["wait", "paid_by_status", "on_account", "unknown", "online"]


def captures_of(snapshot: OrderSnapshot) -> tuple[Transaction, ...]:
    """Money that really came, oldest first. Raises `Stop` where a row is in another currency than the order."""
    rows = [
        row
        for row in snapshot.transactions
        if row.status == "ok" and not row.test and row.event in CAPTURES and row.method not in TENDERS
    ]
    for row in rows:
        if row.currency != snapshot.order.currency:
            raise hold(
                HoldCode.CURRENCY_MISMATCH,
                f"transaction {row.id} is in {row.currency}, the order in {snapshot.order.currency}",
                facts={
                    "transaction": row.id,
                    "transaction_currency": row.currency,
                    "order_currency": snapshot.order.currency,
                    "amount": str(row.amount),
                },
            )
    # A row of nothing, such as the check of a card, is no payment.
    rows = [row for row in rows if round_half_up(row.amount, row.currency) != 0]
    return tuple(sorted(rows, key=lambda row: (row.created, row.id)))


def sum_of(rows: tuple[Transaction, ...]) -> Decimal:
    return sum((row.amount for row in rows), ZERO)


def authorised(snapshot: OrderSnapshot) -> Decimal:
    return sum(
        (
            row.amount
            for row in snapshot.transactions
            if row.status == "ok" and not row.test and row.event == "authorization"
        ),
        ZERO,
    )


def has_rows(snapshot: OrderSnapshot) -> bool:
    """Whether a gateway has spoken. An offline method's own pending row says no more than the order does."""
    return any(
        not row.test and row.method not in TENDERS and not (row.method == "offline" and row.event not in CAPTURES)
        for row in snapshot.transactions
    )
