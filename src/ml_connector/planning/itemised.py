"""Lines of itemised sales documents: items by SKU, freight, charges, tax, and a rounding line that closes the total.

The ERP makes the entry from them; the receivable is implied. Every line is net of its discounts, because an amount on
the line is the only discount that every ERP reproduces to the cent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from ml_connector.domain.documents import HoldCode, Itemised, Line, LinePart, LineType, Role, Side
from ml_connector.domain.money import ZERO, minor_unit, round_half_up
from ml_connector.domain.orders import OrderLine, Tax3
from ml_connector.planning.facts import hold
from ml_connector.planning.lookups import plain
from ml_connector.planning.parts import Part, line_of
from ml_connector.planning.tax import TaxBook
from ml_connector.planning.work import Work

_TYPES = {Role.SHIPPING_INCOME: LineType.FREIGHT, Role.TAX_PAYABLE: LineType.TAX, Role.ROUNDING: LineType.ROUNDING}
_PRICE = Decimal("0.0001")  # decimals of the store's prices


def itemised_lines(work: Work, parts: Sequence[Part], side: Side, sold: Mapping[str, Itemised]) -> list[Line]:
    """`parts` as lines of a sale (credit) or of what comes back (debit). `sold`: by the key of a part, how it was sold.

    A charge and what a coupon took off it are one line. Missing items are kept in the look-ups.
    """
    groups: dict[tuple[str, str], list[Part]] = {}
    for number, part in enumerate(parts):
        thing = part.key.removesuffix("/coupon") if part.key.startswith("shipping/") else f"{part.key} {number}"
        groups.setdefault((thing, part.tax_code), []).append(part)
    lines = [_line(work, group, side, sold) for group in groups.values()]
    return [line for line in lines if line.amount != 0 or (line.itemised and line.itemised.quantity != 0)]


def closed(
    work: Work, lines: Sequence[Line], store_tax: Sequence[Line], total: Tax3, side: Side, what: str
) -> list[Line]:
    """`lines` with their types, the tax, and a rounding line, so that on `side` they come to the store's `total`.

    Where the ERP computes tax itself its lines are foreseen, and the store's are left aside. Raises `Stop`
    (`erp_tax_difference`) where more than the tolerance would have to be rounded.
    """
    net = [_typed(line) for line in lines if line.role is not Role.ROUNDING]
    taxes = _predicted(work, net) if work.form.predicts_tax else [_typed(line) for line in store_tax]
    wanted = total.inc_tax if side is Side.DEBIT else -total.inc_tax
    rest = wanted - sum((line.signed for line in (*net, *taxes)), ZERO)
    if rest == 0 or work.lookups.missing:
        return [*net, *taxes]
    tolerance = minor_unit(work.currency) * work.policy.rounding_tolerance_minor
    if abs(rest) > tolerance:
        raise hold(
            HoldCode.ERP_TAX_DIFFERENCE,
            f"{what}: the store's total is {abs(wanted)} {work.currency}, the ERP's will be {abs(wanted - rest)}",
            key=what,
            facts={
                "store_total": str(abs(wanted)),
                "erp_total": str(abs(wanted - rest)),
                "difference": str(abs(rest)),
                "tolerance": str(tolerance),
                "store_tax": str(total.tax),
                "erp_tax": str(sum((line.amount for line in taxes), ZERO)),
            }
            | {f"erp tax {line.tax_code}": str(line.amount) for line in taxes},
        )
    why = "store total minus the document as the ERP will total it"
    rounding = work.line(
        Role.ROUNDING, rest, "Rounding to store total", why, parts=(LinePart("rounding", rest),)
    )  # fmt: skip
    return [*net, *taxes, _typed(rounding)]


def _line(work: Work, group: Sequence[Part], side: Side, sold: Mapping[str, Itemised]) -> Line:
    first = group[0]
    debit = -sum((part.amount for part in group), ZERO)
    line = line_of(
        first.role,
        first.account,
        debit,
        first.text,
        "; ".join(part.why for part in group),
        tax_code=first.tax_code,
        dimension=first.dimension,
        parts=tuple(LinePart(part.key, -part.amount) for part in group),
    )
    own = debit if side is Side.DEBIT else -debit
    return replace(line, side=side if debit == 0 else line.side, itemised=_itemised(work, first, own, sold))


def _itemised(work: Work, part: Part, amount: Decimal, sold: Mapping[str, Itemised]) -> Itemised:
    kind = _type_of(work, part)
    if kind is not LineType.ITEM:
        return Itemised(kind)
    before = sold.get(part.key)
    source = _source(work, part)
    if before is None or before.type is not LineType.ITEM:
        before = Itemised(kind, work.lookups.item(source), ZERO, _price(source), ZERO, work.mapping.default_warehouse)
    listed = work.whole(before.unit_price * part.quantity)
    return replace(before, quantity=part.quantity, discount_amount=listed - amount, ship_to=None)


def _type_of(work: Work, part: Part) -> LineType:
    if part.key.startswith("line/"):
        return work.form.certificate if part.role is Role.GIFT_CERTIFICATE_LIABILITY else LineType.ITEM
    return _TYPES.get(part.role, LineType.CHARGE)


def _source(work: Work, part: Part) -> OrderLine:
    number = int(part.key.split("/")[1])
    return next(line for line in work.snapshot.lines if line.id == number)


def _price(line: OrderLine) -> Decimal:
    """Per unit, as the store has it: without tax, before discounts."""
    if line.unit_price_ex_tax or not line.quantity:
        return line.unit_price_ex_tax
    return (line.totals.ex_tax / line.quantity).quantize(_PRICE)


def _typed(line: Line) -> Line:
    if line.itemised is not None:
        return line
    return replace(line, itemised=Itemised(_TYPES.get(line.role, LineType.CHARGE)))


def _predicted(work: Work, lines: Sequence[Line]) -> list[Line]:
    """The tax that the ERP will compute from the codes of `lines`, one line per code."""
    rates = TaxBook(work.snapshot, work.lookups).rates()
    groups = {"+".join(group.codes): group for group in work.mapping.tax_groups}
    accounts: dict[str, str] = {}
    nets: dict[str, list[Decimal]] = {}
    for line in lines:
        group = groups.get(line.tax_code)
        if group is not None:  # one code of the ERP, whose rate is the sum
            rates[group.code] = sum((rates.get(code, ZERO) for code in group.codes), ZERO)
            accounts[group.code] = work.lookups.tax_account(group.codes[0])
        for code in [group.code] if group is not None else filter(None, line.tax_code.split("+")):
            if rates.get(code):
                nets.setdefault(code, []).append(line.signed)
    per_line = work.policy.sales_erp_tax_rounding == "per_line"
    taxes: list[Line] = []
    for code, amounts in nets.items():
        base = sum(amounts, ZERO)
        share = rates[code] / 100
        tax = sum((round_half_up(net * share, work.currency) for net in (amounts if per_line else [base])), ZERO)
        if tax != 0:
            how = "line by line" if per_line else "per code"
            line = work.line(
                Role.TAX_PAYABLE,
                tax,
                f"Tax {code}",
                f"predicted: the ERP computes {plain(rates[code])} % on {abs(base)} ({how})",
                account=accounts.get(code) or work.lookups.tax_account(code),
                tax_code=code,
            )
            taxes.append(replace(line, itemised=Itemised(LineType.TAX, predicted=True)))
    return taxes
