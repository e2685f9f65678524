"""The company that a stand-in starts with: master data that suits the demo store of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.vocabulary import BUNDLE_PARENT, FIRST_NAMES, ITEMS, MARKETS, CatalogueItem

Rows = list[dict[str, Any]]

LOCAL = "USD"
CURRENCIES: Rows = [
    {"Code": "USD", "Name": "US dollar", "DocumentsCode": "USD", "Decimals": "cdDefault"},
    {"Code": "EUR", "Name": "Euro", "DocumentsCode": "EUR", "Decimals": "cdDefault"},
    {"Code": "JPY", "Name": "Yen", "DocumentsCode": "JPY", "Decimals": "cdWithoutDecimals"},
    {"Code": "KWD", "Name": "Kuwaiti dinar", "DocumentsCode": "KWD", "Decimals": "cd3Digits"},
    {"Code": "CAN", "Name": "Canadian dollar", "DocumentsCode": "CAD", "Decimals": "cdDefault"},
    {"Code": "GBP", "Name": "Pound", "DocumentsCode": "GBP", "Decimals": "cdDefault"},
]
"""The system's own codes: the Canadian one is not ISO."""
OWN_CODE = {row["DocumentsCode"]: row["Code"] for row in CURRENCIES}

TAX_CODES = (
    ("X0", "No tax", "0"),
    ("O825", "TX sales tax", "8.25"),
    ("O950", "CA sales tax, Los Angeles", "9.5"),
    ("O600", "CA state", "6"),
    ("O025", "LA county", "0.25"),
    ("O325", "LA city", "3.25"),
    ("A19", "MwSt 19", "19"),
    ("A7", "MwSt 7", "7"),
    ("J10", "Consumption tax", "10"),
    ("J8", "Consumption tax, reduced", "8"),
    ("K5", "VAT Kuwait", "5"),
    ("H13", "HST Ontario", "13"),
)
ACCOUNTS = (
    ("_SYS00000000001", "100000", "Assets", True),
    ("_SYS00000000110", "121000", "Trade receivables", False),
    ("_SYS00000000160", "110000", "Bank", False),
    ("_SYS00000000161", "110100", "Cash", False),
    ("_SYS00000000261", "113100", "Card clearing", False),
    ("_SYS00000000262", "113200", "Wallet clearing", False),
    ("_SYS00000000263", "113300", "Other clearing", False),
    ("_SYS00000000264", "113400", "Gift certificate clearing", False),
    ("_SYS00000000265", "113500", "Store credit clearing", False),
    ("_SYS00000000310", "217100", "Gift certificate liability", False),
    ("_SYS00000000311", "217200", "Store credit liability", False),
    ("_SYS00000000312", "217300", "Customer deposits", False),
    ("_SYS00000000320", "220000", "Output tax", False),
    ("_SYS00000000400", "410000", "Revenue", False),
    ("_SYS00000000401", "411000", "Freight income", False),
    ("_SYS00000000402", "440000", "Discounts", False),
    ("_SYS00000000403", "443000", "Refund adjustments", False),
    ("_SYS00000000404", "469000", "Rounding", False),
    ("_SYS00000000405", "651000", "Payment fees", False),
)
CHARGES = (
    ("DISCOUNT", "Discount"),
    ("GIFT-CERTIFICATE", "Gift certificate"),
    ("ADJUSTMENT", "Adjustment"),
    ("RESTOCKING", "Restocking fee"),
    ("ROUNDING", "Rounding"),
    ("SERVICE", "Service"),
)
FREIGHT = ((1, "Shipping"), (2, "Handling"), (3, "Gift wrapping"), (4, "Fees"))
COUNTRIES = ("US", "DE", "JP", "KW", "CA", "GB", "FR", "AT", "CH", "NL")
STATES = (("US", "TX", "Texas"), ("US", "CA", "California"), ("US", "NY", "New York"), ("CA", "ON", "Ontario"))
IN_STOCK = {"01": 5000, "02": 500}
GUESTS, WEB_GROUP = "WEB-GUEST", 104
SERIES_OF = (2, 13, 14, 15, 16, 17, 23, 24, 30, 46, 203)


