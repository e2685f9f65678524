"""The allow-listed tables: database column -> property of the entity that it shows.

Absent from the list, as in the guide's default: OACT, OINM, OSPP, OJDT, OUSR. User tables are added by the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.fields import SETS, TYPES, Row
from ml_connector.sandbox.business_one.tables.enums import ENUMS

DOCUMENT = """
    DocEntry DocNum DocStatus=DocumentStatus CANCELED=CancelStatus DocType CardCode CardName NumAtCard DocDate
    DocDueDate TaxDate DocTotal DocTotalFC=DocTotalFc VatSum VatSumFC=VatSumFc DocCur=DocCurrency DocRate PaidToDate
    PaidFC=PaidToDateFC UpdateDate UpdateTS=UpdateTime CreateDate=CreationDate Comments TransId=TransNum Series
    TrackNo=TrackingNumber
"""
LINE = """
    DocEntry LineNum ItemCode Dscription=ItemDescription Quantity OpenQty=RemainingOpenQuantity Price LineTotal
    WhsCode=WarehouseCode BaseType BaseEntry BaseLine LineStatus VatGroup TaxCode
"""
PAYMENT = """
    DocEntry DocNum CardCode DocDate Canceled=Cancelled DocType TrsfrSum=TransferSum TrsfrRef=TransferReference
    TrsfrAcct=TransferAccount CashSum CounterRef=CounterReference DocCurr=DocCurrency DocRate Comments=Remarks
    JrnlMemo=JournalRemarks TrsfrDate=TransferDate
"""
APPLIED = "DocEntry InvType=InvoiceType SumApplied AppliedFC InvoiceId=LineNum"
ITEM = """
    ItemCode ItemName OnHand=QuantityOnStock IsCommited=QuantityOrderedByCustomers OnOrder=QuantityOrderedFromVendors
    validFor=Valid frozenFor=Frozen InvntItem=InventoryItem SellItem=SalesItem ItmsGrpCod=ItemsGroupCode
    CodeBars=BarCode UpdateDate UpdateTS=UpdateTime CreateDate TreeType DfltWH=DefaultWarehouse
"""
STOCK = (
    "ItemCode WhsCode=WarehouseCode OnHand=InStock IsCommited=Committed OnOrder=Ordered Locked MinStock=MinimalStock"
)
PARTNER = """
    CardCode CardName CardType GroupCode Currency E_Mail=EmailAddress Balance=CurrentAccountBalance
    frozenFor=Frozen validFor=Valid UpdateDate UpdateTS=UpdateTime CreateDate
