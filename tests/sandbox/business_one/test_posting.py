"""What the system computes, and what follows from a document: numbers, totals, stock, base documents, partners."""

from __future__ import annotations

import pytest

from .client import ServiceLayer, based, document, error_code, error_text, line


def test_invoice_of_the_brief_is_computed(b1: ServiceLayer) -> None:
    """Two of 25.126050 net and freight of 5.798319, 19 % each."""
    made = b1.made(
        "Orders",
        document(
            line(quantity="2", UnitPrice="25.126050", VatGroup="A19", WarehouseCode="01", U_MLC_LINE="88101"),
            DocCurrency="EUR",
            NumAtCard="4711",
            U_MLC_REF="bc1:4711:ord",
            DocumentAdditionalExpenses=[{"ExpenseCode": 1, "LineTotal": "5.798319", "VatGroup": "A19"}],
        ),
    )
    assert (made["DocTotalFc"], made["VatSumFc"]) == (66.70, 10.65)  # 50.25 + 5.80 + 9.55 + 1.10
    assert made["DocTotal"] == 72.50  # at 1.086957
    assert made["DocumentStatus"] == "bost_Open"
    assert made["DocumentLines"][0]["U_MLC_LINE"] == "88101"
    assert made["DocEntry"] == made["DocNum"] == 1
    assert made["DocDate"] == "2026-03-07T00:00:00Z"
    assert made["Address"] is None


def test_currencies_round_to_their_own_decimals(b1: ServiceLayer) -> None:
    yen = b1.made("Invoices", document(line(quantity="3", UnitPrice="333.4", VatGroup="J10"), DocCurrency="JPY"))
    assert (yen["DocTotalFc"], yen["VatSumFc"]) == (1100, 100)
    dinar = b1.made("Invoices", document(line(quantity="1", UnitPrice="1.2345", VatGroup="K5"), DocCurrency="KWD"))
    assert (dinar["DocTotalFc"], dinar["VatSumFc"]) == (1.297, 0.062)


@pytest.mark.parametrize(
    ("given", "total"),
    [
        ({"UnitPrice": "10", "DiscountPercent": "10"}, 19.49),
        ({"Price": "10"}, 21.65),
        ({"PriceAfterVAT": "10"}, 20.00),
        ({"LineTotal": "20.01"}, 21.66),
    ],
)
def test_price_fields(b1: ServiceLayer, given: dict[str, str], total: float) -> None:
    row = {"ItemCode": "PLATE", "Quantity": 2, "VatGroup": "O825", **given}
    assert b1.made("Invoices", document(row))["DocTotal"] == total


def test_without_a_price_the_system_prices_the_line_itself(b1: ServiceLayer) -> None:
    row = {"ItemCode": "PLATE", "Quantity": 1, "VatGroup": "X0"}
    assert b1.made("Invoices", document(row))["DocTotal"] == 19.99
    b1.made("SpecialPrices", {"CardCode": "WEB-GUEST", "ItemCode": "PLATE", "Price": 15, "DiscountPercent": 0})
    assert b1.made("Invoices", document(row))["DocTotal"] == 15
    told = b1.post(
        "CompanyService_GetItemPrice", {"ItemPriceParams": {"CardCode": "C10001", "ItemCode": "PLATE", "PriceList": 2}}
    )
    assert told.json()["Price"] == 19.99


def test_header_discount_rounding_and_wanted_total(b1: ServiceLayer) -> None:
    row = line(quantity="1", UnitPrice="100", VatGroup="X0")
    assert b1.made("Invoices", document(row, DiscountPercent="10"))["DocTotal"] == 90
    forced = b1.made("Invoices", document(row, Rounding="tYES", RoundingDiffAmount="-0.01"))
    assert forced["DocTotal"] == 99.99
    wanted = b1.made("Invoices", document(row, DocTotal="87.65"))
    assert (wanted["DocTotal"], wanted["DiscountPercent"]) == (87.65, 12.35)


