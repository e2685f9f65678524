"""Posted documents as rows of the item read service (entry view, one row a line)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.s4hana.ledger import JournalEntry, Ledger, Line
from ml_connector.sandbox.s4hana.ledger_tables import CUBE
from ml_connector.sandbox.s4hana.master import CONTROLLING_AREA, MasterData, padded
from ml_connector.sandbox.s4hana.odata.fields import Row

POSTING_KEYS = {("S", True): "40", ("S", False): "50", ("D", True): "01", ("D", False): "11"}


def cube_rows(
    ledger: Ledger, master: MasterData, values: Mapping[str, frozenset[Any]], visible_until_s: float
) -> Iterator[Row]:
    """Rows of the documents that can match; documents that became visible later than given are left out."""
    for entry in _candidates(ledger, values):
        if entry.visible_s <= visible_until_s:
            yield from entry_rows(entry, master)


def _candidates(ledger: Ledger, values: Mapping[str, frozenset[Any]]) -> Iterable[JournalEntry]:
    if (references := values.get("DocumentReferenceID")) is not None:
        return list(ledger.with_references(references))
    numbers, companies = values.get("AccountingDocument"), values.get("CompanyCode")
    return [
        entry
        for entry in ledger.documents.values()
        if (numbers is None or entry.number in numbers) and (companies is None or entry.company in companies)
    ]


def entry_rows(entry: JournalEntry, master: MasterData) -> list[Row]:
    header = _header(entry, master)
    return [CUBE.row({**header, **_line(entry, line, master)}) for line in entry.lines]


def _header(entry: JournalEntry, master: MasterData) -> dict[str, Any]:
    company = master.companies[entry.company]
    counterpart = entry.reverses or entry.reversed_by
    return {
        "CompanyCode": entry.company,
        "FiscalYear": entry.year,
        "AccountingDocument": entry.number,
        "CompanyCodeName": company.name,
        "ChartOfAccounts": company.chart,
        "ControllingArea": CONTROLLING_AREA,
        "AccountingDocumentType": entry.type,
        "DocumentReferenceID": entry.reference,
        "AccountingDocumentHeaderText": entry.header_text,
        "Reference1InDocumentHeader": entry.reference1,
        "Reference2InDocumentHeader": entry.reference2,
        "DocumentDate": _day(entry.document_date),
        "PostingDate": _day(entry.posting_date),
        "FiscalPeriod": f"{entry.period:03}",
        "AccountingDocumentCreationDate": _day(entry.created.date()),
        "CreationTime": timedelta(hours=entry.created.hour, minutes=entry.created.minute, seconds=entry.created.second),
        "LastChangeDate": None,
        "AccountingDocCreatedByUser": entry.created_by,
        "BusinessTransactionType": entry.transaction_type,
        "ReferenceDocumentType": "BKPFF",
        "OriginalReferenceDocument": f"{entry.number}{entry.company}{entry.year}",
        "ReferenceDocumentLogicalSystem": "S4SBX",
        "CompanyCodeCurrency": entry.company_currency,
        "ExchangeRate": entry.exchange_rate or Decimal(0),
        "ExchangeRateType": "M",
        "ReversalReason": entry.reversal_reason,
        "IsReversal": entry.reverses is not None,
        "IsReversed": entry.reverses is None and entry.reversed_by is not None,
        "ReverseDocument": counterpart[2] if counterpart else "",
        "ReverseDocumentFiscalYear": counterpart[1] if counterpart else "",
        "LedgerGroup": "",
    }


def _line(entry: JournalEntry, line: Line, master: MasterData) -> dict[str, Any]:
    account = master.accounts.get((master.companies[entry.company].chart, line.account))
    debit = line.amount >= 0
    reference1, reference2, reference3 = line.references
    return {
        "AccountingDocumentItem": f"{line.item:03}",
        "AccountingDocumentItemType": "T" if line.kind == "T" else "",
        "FinancialAccountType": "S" if line.kind == "T" else line.kind,
        "PostingKey": POSTING_KEYS["S" if line.kind == "T" else line.kind, debit],
        "DebitCreditCode": "S" if debit else "H",
        # a tax line's account comes from the tax code; the entry view of this service leaves it out
        "GLAccount": line.account,
        "OperationalGLAccount": line.account,
        "GLAccountName": account.name if account else "",
        "GLAccountLongName": account.name if account else "",
        "IsBalanceSheetAccount": account is not None and account.kind == "X",
        "Customer": line.customer,
        "TransactionCurrency": line.currency,
        "AmountInTransactionCurrency": line.amount,
        "BalanceTransactionCurrency": line.currency,
        "AmountInBalanceTransacCrcy": line.amount,
        "AmountInCompanyCodeCurrency": line.company_amount,
        "TaxCode": line.tax_code,
        "TaxType": "A" if line.kind == "T" else "",
        "TaxBaseAmountInTransCrcy": line.tax_base,
        "TaxJurisdiction": line.tax_jurisdiction,
        "ProfitCenter": padded(line.profit_center) if line.profit_center else "",
        "CostCenter": padded(line.cost_center) if line.cost_center else "",
        "AssignmentReference": line.assignment,
        "DocumentItemText": line.text,
        "Reference1IDByBusinessPartner": reference1,
        "Reference2IDByBusinessPartner": reference2,
        "Reference3IDByBusinessPartner": reference3,
        "ValueDate": None if line.value_date is None else _day(line.value_date),
        "DueCalculationBaseDate": None if line.due_base_date is None else _day(line.due_base_date),
        "NetPaymentDays": Decimal(line.net_days),
        "NetDueDate": None if line.due_base_date is None else _day(line.due_base_date + timedelta(line.net_days)),
        "PaymentReference": line.payment_reference,
        "HouseBank": line.house_bank,
        "IsOpenItemManaged": "X" if line.kind == "D" else "",
        "ClearingAccountingDocument": line.cleared_by,
        "ClearingDocFiscalYear": entry.year if line.cleared_by else "",
        "ClearingDate": None if line.cleared_on is None else _day(line.cleared_on),
        "IsCleared": bool(line.cleared_by),
    }


def _day(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - Edm.DateTime has no zone
