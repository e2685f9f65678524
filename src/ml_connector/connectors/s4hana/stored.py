"""Documents as the read service gives them: items grouped to documents, look-up filters, differences.

Source: SAP Business Accelerator Hub, "Operational Journal Entry Item - Read", API_OPLACCTGDOCITEMCUBE_SRV;
`docs/protocol/s4hana.md`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ml_connector.connectors.base import Lookup, StoredDocument, StoredLine
from ml_connector.connectors.http import encode_query
from ml_connector.connectors.odata_values import (
    Row,
    any_of,
    date_of,
    decimal_of,
    equals,
    flag_of,
    starts_with,
    text_of,
)
from ml_connector.connectors.s4hana.settings import S4Settings
from ml_connector.connectors.s4hana.wire import padded, tax_group, tax_items
from ml_connector.domain.documents import Document, Kind, Role
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.money import ZERO

CUBE = "API_OPLACCTGDOCITEMCUBE_SRV"
CUBE_SET = "A_OperationalAcctgDocItemCube"
CUBE_SCENARIO = "SAP_COM_0303"
ORDER_BY = "CompanyCode,FiscalYear,AccountingDocument,AccountingDocumentItem"
REFERENCE = "DocumentReferenceID"
LOGICAL_SYSTEM = "ReferenceDocumentLogicalSystem"
LOCAL = "BKPFF"
"""Reference procedure of entries that were posted in the system itself: their logical system is its own."""
FILTER_LENGTH = 1200  # characters of an encoded filter; with $select and path the address stays below 2,000

SELECT = (
    "CompanyCode",
    "FiscalYear",
    "AccountingDocument",
    "AccountingDocumentItem",
    "AccountingDocumentItemType",
    "DocumentReferenceID",
    "Reference1InDocumentHeader",
    "PostingDate",
    "DocumentDate",
    "GLAccount",
    "Customer",
    "TaxCode",
    "ProfitCenter",
    "CostCenter",
    "DebitCreditCode",
    "AmountInTransactionCurrency",
    "TransactionCurrency",
    "IsReversal",
    "IsReversed",
    "ReverseDocument",
    "ReverseDocumentFiscalYear",
    "AccountingDocCreatedByUser",
)


# ------------------------------------------------------------------ asking


def clauses_of(lookup: Lookup) -> list[str]:
    document = lookup.document
    if not lookup.all_generations:
        return [equals(REFERENCE, document.reference)]
    base = document.base_reference
    return [equals(REFERENCE, base), starts_with(REFERENCE, f"{base}-")]


def filters(lookups: Sequence[Lookup]) -> Iterable[str]:
    """As few filters as the length of an address allows; each names whole look-ups."""
    waiting: list[str] = []
    for lookup in lookups:
        wanted = clauses_of(lookup)
        if waiting and len(encode_query({"$filter": any_of([*waiting, *wanted])})) > FILTER_LENGTH:
            yield any_of(waiting)
            waiting = []
        waiting += wanted
    if waiting:
        yield any_of(waiting)


def answers(lookup: Lookup, reference: str) -> bool:
    """Is a document under `reference` one that `lookup` asks for?"""
    document = lookup.document
    if not lookup.all_generations:
        return reference == document.reference
    return re.fullmatch(rf"{re.escape(document.base_reference)}(-[0-9]+)?", reference) is not None


# ------------------------------------------------------------------ reading


def grouped(rows: Iterable[Row]) -> list[StoredDocument]:
    """One document per company code, year and number, in the order of the rows."""
    by_number: dict[str, list[Row]] = {}
    for row in rows:
        by_number.setdefault(number_of(row), []).append(row)
    return [_document(number, items) for number, items in by_number.items()]


def number_of(row: Row) -> str:
    """The canonical key `0100000008/1710/2026`; the service may or may not fill with zeros."""
    number = padded(text_of(row, "AccountingDocument"))
    return f"{number}/{text_of(row, 'CompanyCode')}/{text_of(row, 'FiscalYear')}"


def _document(number: str, rows: Sequence[Row]) -> StoredDocument:
    first = rows[0]
    partner = text_of(first, "ReverseDocument").strip("0")
    counterpart = (
        f"{padded(text_of(first, 'ReverseDocument'))}/{text_of(first, 'CompanyCode')}/"
        f"{text_of(first, 'ReverseDocumentFiscalYear') or text_of(first, 'FiscalYear')}"
        if partner
        else ""
    )
    is_reversal = flag_of(first, "IsReversal")
    is_reversed = flag_of(first, "IsReversed")
    return StoredDocument(
        reference=text_of(first, REFERENCE),
        number=number,
        currency=text_of(first, "TransactionCurrency"),
        posting_date=date_of(first.get("PostingDate")),
        document_date=date_of(first.get("DocumentDate")),
        lines=tuple(_line(row) for row in rows),
        reversed_by=(counterpart or "unknown") if is_reversed else "",
        reverses=(counterpart or "unknown") if is_reversal else "",
        created_by=text_of(first, "AccountingDocCreatedByUser"),
        state="reversed" if is_reversed else "posted",
        fields={"second_reference": text_of(first, "Reference1InDocumentHeader")},
    )


def _line(row: Row) -> StoredLine:
    """Tax items have no account of their own here, whether or not the service names one."""
    is_tax = text_of(row, "AccountingDocumentItemType") == "T"
    customer = text_of(row, "Customer")
    account = text_of(row, "GLAccount")
    return StoredLine(
        account="" if is_tax or not account else padded(account),
        amount=_signed(row),
        tax_code=text_of(row, "TaxCode"),
        profit_center=text_of(row, "ProfitCenter"),
        cost_center=text_of(row, "CostCenter"),
        customer=padded(customer) if customer else "",
    )


def _signed(row: Row) -> Decimal:
    """Debit positive. The code decides: services differ in whether the amount carries the sign as well."""
    value = decimal_of(row, "AmountInTransactionCurrency")
    code = text_of(row, "DebitCreditCode")
    return -abs(value) if code == "H" else abs(value) if code == "S" else value


# ------------------------------------------------------------------ comparing

_Sums = dict[tuple[str, str, str], Decimal]  # (what, key, tax code) -> amount


def differences(sent: Document, stored: StoredDocument, settings: S4Settings) -> list[str]:
    """Where the ledger holds something else than was sent, line sums compared per account, customer and tax code."""
    if sent.kind is Kind.CUSTOMER:
        return []
    found: list[str] = []
    if stored.currency and stored.currency != sent.currency:
        return [f"currency: sent {sent.currency}, stored {stored.currency}"]
    try:
        wanted = _sent_sums(sent, settings)
    except Unmapped as error:
        return [f"cannot be compared: {error}"]
    has = _stored_sums(stored)
    coded = {(what, key) for (what, key, code) in has if code}
    wanted, has = _uncoded(wanted, coded), _uncoded(has, coded)
    for slot in sorted(wanted.keys() | has.keys()):
        what, key, code = slot
        ours, theirs = wanted.get(slot, ZERO), has.get(slot, ZERO)
        if ours != theirs:
            name = f"{what} {key}".strip() + (f" tax code {code}" if code else "")
            found.append(f"{name}: sent {ours} {sent.currency}, stored {theirs}")
    return found + _dimension_differences(sent, stored)


def _sent_sums(sent: Document, settings: S4Settings) -> _Sums:
    sums: _Sums = {}

    def add(what: str, key: str, code: str, amount: Decimal) -> None:
        sums[what, key, code] = sums.get((what, key, code), ZERO) + amount

    for line in sent.lines:
        if line.role is Role.RECEIVABLE:
            add("customer", padded(sent.customer), "", line.signed)
        elif line.role is not Role.TAX_PAYABLE:
            group = tax_group(line.tax_code, settings.tax_groups) if line.tax_code else None
            add("account", padded(line.account), group.code if group else line.tax_code, line.signed)
    for item in tax_items(sent, settings):
        add("tax", "", item.code, item.amount)
    return sums


def _stored_sums(stored: StoredDocument) -> _Sums:
    sums: _Sums = {}
    for line in stored.lines:
        if line.customer:
            slot = ("customer", line.customer, "")
        elif line.account:
            slot = ("account", line.account, line.tax_code)
        else:
            slot = ("tax", "", line.tax_code)
        sums[slot] = sums.get(slot, ZERO) + line.amount
    return sums


def _uncoded(sums: Mapping[tuple[str, str, str], Decimal], coded: set[tuple[str, str]]) -> _Sums:
    """Without tax codes where the service gave none for that account at all; sums of zero are nothing."""
    merged: _Sums = {}
    for (what, key, code), amount in sums.items():
        slot = (what, key, code if (what, key) in coded else "")
        merged[slot] = merged.get(slot, ZERO) + amount
    return {slot: amount for slot, amount in merged.items() if amount}


def _dimension_differences(sent: Document, stored: StoredDocument) -> list[str]:
    """Profit centres per account, where we sent one on every line of the account and the service gives them."""
    wanted: dict[str, set[str]] = {}
    for line in sent.lines:
        if line.role not in (Role.RECEIVABLE, Role.TAX_PAYABLE):
            center = line.dimension.profit_center
            wanted.setdefault(padded(line.account), set()).add(padded(center) if center else "")
    has: dict[str, set[str]] = {}
    for line in stored.lines:
        if line.account and line.profit_center:
            has.setdefault(line.account, set()).add(padded(line.profit_center))
    return [
        f"account {account}: sent profit centre {', '.join(sorted(centers))}, stored {', '.join(sorted(has[account]))}"
        for account, centers in sorted(wanted.items())
        if account in has and "" not in centers and centers != has[account]
    ]
