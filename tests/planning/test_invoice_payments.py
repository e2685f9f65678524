"""Orders by which a company pays ERP invoices in the portal: payments, never a second sale."""

from dataclasses import replace

from ml_connector.domain.documents import Kind
from ml_connector.domain.orders import B2BFacts, InvoiceShare, OrderSnapshot
from tests.planning.store import (
    D,
    Item,
    StoreOrder,
    a_refund,
    a_transaction,
    an_item,
    captured,
    documents,
    held,
    of_role,
    plan,
    references,
)

ORDER = StoreOrder(items=(Item(price=D("904.00"), quantity=1, rate="none"),), shipping=()).snapshot()
ONE = B2BFacts(company_id="4401", is_invoice_order=True, invoice_number="INV-4711")


def paying(facts: B2BFacts = ONE, **changes: object) -> OrderSnapshot:
    return replace(captured(ORDER), b2b=facts, **changes)


def test_one_payment_per_capture_against_the_companys_invoice() -> None:
    found = documents(plan(paying()))
    assert [one.kind for one in found] == [Kind.PAYMENT]
    assert (found[0].customer, found[0].applies_to) == ("200440", "INV-4711")
    assert [line.assignment for line in found[0].lines if line.role == "receivable"] == ["INV-4711"]
    assert documents(plan(paying(), posted=found))[0].already


def test_the_lines_and_tax_of_the_order_need_no_mapping() -> None:
    taxed = paying(taxes=StoreOrder().snapshot().taxes)
    assert references(plan(taxed)) == ["S1-P90100001"]


def test_without_money_it_waits() -> None:
    assert held(plan(paying(transactions=()))).code == "awaiting_capture"


def test_part_of_it_may_come_later() -> None:
    rows = (a_transaction("400.00"), a_transaction("504.00", 2))
    found = documents(plan(paying(transactions=rows[:1])))
    assert of_role(found, "clearing") == D("400.00")
    assert len(documents(plan(paying(transactions=rows), posted=found))) == 2


def test_more_than_it_asks_for_is_a_question() -> None:
    rows = (a_transaction("904.00"), a_transaction("1.00", 2))
    assert held(plan(paying(transactions=rows))).code == "totals_mismatch"


def test_an_invoice_without_number_is_not_guessed() -> None:
    assert held(plan(paying(B2BFacts(is_invoice_order=True)))).code == "b2b_unknown"


def test_several_invoices_are_split_by_the_amounts_that_are_named() -> None:
    shares = (InvoiceShare("INV-1", D("604.00")), InvoiceShare("INV-2", D("300.00")))
    found = documents(plan(paying(replace(ONE, invoices=shares))))
    receivables = {line.assignment: line.amount for line in found[0].lines if line.role == "receivable"}
    assert receivables == {"INV-1": D("604.00"), "INV-2": D("300.00")}
    odd = (InvoiceShare("INV-1", D("604.00")), InvoiceShare("INV-2", D("299.00")))
    assert held(plan(paying(replace(ONE, invoices=odd)))).code == "totals_mismatch"


def test_money_given_back_reopens_the_receivable() -> None:
    refund = a_refund("904.00", "0", an_item("PRODUCT", 501, 1))
    found = documents(plan(paying(refunds=(refund,))))
    assert [one.kind for one in found] == [Kind.PAYMENT, Kind.REFUND_PAYMENT]
    assert of_role(found, "receivable") == 0
