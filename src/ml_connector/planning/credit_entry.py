"""The credit entry of one refund: total and tax are the store's, the net turns back what the sale posted.

Amounts are cumulative: what a refund takes of a part is what all refunds so far should have taken, less what earlier
ones took, so the last unit closes every account to the minor unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ml_connector.domain.documents import Dimension, HoldCode, Line, LinePart, Role, Side
from ml_connector.domain.money import ZERO, minor_unit
from ml_connector.domain.orders import OrderLine, Refund, RefundItem, Tax3
from ml_connector.planning import texts
from ml_connector.planning.dimensions import dimension_of
from ml_connector.planning.facts import Stop, hold
from ml_connector.planning.itemised import closed, itemised_lines
from ml_connector.planning.lookups import plain
from ml_connector.planning.parts import Part, lines_of
from ml_connector.planning.sale import Sale, SoldPart
from ml_connector.planning.tax import TaxBook, split
from ml_connector.planning.work import Work

# Roles whose net goes to `sales_returns` where policy wants one contra account for returned goods.
_RETURNED = frozenset(
    {
        Role.REVENUE,
        Role.DISCOUNT_COUPON,
        Role.DISCOUNT_MANUAL,
        Role.DISCOUNT_PROMOTION,
        Role.WRAPPING_INCOME,
    }
)
_CHARGES = {"SHIPPING": "shipping", "HANDLING": "handling", "FEE": "fee"}
_GOODS = {"PRODUCT": "line", "GIFT_WRAPPING": "wrapping"}


@dataclass
class Taken:
    """What the refunds so far took: of each part, each thing's units or gross, each tax code."""

    parts: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    units: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    tax: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    def add_lines(self, lines: Iterable[Line]) -> None:
        """Counts what a refund document debits."""
        for line in lines:
            for part in line.parts:
                self.parts[part.key] = self.parts.get(part.key, ZERO) + part.amount
            if line.role is Role.TAX_PAYABLE:
                self.tax[line.tax_code] = self.tax.get(line.tax_code, ZERO) + line.signed


def units_key(item: RefundItem) -> str:
    return f"{_GOODS.get(item.type) or _CHARGES.get(item.type, item.type)}/{item.item_id}"


def count_items(taken: Taken, refund: Refund) -> None:
    """Counts the units and amounts of a refund that is in the books."""
    for item in refund.items:
        amount = Decimal(item.quantity) if item.type in _GOODS else item.requested_amount or ZERO
        key = units_key(item)
        taken.units[key] = taken.units.get(key, ZERO) + amount


def income_lines(work: Work, refund: Refund, sale: Sale, taken: Taken) -> list[Line]:
    """The debits of a refund: income, adjustments, rounding and tax, and their credits. `taken` is not changed.

    Raises `Stop` (`refund_mismatch`).
    """
    entry = _Entry(work, refund, sale, taken)
    return entry.lines()


