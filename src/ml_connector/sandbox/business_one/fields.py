"""Field tables read: entity types, complex types and entity sets.

A table is text, one token a field, ``Name:type``, with the type written as ``S`` text, ``S15`` text of at most 15
characters, ``I`` whole number, ``N`` number (six decimals are stored), ``D`` day, ``T`` time of day, ``@Type`` complex,
``*Type`` collection of complex, or the name of an enumeration; ``!`` marks a key, ``-`` what a client cannot write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ml_connector.sandbox.business_one.tables import documents, master, money, setup
from ml_connector.sandbox.business_one.tables.enums import ENUMS

Row = dict[str, Any]

TOKEN = re.compile(r"(?P<name>\w+):(?P<type>S\d*|[INDT]|[@*]\w+|\w+)(?P<key>!?)(?P<locked>-?)")
KINDS = {"I": "int", "N": "number", "D": "day", "T": "time"}


def words(text: str) -> tuple[str, ...]:
    """A list of names, written as text."""
    return tuple(text.split())


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    """text, int, number, day, time, enum, complex, collection."""
    of: str = ""
    """The enumeration or type."""
    max_length: int | None = None
    key: bool = False
    writable: bool = True


@dataclass(frozen=True)
class Type:
    name: str
    fields: tuple[Field, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        return {each.name: each for each in self.fields}

    @cached_property
    def keys(self) -> tuple[Field, ...]:
        return tuple(each for each in self.fields if each.key)


def read_type(name: str, table: str) -> Type:
    """Raises ``ValueError`` for a token that is not in the grammar."""
    return Type(name, tuple(_field(token) for token in table.split()))


def _field(token: str) -> Field:
    match = TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(f"not a field: {token}")
    written, name = match["type"], match["name"]
    key, writable = bool(match["key"]), not match["locked"]
    if written in ENUMS:
        return Field(name, "enum", written, None, key, writable)
    if written[0] in "@*":
        return Field(name, "complex" if written[0] == "@" else "collection", written[1:], None, key, writable)
    if written in KINDS:
        return Field(name, KINDS[written], "", None, key, writable)
    if written[0] == "S" and (written == "S" or written[1:].isdigit()):
        return Field(name, "text", "", int(written[1:]) if written[1:] else None, key, writable)
    raise ValueError(f"no type {written} in {token}")


TYPES: Mapping[str, Type] = {
    name: read_type(name, table)
    for module in (documents, money, master, setup)
    for name, table in module.TABLES.items()
}


CODE_LENGTH, NAME_LENGTH = 50, 100
USER_TABLE = Type("UserTable", (Field("Code", "text", "", CODE_LENGTH, True), Field("Name", "text", "", NAME_LENGTH)))
"""What every user table without an object has."""


@dataclass(frozen=True)
class EntitySet:
    """``udf_table``: where its user-defined fields are registered. ``object_type``: SAP's number of the object."""

    name: str
    type_name: str
    object_type: int = 0
    udf_table: str = ""
    etag: bool = False
    creatable: bool = False
    updatable: bool = False
    deletable: bool = False
    stamped: bool = False
    """Has a change stamp."""

    @property
    def type(self) -> Type:
        return TYPES.get(self.type_name, USER_TABLE)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.type.keys)


def _document(name: str, object_type: int, *, deletable: bool = False) -> EntitySet:
    return EntitySet(name, "Document", object_type, "OINV", True, True, True, deletable, True)


def _read(name: str, type_name: str, object_type: int = 0, udf_table: str = "") -> EntitySet:
    return EntitySet(name, type_name, object_type, udf_table)


def _written(name: str, type_name: str, object_type: int = 0, udf_table: str = "", **flags: bool) -> EntitySet:
    wanted = {"creatable": True, "updatable": True, "deletable": True, **flags}
    return EntitySet(name, type_name, object_type, udf_table, **wanted)


