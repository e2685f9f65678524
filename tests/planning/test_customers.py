"""Debtors: own, shared, one-time, by e-mail, companies; and the customer documents that create them."""

from dataclasses import replace
from datetime import UTC, datetime

from ml_connector.domain.customers import Customer
from ml_connector.domain.documents import Documents, Kind, PostedDocument
from ml_connector.domain.orders import Address, B2BFacts
from ml_connector.planning import Facts, plan_customer
from tests.planning.store import (
    StoreOrder,
    a_mapping,
    a_policy,
    a_refund,
    a_transaction,
    an_item,
    captured,
    documents,
    due,
    held,
    plan,
    references,
)

GUEST = captured(StoreOrder(customer=0).snapshot())
NEW = captured(StoreOrder(customer=4711).snapshot())
KNOWN = captured(StoreOrder().snapshot())
BY_EMAIL = a_policy(customers__guest="by_email")


def test_a_mapped_customer_has_its_account() -> None:
    assert {one.customer for one in documents(plan(KNOWN))} == {"100177"}


def test_a_new_customer_is_created_first() -> None:
    found = documents(plan(NEW))
    assert [one.reference for one in found] == ["S1-C4711", "S1-O10250", "S1-P90100001"]
    assert found[0].kind is Kind.CUSTOMER
    assert found[0].party is not None
    assert found[0].party.address.first_name == "Ana"
    assert {one.customer for one in found[1:]} == {"S1-C4711"}


def test_its_account_is_used_once_it_is_known() -> None:
    found = documents(plan(NEW, customer_accounts={"4711": "C-9001"}))
    assert [one.reference for one in found] == ["S1-O10250", "S1-P90100001"]
    assert {one.customer for one in found} == {"C-9001"}


def test_a_posted_order_is_no_edit_when_the_account_becomes_known() -> None:
    posted = documents(plan(NEW))[1:]
    bare = tuple(replace(one, source_digest="") for one in posted)
    for books in (posted, bare):
        again = documents(plan(NEW, posted=books, customer_accounts={"4711": "C-9001"}))
        assert all(one.already for one in again)


def test_a_posted_customer_is_not_created_again() -> None:
    customer = documents(plan(NEW))[0]
    found = documents(plan(NEW, posted=(customer,)))
    assert (found[0].reference, found[0].already) == ("S1-C4711", True)


def test_one_account_for_all() -> None:
    policy = a_policy(customers__registered="collective")
    assert {one.customer for one in documents(plan(KNOWN, policy))} == {"188888"}
    assert held(plan(KNOWN, policy, a_mapping(customers={}))).key == "customer|collective"


def test_a_guest_is_one_time_with_the_name_on_the_document() -> None:
    found = documents(plan(GUEST))
    assert {one.customer for one in found} == {"199999"}
    assert found[0].party is not None
    assert found[0].party.one_time
    assert held(plan(GUEST, mapping=a_mapping(customers={}))).key == "customer|one_time"


def test_a_guest_by_e_mail_has_an_own_account_without_the_e_mail_in_its_name() -> None:
    found = documents(plan(GUEST, BY_EMAIL))
    assert found[0].kind is Kind.CUSTOMER
    assert found[0].reference.startswith("S1-CG")
    assert "ana" not in found[0].reference.lower()
    assert found[0].party is not None
    known = documents(plan(GUEST, BY_EMAIL, customer_accounts={found[0].party.key: "C-9002"}))
    assert {one.customer for one in known} == {"C-9002"}


def test_a_guest_without_e_mail_is_one_time() -> None:
    nameless = replace(GUEST, order=replace(GUEST.order, billing=Address()))
    assert {one.customer for one in documents(plan(nameless, BY_EMAIL))} == {"199999"}


def test_a_guest_who_registered_since_keeps_the_account_of_the_order() -> None:
    registered = replace(
        GUEST,
        order=replace(GUEST.order, customer_id=77),
        refunds=(a_refund("8.66", "0.66", an_item("SHIPPING", 61, amount="8.66")),),
    )
    for policy, facts in ((a_policy(), {}), (BY_EMAIL, {}), (BY_EMAIL, {"customer_accounts": {"X": "C-1"}})):
        posted = [one for one in documents(plan(GUEST, policy, **facts)) if one.kind is not Kind.CUSTOMER]
        found = documents(plan(registered, policy, posted=tuple(posted), **facts))
        assert [one.reference for one in found] == ["S1-O10250", "S1-P90100001", "S1-R31", "S1-M77"]
        assert {one.customer for one in found} == {posted[0].customer}


def test_a_payment_uses_the_account_of_the_posted_order() -> None:
    half = replace(StoreOrder().snapshot(), transactions=(a_transaction("10.00"),))
    posted = documents(plan(half))
    rest = replace(half, transactions=(*half.transactions, a_transaction(due(half) - 10, 2)))
    moved = a_mapping(customers={"individual": {"77": "100999"}})
    assert {one.customer for one in documents(plan(rest, mapping=moved, posted=posted))} == {"100177"}


def test_another_customer_is_an_edit() -> None:
    other = replace(KNOWN, order=replace(KNOWN.order, customer_id=78))
    mapping = a_mapping(customers={"individual": {"77": "100177", "78": "100178"}})
    found = documents(plan(other, mapping=mapping, posted=documents(plan(KNOWN))))
    assert [(one.reference, one.customer) for one in found] == [
        ("S1-XO10250", "100177"),
        ("S1-O10250-2", "100178"),
        ("S1-P90100001", "100177"),
    ]


class TestB2B:
    COMPANY = B2BFacts(company_id="4401", po_number="PO-7")

    def test_a_company_that_is_mapped_is_the_debtor(self) -> None:
        found = documents(plan(replace(KNOWN, b2b=self.COMPANY)))
        assert {one.customer for one in found} == {"200440"}
        assert found[0].customer_reference == "PO-7"

    def test_another_one_is_its_buyer(self) -> None:
        found = documents(plan(replace(KNOWN, b2b=B2BFacts(company_id="999"))))
        assert {one.customer for one in found} == {"100177"}


def a_customer(**changes: object) -> Customer:
    now = datetime(2026, 3, 1, 23, tzinfo=UTC)
    customer = Customer(77, "ana@example.net", "Ana", "Prill", "Hydro", "", 0, now, now)
    return replace(customer, **changes)


def test_the_customers_flow_creates_who_has_no_account() -> None:
    mapping, policy = a_mapping(customers={}), a_policy()
    result = plan_customer(a_customer(), mapping, policy, Facts())
    assert references(result) == ["S1-C77"]
    assert (
        documents(result)[0].fingerprint
        == documents(plan_customer(a_customer(), mapping, policy, Facts()))[0].fingerprint
    )
    posted = Facts(posted=(PostedDocument(documents(result)[0]),))
    assert documents(plan_customer(a_customer(first_name="Anna"), mapping, policy, posted))[0].already
    assert plan_customer(a_customer(), a_mapping(), policy, Facts()) == Documents(())
    known = Facts(customer_accounts={"77": "C-1"})
    assert plan_customer(a_customer(), mapping, policy, known) == Documents(())
    assert plan_customer(a_customer(), mapping, a_policy(customers__registered="collective"), Facts()) == Documents(())