def rows() -> Iterator[tuple[str, Rows]]:
    """Entity set and its rows, in an order in which each finds what it refers to."""
    yield "Currencies", CURRENCIES
    yield "Countries", [{"Code": code, "Name": code} for code in COUNTRIES]
    yield "States", [{"Country": country, "Code": code, "Name": name} for country, code, name in STATES]
    yield "ChartOfAccounts", [_account(*each) for each in ACCOUNTS]
    yield (
        "VatGroups",
        [
            {
                "Code": code,
                "Name": name,
                "Category": "bovcOutputTax",
                "Inactive": "tNO",
                "VatGroups_Lines": [{"Effectivefrom": "2000-01-01", "Rate": rate}],
            }
            for code, name, rate in TAX_CODES
        ],
    )
    yield (
        "SalesTaxCodes",
        [
            {"Code": code, "Name": name, "Rate": rate, "ValidForAR": "tYES", "Inactive": "tNO"}
            for code, name, rate in TAX_CODES
        ],
    )
    yield (
        "Dimensions",
        [{"DimensionCode": each, "DimensionName": f"Dimension {each}", "IsActive": "tYES"} for each in range(1, 6)],
    )
    yield (
        "ProfitCenters",
        [
            {"CenterCode": code, "CenterName": name, "InWhichDimension": 1, "Active": "tYES"}
            for code, name in (("WEB", "Web store"), ("SHOP", "Shop"), ("NORULE", "Without a rule"))
        ],
    )
    yield (
        "DistributionRules",
        [
            {"FactorCode": code, "FactorDescription": code, "InWhichDimension": 1, "Active": "tYES", "TotalFactor": 100}
            for code in ("WEB", "SHOP")
        ],
    )
    yield "BusinessPlaces", [{"BPLID": 1, "BPLName": "Main", "MainBPL": "tYES"}, {"BPLID": 2, "BPLName": "North"}]
    yield (
        "PriceLists",
        [
            {"PriceListNo": 1, "PriceListName": "Base", "BasePriceList": 1, "Factor": 1, "Active": "tYES"},
            {"PriceListNo": 2, "PriceListName": "Web", "BasePriceList": 1, "Factor": 1, "Active": "tYES"},
        ],
    )
    yield "ItemGroups", [{"Number": 100, "GroupName": "Items"}, {"Number": 101, "GroupName": "Charges"}]
    yield (
        "BusinessPartnerGroups",
        [
            {"Code": 100, "Name": "Customers", "Type": "bbpgt_CustomerGroup"},
            {"Code": WEB_GROUP, "Name": "Web customers", "Type": "bbpgt_CustomerGroup"},
        ],
    )
    yield (
        "PaymentTermsTypes",
        [
            {"GroupNumber": -1, "PaymentTermsGroupName": "- Cash Basic -"},
            {"GroupNumber": 2, "PaymentTermsGroupName": "Net 30", "NumberOfAdditionalDays": 30},
        ],
    )
    yield "ShippingTypes", [{"Code": 1, "Name": "Ground"}, {"Code": 2, "Name": "Express"}]
    yield (
        "CreditCards",
        [
            {"CreditCardCode": 1, "CreditCardName": "Visa", "GLAccount": "_SYS00000000261"},
            {"CreditCardCode": 2, "CreditCardName": "Mastercard", "GLAccount": "_SYS00000000261"},
        ],
    )
    yield "CreditPaymentMethods", [{"PaymentMethodCode": 1, "Name": "Card, one payment"}]
    yield "SalesPersons", [{"SalesEmployeeCode": -1, "SalesEmployeeName": "-No Sales Employee-", "Active": "tYES"}]
    yield "Projects", [{"Code": "WEB", "Name": "Web store", "Active": "tYES"}]
    yield (
        "Warehouses",
        [
            {"WarehouseCode": "01", "WarehouseName": "Main warehouse", "Country": "US", "Inactive": "tNO"},
            {"WarehouseCode": "02", "WarehouseName": "Shop", "Country": "US", "Inactive": "tNO"},
        ],
    )
    yield (
        "AdditionalExpenses",
        [
            {
                "ExpensCode": code,
                "Name": name,
                "RevenuesAccount": "_SYS00000000401",
                "TaxLiable": "tYES",
            }
            for code, name in FREIGHT
        ],
    )
    yield "Items", [*(_item(each) for each in ITEMS), *(_charge(*each) for each in CHARGES)]
    yield (
        "BusinessPartners",
        [
            _partner(GUESTS, "Web store guests"),
            _partner("C10001", f"{FIRST_NAMES[0]} Trade Ltd", Currency=LOCAL),
        ],
    )


