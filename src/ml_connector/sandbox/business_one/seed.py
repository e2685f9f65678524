"""What ``POST /_control/seed`` takes; everything is added, or replaced by key.

``{"settings": {...}, "<EntitySet>": [{entity as it is written over the wire}, ...], "stock": {item: {warehouse:
quantity}}, "rates": [{"Currency", "Rate", "RateDate" or none for every day}], "users": [{"name", "password",
"may_manage"}], "prepared": true|false, "generate_items": {"count", "prefix", "in_stock"}}``.

``prepared`` gives the company the integration's user fields and table, known to every node, or takes them away.
Read-only properties are taken too: this is not the Service Layer.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ml_connector.sandbox.business_one import company_data
from ml_connector.sandbox.business_one.access import Access, User
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import B1Error
from ml_connector.sandbox.business_one.fields import MARKETING, SETS, EntitySet, Row
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.stock import set_quantities
from ml_connector.sandbox.business_one.userobjects import restart
from ml_connector.sandbox.business_one.values import Reading
from ml_connector.sandbox.business_one.write import Writer


class RateSeed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    Currency: str
    Rate: Decimal
    RateDate: date = date.min


class UserSeed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    password: str
    may_manage: bool = True


class ItemsSeed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(ge=0, le=1_000_000)
    prefix: str = "SKU-"
    in_stock: int = 100


class Seed(BaseModel):
    """Beside these, the entity sets by name."""

    model_config = ConfigDict(extra="allow")

    settings: dict[str, Any] = {}
    stock: dict[str, dict[str, Decimal]] = {}
    rates: list[RateSeed] = []
    users: list[UserSeed] = []
    prepared: bool | None = None
    generate_items: ItemsSeed | None = None


def default_company(writer: Writer) -> None:
    company = writer.company
    company.series = company_data.series()
    company.numbers["AdditionalExpenses"] = len(company_data.FREIGHT)
    for currency, rate in company_data.rates().items():
        company.rates[currency, date.min] = rate
    for name, rows in company_data.rows():
        for row in rows:
            _plant_row(writer, SETS[name], row)
    for item in company.table("Items").rows.copy().values():
        if item["InventoryItem"] == "tYES":
            _set_stock(company, item["ItemCode"], {code: Decimal(n) for code, n in company_data.IN_STOCK.items()})
    prepare(writer)


def plant(writer: Writer, access: Access, seed: Seed, body: dict[str, Any]) -> dict[str, Any]:
    """Raises ``ValueError`` for what is not understood; what came before it stays."""
    company = writer.company
    unknown = set(body) - set(Seed.model_fields) - set(SETS)
    if unknown:
        raise ValueError(f"a seed has no {', '.join(sorted(unknown))}")
    checked = Settings.model_validate({**company.settings.model_dump(), **seed.settings})
    for name in seed.settings:
        setattr(company.settings, name, getattr(checked, name))
    if seed.prepared is not None:
        (prepare if seed.prepared else strip)(writer)
        for node in access.nodes.values():
            restart(node)
    for rate in seed.rates:
        company.rates[rate.Currency, rate.RateDate] = rate.Rate
    for user in seed.users:
        access.users[user.name] = User(user.name, user.password, may_manage=user.may_manage)
    planted = 0
    try:
        for name in [name for name in SETS if name in body]:
            for row in body[name]:
                _plant_row(writer, SETS[name], row)
                planted += 1
    except B1Error as error:
        raise ValueError(f"the seed cannot be planted: {error.text}") from error
    if seed.generate_items is not None:
        _generate(writer, seed.generate_items)
    for item, quantities in seed.stock.items():
        _set_stock(company, item, quantities)
    return {
        "planted": planted,
        "items": len(company.table("Items").rows),
        "business_partners": len(company.table("BusinessPartners").rows),
    }


def prepare(writer: Writer) -> None:
    """The user fields and the claim table, as after set-up and restart."""
    company, objects = writer.company, writer.user_objects
    fields = company.table("UserFieldsMD").rows.values()
    there = {(row["TableName"], row["Name"]) for row in fields}
    for table, name, size in company_data.USER_FIELDS:
        if (table, name) not in there:
            objects.create_field({"TableName": table, "Name": name, "Size": size, "Description": "Integration"}, ())
    if company.table("UserTablesMD").get(company_data.USER_TABLE) is None:
        objects.create_table({"TableName": company_data.USER_TABLE, "TableDescription": "Integration claims"}, ())


def strip(writer: Writer) -> None:
    """A company that no integration was set up for."""
    company = writer.company
    for name in ("UserFieldsMD", "UserTablesMD", "UserKeysMD"):
        for key in list(company.table(name).rows):
            company.table(name).delete(key)
    company.tables = {name: table for name, table in company.tables.items() if not name.startswith("U_")}


def _plant_row(writer: Writer, entity_set: EntitySet, given: dict[str, Any]) -> None:
    company = writer.company
    if entity_set.name in (*MARKETING, "IncomingPayments", "VendorPayments", "JournalEntries"):
        raise ValueError(f"{entity_set.name} are posted, not seeded")
    reading = Reading(lambda table: company.udfs(table, None), trusting=True)
    row = reading.entity(entity_set, given)
    key = tuple(row.get(name) for name in entity_set.keys)
    if entity_set.name in ("Items", "BusinessPartners"):
        if company.table(entity_set.name).get(*key) is None:
            writer.master.create(entity_set.name, row)
        else:
            writer.master.patch(entity_set.name, key, row, replace=False)
    elif entity_set.name.startswith("User"):
        raise ValueError(f"{entity_set.name} are made by 'prepared' or over the wire")
    else:
        if None in key:
            raise ValueError(f"a row of {entity_set.name} needs {', '.join(entity_set.keys)}")
        company.table(entity_set.name).put(key, row)


def _set_stock(company: Company, code: str, quantities: dict[str, Decimal]) -> None:
    for warehouse, quantity in quantities.items():
        item = company.table("Items").get(code)
        if item is None or company.table("Warehouses").get(warehouse) is None:
            raise ValueError(f"no item {code} or no warehouse {warehouse}")
        set_quantities(company, item, warehouse, {"InStock": Decimal(quantity)})


def _generate(writer: Writer, wanted: ItemsSeed) -> None:
    company = writer.company
    for number in range(wanted.count):
        row: Row = {"ItemCode": f"{wanted.prefix}{number:06d}", "ItemName": f"Item {number}"}
        made = writer.master.create("Items", row)
        set_quantities(company, made, company.settings.default_warehouse, {"InStock": Decimal(wanted.in_stock)})
