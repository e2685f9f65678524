"""Tax: which code a part carries, and the tax charged per code. Tax is never computed from a rate here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ml_connector.domain.documents import HoldCode
from ml_connector.domain.mapping import UntaxedRule
from ml_connector.domain.money import ZERO, allocate, minor_unit, round_half_up
from ml_connector.domain.orders import Order, OrderFee, OrderSnapshot, TaxRow
from ml_connector.planning.facts import hold
from ml_connector.planning.lookups import Lookups, plain


@dataclass(frozen=True, slots=True)
class TaxAmount:
    """The tax of one code and account: `exact` as the rows sum up, `amount` in whole minor units."""

    tax_code: str
    account: str
    exact: Decimal
    amount: Decimal


class TaxBook:
    """The tax rows of one order, by the thing that they tax."""

    def __init__(self, snapshot: OrderSnapshot, lookups: Lookups) -> None:
        self._snapshot = snapshot
        self._lookups = lookups
        self._places = {address.id: (address.country_iso2, address.state) for address in snapshot.addresses}
        self._of_line: dict[tuple[str, int], list[TaxRow]] = {}
        for row in snapshot.taxes:
            if row.line_id is not None:
                self._of_line.setdefault((_kind(row), row.line_id), []).append(row)

    def line_rows(self, line_id: int) -> tuple[TaxRow, ...]:
        return self._of("item", line_id)

    def wrapping_rows(self, line_id: int) -> tuple[TaxRow, ...]:
        return self._of("gift-wrapping", line_id)

    def charge_rows(self, kind: str, address_id: int) -> tuple[TaxRow, ...]:
        """`kind`: shipping or handling. A row without address belongs to the only one."""
        only = len(self._snapshot.addresses) <= 1
        return tuple(
            row
            for row in self._snapshot.taxes
            if _kind(row) == kind and (row.address_id == address_id or (only and not (row.address_id and address_id)))
        )

    def code(self, rows: Sequence[TaxRow], line_type: str, address_id: int = 0) -> str:
        """The code of a part: those of its rows joined in their order, or the one for untaxed parts."""
        codes: list[str] = []
        for row in rows:
            rule = self._lookups.tax(row, *self._place(row.address_id or address_id))
            if rule is not None:
                if rule.tax_code not in codes:
                    codes.append(rule.tax_code)
            elif row.amount != 0 or row.rate != 0:
                self._lookups.miss_tax(row)
        return "+".join(codes) if codes else self.untaxed(line_type, address_id)

    def untaxed(self, line_type: str, address_id: int = 0) -> str:
        country, _ = self._place(address_id)
        for rule in self._lookups.mapping.untaxed_rules:
            if _untaxed_fits(rule, self._snapshot.order, country, line_type):
                return rule.tax_code
        return self._lookups.mapping.untaxed_code

    def fee_code(self, fee: OrderFee) -> str:
        """Tax rows do not name fees: the mapping gives the code of the fee's tax class."""
        if fee.cost.tax == 0:
            return self.untaxed("fee")
        key = "" if fee.tax_class_id is None else str(fee.tax_class_id)
        code = self._lookups.mapping.fee_tax_codes.get(key, "")
        if not code:
            self._lookups.miss("fee_tax", key)
        return code

    def by_code(self, rows: Iterable[TaxRow]) -> dict[tuple[str, str], Decimal]:
        """Exact tax per (code, account) of `rows`."""
        sums: dict[tuple[str, str], Decimal] = {}
        for row in rows:
            if row.amount == 0:
                continue
            rule = self._lookups.tax(row, *self._place(row.address_id))
            if rule is None:
                self._lookups.miss_tax(row)
                continue
            key = (rule.tax_code, rule.account)
            sums[key] = sums.get(key, ZERO) + row.amount
        return sums

    def fee_by_code(self, fee: OrderFee) -> dict[tuple[str, str], Decimal]:
        if fee.cost.tax == 0:
            return {}
        code = self.fee_code(fee)
        return {(code, self._lookups.tax_account(code)): fee.cost.tax} if code else {}

    def rates(self) -> dict[str, Decimal]:
        """Percent per tax code: as the order's rows have it, and for codes that no row names, such as a fee's, as the
        mapping first writes it. Codes of untaxed parts are not in it."""
        rates: dict[str, Decimal] = {}
        for row in self._snapshot.taxes:
            rule = self._lookups.tax(row, *self._place(row.address_id))
            if rule is not None:
                rates.setdefault(rule.tax_code, row.rate)
        for rule in self._lookups.mapping.taxes:
            rates.setdefault(rule.tax_code, rule.rate)
        return rates

    @property
    def fees_are_missing(self) -> bool:
        """Whether the tax of fees is in the order's total but not among the rows."""
        of_fees = sum((fee.cost.tax for fee in self._snapshot.fees), ZERO)
        rows = sum((row.amount for row in self._snapshot.taxes), ZERO)
        total = self._snapshot.order.total.tax
        return abs(rows + of_fees - total) < abs(rows - total)

    def totals(self, total_tax: Decimal, tolerance_minor: int) -> tuple[TaxAmount, ...]:
        """Tax per code in whole minor units that add up to the order's tax. Raises `Stop`."""
        snapshot, currency = self._snapshot, self._snapshot.order.currency
        rows_tax = sum((row.amount for row in snapshot.taxes), ZERO)
        sums = self.by_code(snapshot.taxes)
        if self.fees_are_missing:
            for fee in snapshot.fees:
                rows_tax += fee.cost.tax
                for key, amount in self.fee_by_code(fee).items():
                    sums[key] = sums.get(key, ZERO) + amount
        tolerance = minor_unit(currency) * tolerance_minor
        difference = total_tax - rows_tax
        if abs(difference) > tolerance or (total_tax != 0 and rows_tax == 0):
            raise hold(
                HoldCode.TAX_MISMATCH,
                f"the order's tax is {total_tax} {currency}, its tax rows add up to {plain(rows_tax)}",
                facts={
                    "store_tax": str(total_tax),
                    "tax_rows": str(round_half_up(rows_tax, currency)),
                    "difference": str(round_half_up(difference, currency)),
                    "tolerance": str(tolerance),
                }
                | {f"tax {code}": plain(amount) for (code, _), amount in sums.items()},
            )
        if self._lookups.missing or not sums:
            return ()
        amounts = allocate(list(sums.values()), total_tax, currency)
        return tuple(
            TaxAmount(code, account, exact, amount)
            for ((code, account), exact), amount in zip(sums.items(), amounts, strict=True)
        )

    def _of(self, kind: str, line_id: int) -> tuple[TaxRow, ...]:
        return tuple(self._of_line.get((kind, line_id), ()))

    def _place(self, address_id: int) -> tuple[str, str]:
        """Country and state that the goods go to; the billing address where nothing is shipped."""
        if address_id in self._places:
            return self._places[address_id]
        if len(self._places) == 1:
            return next(iter(self._places.values()))
        billing = self._snapshot.order.billing
        return (billing.country_iso2, billing.state)


