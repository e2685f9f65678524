"""An order's net split into parts that add up to the store's total, to the minor unit, or a hold that shows why not."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from ml_connector.domain.documents import Dimension, HoldCode, Role
from ml_connector.domain.money import ZERO, allocate, cut, minor_unit, round_half_up
from ml_connector.domain.orders import AppliedDiscount, OrderLine, OrderSnapshot, ShippingAddress, Tax3
from ml_connector.domain.policy import Policy
from ml_connector.planning.dimensions import dimension_of
from ml_connector.planning.facts import hold
from ml_connector.planning.identity import Identity, identity_of
from ml_connector.planning.lookups import Lookups, plain
from ml_connector.planning.parts import Part, rounded
from ml_connector.planning.tax import TaxAmount, TaxBook

_SHIPPING_COUPONS = frozenset({3, 4})
# Shares are cut here, so that sums of parts stay exact and a residue of a whole unit is seen as one.
_FINE = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Decomposition:
    """`parts` (the rounding one included) and `taxes` in whole minor units: together they are `total`."""

    parts: tuple[Part, ...]
    taxes: tuple[TaxAmount, ...]
    identity: Identity


def decompose(snapshot: OrderSnapshot, policy: Policy, lookups: Lookups, *, itemised: bool = False) -> Decomposition:
    """`itemised`: for a sales document, which keeps item lines of zero and nets charges of their coupons.

    Raises `Stop` on `tax_overridden`, `tax_mismatch`, `totals_mismatch`, `voucher_taxed` and
    `single_purpose_redeemed`. Missing mapping entries are kept in `lookups`."""
    order, currency = snapshot.order, snapshot.order.currency
    total_inc, total_tax = round_half_up(order.total.inc_tax, currency), round_half_up(order.total.tax, currency)
    _guard_tax(snapshot, total_inc, total_tax)
    _guard_vouchers(snapshot, policy)
    builder = _Builder(snapshot, policy, lookups, itemised)
    parts = [part for part in builder.parts() if part.exact != 0 or part.quantity != 0]
    total_ex = total_inc - total_tax
    residue = cut(total_ex - sum((part.exact for part in parts), ZERO), currency)
    tolerance = minor_unit(currency) * policy.rounding_tolerance_minor
    if abs(residue) > tolerance:
        raise hold(
            HoldCode.TOTALS_MISMATCH,
            f"the store's total is {total_inc} {currency}, its own parts add up to {total_inc - residue}",
            facts={
                "store_total": str(total_inc),
                "computed_total": str(total_inc - residue),
                "difference": str(residue),
                "tolerance": str(tolerance),
                "total_tax": str(total_tax),
            }
            | {f"part {part.key}": f"{plain(part.exact)} {part.text}" for part in parts},
        )
    taxes = builder.book.totals(total_tax, policy.tax_tolerance_minor)
    whole = _allocated(parts, total_ex - residue, currency)
    if residue != 0:
        whole = (*whole, builder.rounding(residue))
    return Decomposition(whole, taxes, builder.identity)


def _allocated(parts: list[Part], total: Decimal, currency: str) -> tuple[Part, ...]:
    return rounded(parts, allocate([part.exact for part in parts], total, currency)) if parts else ()


def _guard_tax(snapshot: OrderSnapshot, total_inc: Decimal, total_tax: Decimal) -> None:
    order, currency = snapshot.order, snapshot.order.currency
    rows = sum((row.amount for row in snapshot.taxes), ZERO)
    total_ex = round_half_up(order.total.ex_tax, currency)
    if total_inc - total_ex == total_tax and not (total_tax == 0 and round_half_up(rows, currency) > 0):
        return
    raise hold(
        HoldCode.TAX_OVERRIDDEN,
        "the order's totals were overridden and carry no usable tax",
        facts={
            "total_inc_tax": str(total_inc),
            "total_ex_tax": str(total_ex),
            "total_tax": str(total_tax),
            "tax_rows": str(round_half_up(rows, currency)),
        },
    )


def _guard_vouchers(snapshot: OrderSnapshot, policy: Policy) -> None:
    order = snapshot.order
    if policy.gift_certificates_voucher == "single_purpose":
        if order.gift_certificate_amount != 0:
            raise hold(
                HoldCode.SINGLE_PURPOSE_REDEEMED,
                "a single-purpose voucher was redeemed: its revenue was booked when it was sold",
                facts={"redeemed": str(round_half_up(order.gift_certificate_amount, order.currency))},
            )
        return
    for line in snapshot.lines:
        if line.type == "giftcertificate" and _line_is_taxed(snapshot, line):
            raise hold(
                HoldCode.VOUCHER_TAXED,
                f"the gift certificate of line {line.id} is taxed; a multi-purpose voucher must not be",
                facts={"line": str(line.id), "tax": str(round_half_up(line.totals.tax, order.currency))},
            )


def _line_is_taxed(snapshot: OrderSnapshot, line: OrderLine) -> bool:
    return line.totals.tax != 0 or any(
        row.line_id == line.id and row.item_type == "item" and row.amount != 0 for row in snapshot.taxes
    )


class _Builder:
    """Exact parts of one order, in the order of the rule book: lines, shipping, handling, wrapping, fees."""

    def __init__(self, snapshot: OrderSnapshot, policy: Policy, lookups: Lookups, itemised: bool) -> None:
        self.snapshot, self.order, self.policy, self.lookups = snapshot, snapshot.order, policy, lookups
        self.itemised = itemised
        self.book = TaxBook(snapshot, lookups)
        self.identity = identity_of(snapshot)

    def parts(self) -> Iterator[Part]:
        for line in self.snapshot.lines:
            yield from self._line(line)
        addresses = self.snapshot.addresses or (
            # Picked up or downloaded: no address, yet the order may carry charges.
            ShippingAddress(0, "", "", self.order.shipping, self.order.handling),
        )
        for address in addresses:
            if address.shipping.ex_tax != 0:
                yield self._shipping(address)
        for address in addresses:
            if address.handling.ex_tax != 0:
                yield self._handling(address)
        yield from self._shipping_coupon(addresses)
        yield from self._wrapping()
        for fee in self.snapshot.fees:
            if fee.cost.ex_tax != 0:
                yield self._part(
                    f"fee/{fee.id}", Role.FEE_INCOME, fee.cost.ex_tax, self.book.fee_code(fee), f"Fee {fee.name}",
                    f"fee {fee.id} without tax",
                )  # fmt: skip

    def rounding(self, residue: Decimal) -> Part:
        why = f"store total differs from the sum of its own parts by {residue}, inside the tolerance"
        part = self._part("rounding", Role.ROUNDING, residue, "", "Rounding store total", why)
        return rounded([part], [residue])[0]

    def _part(
        self,
        key: str,
        role: Role,
        exact: Decimal,
        code: str,
        text: str,
        why: str,
        *,
        account: str = "",
        own: Dimension = Dimension(),  # noqa: B008 frozen
        quantity: int = 0,
    ) -> Part:
        return Part(
            key=key,
            role=role,
            account=account or self.lookups.account(role),
            exact=exact,
            tax_code=code,
            dimension=dimension_of(self.lookups.mapping, role, own),
            text=text,
            why=why,
            quantity=Decimal(quantity if self.itemised else 0),
        )

    def _line(self, line: OrderLine) -> Iterator[Part]:
        discounts = [part for part in line.discounts if part.amount != 0]
        before = line.totals.ex_tax
        gross, after = self._after_discounts(line, discounts)
        taxed_after = f"{gross} minus {line.totals.tax} tax"
        if line.type == "giftcertificate" and not _line_is_taxed(self.snapshot, line):
            if after != 0:
                yield self._part(
                    f"line/{line.id}/certificate", Role.GIFT_CERTIFICATE_LIABILITY, after, "",
                    f"Gift certificate {line.id} sold",
                    "a sold certificate is a debt to its holder, no revenue and no tax until it is redeemed",
                    quantity=line.quantity,
                )  # fmt: skip
            return
        if not discounts or self.policy.discounts_presentation == "net":
            if after != 0 or self.itemised:
                kind = "net after discounts" if discounts else "has no discount"
                yield self._revenue(line, after, f"line {line.id} {kind}: {taxed_after}")
            return
        yield self._revenue(line, before, f"line {line.id} net before discounts (total_ex_tax {before})")
        yield from self._discounts(line, discounts, before, after)

    def _after_discounts(self, line: OrderLine, discounts: list[AppliedDiscount]) -> tuple[Decimal, Decimal]:
        """Gross and net of a line after all discounts. Old orders lack the gross: it is rebuilt by the basis."""
        gross = line.discounted_total_inc_tax
        if gross is None:
            off = sum((part.amount for part in discounts), ZERO)
            if self.identity.basis == "exclusive":
                gross = line.totals.ex_tax - off + line.totals.tax
            else:
                gross = line.totals.inc_tax - off
        return gross, gross - line.totals.tax

    def _revenue(self, line: OrderLine, net: Decimal, why: str) -> Part:
        account, own = self.lookups.revenue(line, self.order)
        return self._part(
            f"line/{line.id}/revenue", Role.REVENUE, net, self._line_code(line),
            f"{line.sku or line.name} x{line.quantity}", why, account=account, own=own, quantity=line.quantity,
        )  # fmt: skip

    def _discounts(
        self, line: OrderLine, discounts: list[AppliedDiscount], before: Decimal, after: Decimal
    ) -> Iterator[Part]:
        whole = before - after
        nominal = sum((part.amount for part in discounts), ZERO)
        rest = whole
        for index, discount in enumerate(discounts):
            last = index == len(discounts) - 1
            net = rest if last else (whole * discount.amount / nominal).quantize(_FINE)
            rest -= net
            yield self._part(
                f"line/{line.id}/discount/{index}", _discount_role(discount), -net, self._line_code(line),
                f"Discount {discount.code or discount.name or discount.id}",
                f"net part of the discount {discount.amount} on line {line.id}: "
                f"net before {before} minus net after {after}",
            )  # fmt: skip

    def _line_code(self, line: OrderLine) -> str:
        return self.book.code(self.book.line_rows(line.id), line.type, line.address_id)

    def _shipping_code(self, address: ShippingAddress) -> str:
        return self.book.code(self.book.charge_rows("shipping", address.id), "shipping", address.id)

    def _shipping(self, address: ShippingAddress) -> Part:
        return self._part(
            f"shipping/{address.id}", Role.SHIPPING_INCOME, address.shipping.ex_tax, self._shipping_code(address),
            f"Shipping {address.method}", f"shipping of address {address.id} without tax",
        )  # fmt: skip

    def _handling(self, address: ShippingAddress) -> Part:
        code = self.book.code(self.book.charge_rows("handling", address.id), "handling", address.id)
        return self._part(
            f"handling/{address.id}", Role.HANDLING_INCOME, address.handling.ex_tax, code, "Handling",
            "handling without tax",
        )  # fmt: skip

    def _shipping_coupon(self, addresses: tuple[ShippingAddress, ...]) -> Iterator[Part]:
        """What a coupon took off shipping: the order's discounts beyond those of its lines."""
        of_lines = sum((part.amount for line in self.snapshot.lines for part in line.discounts), ZERO)
        off = self.order.discount_amount + self.order.coupon_discount - of_lines
        coupon = next((row for row in self.snapshot.coupons if row.type in _SHIPPING_COUPONS), None)
        shipping = sum((address.shipping.ex_tax for address in addresses), ZERO)
        if coupon is None or off < minor_unit(self.order.currency) or shipping == 0:
            return
        if self.identity.basis == "inclusive":
            # The coupon is an amount with tax: what it took off the tax is not off the net.
            charged = sum((row.amount for row in self.snapshot.taxes if row.item_type == "shipping"), ZERO)
            off -= sum((address.shipping.tax for address in addresses), ZERO) - charged
        role = Role.SHIPPING_INCOME if self.itemised else Role.DISCOUNT_COUPON
        rest = off
        shipped = [address for address in addresses if address.shipping.ex_tax != 0]
        for address in shipped:
            net = rest if address is shipped[-1] else (off * address.shipping.ex_tax / shipping).quantize(_FINE)
            rest -= net
            yield self._part(
                f"shipping/{address.id}/coupon", role, -net, self._shipping_code(address),
                f"Discount {coupon.code}", f"coupon {coupon.code} took {plain(off)} off shipping, net",
            )  # fmt: skip

    def _wrapping(self) -> Iterator[Part]:
        wrapped = [line for line in self.snapshot.lines if line.wrapping.ex_tax != 0]
        for line in wrapped:
            yield self._part(
                f"wrapping/{line.id}", Role.WRAPPING_INCOME, line.wrapping.ex_tax,
                self.book.code(self.book.wrapping_rows(line.id), "wrapping", line.address_id),
                f"Wrapping {line.wrapping_name}", f"gift wrapping of line {line.id} without tax",
            )  # fmt: skip
        if not wrapped and self.order.wrapping != Tax3() and self.order.wrapping.ex_tax != 0:
            rows = [row for row in self.snapshot.taxes if row.item_type == "gift-wrapping"]
            yield self._part(
                "wrapping/0", Role.WRAPPING_INCOME, self.order.wrapping.ex_tax, self.book.code(rows, "wrapping"),
                "Wrapping", "gift wrapping without tax",
            )  # fmt: skip


def _discount_role(discount: AppliedDiscount) -> Role:
    if discount.code:
        return Role.DISCOUNT_COUPON
    return Role.DISCOUNT_MANUAL if discount.id == "manual-discount" else Role.DISCOUNT_PROMOTION
