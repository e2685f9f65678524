"""The S/4HANA stand-in put together: state, HTTP handlers, registration."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ml_connector.sandbox.core.faults import ACTIVE
from ml_connector.sandbox.core.system import Environment, System
from ml_connector.sandbox.s4hana import ledger_tables as tables
from ml_connector.sandbox.s4hana.access import (
    CONTEXT_COOKIE,
    CSRF_HEADER,
    SESSION_COOKIE,
    TOKEN_PATH,
    Access,
    csrf_refused,
    logon_refused,
)
from ml_connector.sandbox.s4hana.control import control_routes, state_readers
from ml_connector.sandbox.s4hana.ledger import Ledger
from ml_connector.sandbox.s4hana.master import DEFAULT_TAX_CODES, MasterData, default_master_data
from ml_connector.sandbox.s4hana.odata.errors import NO_SERVICE, NOT_AUTHORIZED, ODataError
from ml_connector.sandbox.s4hana.odata.message import ODataRequest, ODataResponse
from ml_connector.sandbox.s4hana.odata.read import PageRules
from ml_connector.sandbox.s4hana.odata.server import ROOT, WRITES, ODataServer
from ml_connector.sandbox.s4hana.partner_tables import PARTNER_SERVICE
from ml_connector.sandbox.s4hana.partners import Partners
from ml_connector.sandbox.s4hana.posting import SYSTEM, Books
from ml_connector.sandbox.s4hana.seed import Seed, seed_customers, seed_master_data
from ml_connector.sandbox.s4hana.settings import Settings
from ml_connector.sandbox.s4hana.soap import (
    CONTENT_TYPES,
    SOAP_12,
    SoapFault,
    envelope_version,
    read_request,
    write_confirmation,
    write_fault,
)
from ml_connector.sandbox.s4hana.stock import MATERIAL_STOCK_SERVICE, PRODUCT_SERVICE, Stock
from ml_connector.sandbox.s4hana.storage import SystemStorage

SOAP_PATH = "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"
SOAP_SCENARIO = "SAP_COM_0002"
SERVICES = (
    tables.CUBE_SERVICE,
    tables.GL_ACCOUNT_SERVICE,
    tables.COMPANY_CODE_SERVICE,
    tables.COST_CENTER_SERVICE,
    tables.PROFIT_CENTER_SERVICE,
    PARTNER_SERVICE,
    MATERIAL_STOCK_SERVICE,
    PRODUCT_SERVICE,
)
HANDLER_FAULTS = frozenset(
    {
        *("closed_period", "locked", "number_range_exhausted", "short_dump"),
        *("warnings_only", "duplicate_log", "refused_document", "no_reference_id", "unpadded_number"),
        *("stale_lookup", "next_link_host", "xml_error", "etag_conflict", "csrf_loss", "not_authorized"),
    }
)
"""``refused_document`` takes form=zeros|blank|empty, ``stale_lookup`` lag_s, ``next_link_host`` host."""


@dataclass
class S4Hana:
    environment: Environment
    settings: Settings = field(default_factory=Settings)
    ledger: Ledger = field(default_factory=Ledger)
    master: MasterData = field(default_factory=default_master_data)
    stock: Stock = field(default_factory=Stock)

    def __post_init__(self) -> None:
        self.clock = self.environment.clock
        draw = random.Random(f"{self.environment.seed}/s4hana")
        self.access = Access(lambda: self.settings, self.clock.time_s, draw)
        self._build()

    def _build(self) -> None:
        draw = random.Random(f"{self.environment.seed}/s4hana/partners")
        self.partners = Partners(self.master, self.settings, self.clock.now, draw)
        self.books = Books(self.ledger, self.master, self.partners, self.settings, self.clock.now, self.clock.time_s)
        self.storage = SystemStorage(self.ledger, self.master, self.partners, self.stock, self.clock.time_s)
        self.odata = ODataServer(
            SERVICES,
            self.storage,
            self.environment.base_url,
            self.clock.now,
            lambda: PageRules(self.settings.page_cap, self.settings.page_without_top),
        )
        self._seed(DEFAULT_SEED)

    async def seed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Raises ``ValueError`` (pydantic's too) for what it does not know."""
        self._seed(Seed.model_validate(body))
        return {
            "gl_accounts": len(self.master.accounts),
            "customers": len(self.partners.tables["A_Customer"]),
            "tax_codes": len(self.master.tax_codes),
            "open_from": self.settings.open_from,
            "open_to": self.settings.open_to,
        }

    def _seed(self, seed: Seed) -> None:
        told = {name: getattr(seed, name) for name in ("open_from", "open_to", "lookup_lag_s")}
        wanted = {**seed.settings, **{name: value for name, value in told.items() if value is not None}}
        checked = Settings.model_validate({**self.settings.model_dump(), **wanted})
        for name in wanted:
            setattr(self.settings, name, getattr(checked, name))
        seed_master_data(seed, self.master, self.clock.time_s())
        seed_customers(seed, self.partners, self.master)
        self.storage.master_version += 1

    async def reset(self) -> None:
        self.settings, self.ledger, self.master = Settings(), Ledger(), default_master_data()
        self.stock = Stock()
        self.access.reset()
        self._build()

    async def token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        return self.access.token_answer(request.headers.get("Authorization", ""), form)

    async def journal_entries(self, request: web.Request) -> web.StreamResponse:
        """Journal Entry - Post (Synchronous); no CSRF token, no session."""
        if self.access.authenticate(request) is None:
            return logon_refused()
        faults = request[ACTIVE]
        if SOAP_SCENARIO not in self.settings.scenarios or "not_authorized" in faults:
            return web.Response(
                status=403, text="<html><body><h1>403 Forbidden</h1></body></html>", content_type="text/html"
            )
        body = await request.read()
        version = envelope_version(body)
        try:
            _check_envelope(request, version)
            answered = self._post(request, body)
        except SoapFault as fault:
            return _soap_answer(500, version, write_fault(version, str(fault)))
        return _soap_answer(200, version, answered)

    def _post(self, request: web.Request, body: bytes) -> bytes:
        faults = request[ACTIVE]
        posting = read_request(body)
        ignored = tuple(posting.ignored)
        outcomes = [
            self.books.post(message["JournalEntry"], message["MessageHeader"].get("ID"), ignored, faults)
            for message in posting.bulk["JournalEntryCreateRequest"]
        ]
        bulk_id = None if "no_reference_id" in faults else posting.bulk["MessageHeader"].get("ID")
        language = self._language(request)
        interface = None if self.settings.release == "2020" else "JournalEntryCreateRequestConfirmation_In"
        now = self.clock.now()
        return write_confirmation(posting.version, outcomes, bulk_id, now, SYSTEM, language, interface)

    async def odata_service(self, request: web.Request) -> web.StreamResponse:
        user = self.access.authenticate(request)
        if user is None:
            return logon_refused()
        message = ODataRequest(
            method=request.method,
            service=request.match_info["service"],
            path=request.raw_path.partition("?")[0].removeprefix(f"{ROOT}/{request.match_info['service']}"),
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
            user=user,
            language=self._language(request),
            faults=request[ACTIVE],
        )
        if refused := self._not_arranged(message):
            return _http(self.odata.error(message, refused))
        fetching = request.headers.get(CSRF_HEADER, "").lower() == "fetch"
        if request.method in WRITES:
            if "csrf_loss" in message.faults:
                self.access.drop_sessions()
            if not self.access.csrf_holds(request, user):
                return csrf_refused()
        answered = _http(self.odata.answer(message))
        if fetching and request.method in ("GET", "HEAD"):
            self._give_token(request, answered, user)
        return answered

    def _not_arranged(self, message: ODataRequest) -> ODataError | None:
        service = self.odata.service(message.service)
        if "not_authorized" in message.faults:
            return ODataError(403, NOT_AUTHORIZED, f"No authorization to access service '{message.service}'")
        if service is None or set(service.scenarios) & set(self.settings.scenarios):
            return None
        text = f"No service found for namespace '', name '{message.service}', version '0001'"
        return ODataError(403, NO_SERVICE, text)

    def _give_token(self, request: web.Request, answered: web.Response, user: str) -> None:
        session = self.access.session_of(request, user)
        if session is None:
            name, session = self.access.open_session(user)
            secure = self.environment.tls is not None
            guards = "; path=/; HttpOnly" + ("; secure" if secure else "")
            answered.headers.add("Set-Cookie", f"{SESSION_COOKIE}={name}{guards}")
            answered.headers.add("Set-Cookie", f"{CONTEXT_COOKIE}=sap-client=100; path=/")
        answered.headers[CSRF_HEADER] = session.token

    def _language(self, request: web.Request) -> str:
        asked = request.headers.get("Accept-Language", "") or request.query.get("sap-language", "")
        first = asked.partition(",")[0].partition(";")[0].partition("-")[0].strip().upper()
        return first if first in ("EN", "DE") else self.settings.default_language


