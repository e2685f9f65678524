"""How the bare loop gets into each ERP: its token or sessions, its headers, and the keys that its answers give."""

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from bench.recording import Side
from bench.world import World


@dataclass(frozen=True, slots=True)
class Step:
    """One call, ready to send. `needs`: what other calls make and this one cannot do without; `makes`: what it makes.
    In a body, the key of a document that another call makes stands as `"@Set/key@"`. `refused`: as in the recording."""

    side: Side
    kind: str
    method: str
    url: URL
    body: bytes | None = None
    needs: tuple[str, ...] = ()
    makes: str = ""
    refused: bool = False


class S4HanaDoor:
    """A token for all; one CSRF session, which one run opens for all."""

    opening = 1

    def __init__(self, world: World, at_once: int) -> None:
        self._world = world
        self._places = asyncio.Semaphore(at_once)
        self._session_open = asyncio.Event()
        self._bearer = ""
        self._csrf: dict[str, str] = {}

    async def open(self, session: aiohttp.ClientSession) -> None:
        known = self._world.erp.credentials
        login = base64.b64encode(f"{known['client_id']}:{known['client_secret']}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
        async with session.post(
            str(self._world.erp.token_url), data=b"grant_type=client_credentials", headers=headers
        ) as answer:
            self._bearer = f"Bearer {json.loads(await answer.read())['access_token']}"

    @asynccontextmanager
    async def through(self, step: Step) -> AsyncGenerator[tuple[Mapping[str, str], bytes | None]]:
        if step.method == "POST" and "API_BUSINESS_PARTNER" in step.url.path:
            await self._session_open.wait()
        async with self._places:
            yield self._headers(step), step.body

    def learn(self, step: Step, answer: aiohttp.ClientResponse, told: bytes) -> None:
        if step.kind == "session":
            cookies = [value.split(";", 1)[0] for value in answer.headers.getall("Set-Cookie", [])]
            self._csrf = {"X-CSRF-Token": answer.headers["X-CSRF-Token"], "Cookie": "; ".join(cookies)}
            self._session_open.set()

    def _headers(self, step: Step) -> Mapping[str, str]:
        headers = {"Authorization": self._bearer, "Accept-Language": "en"}
        if step.kind == "session":
            return {**headers, "Accept": "application/json", "X-CSRF-Token": "Fetch"}
        if step.body is None:
            return {**headers, "Accept": "application/json"}
        if step.body.startswith(b"<"):
            return {**headers, "Accept": "text/xml", "Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        return {**headers, "Accept": "application/json", "Content-Type": "application/json", **self._csrf}


@dataclass(slots=True)
class BusinessOneDoor:
    """Two sessions with a call at a time each, as the licences allow. A document's key is the ERP's to give."""

    world: World
    opening: int = 2
    sessions: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    made: "defaultdict[str, asyncio.Future[str]]" = field(
        default_factory=lambda: defaultdict(lambda: asyncio.get_running_loop().create_future())
    )

    async def open(self, session: aiohttp.ClientSession) -> None:
        known = self.world.erp.credentials
        body = {"CompanyDB": known["company_db"], "UserName": known["user"], "Password": known["password"]}
        for _ in range(self.opening):
            async with session.post(f"{self.world.erp.base_url}/b1s/v2/Login", json=body) as answer:
                await answer.read()
                cookies = [value.split(";", 1)[0] for value in answer.headers.getall("Set-Cookie", [])]
                self.sessions.put_nowait("; ".join(cookies))

    @asynccontextmanager
    async def through(self, step: Step) -> AsyncGenerator[tuple[Mapping[str, str], bytes | None]]:
        body = step.body
        for name in step.needs:
            key = await self.made[name]
            body = body and body.replace(f'"@{name}@"'.encode(), key.encode())
        cookie = await self.sessions.get()
        try:
            yield {"Cookie": cookie, "Content-Type": "application/json"}, body
        finally:
            self.sessions.put_nowait(cookie)

    def learn(self, step: Step, answer: aiohttp.ClientResponse, told: bytes) -> None:
        if step.makes:
            entry = json.loads(told).get("DocEntry", "") if "/" in step.makes else ""
            self.made[step.makes].set_result(str(entry))


def door_of(world: World, at_once: int) -> S4HanaDoor | BusinessOneDoor:
    return S4HanaDoor(world, at_once) if world.kind.system == "s4hana" else BusinessOneDoor(world)
