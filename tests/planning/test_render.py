"""The text table of a plan, and documents as JSON and back."""

from dataclasses import replace

from ml_connector.domain.codec import document_from_json, document_to_json
from ml_connector.planning.render import render_plan
from tests.planning.store import D, Item, StoreOrder, a_mapping, a_refund, an_item, captured, documents, plan

PAID = replace(
    captured(StoreOrder().snapshot()), refunds=(a_refund("8.66", "0.66", an_item("SHIPPING", 61, amount="8.66")),)
)


def test_a_plan_shows_every_line_and_why() -> None:
    result = plan(PAID)
    shown = render_plan(result, why=True)
    for document in documents(result):
        assert document.reference in shown
        for line in document.lines:
            assert line.account in shown
            assert str(line.amount) in shown
            assert line.why in shown
    assert documents(result)[0].lines[0].why not in render_plan(result)


def test_holds_and_exclusions_show_their_reason_and_figures() -> None:
    shown = render_plan(plan(captured(StoreOrder().snapshot(coupons=(), taxes=()))))
    assert "held: tax_mismatch" in shown
    assert "5.61" in shown
    assert "excluded: incomplete" in render_plan(plan(StoreOrder(status=0).snapshot()))


def test_documents_survive_the_ledger() -> None:
    found = documents(plan(PAID))
    stored = tuple(document_from_json(document_to_json(document)) for document in found)
    assert stored == found
    assert all(document.already for document in documents(plan(PAID, posted=stored)))


SALES = {"style": "sales", "family": "business_one", "reference_form": "long"}


def test_a_sales_document_shows_its_items_and_what_the_erp_will_add() -> None:
    order = captured(StoreOrder(items=(Item(discounts=(("c", "TEN", D(6)),)),)).snapshot())
    shown = render_plan(plan(order, mapping=a_mapping(items_match="sku", default_warehouse="01"), **SALES))
    assert "(3 SKU-0 at 20 less 6.00 from 01)" in shown
    assert "tax_payable (predicted)" in shown
    assert f"total {order.order.total.inc_tax}" in shown


def test_sales_documents_survive_the_ledger() -> None:
    mapping = a_mapping(items_match="sku")
    found = documents(plan(PAID, mapping=mapping, **SALES))
    stored = tuple(document_from_json(document_to_json(document)) for document in found)
    assert stored == found
    assert all(document.already for document in documents(plan(PAID, mapping=mapping, posted=stored, **SALES)))