def split(
    total_tax: Decimal, weights: Mapping[str, Decimal], left: Mapping[str, Decimal], currency: str
) -> dict[str, Decimal]:
    """A refund's tax over the codes, in whole minor units that add up to `total_tax`.

    `weights`: tax of the refunded parts per code, not all zero. `left`: what each code still holds; no code gives
    back more while another has room, and the refund that takes everything leaves every code at zero.
    """
    codes = list(left)
    if sum(left.values(), ZERO) == total_tax:
        return dict(left)
    whole = sum((weights.get(code, ZERO) for code in codes), ZERO)
    exact = [total_tax * weights.get(code, ZERO) / whole for code in codes]
    amounts = dict(zip(codes, allocate(exact, total_tax, currency), strict=True))
    return _within(amounts, left) if total_tax > 0 else amounts


def _within(amounts: dict[str, Decimal], left: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Moves what a code would give back too much to codes with room."""
    while True:
        over = next((code for code, amount in amounts.items() if amount > left[code]), None)
        room = next((code for code, amount in amounts.items() if amount < left[code]), None)
        if over is None or room is None:
            return amounts
        step = min(amounts[over] - left[over], left[room] - amounts[room])
        amounts[over] -= step
        amounts[room] += step


def _kind(row: TaxRow) -> str:
    return row.item_type.lower().replace("_", "-")


def _untaxed_fits(rule: UntaxedRule, order: Order, country: str, line_type: str) -> bool:
    inside = country.upper() in {code.upper() for code in rule.countries}
    return (
        (not rule.countries or inside == rule.territory)
        and (not rule.needs_vat_number or bool(order.customer_vat_number))
        and rule.exempt_category in ("", order.tax_exempt_category)
        and rule.line_type in ("", line_type)
    )
