"""Judging and posting one journal entry, as the accounting interface does: everything wrong is named at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.s4hana.entry_rules import Customers, check_balance, check_header, check_lines, check_tax
from ml_connector.sandbox.s4hana.ledger import DocumentKey, JournalEntry, Ledger, Line
from ml_connector.sandbox.s4hana.master import MasterData, minor, padded, unpadded
from ml_connector.sandbox.s4hana.messages import INFORMATION, WARNING, Message, error
from ml_connector.sandbox.s4hana.settings import Settings
from ml_connector.sandbox.s4hana.soap import Element, Outcome

SYSTEM = "S4SBX"
Faults = Mapping[str, Mapping[str, Any]]


@dataclass
class Books:
    """Everything that posting decides by."""

    ledger: Ledger
    master: MasterData
    customers: Customers
    settings: Settings
    now: Callable[[], datetime]
    time_s: Callable[[], float]

    def post(self, entry: Element, message_id: str | None, ignored: tuple[str, ...], faults: Faults) -> Outcome:
        """Post the entry, or say why not; nothing in between."""
        problems = self._fault_problems(entry, faults)
        if not problems:
            reversal = bool(entry.get("ReversalReason") or entry.get("ReversalReferenceDocument"))
            problems = self._judge_reversal(entry) if reversal else self._judge(entry)
            if not problems:
                try:
                    posted = self._reverse(entry) if reversal else self._post(entry)
                except OverflowError as exhausted:
                    problems = [error("NR/751", exhausted)]
                else:
                    posted.message_id, posted.ignored_elements = message_id, ignored
                    self.ledger.add(posted)
                    return self._success(posted, faults)
        return self._refusal(entry, message_id, problems, faults)

    def _fault_problems(self, entry: Element, faults: Faults) -> list[Message]:
        if "closed_period" in faults:
            day: date = entry.get("PostingDate", self.now().date())
            return [error("F5/201", f"{day.month:03}", day.year)]
        if "locked" in faults:
            return [error("MC/601", "MUELLER")]
        if "number_range_exhausted" in faults:
            return [error("NR/751", "01")]
        return []

    def _judge(self, entry: Element) -> list[Message]:
        problems = check_header(entry, self.master, self.settings)
        if problems:
            return problems
        problems = check_lines(entry, self.master, self.customers, self.settings)
        problems += check_tax(entry, self.master, self.settings)
        problems += check_balance(entry)
        if not problems and self.settings.duplicate_check:
            problems = self._duplicates(entry)
        return problems

    def _duplicates(self, entry: Element) -> list[Message]:
        reference = str(entry.get("DocumentReferenceID", "")).upper()
        return [
            error("F5/117", reference, unpadded(other.number))
            for other in self.ledger.with_references([reference] if reference else [])
            if (other.company, other.type) == (entry["CompanyCode"], entry["AccountingDocumentType"])
            and other.reversed_by is None
        ]

    def _judge_reversal(self, entry: Element) -> list[Message]:
        problems = check_header(entry, self.master, self.settings)
        missing = [name for name in ("ReversalReason", "ReversalReferenceDocument") if not entry.get(name)]
        problems += [error("F5/809", name) for name in missing]
        if any(entry.get(name) for name in ("Item", "DebtorItem", "CreditorItem", "ProductTaxItem")):
            problems.append(error("F5/364"))
        if problems:
            return problems
        reference = str(entry["ReversalReferenceDocument"])
        original = self.ledger.documents.get(reversed_key(reference))
        if original is None or original.company != entry["CompanyCode"]:
            return [error("F5/361", reference)]
        if original.reversed_by is not None or original.reverses is not None:
            by = original.reversed_by or original.reverses
            return [error("F5/362", unpadded(original.number), unpadded(by[2]) if by else "")]
        if any(line.cleared_by for line in original.lines):
            return [error("F5/363", unpadded(original.number))]
        return []

    def _post(self, entry: Element) -> JournalEntry:
        posted = self._header(entry)
        makers = (("Item", _gl_line), ("DebtorItem", self._debtor_line), ("ProductTaxItem", _tax_line))
        numbered = [(make, item) for name, make in makers for item in entry.get(name, [])]
        posted.lines = [make(entry, item, position) for position, (make, item) in enumerate(numbered, 1)]
        self._value_lines(posted, entry)
        return posted

    def _reverse(self, entry: Element) -> JournalEntry:
        original = self.ledger.documents[reversed_key(str(entry["ReversalReferenceDocument"]))]
        posted = self._header(entry)
        posted.reversal_reason, posted.reverses = str(entry["ReversalReason"]), original.key
        posted.lines = [_turned(line) for line in original.lines]
        posted.exchange_rate = original.exchange_rate
        # the reversal clears what the original left open
        for line in (*original.lines, *posted.lines):
            if line.kind == "D":
                line.cleared_by, line.cleared_on = posted.number, posted.posting_date
        original.reversed_by = posted.key
        return posted

    def _header(self, entry: Element) -> JournalEntry:
        company, posting_date = str(entry["CompanyCode"]), entry["PostingDate"]
        year = str(posting_date.year)
        number_range = self.master.document_types[entry["AccountingDocumentType"]]
        return JournalEntry(
            company=company,
            year=year,
            number=self.ledger.next_number(company, year, number_range),
            type=str(entry["AccountingDocumentType"]),
            transaction_type=str(entry["BusinessTransactionType"]),
            reference=str(entry.get("DocumentReferenceID", "")).upper(),
            header_text=str(entry.get("DocumentHeaderText", "")),
            reference1=str(entry.get("Reference1InDocumentHeader", "")).upper(),
            reference2=str(entry.get("Reference2InDocumentHeader", "")).upper(),
            document_date=entry["DocumentDate"],
            posting_date=posting_date,
            period=int(entry.get("PostingFiscalPeriod") or posting_date.month),
            created_by=str(entry["CreatedByUser"]),
            created=self.now(),
            company_currency=self.master.companies[company].currency,
            lines=[],
            predecessor=str(entry.get("OriginalPredecessorRefDocument", "")),
            visible_s=self.time_s() + self.settings.lookup_lag_s,
        )

    def _debtor_line(self, entry: Element, item: Element, position: int) -> Line:
        customer, amount = padded(item["Debtor"]), item["AmountInTransactionCurrency"]
        terms, payment = item.get("CashDiscountTerms", {}), item.get("PaymentDetails", {})
        chosen = item.get("AltvRecnclnAccts")
        found = self.customers.reconciliation_account(customer, entry["CompanyCode"])
        return Line(
            position,
            "D",
            amount.value,
            amount.currency,
            Decimal(0),
            account=padded(chosen or found or ""),
            customer=customer,
            due_base_date=terms.get("DueCalculationBaseDate", entry["DocumentDate"]),
            net_days=terms.get("NetPaymentDays", 0),
            payment_reference=payment.get("PaymentReference", ""),
            one_time={name: str(value) for name, value in item["OneTimeCustomerDetails"].items()}
            if "OneTimeCustomerDetails" in item
            else None,
            **_texts(item),
        )

    def _value_lines(self, posted: JournalEntry, entry: Element) -> None:
        """Company-code amounts: as sent, else at the document's rate, else at the rate table's."""
        rates, own = self.settings.rates, posted.company_currency
        given: Decimal | None = entry.get("ExchangeRate")
        items = [item for name in ("Item", "DebtorItem", "ProductTaxItem") for item in entry.get(name, [])]
        for line, item in zip(posted.lines, items, strict=True):
            sent = item.get("AmountInCompanyCodeCurrency")
            rate = given or rates.get(line.currency, Decimal(1)) / rates.get(own, Decimal(1))
            if sent is not None:
                line.company_amount = sent.value
            elif line.currency == own:
                line.company_amount = line.amount
            else:
                line.company_amount = minor(line.amount * rate, own)
                posted.exchange_rate = minor_rate(rate)
        largest = max(posted.lines, key=lambda line: abs(line.company_amount))
        largest.company_amount -= sum((line.company_amount for line in posted.lines), Decimal(0))

    def _success(self, posted: JournalEntry, faults: Faults) -> Outcome:
        key = f"{posted.number}{posted.company}{posted.year}"
        messages = [Message("RW/605", (key, SYSTEM), INFORMATION)]
        if "warnings_only" in faults:
            messages.append(Message("FF/010", (posted.posting_date.isoformat(),), WARNING))
        if "duplicate_log" in faults:
            messages += messages
        number = unpadded(posted.number) if "unpadded_number" in faults else posted.number
        return Outcome(_told(posted.message_id, faults), number, posted.company, posted.year, messages)

    def _refusal(self, entry: Element, message_id: str | None, problems: list[Message], faults: Faults) -> Outcome:
        messages = [error("RW/609", SYSTEM), *problems]
        if "duplicate_log" in faults:
            messages += problems
        blank = str(faults.get("refused_document", {}).get("form", "zeros"))
        document = {"zeros": "0000000000", "blank": " ", "empty": ""}[blank]
        return Outcome(_told(message_id, faults), document, str(entry.get("CompanyCode", "")), "0000", messages)


def reversed_key(reference: str) -> DocumentKey:
    """``document(10) + company(4) + year(4)`` as a key; a key that exists nowhere for any other length."""
    if len(reference) != 18:
        return ("", "", "")
    return (reference[10:14], reference[14:], reference[:10])


def minor_rate(rate: Decimal) -> Decimal:
    return rate.quantize(Decimal("0.00001"))


def _gl_line(entry: Element, item: Element, position: int) -> Line:
    amount, assignment, tax = (
        item["AmountInTransactionCurrency"],
        item.get("AccountAssignment", {}),
        item.get("Tax", {}),
    )
    return Line(
        position,
        "S",
        amount.value,
        amount.currency,
        Decimal(0),
        account=padded(item["GLAccount"]),
        tax_code=tax.get("TaxCode", "").upper(),
        tax_jurisdiction=tax.get("TaxJurisdiction", ""),
        profit_center=assignment.get("ProfitCenter", "").upper(),
        cost_center=assignment.get("CostCenter", "").upper(),
        value_date=item.get("ValueDate"),
        house_bank=item.get("HouseBank", ""),
        **_texts(item),
    )


def _tax_line(entry: Element, item: Element, position: int) -> Line:
    amount = item["AmountInTransactionCurrency"]
    return Line(
        position,
        "T",
        amount.value,
        amount.currency,
        Decimal(0),
        tax_code=item["TaxCode"].upper(),
        tax_base=item["TaxBaseAmountInTransCrcy"].value,
        tax_jurisdiction=item.get("TaxJurisdiction", ""),
        text=item.get("ProductiveTaxText", ""),
    )


def _texts(item: Element) -> dict[str, Any]:
    return {
        "assignment": item.get("AssignmentReference", ""),
        "text": item.get("DocumentItemText", ""),
        "references": tuple(item.get(f"Reference{n}IDByBusinessPartner", "").upper() for n in (1, 2, 3)),
    }


def _turned(line: Line) -> Line:
    return Line(
        line.item,
        line.kind,
        -line.amount,
        line.currency,
        -line.company_amount,
        account=line.account,
        customer=line.customer,
        tax_code=line.tax_code,
        tax_base=-line.tax_base,
        tax_jurisdiction=line.tax_jurisdiction,
        profit_center=line.profit_center,
        cost_center=line.cost_center,
        assignment=line.assignment,
        text=line.text,
        references=line.references,
        value_date=line.value_date,
        due_base_date=line.due_base_date,
        net_days=line.net_days,
    )


def _told(message_id: str | None, faults: Faults) -> str | None:
    return None if "no_reference_id" in faults else message_id
