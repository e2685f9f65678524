"""The Business One stand-in put together: state, HTTP handlers, registration."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ml_connector.sandbox.business_one import company_data
from ml_connector.sandbox.business_one.access import (
    COMPANY,
    NODE_COOKIE,
    USER,
    Access,
    Session,
    add_node_cookie,
    add_session_cookies,
    cookies_of,
    no_credentials,
    too_many_sessions,
)
from ml_connector.sandbox.business_one.batch import Batch
from ml_connector.sandbox.business_one.company import Asked, Company
from ml_connector.sandbox.business_one.control import control_routes, state_readers
from ml_connector.sandbox.business_one.errors import B1Error, no_session
from ml_connector.sandbox.business_one.faults import FAULTS, HANDLER_FAULTS, RESERVED, late_smaller_entry
from ml_connector.sandbox.business_one.fields import SETS
from ml_connector.sandbox.business_one.message import (
    Answer,
    Request,
    json_answer,
    read_address,
)
from ml_connector.sandbox.business_one.seed import Seed, default_company, plant
from ml_connector.sandbox.business_one.server import Server
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.values import load_json
from ml_connector.sandbox.business_one.webhooks import Webhooks
from ml_connector.sandbox.core.faults import ACTIVE
from ml_connector.sandbox.core.system import Environment, System

NODE_NAME = re.compile(r"(?:node)?(\d+)")


@dataclass
class BusinessOne:
    environment: Environment
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        clock = self.environment.clock
        draw = random.Random(f"{self.environment.seed}/business_one")
        self.access = Access(lambda: self.settings, clock.time_s, draw)
        self.released = asyncio.Event()
        """Calls that are held at their core wait for it."""
        self._build()

    def _build(self) -> None:
        self.released.set()
        self.settings = Settings()
        self.company = Company(self.settings, self.environment.clock.now)
        draw = random.Random(f"{self.environment.seed}/business_one/events")
        plain = self.environment.tls is None
        self.webhooks = Webhooks(self.company, self.environment.clock, draw, http_allowed=plain)
        self.server = Server(self.company, self.access, self.webhooks, self.environment.base_url)
        default_company(self.server.writer)
        for node in self.access.nodes.values():
            node.hidden.clear()

    async def start(self) -> None:
        self._sender = self.environment.spawn(self.webhooks.run())

    async def reset(self) -> None:
        self._sender.cancel()
        self.access.reset()
        self._build()
        await self.start()

    async def seed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Raises ``ValueError`` (pydantic's too) for what it does not know."""
        return plant(self.server.writer, self.access, Seed.model_validate(body), body)

    def reserve(self, path: str) -> int | None:
        name = read_address(path.rpartition("/b1s/")[2].partition("/")[2]).name
        return self.company.next_number(name) if name in SETS else None

    async def ping(self, request: web.Request) -> web.StreamResponse:
        """Host root, no login."""
        target = request.match_info.get("target", "").strip("/")
        sender = "load balancer"
        if target.startswith("node/"):
            sender = "node " + target.removeprefix("node/")
            node = self.access.nodes.get(".node" + target.removeprefix("node/"))
            if node is None or not node.alive:
                return web.json_response({"message": "Service Unavailable"}, status=503)
        elif target not in ("", "load-balancer"):
            return web.Response(status=404)
        seconds = self.environment.clock.time_s() + self.settings.clock_skew_s
        return web.json_response({"message": "pong", "sender": sender, "timestamp": f"{seconds:.3f}"})

    async def login(self, request: web.Request) -> web.StreamResponse:
        version = int(request.match_info["version"])
        if refused := self._refused_by_balancer(request, version):
            return refused
        faults = request[ACTIVE]
        delay_s = float(faults.get("slow_login", {}).get("delay_s", 30.0)) if "slow_login" in faults else 0.0
        await asyncio.sleep(max(delay_s, self.settings.login_delay_s))
        try:
            if "sld_flap" in faults:
                raise no_credentials()
            if "session_cap" in faults:
                raise too_many_sessions()
            given = load_json(await request.read())
            session = self.access.login(given, cookies_of(request.headers.get("Cookie", "")).get(NODE_COOKIE))
        except B1Error as error:
            return _http(json_answer(version, error.body(version), error.status))
        context = f"{self.environment.base_url}/b1s/v{version}/$metadata#B1Sessions"
        notes = {"odata.metadata": context + "/@Element"} if version == 1 else {"@odata.context": context + "/$entity"}
        told = {
            **notes,
            "SessionId": session.id,
            "Version": self.settings.version,
            "SessionTimeout": self.settings.session_minutes,
        }
        answered = _http(json_answer(version, told))
        add_session_cookies(answered, session)
        return answered

    async def logout(self, request: web.Request) -> web.StreamResponse:
        version = int(request.match_info["version"])
        try:
            self.access.logout(self.access.session_of(cookies_of(request.headers.get("Cookie", ""))))
        except B1Error as error:
            body = error.body(version, string_301=self.settings.string_301)
            return _http(json_answer(version, body, error.status))
        return web.Response(status=204)

    async def service(self, request: web.Request) -> web.StreamResponse:
        """Everything behind a session."""
        version = int(request.match_info["version"])
        if refused := self._refused_by_balancer(request, version):
            return refused
        cookies = cookies_of(request.headers.get("Cookie", ""))
        faults = request[ACTIVE]
        is_batch = request.path.rstrip("/").endswith("/$batch") and request.method == "POST"
        try:
            session = self.access.session_of(cookies)
            if "session_lost" in faults and not (is_batch and "part" in faults["session_lost"]):
                self.access.logout(session)
                raise no_session()
        except B1Error as error:
            body = error.body(version, string_301=self.settings.string_301)
            return _http(json_answer(version, body, error.status))
        if "node_switch" in faults or (session.node != cookies.get(NODE_COOKIE, session.node)):
            await asyncio.sleep(self.settings.takeover_delay_s)
        if "node_switch" in faults:
            self.access.switch_node(session)
        answered = await self._queued(request, session, version, is_batch=is_batch)
        if session.node != cookies.get(NODE_COOKIE):
            add_node_cookie(answered, session)
        return answered

    async def _queued(self, request: web.Request, session: Session, version: int, *, is_batch: bool) -> web.Response:
        """One call of a session after another."""
        faults = request[ACTIVE]
        body = await request.read()
        session.waiting += 1
        session.most_waiting = max(session.most_waiting, session.waiting)
        try:
            async with session.queue:
                session.calls += 1
                if "slow_core" in faults:
                    await asyncio.sleep(float(faults["slow_core"].get("delay_s", 0)))
                    if faults["slow_core"].get("hold"):
                        await self.released.wait()
                message = self._message(request, session, version, body)
                if not is_batch:
                    return _http(self.server.answer(message))
                return _http(self._batch(message))
        finally:
            session.waiting -= 1

    def _message(self, request: web.Request, session: Session, version: int, body: bytes) -> Request:
        asked = Asked(session, self.access.nodes[session.node], request[ACTIVE], request.get(RESERVED))
        path, _, query = request.raw_path.partition("?")
        return Request(
            method=request.method,
            version=version,
            path=path.partition(f"/b1s/v{version}")[2],
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            asked=asked,
        )

    def _batch(self, message: Request) -> Answer:
        lost = message.asked.faults.get("session_lost", {}).get("part")
        if not self.settings.batch_allowed:
            return self.server.error(message, B1Error(403, -1, "Forbidden"))
        try:
            return Batch(self.server, message, None if lost is None else int(lost)).answer()
        except B1Error as error:
            return self.server.error(message, error)

    def _refused_by_balancer(self, request: web.Request, version: int) -> web.Response | None:
        if request.headers.get("Expect"):
            return web.Response(status=500)  # as the balancer was seen to do for every POST with Expect
        if version not in self.settings.prefixes:
            return web.Response(
                status=404, text="<html><body><h1>Not Found</h1></body></html>", content_type="text/html"
            )
        return None


