"""What a Business One administrator has to know before the first posting: one finding per right, field and setting."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date

from ml_connector.connectors.base import Check
from ml_connector.connectors.business_one import matching
from ml_connector.connectors.business_one.batch import rows_of
from ml_connector.connectors.business_one.client import B1Client
from ml_connector.connectors.business_one.login import ODATA_4_FROM
from ml_connector.connectors.business_one.master_data import Company, MasterData
from ml_connector.connectors.business_one.setup import RESTART, missing_fields
from ml_connector.connectors.business_one.tables import (
    ALL,
    CLAIMS,
    DRAFTS,
    EXTERNAL_ID,
    REFERENCE,
    TARGETS,
)
from ml_connector.connectors.errors import ConnectorError, Rejected, Unauthorized, Unreachable, UnsafeAddress
from ml_connector.connectors.odata_values import decimal_of, text_of
from ml_connector.domain.policy import OpenPeriods

CLOCK_TOLERANCE_S = 60.0
OLDEST = 930000

Probe = Callable[[], Awaitable[Sequence[Check]]]


async def ping(client: B1Client, data: MasterData) -> Sequence[Check]:
    """Every check in order. When the login fails the rest would only repeat it, and is left out."""
    await client.forgive()
    data.forget()
    login = await _login(client, data)
    found = [*login]
    if not login[0].ok:
        return found
    probes: Sequence[Probe] = (
        lambda: _user_fields(client),
        *(
            lambda target=target: _set(client, target.set, (REFERENCE,), f"find and post {target.set}")
            for target in ALL
        ),
        lambda: _set(client, DRAFTS, (REFERENCE,), "see documents that wait for approval"),
        lambda: _set(client, "BusinessPartners", (EXTERNAL_ID,), "match and create customers", key="CardCode"),
        lambda: _set(client, "Items", (), "check items before posting", key="ItemCode"),
        lambda: _set(client, matching.SET, (), "match money on account with its invoice", key="ReconNum", needed=False),
        lambda: _accuracy(data),
        lambda: _chart(data),
        lambda: _tax_codes(client, data),
        lambda: _freight(client, data),
        lambda: _branches(client),
        lambda: _series(client),
        lambda: _periods(client, data),
        lambda: _guard(client),
        lambda: _approvals(),
        lambda: _clock(client),
    )
    for probe in probes:
        found += await probe()
        if not found[-1].ok and found[-1].kind == "connection":
            break
    return found


def _failed(name: str, error: ConnectorError, fix: str, kind: str, *, needed: bool = True) -> Check:
    """An address that cannot be reached is no missing right: it says so, and that ends the ping."""
    if isinstance(error, Unreachable):
        return Check(name, False, str(error), "check base_url, network, proxy and TLS settings", "connection")
    return Check(name, False, str(error), fix, kind, needed)


async def _login(client: B1Client, data: MasterData) -> list[Check]:
    settings = client.settings
    try:
        company = await data.company()
    except Unauthorized as error:
        fix = (
            f"check user and password of {settings.user}, that it is not locked, has a licence, and may see the company"
        )
        return [_failed("login", error, fix, "credentials")]
    except UnsafeAddress as error:
        return [_failed("login", error, "correct base_url of the connection", "setting")]
    except ConnectorError as error:
        fix = "check company, the licence server, the landscape directory and that the user has a licence"
        return [_failed("login", error, fix, "connection")]
    said = f"{company.name or settings.company}, version {_version(client.version)}, spoken as OData {client.api}"
    return [Check("login", True, said), _release(client.version)]


def _version(number: int) -> str:
    digits = str(number)
    return f"{digits[:-5]}.{digits[-5:-3]}.{digits[-3:]}" if len(digits) >= 6 else digits or "unknown"


def _release(version: int) -> Check:
    if 0 < version < OLDEST:
        fix = "upgrade: Service Layers before 9.3 lack what is needed"
        return Check("version", False, f"version {_version(version)} is too old", fix, "setting")
    how = "" if version >= ODATA_4_FROM else "; below 10.0 FP 2102, OData v1 is spoken"
    return Check("version", True, f"version {_version(version)}{how}", kind="setting")


async def _user_fields(client: B1Client) -> list[Check]:
    """They must exist, and the Service Layer must see them; who may not read their list can still use them."""
    try:
        missing = await missing_fields(client)
    except ConnectorError as error:
        fix = "not needed if the next lines are fine: they show whether the fields can be used"
        return [_failed("user fields", error, fix, "right", needed=False)]
    if missing:
        names = ", ".join(f"{field.property} on {field.table}" for field in missing)
        fix = f"`ml-connector setup CONNECTION --apply`, then {RESTART}"
        return [Check("user fields", False, f"missing: {names}", fix, "guard")]
    return [Check("user fields", True, "all there", kind="guard")]


async def _set(
    client: B1Client,
    entity_set: str,
    fields: Sequence[str],
    purpose: str,
    *,
    key: str = "DocEntry",
    needed: bool = True,
) -> list[Check]:
    name = f"{entity_set}: {purpose}"
    fix = f"give the user the authorisation (and licence) for {entity_set}"
    try:
        async for _ in client.pages(
            entity_set, key=key, select=(key, *fields), page_size=1, priority="background", first_only=True
        ):
            break
    except Rejected as error:
        if any(field in error.message for field in fields):
            fix = f"`ml-connector setup CONNECTION --apply` if the field is missing; else {RESTART}"
            return [Check(name, False, error.message, fix, "guard")]
        return [_failed(name, error, fix, "right", needed=needed)]
    except ConnectorError as error:
        return [_failed(name, error, fix, "right", needed=needed)]
    return [Check(name, True, "can be read", kind="right", needed=needed)]


async def _accuracy(data: MasterData) -> list[Check]:
    company: Company = await data.company()
    if company.price_decimals < 4:
        return [
            Check(
                "accuracy",
                False,
                f"unit prices have {company.price_decimals} decimals: nets of tax-inclusive prices cannot be hit",
                "set the decimals of prices to 6 (Administration, System Initialisation, General Settings, Display)",
                "setting",
                needed=False,
            )
        ]
    return [Check("accuracy", True, f"prices {company.price_decimals}, totals {company.total_decimals} decimals")]


async def _chart(data: MasterData) -> list[Check]:
    try:
        accounts = await data.named_accounts()
        currencies = await data.currencies()
    except ConnectorError as error:
        return [_failed("chart of accounts", error, "give the user the right to read accounts and currencies", "right")]
    return [Check("chart of accounts", True, f"{len(accounts)} accounts, {len(currencies)} currencies", kind="right")]


async def _tax_codes(client: B1Client, data: MasterData) -> list[Check]:
    field = client.settings.tax_field
    try:
        codes = await data.tax_codes()
    except ConnectorError as error:
        fix = "set tax_field to TaxCode (sales tax localisations) or VatGroup, and give the right to read tax codes"
        return [_failed("tax codes", error, fix, "setting")]
    usable = [code for code, standing in codes.items() if not standing.refused]
    if not usable:
        fix = "set tax_field to TaxCode for localisations with sales tax, to VatGroup for those with VAT"
        return [Check("tax codes", False, f"the company has no {field} for sales", fix, "setting")]
    return [Check("tax codes", True, f"{len(usable)} for sales, sent as {field}", kind="setting")]


async def _freight(client: B1Client, data: MasterData) -> list[Check]:
    settings = client.settings
    found: list[Check] = []
    try:
        expenses = await data.expenses()
        items = await data.items([settings.charge_item] if settings.charge_item else [])
    except ConnectorError as error:
        return [_failed("freight", error, "give the right to read additional expenses and items", "right")]
    for role, code in settings.freight.items():
        if str(code) not in expenses:
            words = f"the additional expense {code} of {role} does not exist"
            found.append(Check("freight", False, words, "correct freight in the connection", "setting"))
    if settings.charge_item and settings.charge_item not in items:
        words = f"the item {settings.charge_item} of charge_item does not exist"
        found.append(Check("charge item", False, words, "create it as a sales item without stock", "setting"))
    if not settings.freight and not settings.charge_item:
        fix = "set freight_code to an additional expense, or charge_item to an item without stock"
        found.append(Check("freight", False, "neither is set: an order with shipping is held", fix, "setting"))
    return found or [Check("freight", True, "additional expenses and charge item are there", kind="setting")]


async def _branches(client: B1Client) -> list[Check]:
    wanted = client.settings.branch
    try:
        rows = await client.rows("BusinessPlaces", key="BPLID", select=("BPLID", "BPLName", "Disabled"))
    except ConnectorError as error:
        return [_failed("branch", error, "give the right to read branches", "right", needed=wanted is not None)]
    active = {text_of(row, "BPLID"): text_of(row, "BPLName") for row in rows if text_of(row, "Disabled") != "tYES"}
    if wanted is not None and str(wanted) not in active:
        return [Check("branch", False, f"there is no active branch {wanted}", "correct branch", "setting")]
    if wanted is None and len(active) > 1:
        named = ", ".join(f"{key} {name}" for key, name in active.items())
        words = f"the company has branches ({named}) and none is set: its documents need one if branches are in use"
        return [Check("branch", False, words, "set branch in the connection", "setting", needed=False)]
    return [Check("branch", True, active.get(str(wanted), "none set"), kind="setting")]


async def _series(client: B1Client) -> list[Check]:
    """Of each kind that has a series set; a kind without one gets the user's default series."""
    found: list[Check] = []
    for kind, number in client.settings.series.items():
        target = TARGETS.get(kind)
        if target is None:
            continue
        body = {"DocumentTypeParams": {"Document": str(target.type), "DocumentSubType": "--"}}
        try:
            response = await client.read("POST", "SeriesService_GetDocumentSeries", body=body, priority="background")
            listed = {text_of(row, "Series"): row for row in rows_of(response.json())}
        except (ConnectorError, ValueError) as error:
            found.append(Check("series", False, str(error), "give the right to read series", "right", needed=False))
            continue
        row = listed.get(str(number))
        if row is None or text_of(row, "Locked") == "tYES" or text_of(row, "IsManual") == "tYES":
            words = f"series {number} of {kind} does not exist, is locked, or is numbered by hand"
            found.append(Check("series", False, words, "correct series in the connection", "setting"))
    return found or [
        Check("series", True, "the ones that are set exist" if client.settings.series else "default series")
    ]


