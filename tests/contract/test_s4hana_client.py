"""What we write and read, held against the vendor's own files: WSDL of the journal entry post, OData metadata."""

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from ml_connector.connectors.base import Earlier, Outgoing
from ml_connector.connectors.s4hana import customers, master_data, stored
from ml_connector.connectors.s4hana.settings import CustomerDefaults, S4Settings
from ml_connector.connectors.s4hana.tables import BULK, JOURNAL_ENTRY, NAMESPACE, SOAP_ACTION, for_version
from ml_connector.connectors.s4hana.wire import request_body
from ml_connector.connectors.soap import ENVELOPE, Field, FieldError
from ml_connector.domain.documents import Document, Party, Role
from ml_connector.domain.mapping import TaxGroup
from tests.connectors.s4hana.documents import ANN, line, order, payment, reversal

SPECS = os.environ.get("ML_CONNECTOR_SPECS", "")
pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not SPECS, reason="ML_CONNECTOR_SPECS names no folder with the vendor's contracts"),
]
FOLDER = Path(SPECS) / "s4hana"
XSD = "{http://www.w3.org/2001/XMLSchema}"
VERSIONS = ("2020", "2024")
GROUPS = (TaxGroup(("CS", "CC", "CM"), "I1", ("NY00", "NY0001", "NY00010001")),)
SETTINGS = S4Settings(
    "ledger",
    "https://erp.example",
    "1710",
    "BCCONNECT",
    tax_groups=GROUPS,
    tax_condition_type="MWAS",
    customers=CustomerDefaults(
        reconciliation_account="12100000",
        payment_terms="0001",
        sales_organization="1710",
        currency="USD",
        tax_number_type="DE0",
    ),
)
NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)


def schema_of(version: str) -> etree._Element:
    tree = etree.parse(str(FOLDER / f"JOURNALENTRYCREATEREQUESTCONFI.{version}.wsdl"))
    (schema,) = tree.getroot().iter(f"{XSD}schema")
    return schema


def validator(version: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema_of(version))))


def message_of(outgoing: list[Outgoing], version: str) -> etree._Element:
    raw = request_body(outgoing, replace(SETTINGS, journal_version=version), NOW)
    return etree.fromstring(etree.tostring(etree.fromstring(raw).find(f"{{{ENVELOPE}}}Body")[0]))


def full_order() -> Document:
    """Every element that we ever write, in one entry."""
    return order(
        lines=(
            line(Role.RECEIVABLE, "12100000", "220.12"),
            line(Role.REVENUE, "410000", "-188.24", "CS+CC+CM", profit_center="YB110"),
            replace(line(Role.SHIPPING_INCOME, "411000", "-14.00", "CX"), assignment="90100211"),
            line(Role.TAX_PAYABLE, "220110", "-11.29", "CS"),
            line(Role.TAX_PAYABLE, "220111", "-0.47", "CC"),
            line(Role.TAX_PAYABLE, "220112", "-6.12", "CM"),
            line(Role.ROUNDING, "469000", "-0.00"),
        ),
        text="A header text that is much longer than SAP's field",
        exchange_rate=Decimal("1.0825"),
        customer_reference="PO 4711",
        party=Party("guest", ANN, one_time=True, vat_number="DE123456789", language="en"),
    )


