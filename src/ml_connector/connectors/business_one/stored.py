"""Documents as the Service Layer gives them: look-up filters, what became of each, where one is not what was sent.

A cancelled document and the one that cancels it carry the same reference: the first is what the reference names, the
second is its reversal. Sources: Service Layer metadata; `docs/protocol/business-one.md`.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import cast

from ml_connector.connectors.base import ROUNDING, Lookup, StoredDocument, StoredLine
from ml_connector.connectors.business_one.client import literal
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.tables import (
    DRAFTS,
    PAYOUTS,
    REFERENCE,
    Target,
    mark_of,
    reversal_of,
)
from ml_connector.connectors.business_one.wire import (
    FieldError,
    freight_lines,
    means,
    tax_of,
    value_of,
    written_lines,
)
from ml_connector.connectors.odata_values import Row, date_of, decimal_of, text_of
from ml_connector.domain.documents import Document, Kind, LineType
from ml_connector.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading needs of the master data. `iso`: of Business One's currency code. `freight`: the revenue account of
    an additional expense. `number`: of an account's key, as people know it."""

    iso: Callable[[str], str] = str
    freight: Callable[[str], str] = str
    number: Callable[[str], str] = str


FREIGHT = "freight "

APPROVED = frozenset({"dasGenerated", "dasGeneratedbyAuthorizer"})
"""The document itself exists."""


# ------------------------------------------------------------------ asking


def clauses_of(lookup: Lookup) -> list[str]:
    document = lookup.document
    if document.kind is Kind.REVERSAL:
        return [f"{REFERENCE} eq {literal(document.reverses)}"]
    if not lookup.all_generations:
        return [f"{REFERENCE} eq {literal(document.reference)}"]
    base = document.base_reference
    return [f"{REFERENCE} eq {literal(base)}", f"startswith({REFERENCE},{literal(base + '-')})"]


def answers(lookup: Lookup, reference: str) -> bool:
    """Is a document under `reference` one that `lookup` asks for?"""
    document = lookup.document
    if document.kind is Kind.REVERSAL or not lookup.all_generations:
        return reference == document.reference
    return re.fullmatch(rf"{re.escape(document.base_reference)}(-[0-9]+)?", reference) is not None


# ------------------------------------------------------------------ reading


def documents_of(target: Target, rows: Sequence[Row], reading: Reading) -> list[StoredDocument]:
    """Every document of these rows, and the reversal of each that we have cancelled (or that somebody else has).

    Raises `ValueError` for values that are none.
    """
    found: list[StoredDocument] = []
    cancels = {_base_entry(row): row for row in rows if _status(row) == "csCancellation"}
    for row in rows:
        if _status(row) == "csCancellation":
            continue
        stored = payment(target, row, reading) if target.payment else document(target, row, reading)
        if _status(row) == "csYes":
            stored, reversal = _cancelled(target, stored, row, cancels.get(_entry(row)))
            found.append(reversal)
        found.append(stored)
    return found


def _cancelled(
    target: Target, stored: StoredDocument, row: Row, counter: Row | None
) -> tuple[StoredDocument, StoredDocument]:
    """Both sides of a cancellation. Ours is told by our mark; one without it was made by hand, and its name says so."""
    ours = mark_of(text_of(row, target.remark))
    number = f"{target.set}/{_entry(counter)}" if counter is not None else f"{stored.number}/cancelled"
    reversal = StoredDocument(
        reference=ours or f"{reversal_of(stored.reference)} by hand",
        number=number,
        currency=stored.currency,
        posting_date=_day(counter, "DocDate") if counter is not None else stored.posting_date,
        document_date=_day(counter, "TaxDate") if counter is not None else stored.document_date,
        lines=tuple(replace(line, amount=-line.amount) for line in stored.lines),
        reverses=stored.number,
    )
    return replace(stored, reversed_by=number, state="reversed"), reversal