def create(environment: Environment) -> System:
    stand_in = S4Hana(environment)
    user, password = stand_in.access.user, stand_in.access.password
    credentials = {"user": user, "password": password, "client_id": user, "client_secret": password}
    if environment.tls is not None:
        credentials["client_certificate"] = str(environment.tls.client_cert)
        credentials["client_key"] = str(environment.tls.client_key)
    return System(
        name="s4hana",
        routes=[
            web.post(TOKEN_PATH, stand_in.token),
            web.post(SOAP_PATH, stand_in.journal_entries),
            web.route("*", ROOT + "/{service}", stand_in.odata_service),
            web.route("*", ROOT + "/{service}/{path:.*}", stand_in.odata_service),
        ],
        credentials=credentials,
        token_path=TOKEN_PATH,
        known={
            "company code": "1710",
            "one-time customer": "17100099",
            "reconciliation account": "12100000",
            "tax codes": ", ".join(f"{code} {name}" for code, name, _ in DEFAULT_TAX_CODES),
            "accounts": "chart YCOA, which the console lists",
        },
        states=state_readers(stand_in),
        seed=stand_in.seed,
        reset=stand_in.reset,
        handler_faults=HANDLER_FAULTS,
        control_routes=control_routes(stand_in),
    )


def _check_envelope(request: web.Request, version: str) -> None:
    if "short_dump" in request[ACTIVE]:
        raise SoapFault("An internal error occurred: MESSAGE_TYPE_X in SAPLFACI")
    expected = "application/soap+xml" if version == SOAP_12 else "text/xml"
    if request.content_type != expected:
        raise SoapFault(f"SOAP processing failure: content type {request.content_type} does not fit the envelope")


def _soap_answer(status: int, version: str, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, headers={"Content-Type": CONTENT_TYPES[version]})


def _http(answered: ODataResponse) -> web.Response:
    headers = {**answered.headers, **({"Content-Type": answered.content_type} if answered.content_type else {})}
    return web.Response(status=answered.status, body=answered.body, headers=headers)


DEFAULT_SEED = Seed.model_validate(
    {
        "customers": [
            {"number": "17100001", "name": "Web store customers"},
            {"number": "17100099", "name": "Web store guests", "one_time": True, "reconciliation_account": "12120000"},
        ]
    }
)
