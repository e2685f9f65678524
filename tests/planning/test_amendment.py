"""Orders that change after posting: what stands, what is reversed, adjusted or asked about."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from ml_connector.domain.documents import Document, Kind, PostedDocument
from ml_connector.domain.orders import B2BFacts, OrderSnapshot
from ml_connector.domain.policy import OpenPeriods
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
    held,
    plan,
    references,
)

BEFORE = captured(StoreOrder().snapshot())
AFTER = replace(StoreOrder(items=(Item(quantity=2),)).snapshot(), transactions=BEFORE.transactions)
POSTED = documents(plan(BEFORE))
MAY = OpenPeriods(date(2026, 5, 1), date(2026, 5, 31))


def books(*rounds: tuple[Document, ...]) -> tuple[Document, ...]:
    """Everything that was ever posted, as the ledger keeps it."""
    return tuple({document.reference: document for posted in rounds for document in posted}.values())


def test_an_edit_reverses_and_reposts_under_the_next_generation() -> None:
    found = documents(plan(AFTER, posted=POSTED))
    assert [document.reference for document in found] == ["S1-XO10250", "S1-O10250-2", "S1-P90100001"]
    reversal, order, payment = found
    assert reversal.reverses == "S1-O10250"
    assert balances([reversal], [POSTED[0]]) == {}
    assert (order.generation, order.base_reference) == (2, "S1-O10250")
    assert {reversal.posting_date, order.posting_date} == {POSTED[0].posting_date}
    assert payment.already


def test_a_new_payment_applies_to_the_generation_that_stands() -> None:
    more = replace(AFTER, transactions=(*AFTER.transactions, a_transaction("1.00", 2)))
    assert documents(plan(more, posted=POSTED))[-1].applies_to == "S1-O10250-2"


def test_forth_and_back_never_uses_a_generation_twice() -> None:
    second = documents(plan(AFTER, posted=POSTED))
    third = plan(BEFORE, posted=books(POSTED, second))
    assert references(third) == ["S1-XO10250", "S1-XO10250-2", "S1-O10250-3", "S1-P90100001"]
    again = documents(plan(BEFORE, posted=books(POSTED, second, documents(third))))
    assert all(document.already for document in again)
    assert [document.reference for document in again] == references(third)


def test_reversed_documents_may_be_left_out_of_what_is_posted() -> None:
    second = documents(plan(AFTER, posted=POSTED))
    again = documents(plan(AFTER, posted=second))
    assert all(document.already for document in again)


def test_the_second_half_follows_a_first_half_that_is_in_the_books() -> None:
    periods = {"periods": MAY}
    policy = a_policy(closed_period="first_open_day")
    second = documents(plan(AFTER, policy, posted=POSTED, **periods))
    half = (*POSTED[1:], second[0])
    found = documents(plan(AFTER, policy, posted=half, **periods))
    assert [document.reference for document in found] == [document.reference for document in second]
    assert [document.posting_date for document in found] == [document.posting_date for document in second]


def test_and_stays_on_its_day_when_the_period_is_opened_again() -> None:
    policy = a_policy(closed_period="first_open_day")
    second = documents(plan(AFTER, policy, posted=POSTED, periods=MAY))
    found = documents(plan(AFTER, policy, posted=(*POSTED[1:], second[0])))
    assert [document.posting_date for document in found[:2]] == [date(2026, 5, 1)] * 2


def test_a_document_that_a_person_declared_gone_is_posted_again_under_the_next_generation() -> None:
    gone = replace(POSTED[0], kind=Kind.REVERSAL, reverses=POSTED[0].reference, reference=f"{POSTED[0].reference}-VOID")
    assert references(plan(BEFORE, posted=(*POSTED, gone))) == ["S1-O10250-2", "S1-P90100001"]


def test_a_tenth_generation_is_a_hold() -> None:
    posted = replace(POSTED[0], reference="S1-O10250-9", generation=9)
    assert held(plan(AFTER, posted=(posted, POSTED[1]))).code == "reference_overflow"


class TestClosedPeriods:
    def test_both_halves_go_to_the_first_open_day(self) -> None:
        found = documents(plan(AFTER, a_policy(closed_period="first_open_day"), posted=POSTED, periods=MAY))
        assert [document.posting_date for document in found[:2]] == [date(2026, 5, 1)] * 2
        assert [document.document_date for document in found[:2]] == [date(2026, 3, 4)] * 2
        assert found[2].posting_date == date(2026, 3, 4)

    def test_or_a_person_decides(self) -> None:
        result = held(plan(AFTER, posted=POSTED, periods=MAY))
        assert result.code == "closed_period"
        assert result.facts is not None
        assert result.facts["open_from"] == "2026-05-01"

    def test_what_is_posted_needs_no_open_period(self) -> None:
        assert all(document.already for document in documents(plan(BEFORE, posted=POSTED, periods=MAY)))

    def test_a_day_after_the_open_period_is_never_moved_back(self) -> None:
        early = OpenPeriods(date(2026, 1, 1), date(2026, 1, 31))
        result = plan(BEFORE, a_policy(closed_period="first_open_day"), periods=early)
        assert held(result).code == "closed_period"


class TestMappingChanges:
    CHANGED = a_mapping(revenue_rules=[{"match": {"channel": 1}, "account": "499999"}])

    def test_alone_never_touch_what_is_posted(self) -> None:
        found = documents(plan(BEFORE, mapping=self.CHANGED, posted=POSTED))
        assert found[0].lines == POSTED[0].lines
        assert all(document.already for document in found)

    def test_and_a_mapping_that_lost_its_entries_does_not_hold_what_is_posted(self) -> None:
        empty = a_mapping(accounts={}, taxes=[], payment_methods=[])
        assert all(document.already for document in documents(plan(BEFORE, mapping=empty, posted=POSTED)))

    def test_neither_does_a_company_that_is_mapped_later_nor_another_policy(self) -> None:
        order = replace(BEFORE, b2b=B2BFacts(company_id="4401"))
        without = a_mapping(customers={"individual": {"77": "100177"}})
        posted = documents(plan(order, mapping=without))
        assert all(document.already for document in documents(plan(order, posted=posted)))
        guest = captured(StoreOrder(customer=0).snapshot())
        policy = a_policy(customers__guest="by_email", discounts__presentation="net", posting__lines="per_line")
        assert all(document.already for document in documents(plan(guest, policy, posted=documents(plan(guest)))))

    def test_an_operator_reposts_deliberately(self) -> None:
        found = documents(plan(BEFORE, mapping=self.CHANGED, posted=POSTED, repost=frozenset({"S1-O10250"})))
        assert [document.reference for document in found] == ["S1-XO10250", "S1-O10250-2", "S1-P90100001"]
        again = documents(
            plan(BEFORE, mapping=self.CHANGED, posted=books(POSTED, found), repost=frozenset({"S1-O10250"}))
        )
        assert all(document.already for document in again)

    def test_an_operator_may_repost_whatever_the_policy_on_edits_is(self) -> None:
        result = plan(BEFORE, a_policy(amendment="hold"), self.CHANGED, posted=POSTED, repost=frozenset({"S1-O10250"}))
        assert references(result)[0] == "S1-XO10250"

    def test_an_edit_uses_the_current_mapping(self) -> None:
        found = documents(plan(AFTER, mapping=self.CHANGED, posted=POSTED))
        assert "499999" in {line.account for line in found[1].lines}
        assert "499999" not in {line.account for line in found[0].lines}


class TestHold:
    def test_policy_may_ask(self) -> None:
        result = held(plan(AFTER, a_policy(amendment="hold"), posted=POSTED))
        assert (result.code, result.key) == ("amended_after_posting", "S1-O10250")
        assert result.facts is not None
        assert (result.facts["posted_total"], result.facts["new_total"]) == ("73.61", "51.96")

    def test_documents_found_in_the_erp_are_never_amended_by_themselves(self) -> None:
        adopted = (PostedDocument(POSTED[0], adopted=True), PostedDocument(POSTED[1]))
        assert held(plan(AFTER, posted=adopted)).code == "amended_after_posting"
        assert all(document.already for document in documents(plan(BEFORE, posted=adopted)))

    def test_a_payment_that_the_store_no_longer_shows(self) -> None:
        gone = replace(BEFORE, transactions=())
        result = held(plan(gone, posted=POSTED))
        assert (result.code, result.key) == ("amended_after_posting", "S1-P90100001")


class TestAdjust:
    POLICY = a_policy(amendment="adjust")

    def test_the_difference_is_its_own_document(self) -> None:
        found = documents(plan(AFTER, self.POLICY, posted=POSTED))
        assert [document.reference for document in found] == ["S1-O10250", "S1-D10250", "S1-P90100001"]
        adjustment = found[1]
        assert adjustment.kind is Kind.ADJUSTMENT
        assert adjustment.adjusts == "S1-O10250"
        assert adjustment.posting_date == date(2026, 3, 6)
        assert adjustment.balance == 0
        assert balances(found) == balances(documents(plan(AFTER)))

    def test_the_next_edit_adjusts_the_sum_so_far(self) -> None:
        first = documents(plan(AFTER, self.POLICY, posted=POSTED))
        found = documents(plan(BEFORE, self.POLICY, posted=books(POSTED, first)))
        assert [document.reference for document in found][:3] == ["S1-O10250", "S1-D10250", "S1-D10250-2"]
        assert balances(found) == balances(documents(plan(BEFORE)))
        again = documents(plan(BEFORE, self.POLICY, posted=found))
        assert all(document.already for document in again)

    def test_a_change_of_customer_cannot_be_adjusted(self) -> None:
        other = replace(BEFORE, order=replace(BEFORE.order, customer_id=78))
        mapping = a_mapping(customers={"individual": {"77": "100177", "78": "100178"}})
        assert held(plan(other, self.POLICY, mapping, posted=POSTED)).code == "amended_after_posting"

    def test_a_later_reversal_takes_the_adjustments_with_it(self) -> None:
        first = documents(plan(AFTER, self.POLICY, posted=POSTED))
        third = replace(StoreOrder(items=(Item(quantity=1),)).snapshot(), transactions=BEFORE.transactions)
        found = documents(plan(third, posted=first))
        assert references(plan(third, posted=first))[:3] == ["S1-XD10250", "S1-XO10250", "S1-O10250-2"]
        assert balances(found, first[:2]) == balances(documents(plan(third)))

    def test_refunds_after_an_adjustment_give_back_the_order_as_it_is(self) -> None:
        first = documents(plan(AFTER, self.POLICY, posted=POSTED))
        refund = a_refund("43.30", "3.30", an_item("PRODUCT", 501, 2))
        found = documents(plan(replace(AFTER, refunds=(refund,)), self.POLICY, posted=first))
        assert [document.reference for document in found][-2:] == ["S1-R31", "S1-M77"]


def test_dates_texts_and_status_are_no_edit() -> None:
    order = replace(
        BEFORE.order, status_id=10, modified=CREATED + timedelta(days=40), shipped=CREATED, payment_status="paid"
    )
    line = replace(BEFORE.lines[0], name="Another name", quantity_refunded=1, categories=(5,))
    found = documents(plan(replace(BEFORE, order=order, lines=(line,)), posted=POSTED))
    assert all(document.already for document in found)


@pytest.mark.parametrize("settlement", ["one_step", "two_step"])
def test_old_orders_keep_the_settlement_they_were_posted_with(settlement: str) -> None:
    other = {"one_step": "two_step", "two_step": "one_step"}[settlement]
    posted = documents(plan(BEFORE, a_policy(posting__settlement=settlement)))
    found = documents(plan(BEFORE, a_policy(posting__settlement=other), posted=posted))
    assert all(document.already for document in found)
    edited = documents(plan(AFTER, a_policy(posting__settlement=other), posted=posted))
    roles = {line.role.value for document in edited for line in document.lines if document.kind is Kind.ORDER}
    assert ("clearing" in roles) == (settlement == "one_step")


def test_a_second_capture_amends_a_one_step_entry() -> None:
    policy = a_policy(posting__settlement="one_step")
    posted = documents(plan(BEFORE, policy))
    more = replace(BEFORE, transactions=(*BEFORE.transactions, a_transaction("5.00", 2)))
    assert references(plan(more, policy, posted=posted)) == ["S1-XO10250", "S1-O10250-2"]


def test_a_refund_whose_content_changed_is_amended_like_an_order() -> None:
    refund = a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1))
    before: OrderSnapshot = replace(BEFORE, refunds=(refund,))
    posted = documents(plan(before))
    changed = replace(refund, total_amount=D("21.66"), payments=(replace(refund.payments[0], amount=D("21.66")),))
    found = references(plan(replace(BEFORE, refunds=(changed,)), posted=posted))
    assert found == ["S1-O10250", "S1-P90100001", "S1-XR31", "S1-R31-2", "S1-XM77", "S1-M77-2"]
