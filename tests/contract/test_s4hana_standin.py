"""The S/4HANA stand-in's field tables against the vendor's WSDL and metadata, and its own metadata against both."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ml_connector.sandbox.s4hana import ledger_tables, soap_tables
from ml_connector.sandbox.s4hana.odata.fields import EntityType, Field, Service
from ml_connector.sandbox.s4hana.odata.metadata import metadata
from ml_connector.sandbox.s4hana.partner_tables import PARTNER_SERVICE
from ml_connector.sandbox.s4hana.soap_values import NUMBERS, text_facets
from ml_connector.sandbox.s4hana.stock import MATERIAL_STOCK_SERVICE, PRODUCT_SERVICE

pytestmark = pytest.mark.contract

XSD = "{http://www.w3.org/2001/XMLSchema}"
SAP = "{http://www.sap.com/Protocols/SAPData}"
SERVICES = {
    "API_OPLACCTGDOCITEMCUBE_SRV.edmx": ledger_tables.CUBE_SERVICE,
    "API_GLACCOUNTINCHARTOFACCOUNTS_SRV.edmx": ledger_tables.GL_ACCOUNT_SERVICE,
    "API_COMPANYCODE_SRV.edmx": ledger_tables.COMPANY_CODE_SERVICE,
    "API_COSTCENTER_SRV.edmx": ledger_tables.COST_CENTER_SERVICE,
    "API_BUSINESS_PARTNER.edmx": PARTNER_SERVICE,
    "API_MATERIAL_STOCK_SRV.edmx": MATERIAL_STOCK_SERVICE,
    "API_PRODUCT_SRV.edmx": PRODUCT_SERVICE,
}
READ_ONLY_HERE = {"A_Product"}
"""The vendor lets products be written; nothing of ours does, and the stand-in refuses it."""
TYPES = [
    pytest.param(file, each.type, id=f"{each.type.name}") for file, service in SERVICES.items() for each in service.sets
]
COMPLEX = {
    "Bulk": "JournalEntryCreateRequestBulkMessage",
    "Message": "JournalEntryCreateRequestMessage",
    "Header": "BusinessDocumentMessageHeader",
    "Party": "BusinessDocumentMessageHeaderParty",
    "Contact": "BusinessDocumentMessageHeaderPartyContactPerson",
    "Phone": "PhoneNumber",
    "Scope": "BusinessScope",
    "Entry": "JournalEntryCreateRequestJournalEntry",
    "Item": "JournalEntryCreateRequestJournalEntryItem",
    "Tax": "JournalEntryCreateRequestJournalEntryTaxDetails",
    "Assignment": "JournalEntryCreateRequestJournalEntryItemAccountAssignment",
    "Profitability": "JournalEntryCreateRequestJournalEntryItemProfitabilitySupplement",
    "Attributes": "JournalEntryCreateRequestJournalEntryItemAdditionalAttributes",
    "DebtorItem": "JournalEntryCreateRequestJournalEntryDebtorItem",
    "Terms": "JournalEntryCreateRequestJournalEntryCashDiscountTerms",
    "DebtorPayment": "JournalEntryCreateRequestJournalEntryDebtorItemPaymentDetails",
    "DebtorDownPayment": "JournalEntryCreateRequestJournalEntryDownPayment",
    "OneTimeCustomer": "JournalEntryCreateRequestJournalEntryOneTimeCustomer",
    "CreditorItem": "JournalEntryCreateRequestJournalEntryCreditorItem",
    "CreditorPayment": "JournalEntryCreateRequestJournalEntryCreditorItemPaymentDetails",
    "PayeeBank": "JournalEntryCreateRequestJournalEntryCreditorItemPayeeBankAccount",
    "CreditorDownPayment": "JournalEntryCreateRequestJournalEntryDownPaymentCreditor",
    "OneTimeVendor": "JournalEntryCreateRequestJournalEntryOneTimeVendor",
    "ProductTaxItem": "JournalEntryCreateRequestJournalEntryProductTaxItem",
    "WithholdingTaxItem": "JournalEntryCreateRequestJournalEntryWithholdingTaxItem",
}


@pytest.fixture(scope="module")
def specs() -> Path:
    folder = os.environ.get("ML_CONNECTOR_SPECS")
    if not folder:
        pytest.skip("ML_CONNECTOR_SPECS is not set: it names the folder with the vendors' contracts")
    return Path(folder) / "s4hana"


@pytest.fixture(scope="module")
def wsdl(specs: Path) -> Any:
    return etree.parse(specs / "JOURNALENTRYCREATEREQUESTCONFI.2024.wsdl").getroot()


def named(wsdl: Any, kind: str, name: str) -> Any:
    (found,) = (each for each in wsdl.iter(f"{XSD}{kind}") if each.get("name") == name)
    return found


def facets(wsdl: Any, type_name: str) -> tuple[str, Mapping[str, str]]:
    """Base type and facets; of a complex type with simple content, those of its base."""
    local = type_name.partition(":")[2] or type_name
    complex_types = [each for each in wsdl.iter(f"{XSD}complexType") if each.get("name") == local]
    if complex_types:
        return facets(wsdl, complex_types[0].find(f".//{XSD}extension").get("base"))
    simple_types = [each for each in wsdl.iter(f"{XSD}simpleType") if each.get("name") == local]
    if not simple_types:
        return local, {}
    restriction = simple_types[0].find(f"{XSD}restriction")
    return restriction.get("base").partition(":")[2], {
        etree.QName(each).localname: each.get("value") for each in restriction
    }


@pytest.mark.parametrize("table", sorted(soap_tables.TABLES))
def test_posting_tables_follow_the_wsdl_in_name_sequence_and_occurrence(wsdl: Any, table: str) -> None:
    vendor = [
        (each.get("name"), each.get("minOccurs", "1") != "0", each.get("maxOccurs", "1") != "1")
        for each in named(wsdl, "complexType", COMPLEX[table]).iter(f"{XSD}element")
    ]
    ours = [(part.name, part.required, part.repeats) for part in soap_tables.parts(table)]
    assert ours == vendor


@pytest.mark.parametrize("table", sorted(soap_tables.TABLES))
def test_posting_types_follow_the_wsdl(wsdl: Any, table: str) -> None:
    types = {
        each.get("name"): each.get("type") for each in named(wsdl, "complexType", COMPLEX[table]).iter(f"{XSD}element")
    }
    for part in soap_tables.parts(table):
        vendor = types[part.name]
        local = vendor.partition(":")[2] or vendor
        if part.is_table:
            assert COMPLEX[part.type] == local, part
            continue
        base, limits = facets(wsdl, vendor)
        if (own := text_facets(part.type)) is not None:
            high = int(limits.get("maxLength", limits.get("length", 0)))
            low = int(limits.get("minLength", limits.get("length", 0)))
            assert (own.minimum, own.maximum) == (low, high), part
            assert own.collapse == (base != "string"), part
            assert own.digits == (limits.get("pattern") == r"\d+"), part
        elif part.type in NUMBERS:
            assert base == "decimal", part
            assert NUMBERS[part.type] == (int(limits["totalDigits"]), int(limits["fractionDigits"])), part
        else:
            wanted = {"date": "date", "moment": "dateTime", "bool": "boolean", "days": "duration", "uuid": "token"}
            assert base == {**wanted, "uri": "anyURI"}[part.type], part


def test_only_amounts_demand_a_currency(wsdl: Any) -> None:
    attribute = named(wsdl, "complexType", "Amount").find(f".//{XSD}attribute")
    assert (attribute.get("name"), attribute.get("use")) == ("currencyCode", "required")


def test_operation_and_elements_of_the_wsdl(wsdl: Any, specs: Path) -> None:
    roots = {each.get("name") for each in wsdl.iter(f"{XSD}element") if each.getparent().tag == f"{XSD}schema"}
    assert roots == {soap_tables.REQUEST, soap_tables.CONFIRMATION}
    schema = next(wsdl.iter(f"{XSD}schema"))
    assert schema.get("targetNamespace") == soap_tables.NAMESPACE
    assert schema.get("elementFormDefault") is None
    paths = set(
        re.findall(
            r'location="https?://[^/"]+(/[^"]*)"', (specs / "JOURNALENTRYCREATEREQUESTCONFI.2024.wsdl").read_text()
        )
    )
    assert paths == {"/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"}


@pytest.mark.parametrize(("file", "entity"), TYPES)
def test_entities_follow_the_metadata(specs: Path, file: str, entity: EntityType) -> None:
    (vendor,) = (each for each in etree.parse(specs / file).iter("{*}EntityType") if each.get("Name") == entity.name)
    keys = [each.get("Name") for each in vendor.iter("{*}PropertyRef")]
    assert [each.name for each in entity.keys] == keys
    properties = {each.get("Name"): each for each in vendor.iter("{*}Property")}
    for each in entity.fields:
        assert each.name in properties, f"{entity.name} has no {each.name}"
        assert described(each) == vendor_described(properties[each.name]), each.name
    navigations = {each.get("Name") for each in vendor.iter("{*}NavigationProperty")}
    assert {nav.name for nav in entity.navs} <= navigations


def described(field: Field) -> dict[str, Any]:
    shape = (
        "Date"
        if field.edm == "Edm.DateTime"
        else "UpperCase"
        if field.upper
        else "NonNegative"
        if field.numeric
        else None
    )
    return {
        "type": field.edm,
        "length": field.max_length,
        "precision": field.precision if field.edm == "Edm.Decimal" else None,
        "scale": field.scale if field.edm == "Edm.Decimal" else None,
        "shape": shape,
        "writable": field.writable,
    }


def vendor_described(vendor: Any) -> dict[str, Any]:
    decimal = vendor.get("Type") == "Edm.Decimal"
    return {
        "type": vendor.get("Type"),
        "length": int(vendor.get("MaxLength")) if vendor.get("MaxLength") else None,
        "precision": int(vendor.get("Precision")) if decimal else None,
        "scale": int(vendor.get("Scale") or 0) if decimal else None,
        "shape": None if vendor.get("Type") == "Edm.Boolean" else vendor.get(f"{SAP}display-format"),
        "writable": vendor.get(f"{SAP}creatable") != "false",
    }


@pytest.mark.parametrize("file", sorted(SERVICES))
def test_sets_and_what_may_be_done_with_them(specs: Path, file: str) -> None:
    service = SERVICES[file]
    document = etree.parse(specs / file)
    vendor = {each.get("Name"): each for each in document.iter("{*}EntitySet")}
    for each in service.sets:
        theirs = vendor[each.name]
        assert theirs.get("EntityType").endswith(f".{each.type.name}")
        allowed = tuple(theirs.get(f"{SAP}{name}") != "false" for name in ("creatable", "updatable", "deletable"))
        if each.name in READ_ONLY_HERE:
            allowed = (False, False, False)
        assert (each.creatable, each.updatable, each.deletable) == allowed, each.name
    assert next(document.iter("{*}Schema")).get("Namespace") == service.namespace


@pytest.mark.parametrize("file", sorted(SERVICES))
def test_navigations_lead_where_the_metadata_says(specs: Path, file: str) -> None:
    service = SERVICES[file]
    document = etree.parse(specs / file)
    ends = {
        (association.get("Name"), end.get("Role")): (end.get("Type").rpartition(".")[2], end.get("Multiplicity"))
        for association in document.iter("{*}Association")
        for end in association.iter("{*}End")
    }
    for each in service.sets:
        (vendor,) = (one for one in document.iter("{*}EntityType") if one.get("Name") == each.type.name)
        theirs = {one.get("Name"): one for one in vendor.iter("{*}NavigationProperty")}
        for nav in each.type.navs:
            relation = theirs[nav.name]
            target = ends[relation.get("Relationship").rpartition(".")[2], relation.get("ToRole")]
            assert (service.by_name[nav.target].type.name, nav.many) == (target[0], target[1] == "*"), nav.name


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda each: each.name)
def test_served_metadata_says_what_the_tables_say(service: Service) -> None:
    served = etree.fromstring(metadata(service).encode())
    for each in service.sets:
        (entity,) = (one for one in served.iter("{*}EntityType") if one.get("Name") == each.type.name)
        assert [described(field) for field in each.type.fields] == [
            vendor_described(one) for one in entity.iter("{*}Property")
        ]
