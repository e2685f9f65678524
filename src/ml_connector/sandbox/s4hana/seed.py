"""What ``POST /_control/seed`` takes: master data in bulk and switches; everything is added or replaced by number.

``{"gl_accounts": [...], "customers": [...], "tax_codes": [...], "profit_centers": [...], "cost_centers": [...],
"company_codes": [...], "document_types": {...}, "open_from", "open_to", "lookup_lag_s", "settings": {...}}``.
Each list takes numbers as plain texts or objects with the keys below.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ml_connector.sandbox.s4hana.master import (
    OPEN_END,
    Center,
    CompanyCode,
    GLAccount,
    MasterData,
    TaxCode,
    padded,
    unpadded,
)
from ml_connector.sandbox.s4hana.partner_tables import PARTNER_SERVICE
from ml_connector.sandbox.s4hana.partners import ONE_TIME_GROUP, Partners


class _Numbered(BaseModel):
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    number: str = Field(min_length=1, max_length=10)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"number": str(value)} if isinstance(value, str | int) else value


class AccountSeed(_Numbered):
    """``reconciliation`` D makes it a customer control account, which no line can name directly."""

    name: str = ""
    chart: str = "YCOA"
    kind: Literal["X", "P", "N"] = "P"
    reconciliation: Literal["", "D", "K"] = ""
    blocked: bool = False
    companies: list[str] = []
    requires_profit_center: bool = False
    requires_cost_center: bool = False


class CustomerSeed(_Numbered):
    """``companies`` empty: every company code."""

    name: str = ""
    one_time: bool = False
    blocked: bool = False
    companies: list[str] = []
    reconciliation_account: str = "12100000"
    external_id: str = ""


class TaxCodeSeed(_Numbered):
    name: str = ""
    rate: Decimal | None = None
    companies: list[str] = []


class CenterSeed(_Numbered):
    name: str = ""
    companies: list[str] = []
    valid_from: date = date(2000, 1, 1)
    valid_to: date = OPEN_END
    blocked: bool = False
    profit_center: str = ""


class CompanySeed(_Numbered):
    name: str = ""
    currency: str = "USD"
    chart: str = "YCOA"
    country: str = "US"
    city: str = ""


class Seed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    company_codes: list[CompanySeed] = []
    gl_accounts: list[AccountSeed] = []
    customers: list[CustomerSeed] = []
    tax_codes: list[TaxCodeSeed] = []
    profit_centers: list[CenterSeed] = []
    cost_centers: list[CenterSeed] = []
    document_types: dict[str, str] = {}
    open_from: date | None = None
    open_to: date | None = None
    lookup_lag_s: float | None = None
    settings: dict[str, Any] = {}


def seed_master_data(seed: Seed, master: MasterData, changed_s: float) -> None:
    for company in seed.company_codes:
        master.companies[company.number] = CompanyCode(
            company.number,
            company.name or f"Company Code {company.number}",
            company.currency,
            company.chart,
            company.country,
            company.city,
        )
    for account in seed.gl_accounts:
        number = padded(account.number)
        master.accounts[account.chart, number] = GLAccount(
            number,
            account.name or f"Account {account.number}",
            account.chart,
            account.kind,
            account.reconciliation,
            account.blocked,
            frozenset(account.companies),
            account.requires_profit_center,
            account.requires_cost_center,
            changed_s,
        )
    for code in seed.tax_codes:
        key = code.number.upper()
        master.tax_codes[key] = TaxCode(key, code.name, code.rate, frozenset(code.companies))
    for table, centers in ((master.profit_centers, seed.profit_centers), (master.cost_centers, seed.cost_centers)):
        for each in centers:
            number = padded(each.number)
            table[number] = Center(
                number,
                each.name,
                frozenset(each.companies),
                each.valid_from,
                each.valid_to,
                each.blocked,
                each.profit_center,
            )
    master.document_types.update(seed.document_types)


def seed_customers(seed: Seed, partners: Partners, master: MasterData) -> None:
    """As migrated customers: partner, roles, company-code data, under the given number."""
    for customer in seed.customers:
        number = padded(customer.number)
        partner_table = partners.tables["A_BusinessPartner"]
        if partner_table.get((number,)) is None:
            _migrate(customer, partners)
        row = partners.tables["A_Customer"].get((number,))
        if row is None:
            raise ValueError(f"{customer.number} exists as a partner that is no customer")
        row["PostingIsBlocked"] = customer.blocked
        row["CustomerAccountGroup"] = ONE_TIME_GROUP if customer.one_time else "CUST"
        company_table = partners.tables["A_CustomerCompany"]
        for company in customer.companies or list(master.companies):
            values = {
                "Customer": number,
                "CompanyCode": company,
                "ReconciliationAccount": padded(customer.reconciliation_account),
            }
            company_table.put(company_table.type.row(values))
    partners.undo.steps.clear()
    partners.version += 1


def _migrate(customer: CustomerSeed, partners: Partners) -> None:
    partners.create(
        PARTNER_SERVICE.by_name["A_BusinessPartner"],
        {
            "BusinessPartner": unpadded(customer.number),
            "BusinessPartnerCategory": "2",
            "BusinessPartnerGrouping": "BP01",
            "OrganizationBPName1": (customer.name or f"Customer {customer.number}")[:40],
            "BusinessPartnerIDByExtSystem": customer.external_id,
            "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}],
        },
        {},
        "MIGRATION",
    )