async def _periods(client: B1Client, data: MasterData) -> list[Check]:
    settings = client.settings
    try:
        told = await data.periods(0)
    except ConnectorError as error:
        return [_failed("open periods", error, "ping again", "setting", needed=False)]
    if told is None and settings.open_from is None and settings.open_to is None:
        return [
            Check(
                "open periods",
                False,
                "the company does not tell its posting periods, and open_from and open_to are not set: a closed period "
                "shows only when Business One refuses a document",
                "give the user the authorisation for posting periods, or set open_from and open_to after each closing",
                "setting",
                needed=False,
            )
        ]
    known = OpenPeriods(settings.open_from, settings.open_to).within(told or OpenPeriods())
    words = f"{known.open_from or '...'} to {known.open_to or '...'}"
    if known.closed:
        words += ", but for " + ", ".join(f"{first} to {last}" for first, last in known.closed)
    words += ", by the company" if told is not None else ", by open_from and open_to"
    today = date.today()  # noqa: DTZ011 - a calendar day, compared with calendar days
    fix = "" if known.contains(today) else "open the period in Business One, or correct open_from and open_to"
    return [Check("open periods", not fix, words, fix, "setting", needed=False)]


async def _guard(client: B1Client) -> list[Check]:
    if not client.settings.claims:
        words = (
            "off: one document per reference is kept by looking up before each posting and by waiting out unknown "
            "outcomes; claims would let the database itself refuse a second one"
        )
        fix = "after a trial on a test company: `ml-connector setup CONNECTION --apply`, then set claims to true"
        return [Check("duplicate guard", False, words, fix, "guard", needed=False)]
    checks = await _set(client, CLAIMS, (), "the hard guard", key="Code")
    if checks[0].ok:
        return [Check("duplicate guard", True, "on: each document goes with its claim in one change set", kind="guard")]
    fix = f"`ml-connector setup CONNECTION --apply`, then {RESTART}; or set claims to false"
    return [Check("duplicate guard", False, checks[0].message, fix, "guard")]


async def _approvals() -> list[Check]:
    words = "a document that an approval template catches becomes a draft and is held until it is approved"
    fix = "take the integration user out of the approval templates"
    return [Check("approval templates", True, words, fix, "setting", needed=False)]


async def _clock(client: B1Client) -> list[Check]:
    """The balancer's own clock, without a session."""
    try:
        there = float(decimal_of(await client.liveness(), "timestamp"))
    except (ConnectorError, ValueError):
        return [Check("clock", True, "the balancer tells no time", kind="clock", needed=False)]
    if not there:
        return [Check("clock", True, "the balancer tells no time", kind="clock", needed=False)]
    step_s = abs(there - time.time())
    fine = step_s <= CLOCK_TOLERANCE_S
    fix = "" if fine else "set the time on both machines (NTP)"
    return [Check("clock", fine, f"the clocks differ by {step_s:.0f} s", fix, "clock", needed=False)]
