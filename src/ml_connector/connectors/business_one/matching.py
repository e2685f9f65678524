"""Money on account that is matched with its invoice: internal reconciliations, which carry no reference of ours.

One is known by what it matches: the payment and the invoice, which do carry one. A payment that is matched in full can
not be matched again; a part of one is guarded by the engine's own rules alone. Sources: Service Layer metadata and SDK
help of the service, never run on a real server: policy `sales.deposits: leave` switches it off.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ml_connector.connectors.base import (
    Lookup,
    Outgoing,
    Permit,
    Posted,
    PostResult,
    Problem,
    Refused,
    StoredDocument,
    StoredLine,
    Unknown,
)
from ml_connector.connectors.business_one.answers import SYSTEM, failure_of
from ml_connector.connectors.business_one.client import B1Client, chunks, literal
from ml_connector.connectors.business_one.master_data import MasterData
from ml_connector.connectors.business_one.stored import rows_in
from ml_connector.connectors.business_one.tables import INVOICES, RECEIPTS, REFERENCE, Target, cut
from ml_connector.connectors.business_one.wire import entry_of, text
from ml_connector.connectors.errors import Conflict, Rejected, Transient, Unauthorized
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, date_of, decimal_of, text_of
from ml_connector.domain.documents import Document, Kind, Role, Side
from ml_connector.domain.money import ZERO

SET = "InternalReconciliations"
SELECT = ("ReconNum", "ReconDate", "ReconType", "CancelAbs", "InternalReconciliationRows")
OPEN_ITEMS = "InternalReconciliationsService_GetOpenTransactions"


@dataclass(frozen=True, slots=True)
class Match:
    """A reconciliation that stands. `matched`: by object type and key, the amount of each item in it."""

    number: str
    day: date | None
    matched: Mapping[tuple[str, int], Decimal]

    def amount_of(self, target: Target, entry: int) -> Decimal:
        return self.matched.get((str(target.type), entry), ZERO)


def amount_of(document: Document) -> Decimal:
    """What an application moves from the payment to the invoice."""
    lines = [line for line in document.lines if line.role is Role.RECEIVABLE and line.side is Side.CREDIT]
    return sum((line.amount for line in lines), ZERO)


# ------------------------------------------------------------------ finding


async def find(client: B1Client, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
    """Reconciliations that match both of what a document names, on any day from when both were there."""
    wanted = [lookup.document for lookup in lookups if lookup.document.draws]
    if not wanted:
        return {}
    paid = await _entries(client, RECEIPTS, {document.draws for document in wanted})
    sold = await _entries(client, INVOICES, {document.applies_to for document in wanted})
    pairs = {
        document.reference: (document, paid[document.draws], sold[document.applies_to])
        for document in wanted
        if document.draws in paid and document.applies_to in sold
    }
    if not pairs:
        return {}
    since = min(max(one[1], other[1]) for _, one, other in pairs.values())
    found: dict[str, list[StoredDocument]] = {}
    async for match in _matches(client, f"ReconDate ge '{since.isoformat()}'"):
        for reference, (document, (receipt, _), (invoice, _)) in pairs.items():
            if match.amount_of(RECEIPTS, receipt) and match.amount_of(INVOICES, invoice):
                stored = _stored(reference, match, document.customer, match.amount_of(RECEIPTS, receipt))
                found.setdefault(reference, []).append(stored)
    return found


async def between(client: B1Client, first: date, last: date, prefix: str) -> AsyncIterator[StoredDocument]:
    """Every reconciliation of these days that matches a payment of ours with an invoice. A user who may not see them
    has made none: orders that are posted at capture need no right to them."""
    where = f"ReconDate ge '{first.isoformat()}' and ReconDate le '{last.isoformat()}'"
    try:
        matches = [match async for match in _matches(client, where, background=True)]
    except (Rejected, Unauthorized):
        return
    entries = {entry for match in matches for kind, entry in match.matched if kind == str(RECEIPTS.type)}
    clauses = [f"DocEntry eq {entry}" for entry in sorted(entries)]
    answered = await together(
        client.rows(RECEIPTS.set, where=where, select=("DocEntry", "CardCode", REFERENCE), priority="background")
        for where in chunks(clauses)
    )
    for row in (row for rows in answered for row in rows):
        reference, entry = application_of(text_of(row, REFERENCE)), int(text_of(row, "DocEntry"))
        for match in matches:
            with_invoice = any(kind == str(INVOICES.type) for kind, _ in match.matched)
            amount = match.amount_of(RECEIPTS, entry)
            if amount and with_invoice and reference.startswith(prefix):
                yield _stored(reference, match, text_of(row, "CardCode"), amount)


def application_of(payment: str) -> str:
    """The name of what settles this payment: `BC-S1-7-P90` by `BC-S1-7-A90`; empty where it is none of ours."""
    parts = payment.split("-")
    if not payment.startswith("BC-") or len(parts) < 4 or parts[3][:1] not in ("P", "S"):
        return ""
    return "-".join([*parts[:3], f"A{parts[3][1:] or parts[2]}"])


async def _entries(client: B1Client, target: Target, references: set[str]) -> dict[str, tuple[int, date]]:
    """By reference, the key and the day of the document that stands under it."""
    answered = await together(
        client.rows(target.set, where=where, select=("DocEntry", "DocDate", "Cancelled", REFERENCE))
        for where in chunks([f"{REFERENCE} eq {literal(reference)}" for reference in sorted(references)])
    )
    return {
        text_of(row, REFERENCE): (int(text_of(row, "DocEntry")), date_of(text_of(row, "DocDate")[:10]) or date.min)
        for rows in answered
        for row in rows
        if text_of(row, "Cancelled") != "tYES"
    }


async def _matches(client: B1Client, where: str, *, background: bool = False) -> AsyncIterator[Match]:
    """Without those that a payment makes by itself, and those that were cancelled."""
    condition = f"{where} and ReconType ne 'rtPayment'"
    pages = client.pages(
        SET, key="ReconNum", where=condition, select=SELECT, priority="background" if background else "orders"
    )
    async for page in pages:
        for row in page:
            if int(decimal_of(row, "CancelAbs")) == 0:
                yield _match(row)


def _match(row: Row) -> Match:
    matched: dict[tuple[str, int], Decimal] = {}
    for each in rows_in(row, "InternalReconciliationRows"):
        key = (text_of(each, "SrcObjTyp"), int(decimal_of(each, "SrcObjAbs")))
        matched[key] = matched.get(key, ZERO) + abs(decimal_of(each, "ReconcileAmount"))
    return Match(f"{SET}/{text_of(row, 'ReconNum')}", date_of(text_of(row, "ReconDate")[:10]), matched)


def _stored(reference: str, match: Match, customer: str, amount: Decimal) -> StoredDocument:
    return StoredDocument(
        reference=reference,
        number=match.number,
        posting_date=match.day,
        lines=(StoredLine("", amount, customer=customer), StoredLine("", -amount, customer=customer)),
        fields={"matched": format(amount, "f")},
    )


def differences(sent: Document, stored: StoredDocument) -> list[str]:
    wanted, has = amount_of(sent), Decimal(stored.fields.get("matched", "0"))
    return [] if wanted == has else [f"matched: sent {wanted}, stored {has}"]


# ------------------------------------------------------------------ posting


async def problems(data: MasterData, document: Document) -> list[Problem]:
    """Amounts of a foreign currency would have to be matched at two rates: a person's work."""
    if await data.currency_code(document.currency) == (await data.company()).local:
        return []
    words = (
        f"{document.draws} is in {document.currency}: match it with {document.applies_to} in Business One by hand "
        "(Internal Reconciliation), then replay the record; or set the policy sales.deposits to leave"
    )
    return [Problem("currency", document.currency, words)]


