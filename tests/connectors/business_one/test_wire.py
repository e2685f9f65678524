"""Documents as Business One gets them, and as it shows them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ml_connector.connectors.base import Earlier, Lookup, Outgoing
from ml_connector.connectors.business_one import customers
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.stored import Reading, answers, differences, documents_of, drafts_of
from ml_connector.connectors.business_one.tables import INVOICES, RECEIPTS, marked, reversal_of, targets_of
from ml_connector.connectors.business_one.wire import Facts, FieldError, body_of
from ml_connector.domain.documents import Document, Itemised, LineType, Role
from tests.connectors.business_one.documents import (
    ADDRESS,
    BOOK,
    MUG,
    credit_memo,
    customer,
    delivery,
    deposit,
    invoice,
    line,
    payment,
    refund_payment,
    reversal,
    sales_order,
)

SETTINGS = B1Settings("erp", "https://b1.example", "SBO", "mlc", freight={Role.SHIPPING_INCOME: 1})
LOCAL = Facts("USD", False, {"113100": "_SYS00000000261"}, None)


def body(
    document: Document, settings: B1Settings = SETTINGS, facts: Facts = LOCAL, **earlier: Earlier
) -> dict[str, Any]:
    named = {reference.replace("_", "-"): each for reference, each in earlier.items()}
    return body_of(Outgoing(document, named), settings, facts)


# ------------------------------------------------------------------ sales documents


def test_an_invoice_has_one_price_a_line_no_discount_and_the_cent_as_rounding() -> None:
    sent = body(invoice())
    assert sent["DocumentLines"] == [
        {
            "ItemDescription": MUG, "ItemCode": MUG, "Quantity": "3", "UnitPrice": "10.9160", "DiscountPercent": "0",
            "VatGroup": "A19", "AccountCode": "410000",
        },
        {
            "ItemDescription": BOOK, "ItemCode": BOOK, "Quantity": "1", "UnitPrice": "18.5981", "DiscountPercent": "0",
            "VatGroup": "A7", "AccountCode": "410000",
        },
    ]  # fmt: skip
    assert sent["DocumentAdditionalExpenses"] == [
        {"ExpenseCode": 1, "LineTotal": "4.12", "DistributionMethod": "aedm_None", "VatGroup": "A19"}
    ]
    assert (sent["Rounding"], sent["RoundingDiffAmount"]) == ("tYES", "-0.01")
    assert (sent["U_MLC_REF"], sent["NumAtCard"], sent["DocDueDate"]) == (
        "BC-S1-10311-I", "BC-S1-10311-I", "2026-05-04",
    )  # fmt: skip
    assert sent["AddressExtension"]["ShipToCountry"] == "DE"


def test_a_discounted_line_gets_a_price_that_gives_its_amount() -> None:
    sold = Itemised(LineType.ITEM, MUG, Decimal(3), Decimal("19.99"), Decimal("19.99"))
    discounted = replace(line(Role.REVENUE, "-39.98", "A19"), itemised=sold)
    sent = body(invoice(lines=(discounted,)))
    price = Decimal(sent["DocumentLines"][0]["UnitPrice"])
    assert price == Decimal("13.326667")
    assert round(price * 3, 2) == Decimal("39.98")


def test_a_charge_beside_items_is_a_line_of_the_charge_item_on_its_account() -> None:
    settings = replace(SETTINGS, charge_item="WEB-CHARGE")
    coupon = line(Role.DISCOUNT_COUPON, "5.00", "A19")
    sent = body(invoice(lines=(*invoice().lines, coupon)), settings)
    assert sent["DocumentLines"][-1] == {
        "ItemDescription": "discount_coupon", "ItemCode": "WEB-CHARGE", "AccountCode": "440000", "Quantity": "-1",
        "UnitPrice": "5.00", "DiscountPercent": "0", "VatGroup": "A19",
    }  # fmt: skip
    assert sent["DocType"] == "dDocument_Items"


def test_a_document_without_items_is_a_service_document() -> None:
    sent = body(invoice(lines=(line(Role.DISCOUNT_COUPON, "-5.00", "A19"),)))
    assert sent["DocType"] == "dDocument_Service"
    assert sent["DocumentLines"][0]["AccountCode"] == "440000"
    assert sent["DocumentLines"][0]["LineTotal"] == "5.00"


def test_a_credit_memo_is_based_on_the_line_of_its_invoice_and_moves_no_stock() -> None:
    sent = body(credit_memo(), BC_S1_10311_I=Earlier("Invoices/4107", invoice()))
    (only,) = sent["DocumentLines"]
    assert (only["BaseType"], only["BaseEntry"], only["BaseLine"]) == (13, 4107, 0)
    assert only["WithoutInventoryMovement"] == "tYES"
    restocked = body(credit_memo(), replace(SETTINGS, restock=True), BC_S1_10311_I=Earlier("Invoices/4107", invoice()))
    assert "WithoutInventoryMovement" not in restocked["DocumentLines"][0]


@pytest.mark.parametrize(
    "earlier",
    [
        Earlier("Invoices/4107"),  # adopted: its content is not known
        Earlier("Invoices/4107", invoice(lines=invoice().lines[1:])),  # without that item
        Earlier("Orders/22", sales_order()),
    ],
)
def test_a_credit_memo_stands_alone_where_its_invoice_does_not_have_the_line(earlier: Earlier) -> None:
    assert "BaseType" not in body(credit_memo(), BC_S1_10311_I=earlier)["DocumentLines"][0]


def test_an_invoice_is_copied_from_its_order() -> None:
    document = invoice(applies_to="BC-S1-10311-O")
    sent = body(document, BC_S1_10311_O=Earlier("Orders/22", sales_order()))
    assert [(each["BaseType"], each["BaseEntry"], each["BaseLine"]) for each in sent["DocumentLines"]] == [
        (17, 22, 0),
        (17, 22, 1),
    ]


def test_orders_and_deliveries_are_written_alike() -> None:
    for document in (sales_order(), delivery()):
        assert body(document)["DocumentLines"] == body(invoice())["DocumentLines"]


# ------------------------------------------------------------------ money


def test_a_payment_is_applied_to_its_invoice() -> None:
    sent = body(payment(), BC_S1_10311_I=Earlier("Invoices/4107", invoice()))
    assert sent["PaymentInvoices"] == [
        {"LineNum": 0, "DocEntry": 4107, "InvoiceType": "it_Invoice", "SumApplied": "63.76"}
    ]
    assert (sent["TransferAccount"], sent["TransferSum"]) == ("_SYS00000000261", "63.76")
    assert (sent["TransferReference"], sent["CounterReference"]) == ("BC-S1-10311-P90100300", "10311")
    assert sent["DocType"] == "rCustomer"


def test_in_a_foreign_currency_the_applied_sum_is_in_it() -> None:
    sent = body(payment(), facts=replace(LOCAL, foreign=True), BC_S1_10311_I=Earlier("Invoices/4107", invoice()))
    assert sent["PaymentInvoices"][0] == {
        "LineNum": 0, "DocEntry": 4107, "InvoiceType": "it_Invoice", "AppliedFC": "63.76",
    }  # fmt: skip


def test_a_deposit_and_the_payment_of_an_order_are_on_account() -> None:
    assert "PaymentInvoices" not in body(deposit(), BC_S1_10311_O=Earlier("Orders/22", sales_order()))
    assert "PaymentInvoices" not in body(payment(), BC_S1_10311_I=Earlier("Orders/22", sales_order()))


def test_money_out_pays_the_credit_memo() -> None:
    sent = body(refund_payment(), BC_S1_10311_R32=Earlier("CreditNotes/12", credit_memo()))
    assert sent["TransferSum"] == "12.99"
    assert sent["PaymentInvoices"][0]["InvoiceType"] == "it_CredItnote"


def test_money_on_two_accounts_is_refused_in_words() -> None:
    split = payment()
    split = replace(split, lines=(*split.lines, line(Role.SHIPPING_INCOME, "1.00")))
    with pytest.raises(FieldError, match="one account"):
        body(split)


def test_texts_are_cut_to_their_fields() -> None:
    sent = body(invoice(text="x" * 300, customer_reference="y" * 200))
    assert (len(sent["Comments"]), len(sent["NumAtCard"])) == (254, 100)


# ------------------------------------------------------------------ as stored


def row(**changes: object) -> dict[str, Any]:
    """The invoice as a Service Layer shows it."""
    return {
        "DocEntry": 4107, "DocNum": 90, "CardCode": "WEB-GUEST",
        "DocDate": "2026-05-04T00:00:00Z", "TaxDate": "20260504",
        "DocCurrency": "USD", "DocTotal": Decimal("63.76"), "DocTotalFc": 0, "VatSum": Decimal("8.30"), "VatSumFc": 0,
        "RoundingDiffAmount": Decimal("-0.01"), "Cancelled": "tNO", "CancelStatus": "csNo",
        "U_MLC_REF": "BC-S1-10311-I", "Comments": "Web order 10311",
        "DocumentLines": [
            {"ItemCode": MUG, "Quantity": Decimal(3), "LineTotal": Decimal("32.75"), "VatGroup": "A19",
             "AccountCode": "410000", "NetTaxAmount": Decimal("6.22")},
            {"ItemCode": BOOK, "Quantity": Decimal(1), "LineTotal": Decimal("18.60"), "VatGroup": "A7",
             "AccountCode": "410000", "NetTaxAmount": Decimal("1.30")},
        ],
        "DocumentAdditionalExpenses": [
            {"ExpenseCode": 1, "LineTotal": Decimal("4.12"), "VatGroup": "A19", "TaxSum": Decimal("0.78")}
        ],
    } | changes  # fmt: skip


def stored(*rows: dict[str, Any]):
    return documents_of(INVOICES, rows, Reading(freight=lambda code: "411000"))


def unlike(sent: Document, *rows: dict[str, Any]) -> list[str]:
    return differences(sent, stored(*rows)[0], SETTINGS)


def test_an_invoice_is_read_as_the_entry_that_it_makes() -> None:
    (document,) = stored(row())
    assert (document.number, document.fields["number"]) == ("Invoices/4107", "90")
    assert document.posting_date == document.document_date == invoice().posting_date
    assert sum(each.amount for each in document.lines) == 0
    taxes = {each.tax_code: each.amount for each in document.lines if not each.account and not each.customer}
    assert taxes == {"A19": Decimal("-7.00"), "A7": Decimal("-1.30"), "": Decimal("0.01")}
    assert differences(invoice(), document, SETTINGS) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"DocTotal": Decimal("63.99")}, "total: sent 63.76, stored 63.99"),
        ({"VatSum": Decimal("8.29")}, "tax: sent 8.30, stored 8.29"),
        ({"CardCode": "C1"}, "customer: sent WEB-GUEST, stored C1"),
        ({"DocCurrency": "EUR"}, "currency: sent USD, stored EUR"),
        ({"DocumentAdditionalExpenses": []}, "freight 1: sent 4.12, stored 0"),
    ],
)
def test_what_is_not_as_sent_is_said(changes: dict[str, object], said: str) -> None:
    assert said in unlike(invoice(), row(**changes))


def test_another_quantity_or_item_is_said() -> None:
    lines = [*row()["DocumentLines"]]
    lines[0] = {**lines[0], "Quantity": Decimal(2)}
    assert unlike(invoice(), row(DocumentLines=lines)) == ["MUG-BLUE: sent a quantity of 3, stored 2"]
    lines[0] = {**lines[0], "Quantity": Decimal(3), "ItemCode": "MUG-RED"}
    assert len(unlike(invoice(), row(DocumentLines=lines))) == 4


def test_foreign_documents_are_compared_in_their_own_currency() -> None:
    lines = [
        {**each, "RowTotalFC": each["LineTotal"], "LineTotal": Decimal(1), "NetTaxAmountFC": each["NetTaxAmount"]}
        for each in row()["DocumentLines"]
    ]
    freight = [
        {**each, "LineTotalFC": each["LineTotal"], "LineTotal": 1} for each in row()["DocumentAdditionalExpenses"]
    ]
    foreign = row(
        DocTotal=Decimal(60), DocTotalFc=Decimal("63.76"), VatSum=Decimal(8), VatSumFc=Decimal("8.30"),
        DocumentLines=lines, DocumentAdditionalExpenses=freight, RoundingDiffAmountFC=Decimal("-0.01"),
    )  # fmt: skip
    assert unlike(invoice(), foreign) == []


def test_a_cancelled_invoice_and_its_counter_document_are_told_apart() -> None:
    """Both carry our reference: the cancellation copies it."""
    counter = [{**each, "BaseEntry": 4107, "BaseType": 13} for each in row()["DocumentLines"]]
    ours = marked("Web order 10311", reversal_of("BC-S1-10311-I"))
    both = stored(
        row(CancelStatus="csYes", Comments=ours),
        row(DocEntry=4108, CancelStatus="csCancellation", DocumentLines=counter, Comments=ours),
    )
    by_reference = {document.reference: document for document in both}
    assert by_reference.keys() == {"BC-S1-10311-I", "BC-S1-10311-XI"}
    assert by_reference["BC-S1-10311-I"].reversed_by == "Invoices/4108"
    assert by_reference["BC-S1-10311-XI"].reverses == "Invoices/4107"
    assert answers(Lookup(reversal(invoice())), "BC-S1-10311-XI")
    assert not answers(Lookup(invoice(), all_generations=True), "BC-S1-10311-XI")


def test_a_cancellation_by_hand_is_not_taken_for_ours() -> None:
    both = stored(row(CancelStatus="csYes"))
    assert both[1].reversed_by == "Invoices/4107/cancelled"
    assert not answers(Lookup(reversal(invoice())), both[0].reference)


def test_a_cancelled_payment_has_no_counter_document() -> None:
    paid = {
        "DocEntry": 77, "DocNum": 5, "CardCode": "WEB-GUEST", "DocDate": "2026-05-04", "TaxDate": "2026-05-04",
        "DocCurrency": "USD", "TransferAccount": "113100", "TransferSum": Decimal("63.76"), "Cancelled": "tYES",
        "U_MLC_REF": "BC-S1-10311-P90100300", "Remarks": marked("x" * 254, "BC-S1-10311-XP90100300"),
    }  # fmt: skip
    undone, document = documents_of(RECEIPTS, [paid], Reading())
    assert document.reversed_by == undone.number == "IncomingPayments/77/cancelled"
    assert undone.reference == reversal_of(document.reference)
    assert differences(payment(), document, SETTINGS) == []


def test_a_draft_waits_until_its_document_exists() -> None:
    draft = {
        "DocEntry": 3, "DocNum": 3, "DocObjectCode": "oInvoices", "AuthorizationStatus": "dasPending",
        "U_MLC_REF": "BC-S1-10311-I",
    }  # fmt: skip
    (found,) = drafts_of(INVOICES, [draft])
    assert (found.number, found.state) == ("Drafts/3", "awaiting_approval")
    assert "approval" in found.fields["advice"]
    approved = {**draft, "AuthorizationStatus": "dasGenerated"}
    assert drafts_of(INVOICES, [approved], {"BC-S1-10311-I"}) == []
    assert drafts_of(INVOICES, [draft], {"BC-S1-10311-I"}) != []
    assert len(drafts_of(INVOICES, [approved])) == 1  # its document is nowhere: a person must look
    assert drafts_of(INVOICES, [{**draft, "DocObjectCode": "oOrders"}]) == []


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("reference", "reversed"),
    [
        ("BC-S1-10311-I", "BC-S1-10311-XI"),
        ("BC-S1-10311-I-2", "BC-S1-10311-XI-2"),
        ("BC-S1-10311-P90100300", "BC-S1-10311-XP90100300"),
    ],
)
def test_the_reversal_of_a_reference(reference: str, reversed: str) -> None:
    assert reversal_of(reference) == reversed


@pytest.mark.parametrize("document", [invoice(), payment(), credit_memo(), refund_payment(), sales_order(), delivery()])
def test_a_reversal_is_looked_for_where_its_document_stands(document: Document) -> None:
    assert targets_of(reversal(document)) == targets_of(document)


def test_the_code_of_a_customer_follows_from_its_reference() -> None:
    assert customers.code_of("S1-C1042") == "S1-C1042"
    long = customers.code_of("S1-CABCDEFGHIJKLM")
    assert len(long) == 15
    assert long != customers.code_of("S1-CABCDEFGHIJKLN")
    sent = customers.new_partner(customer(), SETTINGS)
    assert (sent["CardCode"], sent["CardType"], sent["U_MLC_EXTID"]) == ("S1-C1042", "cCustomer", "S1-C1042")


def test_lines_that_go_elsewhere_say_so_in_their_free_text() -> None:
    sale = invoice()
    first, second, *others = sale.lines
    assert second.itemised is not None
    there = replace(second, itemised=replace(second.itemised, ship_to=replace(ADDRESS, street_1="S" * 90)))
    sent = body(replace(sale, lines=(first, there, *others)))
    texts = [line.get("FreeText", "") for line in sent["DocumentLines"]]
    assert texts[0] == ""
    assert texts[1].startswith("To: SSS")
    assert len(texts[1]) == 100
    assert sent["Comments"] == "Web order 10311; several addresses, see the lines"
    assert body(sale)["Comments"] == "Web order 10311"