SETS: Mapping[str, EntitySet] = {
    each.name: each
    for each in (
        _document("Orders", 17),
        _document("Invoices", 13),
        _document("DeliveryNotes", 15),
        _document("CreditNotes", 14),
        _document("Returns", 16),
        _document("DownPayments", 203),
        _document("Quotations", 23),
        _document("Drafts", 112, deletable=True),
        _written("IncomingPayments", "Payment", 24, "ORCT", deletable=False),
        _written("VendorPayments", "Payment", 46, "OVPM", deletable=False),
        _written("JournalEntries", "JournalEntry", 30, "OJDT", deletable=False),
        EntitySet("InternalReconciliations", "InternalReconciliation", 321, creatable=True),
        _written("BusinessPartners", "BusinessPartner", 2, "OCRD", etag=True, stamped=True),
        _written("Items", "Item", 4, "OITM", etag=True, stamped=True),
        _written("Warehouses", "Warehouse", 64),
        _written("ChartOfAccounts", "ChartOfAccount", 1),
        _read("VatGroups", "VatGroup", 5),
        _read("SalesTaxCodes", "SalesTaxCode", 128),
        _written("AdditionalExpenses", "AdditionalExpense", 125, etag=True),
        _read("Currencies", "Currency", 37),
        _written("DistributionRules", "DistributionRule", 62),
        _written("ProfitCenters", "ProfitCenter", 61),
        _read("Dimensions", "Dimension", 251),
        _read("BusinessPlaces", "BusinessPlace", 247),
        _read("PriceLists", "PriceList", 6),
        _written("SpecialPrices", "SpecialPrice", 7),
        _read("ItemGroups", "ItemGroups", 52),
        _read("BusinessPartnerGroups", "BusinessPartnerGroup", 10),
        _read("PaymentTermsTypes", "PaymentTermsType", 40),
        _read("ShippingTypes", "ShippingType", 49),
        _read("CreditCards", "CreditCard", 36),
        _read("CreditPaymentMethods", "CreditPaymentMethod", 71),
        _read("SalesPersons", "SalesPerson", 53),
        _read("Projects", "Project", 63),
        _read("Countries", "Country"),
        _read("States", "State"),
        _written("UserFieldsMD", "UserFieldMD", updatable=False),
        _written("UserTablesMD", "UserTablesMD", updatable=False),
        _written("UserKeysMD", "UserKeysMD", updatable=False),
        _written("SQLQueries", "SQLQuery"),
        _written("EventSubscriptions", "EventSubscription"),
        _read("EventNotifications", "EventNotification"),
    )
}
MARKETING = ("Orders", "Invoices", "DeliveryNotes", "CreditNotes", "Returns", "DownPayments", "Quotations", "Drafts")
BY_OBJECT_TYPE: Mapping[int, str] = {each.object_type: each.name for each in SETS.values() if each.object_type}

DOCUMENT_TABLES = frozenset(words("OINV ORDR ODLN ORIN ODPI ODRF OQUT ORDN ORRR OPCH OPOR OPDN ORPC ORPD ODPO OWTR"))
LINE_TABLES = frozenset(words("INV1 RDR1 DLN1 RIN1 DPI1 DRF1 QUT1 RDN1 RRR1 PCH1 POR1 PDN1 RPC1 RPD1 DPO1 WTR1"))
OTHER_TABLES = frozenset(words("ORCT OVPM OCRD OITM OJDT JDT1 CRD1 OCPR"))


def udf_home(table: str) -> str | None:
    """The table that the field is kept for: one for all marketing documents, one for their lines; None: no table."""
    if table.upper() in DOCUMENT_TABLES:
        return "OINV"
    if table.upper() in LINE_TABLES:
        return "INV1"
    return table.upper() if table.upper() in OTHER_TABLES or table.startswith("@") else None


SUB_UDF = {"DocumentLine": "INV1", "JournalEntryLine": "JDT1", "BPAddress": "CRD1", "ContactEmployee": "OCPR"}
"""Complex types that carry user-defined fields, and where those are registered."""