"""
PRICE = "PriceList Price Currency"
PRICE_LIST = "ListNum=PriceListNo ListName=PriceListName BASE_NUM=BasePriceList Factor"


@dataclass(frozen=True)
class SqlTable:
    """``inside``: the collection whose lines are the rows. ``parent_key``: columns taken from the entity itself."""

    entity_set: str
    columns: Mapping[str, str]
    type_name: str
    inside: str = ""
    parent_key: tuple[tuple[str, str], ...] = ()


def _columns(text: str) -> Mapping[str, str]:
    pairs = (token.partition("=") for token in text.split())
    return {column: prop or column for column, _, prop in pairs}


def _entity(entity_set: str, text: str) -> SqlTable:
    return SqlTable(entity_set, _columns(text), SETS[entity_set].type_name)


def _lines(entity_set: str, type_name: str, inside: str, text: str, *parent: tuple[str, str]) -> SqlTable:
    return SqlTable(entity_set, _columns(text), type_name, inside, parent)


TABLES: Mapping[str, SqlTable] = {
    **{
        name: _entity(entity_set, DOCUMENT)
        for name, entity_set in (
            ("ORDR", "Orders"),
            ("OINV", "Invoices"),
            ("ODLN", "DeliveryNotes"),
            ("ORIN", "CreditNotes"),
            ("ORDN", "Returns"),
            ("ODPI", "DownPayments"),
            ("ODRF", "Drafts"),
        )
    },
    **{
        name: _lines(entity_set, "DocumentLine", "DocumentLines", LINE, ("DocEntry", "DocEntry"))
        for name, entity_set in (
            ("RDR1", "Orders"),
            ("INV1", "Invoices"),
            ("DLN1", "DeliveryNotes"),
            ("RIN1", "CreditNotes"),
            ("RDN1", "Returns"),
            ("DPI1", "DownPayments"),
        )
    },
    "ORCT": _entity("IncomingPayments", PAYMENT),
    "OVPM": _entity("VendorPayments", PAYMENT),
    "RCT2": _lines("IncomingPayments", "PaymentInvoice", "PaymentInvoices", APPLIED, ("DocNum", "DocEntry")),
    "VPM2": _lines("VendorPayments", "PaymentInvoice", "PaymentInvoices", APPLIED, ("DocNum", "DocEntry")),
    "OITM": _entity("Items", ITEM),
    "OITW": _lines("Items", "ItemWarehouseInfo", "ItemWarehouseInfoCollection", STOCK),
    "ITM1": _lines("Items", "ItemPrice", "ItemPrices", PRICE, ("ItemCode", "ItemCode")),
    "OPLN": _entity("PriceLists", PRICE_LIST),
    "OCRD": _entity("BusinessPartners", PARTNER),
}


@dataclass(frozen=True)
class Source:
    """Rows of one table as the database shows them, by column in lower case."""

    table: SqlTable | None
    user_table: str
    company: Company

    def column(self, name: str) -> str | None:
        """The property behind a column; None: there is none."""
        if self.table is None:
            known = {"Code": "Code", "Name": "Name", **self._udfs("@" + self.user_table[2:])}
        else:
            own = {column: column for column, _ in self.table.parent_key}
            udf_table = "INV1" if self.table.inside == "DocumentLines" else SETS[self.table.entity_set].udf_table
            no_udfs = bool(self.table.inside) and udf_table != "INV1"
            udfs = self._udfs("" if no_udfs else udf_table)
            known = {**self.table.columns, **own, **udfs}
        return next((prop for column, prop in known.items() if column.lower() == name.lower()), None)

    @property
    def key(self) -> str:
        """The property that orders the rows, as far as the order is for nothing."""
        return "Code" if self.table is None else SETS[self.table.entity_set].keys[0]

    def rows(self, since: Any = None) -> Iterator[Row]:
        """In the order of the key; from ``since`` on, where that is given."""
        if self.table is None:
            yield from self.company.table(self.user_table).in_key_order(since)
            return
        for row in self.company.table(self.table.entity_set).in_key_order(since):
            if not self.table.inside:
                yield row
                continue
            lines: list[Row] = row.get(self.table.inside) or []
            if self.table.parent_key:
                parent = {column: row[prop] for column, prop in self.table.parent_key}
                lines = [{**line, **parent} for line in lines]
            yield from lines

    def reader(self, prop: str) -> Callable[[Row], Any]:
        """What takes a column from a row as the database has it: members of enumerations by their value."""
        known = None if self.table is None else TYPES[self.table.type_name].by_name.get(prop)
        if known is None or known.kind != "enum":
            return lambda row: row.get(prop)
        fallback = "tNO" if known.of == "BoYesNoEnum" else None
        values: dict[Any, Any] = {None: None, **ENUMS[known.of]}
        if prop == "InvoiceType":
            values = {name: value if value is None else int(value) for name, value in values.items()}
        return lambda row: values[row.get(prop) or fallback]

    @property
    def version(self) -> tuple[str, int]:
        """Moves when a row of the table is written."""
        name = self.user_table if self.table is None else self.table.entity_set
        return name, self.company.table(name).version

    def _udfs(self, table: str) -> Mapping[str, str]:
        return {name: name for name in self.company.udfs(table, None)}


def shown(value: Any) -> Any:
    """As an answer has it: days are yyyymmdd."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.strftime("%Y%m%d")
    if isinstance(value, time):
        return int(value.strftime("%H%M%S"))
    return value


def source(company: Company, name: str) -> Source | None:
    """``ORDR`` or ``@MLC_CLAIM``; None for what is not on the list."""
    bare = name.upper()
    if bare.startswith("@"):
        known = company.user_table("U_" + bare[1:], None)
        return None if known is None else Source(None, "U_" + bare[1:], company)
    table = TABLES.get(bare)
    return None if table is None else Source(table, "", company)
