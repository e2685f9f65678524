"""What an SAP administrator has to know before the first posting: one finding per scenario, right and setting."""

import time
from collections.abc import Callable, Coroutine, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from ml_connector.connectors.base import Check
from ml_connector.connectors.errors import ConnectorError, Unauthorized, Unreachable, UnsafeAddress
from ml_connector.connectors.odata_values import all_of, equals
from ml_connector.connectors.s4hana import customers, master_data, stock
from ml_connector.connectors.s4hana.client import S4Client
from ml_connector.connectors.s4hana.master_data import MasterData
from ml_connector.connectors.s4hana.stored import CUBE, CUBE_SCENARIO, CUBE_SET, ORDER_BY, REFERENCE, SELECT
from ml_connector.connectors.soap import ENVELOPE, Fault, body_of
from ml_connector.domain.documents import Document

POSTING_SCENARIO = "SAP_COM_0002"
CLOCK_TOLERANCE_S = 60.0
_NOTHING = f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE}"><soapenv:Header/><soapenv:Body/></soapenv:Envelope>'.encode()

Probe = Callable[[], Coroutine[Any, Any, Check]]


async def ping(client: S4Client, data: MasterData, youngest: Document | None) -> Sequence[Check]:
    """Every check in order. When the login fails, or the address cannot be reached (the token URL may be another's),
    the rest would only repeat it, and is left out."""
    client.allow_password()
    data.forget()
    login = await _login(client)
    if not login.ok:
        return [login]
    found = [login]
    probes: Sequence[Probe] = (
        lambda: _posting(client),
        lambda: _set(client, CUBE, CUBE_SCENARIO, CUBE_SET, ORDER_BY, "look up and read back documents"),
        lambda: _set(
            client,
            master_data.CHART,
            master_data.SCENARIO,
            "A_GLAccountInChartOfAccounts",
            "ChartOfAccounts,GLAccount",
            "check accounts before posting",
        ),
        lambda: _set(
            client,
            master_data.COST_CENTER,
            master_data.SCENARIO,
            "A_CostCenter",
            "ControllingArea,CostCenter,ValidityEndDate",
            "check cost centers before posting",
        ),
        lambda: _set(
            client,
            master_data.PROFIT_CENTER,
            master_data.SCENARIO,
            "A_ProfitCenter",
            "ControllingArea,ProfitCenter,ValidityEndDate",
            "check profit centers before posting",
            needed=False,
        ),
        lambda: _set(
            client,
            customers.SERVICE,
            customers.SCENARIO,
            "A_BusinessPartner",
            "BusinessPartner",
            "create and update customers",
            needed=False,
        ),
        *(
            lambda each=each: _set(client, *each, "read stock for the flow `stock`", needed=False)
            for each in (
                (stock.STOCK, stock.STOCK_SCENARIO, stock.STOCK_SET, ",".join(stock.STOCK_KEYS)),
                (stock.PRODUCT, stock.PRODUCT_SCENARIO, stock.PRODUCT_SET, "Product"),
            )
        ),
        lambda: _company(client, data),
    )
    for probe in probes:
        found.append(await probe())
        if not found[-1].ok and found[-1].kind == "connection":
            return found
    found += [_user(client), _document_types(client), _periods(client), _guard()]
    if youngest is not None:
        found.append(await _visible(client, youngest))
    found.append(await _clock(client))
    return found


def _failed(name: str, error: ConnectorError, fix: str, kind: str, *, needed: bool = True) -> Check:
    """An address that cannot be reached is no missing right: it says so, and that ends the ping."""
    if isinstance(error, Unreachable) and kind != "connection":
        fix = "check base_url, and the network, proxy and TLS settings of the connection"
        return Check(name, False, str(error), fix, "connection")
    return Check(name, False, str(error), fix, kind, needed)


async def _login(client: S4Client) -> Check:
    settings = client.settings
    try:
        if settings.auth == "oauth":
            token = await client.fetch_token()
            return Check("login", True, f"a token was issued, valid until {token.expires_at:%H:%M:%S} UTC")
        response = await client.read("GET", f"{settings.odata_root}/{master_data.COMPANY}/", priority="background")
    except Unauthorized as error:
        fix = "check user, password or certificate and 'Maintain Communication Users'"
        return _failed("login", error, fix, "credentials")
    except UnsafeAddress as error:
        return _failed("login", error, "correct the address of the connection", "setting")
    except ConnectorError as error:
        fix = "check the address, network, proxy and TLS settings of the connection"
        if settings.auth == "certificate":  # with TLS 1.3 a refused certificate looks like a dropped connection
            fix += ", and that SAP trusts the client certificate and has it assigned to the communication user"
        return _failed("login", error, fix, "connection")
    return Check("login", True, f"the system answers at {settings.base_url} (status {response.status})")


