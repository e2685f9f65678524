"""The company's master data, read and kept for a while, and what it says against a document before it is sent."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from ml_connector.connectors.base import LedgerAccount, LedgerDimension
from ml_connector.connectors.business_one import periods
from ml_connector.connectors.business_one.client import B1Client, chunks, literal
from ml_connector.connectors.errors import Rejected, Unauthorized
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata_values import Row, text_of
from ml_connector.domain.policy import OpenPeriods

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Company:
    """`local`: B1's code of the local currency. `price_decimals`: of unit prices; more are rounded away."""

    name: str
    local: str
    price_decimals: int
    total_decimals: int
    version: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A master record: whether it can be used, and if not, why."""

    key: str
    name: str = ""
    refused: str = ""


class MasterData:
    """Read once per `master_data_lifetime_s`; items and partners one by one as documents name them."""

    def __init__(self, client: B1Client) -> None:
        self._client = client
        self._kept: dict[str, tuple[float, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def forget(self) -> None:
        self._kept.clear()

    async def _keep(self, name: str, read: Callable[[], Awaitable[T]], max_age_s: float = float("inf")) -> T:
        """`max_age_s`: counted from this call, so that who waited for another's reading takes that."""
        asked = time.monotonic()
        lifetime_s = min(self._client.settings.master_data_lifetime_s, max_age_s)
        async with self._locks.setdefault(name, asyncio.Lock()):
            at, value = self._kept.get(name, (float("-inf"), None))
            if asked - at > lifetime_s:
                value = await read()
                self._kept[name] = (time.monotonic(), value)
            return value

    # -------------------------------------------------------------- whole lists

    async def company(self) -> Company:
        return await self._keep("company", self._read_company)

    async def _read_company(self) -> Company:
        admin = await self._client.action("CompanyService_GetAdminInfo", priority="orders")
        return Company(
            name=text_of(admin, "CompanyName"),
            local=text_of(admin, "LocalCurrency"),
            price_decimals=_whole(admin, "PriceAccuracy", 6),
            total_decimals=_whole(admin, "TotalsAccuracy", 2),
            version=self._client.version,
        )

    async def periods(self, max_age_s: float) -> OpenPeriods | None:
        """None where the user may not read them; whether that was given is asked as often as the periods are."""

        async def read() -> OpenPeriods | None:
            try:
                return await periods.read(self._client)
            except (Rejected, Unauthorized):
                return None

        return await self._keep("periods", read, max_age_s)

    async def chart(self) -> Mapping[str, Row]:
        """Accounts by code."""
        return await self._keep("chart", lambda: self._list("ChartOfAccounts", "Code", _ACCOUNT))

    async def account_keys(self) -> Mapping[str, str]:
        """The key of every account, by key and by the number that people know (account segmentation)."""
        chart = await self.chart()
        keys = {text_of(row, "FormatCode"): code for code, row in chart.items() if row.get("FormatCode")}
        return keys | {code: code for code in chart}

    async def account_number(self) -> Callable[[str], str]:
        """The number that people know, of an account's key."""
        chart = await self.chart()
        return lambda key: text_of(chart.get(key, {}), "FormatCode") or key

    async def tax_codes(self) -> Mapping[str, Standing]:
        async def read() -> Mapping[str, Standing]:
            if self._client.settings.tax_field == "TaxCode":
                rows = await self._list("SalesTaxCodes", "Code", ("Code", "Name", "Inactive", "ValidForAR"))
            else:
                rows = await self._list("VatGroups", "Code", ("Code", "Name", "Inactive", "Category"))
            return {code: _tax_code(code, row) for code, row in rows.items()}

        return await self._keep("tax codes", read)

    async def warehouses(self) -> Mapping[str, Standing]:
        async def read() -> Mapping[str, Standing]:
            rows = await self._list("Warehouses", "WarehouseCode", ("WarehouseCode", "WarehouseName", "Inactive"))
            return {
                code: Standing(code, text_of(row, "WarehouseName"), "is inactive" if _yes(row, "Inactive") else "")
                for code, row in rows.items()
            }

        return await self._keep("warehouses", read)

    async def rules(self) -> Mapping[str, Row]:
        """Distribution rules: what lines carry as cost centers."""
        fields = ("FactorCode", "FactorDescription", "InWhichDimension", "Active")
        return await self._keep("rules", lambda: self._list("DistributionRules", "FactorCode", fields))

    async def expenses(self) -> Mapping[str, Row]:
        return await self._keep(
            "expenses",
            lambda: self._list("AdditionalExpenses", "ExpensCode", ("ExpensCode", "Name", "RevenuesAccount")),
        )

    async def freight_account(self) -> Callable[[str], str]:
        rows = await self.expenses()
        return lambda code: text_of(rows.get(code, {}), "RevenuesAccount")

    async def currencies(self) -> Mapping[str, Row]:
        fields = ("Code", "Name", "DocumentsCode", "Decimals")
        return await self._keep("currencies", lambda: self._list("Currencies", "Code", fields))

    async def currency_code(self, iso: str) -> str:
        """Business One's own code; empty where it has none."""
        if iso in self._client.settings.currencies:
            return self._client.settings.currencies[iso]
        rows = await self.currencies()
        if iso in rows:
            return iso
        return next((code for code, row in rows.items() if text_of(row, "DocumentsCode").upper() == iso), "")

    async def total_decimals(self, code: str) -> int:
        """Of totals in a currency of Business One; its own where it has them, else the company's."""
        kept = text_of((await self.currencies()).get(code, {}), "Decimals")
        if kept == "cdWithoutDecimals":
            return 0
        own = re.fullmatch(r"cd(\d)Digits?", kept)
        return int(own.group(1)) if own else (await self.company()).total_decimals

    async def iso(self) -> Callable[[str], str]:
        """Business One's code -> ISO."""
        rows = await self.currencies()
        set_by_hand = {code: iso for iso, code in self._client.settings.currencies.items()}

        def of(code: str) -> str:
            if code in set_by_hand:
                return set_by_hand[code]
            documents = text_of(rows.get(code, {}), "DocumentsCode").upper()
            return documents if len(documents) == 3 and documents.isalpha() else code

        return of

    async def _list(self, entity_set: str, key: str, select: Sequence[str]) -> dict[str, Row]:
        rows = await self._client.rows(entity_set, key=key, select=select, page_size=500)
        return {text_of(row, key): row for row in rows}

    # -------------------------------------------------------------- one by one

    async def items(self, codes: Iterable[str]) -> Mapping[str, Standing]:
        fields = ("ItemCode", "ItemName", "Valid", "Frozen", "SalesItem")
        return await self._some("Items", "ItemCode", fields, codes, _item)

    async def partners(self, codes: Iterable[str]) -> Mapping[str, Standing]:
        fields = ("CardCode", "CardName", "CardType", "Valid", "Frozen", "Currency")
        return await self._some("BusinessPartners", "CardCode", fields, codes, _partner)

    async def _some(
        self, entity_set: str, key: str, select: Sequence[str], codes: Iterable[str], read: Callable[[Row], Standing]
    ) -> Mapping[str, Standing]:
        """What is there under these keys. What is missing or refused is asked for anew each time: it may be mended."""
        now = time.monotonic()
        lifetime_s = self._client.settings.master_data_lifetime_s
        known: dict[str, Standing] = {}
        wanted: list[str] = []
        for code in dict.fromkeys(codes):
            at, standing = self._kept.get(f"{entity_set}/{code}", (float("-inf"), None))
            if now - at <= lifetime_s and standing is not None:
                known[code] = standing
            else:
                wanted.append(code)
        answered = await together(
            self._client.rows(entity_set, key=key, where=where, select=select)
            for where in chunks([f"{key} eq {literal(code)}" for code in wanted])
        )
        for row in (row for rows in answered for row in rows):
            standing = read(row)
            known[standing.key] = standing
            if not standing.refused:
                self._kept[f"{entity_set}/{standing.key}"] = (now, standing)
        return known

    # -------------------------------------------------------------- for mapping screens

    async def named_accounts(self) -> list[LedgerAccount]:
        """Postable accounts, under the number that people know."""
        return [
            LedgerAccount(
                number=text_of(row, "FormatCode") or code,
                name=text_of(row, "Name"),
                balance_sheet=text_of(row, "AccountType") == "at_Other",
                blocked=bool(account_refused(row)),
            )
            for code, row in sorted((await self.chart()).items())
            if text_of(row, "ActiveAccount") != "tNO"
        ]

    async def named_rules(self) -> list[LedgerDimension]:
        settings = self._client.settings
        kinds = {value: name for name, value in settings.dimensions.items() if value}
        found: list[LedgerDimension] = []
        for code, row in sorted((await self.rules()).items()):
            place = text_of(row, "InWhichDimension") or "1"
            kind = kinds.get("CostingCode" if place == "1" else f"CostingCode{place}", "")
            if kind:
                name = text_of(row, "FactorDescription")
                found.append(LedgerDimension(kind, code, name, blocked=text_of(row, "Active") == "tNO"))
        return found