def rates() -> dict[str, Decimal]:
    """Local currency for one of the foreign: the store's rates the other way round."""
    found = {
        OWN_CODE[market.currency]: (1 / Decimal(market.rate_to_store)).quantize(Decimal("0.000001"))
        for market in MARKETS.values()
        if market.currency != LOCAL
    }
    return {**found, "GBP": Decimal("1.270000")}


def series() -> Rows:
    """A numbering series for each object."""
    return [
        {
            "Document": str(object_type),
            "DocumentSubType": "--",
            "Series": 10 + position,
            "Name": "Primary",
            "InitialNumber": 1,
            "Locked": "tNO",
            "IsManual": "tNO",
            "PeriodIndicator": "Default",
            "SeriesType": "stDocument",
            "GroupCode": "sg_Group1",
        }
        for position, object_type in enumerate(SERIES_OF)
    ]


USER_FIELDS = (
    ("OINV", "MLC_REF", 100),
    ("ORCT", "MLC_REF", 100),
    ("OVPM", "MLC_REF", 100),
    ("OJDT", "MLC_REF", 100),
    ("INV1", "MLC_LINE", 50),
    ("OCRD", "MLC_EXTID", 50),
)
USER_TABLE = "MLC_CLAIM"
"""What a prepared company has of an integration's own."""


def _account(code: str, format_code: str, name: str, title: bool) -> dict[str, Any]:
    return {
        "Code": code,
        "FormatCode": format_code,
        "Name": name,
        "ActiveAccount": "tNO" if title else "tYES",
        "CashAccount": "tYES" if format_code.startswith(("110", "113")) else "tNO",
        "AcctCurrency": "##",
        "ValidFor": "tYES",
        "FrozenFor": "tNO",
        "LockManualTransaction": "tYES" if name == "Trade receivables" else "tNO",
    }


def _item(item: CatalogueItem) -> dict[str, Any]:
    kept = item.kind == "physical" and item.sku != BUNDLE_PARENT
    return {
        "ItemCode": item.sku,
        "ItemName": item.name,
        "ItemsGroupCode": 100,
        "InventoryItem": "tYES" if kept else "tNO",
        "TreeType": "iSalesTree" if item.sku == BUNDLE_PARENT else "iNotATree",
        "BarCode": f"400000{item.id:07d}",
        "ItemPrices": [{"PriceList": number, "Price": str(item.price), "Currency": LOCAL} for number in (1, 2)],
    }


def _charge(code: str, name: str) -> dict[str, Any]:
    return {"ItemCode": code, "ItemName": name, "ItemsGroupCode": 101, "InventoryItem": "tNO", "PurchaseItem": "tNO"}


def _partner(code: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "CardCode": code,
        "CardName": name,
        "CardType": "cCustomer",
        "GroupCode": WEB_GROUP,
        "Currency": "##",
        **more,
    }