def test_tax_can_be_rounded_by_document(b1: ServiceLayer) -> None:
    rows = [line("PLATE", "1", UnitPrice="0.06", VatGroup="O825") for _ in range(3)]
    assert b1.made("Invoices", document(*rows))["VatSum"] == 0
    b1.settings(tax_rounding="document")
    assert b1.made("Invoices", document(*rows))["VatSum"] == 0.01


def test_tax_code_where_the_localisation_has_sales_tax(b1: ServiceLayer) -> None:
    b1.settings(localisation="sales_tax")
    row = {"ItemCode": "PLATE", "Quantity": 1, "UnitPrice": 100, "TaxCode": "H13"}
    made = b1.made("Invoices", document(row))
    assert (made["DocTotal"], made["DocumentLines"][0]["TaxCode"]) == (113, "H13")


def test_preview_computes_and_keeps_nothing(b1: ServiceLayer) -> None:
    told = b1.post("OrdersService_Preview", {"Document": document()}).json()
    assert (told["DocEntry"], told["DocTotal"]) == (None, 21.65)
    assert b1.state("Orders") == []
    assert b1.stock("PLATE") == (5000, 0)


def test_order_commits_delivery_takes_invoice_bills(b1: ServiceLayer) -> None:
    order = b1.made("Orders", document(line(quantity="5")))
    assert b1.stock("PLATE") == (5000, 5)
    delivery = b1.made("DeliveryNotes", document(based(17, order["DocEntry"], Quantity=3)))
    assert b1.stock("PLATE") == (4997, 2)
    (left,) = b1.get(f"Orders({order['DocEntry']})")["DocumentLines"]
    assert (left["RemainingOpenQuantity"], left["LineStatus"]) == (2, "bost_Open")
    invoice = b1.made("Invoices", document(based(15, delivery["DocEntry"])))
    assert invoice["DocumentLines"][0]["Quantity"] == 3
    assert invoice["DocumentLines"][0]["UnitPrice"] == 10
    assert b1.stock("PLATE") == (4997, 2)
    b1.made("Invoices", document(based(17, order["DocEntry"])))
    assert b1.stock("PLATE") == (4995, 0)
    assert b1.get(f"Orders({order['DocEntry']})")["DocumentStatus"] == "bost_Close"
    again = b1.post("Invoices", document(based(17, order["DocEntry"])))
    assert (again.status_code, error_code(again)) == (400, -5002)
    assert error_text(again) == "One of the base documents has already been closed"


def test_more_is_delivered_than_ordered_and_taken_back(b1: ServiceLayer) -> None:
    order = b1.made("Orders", document(line(quantity="5")))["DocEntry"]
    b1.made("DeliveryNotes", document(based(17, order, Quantity=3)))
    over = b1.made("DeliveryNotes", document(based(17, order, Quantity=4)))["DocEntry"]
    assert b1.stock("PLATE") == (4993, 0)
    assert b1.post(f"DeliveryNotes({over})/Cancel").status_code == 204
    assert b1.stock("PLATE") == (4997, 2)
    assert b1.get(f"Orders({order})")["DocumentLines"][0]["RemainingOpenQuantity"] == 2


def test_base_of_another_partner_does_not_fit(b1: ServiceLayer) -> None:
    order = b1.made("Orders", document())
    answer = b1.post("Invoices", document(based(17, order["DocEntry"]), CardCode="C10001"))
    assert error_text(answer) == "Base document card and target document card do not match."


def test_freight_is_inherited_only_when_named(b1: ServiceLayer) -> None:
    freight = [{"ExpenseCode": 1, "LineTotal": "5", "VatGroup": "X0"}]
    order = b1.made("Orders", document(line(VatGroup="X0"), DocumentAdditionalExpenses=freight))
    entry = order["DocEntry"]
    plain = b1.made("Invoices", document(based(17, entry, Quantity=1)))
    named = [{"BaseDocType": 17, "BaseDocEntry": entry, "BaseDocLine": 0}]
    whole = b1.made("Invoices", document(based(17, entry, Quantity=1), DocumentAdditionalExpenses=named))
    assert (plain["DocTotal"], whole["DocTotal"]) == (10, 15)