DOCUMENTS = {
    "order": Outgoing(full_order()),
    "payment": Outgoing(payment()),
    "reversal": Outgoing(reversal(order()), {order().reference: Earlier("0100000008/1710/2026")}),
    "yen": Outgoing(
        replace(
            payment(),
            currency="JPY",
            lines=(line(Role.CLEARING, "113100", "1500"), line(Role.RECEIVABLE, "1", "-1500")),
        )
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_we_write_is_valid_for_the_wsdl(version: str, name: str):
    if (version, name) == ("2020", "reversal"):
        with pytest.raises(FieldError, match="Reversal"):  # that version cannot reverse
            message_of([DOCUMENTS[name]], version)
        return
    schema = validator(version)
    schema.validate(message_of([DOCUMENTS[name], DOCUMENTS["payment"]], version))
    assert not list(schema.error_log), [error.message for error in schema.error_log]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_refuses_what_is_wrong(version: str):
    """The test above can fail."""
    message = message_of([DOCUMENTS["payment"]], version)
    next(message.iter("CompanyCode")).text = "17100"
    assert not validator(version).validate(message)


@pytest.mark.parametrize("version", VERSIONS)
def test_field_tables_are_the_wsdl_s(version: str):
    """Order, length and necessity of every element of our tables."""
    schema = schema_of(version)
    types = {
        element.get("name"): element for element in schema if element.tag in (f"{XSD}complexType", f"{XSD}simpleType")
    }

    def compare(fields: tuple[Field, ...], type_name: str) -> None:
        elements = {element.get("name"): element for element in types[type_name].iter(f"{XSD}element")}
        positions = [list(elements).index(field.name) for field in fields]
        assert positions == sorted(positions), type_name
        ours = {field.name for field in fields if field.required}
        needed = {name for name, element in elements.items() if element.get("minOccurs", "1") != "0"}
        assert needed <= ours, (type_name, needed - ours)
        for field in fields:
            element = elements[field.name]
            inner = (element.get("type") or "").rpartition(":")[2]
            if field.kind == "complex":
                compare(field.fields, inner)
            elif field.length:
                assert field.length == longest(inner), (type_name, field.name)

    def longest(type_name: str) -> int:
        element = types[type_name]
        for extension in element.iter(f"{XSD}extension"):
            return longest(extension.get("base").rpartition(":")[2])
        (facet,) = [each for each in element.iter() if each.tag in (f"{XSD}maxLength", f"{XSD}length")]
        return int(facet.get("value"))

    compare(for_version(BULK, version), "JournalEntryCreateRequestBulkMessage")


@pytest.mark.parametrize("version", VERSIONS)
def test_address_of_the_operation(version: str):
    text = (FOLDER / f"JOURNALENTRYCREATEREQUESTCONFI.{version}.wsdl").read_text()
    assert f'soapAction="{SOAP_ACTION}"' in text
    assert f'targetNamespace="{NAMESPACE}"' in text


def test_every_document_element_is_in_the_table():
    assert len({field.name for field in JOURNAL_ENTRY}) == len(JOURNAL_ENTRY)


# ------------------------------------------------------------------ OData metadata


def properties(file: str, type_name: str) -> dict[str, int | None]:
    tree = etree.parse(str(FOLDER / f"{file}.edmx"))
    (entity,) = [each for each in tree.getroot().iter("{*}EntityType") if each.get("Name") == type_name]
    return {
        each.get("Name"): int(each.get("MaxLength")) if each.get("MaxLength") else None
        for each in entity.iter("{*}Property")
    }


@pytest.mark.parametrize(
    ("file", "type_name", "names"),
    [
        (stored.CUBE, f"{stored.CUBE_SET}Type", (*stored.SELECT, *stored.ORDER_BY.split(","), stored.REFERENCE)),
        (master_data.CHART, "A_GLAccountInChartOfAccountsType", master_data.ACCOUNT_FIELDS),
        (master_data.CHART, "A_GLAccountTextType", master_data.ACCOUNT_TEXT_FIELDS),
        (master_data.COMPANY, "A_CompanyCodeType", master_data.COMPANY_FIELDS),
        (master_data.COST_CENTER, "A_CostCenterType", master_data.COST_CENTER_FIELDS),
        (customers.SERVICE, "A_BusinessPartnerType", customers.PARTNER_FIELDS),
    ],
)
def test_properties_exist(file: str, type_name: str, names: tuple[str, ...]):
    assert set(names) <= set(properties(file, type_name))


def test_lengths_that_we_rely_on():
    cube = properties(stored.CUBE, f"{stored.CUBE_SET}Type")
    assert (cube["DocumentReferenceID"], cube["Reference1InDocumentHeader"]) == (16, 20)
    assert (cube["AccountingDocument"], cube["GLAccount"], cube["Customer"]) == (10, 10, 10)
    assert properties(customers.SERVICE, "A_BusinessPartnerType")["BusinessPartnerIDByExtSystem"] == 20


NAVIGATION = {
    "to_BusinessPartnerRole": "A_BusinessPartnerRoleType",
    "to_BusinessPartnerAddress": "A_BusinessPartnerAddressType",
    "to_EmailAddress": "A_AddressEmailAddressType",
    "to_PhoneNumber": "A_AddressPhoneNumberType",
    "to_AddressUsage": "A_BuPaAddressUsageType",
    "to_Customer": "A_CustomerType",
    "to_CustomerCompany": "A_CustomerCompanyType",
    "to_CustomerSalesArea": "A_CustomerSalesAreaType",
    "to_BusinessPartnerTax": "A_BusinessPartnerTaxNumberType",
}


@pytest.mark.parametrize("is_company", [False, True])
def test_new_partners_fit_the_metadata(is_company: bool):
    long = "A very long name that goes on and on until no field of SAP could ever hold all of it in one piece"
    address = replace(ANN, company=long, last_name=long, city=long, street_1=long, street_2=long, zip=long, phone=long)
    party = Party("77", address, is_company=is_company, vat_number="DE123456789", language="english")
    body = customers.new_partner(replace(order("S1-C77"), party=party), SETTINGS)

    def compare(row: object, type_name: str) -> None:
        assert isinstance(row, dict)
        known = properties(customers.SERVICE, type_name)
        for name, value in row.items():
            if name in NAVIGATION:
                for inner in value if isinstance(value, list) else [value]:
                    compare(inner, NAVIGATION[name])
                continue
            assert name in known, (type_name, name)
            assert len(value) <= (known[name] or 999), (type_name, name)

    compare(body, "A_BusinessPartnerType")


def test_dates_are_the_documents_own():
    raw = request_body([Outgoing(replace(order(), posting_date=date(2026, 4, 1)))], SETTINGS, NOW)
    assert b"<PostingDate>2026-04-01</PostingDate>" in raw
    assert b"<TaxDeterminationDate>2026-03-04</TaxDeterminationDate>" in raw
