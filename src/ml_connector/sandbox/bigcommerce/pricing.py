"""How the store adds up an order: tax per line, rounded after all discounts, on either basis.

A store whose prices are entered without tax (exclusive) discounts net amounts, one whose prices are entered with tax
(inclusive) gross amounts. Line totals stand before discounts, line tax after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.money import ZERO, dec, four, money4, to_minor

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaxRate:
    """One rate of a zone for a tax class. `rate` is in percent."""

    name: str
    tax_class: str
    tax_class_id: int
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Basis:
    """How an order's amounts are meant: its currency, and whether prices and discounts contain tax."""

    currency: str
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Split:
    """An amount without tax, with tax, and the tax in it."""

    ex_tax: Decimal
    inc_tax: Decimal
    tax: Decimal


NOTHING = Split(ZERO, ZERO, ZERO)


def factor(rates: Sequence[TaxRate]) -> Decimal:
    """Sum of the rates as a fraction (0.0825 for 8.25 %)."""
    return sum((r.rate for r in rates), ZERO) / 100


def split_line(amount: Decimal, rate: Decimal, basis: Basis) -> Split:
    """A line's price or total before discounts: both sides with four decimals, tax the exact difference."""
    if basis.inclusive:
        ex_tax = four(amount / (1 + rate))
        return Split(ex_tax, amount, amount - ex_tax)
    inc_tax = four(amount * (1 + rate))
    return Split(amount, inc_tax, inc_tax - amount)


def split_charge(amount: Decimal, rate: Decimal, basis: Basis) -> Split:
    """A charge (shipping, handling, wrapping, fee): tax rounded to the currency, the other side follows."""
    if basis.inclusive:
        tax = to_minor(amount - amount / (1 + rate), basis.currency)
        return Split(amount - tax, amount, tax)
    tax = to_minor(amount * rate, basis.currency)
    return Split(amount, amount + tax, tax)


def line_tax(amount_after_discounts: Decimal, rate: Decimal, basis: Basis) -> Decimal:
    """Tax of a line: on what is left after discounts, rounded once to the currency."""
    if basis.inclusive:
        exact = amount_after_discounts - amount_after_discounts / (1 + rate)
    else:
        exact = amount_after_discounts * rate
    return to_minor(exact, basis.currency)


def line_figures(unit_price: Decimal, quantity: int, discount: Decimal, rates: Sequence[TaxRate], basis: Basis) -> Doc:
    """The money fields of an order line, as v2 strings."""
    rate = factor(rates)
    unit, total = split_line(unit_price, rate, basis), split_line(unit_price * quantity, rate, basis)
    left = unit_price * quantity - discount
    tax = line_tax(left, rate, basis)
    return {
        "base_price": money4(unit_price),
        "price_ex_tax": money4(unit.ex_tax),
        "price_inc_tax": money4(unit.inc_tax),
        "price_tax": money4(unit.tax),
        "base_total": money4(unit_price * quantity),
        "total_ex_tax": money4(total.ex_tax),
        "total_inc_tax": money4(total.inc_tax),
        "total_tax": money4(tax),
        "discounted_total_inc_tax": money4(left if basis.inclusive else left + tax),
    }


def row_amounts(net: Decimal, tax: Decimal, rates: Sequence[TaxRate]) -> list[Decimal]:
    """The amount of each tax row: one rate carries the rounded tax, several carry fractions of a minor unit."""
    if len(rates) == 1:
        return [tax]
    return [four(net * r.rate / 100) for r in rates]


def charge_fields(prefix: str, charge: Split) -> Doc:
    return {
        f"{prefix}_ex_tax": money4(charge.ex_tax),
        f"{prefix}_inc_tax": money4(charge.inc_tax),
        f"{prefix}_tax": money4(charge.tax),
    }


def sum_field(docs: Sequence[Doc], field: str) -> Decimal:
    return sum((dec(d.get(field)) for d in docs), ZERO)


def order_totals(
    products: Sequence[Doc],
    addresses: Sequence[Doc],
    fees: Sequence[Doc],
    coupons: Sequence[Doc],
    basis: Basis,
) -> Doc:
    """The order's own money fields, summed from its parts so that the store's identity holds.

    inclusive: total_inc_tax = subtotal_inc_tax + charges_inc + fees_inc - discounts
    exclusive: total_ex_tax  = subtotal_ex_tax  + charges_ex  + fees_ex  - discounts
    both:      total_inc_tax = total_ex_tax + total_tax
    """
    fields: Doc = {}
    sums: dict[str, Decimal] = {}
    for side in ("ex_tax", "inc_tax", "tax"):
        subtotal = sum_field(products, f"total_{side}")
        charges = {
            "shipping_cost": sum_field(addresses, f"cost_{side}"),
            "handling_cost": sum_field(addresses, f"handling_cost_{side}"),
            "wrapping_cost": sum_field(products, f"wrapping_cost_{side}"),
        }
        fields[f"subtotal_{side}"] = money4(subtotal)
        fields.update({f"{name}_{side}": money4(amount) for name, amount in charges.items()})
        sums[side] = subtotal + sum(charges.values(), ZERO) + sum_field(fees, f"cost_{side}")
    applied = [d for p in products for d in p.get("applied_discounts", [])]
    automatic = sum((dec(d["amount"]) for d in applied if not d.get("code")), ZERO)
    on_lines = sum((dec(d["amount"]) for d in applied if d.get("code")), ZERO)
    on_shipping = sum((dec(c["discount"]) for c in coupons if c["type"] == SHIPPING_COUPON), ZERO)
    off = automatic + on_lines + on_shipping
    tax = sums["tax"]
    if basis.inclusive:
        total_inc = to_minor(sums["inc_tax"] - off, basis.currency)
        total_ex = total_inc - tax
    else:
        total_ex = to_minor(sums["ex_tax"] - off, basis.currency)
        total_inc = total_ex + tax
    return fields | {
        "base_shipping_cost": money4(sum_field(addresses, "base_cost")),
        "base_handling_cost": money4(sum_field(addresses, "base_handling_cost")),
        "base_wrapping_cost": money4(sum_field(products, "base_wrapping_cost")),
        "total_ex_tax": money4(total_ex),
        "total_inc_tax": money4(total_inc),
        "total_tax": money4(tax),
        "discount_amount": money4(automatic),
        "coupon_discount": money4(on_lines + on_shipping),
    }


SHIPPING_COUPON = 3
