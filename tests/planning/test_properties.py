"""The rules that hold for every order, whatever it contains."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ml_connector.domain.documents import Document, Documents, Kind, Role
from ml_connector.domain.money import ZERO, allocate, decimals, minor_unit
from ml_connector.domain.orders import OrderSnapshot, Refund, RefundItem, RefundPayment
from tests.planning.store import (
    CREATED,
    RATES,
    Item,
    StoreOrder,
    a_policy,
    a_transaction,
    balances,
    documents,
    due,
    four,
    of_role,
    plan,
)

INCOME = (
    "revenue",
    "discount_promotion",
    "discount_coupon",
    "discount_manual",
    "shipping_income",
    "handling_income",
    "wrapping_income",
    "fee_income",
)
ROUNDS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A generous tolerance: what is under test is where cents go, not when a person is asked.
TOLERANT = {"rounding__tolerance_minor": 20}


@st.composite
def items(draw: st.DrawFn, currency: str, certificates: bool = False) -> Item:
    unit = minor_unit(currency)
    price = draw(st.integers(1, 30000)) * unit
    quantity = draw(st.integers(1, 5))
    rate = draw(st.sampled_from(sorted(RATES)))
    if certificates and draw(st.integers(0, 9)) == 0:
        return Item(price=price, quantity=1, rate="none", type="giftcertificate")
    worth = price * quantity
    discounts: list[tuple[str, str, Decimal]] = []
    kinds = (("total-coupon", "TEN"), ("auto-promotion", ""), ("manual-discount", ""))
    for id_, code in draw(st.lists(st.sampled_from(kinds), max_size=2)):
        # Fractions of a cent: a percentage spread over lines.
        discounts.append((id_, code, four(worth * draw(st.integers(0, 5000)) / 10000)))
    wrapping = draw(st.integers(1, 500)) * unit if draw(st.integers(0, 4)) == 0 else ZERO
    return Item(price=price, quantity=quantity, rate=rate, discounts=tuple(discounts), wrapping=wrapping)


@st.composite
def orders(draw: st.DrawFn, currency: str | None = None, certificates: bool = True) -> StoreOrder:
    currency = currency or draw(st.sampled_from(("USD", "EUR", "JPY", "KWD")))
    unit = minor_unit(currency)
    order = StoreOrder(
        items=tuple(draw(st.lists(items(currency, certificates), min_size=1, max_size=5))),
        inclusive=draw(st.booleans()),
        currency=currency,
        shipping=tuple(amount * unit for amount in draw(st.lists(st.integers(0, 3000), min_size=1, max_size=3))),
        handling=draw(st.integers(0, 300)) * unit,
        charge_rate=draw(st.sampled_from(sorted(RATES))),
        fee=draw(st.integers(0, 400)) * unit,
        residue=draw(st.sampled_from((0, 0, 0, 1, -1, 3))),
        jurisdictions=draw(st.booleans()),
        customer=draw(st.sampled_from((0, 77))),
    )
    total = order.snapshot().order.total.inc_tax
    credit = (total / 4).quantize(unit) if draw(st.booleans()) else ZERO
    certificate = (total / 5).quantize(unit) if draw(st.booleans()) else ZERO
    return replace(order, store_credit=max(credit, ZERO), gift_certificate=max(certificate, ZERO))


@st.composite
def paid_orders(draw: st.DrawFn, currency: str | None = None, certificates: bool = True) -> OrderSnapshot:
    order = draw(orders(currency, certificates))
    snapshot = order.snapshot()
    whole = due(snapshot)
    if whole <= 0:
        return snapshot
    shares = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    amounts = allocate([whole * share / sum(shares) for share in shares], whole, order.currency)
    gateways = (("braintree", "credit_card"), ("paypalcommerce", "electronic_wallet"))
    rows = [
        a_transaction(
            amount,
            number,
            currency=order.currency,
            gateway=gateways[number % 2][0],
            method=gateways[number % 2][1],
            created=CREATED + timedelta(days=number),
        )
        for number, amount in enumerate(amounts)
        if amount > 0
    ]
    return replace(snapshot, transactions=tuple(rows))


def full_refunds(snapshot: OrderSnapshot, choose: Callable[[int, int], int]) -> tuple[Refund, ...]:
    """Refunds that give back everything in small steps, the way the store computes them; the last takes the rest."""
    order, unit = snapshot.order, minor_unit(snapshot.order.currency)
    steps: list[tuple[RefundItem, Decimal, Decimal]] = []  # item, gross, tax
    for line in snapshot.lines:
        left, before_gross, before_tax = line.quantity, ZERO, ZERO
        while left:
            units = choose(1, left)
            left -= units
            share = Decimal(line.quantity - left) / line.quantity
            gross = (line.discounted_total_inc_tax * share).quantize(unit)
            tax = (line.totals.tax * share).quantize(unit)
            item = RefundItem("PRODUCT", line.id, units, None)
            steps.append((item, gross - before_gross, tax - before_tax))
            before_gross, before_tax = gross, tax
        if line.wrapping.inc_tax:
            item = RefundItem("GIFT_WRAPPING", line.id, line.quantity, None)
            steps.append((item, line.wrapping.inc_tax, line.wrapping.tax))
    for address in snapshot.addresses:
        for kind, charge in (("SHIPPING", address.shipping), ("HANDLING", address.handling)):
            if charge.inc_tax:
                half = (charge.inc_tax / 2).quantize(unit) if choose(0, 1) else ZERO
                half_tax = (charge.tax / 2).quantize(unit) if half else ZERO
                for gross, tax in ((half, half_tax), (charge.inc_tax - half, charge.tax - half_tax)):
                    if gross:
                        steps.append((RefundItem(kind, address.id, 0, gross), gross, tax))
    steps += [(RefundItem("FEE", fee.id, 0, fee.cost.inc_tax), fee.cost.inc_tax, fee.cost.tax) for fee in snapshot.fees]
    # Some come together in one refund.
    groups: list[list[tuple[RefundItem, Decimal, Decimal]]] = [[]]
    for step in steps:
        groups[-1].append(step)
        if choose(0, 1):
            groups.append([])
    groups = [group for group in groups if group]
    return _refunds(snapshot, groups, order.total.inc_tax, order.total.tax)


def _refunds(
    snapshot: OrderSnapshot, groups: list[list[tuple[RefundItem, Decimal, Decimal]]], total: Decimal, total_tax: Decimal
) -> tuple[Refund, ...]:
    purses = [[row.gateway, row.amount] for row in snapshot.transactions]
    purses += [["storecredit", snapshot.order.store_credit_amount]]
    purses += [["giftcertificate", snapshot.order.gift_certificate_amount]]
    refunds: list[Refund] = []
    for number, group in enumerate(groups):
        last = number == len(groups) - 1
        amount = total if last else min(total, sum((gross for _, gross, _ in group), ZERO))
        tax = total_tax if last else sum((part for _, _, part in group), ZERO)
        total, total_tax = total - amount, total_tax - tax
        payments: list[RefundPayment] = []
        rest = amount
        for purse in purses:
            take = min(rest, purse[1])
            if take > 0:
                key = 500 + 10 * number + len(payments)
                payments.append(RefundPayment(key, purse[0], take, offline=False, is_declined=False))
                purse[1] -= take
                rest -= take
        assert rest == 0
        refunds.append(
            Refund(
                id=300 + number,
                created=CREATED + timedelta(days=9, hours=number),
                total_amount=amount,
                total_tax=tax,
                uses_merchant_override=False,
                items=tuple(item for item, _, _ in group),
                payments=tuple(payments),
            )
        )
    return tuple(refunds)


def check_documents(found: tuple[Document, ...], currency: str) -> None:
    names = [document.reference for document in found]
    assert len(names) == len(set(names))
    for document in found:
        assert re.fullmatch(r"S1-X?[OPSARMDC]\d+(-[2-9])?", document.reference)
        assert len(document.reference) <= 16
        assert document.balance == 0, document.reference
        assert document.lines
        assert len(document.text) <= 25
        for line in document.lines:
            assert line.amount > 0
            assert -line.amount.as_tuple().exponent == decimals(currency)
            assert len(line.text) <= 50
            assert len(line.assignment) <= 18
            assert line.why
            assert "@" not in line.text


@ROUNDS
@given(snapshot=paid_orders())
def test_the_order_entry_posts_the_three_figures_that_are_law(snapshot: OrderSnapshot) -> None:
    result = plan(snapshot, a_policy(**TOLERANT))
    found = documents(result)
    check_documents(found, snapshot.order.currency)
    order, entry = snapshot.order, [found[0]]
    sold = -of_role([replace(found[0], lines=_sold_certificates(found[0]))], "gift_certificate_liability")
    tenders = order.store_credit_amount + order.gift_certificate_amount
    assert of_role(entry, "receivable") == order.total.inc_tax - tenders
    assert -of_role(entry, "tax_payable") == order.total.tax
    assert -of_role(entry, *INCOME, "rounding") == order.total.inc_tax - order.total.tax - sold
    assert of_role(entry, "store_credit_liability", "gift_certificate_liability") == tenders - sold
    assert abs(of_role(entry, "rounding")) <= 20 * minor_unit(order.currency)
    paid = [document for document in found if document.kind is Kind.PAYMENT]
    assert of_role(paid, "clearing") == sum((row.amount for row in snapshot.transactions), ZERO)
    assert of_role(found, "receivable") == 0


def _sold_certificates(document: Document) -> tuple[object, ...]:
    return tuple(line for line in document.lines if any(part.key.endswith("/certificate") for part in line.parts))


@ROUNDS
@given(snapshot=paid_orders(), tolerance=st.integers(0, 2))
def test_what_the_tolerance_does_not_cover_is_held_with_both_sums(snapshot: OrderSnapshot, tolerance: int) -> None:
    result = plan(snapshot, a_policy(rounding__tolerance_minor=tolerance))
    if isinstance(result, Documents):
        assert abs(of_role(result.documents, "rounding")) <= tolerance * minor_unit(snapshot.order.currency)
    else:
        assert result.code == "totals_mismatch"
        facts = dict(result.facts or {})
        difference = Decimal(facts["store_total"]) - Decimal(facts["computed_total"])
        assert difference == Decimal(facts["difference"])
        assert abs(difference) > Decimal(facts["tolerance"])


@ROUNDS
@given(snapshot=paid_orders(), settlement=st.sampled_from(("two_step", "one_step")))
def test_presentation_changes_no_account_total(snapshot: OrderSnapshot, settlement: str) -> None:
    changes = {**TOLERANT, "posting__settlement": settlement}
    summed = documents(plan(snapshot, a_policy(posting__lines="aggregate", **changes)))
    single = documents(plan(snapshot, a_policy(posting__lines="per_line", **changes)))
    assert balances(summed) == balances(single)
    # Net presentation moves discounts into revenue, by at most one unit of rounding per part.
    net = documents(plan(snapshot, a_policy(discounts__presentation="net", **changes)))
    parts = sum(1 + len(line.discounts) for line in snapshot.lines) + 8
    difference = abs(of_role(net, *INCOME) - of_role(summed, *INCOME))
    assert difference <= parts * minor_unit(snapshot.order.currency)


@ROUNDS
@given(snapshot=paid_orders(), data=st.data(), settlement=st.sampled_from(("two_step", "one_step")))
def test_refunds_step_by_step_to_everything_close_every_account(
    snapshot: OrderSnapshot, data: st.DataObject, settlement: str
) -> None:
    refunds = full_refunds(snapshot, lambda low, high: data.draw(st.integers(low, high)))
    policy = a_policy(rounding__tolerance_minor=40, posting__settlement=settlement)
    assume(settlement == "two_step" or snapshot.transactions)
    posted: tuple[Document, ...] = ()
    for count in range(len(refunds) + 1):
        result = plan(replace(snapshot, refunds=refunds[:count]), policy, posted=posted)
        found = documents(result)
        check_documents(found, snapshot.order.currency)
        # What was posted stands, whatever came after it.
        assert {document.reference for document in found if document.already} == {one.reference for one in posted}
        posted = found
    assert balances(posted) == {}
    at_once = documents(plan(replace(snapshot, refunds=refunds), policy))
    assert balances(at_once) == {}
    assert [document.reference for document in at_once] == [document.reference for document in posted]


@ROUNDS
@given(snapshot=paid_orders(), trigger=st.sampled_from(("capture", "placement", "shipment", "completion")))
def test_planning_again_finds_everything_posted(snapshot: OrderSnapshot, trigger: str) -> None:
    order = replace(snapshot.order, status_id=10, shipped=CREATED + timedelta(days=1))
    snapshot = replace(snapshot, order=order)
    policy = a_policy(posting__trigger=trigger, **TOLERANT)
    first = documents(plan(snapshot, policy))
    assert documents(plan(snapshot, policy)) == first
    again = documents(plan(snapshot, policy, posted=first))
    assert all(document.already for document in again)
    assert [replace(document, already=False) for document in again] == list(first)
    # Without a digest, the content itself is compared.
    bare = tuple(replace(document, source_digest="") for document in first)
    assert all(document.already for document in documents(plan(snapshot, policy, posted=bare)))


@ROUNDS
@given(before=orders("USD"), after=orders("USD"), mode=st.sampled_from(("reverse_repost", "adjust")))
def test_an_edit_leaves_exactly_the_new_order_in_the_books(before: StoreOrder, after: StoreOrder, mode: str) -> None:
    policy = a_policy(amendment=mode, posting__trigger="placement", posting__zero_total="post", **TOLERANT)
    old = before.snapshot()
    new = replace(after, customer=before.customer).snapshot()
    first = documents(plan(old, policy))
    second = documents(plan(new, policy, posted=first))
    fresh = documents(plan(new, policy))
    # A reversal cancels what it names, which is not listed again.
    undone = [document for document in first if document.reference in {one.reverses for one in second}]
    assert balances(second, undone) == balances(fresh)
    for document in second:
        assert document.balance == 0
        if document.reverses:
            assert document.reverses in {one.reference for one in first}
    kinds = {document.kind for document in second if not document.already}
    allowed = {Kind.ADJUSTMENT} if mode == "adjust" else {Kind.REVERSAL, Kind.ORDER}
    assert kinds <= allowed
    # And back again: the third generation, never the first one again.
    standing = (*[document for document in first if document not in undone], *undone, *second)
    posted = tuple({document.reference: document for document in standing}.values())
    third = documents(plan(old, policy, posted=posted))
    gone = [document for document in posted if document.reference in {one.reverses for one in (*third, *posted)}]
    assert balances(third, [one for one in gone if one.reference not in {doc.reference for doc in third}]) == balances(
        first
    )
    assert not {document.reference for document in third if not document.already} & {one.reference for one in posted}


@ROUNDS
@given(snapshot=paid_orders(certificates=False))
def test_no_cent_of_tax_is_ever_on_the_rounding_account(snapshot: OrderSnapshot) -> None:
    found = documents(plan(snapshot, a_policy(**TOLERANT)))
    for document in found:
        for line in document.lines:
            assert line.role is not Role.ROUNDING or not line.tax_code
