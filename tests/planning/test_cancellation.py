"""Cancelled orders: excluded, reversed, left to their refunds, or asked about."""

from dataclasses import replace
from datetime import date, timedelta

from ml_connector.domain.documents import Excluded, Kind
from ml_connector.domain.orders import OrderSnapshot
from tests.planning.store import (
    CREATED,
    StoreOrder,
    a_policy,
    a_refund,
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

PAID = captured(StoreOrder().snapshot())
FULL = a_refund(
    PAID.order.total.inc_tax, PAID.order.total.tax, an_item("PRODUCT", 501, 3), an_item("SHIPPING", 61, amount="8.66")
)
PART = a_refund("8.66", "0.66", an_item("SHIPPING", 61, amount="8.66"))


def cancelled(snapshot: OrderSnapshot = PAID, **changes: object) -> OrderSnapshot:
    return replace(snapshot, order=replace(snapshot.order, status_id=5, **changes))


def test_before_posting_it_is_excluded_or_a_question_of_money() -> None:
    assert isinstance(plan(cancelled(StoreOrder().snapshot())), Excluded)
    assert held(plan(cancelled())).code == "cancelled_with_money"


def test_a_customer_alone_is_no_posting_of_the_order() -> None:
    new = captured(StoreOrder(customer=4711).snapshot())
    customer = documents(plan(new))[:1]
    assert held(plan(cancelled(new), posted=customer)).code == "cancelled_with_money"


def test_after_posting_the_entry_is_reversed_and_money_stays() -> None:
    posted = documents(plan(PAID))
    found = documents(plan(cancelled(), posted=posted))
    assert [one.reference for one in found] == ["S1-XO10250", "S1-P90100001"]
    assert found[0].posting_date == found[0].document_date == date(2026, 3, 6)
    assert of_role([*found, posted[0]], "receivable") == -due(PAID)
    later = cancelled(modified=CREATED + timedelta(days=30))
    again = documents(plan(later, posted=(*posted, found[0])))
    assert [one.reference for one in again] == ["S1-XO10250", "S1-P90100001"]
    assert all(one.already for one in again)


def test_policy_may_ask() -> None:
    result = held(plan(cancelled(), a_policy(cancel__after_posting="hold"), posted=documents(plan(PAID))))
    assert result.code == "cancelled_after_posting"


def test_fully_refunded_needs_no_reversal_on_top() -> None:
    posted = documents(plan(PAID))
    found = documents(plan(replace(cancelled(), refunds=(FULL,)), posted=posted))
    assert [one.kind for one in found] == [Kind.ORDER, Kind.PAYMENT, Kind.REFUND, Kind.REFUND_PAYMENT]
    assert balances(found) == {}
    again = documents(plan(replace(cancelled(), refunds=(FULL,)), posted=found))
    assert all(one.already for one in again)


def test_partly_refunded_is_a_question() -> None:
    result = plan(replace(cancelled(), refunds=(PART,)), posted=documents(plan(PAID)))
    assert held(result).code == "cancelled_partly_refunded"


def test_money_given_back_after_the_reversal_needs_no_credit_entry() -> None:
    posted = documents(plan(PAID))
    reversed_ = documents(plan(cancelled(), posted=posted))
    books = (*posted, reversed_[0])
    found = documents(plan(replace(cancelled(), refunds=(FULL,)), posted=books))
    assert [one.reference for one in found] == ["S1-XO10250", "S1-P90100001", "S1-M77"]
    assert balances(found, [posted[0]]) == {}


def test_a_deposit_is_paid_back_without_an_entry() -> None:
    policy = a_policy(posting__trigger="shipment")
    posted = documents(plan(PAID, policy))
    assert references(plan(cancelled(), policy, posted=posted)) == ["S1-P90100001"]
    found = documents(plan(replace(cancelled(), refunds=(FULL,)), policy, posted=posted))
    assert [one.kind for one in found] == [Kind.PAYMENT, Kind.REFUND_PAYMENT]
    assert balances(found) == {}


def test_a_delivered_order_keeps_its_application() -> None:
    policy = a_policy(posting__trigger="shipment")
    shipped = replace(PAID, order=replace(PAID.order, status_id=2, shipped=CREATED + timedelta(days=1)))
    posted = documents(plan(shipped, policy))
    found = documents(plan(cancelled(shipped), policy, posted=posted))
    assert [one.reference for one in found] == ["S1-XO10250", "S1-P90100001", "S1-A90100001"]
    assert of_role([*found, posted[1]], "receivable") == -due(PAID)


def test_one_step_keeps_no_payment_document() -> None:
    policy = a_policy(posting__settlement="one_step")
    posted = documents(plan(PAID, policy))
    assert references(plan(cancelled(), policy, posted=posted)) == ["S1-XO10250"]


def test_an_order_taken_up_again_gets_the_next_generation() -> None:
    posted = documents(plan(PAID))
    reversed_ = documents(plan(cancelled(), posted=posted))
    found = documents(plan(PAID, posted=(*posted, reversed_[0])))
    assert [one.reference for one in found] == ["S1-XO10250", "S1-O10250-2", "S1-P90100001"]
    assert found[1].posting_date == date(2026, 3, 4)


def test_adjustments_are_reversed_with_the_entry() -> None:
    policy = a_policy(amendment="adjust")
    posted = documents(plan(PAID))
    edited = replace(StoreOrder(shipping=()).snapshot(), transactions=PAID.transactions)
    adjusted = documents(plan(edited, policy, posted=posted))
    found = documents(plan(cancelled(edited), policy, posted=adjusted))
    assert [one.reference for one in found] == ["S1-XD10250", "S1-XO10250", "S1-P90100001"]
    assert balances(found[:2], adjusted[:2]) == {}
