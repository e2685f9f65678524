"""A journal document as SAP's journal entry: header, G/L items, customer items, tax items.

Signs: debit positive, credit negative; `DebitCreditCode` S and H say the same. Nets carry their tax code, and every
code is met by one tax item whose base is the signed net sum of its lines, discounts included.
Source: SAP Help, "Journal Entry - Post (Synchronous)"; `docs/protocol/s4hana.md`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from lxml import etree

from ml_connector.connectors.base import Outgoing
from ml_connector.connectors.s4hana.settings import S4Settings
from ml_connector.connectors.s4hana.tables import AMOUNT, BULK, NAMESPACE, ONE_TIME_CUSTOMER, ROOT, for_version
from ml_connector.connectors.soap import Amount, Field, FieldError, Value, build, envelope
from ml_connector.domain.documents import Document, Kind, Line, Party, Role, Side
from ml_connector.domain.mapping import TaxGroup, Unmapped
from ml_connector.domain.money import ZERO, allocate, decimals

Values = Mapping[str, Value]

_KIND_BY_LETTER = {
    "O": Kind.ORDER,
    "P": Kind.PAYMENT,
    "A": Kind.DEPOSIT_APPLICATION,
    "R": Kind.REFUND,
    "M": Kind.REFUND_PAYMENT,
    "D": Kind.ADJUSTMENT,
}


def padded(number: str, length: int = 10) -> str:
    """SAP's canonical form of a key: digits are filled with zeros on the left, anything else is upper case."""
    number = number.strip()
    return number.zfill(length) if number.isdigit() else number.upper()


def bare(number: str) -> str:
    """A key as SAP's own screens show it: without the zeros that `padded` fills in."""
    return (number.lstrip("0") or "0") if number.isdigit() else number


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def message_id(reference: str, now: datetime) -> str:
    """At most 35 characters, unlike in every attempt: the reference and the millisecond in base 36, as in
    `S1-O10250-ml2q9k0w`.

    Two attempts may fall into one second: what was refused is mended and released at once. SAP takes an ID that it has
    seen for the same message.
    """
    number, written = int(now.timestamp() * 1000), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        written = _DIGITS[digit] + written
    return f"{reference}-{written}"


def request_body(outgoing: Sequence[Outgoing], settings: S4Settings, now: datetime) -> bytes:
    """The SOAP envelope that posts all of `outgoing`. Raises `FieldError` and `Unmapped`."""
    created = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
    first = outgoing[0].document.reference
    values: Values = {
        "MessageHeader": {"ID": message_id(first, now), "CreationDateTime": created},
        "JournalEntryCreateRequest": [
            {
                "MessageHeader": {"ID": message_id(item.document.reference, now), "CreationDateTime": created},
                "JournalEntry": journal_entry(item, settings),
            }
            for item in outgoing
        ],
    }
    root = etree.Element(f"{{{NAMESPACE}}}{ROOT}", nsmap={"sfin": NAMESPACE})
    build(root, _bulk(settings.journal_version), values)
    return envelope(root)


@cache
def _bulk(version: str) -> tuple[Field, ...]:
    return for_version(BULK, version)


@cache
def _one_time_fields(version: str) -> frozenset[str]:
    return frozenset(field.name for field in for_version(ONE_TIME_CUSTOMER, version))


def journal_entry(outgoing: Outgoing, settings: S4Settings) -> Values:
    """One document as the element `JournalEntry`."""
    document = outgoing.document
    header: dict[str, Value] = {
        "OriginalReferenceDocumentType": "BKPFF",
        "BusinessTransactionType": "RFBU",
        "AccountingDocumentType": document_type(document, settings),
        "DocumentReferenceID": document.reference,
        "DocumentHeaderText": document.text[:25],
        "CreatedByUser": settings.created_by_user,
        "CompanyCode": settings.company_code,
        "DocumentDate": document.document_date,
        "PostingDate": document.posting_date,
        "Reference1InDocumentHeader": _second_reference(document),
    }
    if document.kind is Kind.REVERSAL:
        header["ReversalReason"] = settings.reversal_reason
        header["ReversalReferenceDocument"] = _reversed_key(outgoing)
        return header
    header["TaxDeterminationDate"] = document.document_date
    header["Reference2InDocumentHeader"] = document.customer_reference[:20]
    if document.exchange_rate is not None:
        header["ExchangeRate"] = document.exchange_rate
    items, debtors = _items(document, settings)
    header["Item"] = items
    header["DebtorItem"] = debtors
    header["ProductTaxItem"] = [
        _tax_values(item, document.currency, settings) for item in tax_items(document, settings)
    ]
    return header


