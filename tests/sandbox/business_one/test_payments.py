"""Payments, what they settle, and what a cancellation gives back."""

from __future__ import annotations

from typing import Any

from .client import ServiceLayer, based, document, error_code, error_text, line, transfer

CLOSED = "Invoice is already closed or blocked [Message 3524-20]"


def invoice(b1: ServiceLayer, **more: Any) -> int:
    """Over 21.65."""
    return b1.made("Invoices", document(**more))["DocEntry"]


def test_payment_closes_the_invoice_once(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    paid = b1.made("IncomingPayments", transfer(entry, "21.65", U_MLC_REF="s:1:pay:1", TransferReference="BC-1"))
    told = b1.get(f"Invoices({entry})?$select=PaidToDate,DocumentStatus")
    assert (told["PaidToDate"], told["DocumentStatus"]) == (21.65, "bost_Close")
    again = b1.post("IncomingPayments", transfer(entry, "21.65"))
    assert (again.status_code, error_code(again), error_text(again)) == (400, -10, CLOSED)
    assert [each["U_MLC_REF"] for each in b1.state("IncomingPayments")] == ["s:1:pay:1"]
    assert "UpdateDate" not in b1.get(f"IncomingPayments({paid['DocEntry']})")
    assert paid["PaymentInvoices"][0]["SumApplied"] == 21.65


def test_partial_payments_have_no_guard_but_the_balance(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    b1.made("IncomingPayments", transfer(entry, "10"))
    b1.made("IncomingPayments", transfer(entry, "10"))
    assert b1.get(f"Invoices({entry})")["DocumentStatus"] == "bost_Open"
    answer = b1.post("IncomingPayments", transfer(entry, "10"))
    assert (answer.status_code, error_code(answer)) == (400, -10)
    b1.made("IncomingPayments", transfer(entry, "1.65"))
    assert b1.get(f"Invoices({entry})")["DocumentStatus"] == "bost_Close"


def test_means_must_cover_what_is_applied_and_the_rest_is_on_account(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    less = transfer(entry, "21.65", TransferSum="20")
    assert error_code(b1.post("IncomingPayments", less)) == -10
    b1.made("IncomingPayments", transfer(entry, "21.65", TransferSum="25"))
    b1.made("IncomingPayments", transfer(None, "5"))
    assert b1.get("BusinessPartners('WEB-GUEST')")["CurrentAccountBalance"] == -8.35


def test_card_and_cash(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    card = {
        "CreditCard": 2,
        "PaymentMethodCode": 1,
        "CreditCardNumber": "1111",
        "CardValidUntil": "2028-12-31",
        "VoucherNum": "ch_9Qa",
        "CreditSum": "11.65",
    }
    body = transfer(entry, "21.65", PaymentCreditCards=[card], CashAccount="_SYS00000000161", CashSum="10")
    for name in ("TransferAccount", "TransferSum"):
        del body[name]
    made = b1.made("IncomingPayments", body)
    assert made["PaymentCreditCards"][0]["CreditAcct"] == "_SYS00000000261"
    unknown = transfer(None, "1", PaymentCreditCards=[{**card, "CreditCard": 9}])
    assert error_code(b1.post("IncomingPayments", unknown)) == -2028


def test_refusals_of_payments(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    wrong = (
        (transfer(entry, "21.65", TransferAccount="_SYS99"), -2028),
        (transfer(entry, "21.65", TransferAccount="_SYS00000000001"), -10),
        (transfer(99, "21.65"), -2028),
        (transfer(entry, "21.65", CardCode="C10001"), -5002),
        (transfer(entry, "21.65", TransferReference="x" * 28), -1004),
        (transfer(entry, "21.65", CounterReference="x" * 9), -1004),
        (transfer(entry, "21.65", CreditCards=[]), -1000),
    )
    for body, code in wrong:
        answer = b1.post("IncomingPayments", body)
        assert (answer.status_code, error_code(answer)) == (400, code), answer.text
    assert b1.state("IncomingPayments") == []


def test_foreign_currency_is_applied_in_that_currency(b1: ServiceLayer) -> None:
    entry = invoice(b1, DocCurrency="EUR")
    applied = [{"DocEntry": entry, "InvoiceType": "it_Invoice", "AppliedFC": "21.65"}]
    b1.made("IncomingPayments", transfer(entry, "21.65", DocCurrency="EUR", PaymentInvoices=applied))
    told = b1.get(f"Invoices({entry})")
    assert (told["PaidToDateFC"], told["PaidToDate"], told["DocTotal"]) == (21.65, 23.53, 23.53)
    assert told["DocumentStatus"] == "bost_Close"


def test_cancelled_payment_opens_the_invoice_again(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    paid = b1.made("IncomingPayments", transfer(entry, "21.65"))
    assert b1.post(f"IncomingPayments({paid['DocEntry']})/Cancel").status_code == 204
    assert b1.get(f"IncomingPayments({paid['DocEntry']})")["Cancelled"] == "tYES"
    told = b1.get(f"Invoices({entry})")
    assert (told["PaidToDate"], told["DocumentStatus"]) == (0, "bost_Open")
    assert error_code(b1.post(f"IncomingPayments({paid['DocEntry']})/Cancel")) == -5002


def test_credit_memo_for_a_paid_invoice_is_paid_back(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    b1.made("IncomingPayments", transfer(entry, "21.65"))
    credit = b1.made("CreditNotes", document(based(13, entry, Quantity=1)))
    assert (credit["DocumentStatus"], credit["PaidToDate"]) == ("bost_Open", 0)
    back = [{"DocEntry": credit["DocEntry"], "InvoiceType": "it_CredItnote", "SumApplied": "10.83"}]
    b1.made("VendorPayments", transfer(None, "10.83", PaymentInvoices=back))
    assert b1.get(f"CreditNotes({credit['DocEntry']})")["DocumentStatus"] == "bost_Close"
    assert b1.get("BusinessPartners('WEB-GUEST')")["CurrentAccountBalance"] == 0
    b1.settings(credit_paid_invoices=False)
    assert error_code(b1.post("CreditNotes", document(based(13, entry, Quantity=1)))) == -5002


def test_sign_of_what_is_paid_back_can_be_fixed(b1: ServiceLayer) -> None:
    b1.settings(credit_sum_sign="negative")
    credit = b1.made("CreditNotes", document())
    rows = [{"DocEntry": credit["DocEntry"], "InvoiceType": "it_CredItnote", "SumApplied": "21.65"}]
    assert error_code(b1.post("VendorPayments", transfer(None, "21.65", PaymentInvoices=rows))) == -10
    rows[0]["SumApplied"] = "-21.65"
    b1.made("VendorPayments", transfer(None, "21.65", PaymentInvoices=rows))


def test_invoice_over_nothing_is_closed(b1: ServiceLayer) -> None:
    assert b1.made("Invoices", document(line(UnitPrice="0")))["DocumentStatus"] == "bost_Close"


def test_cancelled_invoice_leaves_two_with_one_reference(b1: ServiceLayer) -> None:
    order = b1.made("Orders", document(line(quantity="3")))
    entry = invoice(
        b1,
        U_MLC_REF="s:1:inv",
        NumAtCard="4711",
        DocumentLines=[based(17, order["DocEntry"])],
    )
    assert b1.stock("PLATE") == (4997, 0)
    assert b1.post(f"Invoices({entry})/Cancel").status_code == 204
    rows = b1.state("Invoices", "?reference=s:1:inv")
    assert [(each["CancelStatus"], each["NumAtCard"]) for each in rows] == [
        ("csYes", "4711"),
        ("csCancellation", "4711"),
    ]
    assert rows[1]["DocumentLines"][0]["BaseType"] == 13
    assert b1.stock("PLATE") == (5000, 3)
    told = b1.get(f"Orders({order['DocEntry']})")
    assert (told["DocumentStatus"], told["DocumentLines"][0]["RemainingOpenQuantity"]) == ("bost_Open", 3)
    assert error_code(b1.post(f"Invoices({entry})/Cancel")) == -5002


def test_cancellation_document_is_answered(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    answer = b1.post(f"Invoices({entry})/CreateCancellationDocument")
    assert (answer.status_code, answer.json()["CancelStatus"]) == (200, "csCancellation")


def test_paid_invoice_cannot_be_cancelled(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    b1.made("IncomingPayments", transfer(entry, "5"))
    assert error_code(b1.post(f"Invoices({entry})/Cancel")) == -5002


def test_cancelled_credit_memo_opens_the_invoice_again(b1: ServiceLayer) -> None:
    entry = invoice(b1)
    credit = b1.made("CreditNotes", document(based(13, entry)))
    assert b1.get(f"Invoices({entry})")["DocumentStatus"] == "bost_Close"
    assert b1.post(f"CreditNotes({credit['DocEntry']})/Cancel").status_code == 204
    told = b1.get(f"Invoices({entry})")
    assert (told["DocumentStatus"], told["PaidToDate"]) == ("bost_Open", 0)
    assert told["DocumentLines"][0]["RemainingOpenQuantity"] == 2


def test_orders_are_cancelled_closed_and_reopened(b1: ServiceLayer) -> None:
    order = b1.made("Orders", document())["DocEntry"]
    assert b1.post(f"Orders({order})/Close").status_code == 204
    assert b1.stock("PLATE") == (5000, 0)
    assert b1.post(f"Orders({order})/Reopen").status_code == 204
    assert b1.stock("PLATE") == (5000, 2)
    assert b1.post(f"Orders({order})/Cancel").status_code == 204
    assert b1.stock("PLATE") == (5000, 0)
    told = b1.get(f"Orders({order})")
    assert (told["Cancelled"], told["CancelStatus"], told["DocumentStatus"]) == ("tYES", "csYes", "bost_Close")
    deleted = b1.call("DELETE", f"Orders({order})")
    assert (deleted.status_code, error_code(deleted)) == (400, -5006)
