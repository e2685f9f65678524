"""Parts: the order's net split into the smallest pieces that have an account, before anything is summed.

Rounding happens per part, so account totals do not depend on how lines are presented and a refund can turn back what
was posted piece by piece. Keys: `line/501/revenue`, `line/501/discount/0`, `shipping/61`, `shipping/61/coupon`,
`handling/61`, `wrapping/501`, `fee/1`, `rounding`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from ml_connector.domain.documents import Dimension, Line, LinePart, Role, Side
from ml_connector.domain.money import ZERO
from ml_connector.planning import texts

# SAP allows 999 items in a document; above this number lines are always summed.
MAX_LINES = 900
_WHYS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Part:
    """`exact` and `amount`: credit positive; `amount` in whole minor units. `quantity`: units of an item line of a
    sales document, which stays though its amount be zero: stock must move."""

    key: str
    role: Role
    account: str
    exact: Decimal
    tax_code: str
    dimension: Dimension
    text: str
    why: str
    amount: Decimal = ZERO
    quantity: Decimal = ZERO

    @property
    def group(self) -> tuple[Role, str, str, Dimension]:
        return (self.role, self.account, self.tax_code, self.dimension)


def line_of(
    role: Role,
    account: str,
    debit: Decimal,
    text: str,
    why: str,
    *,
    tax_code: str = "",
    dimension: Dimension = Dimension(),  # noqa: B008 frozen
    assignment: str = "",
    parts: tuple[LinePart, ...] = (),
) -> Line:
    """A line; a negative `debit` is a credit."""
    return Line(
        role=role,
        account=account,
        side=Side.DEBIT if debit >= 0 else Side.CREDIT,
        amount=abs(debit),
        text=texts.line(text),
        tax_code=tax_code,
        dimension=dimension,
        assignment=texts.assignment(assignment),
        why=why,
        parts=parts,
    )


def lines_of(parts: Sequence[Part], presentation: str, order_id: int) -> list[Line]:
    """The parts as lines: each its own (`per_line`), or those of one account, code and dimension summed."""
    present = [part for part in parts if part.amount != 0]
    if presentation == "per_line" and len(present) <= MAX_LINES:
        return [_line([part], order_id) for part in present]
    groups: dict[tuple[Role, str, str, Dimension], list[Part]] = {}
    for part in present:
        groups.setdefault(part.group, []).append(part)
    return [line for line in (_line(group, order_id) for group in groups.values()) if line.amount != 0]


def rounded(parts: Sequence[Part], amounts: Sequence[Decimal]) -> tuple[Part, ...]:
    return tuple(replace(part, amount=amount) for part, amount in zip(parts, amounts, strict=True))


def _line(group: Sequence[Part], order_id: int) -> Line:
    first = group[0]
    whys = [part.why for part in group]
    why = whys[0]
    if len(group) > 1:
        more = f"; and {len(whys) - _WHYS_SHOWN} more" if len(whys) > _WHYS_SHOWN else ""
        why = f"sum of {len(group)} parts: {'; '.join(whys[:_WHYS_SHOWN])}{more}"
    return line_of(
        first.role,
        first.account,
        -sum((part.amount for part in group), ZERO),
        first.text if len(group) == 1 else _sum_text(first.role, len(group), order_id),
        why,
        tax_code=first.tax_code,
        dimension=first.dimension,
        parts=tuple(LinePart(part.key, -part.amount) for part in group),
    )


_SUM_TEXTS = {
    Role.REVENUE: "Web order {order} {count} lines",
    Role.DISCOUNT_PROMOTION: "Discount {count} parts",
    Role.DISCOUNT_COUPON: "Discount {count} parts",
    Role.DISCOUNT_MANUAL: "Discount {count} parts",
    Role.SHIPPING_INCOME: "Shipping {count} addresses",
    Role.HANDLING_INCOME: "Handling {count} addresses",
    Role.WRAPPING_INCOME: "Wrapping {count} lines",
    Role.FEE_INCOME: "{count} fees",
    Role.GIFT_CERTIFICATE_LIABILITY: "Gift certificates {count} lines",
    Role.SALES_RETURNS: "Returns {count} parts",
}


def _sum_text(role: Role, count: int, order_id: int) -> str:
    return _SUM_TEXTS.get(role, "Web order {order} {count} parts").format(order=order_id, count=count)
