"""Customers: business partners in the customer role, created at most once under our external ID.

Source: SAP Business Accelerator Hub, "Business Partner (A2X)", API_BUSINESS_PARTNER; `docs/protocol/s4hana.md`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ml_connector.connectors.base import Lookup, Permit, Posted, PostResult, Problem, Refused, StoredDocument, Unknown
from ml_connector.connectors.errors import Conflict, Rejected, Transient
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata import AgainPermit, readable
from ml_connector.connectors.odata_values import (
    Row,
    any_of,
    entity_of,
    equals,
    etag_of,
    expanded,
    flag_of,
    key,
    text_of,
)
from ml_connector.connectors.s4hana.client import SYSTEM, S4Client
from ml_connector.connectors.s4hana.settings import CustomerDefaults, S4Settings
from ml_connector.connectors.s4hana.wire import padded
from ml_connector.domain.documents import Document, Party

SERVICE = "API_BUSINESS_PARTNER"
SCENARIO = "SAP_COM_0008"
EXTERNAL_ID = "BusinessPartnerIDByExtSystem"
PARTNER_FIELDS = (
    "BusinessPartner",
    "Customer",
    EXTERNAL_ID,
    "BusinessPartnerCategory",
    "BusinessPartnerIsBlocked",
    "IsMarkedForArchiving",
)
COMPANY_ROLE = "FLCU00"
SALES_ROLE = "FLCU01"
LOOKUPS_PER_CALL = 20
CONTENT = "to_BusinessPartnerAddress,to_BusinessPartnerAddress/to_EmailAddress"


# ------------------------------------------------------------------ payloads


def new_partner(document: Document, settings: S4Settings) -> Mapping[str, Any]:
    """The deep insert: partner, roles, address, company code data, and sales area where one is configured.

    Raises `ValueError` when the document has no party.
    """
    party = document.party
    if party is None:
        raise ValueError(f"{document.reference} names no customer")
    defaults = settings.customers
    language = (party.language or defaults.language).upper()[:2]
    body: dict[str, Any] = {
        **names(party),
        "BusinessPartnerGrouping": defaults.grouping,
        "CorrespondenceLanguage": language,
        "SearchTerm1": document.reference[:20],
        EXTERNAL_ID: document.reference,
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": role} for role in _roles(defaults)],
        "to_BusinessPartnerAddress": [_new_address(party, language)],
        "to_Customer": _customer(settings),
    }
    if party.vat_number and defaults.tax_number_type:
        body["to_BusinessPartnerTax"] = [{"BPTaxType": defaults.tax_number_type, "BPTaxNumber": party.vat_number[:20]}]
    return body


def names(party: Party) -> dict[str, str]:
    """Category 2 for a company, 1 for a person; long names go on in the next field."""
    address = party.address
    if party.is_company:
        whole = address.company or f"{address.first_name} {address.last_name}".strip()
        parts = [whole[start : start + 40] for start in range(0, min(len(whole), 160), 40)]
        return {"BusinessPartnerCategory": "2"} | {
            f"OrganizationBPName{place}": part for place, part in enumerate(parts, start=1)
        }
    last = address.last_name or address.first_name or "Customer"
    first = address.first_name if address.last_name else ""
    return {"BusinessPartnerCategory": "1", "FirstName": first[:40], "LastName": last[:40]}


def address_fields(party: Party) -> dict[str, str]:
    """Postal address; SAP keeps regions as codes, so a region's name is left out."""
    address = party.address
    region = address.state.upper() if re.fullmatch(r"[A-Za-z0-9]{1,3}", address.state) else ""
    fields = {
        "Country": address.country_iso2.upper(),
        "Region": region,
        "CityName": address.city[:40],
        "PostalCode": address.zip[:10],
        "StreetName": address.street_1[:60],
        "StreetSuffixName": address.street_2[:40],
    }
    return {name: value for name, value in fields.items() if value}


def _new_address(party: Party, language: str) -> Mapping[str, Any]:
    address = party.address
    row: dict[str, Any] = {**address_fields(party), "Language": language}
    if address.email:
        row["to_EmailAddress"] = [{"EmailAddress": address.email[:241]}]
    if address.phone:
        row["to_PhoneNumber"] = [
            {"PhoneNumber": address.phone[:30], "DestinationLocationCountry": address.country_iso2.upper()}
        ]
    row["to_AddressUsage"] = [{"AddressUsage": "XXDEFAULT"}]
    return row