_ACCOUNT = (
    "Code",
    "Name",
    "FormatCode",
    "ActiveAccount",
    "FrozenFor",
    "ValidFor",
    "LockManualTransaction",
    "AccountType",
)


def _whole(row: Row, name: str, default: int) -> int:
    value = row.get(name)
    return int(value) if isinstance(value, int | Decimal) else default


def _yes(row: Row, name: str) -> bool:
    return text_of(row, name) == "tYES"


def _tax_code(code: str, row: Row) -> Standing:
    for_sales = text_of(row, "Category") != "bovcInputTax" and text_of(row, "ValidForAR") != "tNO"
    refused = "is inactive" if _yes(row, "Inactive") else "" if for_sales else "is not for sales"
    return Standing(code, text_of(row, "Name"), refused)


def _item(row: Row) -> Standing:
    refused = ""
    if _yes(row, "Frozen") or text_of(row, "Valid") == "tNO":
        refused = "is inactive"
    elif text_of(row, "SalesItem") == "tNO":
        refused = "is no sales item"
    return Standing(text_of(row, "ItemCode"), text_of(row, "ItemName"), refused)


def _partner(row: Row) -> Standing:
    refused = ""
    if _yes(row, "Frozen") or text_of(row, "Valid") == "tNO":
        refused = "is inactive"
    elif text_of(row, "CardType") not in ("cCustomer", "C", ""):
        refused = "is no customer"
    return Standing(text_of(row, "CardCode"), text_of(row, "CardName"), refused)


def account_refused(row: Row) -> str:
    if text_of(row, "ActiveAccount") == "tNO":
        return "is a title, not an account"
    if _yes(row, "FrozenFor") or text_of(row, "ValidFor") == "tNO":
        return "is inactive"
    return ""