class _Entry:
    def __init__(self, work: Work, refund: Refund, sale: Sale, taken: Taken) -> None:
        self.work, self.refund, self.sale, self.taken = work, refund, sale, taken
        self.total, self.tax = work.whole(refund.total_amount), work.whole(refund.total_tax)
        self.units = dict(taken.units)
        self.took = dict(taken.parts)
        self.parts: list[Part] = []
        self.other: list[Line] = []
        self.weights: dict[str, Decimal] = {}
        self.book = TaxBook(work.snapshot, work.lookups)

    def lines(self) -> list[Line]:
        for item in self.refund.items:
            self._item(item)
        lines = [*self._net_lines(), *self.other]
        lines += self._remainder(lines)
        form = self.work.form
        taxes = [] if form.predicts_tax else self._tax_lines()
        if form.itemised:
            total = Tax3(self.total - self.tax, self.total, self.tax)
            return closed(self.work, lines, taxes, total, Side.DEBIT, f"refund {self.refund.id}")
        return [*lines, *taxes]

    def _net_lines(self) -> list[Line]:
        work = self.work
        if work.form.itemised:
            sold = {part.key: part.itemised for part in self.sale.parts if part.itemised is not None}
            return itemised_lines(work, self.parts, Side.DEBIT, sold)
        return lines_of(self._presented(), work.policy.posting_lines, work.order.id)

    def _item(self, item: RefundItem) -> None:
        if item.type in _GOODS:
            self._goods(item)
        elif item.type in _CHARGES:
            self._charge(item)
        elif item.type == "ORDER":
            amount = item.requested_amount if item.requested_amount is not None else self.total - self.tax
            self._free(
                amount, f"Custom refund {self.refund.id}", "free amount on the order: no line, no tax recalculation"
            )
        else:
            raise self._mismatch(f"refund items of type {item.type} are not known")
        for adjustment in item.adjustments:
            if adjustment.amount < 0:
                self.other.append(
                    self.work.line(
                        Role.RESTOCKING_FEE,
                        self.work.whole(adjustment.amount),
                        texts.clean(adjustment.description) or f"Restocking refund {self.refund.id}",
                        "adjustment on the refund item: kept by the merchant",
                    )
                )
            elif adjustment.amount > 0:
                text = texts.clean(adjustment.description) or f"Adjustment refund {self.refund.id}"
                self._free(adjustment.amount, text, "adjustment on the refund item: given beyond the goods")

    def _goods(self, item: RefundItem) -> None:
        line = self._line(item.item_id)
        key = units_key(item)
        before = self.units.get(key, ZERO)
        after = before + item.quantity
        if after > line.quantity:
            raise self._mismatch(f"{after} units of line {line.id} are refunded, {line.quantity} were sold")
        self.units[key] = after
        why = f"{item.quantity} of {line.quantity} units of line {line.id}: mirror of what the sale posted"
        for part in self.sale.of(key):
            text = part.text
            if part.role is Role.REVENUE:
                text = f"{line.sku or line.name} x{item.quantity} returned"
            self._take(part, after, Decimal(line.quantity), text, why, item.quantity)
        rows = self.book.line_rows(line.id) if item.type == "PRODUCT" else self.book.wrapping_rows(line.id)
        self._weigh(self.book.by_code(rows), Decimal(item.quantity), Decimal(line.quantity))

    def _charge(self, item: RefundItem) -> None:
        kind, snapshot = _CHARGES[item.type], self.work.snapshot
        key = units_key(item)
        address = next((row for row in snapshot.addresses if row.id == item.item_id), None)
        fee = next((row for row in snapshot.fees if row.id == item.item_id), None)
        if kind == "fee":
            charge = fee.cost if fee is not None else None
            sums = self.book.fee_by_code(fee) if fee is not None else {}
        else:
            charge = None
            if address is not None:
                charge = address.shipping if kind == "shipping" else address.handling
            sums = self.book.by_code(self.book.charge_rows(kind, item.item_id))
        parts = self.sale.of(key)
        gross = charge.inc_tax if charge is not None else ZERO
        if charge is not None and charge.ex_tax != 0:
            # A coupon on shipping lowers what can be asked back.
            coupon = sum((part.amount for part in parts if part.key.endswith("/coupon")), ZERO)
            gross += gross * coupon / charge.ex_tax
        requested = gross if item.requested_amount is None else item.requested_amount
        before = self.units.get(key, ZERO)
        self.units[key] = before + requested
        if gross == 0:
            return  # nothing was charged: the remainder of the net tells
        why = f"{plain(requested)} of {plain(gross)} {kind} incl. tax, net part"
        for part in parts:
            self._take(part, min(gross, before + requested), gross, part.text, why)
        self._weigh(sums, min(gross, requested), gross)

    def _take(self, part: SoldPart, so_far: Decimal, whole: Decimal, text: str, why: str, units: int = 0) -> None:
        target = self.work.whole(part.amount * so_far / whole)
        amount = target - self.took.get(part.key, ZERO)
        self.took[part.key] = target
        self.parts.append(
            Part(
                part.key,
                part.role,
                part.account,
                -amount,
                part.tax_code,
                part.dimension,
                text,
                why,
                -amount,
                quantity=Decimal(units if self.work.form.itemised and part.key.startswith("line/") else 0),
            )
        )

    def _weigh(self, sums: dict[tuple[str, str], Decimal], given_back: Decimal, whole: Decimal) -> None:
        for (code, _), amount in sums.items():
            self.weights[code] = self.weights.get(code, ZERO) + amount * given_back / whole

    def _free(self, amount: Decimal, text: str, why: str) -> None:
        self.other.append(self.work.line(Role.REFUND_ADJUSTMENT, self.work.whole(amount), text, why))

    def _line(self, line_id: int) -> OrderLine:
        for line in self.work.snapshot.lines:
            if line.id == line_id and line.quantity > 0:
                return line
        raise self._mismatch(f"line {line_id} is no longer on the order")

    def _presented(self) -> list[Part]:
        if self.work.policy.refunds_revenue == "original":
            return self.parts
        role = Role.SALES_RETURNS
        return [
            replace(
                part,
                role=role,
                account=self.work.lookups.account(role),
                dimension=dimension_of(self.work.mapping, role, _profit_of(part.dimension)),
            )
            if part.role in _RETURNED and part.key.startswith(("line/", "wrapping/"))
            else part
            for part in self.parts
        ]

    def _remainder(self, lines: list[Line]) -> list[Line]:
        """What the store gave back beyond the mirrored net: rounding, a merchant's free choice, or a question."""
        work = self.work
        rest = self.total - self.tax - sum((line.signed for line in lines), ZERO)
        if rest == 0:
            return []
        if abs(rest) <= minor_unit(work.currency) * work.policy.rounding_tolerance_minor:
            why = f"the refund's net differs from the mirrored parts by {rest}, inside the tolerance"
            return [
                work.line(
                    Role.ROUNDING,
                    rest,
                    f"Rounding refund {self.refund.id}",
                    why,
                    parts=(LinePart("rounding", rest),),
                )
            ]
        if self.refund.uses_merchant_override:
            why = "the merchant set the amount of this refund"
            return [work.line(Role.REFUND_ADJUSTMENT, rest, f"Override refund {self.refund.id}", why)]
        raise self._mismatch("its net is not what its items give back", rest)

    def _tax_lines(self) -> list[Line]:
        if self.tax == 0:
            return []
        left = {code: amount - self.taken.tax.get(code, ZERO) for code, (_, amount) in self.sale.taxes.items()}
        weights = {code: amount for code, amount in self.weights.items() if code in left}
        if sum(weights.values(), ZERO) == 0:
            weights = {code: amount for code, (_, amount) in self.sale.taxes.items()}
        if not left or sum(weights.values(), ZERO) == 0:
            raise self._mismatch("it gives back tax, and the order has none")
        why = f"refund total_tax {self.tax} is the figure; split by the tax of the refunded parts"
        return [
            self.work.line(
                Role.TAX_PAYABLE,
                amount,
                f"Tax {code} refund {self.refund.id}",
                why,
                account=self.sale.taxes[code][0],
                tax_code=code,
            )
            for code, amount in split(self.tax, weights, left, self.work.currency).items()
            if amount != 0
        ]

    def _mismatch(self, what: str, rest: Decimal | None = None) -> Stop:
        unmapped = self.work.lookups.held()
        if unmapped is not None:
            return Stop(unmapped)  # what is missing there is missing here: the sale's tax, or its accounts
        facts = {
            "refund": str(self.refund.id),
            "total_amount": str(self.total),
            "total_tax": str(self.tax),
            "net": str(self.total - self.tax),
        }
        facts |= {f"part {part.key}": str(-part.amount) for part in self.parts}
        if rest is not None:
            facts |= {
                "mirrored_net": str(self.total - self.tax - rest),
                "difference": str(rest),
                "tolerance": str(minor_unit(self.work.currency) * self.work.policy.rounding_tolerance_minor),
            }
        return hold(
            HoldCode.REFUND_MISMATCH,
            f"refund {self.refund.id} of {self.total} {self.work.currency}: {what}",
            key=str(self.refund.id),
            facts=facts,
        )


def _profit_of(dimension: Dimension) -> Dimension:
    return Dimension(profit_center=dimension.profit_center, segment=dimension.segment)
