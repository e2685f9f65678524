"""Editing a placed order: the edited line loses its discounts, its taxes and the order's totals are computed anew."""

from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce import lifecycle, refunding
from ml_connector.sandbox.bigcommerce.errors import not_found, unprocessable
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, money4
from ml_connector.sandbox.bigcommerce.pricing import (
    Basis,
    TaxRate,
    charge_fields,
    factor,
    line_figures,
    order_totals,
    row_amounts,
    split_charge,
    sum_field,
)
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder

Doc = dict[str, Any]


def change_quantity(
    store: Store, stored: StoredOrder, line_id: int, quantity: int, unit_price: Decimal | None = None
) -> None:
    """Set a line's quantity (0 removes it), at its own price or a new one in the order's basis.

    Raises ApiError 404 for an unknown line, 422 if nothing would be left of the order or fewer than were refunded.
    """
    line = next((p for p in stored.products if p["id"] == line_id), None)
    if line is None:
        raise not_found()
    if quantity == 0 and len(stored.products) == 1:
        raise unprocessable({"products": "an order needs at least one product"})
    gone = refunding.quantity_refunded(stored, "PRODUCT", line_id)
    if quantity < gone:
        raise unprocessable({"products": f"{gone} of order product {line_id} were refunded already"})
    store.remember(stored)
    basis = Basis(stored.currency, bool(stored.order["is_tax_inclusive_pricing"]))
    if quantity == 0:
        stored.products.remove(line)
        stored.taxes[:] = [t for t in stored.taxes if t.get("order_product_id") != str(line_id)]
    else:
        _reprice(stored, line, quantity, unit_price, basis)
    for address in stored.shipping_addresses:
        there = [p for p in stored.products if p.get("order_address_id") == address["id"]]
        address["items_total"] = sum(int(p["quantity"]) for p in there)
    codes = {d["code"] for p in stored.products for d in p.get("applied_discounts", []) if d.get("code")}
    stored.coupons[:] = [c for c in stored.coupons if c["code"] in codes or c["type"] in (3, 4)]
    for coupon in stored.coupons:
        applied = [
            d for p in stored.products for d in p.get("applied_discounts", []) if d.get("code") == coupon["code"]
        ]
        if applied:
            coupon["discount"] = money4(sum_field(applied, "amount"))
    add_up(store, stored)


def add_up(store: Store, stored: StoredOrder) -> None:
    """Compute the order's totals from its parts as they are now."""
    basis = Basis(stored.currency, bool(stored.order["is_tax_inclusive_pricing"]))
    fields = order_totals(stored.products, stored.shipping_addresses, stored.fees, stored.coupons, basis)
    items_total = sum(int(p["quantity"]) for p in stored.products)
    lifecycle.change(store, stored, **fields, items_total=items_total)


def _reprice(stored: StoredOrder, line: Doc, quantity: int, unit_price: Decimal | None, basis: Basis) -> None:
    price = unit_price if unit_price is not None else dec(line["price_inc_tax" if basis.inclusive else "price_ex_tax"])
    item_rows = _rows_of(stored, line, "item")
    rates = [_rate(row) for row in item_rows]
    before = int(line["quantity"])
    line.update(line_figures(price, quantity, ZERO, rates, basis), quantity=quantity, applied_discounts=[])
    tax = dec(line["total_tax"])
    net = price * quantity - tax if basis.inclusive else price * quantity
    _write_rows(item_rows, rates, net, tax)
    if dec(line.get("base_wrapping_cost")):
        wrapping = split_charge(dec(line["base_wrapping_cost"]) / before * quantity, factor(rates), basis)
        line.update(charge_fields("wrapping_cost", wrapping))
        line["base_wrapping_cost"] = money4(wrapping.inc_tax if basis.inclusive else wrapping.ex_tax)
        _write_rows(_rows_of(stored, line, "gift-wrapping"), rates, wrapping.ex_tax, wrapping.tax)


def _rows_of(stored: StoredOrder, line: Doc, kind: str) -> list[Doc]:
    return [t for t in stored.taxes if t.get("order_product_id") == str(line["id"]) and t["line_item_type"] == kind]


def _rate(row: Doc) -> TaxRate:
    return TaxRate(row["name"], row["class"], int(row.get("tax_class_id") or 0), dec(row["rate"]))


def _write_rows(rows: list[Doc], rates: list[TaxRate], net: Decimal, tax: Decimal) -> None:
    if rows:
        for row, amount in zip(rows, row_amounts(net, tax, rates), strict=True):
            row.update(priority_amount=money4(amount), line_amount=money4(amount))