async def post(client: B1Client, item: Outgoing, permit: Permit) -> PostResult:
    """Raises as `B1Client.write`, and `Rejected` where one of the two is not there."""
    document = item.document
    payment, invoice = item.earlier.get(document.draws), item.earlier.get(document.applies_to)
    if payment is None or invoice is None or payment.document is None or invoice.document is None:
        raise Rejected(f"{document.draws} or {document.applies_to} does not stand in Business One", code="earlier")
    days = [each.document.posting_date for each in (payment, invoice) if each.document is not None]
    items = await _open_items(client, document, min(days), max(days))
    wanted = ((RECEIPTS, entry_of(payment.number)), (INVOICES, entry_of(invoice.number)))
    amount = amount_of(document)
    rows: list[Row] = []
    for target, entry in wanted:
        open_item = items.get((str(target.type), entry))
        has = abs(decimal_of(open_item, "ReconcileAmount")) if open_item is not None else ZERO
        if open_item is None or has < amount:
            raise Rejected(
                f"{target.set}/{entry} has {has} open in Business One, not {amount}: it was matched or paid there "
                "otherwise; see the customer's internal reconciliations",
                system=SYSTEM,
                code="open_items",
            )
        rows.append({**open_item, "Selected": "tYES", "ReconcileAmount": text(amount)})
    body = body_of(document, rows)
    part = await client.write("POST", SET, body=body, permit=permit, references=(document.reference,))
    if part.status >= 400:
        try:
            raise failure_of(part.told, document.reference, write=True)
        except (Transient, Conflict) as error:
            return Refused(error.message, error.code, transient=True)
        except Rejected as error:
            return Refused(error.message, error.code, hold="closed_period" if part.told.closed_period else "")
    try:
        number = text_of(part.row, "ReconNum")
    except ValueError as error:
        return Unknown(f"Business One answered {part.status}, unreadable: {error}")
    if part.status != 201 or not number.isdigit():
        return Unknown(f"Business One answered {part.status} without the reconciliation's number")
    return Posted(f"{SET}/{number}", shown=number)


