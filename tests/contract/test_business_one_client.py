"""What we write and ask for, held against the vendor's own metadata: entity sets, properties, enumerations, actions."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ml_connector.connectors.base import Earlier, Outgoing
from ml_connector.connectors.business_one import changing, customers, matching, periods, pings, setup, tables
from ml_connector.connectors.business_one.settings import B1Settings, CustomerDefaults
from ml_connector.connectors.business_one.wire import Facts, body_of
from ml_connector.domain.documents import Dimension, Kind, LineType, Role
from tests.connectors.business_one import documents as sales

SPECS = os.environ.get("ML_CONNECTOR_SPECS", "")
pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not SPECS, reason="ML_CONNECTOR_SPECS names no folder with the vendor's contracts"),
]
FOLDER = Path(SPECS) / "business_one"
SETTINGS = B1Settings(
    "erp",
    "https://erp.example:50000",
    "SBO",
    "mlc",
    freight={Role.SHIPPING_INCOME: 1},
    charge_item="WEB-CHARGE",
    branch=1,
    series=dict.fromkeys(Kind, 71),
    reserve_invoice=True,
    customers=CustomerDefaults(group=104, price_list=1, payment_terms=2),
)
FOREIGN = Facts("USD", True, {}, None)


class Metadata:
    """Types of the Service Layer, with their properties."""

    def __init__(self, path: Path) -> None:
        root = etree.parse(str(path)).getroot()
        self.types = {each.get("Name"): each for each in root.iter("{*}EntityType", "{*}ComplexType")}
        self.sets = {each.get("Name"): self._plain(each.get("EntityType")) for each in root.iter("{*}EntitySet")}
        self.enums = {
            each.get("Name"): {member.get("Name") for member in each.iter("{*}Member")}
            for each in root.iter("{*}EnumType")
        }
        self.actions = {each.get("Name") for each in root.iter("{*}FunctionImport")}

    @staticmethod
    def _plain(name: str) -> str:
        return re.sub(r"^Collection\(|\)$", "", name).rpartition(".")[2]

    def properties(self, type_name: str) -> dict[str, str]:
        element = self.types[type_name]
        return {each.get("Name"): each.get("Type") for each in element.iter("{*}Property", "{*}NavigationProperty")}

    def wrong(self, type_name: str, body: dict[str, Any], path: str = "") -> Iterator[str]:
        """Names and values that the type does not have; user fields (`U_*`) are the company's own."""
        known = self.properties(type_name)
        for name, value in body.items():
            where = f"{path}{type_name}.{name}"
            if name.startswith("U_"):
                continue
            if name not in known:
                yield where
                continue
            kind = self._plain(known[name])
            listed = (known[name] or "").startswith("Collection(")
            if listed != isinstance(value, list):
                yield f"{where} is {known[name]}"
            elif isinstance(value, list | dict):
                for each in value if isinstance(value, list) else [value]:
                    yield from self.wrong(kind, each, f"{where}/")
            elif kind in self.enums and value not in self.enums[kind]:
                yield f"{where} = {value}, not one of {sorted(self.enums[kind])}"
            elif kind in ("Double", "Int32"):
                Decimal(str(value))


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    return Metadata(FOLDER / "servicelayer_v1_metadata.edmx.xml")


def full_invoice():
    """Every field of a marketing document that we ever write."""
    lines = list(sales.invoice().lines)
    sold = replace(lines[0].itemised, warehouse="01", ship_to=sales.ADDRESS)
    lines[0] = replace(lines[0], itemised=sold, dimension=Dimension("1000", "2000", "3000"))
    lines.append(sales.line(Role.DISCOUNT_COUPON, "3.00", "A1", type=LineType.CHARGE))
    return sales.invoice(lines=tuple(lines), exchange_rate=Decimal("1.08"))


