"""Refunds: total and tax are the store's, the net mirrors what the sale posted, the money goes where it came from."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ml_connector.domain.documents import Document, Kind
from ml_connector.domain.orders import OrderSnapshot, Refund, RefundPayment
from tests.planning.store import (
    CREATED,
    D,
    Item,
    StoreOrder,
    a_mapping,
    a_policy,
    a_refund,
    a_transaction,
    an_item,
    balances,
    captured,
    documents,
    due,
    held,
    of_role,
    plan,
    references,
)

SOLD = captured(StoreOrder(items=(Item(discounts=(("total-coupon", "TEN", D("6.00")),)),)).snapshot())
# One of three units: 60.00 - 6.00 = 54.00 net, 4.46 tax; a third is 18.00 and 1.49.
ONE = a_refund("19.49", "1.49", an_item("PRODUCT", 501, 1))


def refunded(*refunds: Refund, base: OrderSnapshot = SOLD) -> OrderSnapshot:
    return replace(base, refunds=refunds)


def entry(snapshot: OrderSnapshot, **policy: object) -> Document:
    return next(one for one in documents(plan(snapshot, a_policy(**policy))) if one.kind is Kind.REFUND)


def test_units_turn_back_revenue_and_its_discounts() -> None:
    found = documents(plan(refunded(ONE)))
    assert [document.reference for document in found] == ["S1-O10250", "S1-P90100001", "S1-R31", "S1-M77"]
    credit, money = found[2:]
    assert of_role([credit], "revenue") == D("20.00")
    assert of_role([credit], "discount_coupon") == D("-2.00")
    assert of_role([credit], "tax_payable") == D("1.49")
    assert of_role([credit], "receivable") == D("-19.49")
    assert credit.applies_to == "S1-O10250"
    assert credit.posting_date == date(2026, 3, 9)
    assert of_role([money], "clearing") == D("-19.49")
    assert money.applies_to == "S1-R31"


def two_units_of_an_odd_cent() -> OrderSnapshot:
    third = captured(StoreOrder(items=(Item(price=D("10.01"), quantity=3, rate="none"),), shipping=()).snapshot())
    line = third.lines[0]
    halves = replace(line, quantity=2, totals=replace(line.totals, ex_tax=D("30.03")))
    return replace(third, lines=(halves,))


def test_the_last_unit_closes_to_the_cent() -> None:
    third = two_units_of_an_odd_cent()
    first, second = (
        a_refund("15.02", "0", an_item("PRODUCT", 501, 1)),
        a_refund("15.01", "0", an_item("PRODUCT", 501, 1), number=32),
    )
    found = documents(plan(refunded(first, second, base=third)))
    amounts = [of_role([one], "revenue") for one in found if one.kind is Kind.REFUND]
    assert amounts == [D("15.02"), D("15.01")]
    assert balances(found) == {}


def test_a_half_cent_of_a_share_is_rounded_up_however_the_share_divides() -> None:
    items = (Item(price=D("0.01"), quantity=6, rate="none", discounts=(("auto-promotion", "", D("0.03")),)),)
    snapshot = captured(StoreOrder(items=items, shipping=()).snapshot())
    # Five of six units: 0.05 of revenue and 0.025 of the discount.
    five = a_refund("0.02", "0", an_item("PRODUCT", 501, 5))
    credit = entry(refunded(five, base=snapshot))
    assert (of_role([credit], "revenue"), of_role([credit], "discount_promotion")) == (D("0.05"), D("-0.03"))


def test_refunds_mirror_the_accounts_of_the_sale_not_of_todays_mapping() -> None:
    posted = documents(plan(SOLD))
    moved = a_mapping(revenue_rules=[{"match": {"channel": 1}, "account": "499999"}])
    found = documents(plan(refunded(ONE), mapping=moved, posted=posted))
    assert {line.account for line in found[2].lines if line.role == "revenue"} == {"410000"}


def test_returns_may_go_to_one_contra_account() -> None:
    credit = entry(refunded(ONE), refunds__revenue="sales_returns")
    assert of_role([credit], "sales_returns") == D("18.00")
    assert of_role([credit], "revenue", "discount_coupon") == 0
    assert [line.tax_code for line in credit.lines if line.role == "sales_returns"] == ["O1"]


def test_returns_keep_the_profit_centre_of_the_sale_and_not_its_cost_centre() -> None:
    rule = {"match": {"channel": 1}, "account": "410100", "dimension": {"profit_center": "PC", "cost_center": "CC"}}
    found = documents(plan(refunded(ONE), a_policy(refunds__revenue="sales_returns"), a_mapping(revenue_rules=[rule])))
    returned = [line for line in found[2].lines if line.role == "sales_returns" and line.amount == D("20.00")]
    assert [(line.dimension.profit_center, line.dimension.cost_center) for line in returned] == [("PC", "")]


def test_a_refund_on_account_is_limited_by_what_is_owed() -> None:
    order = replace(StoreOrder().snapshot().order, payment_method="Bank Deposit", payment_status="")
    policy = a_policy(offline_methods={"Bank Deposit": "on_account"})
    refund = a_refund("8.66", "0.66", an_item("SHIPPING", 61, amount="8.66"), provider="Bank Deposit")
    snapshot = replace(StoreOrder().snapshot(), order=order, refunds=(refund,))
    assert references(plan(snapshot, policy)) == ["S1-O10250", "S1-R31", "S1-M77"]


def test_a_returned_certificate_is_no_sales_return() -> None:
    items = (Item(price=D("50.00"), quantity=1, rate="none", type="giftcertificate"),)
    snapshot = captured(StoreOrder(items=items, shipping=()).snapshot())
    credit = entry(
        refunded(a_refund("50.00", "0", an_item("PRODUCT", 501, 1)), base=snapshot), refunds__revenue="sales_returns"
    )
    assert of_role([credit], "gift_certificate_liability") == D("50.00")


@pytest.mark.parametrize(("kind", "key", "role"), [("SHIPPING", 61, "shipping"), ("HANDLING", 61, "handling")])
def test_part_of_a_charge_is_taken_as_an_amount_with_tax(kind: str, key: int, role: str) -> None:
    snapshot = captured(StoreOrder(shipping=(D("8.00"),), handling=D("8.00")).snapshot())
    half = a_refund("4.33", "0.33", an_item(kind, key, amount="4.33"))
    credit = entry(refunded(half, base=snapshot))
    assert of_role([credit], f"{role}_income") == D("4.00")


def test_no_more_than_the_charge_is_mirrored() -> None:
    double = a_refund("17.32", "0.66", an_item("SHIPPING", 61, amount="17.32"))
    assert held(plan(refunded(double))).code == "refund_mismatch"
    credit = entry(refunded(replace(double, uses_merchant_override=True)))
    assert of_role([credit], "shipping_income") == D("8.00")
    assert of_role([credit], "refund_adjustment") == D("8.66")


def test_wrapping_and_fees_have_their_own_parts() -> None:
    snapshot = captured(
        StoreOrder(items=(Item(quantity=2, wrapping=D("4.00")),), shipping=(), fee=D("3.00")).snapshot()
    )
    wrapping = a_refund("2.17", "0.17", an_item("GIFT_WRAPPING", 501, 1))
    fee = a_refund("3.00", "0", an_item("FEE", 1, amount="3.00"), number=32)
    found = documents(plan(refunded(wrapping, fee, base=snapshot)))
    credits = [one for one in found if one.kind is Kind.REFUND]
    assert of_role(credits[:1], "wrapping_income") == D("2.00")
    assert of_role(credits[1:], "fee_income") == D("3.00")


def test_a_coupon_on_shipping_is_turned_back_with_it() -> None:
    snapshot = captured(StoreOrder(shipping=(D("8.00"),), shipping_coupon=D("2.00")).snapshot())
    shipping = snapshot.order.shipping
    gross = shipping.inc_tax * 6 / 8
    back = a_refund(D("6.50"), "0.50", an_item("SHIPPING", 61, amount=gross))
    credit = entry(refunded(back, base=snapshot))
    assert of_role([credit], "shipping_income") == D("8.00")
    assert of_role([credit], "discount_coupon") == D("-2.00")


def test_adjustments_keep_or_give() -> None:
    kept = a_refund("16.49", "1.49", an_item("PRODUCT", 501, 1, adjustments=("-3.00",)))
    given = a_refund("22.49", "1.49", an_item("PRODUCT", 501, 1, adjustments=("3.00",)))
    assert of_role([entry(refunded(kept))], "restocking_fee") == D("-3.00")
    assert of_role([entry(refunded(given))], "refund_adjustment") == D("3.00")


def test_tax_alone_and_negative_tax() -> None:
    alone = a_refund("1.00", "1.00")
    credit = entry(refunded(alone))
    assert [(line.role.value, line.side.value) for line in credit.lines] == [
        ("tax_payable", "debit"),
        ("receivable", "credit"),
    ]
    negative = a_refund("16.00", "-2.00", an_item("PRODUCT", 501, 1))
    assert of_role([entry(refunded(negative))], "tax_payable") == D("-2.00")


def test_tax_is_split_by_the_refunded_parts() -> None:
    items = (Item(price=D("100.00"), quantity=1, rate="high"), Item(price=D("100.00"), quantity=1, rate="low"))
    snapshot = captured(StoreOrder(items=items, shipping=()).snapshot())
    low = entry(refunded(a_refund("107.00", "7.00", an_item("PRODUCT", 502, 1)), base=snapshot))
    assert {line.tax_code: line.amount for line in low.lines if line.role == "tax_payable"} == {"A2": D("7.00")}
    free = entry(refunded(a_refund("26.00", "26.00"), base=snapshot))
    assert {line.tax_code for line in free.lines if line.role == "tax_payable"} == {"A1", "A2"}


def test_a_difference_is_rounding_or_the_merchants_choice_or_a_question() -> None:
    cent = a_refund("19.51", "1.49", an_item("PRODUCT", 501, 1))
    assert of_role([entry(refunded(cent))], "rounding") == D("0.02")
    odd = a_refund("25.49", "1.49", an_item("PRODUCT", 501, 1))
    result = held(plan(refunded(odd)))
    assert result.code == "refund_mismatch"
    assert result.facts is not None
    assert (result.facts["mirrored_net"], result.facts["difference"]) == ("18.00", "6.00")
    chosen = replace(odd, uses_merchant_override=True)
    assert of_role([entry(refunded(chosen))], "refund_adjustment") == D("6.00")


def test_payments_that_do_not_add_up_are_a_question() -> None:
    odd = replace(ONE, payments=(replace(ONE.payments[0], amount=D("10.00")),))
    assert held(plan(refunded(odd))).code == "refund_mismatch"


@pytest.mark.parametrize("units", [4, 99])
def test_more_units_than_were_sold_are_a_question(units: int) -> None:
    assert held(plan(refunded(replace(ONE, items=(an_item("PRODUCT", 501, units),))))).code == "refund_mismatch"


def test_a_line_that_an_edit_removed_is_a_question_unless_posted() -> None:
    gone = refunded(replace(ONE, items=(an_item("PRODUCT", 999, 1),)))
    assert held(plan(gone)).code == "refund_mismatch"
    posted = documents(plan(refunded(ONE)))
    other = replace(SOLD, lines=(replace(SOLD.lines[0], id=502),), refunds=(ONE,))
    other = replace(other, taxes=tuple(replace(row, line_id=502 if row.line_id else None) for row in other.taxes))
    again = documents(plan(other, posted=posted))
    assert next(one for one in again if one.reference == "S1-R31").already


@pytest.mark.parametrize(
    ("provider", "role"),
    [
        ("storecredit", "store_credit_liability"),
        ("store_credit", "store_credit_liability"),
        ("giftcertificate", "gift_certificate_liability"),
    ],
)
def test_money_may_become_a_liability(provider: str, role: str) -> None:
    found = documents(plan(refunded(a_refund("19.49", "1.49", an_item("PRODUCT", 501, 1), provider=provider))))
    assert of_role(found[3:], role) == D("-19.49")
    assert of_role(found[3:], "clearing") == 0


def test_what_the_sale_lacks_in_the_mapping_is_no_mismatch_of_its_refund() -> None:
    refund = a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1))
    sale = captured(StoreOrder().snapshot())
    found = held(plan(replace(sale, refunds=(refund,)), mapping=a_mapping(taxes=[])))
    assert (found.code, found.key) == ("unmapped", "tax|state|Default|8.25")


def test_an_unknown_provider_is_unmapped() -> None:
    result = held(plan(refunded(a_refund("19.49", "1.49", an_item("PRODUCT", 501, 1), provider="klarna"))))
    assert result.key == "payment_method|klarna|"


def test_a_manual_payout_uses_the_orders_offline_method() -> None:
    refund = a_refund("19.49", "1.49", an_item("PRODUCT", 501, 1), provider="custom")
    refund = replace(refund, payments=(replace(refund.payments[0], offline=True),))
    order = replace(SOLD.order, payment_method="Bank Deposit")
    found = documents(plan(replace(SOLD, order=order, refunds=(refund,))))
    assert [line.account for line in found[3].lines if line.role == "clearing"] == ["136900"]


def test_one_step_refunds_credit_clearing_themselves() -> None:
    found = documents(plan(refunded(ONE), a_policy(posting__settlement="one_step")))
    assert [document.reference for document in found] == ["S1-O10250", "S1-R31"]
    assert of_role(found, "clearing") == due(SOLD) - D("19.49")
    assert of_role(found, "receivable") == 0


class TestDeclined:
    DECLINED = replace(ONE, payments=(replace(ONE.payments[0], is_declined=True),))
    TWO = (
        RefundPayment(77, "braintree", D("10.00"), offline=False, is_declined=False),
        RefundPayment(78, "braintree", D("9.49"), offline=False, is_declined=True),
    )

    def test_is_left_out_with_a_note_or_asked_about(self) -> None:
        result = plan(refunded(self.DECLINED))
        assert references(result) == ["S1-O10250", "S1-P90100001"]
        assert [(note.code, note.about) for note in result.notes] == [("refund_declined", "refund 31")]
        assert held(plan(refunded(self.DECLINED), a_policy(refunds__declined="hold"))).code == "refund_partly_declined"

    def test_in_part_is_always_asked_about(self) -> None:
        assert held(plan(refunded(replace(ONE, payments=self.TWO)))).code == "refund_partly_declined"

    def test_after_posting_reverses_credit_and_money(self) -> None:
        posted = documents(plan(refunded(ONE)))
        found = documents(plan(refunded(self.DECLINED), posted=posted))
        assert [one.reference for one in found] == ["S1-O10250", "S1-P90100001", "S1-XR31", "S1-XM77"]
        assert balances(found, posted[2:]) == balances(documents(plan(SOLD)))
        again = documents(plan(refunded(self.DECLINED), posted=(*posted, *found[2:])))
        assert all(one.already for one in again)

    def test_a_declined_one_gives_nothing_back_to_later_ones(self) -> None:
        full = a_refund("58.46", "4.46", an_item("PRODUCT", 501, 3), number=32)
        found = documents(plan(refunded(self.DECLINED, full)))
        assert of_role([one for one in found if one.kind is Kind.REFUND], "revenue") == D("60.00")


class TestSettled:
    POLICY = a_policy(refunds__post_when="settled")

    def test_waits_for_the_transaction(self) -> None:
        result = plan(refunded(ONE), self.POLICY)
        assert references(result) == ["S1-O10250", "S1-P90100001"]
        assert [note.code for note in result.notes] == ["refund_unsettled"]

    @pytest.mark.parametrize("named", [True, False])
    def test_posts_when_it_is_there(self, named: bool) -> None:
        row = a_transaction("19.49", 9, event="refund")
        refund = ONE
        if named:
            refund = replace(ONE, payments=(replace(ONE.payments[0], transaction_id=row.id),))
        snapshot = replace(refunded(refund), transactions=(*SOLD.transactions, row))
        assert references(plan(snapshot, self.POLICY))[2:] == ["S1-R31", "S1-M77"]

    def test_one_transaction_settles_one_payment(self) -> None:
        halves = tuple(
            RefundPayment(77 + n, "braintree", D("9.745"), offline=False, is_declined=False) for n in range(2)
        )
        row = a_transaction("9.745", 9, event="refund")
        snapshot = replace(refunded(replace(ONE, payments=halves)), transactions=(*SOLD.transactions, row))
        assert [note.code for note in plan(snapshot, self.POLICY).notes] == ["refund_unsettled"]

    def test_needs_none_for_a_manual_payout(self) -> None:
        refund = replace(ONE, payments=(replace(ONE.payments[0], offline=True),))
        assert references(plan(refunded(refund), self.POLICY))[2:] == ["S1-R31", "S1-M77"]


def test_refund_transactions_without_a_refund_post_nothing() -> None:
    row = a_transaction("19.49", 9, event="refund")
    snapshot = replace(SOLD, transactions=(*SOLD.transactions, row))
    assert references(plan(snapshot)) == ["S1-O10250", "S1-P90100001"]


def test_more_back_than_came_is_a_question() -> None:
    placed = replace(StoreOrder().snapshot(), refunds=(ONE,))
    placed = replace(placed, order=replace(placed.order, payment_status="authorized"))
    assert held(plan(placed, a_policy(posting__trigger="placement"))).code == "refund_exceeds_capture"


def test_a_refund_that_is_posted_is_counted_before_a_new_one() -> None:
    late = a_refund("19.49", "1.49", an_item("PRODUCT", 501, 1), number=30)
    posted = documents(plan(refunded(ONE)))
    found = documents(plan(refunded(late, ONE), posted=posted))
    assert [one.reference for one in found][2:] == ["S1-R30", "S1-M76", "S1-R31", "S1-M77"]
    assert of_role([one for one in found if one.kind is Kind.REFUND], "revenue") == D("40.00")
    odd = two_units_of_an_odd_cent()
    first = a_refund("15.02", "0", an_item("PRODUCT", 501, 1))
    second = a_refund("15.01", "0", an_item("PRODUCT", 501, 1), number=30)
    posted = documents(plan(refunded(first, base=odd)))
    assert balances(documents(plan(refunded(second, first, base=odd), posted=posted))) == {}


def test_refunds_posted_without_their_parts_are_counted_by_the_same_rule() -> None:
    posted = documents(plan(refunded(ONE)))
    bare = tuple(
        replace(one, source_digest="", lines=tuple(replace(line, parts=()) for line in one.lines)) for one in posted
    )
    rest = a_refund("38.97", "2.97", an_item("PRODUCT", 501, 2), number=32)
    found = documents(plan(refunded(ONE, rest), posted=bare))
    assert of_role([one for one in found if one.kind is Kind.REFUND], "revenue") == D("60.00")
    assert all(one.already for one in found[:4])


class TestBeforeDelivery:
    POLICY = a_policy(posting__trigger="shipment")
    EARLY = replace(ONE, created=CREATED + timedelta(days=1))

    def test_money_goes_out_of_the_deposit_alone(self) -> None:
        found = documents(plan(refunded(self.EARLY), self.POLICY))
        assert [one.kind for one in found] == [Kind.PAYMENT, Kind.REFUND_PAYMENT]
        assert of_role(found, "customer_deposit") == D("19.49") - due(SOLD)

    @pytest.mark.parametrize("seen_before", [True, False])
    def test_the_credit_follows_the_entry_and_the_deposit_is_used_up(self, seen_before: bool) -> None:
        posted = documents(plan(refunded(self.EARLY), self.POLICY)) if seen_before else ()
        order = replace(SOLD.order, status_id=2, shipped=CREATED + timedelta(days=10))
        found = documents(plan(replace(refunded(self.EARLY), order=order), self.POLICY, posted=posted))
        assert {one.kind for one in found} == {
            Kind.PAYMENT,
            Kind.ORDER,
            Kind.DEPOSIT_APPLICATION,
            Kind.REFUND,
            Kind.REFUND_PAYMENT,
        }
        assert of_role(found, "customer_deposit") == 0
        assert of_role(found, "receivable") == 0
        assert of_role(found, "clearing") == due(SOLD) - D("19.49")

    def test_a_refund_after_the_application_goes_against_the_receivable(self) -> None:
        order = replace(SOLD.order, status_id=2, shipped=CREATED + timedelta(days=10))
        shipped = replace(SOLD, order=order)
        posted = documents(plan(shipped, self.POLICY))
        found = documents(plan(replace(shipped, refunds=(self.EARLY,)), self.POLICY, posted=posted))
        assert of_role(found, "customer_deposit") == 0
        assert of_role(found, "receivable") == 0
