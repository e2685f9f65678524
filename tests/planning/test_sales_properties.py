"""The rules that hold for every order as a sales document, whatever it contains and whichever family books it."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ml_connector.domain.documents import ITEMISED, Document, Documents, Held, Kind, LineType, Plan, Role
from ml_connector.domain.money import ZERO, decimals, minor_unit, round_half_up
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.planning.families import FAMILIES
from tests.planning.store import CREATED, MAPPING, StoreOrder, a_mapping, a_policy, balances, documents, of_role, plan
from tests.planning.test_properties import full_refunds, orders, paid_orders

ROUNDS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BY_SKU = a_mapping(items_match="sku", items={"": "MISC"}, default_warehouse="01")
RATES = {tax["tax_code"]: Decimal(tax["rate"]) for tax in MAPPING["taxes"]}
# What is under test is where cents go, not when a person is asked.
TOLERANT = {"rounding__tolerance_minor": 60}
POLICIES = st.builds(
    a_policy,
    sales__tax=st.sampled_from(("family", "store", "erp")),
    sales__erp_tax_rounding=st.sampled_from(("per_code", "per_line")),
    sales__document=st.sampled_from(("invoice", "order", "delivery")),
    # None of these may change what a sales document says.
    posting__lines=st.sampled_from(("aggregate", "per_line")),
    discounts__presentation=st.sampled_from(("gross", "net")),
    posting__settlement=st.sampled_from(("two_step", "one_step")),
    rounding__tolerance_minor=st.just(60),
)
FAMILY = st.sampled_from(sorted(FAMILIES))


def is_lawful(snapshot: OrderSnapshot) -> bool:
    """Where the state's share goes to a county this store charges no rate that an ERP could compute."""
    return all(row.name != "county" for row in snapshot.taxes)


def sold(
    snapshot: OrderSnapshot, policy: Policy, family: str = "business_one", posted: tuple[Document, ...] = ()
) -> Plan:
    return plan(snapshot, policy, BY_SKU, posted, style="sales", family=family, reference_form="long")


def receivable(*groups: Iterable[Document]) -> Decimal:
    """What the buyer owes by these documents: implied by sales documents, written on the others."""
    owed = ZERO
    for document in (document for group in groups for document in group):
        if document.kind in ITEMISED:
            owed += -document.total if document.kind is Kind.CREDIT_MEMO else document.total
        elif document.kind is Kind.REVERSAL and any(line.itemised for line in document.lines):
            owed -= document.balance
        else:
            owed += of_role([document], "receivable", "customer_deposit")
    return owed


def check(found: tuple[Document, ...], snapshot: OrderSnapshot) -> None:
    names = [document.reference for document in found]
    assert len(names) == len(set(names))
    for document in found:
        assert re.fullmatch(r"BC-S1-\d+-X?([OILTGS]|[PRAM]\d+)(-[2-9])?|S1-C\d+", document.reference)
        assert len(document.reference) <= 34
        assert document.text
        assert document.lines or document.kind is Kind.CUSTOMER
        for line in document.lines:
            assert -line.amount.as_tuple().exponent == decimals(snapshot.order.currency)
            assert line.why
            assert (line.itemised is not None) == (document.kind in ITEMISED)
        if document.kind in ITEMISED:
            check_itemised(document)
        else:
            assert document.balance == 0, document.reference


def check_itemised(document: Document) -> None:
    returned = document.kind is Kind.CREDIT_MEMO
    for line in document.lines:
        own = line.signed if returned else -line.signed
        about = line.itemised
        assert about is not None
        if about.type is LineType.ITEM:
            assert about.item
            assert about.quantity > 0
            assert about.warehouse == "01"
            listed = round_half_up(about.unit_price * about.quantity, document.currency)
            assert listed - about.discount_amount == own
        else:
            assert line.amount > 0
            assert (about.item, about.quantity, about.unit_price, about.warehouse) == ("", 0, 0, "")
        assert about.predicted <= (about.type is LineType.TAX)
        assert (about.type is LineType.ROUNDING) == (line.role is Role.ROUNDING)
        if line.role is Role.ROUNDING:
            assert not line.tax_code
    assert sum(line.role is Role.ROUNDING for line in document.lines) <= 1


def foreseen(document: Document, policy: Policy) -> dict[str, Decimal]:
    """Tax by code as an ERP computes it from what was sent, told independently of the planner."""
    nets: dict[str, list[Decimal]] = {}
    for line in document.lines:
        if line.itemised and line.itemised.type in (LineType.ITEM, LineType.FREIGHT, LineType.CHARGE):
            for code in line.tax_code.split("+"):
                nets.setdefault(code, []).append(line.signed)
    taxes: dict[str, Decimal] = {}
    for code, amounts in nets.items():
        each = amounts if policy.sales_erp_tax_rounding == "per_line" else [sum(amounts, ZERO)]
        tax = sum((round_half_up(net * RATES.get(code, ZERO) / 100, document.currency) for net in each), ZERO)
        if tax:
            taxes[code] = tax
    return taxes


