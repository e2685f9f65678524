"""Incoming and outgoing payments: means, what they settle, and what is left on account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ml_connector.sandbox.business_one import checks
from ml_connector.sandbox.business_one.balances import add_to_balance, open_amount, settle
from ml_connector.sandbox.business_one.company import Asked, Company, number
from ml_connector.sandbox.business_one.errors import B1Error, business, missing_reference, refused
from ml_connector.sandbox.business_one.fields import SETS, Row
from ml_connector.sandbox.business_one.pricing import Terms, terms_of

SETTLED: Mapping[str, str] = {
    "it_Invoice": "Invoices",
    "it_DownPayment": "DownPayments",
    "it_CredItnote": "CreditNotes",
}
CLOSED = "Invoice is already closed or blocked [Message 3524-20]"


@dataclass
class Payments:
    company: Company

    def post(self, entity_set: str, given: Row, asked: Asked) -> Row:
        """Raises ``B1Error``."""
        company = self.company
        row = self._header(entity_set, given)
        checks.posting_date(company, row["DocDate"], closed="closed_period" in asked.faults)
        if company.settings.branches:
            checks.branch(company, row.get("BPLID"))
        card: Row = {"Currency": "##", "CardCode": None}
        if row["DocType"] != "rAccount":
            card = checks.partner(company, row.get("CardCode"))
        terms = terms_of(company, card, row, rate_missing="rate_missing" in asked.faults)
        row: Row = {**row, "DocCurrency": terms.currency, "DocRate": terms.rate, "CardName": card.get("CardName")}
        means = self._means(row, terms)
        if means <= 0:
            raise refused("The payment has no means of payment")
        applied_rows, applied = self._applied(entity_set, row, terms)
        if row["DocType"] == "rAccount":
            applied = sum((number(each, "SumPaid") for each in row.get("PaymentAccounts") or ()), Decimal(0))
            for each in row.get("PaymentAccounts") or ():
                checks.account(company, str(each.get("AccountCode")))
        if means < applied or (row["DocType"] == "rAccount" and means != applied):
            raise business("Total payment due must be equal to the total of the means of payment")
        if "veto" in asked.faults:
            raise B1Error(400, -1116, str(asked.faults["veto"].get("text", "(1000) document with same key exists")))
        entry = asked.reserved_entry or company.next_number(entity_set)
        series = checks.series(company, SETS[entity_set].object_type, row)
        number_ = company.next_number(f"series/{series['Series']}") + int(series["InitialNumber"]) - 1
        settled = [self._settle(each, applied=amount) for each, amount in applied_rows]
        journal = company.next_number("JournalEntries")
        row = {
            **row,
            "DocEntry": entry,
            "DocNum": number_,
            "Series": series["Series"],
            "PaymentInvoices": [each for each, _ in applied_rows],
            "_settled": settled,
            "_journal": journal,
            "_means": means,
        }
        company.table(entity_set).put((entry,), row)
        self._balance(entity_set, row, 1)
        company.tell(entity_set, (entry,), "Created")
        return row

    def cancel(self, entity_set: str, row: Row) -> None:
        """The amounts are open again; the row stays, marked. Raises ``B1Error``."""
        if row.get("Cancelled") == "tYES":
            raise refused("Payment is already cancelled")
        if row.get("_matched"):
            raise refused("Payment is reconciled; cancel the internal reconciliation first")
        for settled_set, entry, amount in row["_settled"]:
            settle(self.company, settled_set, entry, -amount)
        self._balance(entity_set, row, -1)
        self.company.table(entity_set).change((row["DocEntry"],), Cancelled="tYES", CancelStatus="csYes")
        self.company.tell(entity_set, (row["DocEntry"],), "Cancelled")

    def _header(self, entity_set: str, given: Row) -> Row:
        day = given.get("DocDate") or self.company.today()
        incoming = entity_set == "IncomingPayments"
        return {
            "DocType": "rCustomer",
            "TaxDate": day,
            "DueDate": day,
            "HandWritten": "tNO",
            "PaymentType": "bopt_None",
            **{name: value for name, value in given.items() if value is not None or name.startswith("U_")},
            "DocDate": day,
            "DocObjectCode": "bopot_IncomingPayments" if incoming else "bopot_OutgoingPayments",
            "Cancelled": "tNO",
            "CancelStatus": "csNo",
            "AuthorizationStatus": "pasWithout",
        }

    def _means(self, row: Row, terms: Terms) -> Decimal:
        """Their sum, in the payment's currency."""
        company = self.company
        total = Decimal(0)
        for amount, account in (("TransferSum", "TransferAccount"), ("CashSum", "CashAccount")):
            if number(row, amount):
                if not row.get(account):
                    raise refused(f"Specify {account}")
                found = checks.account(company, row[account])
                if account == "CashAccount" and found.get("CashAccount") == "tNO":
                    raise refused(f"'{row[account]}' is no cash account")
                total += number(row, amount)
        cards: list[Row] = []
        for index, each in enumerate(row.get("PaymentCreditCards") or ()):
            card = company.table("CreditCards").get(each.get("CreditCard"))
            if card is None:
                raise missing_reference()
            method = company.table("CreditPaymentMethods").get(each.get("PaymentMethodCode"))
            if each.get("PaymentMethodCode") is not None and method is None:
                raise missing_reference()
            if not each.get("CardValidUntil") or not each.get("CreditCardNumber"):
                raise refused("Specify number and validity of the credit card")
            cards.append({"CreditAcct": card.get("GLAccount"), "LineNum": index, **each})
            total += number(each, "CreditSum")
        if cards:
            row["PaymentCreditCards"] = cards
        total += sum((number(each, "CheckSum") for each in row.get("PaymentChecks") or ()), Decimal(0))
        return company.round_total(total, terms.currency)

    def _applied(self, entity_set: str, row: Row, terms: Terms) -> tuple[list[tuple[Row, Decimal]], Decimal]:
        """Each allocation with its amount in the document's currency, and their sum in the payment's."""
        found: list[tuple[Row, Decimal]] = []
        total = Decimal(0)
        for index, given in enumerate(row.get("PaymentInvoices") or ()):
            each: Row = {"InvoiceType": "it_Invoice", "InstallmentId": 1, "LineNum": index, **given}
            settled_set = SETTLED.get(str(each["InvoiceType"]))
            if settled_set is None:
                raise refused(f"The stand-in settles no {each['InvoiceType']}")
            document = self.company.table(settled_set).get(each.get("DocEntry"))
            if document is None:
                raise missing_reference()
            if document["CardCode"] != row.get("CardCode"):
                raise refused("The document belongs to another business partner")
            pays_back = settled_set == "CreditNotes" and entity_set == "VendorPayments"
            amount = self._amount(each, document, pays_back=pays_back)
            if document["DocumentStatus"] != "bost_Open" or document["CancelStatus"] != "csNo":
                raise business(CLOSED)
            if amount > open_amount(document):
                raise business("The amount applied is greater than the balance due")
            if amount <= 0:
                raise refused("The amount applied must be greater than zero")
            shown: Row = {**each, "DocRate": document["DocRate"]}
            if document["DocTotalFc"]:
                local = self.company.round_total(amount * document["DocRate"], self.company.settings.local_currency)
                shown.update(AppliedFC=amount, SumApplied=local)
            else:
                shown.update(AppliedFC=Decimal(0), SumApplied=amount)
            found.append((shown, amount))
            same = document["DocCurrency"] == terms.currency
            counted = amount if same else shown["SumApplied"] / terms.rate
            reduces = (settled_set == "CreditNotes") != (entity_set == "VendorPayments")
            total += -counted if reduces else counted
        return found, self.company.round_total(total, terms.currency)

    def _amount(self, each: Row, document: Row, *, pays_back: bool) -> Decimal:
        name = "AppliedFC" if document["DocTotalFc"] else "SumApplied"
        amount = each.get(name) or None
        if amount is None and name == "AppliedFC" and each.get("SumApplied"):
            amount = self.company.round_total(each["SumApplied"] / document["DocRate"], document["DocCurrency"])
        if amount is None:
            return open_amount(document)
        sign = self.company.settings.credit_sum_sign
        if pays_back and sign != "either" and (amount < 0) != (sign == "negative"):
            raise business("The sign of the amount applied does not fit the document")
        backwards = document["DocObjectCode"] == "oCreditNotes"
        return abs(self.company.round_total(amount, document["DocCurrency"])) if backwards else amount

    def _settle(self, shown: Row, *, applied: Decimal) -> tuple[str, int, Decimal]:
        entity_set = SETTLED[shown["InvoiceType"]]
        settle(self.company, entity_set, shown["DocEntry"], applied)
        return entity_set, shown["DocEntry"], applied

    def _balance(self, entity_set: str, row: Row, sign: int) -> None:
        if row["DocType"] == "rAccount":
            return
        local = self.company.round_total(row["_means"] * row["DocRate"], self.company.settings.local_currency)
        direction = -1 if entity_set == "IncomingPayments" else 1
        add_to_balance(self.company, row["CardCode"], "CurrentAccountBalance", sign * direction * local)