def document(target: Target, row: Row, reading: Reading) -> StoredDocument:
    """The entry that it makes, in the document's currency; debit positive: an invoice debits its customer."""
    foreign = _is_foreign(row)
    total = decimal_of(row, "DocTotalFc" if foreign else "DocTotal")
    tax = decimal_of(row, "VatSumFc" if foreign else "VatSum")
    sign = -1 if target.set == "CreditNotes" else 1
    taxes: dict[str, Decimal] = {}
    lines: list[StoredLine] = []
    for line in rows_in(row, "DocumentLines"):
        code = text_of(line, "VatGroup") or text_of(line, "TaxCode")
        taxes[code] = taxes.get(code, ZERO) + _line_tax(line, foreign=foreign)
        lines.append(
            StoredLine(
                reading.number(text_of(line, "AccountCode")),
                -sign * decimal_of(line, "RowTotalFC" if foreign else "LineTotal"),
                code,
                profit_center=text_of(line, "CostingCode"),
                item=text_of(line, "ItemCode"),
                quantity=decimal_of(line, "Quantity"),
            )
        )
    for line in rows_in(row, "DocumentAdditionalExpenses"):
        amount = decimal_of(line, "LineTotalFC" if foreign else "LineTotal")
        if amount:
            code = text_of(line, "VatGroup") or text_of(line, "TaxCode")
            taxes[code] = taxes.get(code, ZERO) + decimal_of(line, "TaxSumFC" if foreign else "TaxSum")
            expense = text_of(line, "ExpenseCode")
            lines.append(
                StoredLine(reading.number(reading.freight(expense)), -sign * amount, code, item=f"{FREIGHT}{expense}")
            )
    lines += [StoredLine("", -sign * amount, code) for code, amount in _summing_to(taxes, tax).items() if amount]
    if rounding := decimal_of(row, "RoundingDiffAmountFC" if foreign else "RoundingDiffAmount"):
        lines.append(StoredLine("", -sign * rounding, item=ROUNDING))
    return StoredDocument(
        reference=text_of(row, REFERENCE),
        number=f"{target.set}/{_entry(row)}",
        shown=text_of(row, "DocNum"),
        currency=reading.iso(text_of(row, "DocCurrency")),
        posting_date=_day(row, "DocDate"),
        document_date=_day(row, "TaxDate"),
        lines=(*lines, StoredLine("", sign * total, customer=text_of(row, "CardCode"))),
        fields={
            "number": text_of(row, "DocNum"),
            "total": format(total, "f"),
            "tax": format(tax, "f"),
            "customer": text_of(row, "CardCode"),
            "status": text_of(row, "DocumentStatus"),
        },
    )


def _is_foreign(row: Row) -> bool:
    """What is in local currency has no amounts in another; a total of nothing tells nothing."""
    amounts = [(row, "DocTotalFc"), *((line, "RowTotalFC") for line in rows_in(row, "DocumentLines"))]
    return any(decimal_of(part, name) for part, name in amounts)


def _line_tax(line: Row, *, foreign: bool) -> Decimal:
    if foreign:
        return decimal_of(line, "NetTaxAmountFC")
    return decimal_of(line, "NetTaxAmount" if line.get("NetTaxAmount") is not None else "TaxTotal")