async def _posting(client: S4Client) -> Check:
    """An envelope without a message cannot post anything: only whether the service listens to us is learned."""
    name = f"{POSTING_SCENARIO}: post journal entries"
    fix = f"create a communication arrangement for {POSTING_SCENARIO} with this user and check the service's path"
    try:
        response = await client.probe_soap(client.settings.journal_path, _NOTHING)
    except ConnectorError as error:
        return _failed(name, error, fix, "right")
    if response.status in (401, 403, 404):
        return Check(name, False, f"{client.settings.journal_path} answers {response.status}", fix, "right")
    try:
        message = body_of(response.body)
    except ValueError:
        return Check(
            name, False, f"{client.settings.journal_path} answers {response.status}, but no SOAP", fix, "right"
        )
    words = f" ({message.message})" if isinstance(message, Fault) else ""
    return Check(name, True, f"the service answers{words}", kind="right")


async def _set(
    client: S4Client, service: str, scenario: str, entity_set: str, order_by: str, purpose: str, *, needed: bool = True
) -> Check:
    name = f"{scenario}: {purpose}"
    fix = f"create a communication arrangement for {scenario} that includes {service}"
    try:
        async for _ in client.service(service, scenario).pages(
            entity_set, order_by=order_by, page_size=1, priority="background", first_only=True
        ):
            break
    except ConnectorError as error:
        return _failed(name, error, fix, "right", needed=needed)
    return Check(name, True, f"{service} can be read", kind="right", needed=needed)


async def _company(client: S4Client, data: MasterData) -> Check:
    code = client.settings.company_code
    try:
        company = await data.company()
    except ConnectorError as error:
        return _failed("company code", error, f"arrange {master_data.SCENARIO} with {master_data.COMPANY}", "right")
    if company is None:
        return Check(
            "company code", False, f"{code} does not exist", "correct company_code in the connection", "setting"
        )
    return Check("company code", True, f"{code} {company.name}, currency {company.currency}, chart {company.chart}")


def _user(client: S4Client) -> Check:
    user = client.settings.created_by_user
    return Check("created_by_user", True, f"documents carry {user!r} ({len(user)} of 12 characters)", kind="setting")


def _document_types(client: S4Client) -> Check:
    types = client.settings.document_types
    listed = ", ".join(f"{kind.value} {value}" for kind, value in types.items())
    wrong = [value for value in types.values() if not 1 <= len(value) <= 2]
    if wrong:
        return Check("document types", False, f"{wrong[0]!r} is not a document type", "two characters each", "setting")
    return Check(
        "document types",
        True,
        f"{listed}; no service lists them, SAP checks them at the first posting",
        kind="setting",
        needed=False,
    )


def _periods(client: S4Client) -> Check:
    settings = client.settings
    if settings.open_from is None and settings.open_to is None:
        return Check(
            "open periods",
            False,
            "open_from and open_to are not set: a closed period shows only when SAP refuses a document",
            "set open_from and open_to after each closing",
            "setting",
            needed=False,
        )
    return Check("open periods", True, f"{settings.open_from or '...'} to {settings.open_to or '...'}", kind="setting")


def _guard() -> Check:
    return Check(
        "duplicate guard",
        False,
        "S/4HANA itself accepts a second document with the same reference; one document per reference is kept by "
        "looking up before each posting and by waiting out unknown outcomes",
        "nothing to do",
        "guard",
        needed=False,
    )


async def _visible(client: S4Client, youngest: Document) -> Check:
    name = "look-up sees our documents"
    try:
        rows = await client.service(CUBE, CUBE_SCENARIO).rows(
            CUBE_SET,
            order_by=ORDER_BY,
            where=all_of(equals("CompanyCode", client.settings.company_code), equals(REFERENCE, youngest.reference)),
            select=SELECT,
        )
    except ConnectorError as error:
        return _failed(name, error, f"check {CUBE_SCENARIO}", "right")
    if rows:
        return Check(name, True, f"{youngest.reference} was found", kind="right")
    return Check(
        name,
        False,
        f"{youngest.reference} was posted and is not found: nothing may be sent until the look-up sees it",
        f"give the communication user of {CUBE_SCENARIO} the right to all documents of the company code",
        "right",
    )


async def _clock(client: S4Client) -> Check:
    """Compares the Date header with our clock."""
    try:
        response = await client.read(
            "GET", f"{client.settings.odata_root}/{master_data.COMPANY}/", priority="background"
        )
        there = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (ConnectorError, ValueError):
        return Check("clock", True, "the system gives no date", kind="clock", needed=False)
    step_s = there - time.time()
    return Check(
        "clock",
        abs(step_s) <= CLOCK_TOLERANCE_S,
        f"the clocks differ by {abs(step_s):.0f} s",
        "" if abs(step_s) <= CLOCK_TOLERANCE_S else "set the time on this machine (NTP)",
        "clock",
        needed=False,
    )
