"""Customers: business partners under a code that follows from our reference, matched before one is created.

The code is the primary key, so that a second creation is refused by the database. Sources: Service Layer guide and
metadata; `docs/protocol/business-one.md`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from ml_connector.connectors.base import Lookup, Permit, Posted, PostResult, Problem, Refused, StoredDocument, Unknown
from ml_connector.connectors.business_one.answers import failure_of
from ml_connector.connectors.business_one.client import B1Client, chunks, literal
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.tables import EXTERNAL_ID, LENGTHS, cut
from ml_connector.connectors.business_one.wire import state_code
from ml_connector.connectors.errors import Conflict, Rejected, Transient
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata_values import Row, text_of
from ml_connector.domain.documents import Document, Party

SET = "BusinessPartners"
SELECT = (
    *("CardCode", "CardName", "CardType", "EmailAddress", "Phone1", "FederalTaxID", "CompanyPrivate"),
    *("Valid", "Frozen", EXTERNAL_ID, "BPAddresses"),
)
BILLING, SHIPPING = "Web billing", "Web shipping"
_HASH_DIGITS = 8


def code_of(reference: str) -> str:
    """`CardCode`, 15 characters: the reference itself, or its head and a hash of it where it is longer."""
    if len(reference) <= LENGTHS["CardCode"]:
        return reference
    digest = hashlib.sha256(reference.encode()).hexdigest().upper()[:_HASH_DIGITS]
    return f"{reference[: LENGTHS['CardCode'] - _HASH_DIGITS]}{digest}"


# ------------------------------------------------------------------ payloads


def new_partner(document: Document, settings: B1Settings) -> dict[str, Any]:
    """Raises `ValueError` when the document has no party."""
    party = document.party
    if party is None:
        raise ValueError(f"{document.reference} names no customer")
    defaults = settings.customers
    body: dict[str, Any] = {
        "CardCode": code_of(document.base_reference),
        "CardType": "cCustomer",
        "Currency": defaults.currency,
        "CompanyPrivate": "cCompany" if party.is_company else "cPrivate",
        EXTERNAL_ID: document.base_reference,
        **content(party),
    }
    optional = {
        "GroupCode": defaults.group,
        "PriceListNum": defaults.price_list,
        "PayTermsGrpCode": defaults.payment_terms,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    body["BPAddresses"] = [
        {"AddressName": BILLING, "AddressType": "bo_BillTo", **address_fields(party)},
        {"AddressName": SHIPPING, "AddressType": "bo_ShipTo", **address_fields(party)},
    ]
    return body


def content(party: Party) -> dict[str, str]:
    """What an update makes true of the partner itself."""
    address = party.address
    person = f"{address.first_name} {address.last_name}".strip()
    name = (address.company or person) if party.is_company else (person or address.company)
    fields = {
        "CardName": cut("CardName", name or "Customer"),
        "EmailAddress": cut("EmailAddress", address.email),
        "Phone1": cut("Phone1", address.phone),
        "FederalTaxID": cut("FederalTaxID", party.vat_number),
    }
    return {field: value for field, value in fields.items() if value}


def address_fields(party: Party) -> dict[str, str]:
    address = party.address
    fields = {
        "Street": cut("Street", address.street_1),
        "BuildingFloorRoom": cut("BuildingFloorRoom", address.street_2),
        "City": cut("City", address.city),
        "ZipCode": cut("ZipCode", address.zip),
        "State": state_code(address.state),
        "Country": address.country_iso2.upper(),
    }
    return {field: value for field, value in fields.items() if value}


# ------------------------------------------------------------------ capabilities


def problems(document: Document) -> list[Problem]:
    if document.party is None:
        return [Problem("customer", document.reference, "the document names no customer")]
    return []


async def find(client: B1Client, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
    """By our ID, by the code that follows from it, and, where the connection says so, by e-mail among partners that
    carry no ID of ours. Every hit is given: of several nobody chooses. Of an update, the partner that was bound: its
    mail address may be the very thing that has changed."""
    documents = {lookup.document.reference: lookup.document for lookup in lookups}
    clauses: list[str] = []
    for document in documents.values():
        base = document.base_reference
        clauses += [f"{EXTERNAL_ID} eq {literal(base)}", f"CardCode eq {literal(_code(document))}"]
        if email := _email(document, client.settings):
            clauses += [f"EmailAddress eq {literal(spelling)}" for spelling in dict.fromkeys((email, email.lower()))]
    answered = await together(
        client.rows(SET, key="CardCode", where=where, select=SELECT) for where in chunks(list(dict.fromkeys(clauses)))
    )
    rows = list({text_of(row, "CardCode"): row for rows in answered for row in rows}.values())
    found = {reference: hits_of(document, rows, client.settings) for reference, document in documents.items()}
    return {reference: hits for reference, hits in found.items() if hits}


def hits_of(document: Document, rows: Sequence[Row], settings: B1Settings) -> list[StoredDocument]:
    """Which of `rows` answer to `document`."""
    base = document.base_reference
    hits = [row for row in rows if text_of(row, EXTERNAL_ID) == base or _is_its_code(row, _code(document), base)]
    if not hits and (email := _email(document, settings)):
        hits = [row for row in rows if _matches(row, email)]
    return [_stored(document.reference, row) for row in hits]


def _code(document: Document) -> str:
    """Of the partner that was bound, or that would be created."""
    return document.customer if document.generation > 1 and document.customer else code_of(document.base_reference)


def _is_its_code(row: Row, code: str, base: str) -> bool:
    """A partner under that code, whom nobody else's ID marks as another."""
    return text_of(row, "CardCode").upper() == code.upper() and text_of(row, EXTERNAL_ID) in ("", base)


