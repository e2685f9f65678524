"""What an ERP's payment names beside the account: the method, the gateway and its own number of the transaction."""

from dataclasses import replace

from ml_connector.domain.codec import document_from_json, document_to_json
from ml_connector.domain.documents import Kind, Tender
from tests.planning.store import StoreOrder, a_refund, an_item, captured, documents, plan


def test_payments_and_refunds_tell_how_the_money_moved() -> None:
    paid = captured(StoreOrder().snapshot(), gateway_transaction_id="ch_9QzX")
    [row] = paid.transactions
    paid = replace(paid, refunds=(a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1)),))
    made = {document.kind: document for document in documents(plan(paid))}
    assert made[Kind.PAYMENT].tender == Tender(row.method, row.gateway, "ch_9QzX")
    assert made[Kind.REFUND_PAYMENT].tender == Tender(gateway="braintree")
    assert made[Kind.ORDER].tender is None
    again = document_from_json(document_to_json(made[Kind.PAYMENT]))
    assert again == made[Kind.PAYMENT]


def test_how_the_money_moved_is_no_content_that_counts() -> None:
    paid = captured(StoreOrder().snapshot(), gateway_transaction_id="ch_9QzX")
    other = replace(paid, transactions=(replace(paid.transactions[0], gateway_transaction_id="ch_1"),))
    prints = [[document.fingerprint for document in documents(plan(each))] for each in (paid, other)]
    assert prints[0] == prints[1]
    posted = documents(plan(paid))
    assert all(document.already for document in documents(plan(other, posted=posted))), "nothing to amend"


def test_what_was_posted_before_is_read_as_ever() -> None:
    [_, payment] = documents(plan(captured(StoreOrder().snapshot())))[:2]
    old = {name: value for name, value in document_to_json(payment).items() if name != "tender"}
    assert document_from_json(old) == replace(payment, tender=None)
