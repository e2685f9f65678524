"""Ledger master data, read and kept for a while: chart of accounts, company code, cost and profit centres.

Documents are checked against it before anything is sent. Sources: SAP Business Accelerator Hub,
API_GLACCOUNTINCHARTOFACCOUNTS_SRV, API_COMPANYCODE_SRV, API_COSTCENTER_SRV, API_PROFITCENTER_SRV.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import cast

from ml_connector.connectors.base import LedgerAccount, LedgerDimension, Outgoing, Problem
from ml_connector.connectors.errors import Rejected, Transient, Unauthorized, Unreachable
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, all_of, date_of, equals, flag_of, key, text_of
from ml_connector.connectors.s4hana.client import SYSTEM, S4Client
from ml_connector.connectors.s4hana.wire import document_type, journal_entry, padded
from ml_connector.connectors.soap import FieldError
from ml_connector.domain.documents import Document, Kind, Role
from ml_connector.domain.mapping import Unmapped

CHART = "API_GLACCOUNTINCHARTOFACCOUNTS_SRV"
COMPANY = "API_COMPANYCODE_SRV"
COST_CENTER = "API_COSTCENTER_SRV"
PROFIT_CENTER = "API_PROFITCENTER_SRV"
SCENARIO = "SAP_COM_0087 (or SAP_COM_0084)"

ACCOUNT_FIELDS = (
    "ChartOfAccounts",
    "GLAccount",
    "IsBalanceSheetAccount",
    "AccountIsBlockedForPosting",
    "AccountIsMarkedForDeletion",
)
ACCOUNT_TEXT_FIELDS = ("ChartOfAccounts", "GLAccount", "Language", "GLAccountName", "GLAccountLongName")
COST_CENTER_FIELDS = (
    "ControllingArea",
    "CostCenter",
    "ValidityEndDate",
    "ValidityStartDate",
    "CompanyCode",
    "IsBlkdForPrimaryCostsPosting",
)
PROFIT_CENTER_FIELDS = (
    "ControllingArea",
    "ProfitCenter",
    "ValidityEndDate",
    "ValidityStartDate",
    "ProfitCenterIsBlocked",
)
FRESH_S = 10.0
"""A copy no older than this is not read again when a document asks for something that it lacks."""
COMPANY_FIELDS = ("CompanyCode", "CompanyCodeName", "Currency", "ChartOfAccounts", "ControllingArea")


@dataclass(frozen=True, slots=True)
class Company:
    code: str
    name: str
    currency: str
    chart: str
    controlling_area: str


class MasterData:
    """Reads each table once per lifetime; while the system cannot be reached, the last copy stays good."""

    def __init__(self, client: S4Client) -> None:
        self._client = client
        self._kept: dict[str, tuple[float, object]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def company(self) -> Company | None:
        """The company code of the settings; None when the system does not know it."""
        return cast("Company | None", await self._cached("company", self._read_company))

    async def accounts(self) -> Mapping[str, LedgerAccount]:
        """By padded account number."""
        return cast("Mapping[str, LedgerAccount]", await self._cached("accounts", self._read_accounts))

    async def named_accounts(self) -> Sequence[LedgerAccount]:
        """With names in English, where the system has them."""
        return cast("Sequence[LedgerAccount]", await self._cached("names", self._read_names))

    async def cost_centers(self) -> Sequence[LedgerDimension]:
        return cast("Sequence[LedgerDimension]", await self._cached("cost_centers", self._read_cost_centers))

    async def profit_centers(self) -> Sequence[LedgerDimension] | None:
        """None when the service is not open to us: then SAP itself decides at posting."""
        return cast("Sequence[LedgerDimension] | None", await self._cached("profit_centers", self._read_profit_centers))

    async def _cached(self, name: str, read: Callable[[], Awaitable[object]]) -> object:
        async with self._reading.setdefault(name, asyncio.Lock()):
            known = self._kept.get(name)
            if known is not None and time.monotonic() < known[0]:
                return known[1]
            try:
                value = await read()
            except (Transient, Unreachable):
                if known is None:
                    raise
                return known[1]
            self._kept[name] = (time.monotonic() + self._client.settings.master_data_lifetime_s, value)
            return value

    def forget(self) -> None:
        """The next question reads again."""
        self._kept.clear()

    def look_again(self) -> bool:
        """Lets the next question read again what was read more than `FRESH_S` ago. True if there is any of that.

        A person who has just created an account must not wait for a copy to grow old; an account that is missing
        for long must not cost a read with every order.
        """
        stale = time.monotonic() + self._client.settings.master_data_lifetime_s - FRESH_S
        old = [name for name, (until, _) in self._kept.items() if until < stale]
        for name in old:
            self._kept[name] = (0.0, self._kept[name][1])
        return bool(old)

    # -------------------------------------------------------------- reading

    async def _read_company(self) -> Company | None:
        service = self._client.service(COMPANY, SCENARIO)
        row = await service.entity(
            f"A_CompanyCode{key(CompanyCode=self._client.settings.company_code)}",
            params={"$select": ",".join(COMPANY_FIELDS)},
        )
        if row is None:
            return None
        return Company(
            text_of(row, "CompanyCode"),
            text_of(row, "CompanyCodeName"),
            text_of(row, "Currency"),
            text_of(row, "ChartOfAccounts"),
            text_of(row, "ControllingArea"),
        )

    async def _known_company(self) -> Company:
        company = await self.company()
        if company is None:
            raise Rejected(f"the company code {self._client.settings.company_code} does not exist", system=SYSTEM)
        return company

    async def _read_accounts(self) -> Mapping[str, LedgerAccount]:
        company = await self._known_company()
        rows = await self._client.service(CHART, SCENARIO).rows(
            "A_GLAccountInChartOfAccounts",
            order_by="ChartOfAccounts,GLAccount",
            where=equals("ChartOfAccounts", company.chart),
            select=ACCOUNT_FIELDS,
        )
        return {account.number: account for account in map(_account, rows)}

    async def _read_names(self) -> Sequence[LedgerAccount]:
        company = await self._known_company()
        accounts = await self.accounts()
        rows = await self._client.service(CHART, SCENARIO).rows(
            "A_GLAccountText",
            order_by="ChartOfAccounts,GLAccount,Language",
            where=all_of(equals("ChartOfAccounts", company.chart), equals("Language", "EN")),
            select=ACCOUNT_TEXT_FIELDS,
            priority="background",
        )
        names = {
            padded(text_of(row, "GLAccount")): text_of(row, "GLAccountLongName") or text_of(row, "GLAccountName")
            for row in rows
        }
        return [replace(account, name=names.get(number, "")) for number, account in sorted(accounts.items())]

    async def _read_cost_centers(self) -> Sequence[LedgerDimension]:
        company = await self._known_company()
        rows = await self._client.service(COST_CENTER, SCENARIO).rows(
            "A_CostCenter",
            order_by="ControllingArea,CostCenter,ValidityEndDate",
            where=equals("ControllingArea", company.controlling_area) if company.controlling_area else "",
            select=COST_CENTER_FIELDS,
        )
        with readable(COST_CENTER, SYSTEM):
            return [_dimension("cost_center", row, "CostCenter", "IsBlkdForPrimaryCostsPosting") for row in rows]

    async def _read_profit_centers(self) -> Sequence[LedgerDimension] | None:
        company = await self._known_company()
        try:
            rows = await self._client.service(PROFIT_CENTER, SCENARIO).rows(
                "A_ProfitCenter",
                order_by="ControllingArea,ProfitCenter,ValidityEndDate",
                where=equals("ControllingArea", company.controlling_area) if company.controlling_area else "",
                select=PROFIT_CENTER_FIELDS,
            )
        except (Unauthorized, Rejected):  # the names of this service are not verified against a vendor's file
            return None
        with readable(PROFIT_CENTER, SYSTEM):
            return [_dimension("profit_center", row, "ProfitCenter", "ProfitCenterIsBlocked") for row in rows]


def _account(row: Row) -> LedgerAccount:
    return LedgerAccount(
        number=padded(text_of(row, "GLAccount")),
        name="",
        balance_sheet=flag_of(row, "IsBalanceSheetAccount"),
        blocked=flag_of(row, "AccountIsBlockedForPosting") or flag_of(row, "AccountIsMarkedForDeletion"),
    )


def _dimension(kind: str, row: Row, name: str, block: str) -> LedgerDimension:
    return LedgerDimension(
        kind=kind,
        key=padded(text_of(row, name)),
        name="",
        valid_from=date_of(row.get("ValidityStartDate")),
        valid_to=date_of(row.get("ValidityEndDate")),
        blocked=flag_of(row, block),
    )


# ------------------------------------------------------------------ checking


_OF_MASTER_DATA = {"company_code", "gl_account", "profit_center", "cost_center"}


async def problems(data: MasterData, client: S4Client, documents: Sequence[Document]) -> Mapping[str, list[Problem]]:
    """Per reference, what SAP would refuse; references without a problem are absent.

    What is missing in a copy is looked for once more in the system itself before a document is held for it.
    """
    found = await _problems(data, client, documents)
    missing = any(problem.kind in _OF_MASTER_DATA for listed in found.values() for problem in listed)
    return await _problems(data, client, documents) if missing and data.look_again() else found


async def _problems(data: MasterData, client: S4Client, documents: Sequence[Document]) -> Mapping[str, list[Problem]]:
    journal = [document for document in documents if document.kind is not Kind.CUSTOMER]
    if not journal:
        return {}
    if await data.company() is None:
        code = client.settings.company_code
        missing = Problem("company_code", code, f"the company code {code} does not exist in {SYSTEM}")
        return {document.reference: [missing] for document in journal}
    accounts = await data.accounts()
    lines = [line for document in journal for line in document.lines]
    centers: dict[str, Sequence[LedgerDimension] | None] = {
        "profit_center": await data.profit_centers() if any(line.dimension.profit_center for line in lines) else None,
        "cost_center": await data.cost_centers() if any(line.dimension.cost_center for line in lines) else None,
    }
    found = {
        document.reference: list(
            dict.fromkeys(
                [
                    *_period_problems(document, client),
                    *_form_problems(document, client),
                    *_account_problems(document, accounts),
                    *_center_problems(document, centers),
                ]
            )
        )
        for document in journal
    }
    return {reference: listed for reference, listed in found.items() if listed}


def _period_problems(document: Document, client: S4Client) -> Iterator[Problem]:
    settings = client.settings
    day = document.posting_date
    early = settings.open_from is not None and day < settings.open_from
    late = settings.open_to is not None and day > settings.open_to
    if early or late:
        yield Problem(
            "period",
            day.isoformat(),
            f"the posting date {day} lies outside the open period ({settings.open_from or '...'} to "
            f"{settings.open_to or '...'}); open the period in SAP and in the connection, or move the date",
        )


def _form_problems(document: Document, client: S4Client) -> Iterator[Problem]:
    """What cannot even be written: a missing mapping, a value that does not fit its field, sides that differ."""
    if document.balance:
        message = f"debit and credit differ by {document.balance} {document.currency}"
        yield Problem("balance", document.reference, message)
    try:
        if document.kind is Kind.REVERSAL:
            document_type(document, client.settings)
        else:
            journal_entry(Outgoing(document), client.settings)
    except Unmapped as error:
        yield Problem(error.kind, error.key, str(error))
    except FieldError as error:
        yield Problem("field", error.field, str(error))


def _account_problems(document: Document, accounts: Mapping[str, LedgerAccount]) -> Iterator[Problem]:
    """Receivable and tax lines name no account: the customer's and the tax code's settings decide there."""
    if document.kind is Kind.REVERSAL:
        return
    for line in document.lines:
        if line.role in (Role.RECEIVABLE, Role.TAX_PAYABLE):
            continue
        number = padded(line.account)
        account = accounts.get(number)
        if account is None:
            yield Problem("gl_account", number, f"the chart of accounts has no account {number} ({line.role})")
        elif account.blocked:
            yield Problem("gl_account", number, f"the account {number} ({line.role}) is blocked for posting")


def _center_problems(document: Document, centers: Mapping[str, Sequence[LedgerDimension] | None]) -> Iterator[Problem]:
    if document.kind is Kind.REVERSAL:
        return
    for line in document.lines:
        wanted: dict[str, str] = {
            "profit_center": line.dimension.profit_center,
            "cost_center": line.dimension.cost_center,
        }
        for kind, value in wanted.items():
            known = centers[kind]
            if value and known is not None and (message := _refuses(known, kind, value, document.posting_date)):
                yield Problem(kind, padded(value), message)


def _refuses(known: Sequence[LedgerDimension], kind: str, value: str, day: date) -> str:
    words = kind.replace("_", " ")
    rows = [row for row in known if row.key == padded(value)]
    if not rows:
        return f"there is no {words} {padded(value)}"
    valid = [row for row in rows if (row.valid_from or day) <= day <= (row.valid_to or day)]
    if not valid:
        return f"the {words} {padded(value)} is not valid on the posting date {day}"
    return f"the {words} {padded(value)} is blocked" if all(row.blocked for row in valid) else ""