def taxes_of(document: Document) -> dict[str, Decimal]:
    return {line.tax_code: line.signed for line in document.lines if line.role is Role.TAX_PAYABLE}


def by_erp(policy: Policy, family: str) -> bool:
    return (FAMILIES[family].tax if policy.sales_tax == "family" else policy.sales_tax) == "erp"


@ROUNDS
@given(snapshot=paid_orders(), policy=POLICIES, family=FAMILY)
def test_lines_tax_and_rounding_come_to_the_stores_total(snapshot: OrderSnapshot, policy: Policy, family: str) -> None:
    assume(is_lawful(snapshot) or not by_erp(policy, family))
    found = documents(sold(snapshot, policy, family))
    check(found, snapshot)
    order = snapshot.order
    sale = next(document for document in found if document.kind in ITEMISED)
    assert sale.kind is FAMILIES[family].documents[policy.sales_document]
    assert sale.total == order.total.inc_tax
    items = [line.itemised for line in sale.lines if line.itemised and line.itemised.type is LineType.ITEM]
    goods = [line for line in snapshot.lines if line.type != "giftcertificate"]
    assert sum(item.quantity for item in items) >= sum(line.quantity for line in goods)
    predicted = {line.tax_code for line in sale.lines if line.itemised and line.itemised.predicted}
    if by_erp(policy, family):
        assert taxes_of(sale) == foreseen(sale, policy)
        assert predicted == set(taxes_of(sale))
    else:
        assert -sum(taxes_of(sale).values()) == order.total.tax
        assert not predicted
    assert receivable(found) == 0
    # Money and tenders to the cent, on their own documents.
    assert of_role(found, "clearing") == sum((row.amount for row in snapshot.transactions), ZERO)
    assert of_role(found, "store_credit_liability") == order.store_credit_amount
    money = {document.kind for document in found if of_role([document], "clearing")}
    assert money <= {Kind.DEPOSIT if sale.kind in FAMILIES[family].deposits else Kind.PAYMENT}


@ROUNDS
@given(snapshot=paid_orders(), policy=POLICIES, family=FAMILY, tolerance=st.integers(0, 3))
def test_what_the_tolerance_does_not_cover_is_held_with_both_sums(
    snapshot: OrderSnapshot, policy: Policy, family: str, tolerance: int
) -> None:
    result = sold(snapshot, replace(policy, rounding_tolerance_minor=tolerance), family)
    whole = tolerance * minor_unit(snapshot.order.currency)
    if isinstance(result, Documents):
        assert abs(of_role(result.documents, "rounding")) <= whole
        return
    assert isinstance(result, Held)
    assert result.code in ("erp_tax_difference", "totals_mismatch")
    assert result.code == "totals_mismatch" or by_erp(policy, family)
    assert abs(Decimal((result.facts or {})["difference"])) > whole


@ROUNDS
@given(snapshot=paid_orders(), data=st.data(), policy=POLICIES, family=FAMILY)
def test_refunds_step_by_step_never_exceed_the_sale_and_close_to_the_cent(
    snapshot: OrderSnapshot, data: st.DataObject, policy: Policy, family: str
) -> None:
    assume(is_lawful(snapshot) or not by_erp(policy, family))
    refunds = full_refunds(snapshot, lambda low, high: data.draw(st.integers(low, high)))
    posted: tuple[Document, ...] = ()
    for count in range(len(refunds) + 1):
        found = documents(sold(replace(snapshot, refunds=refunds[:count]), policy, family, posted))
        check(found, snapshot)
        assert {document.reference for document in found if document.already} == {one.reference for one in posted}
        given_back = sum((one.total for one in found if one.kind is Kind.CREDIT_MEMO), ZERO)
        assert given_back == sum((refund.total_amount for refund in refunds[:count]), ZERO)
        assert given_back <= snapshot.order.total.inc_tax
        assert receivable(found) == 0
        posted = found
    memos = [document for document in posted if document.kind is Kind.CREDIT_MEMO]
    if by_erp(policy, family):
        for memo in memos:
            assert taxes_of(memo) == foreseen(memo, policy)
        # The ERP's own tax on each memo need not add up to that of the sale; what it taxes does.
        kept = {"tax_payable", "rounding", "receivable", "customer_deposit"}
        assert {role for role, _, _ in balances(posted)} <= kept
    else:
        left = {role for role, _, _ in balances(posted)}
        assert left <= {"receivable", "customer_deposit"}
    assert returned(memos) == returned([one for one in posted if one.kind in ITEMISED and one not in memos])
    at_once = documents(sold(replace(snapshot, refunds=refunds), policy, family))
    assert [document.reference for document in at_once] == [document.reference for document in posted]


