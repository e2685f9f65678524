"""The store's own arithmetic, written apart from the generator: what every order must fulfil (vendor: Orders v2)."""

from decimal import Decimal
from typing import Any

DECIMALS = {"JPY": 0, "KWD": 3}
CHARGES = ("shipping_cost", "handling_cost", "wrapping_cost")
ROWS_TOLERANCE_MINOR = 2


def total(documents: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(d[name]) for d in documents), Decimal(0))


def assert_ties(snapshot: dict[str, Any]) -> None:
    """Totals from parts on the order's basis, tax from lines and rows, refunds within the order."""
    order, lines, addresses = snapshot["order"], snapshot["products"], snapshot["shipping_addresses"]
    unit = Decimal(1).scaleb(-DECIMALS.get(order["default_currency_code"], 2))
    inclusive = order["is_tax_inclusive_pricing"]

    def field(name: str) -> Decimal:
        return Decimal(order[name])

    off = field("discount_amount") + field("coupon_discount")
    residues = {
        side: field(f"total_{side}")
        - field(f"subtotal_{side}")
        - sum(field(f"{charge}_{side}") for charge in CHARGES)
        - total(snapshot["fees"], f"cost_{side}")
        + off
        for side in ("inc_tax", "ex_tax")
    }
    assert abs(residues["inc_tax" if inclusive else "ex_tax"]) < unit, (order["id"], residues)
    assert field("total_ex_tax") + field("total_tax") == field("total_inc_tax")
    assert field("total_inc_tax") % unit == 0
    assert field("total_ex_tax") >= 0
    for side in ("ex_tax", "inc_tax", "tax"):
        assert total(lines, f"total_{side}") == field(f"subtotal_{side}")
        assert total(addresses, f"cost_{side}") == field(f"shipping_cost_{side}")
        assert total(addresses, f"handling_cost_{side}") == field(f"handling_cost_{side}")
        assert total(lines, f"wrapping_cost_{side}") == field(f"wrapping_cost_{side}")
    assert abs(total(snapshot["taxes"], "line_amount") - field("total_tax")) <= ROWS_TOLERANCE_MINOR * unit
    for line in lines:
        _assert_line(line, snapshot["taxes"], inclusive, unit)
    on_lines = sum((total(p["applied_discounts"], "amount") for p in lines), Decimal(0))
    on_shipping = total([c for c in snapshot["coupons"] if c["type"] == 3], "discount")
    assert on_lines + on_shipping == off
    assert total(snapshot["coupons"], "discount") == field("coupon_discount")
    standing = [r for r in snapshot["refunds"] if not all(p["is_declined"] for p in r["payments"])]
    assert total(standing, "total_amount") <= field("total_inc_tax")
    for refund in snapshot["refunds"]:
        assert total(refund["payments"], "amount") == Decimal(refund["total_amount"])
    for row in snapshot["transactions"]:
        assert Decimal(row["amount"]) > 0
        assert Decimal(row["amount"]) % unit == 0


def _assert_line(line: dict[str, Any], taxes: list[dict[str, Any]], inclusive: bool, unit: Decimal) -> None:
    off = total(line["applied_discounts"], "amount")
    left = Decimal(line["total_inc_tax" if inclusive else "total_ex_tax"]) - off
    tax = Decimal(line["total_tax"])
    assert Decimal(line["discounted_total_inc_tax"]) == (left if inclusive else left + tax), line["id"]
    mine = [t for t in taxes if t["order_product_id"] == str(line["id"]) and t["line_item_type"] == "item"]
    assert abs(total(mine, "line_amount") - tax) <= unit
    rate = total(mine, "rate") / 100
    exact = left - left / (1 + rate) if inclusive else left * rate
    assert abs(exact - tax) <= unit / 2, (line["id"], exact, tax)