def test_reserve_invoice_moves_no_stock(b1: ServiceLayer) -> None:
    made = b1.made("Invoices", document(ReserveInvoice="tYES"))
    assert b1.stock("PLATE") == (5000, 2)
    b1.made("DeliveryNotes", document(based(13, made["DocEntry"])))
    assert b1.stock("PLATE") == (4998, 0)


def test_stock_does_not_fall_below_zero(b1: ServiceLayer) -> None:
    answer = b1.post("Invoices", document(line("PLATE", "1"), line("LAMP", "6000")))
    assert (answer.status_code, error_code(answer)) == (400, -10)
    assert error_text(answer).startswith("Quantity falls into negative inventory")
    assert b1.stock("PLATE") == (5000, 0)  # the first line is undone
    b1.settings(block_negative_stock=False)
    b1.made("Invoices", document(line("LAMP", "6000")))
    assert b1.stock("LAMP") == (-1000, 0)


def test_stock_moves_no_stamp_of_the_item(b1: ServiceLayer) -> None:
    before = b1.get("Items('PLATE')?$select=UpdateDate,UpdateTime,QuantityOnStock")
    b1.control("POST", "/clock", {"advance_s": 3600})
    b1.login()
    b1.made("Invoices", document())
    after = b1.get("Items('PLATE')?$select=UpdateDate,UpdateTime,QuantityOnStock")
    assert after["QuantityOnStock"] == before["QuantityOnStock"] - 2
    assert (after["UpdateDate"], after["UpdateTime"]) == (before["UpdateDate"], before["UpdateTime"])


def test_service_document(b1: ServiceLayer) -> None:
    row = {"ItemDescription": "Adjustment", "AccountCode": "_SYS00000000403", "LineTotal": "12.34", "VatGroup": "X0"}
    assert b1.made("CreditNotes", document(row, DocType="dDocument_Service"))["DocTotal"] == 12.34


def test_credit_memo_for_a_part_and_more_than_that(b1: ServiceLayer) -> None:
    invoice = b1.made("Invoices", document(line(quantity="3")))
    entry = invoice["DocEntry"]
    credit = b1.made("CreditNotes", document(based(13, entry, Quantity=1)))
    assert b1.stock("PLATE") == (4998, 0)
    assert credit["DocumentStatus"] == "bost_Close"  # it closes as much of the open invoice
    assert b1.get(f"Invoices({entry})")["PaidToDate"] == credit["DocTotal"] == 10.83
    none = b1.made("CreditNotes", document(based(13, entry, Quantity=1, WithoutInventoryMovement="tYES")))
    assert none["DocTotal"] == 10.83
    assert b1.stock("PLATE") == (4998, 0)
    assert error_code(b1.post("CreditNotes", document(based(13, entry, Quantity=2)))) == -5002
    b1.made("CreditNotes", document(based(13, entry)))
    assert error_code(b1.post("CreditNotes", document(based(13, entry)))) == -5002


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"CardCode": "NOBODY"}, -2028),
        ({"DocCurrency": "XXX"}, -2028),
        ({"DocDueDate": None}, -5002),
        ({"DocumentLines": []}, -5002),
        ({"DocumentLines": [line(UnitPrice="-1")]}, -5002),
        ({"DocumentLines": [line("NOTHING")]}, -2028),
        ({"DocumentLines": [line(VatGroup="ZZ")]}, -2028),
        ({"DocumentLines": [line(WarehouseCode="99")]}, -2028),
        ({"DocumentLines": [line(CostingCode="NORULE")]}, -2028),
        ({"DocumentLines": [line(CostingCode2="WEB")]}, -2028),
        ({"DocumentAdditionalExpenses": [{"ExpenseCode": 9, "LineTotal": 1}]}, -2028),
        ({"CardCode": "C10001", "DocCurrency": "EUR"}, -10),
        ({"Series": 999}, -2028),
        ({"NumAtCard": "x" * 101}, -1004),
        ({"Comments": "x" * 255}, -1004),
        ({"U_OTHER": "x"}, -1000),
        ({"DocDate": "yesterday"}, -1000),
    ],
)
def test_refusals(b1: ServiceLayer, change: dict[str, object], code: int) -> None:
    answer = b1.post("Orders", document(**change))
    assert (answer.status_code, error_code(answer)) == (400, code), answer.text
    assert b1.state("Orders") == []
    assert b1.stock("PLATE") == (5000, 0)