def returned(group: Iterable[Document]) -> dict[str, Decimal]:
    """Units by item."""
    units: dict[str, Decimal] = {}
    for document in group:
        for line in document.lines:
            if line.itemised and line.itemised.quantity:
                units[line.itemised.item] = units.get(line.itemised.item, ZERO) + line.itemised.quantity
    return units


@ROUNDS
@given(
    snapshot=paid_orders(),
    policy=POLICIES,
    family=FAMILY,
    trigger=st.sampled_from(("capture", "placement", "shipment", "completion")),
)
def test_planning_again_finds_everything_posted(
    snapshot: OrderSnapshot, policy: Policy, family: str, trigger: str
) -> None:
    assume(is_lawful(snapshot) or not by_erp(policy, family))
    order = replace(snapshot.order, status_id=10, shipped=CREATED + timedelta(days=1))
    snapshot = replace(snapshot, order=order)
    policy = replace(policy, posting_trigger=trigger)
    first = documents(sold(snapshot, policy, family))
    check(first, snapshot)
    assert receivable(first) == 0
    assert documents(sold(snapshot, policy, family)) == first
    again = documents(sold(snapshot, policy, family, first))
    assert [replace(document, already=False) for document in again] == list(first)
    assert all(document.already for document in again)
    # Without a digest, the content itself is compared.
    bare = tuple(replace(document, source_digest="") for document in first)
    assert all(document.already for document in documents(sold(snapshot, policy, family, bare)))
    # What is posted stays what it is, whatever the policy says by now.
    for document in ("invoice", "order", "delivery"):
        changed = documents(sold(snapshot, replace(policy, sales_document=document), family, first))
        assert {one.reference for one in changed} == {one.reference for one in first}


@ROUNDS
@given(before=orders("USD"), after=orders("USD"), policy=POLICIES, family=FAMILY)
def test_an_edit_of_an_open_order_leaves_the_new_one_and_an_invoice_asks(
    before: StoreOrder, after: StoreOrder, policy: Policy, family: str
) -> None:
    policy = replace(policy, posting_trigger="placement")
    old = before.snapshot()
    new = replace(after, customer=before.customer).snapshot()
    assume((is_lawful(old) and is_lawful(new)) or not by_erp(policy, family))
    first = documents(sold(old, policy, family))
    result = sold(new, policy, family, first)
    fresh = documents(sold(new, policy, family))
    sale = first[1] if first[0].kind is Kind.CUSTOMER else first[0]
    if isinstance(result, Held):
        assert result.code == "amended_after_invoicing"
        assert sale.kind in (Kind.SALES_INVOICE, Kind.DELIVERY)
        assert Decimal((result.facts or {})["new_total"]) == new.order.total.inc_tax
        return
    second = documents(result)
    undone = [document for document in first if document.reference in {one.reverses for one in second}]
    assert balances(second, undone) == balances(fresh)
    assert receivable(second, undone) == receivable(fresh)
    assert sale.kind is Kind.SALES_ORDER or sale.fingerprint == next(d for d in fresh if d.kind in ITEMISED).fingerprint
    assert not {one.reference for one in second if not one.already} & {one.reference for one in first}


@ROUNDS
@given(snapshot=paid_orders(), policy=POLICIES, family=FAMILY)
def test_a_cancellation_undoes_the_sale_and_its_tenders_and_leaves_the_money(
    snapshot: OrderSnapshot, policy: Policy, family: str
) -> None:
    assume(is_lawful(snapshot) or not by_erp(policy, family))
    first = documents(sold(snapshot, policy, family))
    cancelled = replace(snapshot, order=replace(snapshot.order, status_id=5))
    result = sold(cancelled, policy, family, first)
    if isinstance(result, Held):
        assert result.code == "cancelled_with_money"
        assert {Kind.SALES_INVOICE, Kind.PAYMENT} <= {document.kind for document in first}
        return
    second = documents(result)
    reversals = [document for document in second if document.kind is Kind.REVERSAL]
    undone = [document for document in first if document.reference in {one.reverses for one in reversals}]
    assert all(one.kind in ITEMISED or one.reference[-1] in "TG" for one in undone)
    assert balances(reversals, undone) == {}
    assert receivable(second, undone) == -sum((row.amount for row in snapshot.transactions), ZERO)
    sale = next(document for document in first if document.kind in ITEMISED)
    assert [one.total for one in reversals if one.reverses == sale.reference] == [sale.total]
    again = documents(sold(cancelled, policy, family, tuple({d.reference: d for d in (*first, *second)}.values())))
    assert {document.reference for document in again} == {document.reference for document in second}
    assert all(document.already for document in again)