EARLIER = {
    "BC-S1-10311-I": Earlier("Invoices/4107", sales.invoice()),
    "BC-S1-10311-R32": Earlier("CreditNotes/12", sales.credit_memo()),
    "BC-S1-10311-O": Earlier("Orders/22", sales.sales_order()),
}
DOCUMENTS = {
    "invoice": full_invoice(),
    "order": sales.sales_order(),
    "delivery": sales.delivery(),
    "credit memo": sales.credit_memo(),
    "payment": sales.payment(),
    "deposit": sales.deposit(),
    "refund payment": sales.refund_payment(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("tax_field", ["VatGroup", "TaxCode"])
def test_what_we_write_is_known_to_the_metadata(metadata: Metadata, name: str, tax_field: str) -> None:
    document = DOCUMENTS[name]
    settings = replace(SETTINGS, tax_field=tax_field)
    for facts in (Facts("USD", False, {}, None), FOREIGN):
        body = body_of(Outgoing(document, EARLIER), settings, facts)
        json.dumps(body)  # texts and whole numbers only: an amount is never a float
        assert list(metadata.wrong(metadata.sets[tables.TARGETS[document.kind].set], body)) == []


def test_partners_are_known_to_the_metadata(metadata: Metadata) -> None:
    body = customers.new_partner(sales.customer(), SETTINGS)
    assert list(metadata.wrong("BusinessPartner", body)) == []
    changed = {"BPAddresses": [{"AddressName": "x", "AddressType": "bo_BillTo", "BPCode": "x", "RowNum": 0}]}
    assert list(metadata.wrong("BusinessPartner", changed)) == []


def test_the_metadata_refuses_what_is_wrong(metadata: Metadata) -> None:
    """The tests above can fail."""
    body = body_of(Outgoing(sales.payment(), EARLIER), SETTINGS, FOREIGN)
    body["CreditCards"] = []
    body["DocType"] = "rClient"
    body["PaymentInvoices"][0]["Sum"] = "1"
    assert [each.split(" ")[0] for each in metadata.wrong("Payment", body)] == [
        "Payment.DocType",
        "Payment.PaymentInvoices/PaymentInvoice.Sum",
        "Payment.CreditCards",
    ]


def test_what_we_select_exists(metadata: Metadata) -> None:
    selects = {target.set: tables.PAYMENT_SELECT if target.payment else tables.DOCUMENT_SELECT for target in tables.ALL}
    selects |= {
        tables.DRAFTS: tables.DRAFT_SELECT,
        tables.PAYMENT_DRAFTS: tables.DRAFT_SELECT,
        customers.SET: customers.SELECT,
        "UserFieldsMD": ("TableName", "Name", "FieldID", "Description", "Type", "SubType", "Size", "EditSize"),
        "UserTablesMD": ("TableName", "TableDescription", "TableType"),
    }
    for entity_set, fields in selects.items():
        known = metadata.properties(metadata.sets[entity_set])
        missing = [field for field in fields if not field.startswith("U_") and field not in known]
        # DocNum of payments and CancelStatus of documents are in both releases of the metadata.
        assert missing == [], entity_set


MASTER_DATA = {
    "ChartOfAccounts": ("Code", "Name", "FormatCode", "ActiveAccount", "FrozenFor", "ValidFor", "AccountType"),
    "SalesTaxCodes": ("Code", "Name", "Inactive", "ValidForAR"),
    "VatGroups": ("Code", "Name", "Inactive", "Category"),
    "Warehouses": ("WarehouseCode", "WarehouseName", "Inactive"),
    "DistributionRules": ("FactorCode", "FactorDescription", "InWhichDimension", "Active"),
    "AdditionalExpenses": ("ExpensCode", "Name", "RevenuesAccount"),
    "Currencies": ("Code", "Name", "DocumentsCode"),
    "Items": ("ItemCode", "ItemName", "Valid", "Frozen", "SalesItem"),
    "BusinessPartners": ("CardCode", "CardName", "CardType", "Valid", "Frozen", "Currency"),
    "BusinessPlaces": ("BPLID", "BPLName", "Disabled"),
}


@pytest.mark.parametrize("entity_set", MASTER_DATA)
def test_master_data_that_we_read_exists(metadata: Metadata, entity_set: str) -> None:
    known = metadata.properties(metadata.sets[entity_set])
    assert [field for field in MASTER_DATA[entity_set] if field not in known] == []


def test_actions_exist(metadata: Metadata) -> None:
    wanted = {"CompanyService_GetAdminInfo", "SeriesService_GetDocumentSeries", "Cancel", "Login", "Logout"}
    wanted.add("LicenseService_GetInstallationNumber")
    assert wanted <= metadata.actions
    company = metadata.properties("AdminInfo")
    assert {"CompanyName", "LocalCurrency", "PriceAccuracy", "TotalsAccuracy"} <= company.keys()


def test_enumerations_that_we_compare_with_exist(metadata: Metadata) -> None:
    assert {"csNo", "csYes", "csCancellation"} <= metadata.enums["CancelStatusEnum"]
    assert {"it_Invoice", "it_CredItnote"} <= metadata.enums["BoRcptInvTypes"]
    drafts = {target.draft for target in tables.ALL}
    listed = metadata.enums["BoObjectTypes"] | metadata.enums["BoPaymentsObjectType"]
    assert drafts <= listed, drafts - listed


def test_user_fields_are_written_as_the_metadata_has_them(metadata: Metadata) -> None:
    assert {"db_Alpha"} <= metadata.enums["BoFieldTypes"]
    assert {"st_None"} <= metadata.enums["BoFldSubTypes"]
    assert {"bott_NoObject"} <= metadata.enums["BoUTBTableType"]
    assert tables.CLAIMS.removeprefix("U_") == setup.CLAIM_TABLE
    assert len(setup.CLAIM_TABLE) <= 19
    assert pings.OLDEST


@pytest.mark.parametrize("part", ["sales", "banking", "businesspartners"])
def test_the_newer_metadata_has_what_we_write_too(part: str) -> None:
    schemas = json.loads((FOLDER / f"openapi_{part}.json").read_text())["components"]["schemas"]
    known = {name for schema in schemas.values() for name in schema.get("properties", {})}
    for name, document in DOCUMENTS.items():
        payment = tables.TARGETS[document.kind].payment
        if (part == "banking") != payment or part == "businesspartners":
            continue
        body = body_of(Outgoing(document, EARLIER), SETTINGS, FOREIGN)
        assert {field for field in body if not field.startswith("U_")} <= known, name
    if part == "businesspartners":
        body = customers.new_partner(sales.customer(), SETTINGS)
        assert {field for field in body if not field.startswith("U_")} <= known


def test_a_change_in_place_is_known_to_the_metadata(metadata: Metadata) -> None:
    body = changing.changes_of(Outgoing(sales.sales_order("BC-S1-10311-O-2")), SETTINGS, FOREIGN)
    assert {"DocumentLines", "DocumentAdditionalExpenses", "U_MLC_REF"} <= body.keys()
    assert not {"CardCode", "DocDate", "DocCurrency", "Series"} & body.keys()
    assert list(metadata.wrong("Document", body)) == []


def test_a_reconciliation_is_known_to_the_metadata(metadata: Metadata) -> None:
    """As the service takes it: open items; the rows that the entity itself has are read alone."""
    assert metadata.sets[matching.SET] == "InternalReconciliation"
    assert matching.OPEN_ITEMS in metadata.actions
    row = {
        "ShortName": "C1",
        "TransId": 7,
        "TransRowId": 0,
        "SrcObjTyp": "13",
        "SrcObjAbs": 5,
        "CreditOrDebit": "codDebit",
    }
    item = {**row, "Selected": "tYES", "ReconcileAmount": "66.70"}
    body = matching.body_of(sales.deposit(), [item])
    assert list(metadata.wrong("InternalReconciliationOpenTrans", dict(body))) == []
    asked = matching.question(sales.deposit(), sales.DAY, sales.DAY)["InternalReconciliationOpenTransParams"]
    assert list(metadata.wrong("InternalReconciliationOpenTransParams", asked)) == []
    assert set(matching.SELECT) <= metadata.properties("InternalReconciliation").keys()
    assert {periods.YEARS, periods.OF_YEAR} <= metadata.actions