def _roles(defaults: CustomerDefaults) -> Sequence[str]:
    return (COMPANY_ROLE, SALES_ROLE) if defaults.sales_organization else (COMPANY_ROLE,)


def _customer(settings: S4Settings) -> Mapping[str, Any]:
    defaults = settings.customers
    company = {
        "CompanyCode": settings.company_code,
        "ReconciliationAccount": defaults.reconciliation_account,
        "PaymentTerms": defaults.payment_terms,
    }
    customer: dict[str, Any] = {"to_CustomerCompany": [_filled(company)]}
    if defaults.sales_organization:
        area = {
            "SalesOrganization": defaults.sales_organization,
            "DistributionChannel": defaults.distribution_channel,
            "Division": defaults.division,
            "Currency": defaults.currency,
            "CustomerPaymentTerms": defaults.payment_terms,
        }
        customer["to_CustomerSalesArea"] = [_filled(area)]
    return customer


def _filled(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


# ------------------------------------------------------------------ capabilities


def problems(document: Document, settings: S4Settings) -> list[Problem]:
    """What SAP would refuse about a new partner."""
    found: list[Problem] = []
    if document.party is None:
        found.append(Problem("customer", document.reference, "the document names no customer"))
    elif not document.party.address.country_iso2:
        found.append(Problem("field", "Country", f"the customer {document.party.key} has no country in its address"))
    if document.generation == 1 and not settings.customers.reconciliation_account:
        message = "set customer_reconciliation_account in the connection: SAP creates no customer without one"
        found.append(Problem("setting", "customer_reconciliation_account", message))
    if not re.fullmatch("[A-Z0-9-]{1,20}", document.base_reference):
        found.append(
            Problem("field", EXTERNAL_ID, f"{document.base_reference!r} is no external ID (A-Z, 0-9, -, up to 20)")
        )
    return found


async def find(client: S4Client, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
    """Partners by our external ID, every one that carries it, so that a second one is seen.

    An update (generation above 1) is found as the partner that it changes, with its present content.
    """
    ids = sorted({lookup.document.base_reference for lookup in lookups})
    with_content = any(lookup.document.generation > 1 for lookup in lookups)
    answered = await together(
        client.service(SERVICE, SCENARIO).rows(
            "A_BusinessPartner",
            order_by="BusinessPartner",
            where=any_of([equals(EXTERNAL_ID, wanted) for wanted in ids[start : start + LOOKUPS_PER_CALL]]),
            select=() if with_content else PARTNER_FIELDS,
            expand=CONTENT if with_content else "",
        )
        for start in range(0, len(ids), LOOKUPS_PER_CALL)
    )
    with readable(SERVICE, SYSTEM):
        stored = [_stored(row) for rows in answered for row in rows]
    found: dict[str, Sequence[StoredDocument]] = {}
    for document in (lookup.document for lookup in lookups):
        hits = [
            replace(hit, reference=document.reference) for hit in stored if hit.reference == document.base_reference
        ]
        if hits:
            found[document.reference] = hits
    return found


def _stored(row: Row) -> StoredDocument:
    blocked = flag_of(row, "BusinessPartnerIsBlocked") or flag_of(row, "IsMarkedForArchiving")
    contents = [row, *(part for part in (_address_of(row), _mail_of(row)) if part is not None)]
    return StoredDocument(
        reference=text_of(row, EXTERNAL_ID).upper(),
        number=_number(row),
        state="blocked" if blocked else "posted",
        fields={
            "business_partner": padded(text_of(row, "BusinessPartner")),
            "category": text_of(row, "BusinessPartnerCategory"),
        }
        | {name: text_of(part, name) for part in contents for name in _COMPARED if name in part},
    )


_COMPARED = (
    *("FirstName", "LastName", "OrganizationBPName1", "OrganizationBPName2", "OrganizationBPName3"),
    *("OrganizationBPName4", "Country", "Region", "CityName", "PostalCode", "StreetName", "StreetSuffixName"),
    "EmailAddress",
)


def _address_of(row: Row) -> Row | None:
    return next(iter(expanded(row, "to_BusinessPartnerAddress")), None)


def _mail_of(row: Row) -> Row | None:
    address = _address_of(row)
    return next(iter(expanded(address, "to_EmailAddress")), None) if address is not None else None


def _number(row: Row) -> str:
    """The customer account, which is the partner's number unless SAP is set up otherwise."""
    return padded(text_of(row, "Customer") or text_of(row, "BusinessPartner"))


async def create(client: S4Client, document: Document, permit: Permit) -> PostResult:
    """Creates the partner. Raises what leaves the outcome open or concerns the connection; a refusal is a result."""
    if len(document.reference) > 20:
        return Refused(f"the external ID {document.reference} is longer than 20 characters", "field")
    try:
        response = await client.service(SERVICE, SCENARIO).write(
            "POST",
            "A_BusinessPartner",
            permit=permit,
            body=new_partner(document, client.settings),
            references=(document.reference,),
        )
    except Rejected as error:
        return Refused(error.message, error.code)
    except (Transient, Conflict) as error:
        return Refused(error.message, error.code, transient=True)
    try:
        number = _number(entity_of(response))
    except ValueError as error:
        return Unknown(f"SAP answered {response.status}, unreadable: {error}")
    if response.status != 201 or not number:
        return Unknown(f"SAP answered {response.status} without a number")
    warning = response.headers.get("sap-message", "")
    return Posted(number, (warning,) if warning else ())


def differences(sent: Document, stored: StoredDocument) -> list[str]:
    """A person stored where a company was meant, or the reverse; for an update also names, address and e-mail.

    What the partner does not have at all (an address, an e-mail) is not compared.
    """
    party = sent.party
    if party is None:
        return []
    category = stored.fields.get("category", "")
    wanted = names(party)["BusinessPartnerCategory"]
    if category and category != wanted:
        return [f"category: sent {wanted}, stored {category} (1 person, 2 company)"]
    if sent.generation == 1:
        return []
    return [
        f"{name}: sent {value!r}, stored {stored.fields[name]!r}"
        for name, value in wanted_content(party).items()
        if name in stored.fields and not _same(value, stored.fields[name])
    ]


def wanted_content(party: Party) -> dict[str, str]:
    """What an update makes true."""
    content = {name: value for name, value in names(party).items() if name != "BusinessPartnerCategory"}
    return content | address_fields(party) | _filled({"EmailAddress": party.address.email[:241]})


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


async def update(client: S4Client, document: Document, permit: Permit) -> PostResult:
    """Makes name, address and e-mail of the partner those of the document, one PATCH per entity that differs.

    Absolute values with the version that was read: safe to repeat. A version that changed under us is a transient
    refusal.
    """
    party = document.party
    if party is None:
        raise ValueError(f"{document.reference} names no customer")
    service = client.service(SERVICE, SCENARIO)
    rows = await service.rows(
        "A_BusinessPartner",
        order_by="BusinessPartner",
        where=equals(EXTERNAL_ID, document.base_reference),
        expand=CONTENT,
    )
    if len(rows) != 1:
        return Refused(f"{len(rows)} business partners carry {document.base_reference}; one is expected", "count")
    (row,) = rows
    with readable(SERVICE, SYSTEM):
        stored, changes = _stored(row), list(_changes(row, party))
    if mixed := differences(replace(document, generation=1), stored):
        return Refused("; ".join(mixed), "category")
    try:
        await permit.arm()
        for path, part, etag in changes:
            await service.write(
                "PATCH", path, permit=AgainPermit(permit), body=part, etag=etag, references=(document.reference,)
            )
    except Rejected as error:
        return Refused(error.message, error.code)
    except (Transient, Conflict) as error:
        return Refused(error.message, error.code, transient=True)
    return Posted(_number(row))


def _changes(row: Row, party: Party) -> Iterator[tuple[str, Mapping[str, str], str]]:
    """Path, changed fields and version of every entity that does not say what `party` says."""
    content = wanted_content(party)
    address, mail = _address_of(row), _mail_of(row)
    parts: list[tuple[Row, str]] = [(row, f"A_BusinessPartner{_key_of(row, 'BusinessPartner')}")]
    if address is not None:
        parts.append((address, f"A_BusinessPartnerAddress{_key_of(address, 'BusinessPartner', 'AddressID')}"))
    if mail is not None:
        parts.append((mail, f"A_AddressEmailAddress{_key_of(mail, 'AddressID', 'Person', 'OrdinalNumber')}"))
    for part, path in parts:
        delta = {
            name: value for name, value in content.items() if name in part and not _same(value, text_of(part, name))
        }
        if delta:
            yield path, delta, etag_of(part)


def _key_of(row: Row, *fields: str) -> str:
    return key(**{name: text_of(row, name) for name in fields})
