"""What the tables and columns of a mapping are called before a person. A table that has no words here is shown under
its own name: words are wanted, not needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ml_connector.desk.mapping_tables import KEY, VALUE, Column, Table, tables

Source = str
"""Where values come from: `chart` (the ERP's accounts), `profit_center`, `cost_center`, or nowhere."""


@dataclass(frozen=True, slots=True)
class Words:
    """Of a table. `row`: what one row is called; `columns`: column -> its title."""

    title: str
    about: str
    row: str = "row"
    columns: Mapping[str, str] | None = None
    empty: str = "Nothing is mapped here."


_DIMENSION = {"profit_center": "Profit centre", "cost_center": "Cost centre", "segment": "Segment"}

WORDS: Final[Mapping[str, Words]] = {
    "payment_methods": Words(
        "Payment methods",
        "Where captured money goes until the provider pays out. The first row that fits wins; what is left empty fits "
        "everything. A gateway is the provider of the transaction; an offline method is named as the order names it.",
        "payment method",
        {"gateway": "Gateway", "method": "Method", "offline": "Offline method", "currency": "Currency alone",
         "account": "Clearing account", "text": "Text on the lines"},
        "No payment method is mapped: every paid order is held until one is.",
    ),
    "accounts": Words(
        "Accounts by role",
        "Which account of the ledger plays which part. Only the roles that your orders need have to be there.",
        "role", {KEY: "Role", VALUE: "Account"}, "No role has an account yet: every order is held until it has.",
    ),
    "taxes": Words(
        "Taxes",
        "Which tax code and account a tax row of the store gets. The first row wins whose name and rate are those of "
        "the tax, and whose class, country and state fit where they are given.",
        "tax",
        {"name": "Name in the store", "rate": "Rate, %", "class": "Tax class", "country": "Country",
         "state": "State", "tax_code": "Tax code", "account": "Account", "jurisdiction": "Jurisdiction"},
        "No tax is mapped: every taxed order is held until one is.",
    ),
    "tax_groups": Words(
        "Several taxes on one line",
        "For ERPs with jurisdictions: the one code for a combination of state, county and city tax, in the order of "
        "the store’s tax rows.",
        "combination", {"codes": "Tax codes together", "code": "Code in the ERP", "levels": "Jurisdiction of each"},
    ),
    "untaxed_code": Words("Code of what is not taxed", "Carried where none of the rules below fits. Empty: no code.",
                          columns={VALUE: "Tax code"}),
    "untaxed_rules": Words(
        "Rules for what is not taxed", "The first rule that fits gives the code; what is left empty fits everything.",
        "rule",
        {"tax_code": "Tax code", "countries": "Ship-to countries", "territory": "Inside of them",
         "needs_vat_number": "Only with VAT number", "exempt_category": "Exempt category", "line_type": "Kind of line"},
        "There is no rule.",
    ),
    "fee_tax_codes": Words("Tax on fees", "The store’s tax rows do not name fees: a taxed fee takes its class’s code.",
                           "class", {KEY: "Tax class of the fee", VALUE: "Tax code"}),
    "items": Words(
        "Items", "Which item of the ERP a SKU is. The empty SKU is the item of lines without one.", "SKU",
        {KEY: "SKU", VALUE: "Item in the ERP"}, "No SKU has an item of its own.",
    ),
    "items_match": Words("SKUs that are not listed", "“sku”: the SKU itself is the item. Empty: each must be listed.",
                         columns={VALUE: "Match by"}),
    "default_warehouse": Words("Warehouse of item lines", "Empty: the ERP decides.", columns={VALUE: "Warehouse"}),
    "revenue_rules": Words(
        "Revenue rules",
        "Goods whose revenue goes elsewhere than to the role “revenue”. The first row wins of which all that is given "
        "fits.",
        "rule",
        {"match.sku": "SKU", "match.brand": "Brand", "match.category": "Category",
         "match.customer_group": "Customer group",
         "match.channel": "Channel", "account": "Revenue account",
         **{f"dimension.{name}": title for name, title in _DIMENSION.items()}},
        "All goods go to the role “revenue”.",
    ),
    "dimensions": Words(
        "Dimensions by role", "Profit centre, cost centre and segment of the lines of a role.", "role",
        {KEY: "Role", **_DIMENSION}, "No role has a dimension of its own.",
    ),
    "default_dimension": Words("Dimensions where nothing else says", "They do not reach roles of the balance sheet.",
                               columns=_DIMENSION),
    "customers": Words("Collective customers", "Who takes guests, and everybody where policy wants one account.",
                       columns={"one_time": "Guests", "collective": "All registered customers"}),
    "customers.individual": Words(
        "Customers", "Store customers that have an account in the ERP already; others are created.", "customer",
        {KEY: "Customer ID in the store", VALUE: "Customer in the ERP"}, "No customer is named: each gets an account.",
    ),
    "customers.companies": Words(
        "Companies", "The debtor of what a company’s buyers order on its account.", "company",
        {KEY: "Company ID in the store", VALUE: "Customer in the ERP"}, "No company is mapped.",
    ),
    "warehouses": Words(
        "Warehouses", "For stock from the ERP into the store. Warehouses of one location are added up.", "warehouse",
        {KEY: "Warehouse in the ERP", VALUE: "Location ID in the store"}, "No warehouse is mapped.",
    ),
    "carriers": Words(
        "Carriers", "For shipments from the ERP into the store: how the ERP ships, and who that is to the store.",
        "carrier", {KEY: "Way of shipping in the ERP", VALUE: "Carrier in the store"}, "No carrier is mapped.",
    ),
}  # fmt: skip

ROLES: Final[Mapping[str, str]] = {
    "receivable": "What the buyer owes",
    "clearing": "Captured money until it is paid out",
    "customer_deposit": "Money before delivery",
    "revenue": "Goods, where no revenue rule fits",
    "discount_promotion": "Discount by promotion",
    "discount_coupon": "Discount by coupon",
    "discount_manual": "Discount by hand",
    "shipping_income": "Shipping",
    "handling_income": "Handling",
    "wrapping_income": "Gift wrapping",
    "fee_income": "Fees",
    "tax_payable": "Tax",
    "gift_certificate_liability": "Gift certificates not redeemed yet",
    "store_credit_liability": "Store credit not used yet",
    "sales_returns": "Returned goods",
    "refund_adjustment": "Free amounts given back",
    "restocking_fee": "What is kept of a refund",
    "rounding": "Cents between the total and its parts",
}

GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Payment methods": ("payment_methods",),
    "Accounts": ("accounts",),
    "Taxes": ("taxes", "tax_groups", "untaxed_code", "untaxed_rules", "fee_tax_codes"),
    "Items": ("items", "items_match", "default_warehouse"),
    "Revenue rules": ("revenue_rules",),
    "Dimensions": ("dimensions", "default_dimension"),
    "Customers": ("customers", "customers.individual", "customers.companies"),
    "Stock and shipping": ("warehouses", "carriers"),
}
"""Tabs -> their tables. A table that is in none has a tab of its own."""