def _summing_to(taxes: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Tax per code: what the lines say; the document's own sum decides, and its difference is the largest code's."""
    sums = {code: amount for code, amount in taxes.items() if code}
    if not sums:
        return {"": total}
    largest = max(sums, key=lambda code: abs(sums[code]))
    sums[largest] += total - sum(sums.values(), ZERO)
    return sums


def payment(target: Target, row: Row, reading: Reading) -> StoredDocument:
    amount = decimal_of(row, "TransferSum")
    sign = -1 if target == PAYOUTS else 1
    applied = ", ".join(
        f"{text_of(each, 'InvoiceType')}/{text_of(each, 'DocEntry')}" for each in rows_in(row, "PaymentInvoices")
    )
    return StoredDocument(
        reference=text_of(row, REFERENCE),
        number=f"{target.set}/{_entry(row)}",
        shown=text_of(row, "DocNum"),
        currency=reading.iso(text_of(row, "DocCurrency")),
        posting_date=_day(row, "DocDate"),
        document_date=_day(row, "TaxDate"),
        lines=(
            StoredLine(reading.number(text_of(row, "TransferAccount")), sign * amount),
            StoredLine("", -sign * amount, customer=text_of(row, "CardCode")),
        ),
        fields={
            "number": text_of(row, "DocNum"),
            "total": format(amount, "f"),
            "customer": text_of(row, "CardCode"),
            "account": reading.number(text_of(row, "TransferAccount")),
            "applied": applied,
        },
    )


def drafts_of(
    target: Target, rows: Sequence[Row], there: Collection[str] = (), drafts: str = DRAFTS
) -> list[StoredDocument]:
    """Drafts that an approval procedure has made of our documents. Of one that was approved the document exists: its
    draft counts only where that is not among `there`, the references that were found."""
    return [
        StoredDocument(
            reference=text_of(row, REFERENCE),
            number=f"{drafts}/{_entry(row)}",
            state="unfinished" if text_of(row, "AuthorizationStatus") == "dasWithout" else "awaiting_approval",
            fields={
                "number": text_of(row, "DocNum"),
                "approval": text_of(row, "AuthorizationStatus"),
                "advice": "an approval procedure has caught it; approve and add the draft in Business One (or delete "
                "it), then decide `retry`, which looks again, and take the integration user out of the approval "
                "templates",
            },
        )
        for row in rows
        if text_of(row, "DocObjectCode") in (target.draft, target.draft.removeprefix("bopot_"), str(target.type))
        and not (text_of(row, "AuthorizationStatus") in APPROVED and text_of(row, REFERENCE) in there)
    ]


def is_cancelled(row: Row) -> bool:
    """Either side of a cancellation that makes a counter document."""
    return text_of(row, "CancelStatus") in ("csYes", "csCancellation")


def _status(row: Row) -> str:
    """`csNo`, `csYes` (was cancelled) or `csCancellation` (cancels another). Payments and orders only have a flag."""
    status = text_of(row, "CancelStatus")
    if status in ("csYes", "csCancellation"):
        return status
    return "csYes" if text_of(row, "Cancelled") == "tYES" else "csNo"


def _day(row: Row, name: str) -> date | None:
    """A calendar date of the company: the time and zone behind it are decoration."""
    return date_of(text_of(row, name)[:10])


def _entry(row: Row) -> str:
    return text_of(row, "DocEntry")


def _base_entry(row: Row) -> str:
    """The document that a cancellation cancels: its lines are copied from it."""
    return next((text_of(line, "BaseEntry") for line in rows_in(row, "DocumentLines") if line.get("BaseEntry")), "")


def rows_in(row: Row, name: str) -> list[Row]:
    """A collection inside a row; empty where it is none."""
    value = row.get(name)
    if not isinstance(value, list):
        return []
    return [cast("Row", each) for each in cast("list[object]", value) if isinstance(each, dict)]


# ------------------------------------------------------------------ comparing


def differences(sent: Document, stored: StoredDocument, settings: B1Settings) -> list[str]:
    """Where the ERP holds something else than was sent: currency, customer, totals, tax, items, money's account."""
    if sent.kind in (Kind.REVERSAL, Kind.CUSTOMER) or "total" not in stored.fields:
        return []
    found: list[str] = []
    if stored.currency and stored.currency != sent.currency:
        return [f"currency: sent {sent.currency}, stored {stored.currency}"]
    if stored.fields.get("customer", sent.customer) != sent.customer:
        found.append(f"customer: sent {sent.customer}, stored {stored.fields['customer']}")
    if sent.kind in (Kind.PAYMENT, Kind.DEPOSIT, Kind.REFUND_PAYMENT):
        try:
            number, amount = means(sent)
        except FieldError as error:
            return [f"cannot be compared: {error}"]
        found += _compare("amount", amount, Decimal(stored.fields["total"]))
        if stored.fields.get("account", "") not in ("", number):
            found.append(f"account: sent {number}, stored {stored.fields['account']}")
        return found
    found += _compare("total", sent.total, Decimal(stored.fields["total"]))
    found += _compare("tax", tax_of(sent), Decimal(stored.fields["tax"]))
    return found + _item_differences(sent, stored, settings)


def _compare(what: str, wanted: Decimal, has: Decimal) -> list[str]:
    return [] if wanted == has else [f"{what}: sent {wanted}, stored {has}"]


def _item_differences(sent: Document, stored: StoredDocument, settings: B1Settings) -> list[str]:
    """Net amounts and quantities per item, and freight per code."""
    sign = -1 if sent.kind is Kind.CREDIT_MEMO else 1
    wanted: dict[str, tuple[Decimal, Decimal]] = {}
    has: dict[str, tuple[Decimal, Decimal]] = {}
    for line in written_lines(sent, settings):
        sold = line.itemised
        is_item = sold is not None and sold.type is LineType.ITEM
        key = sold.item if sold is not None and is_item else settings.charge_item
        _add(wanted, key, value_of(line, sent), (sold.quantity or Decimal(1)) if sold is not None and is_item else ZERO)
    for line in freight_lines(sent, settings):
        _add(wanted, f"{FREIGHT}{settings.freight[line.role]}", value_of(line, sent), ZERO)
    for line in stored.lines:
        is_line = bool(line.item or line.account) and line.item != ROUNDING
        if is_line and not line.customer:
            counted = line.item not in ("", settings.charge_item) and not line.item.startswith(FREIGHT)
            _add(has, line.item, -sign * line.amount, line.quantity if counted else ZERO)
    found: list[str] = []
    for key in sorted(wanted.keys() | has.keys()):
        (amount, quantity), (is_amount, is_quantity) = wanted.get(key, (ZERO, ZERO)), has.get(key, (ZERO, ZERO))
        if amount != is_amount:
            found.append(f"{key or 'lines'}: sent {amount}, stored {is_amount}")
        if quantity != is_quantity:
            found.append(f"{key or 'lines'}: sent a quantity of {quantity}, stored {is_quantity}")
    return found


def _add(sums: dict[str, tuple[Decimal, Decimal]], key: str, amount: Decimal, quantity: Decimal) -> None:
    before = sums.get(key, (ZERO, ZERO))
    sums[key] = (before[0] + amount, before[1] + quantity)
