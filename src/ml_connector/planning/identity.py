"""Which of the two identities of an order's total holds, found in its own numbers.

A discount is an amount with tax where prices are entered with tax, and without tax where they are entered without.
The store's setting is no evidence: it may have changed since, and samples contradict it
(`docs/protocol/bigcommerce.md`).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ml_connector.domain.money import ZERO, cut, minor_unit
from ml_connector.domain.orders import OrderSnapshot

Basis = Literal["inclusive", "exclusive", "either"]


@dataclass(frozen=True, slots=True)
class Identity:
    """`residue`: store total minus its own parts, cut to whole minor units toward zero."""

    basis: Basis
    residue: Decimal


def identity_of(snapshot: OrderSnapshot) -> Identity:
    order = snapshot.order
    charges = (order.subtotal, order.shipping, order.handling, order.wrapping, *(fee.cost for fee in snapshot.fees))
    discounts = order.discount_amount + order.coupon_discount
    inclusive = order.total.inc_tax - sum((charge.inc_tax for charge in charges), ZERO) + discounts
    exclusive = order.total.ex_tax - sum((charge.ex_tax for charge in charges), ZERO) + discounts
    unit = minor_unit(order.currency)
    fits_inclusive, fits_exclusive = abs(inclusive) < unit, abs(exclusive) < unit
    if fits_inclusive and fits_exclusive:
        return Identity("either", cut(ZERO, order.currency))
    if fits_inclusive or (not fits_exclusive and abs(inclusive) < abs(exclusive)):
        return Identity("inclusive", cut(inclusive, order.currency))
    return Identity("exclusive", cut(exclusive, order.currency))