def body_of(document: Document, rows: Sequence[Row]) -> Row:
    return {
        "ReconDate": document.posting_date.isoformat(),
        "CardOrAccount": "coaCard",
        "InternalReconciliationOpenTransRows": list(rows),
    }


def question(document: Document, first: date, last: date) -> Row:
    """For the customer's open items among the documents of these days."""
    asked = {
        "CardOrAccount": "coaCard",
        "ReconDate": document.posting_date.isoformat(),
        "DateType": "rsdtPostDate",
        "FromDate": first.isoformat(),
        "ToDate": last.isoformat(),
        "InternalReconciliationBPs": [{"BPCode": cut("CardCode", document.customer)}],
    }
    return {"InternalReconciliationOpenTransParams": asked}


async def _open_items(client: B1Client, document: Document, first: date, last: date) -> dict[tuple[str, int], Row]:
    """What of the customer's documents of these days is open, by object type and key."""
    answer = await client.action(OPEN_ITEMS, question(document, first, last), priority="orders")
    found: dict[tuple[str, int], Row] = {}
    with readable(OPEN_ITEMS, SYSTEM):
        for row in rows_in(answer, "InternalReconciliationOpenTransRows"):
            kept = {name: row.get(name) for name in _KEPT} | {"ReconcileAmount": decimal_of(row, "ReconcileAmount")}
            found[text_of(row, "SrcObjTyp"), int(decimal_of(row, "SrcObjAbs"))] = kept
    return found


_KEPT = ("ShortName", "TransId", "TransRowId", "SrcObjTyp", "SrcObjAbs", "CreditOrDebit")


def undoes_one(document: Document) -> bool:
    """Whether this is the reversal of an application, which a person makes."""
    parts = document.reverses.split("-")
    return document.kind is Kind.REVERSAL and len(parts) > 3 and parts[3].startswith("A")