def test_period_rate_and_frozen_master_data(b1: ServiceLayer) -> None:
    b1.control("POST", "/period", {"locked_until": "2026-03-31"})
    assert "locked" in error_text(b1.post("Orders", document()))
    b1.control("POST", "/period", {"locked_until": None})
    answer = b1.post("Orders", document(DocCurrency="EUR"), fault="rate_missing")
    assert error_text(answer).startswith("Update the exchange rate")
    b1.control("POST", "/items/PLATE/freeze")
    assert error_text(b1.post("Orders", document())) == "Item 'PLATE' is inactive"
    b1.control("POST", "/items/PLATE/thaw")
    b1.control("POST", "/partners/WEB-GUEST/freeze")
    assert "inactive" in error_text(b1.post("Orders", document()))


def test_branches_are_asked_for_where_they_are_on(b1: ServiceLayer) -> None:
    b1.settings(branches=True)
    assert error_code(b1.post("Orders", document())) == -2028
    b1.made("Orders", document(BPL_IDAssignedToInvoice=1))


def test_numbers_may_come_as_texts_and_enums_by_value(b1: ServiceLayer) -> None:
    made = b1.made("Orders", document(line(quantity="2.5"), Rounding="N", Confirmed="tYES"))
    assert made["DocumentLines"][0]["Quantity"] == 2.5
    assert made["Rounding"] == "tNO"


def test_down_payment_is_paid_and_drawn(b1: ServiceLayer) -> None:
    down = b1.made("DownPayments", document(DownPaymentType="dptInvoice"))
    early = b1.post("Invoices", document(DownPaymentsToDraw=[{"DocEntry": down["DocEntry"], "AmountToDraw": "20"}]))
    assert error_code(early) == -5002
    paid = {
        "CardCode": "WEB-GUEST",
        "TransferAccount": "_SYS00000000261",
        "TransferSum": 21.65,
        "PaymentInvoices": [{"DocEntry": down["DocEntry"], "InvoiceType": "it_DownPayment", "SumApplied": 21.65}],
    }
    b1.made("IncomingPayments", paid)
    drawn = {"DownPaymentsToDraw": [{"DocEntry": down["DocEntry"], "AmountToDraw": "10"}]}
    invoice = b1.made("Invoices", document(line(quantity="3"), **drawn))
    assert invoice["DocTotal"] == 21.65  # 32.48 less 10.83
    again = b1.made("Invoices", document(line(quantity="3"), **drawn))
    assert again["DocTotal"] == 21.66  # 32.48 less the 10.82 that were left
    more = b1.post("Invoices", document(line(quantity="3"), **drawn))
    assert error_code(more) == -5002


def test_journal_entry_balances(b1: ServiceLayer) -> None:
    def entry(debit: str, credit: str) -> dict[str, object]:
        return {
            "ReferenceDate": "2026-03-07",
            "Memo": "Fees",
            "JournalEntryLines": [
                {"AccountCode": "_SYS00000000405", "Debit": debit, "CostingCode": "WEB"},
                {"AccountCode": "_SYS00000000261", "Credit": credit},
            ],
        }

    made = b1.made("JournalEntries", entry("3.21", "3.21"))
    assert b1.get(f"JournalEntries({made['JdtNum']})")["Memo"] == "Fees"
    assert error_text(b1.post("JournalEntries", entry("3.21", "3.20"))) == "Unbalanced transaction"
    assert b1.post(f"JournalEntries({made['JdtNum']})/Cancel").status_code == 204
    assert len(b1.state("JournalEntries")) == 2
