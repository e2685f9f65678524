"""What an order comes to in the store, line by line: kept beside its label when a run has read it.

Read from the snapshot alone, not from the plan, so that the two can be compared on the record's page. Amounts without
tax, exact as the store sends them; what a customer gets off is negative. No names of persons.
"""

from collections.abc import Iterable
from decimal import Decimal

from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import OrderLine, OrderSnapshot
from ml_connector.planning.facts import Stop
from ml_connector.planning.money_state import captures_of

Sums = tuple[tuple[str, str, str], ...]
"""Rows of kind, name within the kind, amount."""

AT_MOST = 200
"""Rows of one order; beyond that it keeps none, and its page says so."""


def sums_of(snapshot: OrderSnapshot) -> Sums:
    """Kinds: goods, discounts, certificates_sold, shipping, handling, wrapping, fees, tax (by name and rate), rest
    (what no line tells), total, by_certificate, by_credit, capture and refund (by their IDs)."""
    order = snapshot.order
    goods = [line for line in snapshot.lines if line.type != "giftcertificate"]
    sold = [line for line in snapshot.lines if line.type == "giftcertificate"]
    taxes: dict[str, Decimal] = {}
    for row in snapshot.taxes:
        name = f"{row.name}|{row.rate.normalize():f}"
        taxes[name] = taxes.get(name, ZERO) + row.amount
    rows: list[tuple[str, str, Decimal]] = [
        ("goods", "", _sum(line.totals.ex_tax for line in goods)),
        ("discounts", "", _sum(_after(line) - line.totals.ex_tax for line in goods)),
        ("certificates_sold", "", _sum(_after(line) for line in sold)),
        ("shipping", "", _sum(each.shipping.ex_tax for each in snapshot.addresses) or order.shipping.ex_tax),
        ("handling", "", _sum(each.handling.ex_tax for each in snapshot.addresses) or order.handling.ex_tax),
        ("wrapping", "", _sum(line.wrapping.ex_tax for line in snapshot.lines) or order.wrapping.ex_tax),
        ("fees", "", _sum(fee.cost.ex_tax for fee in snapshot.fees)),
        *(("tax", name, amount) for name, amount in taxes.items()),
    ]
    rest = order.total.inc_tax - _sum(amount for _, _, amount in rows)
    rows += [
        ("rest", "", rest),
        ("total", "", order.total.inc_tax),
        ("by_certificate", "", order.gift_certificate_amount),
        ("by_credit", "", order.store_credit_amount),
        *(("capture", each[0], each[1]) for each in _captures(snapshot)),
        *(("refund", str(refund.id), refund.total_amount) for refund in snapshot.refunds),
    ]
    told = tuple((kind, name, f"{amount:f}") for kind, name, amount in rows if amount or kind == "total")
    return told if len(told) <= AT_MOST else ()


def _after(line: OrderLine) -> Decimal:
    """Net of a line after its discounts; old orders do not tell the gross, and are rebuilt without tax."""
    if line.discounted_total_inc_tax is not None:
        return line.discounted_total_inc_tax - line.totals.tax
    return line.totals.ex_tax - _sum(each.amount for each in line.discounts)


def _captures(snapshot: OrderSnapshot) -> list[tuple[str, Decimal]]:
    try:
        return [(row.id, row.amount) for row in captures_of(snapshot)]
    except Stop:  # one is in another currency: the order is held for it, and adds to no sum here
        return []


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