def _matches(row: Row, email: str) -> bool:
    return (
        text_of(row, "EmailAddress").lower() == email.lower()
        and not text_of(row, EXTERNAL_ID)
        and text_of(row, "CardType") in ("cCustomer", "C")
    )


def _email(document: Document, settings: B1Settings) -> str:
    party = document.party
    matched = document.generation == 1 and settings.customers.match == "email"
    return party.address.email if party is not None and matched else ""


def _stored(reference: str, row: Row) -> StoredDocument:
    refused = text_of(row, "Frozen") == "tYES" or text_of(row, "Valid") == "tNO"
    billing = _address(row, "bo_BillTo") or {}
    return StoredDocument(
        reference=reference,
        number=text_of(row, "CardCode"),
        state="blocked" if refused else "posted",
        fields={name: text_of(row, name) for name in _COMPARED if name in row}
        | {name: text_of(billing, name) for name in _ADDRESS if name in billing},
    )


_COMPARED = ("CardName", "EmailAddress", "Phone1", "FederalTaxID", "CompanyPrivate", "CardType")
_ADDRESS = ("Street", "BuildingFloorRoom", "City", "ZipCode", "State", "Country")


def _address(row: Row, kind: str) -> Row | None:
    value = row.get("BPAddresses")
    rows = cast("list[object]", value) if isinstance(value, list) else []
    addresses = [cast("Row", each) for each in rows if isinstance(each, dict)]
    return next((each for each in addresses if text_of(each, "AddressType") == kind), None)


async def create(client: B1Client, document: Document, permit: Permit) -> PostResult:
    """A code that is taken meanwhile is somebody else's creation of the same customer: looked up and bound."""
    part = await client.write(
        "POST", SET, body=new_partner(document, client.settings), permit=permit, references=(document.reference,)
    )
    if part.status >= 400:
        if part.told.already_there:
            return await bound(client, document, part.told.words)
        try:
            raise failure_of(part.told, SET, write=True)
        except Rejected as error:
            return Refused(error.message, error.code)
        except (Transient, Conflict) as error:
            return Refused(error.message, error.code, transient=True)
    try:
        code = text_of(part.row, "CardCode")
    except ValueError as error:
        return Unknown(f"Business One answered {part.status}, unreadable: {error}")
    return (
        Posted(code) if part.status == 201 and code else Unknown(f"Business One answered {part.status} without a code")
    )


async def bound(client: B1Client, document: Document, words: str) -> PostResult:
    found = (await find(client, [Lookup(document)])).get(document.reference, ())
    if len(found) == 1:
        return Posted(found[0].number, (words,))
    return Refused(f"{words}; {len(found)} partners answer to {document.reference}", "duplicate")


def differences(sent: Document, stored: StoredDocument) -> list[str]:
    """A creation asks that the partner exists; an update that name, contact and billing address say what it says."""
    party = sent.party
    if party is None or sent.generation == 1:
        return []
    wanted = {**content(party), **address_fields(party)}
    return [
        f"{name}: sent {value!r}, stored {stored.fields[name]!r}"
        for name, value in wanted.items()
        if name in stored.fields and not _same(value, stored.fields[name])
    ]


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


async def update(client: B1Client, document: Document, permit: Permit) -> PostResult:
    """One PATCH of absolute values with the version that was read. An address is named by partner, type and row, or a
    second one would be made."""
    party = document.party
    if party is None:
        raise ValueError(f"{document.reference} names no customer")
    found = (await find(client, [Lookup(document)])).get(document.reference, ())
    if len(found) != 1:
        return Refused(f"{len(found)} partners answer to {document.base_reference}; one is expected", "count")
    code = found[0].number
    key = quote(literal(code), safe="'")  # people choose codes: blanks, umlauts, anything
    path = f"{SET}({key})"
    row = await client.entity(path)
    if row is None:
        return Refused(f"the partner {code} is gone", "count")
    body: dict[str, Any] = {**content(party), EXTERNAL_ID: document.base_reference}
    billing = _address(row, "bo_BillTo")
    name = text_of(billing, "AddressName") if billing is not None else BILLING
    address: dict[str, Any] = {"AddressName": name, "AddressType": "bo_BillTo", "BPCode": code, **address_fields(party)}
    if billing is not None and billing.get("RowNum") is not None:
        address["RowNum"] = billing["RowNum"]
    body["BPAddresses"] = [address]
    etag = text_of(row, "odata.etag") or text_of(row, "@odata.etag")
    part = await client.write(
        "PATCH",
        path,
        body=body,
        permit=permit,
        references=(document.reference,),
        headers={"If-Match": etag} if etag else None,
    )
    if part.status < 400:
        return Posted(code)
    try:
        raise failure_of(part.told, SET, write=True)
    except Rejected as error:
        return Refused(error.message, error.code)
    except (Transient, Conflict) as error:
        return Refused(error.message, error.code, transient=True)
