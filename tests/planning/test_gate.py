"""When an order is planned at all, and when its entry is due: status, money, trigger, offline methods."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from ml_connector.domain.documents import Excluded, Kind
from ml_connector.domain.orders import B2BFacts, OrderSnapshot
from tests.planning.store import (
    CREATED,
    D,
    Item,
    StoreOrder,
    a_policy,
    a_transaction,
    captured,
    documents,
    due,
    held,
    of_role,
    plan,
    references,
)


def with_order(snapshot: OrderSnapshot, **changes: object) -> OrderSnapshot:
    return replace(snapshot, order=replace(snapshot.order, **changes))


def unpaid(**changes: object) -> OrderSnapshot:
    return with_order(StoreOrder().snapshot(), **changes)


PAID = captured(StoreOrder().snapshot())


@pytest.mark.parametrize(("status", "code"), [(0, "incomplete"), (6, "declined"), (5, "cancelled_before_posting")])
def test_statuses_of_no_sale_are_excluded(status: int, code: str) -> None:
    result = plan(unpaid(status_id=status))
    assert isinstance(result, Excluded)
    assert result.code == code


def test_a_declined_order_that_was_posted_is_reversed_not_forgotten() -> None:
    placed = unpaid(payment_status="authorized")
    posted = documents(plan(placed, a_policy(posting__trigger="placement")))
    result = plan(with_order(placed, status_id=6), a_policy(posting__trigger="placement"), posted=posted)
    assert references(result) == ["S1-XO10250"]


def test_what_a_person_left_out_is_excluded_with_the_reason() -> None:
    for order in (PAID, with_order(PAID, status_id=12)):
        result = plan(order, left_out="test order of the shop")
        assert isinstance(result, Excluded)
        assert (result.code, result.message) == ("by_person", "test order of the shop")


def test_held_statuses_wait() -> None:
    assert held(plan(with_order(PAID, status_id=12))).key == "12"
    assert documents(plan(with_order(PAID, status_id=12), a_policy(posting__held_statuses=[])))
    assert held(plan(PAID, a_policy(posting__held_statuses=[11]))).code == "status_held"


def test_orders_before_the_cut_over_are_excluded_unless_backfilled() -> None:
    policy = a_policy(posting__cut_over="2026-03-05")
    result = plan(PAID, policy)
    assert isinstance(result, Excluded)
    assert result.code == "before_cut_over"
    assert documents(plan(PAID, policy, backfilled=True))
    assert documents(plan(PAID, a_policy(posting__cut_over="2026-03-04")))
    # What is in the books already is not forgotten by a later cut-over.
    assert all(document.already for document in documents(plan(PAID, policy, posted=documents(plan(PAID)))))


def test_archived_orders_ask_unless_cancelled() -> None:
    assert held(plan(with_order(PAID, is_deleted=True))).code == "archived"
    assert isinstance(plan(unpaid(is_deleted=True, status_id=5)), Excluded)


def test_a_disputed_order_has_no_posting_of_its_own() -> None:
    posted = documents(plan(PAID))
    again = documents(plan(with_order(PAID, status_id=13), posted=posted))
    assert all(document.already for document in again)


def test_b2b_facts_must_be_read_first() -> None:
    assert held(plan(replace(PAID, b2b=B2BFacts(read=False)))).code == "b2b_unknown"


@pytest.mark.parametrize("event", ["authorization", "pending", "settled"])
def test_only_captured_money_counts(event: str) -> None:
    snapshot = captured(StoreOrder().snapshot(), event=event)
    assert held(plan(snapshot)).code == "awaiting_capture"


@pytest.mark.parametrize("changes", [{"status": "error"}, {"test": True}])
def test_failed_and_test_transactions_never_count(changes: dict[str, object]) -> None:
    snapshot = captured(StoreOrder().snapshot(), **changes)
    assert held(plan(snapshot)).code == "awaiting_capture"


@pytest.mark.parametrize("amount", ["0", "0.004"])
def test_a_row_of_nothing_is_no_payment(amount: str) -> None:
    order = StoreOrder().snapshot()
    checked = replace(order, transactions=(a_transaction(amount, 1), a_transaction(due(order), 2)))
    assert references(plan(checked)) == ["S1-O10250", "S1-P90100002"]


def test_a_capture_in_another_currency_is_held() -> None:
    snapshot = StoreOrder().snapshot(transactions=(a_transaction("69.05", currency="EUR"),))
    assert held(plan(snapshot)).code == "currency_mismatch"


def test_placement_posts_without_money() -> None:
    result = plan(unpaid(payment_status="authorized"), a_policy(posting__trigger="placement"))
    assert references(result) == ["S1-O10250"]


def test_part_of_the_money_posts_the_whole_order_or_waits() -> None:
    snapshot = StoreOrder().snapshot(transactions=(a_transaction("10.00"),))
    found = documents(plan(snapshot))
    assert of_role(found, "receivable") == due(snapshot) - 10
    waiting = held(plan(snapshot, a_policy(posting__partial_capture="wait_full")))
    assert waiting.code == "awaiting_capture"
    assert waiting.facts is not None
    assert waiting.facts["captured"] == "10.00"


def test_more_money_than_due_is_posted_in_full() -> None:
    snapshot = StoreOrder().snapshot()
    rows = (a_transaction(due(snapshot)), a_transaction("5.00", 2))
    found = documents(plan(replace(snapshot, transactions=rows)))
    assert of_role(found, "receivable") == Decimal("-5.00")
    direct = documents(plan(replace(snapshot, transactions=rows), a_policy(posting__settlement="one_step")))
    assert of_role(direct, "receivable") == Decimal("-5.00")
    assert of_role(direct, "clearing") == due(snapshot) + 5


def test_one_step_needs_all_of_the_money() -> None:
    snapshot = StoreOrder().snapshot(transactions=(a_transaction("10.00"),))
    for trigger in ("capture", "placement"):
        policy = a_policy(posting__settlement="one_step", posting__trigger=trigger)
        assert held(plan(snapshot, policy)).code == "awaiting_capture"


def test_nothing_due_posts_the_order_alone() -> None:
    snapshot = StoreOrder().snapshot()
    paid = with_order(snapshot, store_credit_amount=snapshot.order.total.inc_tax, payment_status="")
    found = documents(plan(paid))
    assert [document.reference for document in found] == ["S1-O10250"]
    assert of_role(found, "store_credit_liability") == snapshot.order.total.inc_tax
    assert of_role(found, "receivable") == 0


def test_tender_rows_are_no_captures() -> None:
    snapshot = StoreOrder(store_credit=D("10.00")).snapshot()
    rows = (a_transaction("10.00", 1, method="store_credit", gateway=""), a_transaction(due(snapshot), 2))
    found = documents(plan(replace(snapshot, transactions=rows)))
    assert [document.reference for document in found] == ["S1-O10250", "S1-P90100002"]


class TestZeroTotal:
    FREE = StoreOrder(items=(Item(discounts=(("total-coupon", "FREE", D("60.00")),)),), shipping=()).snapshot()

    def test_is_posted_as_revenue_against_discount(self) -> None:
        found = documents(plan(self.FREE))
        assert of_role(found, "revenue") == D("-60.00")
        assert of_role(found, "discount_coupon") == D("60.00")

    def test_is_left_out_where_policy_says_so(self) -> None:
        result = plan(self.FREE, a_policy(posting__zero_total="exclude"))
        assert isinstance(result, Excluded)
        assert result.code == "zero_total"

    def test_leaves_nothing_under_net_presentation(self) -> None:
        result = plan(self.FREE, a_policy(discounts__presentation="net"))
        assert isinstance(result, Excluded)
        assert result.code == "zero_total"


class TestOfflineMethods:
    def order(self, **changes: object) -> OrderSnapshot:
        return unpaid(payment_method="Bank Deposit", payment_status="", **changes)

    def test_an_unknown_method_is_unmapped(self) -> None:
        for trigger in ("capture", "placement", "shipment"):
            result = held(plan(self.order(), a_policy(posting__trigger=trigger)))
            assert (result.code, result.key) == ("unmapped", "offline_method|Bank Deposit")

    def test_a_card_order_whose_rows_are_late_only_waits(self) -> None:
        assert held(plan(unpaid(payment_status="captured"))).code == "awaiting_capture"

    def test_wait_waits_for_a_row(self) -> None:
        policy = a_policy(offline_methods={"Bank Deposit": "wait"})
        assert held(plan(self.order(), policy)).code == "awaiting_capture"

    def test_paid_by_status_waits_for_a_paid_status(self) -> None:
        policy = a_policy(offline_methods={"Bank Deposit": "paid_by_status"})
        assert held(plan(self.order(status_id=7), policy)).code == "awaiting_capture"
        assert references(plan(self.order(status_id=11), policy)) == ["S1-O10250", "S1-S10250"]

    def test_the_day_of_a_payment_by_status_is_frozen(self) -> None:
        policy = a_policy(offline_methods={"Bank Deposit": "paid_by_status"})
        first = documents(plan(self.order(), policy))
        later = self.order(status_id=4, modified=CREATED + timedelta(days=20))
        again = documents(plan(later, policy, posted=first))
        assert [document.posting_date for document in again] == [document.posting_date for document in first]
        assert all(document.already for document in again)

    def test_a_real_row_replaces_the_payment_by_status(self) -> None:
        policy = a_policy(offline_methods={"Bank Deposit": "paid_by_status"})
        first = documents(plan(self.order(), policy))
        snapshot = self.order()
        snapshot = replace(snapshot, transactions=(a_transaction(due(snapshot)),))
        again = documents(plan(snapshot, policy, posted=first))
        assert [document.reference for document in again] == ["S1-O10250", "S1-XS10250", "S1-P90100001"]
        assert of_role([*again, first[1]], "receivable") == 0

    def test_on_account_posts_the_order_and_leaves_the_receivable(self) -> None:
        policy = a_policy(offline_methods={"Bank Deposit": "on_account"})
        assert references(plan(self.order(), policy)) == ["S1-O10250"]
        direct = a_policy(offline_methods={"Bank Deposit": "on_account"}, posting__settlement="one_step")
        found = documents(plan(self.order(), direct))
        assert of_role(found, "receivable") == due(self.order())

    def test_one_step_takes_a_paid_status_to_clearing(self) -> None:
        policy = a_policy(offline_methods={"Bank Deposit": "paid_by_status"}, posting__settlement="one_step")
        found = documents(plan(self.order(), policy))
        assert [document.kind for document in found] == [Kind.ORDER]
        assert of_role(found, "clearing") == due(self.order())


class TestDeposits:
    POLICY = a_policy(posting__trigger="shipment")

    def test_money_before_shipment_is_a_deposit(self) -> None:
        found = documents(plan(PAID, self.POLICY))
        assert [document.kind for document in found] == [Kind.PAYMENT]
        assert of_role(found, "customer_deposit") == -due(PAID)

    def test_nothing_to_do_yet_is_a_hold(self) -> None:
        assert held(plan(unpaid(payment_status="authorized"), self.POLICY)).code == "awaiting_capture"

    def test_shipment_posts_revenue_on_its_day_and_uses_the_deposit(self) -> None:
        posted = documents(plan(PAID, self.POLICY))
        shipped = with_order(PAID, status_id=2, shipped=CREATED + timedelta(days=30))
        found = documents(plan(shipped, self.POLICY, posted=posted))
        assert [document.reference for document in found] == ["S1-P90100001", "S1-O10250", "S1-A90100001"]
        assert found[0].already
        assert {document.posting_date for document in found[1:]} == {date(2026, 4, 3)}
        assert found[1].document_date == date(2026, 3, 4)
        assert of_role(found, "customer_deposit") == 0
        assert of_role(found, "receivable") == 0

    def test_money_after_shipment_goes_the_same_way(self) -> None:
        shipped = with_order(StoreOrder().snapshot(), status_id=2, shipped=CREATED + timedelta(days=1))
        posted = documents(plan(shipped, self.POLICY))
        late = replace(shipped, transactions=(a_transaction(due(shipped), created=CREATED + timedelta(days=9)),))
        found = documents(plan(late, self.POLICY, posted=posted))
        assert [document.kind for document in found] == [Kind.PAYMENT, Kind.ORDER, Kind.DEPOSIT_APPLICATION]
        assert found[2].document_date == date(2026, 3, 13)
        assert of_role(found, "customer_deposit", "receivable") == 0

    def test_completion_waits_for_its_status(self) -> None:
        policy = a_policy(posting__trigger="completion")
        shipped = with_order(PAID, status_id=2, shipped=CREATED)
        assert [document.kind for document in documents(plan(shipped, policy))] == [Kind.PAYMENT]
        done = documents(plan(with_order(PAID, status_id=10), policy))
        assert [document.kind for document in done] == [Kind.PAYMENT, Kind.ORDER, Kind.DEPOSIT_APPLICATION]
        assert done[1].posting_date == date(2026, 3, 6)

    def test_a_posted_entry_stays_when_the_status_moves_on(self) -> None:
        done = documents(plan(with_order(PAID, status_id=10), a_policy(posting__trigger="completion")))
        refunded = with_order(PAID, status_id=14)
        again = documents(plan(refunded, a_policy(posting__trigger="completion"), posted=done))
        assert all(document.already for document in again)

    def test_a_payment_by_status_is_a_deposit_too(self) -> None:
        policy = a_policy(posting__trigger="shipment", offline_methods={"Bank Deposit": "paid_by_status"})
        order = unpaid(payment_method="Bank Deposit", payment_status="")
        posted = documents(plan(order, policy))
        assert [document.reference for document in posted] == ["S1-S10250"]
        shipped = with_order(order, status_id=2, shipped=CREATED + timedelta(days=3))
        found = documents(plan(shipped, policy, posted=posted))
        assert [document.reference for document in found] == ["S1-S10250", "S1-O10250", "S1-A10250"]
        assert of_role(found, "customer_deposit", "receivable") == 0