def document_type(document: Document, settings: S4Settings) -> str:
    """Accounting document type of the document's kind; a reversal takes the one of what it reverses."""
    kind = document.kind
    if kind is Kind.REVERSAL:
        _, _, identity = document.reverses.partition("-")
        kind = _KIND_BY_LETTER.get(identity[:1], Kind.ORDER)
    try:
        return settings.document_types[kind]
    except KeyError as error:
        raise Unmapped("document_type", kind.value) from error


def _second_reference(document: Document) -> str:
    """The unabridged reference where it fits its 20 characters, else the store's tag."""
    if 0 < len(document.long_reference) <= 20:
        return document.long_reference
    return document.reference.partition("-")[0]


def _reversed_key(outgoing: Outgoing) -> str:
    """`0100000008/1710/2026` as the 18 characters that SAP wants: document, company, year."""
    reversed_number = outgoing.number_of(outgoing.document.reverses)
    parts = reversed_number.split("/")
    if len(parts) != 3 or not parts[0] or len(parts[2]) != 4:
        raise FieldError("ReversalReferenceDocument", f"{reversed_number!r} is not number/company/year")
    number, company, year = parts
    return f"{padded(number)}{company:<4}{year}"


# ------------------------------------------------------------------ lines


def _items(document: Document, settings: S4Settings) -> tuple[list[Values], list[Values]]:
    items: list[Values] = []
    debtors: list[Values] = []
    numbered = (line for line in document.lines if line.role is not Role.TAX_PAYABLE)
    for number, line in enumerate(numbered, start=1):
        common: dict[str, Value] = {
            "ReferenceDocumentItem": str(number),
            AMOUNT: amount(line.signed, document.currency),
            "DebitCreditCode": "S" if line.side is Side.DEBIT else "H",
            "DocumentItemText": line.text[:50],
            "AssignmentReference": line.assignment[:18],
        }
        if line.role is Role.RECEIVABLE:
            debtors.append(common | _debtor(document, settings))
        else:
            items.append(common | _ledger(line, settings.tax_groups))
    return items, debtors


def _debtor(document: Document, settings: S4Settings) -> dict[str, Value]:
    if not document.customer:
        raise Unmapped("customer", document.party.key if document.party else "")
    values: dict[str, Value] = {"Debtor": padded(document.customer)}
    party = document.party
    if party is not None:
        values["VATRegistration"] = party.vat_number[:20]
        if party.one_time:
            values["OneTimeCustomerDetails"] = one_time_details(party, settings.journal_version)
    return values


def _ledger(line: Line, groups: Sequence[TaxGroup]) -> dict[str, Value]:
    values: dict[str, Value] = {"GLAccount": padded(line.account)}
    if line.tax_code:
        group = tax_group(line.tax_code, groups)
        values["Tax"] = (
            {"TaxCode": line.tax_code}
            if group is None
            else {
                "TaxCode": group.code,
                "TaxJurisdiction": group.levels[-1],
                "TaxItemGroup": group_number(line.tax_code, groups),
            }
        )
    dimension = line.dimension
    assignment: dict[str, Value] = {
        "ProfitCenter": padded(dimension.profit_center) if dimension.profit_center else "",
        "Segment": dimension.segment,
        "CostCenter": padded(dimension.cost_center) if dimension.cost_center else "",
    }
    if any(assignment.values()):
        values["AccountAssignment"] = assignment
    return values


def one_time_details(party: Party, version: str) -> Values:
    """Name and address of a guest, as far as the service's version has fields. No e-mail address: a ledger cannot
    forget it."""
    address = party.address
    person = f"{address.first_name} {address.last_name}".strip()
    name = address.company or person or "Guest"
    known = _one_time_fields(version)
    details: dict[str, Value] = {
        "LanguageISOCode": party.language.upper()[:2],
        "Name": name[:35],
        "Name2": person[:35] if address.company else name[35:70],
        "ShortStreetName": address.street_1[:35],
        "PostlCodeforCustomer": address.zip[:10],
        "CityName": address.city[:35],
        "Country": address.country_iso2.upper(),
        # The store has names where SAP has codes of up to three characters; a name is left out.
        "Region": address.state.upper() if re.fullmatch(r"[A-Za-z0-9]{1,3}", address.state) else "",
    }
    return {field: value for field, value in details.items() if field in known}