def create(environment: Environment) -> System:
    stand_in = BusinessOne(environment)
    return System(
        name="business_one",
        routes=[
            web.get("/ping{target:(/.*)?}", stand_in.ping),
            web.post("/b1s/v{version:[12]}/Login", stand_in.login),
            web.post("/b1s/v{version:[12]}/Logout", stand_in.logout),
            web.route("*", "/b1s/v{version:[12]}", stand_in.service),
            web.route("*", "/b1s/v{version:[12]}/{path:.*}", stand_in.service),
        ],
        credentials={"company_db": COMPANY, "user": USER, "password": stand_in.access.password},
        known={
            "partner for guests": company_data.GUESTS,
            "freight": ", ".join(f"{code} {name}" for code, name in company_data.FREIGHT),
            "charge item": "SERVICE",
            "currency codes": ", ".join(f"{iso}: {own}" for iso, own in company_data.OWN_CODE.items() if iso != own),
            "tax codes": ", ".join(f"{code} {name}" for code, name, _ in company_data.TAX_CODES),
            "accounts": "the console lists them",
        },
        states=state_readers(stand_in),
        seed=stand_in.seed,
        reset=stand_in.reset,
        faults={**FAULTS, "late_smaller_entry": late_smaller_entry(stand_in.reserve)},
        handler_faults=HANDLER_FAULTS,
        control_routes=control_routes(stand_in),
        start=stand_in.start,
    )


def _http(answered: Answer) -> web.Response:
    headers = {**answered.headers, **({"Content-Type": answered.content_type} if answered.content_type else {})}
    return web.Response(status=answered.status, body=answered.body or None, headers=headers)
