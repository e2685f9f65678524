"""An order that needs a document which the ERP's connection cannot post is held before anything of it is sent."""

import pytest

from ml_connector.connectors.business_one import kinds
from ml_connector.domain.customers import Customer
from ml_connector.domain.documents import Held, HoldCode, Kind
from ml_connector.planning.customers import plan_customer
from ml_connector.planning.facts import Facts
from ml_connector.planning.families import asked_kinds
from tests.planning.store import StoreOrder, a_mapping, a_policy, captured, documents, plan
from tests.planning.test_customers import a_customer

ALL = frozenset(Kind)


def test_what_can_be_posted_is_planned_as_ever() -> None:
    snapshot = captured(StoreOrder().snapshot())
    assert plan(snapshot, kinds=ALL) == plan(snapshot)


def test_one_document_that_cannot_be_posted_holds_the_whole_order() -> None:
    snapshot = captured(StoreOrder().snapshot())
    kinds = [document.kind for document in documents(plan(snapshot))]
    assert kinds[-1] is Kind.PAYMENT
    held = plan(snapshot, kinds=ALL - {Kind.PAYMENT})
    assert isinstance(held, Held)
    assert held.code is HoldCode.UNSUPPORTED_DOCUMENT
    assert held.key == "payment"
    assert "payment" in held.message
    assert "by hand" in held.message


def test_a_customer_that_cannot_be_made_is_held_and_the_policy_named() -> None:
    customer: Customer = a_customer()
    held = plan_customer(
        customer,
        a_mapping(customers={"one_time": "199999", "individual": {}}),
        a_policy(),
        Facts(kinds=ALL - {Kind.CUSTOMER}),
    )
    assert isinstance(held, Held)
    assert "customers.registered" in held.message


@pytest.mark.parametrize(
    ("choice", "kind", "key"),
    [
        ({"cancel__after_posting": "reverse", "amendment": "hold"}, Kind.REVERSAL, "cancel.after_posting"),
        ({"cancel__after_posting": "hold", "amendment": "adjust"}, Kind.ADJUSTMENT, "amendment"),
        ({"posting__trigger": "shipment"}, Kind.DEPOSIT_APPLICATION, "posting.trigger"),
        ({"customers__registered": "individual"}, Kind.CUSTOMER, "customers.registered"),
    ],
)
def test_each_choice_asks_for_its_documents(choice: dict[str, object], kind: Kind, key: str) -> None:
    assert asked_kinds("journal", "s4hana", a_policy(**choice))[kind] == key


def test_a_sale_asks_for_what_the_policy_makes_of_it() -> None:
    asked = asked_kinds("sales", "business_one", a_policy(sales__document="order"))
    assert asked[Kind.SALES_ORDER] == "sales.document"
    assert asked[Kind.DEPOSIT] == "sales.document"
    assert Kind.PAYMENT not in asked


def test_money_before_delivery_is_matched_only_where_the_policy_asks_for_it() -> None:
    asked = asked_kinds("sales", "business_one", a_policy(posting__trigger="shipment"))
    assert asked[Kind.DEPOSIT_APPLICATION] == "sales.deposits"
    assert asked.keys() <= kinds({})
    left = asked_kinds("sales", "business_one", a_policy(posting__trigger="shipment", sales__deposits="leave"))
    assert Kind.DEPOSIT_APPLICATION not in left