def amount(value: Decimal, currency: str) -> Amount:
    """`value` with the decimals of `currency`. Raises `FieldError` when it has more."""
    places = decimals(currency)
    exact = value.quantize(Decimal(1).scaleb(-places))
    if exact != value:
        raise FieldError(AMOUNT, f"{value} has more decimals than {currency}")
    return Amount(format(exact + ZERO, "f"), currency)


# ------------------------------------------------------------------ tax


def tax_group(codes: str, groups: Sequence[TaxGroup]) -> TaxGroup | None:
    """How a part with several codes (`CS+CC`) is sent; None for a single code. Raises `Unmapped`."""
    if "+" not in codes:
        return None
    wanted = tuple(codes.split("+"))
    found = next((group for group in groups if group.codes == wanted), None)
    if found is None:
        raise Unmapped("tax_group", codes)
    return found


def group_number(codes: str, groups: Sequence[TaxGroup]) -> str:
    """Links a net line and the tax items of its levels: a number, equal inside a document for equal codes."""
    return str([group.codes for group in groups].index(tuple(codes.split("+"))) + 1)


@dataclass(frozen=True, slots=True)
class TaxItem:
    """One tax item. `level` counts from 1 for jurisdictions; amounts are signed."""

    code: str
    amount: Decimal
    base: Decimal
    jurisdiction: str = ""
    level: int = 0
    lowest: str = ""
    group: str = ""


def tax_items(document: Document, settings: S4Settings) -> list[TaxItem]:
    """One item per tax code, also where its tax is 0; one per level for several codes on a part. Raises `Unmapped`."""
    bases: dict[str, Decimal] = {}
    taxes: dict[str, Decimal] = {}
    for line in document.lines:
        if line.tax_code:
            sums = taxes if line.role is Role.TAX_PAYABLE else bases
            sums[line.tax_code] = sums.get(line.tax_code, ZERO) + line.signed
    shares = _shares(bases, taxes, document.currency)
    items: list[TaxItem] = []
    for codes, base in bases.items():
        group = tax_group(codes, settings.tax_groups)
        if group is None:
            items.append(TaxItem(codes, shares.get((codes, codes), ZERO), base))
            continue
        number = group_number(codes, settings.tax_groups)
        items += [
            TaxItem(group.code, shares.get((codes, code), ZERO), base, level, place, group.levels[-1], number)
            for place, (code, level) in enumerate(zip(group.codes, group.levels, strict=True), start=1)
        ]
    met = {code for codes in bases for code in codes.split("+")}
    items += [TaxItem(code, tax, ZERO) for code, tax in taxes.items() if code not in met]
    return items


def _shares(
    bases: Mapping[str, Decimal], taxes: Mapping[str, Decimal], currency: str
) -> dict[tuple[str, str], Decimal]:
    """The tax of a code that stands on parts of several combinations, split by their nets."""
    shares: dict[tuple[str, str], Decimal] = {}
    for code, tax in taxes.items():
        combinations = [codes for codes in bases if code in codes.split("+")]
        total = sum((bases[codes] for codes in combinations), ZERO)
        if not combinations:
            continue
        if total == 0:
            exact = [tax, *([ZERO] * (len(combinations) - 1))]
        else:
            exact = [tax * bases[codes] / total for codes in combinations]
        for codes, share in zip(combinations, allocate(exact, tax, currency), strict=True):
            shares[codes, code] = share
    return shares


def _tax_values(item: TaxItem, currency: str, settings: S4Settings) -> Values:
    direction = item.amount or item.base
    return {
        "TaxCode": item.code,
        "TaxItemClassification": settings.tax_classification,
        "ConditionType": settings.tax_condition_type,
        "TaxJurisdiction": item.jurisdiction,
        "TaxJurisdictionLevel": str(item.level) if item.level else "",
        "LowestLevelTaxJurisdiction": item.lowest,
        "TaxItemGroup": item.group,
        AMOUNT: amount(item.amount, currency),
        "DebitCreditCode": "S" if direction > 0 else "H",
        "TaxBaseAmountInTransCrcy": amount(item.base, currency),
    }