OF_MISSING: Final[Mapping[str, str]] = {
    "account": "accounts", "tax": "taxes", "tax_account": "taxes", "payment_method": "payment_methods",
    "fee_tax": "fee_tax_codes", "customer": "customers.individual", "company": "customers.companies",
    "tax_group": "tax_groups", "revenue": "revenue_rules", "item": "items", "warehouse": "warehouses",
    "carrier": "carriers",
}  # fmt: skip
"""Kind of what is missing (`config.mapped`) -> the table where it is added."""


@dataclass(frozen=True, slots=True)
class Tab:
    """`name` is in the address."""

    name: str
    title: str
    tables: tuple[Table, ...]


def tabs() -> list[Tab]:
    """All tables, by tab."""
    left = {each.name: each for each in tables()}
    found: list[Tab] = []
    for title, names in GROUPS.items():
        mine = tuple(left.pop(name) for name in names if name in left)
        if mine:
            found.append(Tab(mine[0].part, title, mine))
    return [*found, *(Tab(name, words(each).title, (each,)) for name, each in left.items())]


def words(table: Table) -> Words:
    """Of a table; made from its name where nobody wrote any."""
    name = table.name.replace(".", ": ").replace("_", " ").capitalize()
    return WORDS.get(table.name) or Words(name, "")


def column_title(table: Table, column: Column) -> str:
    known = words(table).columns or {}
    return known.get(column.name) or column.name.replace(".", " ").replace("_", " ").capitalize()


def source(table: Table, column: Column) -> Source:
    """The list of the ERP that a column's values are from."""
    last = column.name.rpartition(".")[2]
    if last == "account" or (table.name == "accounts" and column.name == VALUE):
        return "chart"
    return last if last in ("profit_center", "cost_center") else ""


def prefilled(kind: str, key: str) -> Mapping[str, str]:
    """What is missing, typed into a new row as far as its key tells: column -> value."""
    if kind == "payment_method":
        gateway, divided, method = key.partition("|")
        return {"gateway": gateway, "method": method} if divided else {"offline": key}
    if kind == "tax":
        name, _, rest = key.partition("|")
        tax_class, _, rate = rest.rpartition("|")
        return {"name": name, "class": tax_class, "rate": rate}
    if kind == "tax_account":
        return {"tax_code": key}
    if kind == "tax_group":
        return {"codes": key.replace("+", ", ")}
    if kind == "revenue":
        return {"match.sku": key}
    return {KEY: key}
