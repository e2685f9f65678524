"""All rows that the OData services read, from one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ml_connector.sandbox.s4hana import ledger_tables as tables
from ml_connector.sandbox.s4hana.cube import cube_rows
from ml_connector.sandbox.s4hana.ledger import Ledger
from ml_connector.sandbox.s4hana.master import CONTROLLING_AREA, Center, GLAccount, MasterData, padded
from ml_connector.sandbox.s4hana.odata.fields import EntitySet, Row
from ml_connector.sandbox.s4hana.odata.filters import begins
from ml_connector.sandbox.s4hana.partners import Partners
from ml_connector.sandbox.s4hana.stock import Stock

LANGUAGES = ("EN", "DE")


@dataclass
class SystemStorage:
    """What the OData server reads and writes: partners are written, the ledger's sets are read only."""

    ledger: Ledger
    master: MasterData
    partners: Partners
    stock: Stock
    time_s: Callable[[], float]
    master_version: int = 0
    """Changes with every seed."""

    @property
    def version(self) -> int:
        return self.ledger.version + self.partners.version + self.stock.version + self.master_version

    def transaction(self) -> AbstractContextManager[None]:
        return self.partners.transaction()

    def rows(
        self, set_name: str, values: Mapping[str, frozenset[Any]], faults: Mapping[str, Mapping[str, Any]]
    ) -> Iterable[Row]:
        whole = {name: wanted for name, wanted in values.items() if not begins(wanted)}
        if set_name == "A_OperationalAcctgDocItemCube":
            references = {name: wanted for name, wanted in values.items() if name == "DocumentReferenceID"}
            lag_s = float(faults.get("stale_lookup", {}).get("lag_s", 0))
            return cube_rows(self.ledger, self.master, {**whole, **references}, self.time_s() - lag_s)
        if set_name in self.stock.sets:
            return self.stock.rows(set_name, whole)
        if (maker := LEDGER_SETS.get(set_name)) is not None:
            return maker(self.master)
        return self.partners.rows(set_name, whole)

    def etag(self, entity_set: EntitySet, row: Row) -> str | None:
        return self.partners.etag(entity_set, row)

    def create(self, entity_set: EntitySet, payload: Mapping[str, Any], link: Mapping[str, Any], user: str) -> Row:
        return self.partners.create(entity_set, payload, link, user)

    def update(self, entity_set: EntitySet, row: Row, payload: Mapping[str, Any], user: str, *, replace: bool) -> None:
        self.partners.update(entity_set, row, payload, user, replace=replace)

    def delete(self, entity_set: EntitySet, row: Row, user: str) -> None:
        self.partners.delete(entity_set, row, user)


def _gl_accounts(master: MasterData) -> list[Row]:
    return [tables.GL_ACCOUNT.row(_gl_account(account)) for account in master.accounts.values()]


def _gl_account(account: GLAccount) -> dict[str, Any]:
    return {
        "ChartOfAccounts": account.chart,
        "GLAccount": account.number,
        "GLAccountExternal": account.number,
        "GLAccountType": account.kind,
        "IsBalanceSheetAccount": account.kind == "X",
        "IsProfitLossAccount": account.kind != "X",
        "ProfitLossAccountType": "" if account.kind == "X" else "X",
        "GLAccountGroup": "RECN" if account.reconciliation else "SAKO",
        "AccountIsBlockedForPosting": account.blocked,
        "CreatedByUser": "SAP_SYSTEM",
        "CreationDate": datetime(2020, 1, 1),  # noqa: DTZ001 - Edm.DateTime has no zone
        "LastChangeDateTime": datetime.fromtimestamp(account.changed_s, UTC).replace(microsecond=0),
    }


def _gl_texts(master: MasterData) -> list[Row]:
    return [
        tables.GL_ACCOUNT_TEXT.row(
            {
                "ChartOfAccounts": account.chart,
                "GLAccount": account.number,
                "Language": language,
                "GLAccountName": account.name[:20],
                "GLAccountLongName": account.name[:50],
                "LastChangeDateTime": datetime.fromtimestamp(account.changed_s, UTC).replace(microsecond=0),
            }
        )
        for account in master.accounts.values()
        for language in LANGUAGES
    ]


def _company_codes(master: MasterData) -> list[Row]:
    return [
        tables.COMPANY_CODE.row(
            {
                "CompanyCode": company.code,
                "CompanyCodeName": company.name[:25],
                "CityName": company.city,
                "Country": company.country,
                "Currency": company.currency,
                "Language": "EN",
                "ChartOfAccounts": company.chart,
                "FiscalYearVariant": "K4",
                "ControllingArea": CONTROLLING_AREA,
                "FieldStatusVariant": "0010",
            }
        )
        for company in master.companies.values()
    ]


def _cost_centers(master: MasterData) -> list[Row]:
    return [
        tables.COST_CENTER.row(
            {
                **_center(each, "CostCenter"),
                "CompanyCode": company,
                "ProfitCenter": padded(each.profit_center) if each.profit_center else "",
                "IsBlkdForPrimaryCostsPosting": "X" if each.blocked else "",
                "CostCenterCategory": "W",
                "Language": "EN",
            }
        )
        for each in master.cost_centers.values()
        for company in sorted(each.companies)[:1] or [""]
    ]


def _profit_centers(master: MasterData) -> list[Row]:
    return [
        tables.PROFIT_CENTER.row(
            {**_center(each, "ProfitCenter"), "ProfitCenterIsBlocked": "X" if each.blocked else "", "Language": "EN"}
        )
        for each in master.profit_centers.values()
    ]


def _profit_center_companies(master: MasterData) -> list[Row]:
    return [
        tables.PROFIT_CENTER_COMPANY.row(
            {"ControllingArea": CONTROLLING_AREA, "ProfitCenter": each.number, "CompanyCode": company}
        )
        for each in master.profit_centers.values()
        for company in sorted(each.companies or master.companies)
    ]


def _center(each: Center, key: str) -> dict[str, Any]:
    start, end = each.valid_from, each.valid_to
    return {
        "ControllingArea": CONTROLLING_AREA,
        key: each.number,
        "ValidityStartDate": datetime(start.year, start.month, start.day),  # noqa: DTZ001 - Edm.DateTime has no zone
        "ValidityEndDate": datetime(end.year, end.month, end.day),  # noqa: DTZ001 - Edm.DateTime has no zone
    }


LEDGER_SETS: Mapping[str, Callable[[MasterData], list[Row]]] = {
    "A_GLAccountInChartOfAccounts": _gl_accounts,
    "A_GLAccountText": _gl_texts,
    "A_CompanyCode": _company_codes,
    "A_CostCenter": _cost_centers,
    "A_ProfitCenter": _profit_centers,
    "A_PrftCtrCompanyCodeAssignment": _profit_center_companies,
}
