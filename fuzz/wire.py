"""Answers of a system as an input gives them, through the real session layer: only the socket is left out."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from fuzz.mutation import dumps, loads
from fuzz.target import NotUsable
from ml_connector.connectors.base import Call, LeasedSession, Priority, Quota, Services, Token
from ml_connector.connectors.http import HttpSession, Response

REPEATS = 60
"""The last answer that fits is given again that often; then the system is gone."""

_loop = asyncio.new_event_loop()


def wait_for(work: Coroutine[Any, Any, Any]) -> Any:
    return _loop.run_until_complete(work)


def document(data: bytes) -> dict[str, Any]:
    """The input as a JSON object with numbers as they are spelled."""
    try:
        told = loads(data)
    except ValueError as error:
        raise NotUsable from error
    if not isinstance(told, dict):
        raise NotUsable
    return told


def body_of(told: Any) -> bytes:
    """A text is sent as it is, anything else as JSON; `{"base64": ...}` as bytes."""
    if isinstance(told, dict) and list(told) == ["base64"]:
        try:
            return base64.b64decode(str(told["base64"]))
        except ValueError as error:
            raise NotUsable from error
    try:
        text = told if type(told) is str else dumps(told)
    except RecursionError as error:
        raise NotUsable from error
    return text.encode("utf-8", "surrogatepass")


def response_of(told: Any, url: str = "") -> Response:
    """`{"status": 200, "headers": {...}, "body": ...}` as an answer that came in."""
    if not isinstance(told, dict):
        raise NotUsable
    try:
        status = int(str(told.get("status", 200)))
    except ValueError as error:
        raise NotUsable from error
    if not 200 <= status <= 599:  # what aiohttp hands out
        raise NotUsable
    return Response(status, headers_of(told.get("headers")), body_of(told.get("body", "")), url)


def headers_of(told: Any) -> CIMultiDictProxy[str]:
    """As a server could have sent them: no line ends, no NUL, bytes that are no UTF-8 as aiohttp decodes them."""
    found: CIMultiDict[str] = CIMultiDict()
    for name, values in told.items() if isinstance(told, dict) else ():
        for value in values if isinstance(values, list) else [values]:
            raw = str(value).encode("utf-8", "surrogatepass")[:8000]
            for bad in (b"\r", b"\n", b"\x00"):
                raw = raw.replace(bad, b" ")
            found.add(str(name)[:100], raw.decode("utf-8", "surrogateescape").strip())
    return CIMultiDictProxy(found)


@dataclass
class Script:
    """Answers by the part of the address that they are for (`to`), in order; what nothing fits is 404."""

    answers: list[Any]
    used: set[int] = field(default_factory=set[int])
    asked: int = 0

    def answer(self, url: str) -> Response:
        self.asked += 1
        fitting = [
            at for at, told in enumerate(self.answers) if isinstance(told, dict) and str(told.get("to", "")) in url
        ]
        if self.asked > REPEATS:
            raise aiohttp.ServerDisconnectedError
        if not fitting:
            return response_of({"status": 404})
        fresh = [at for at in fitting if at not in self.used]
        chosen = fresh[0] if fresh else fitting[-1]
        self.used.add(chosen)
        return response_of(self.answers[chosen], url)


def script(told: Mapping[str, Any]) -> Script:
    answers = told.get("answers")
    if not isinstance(answers, list):
        raise NotUsable
    return Script(answers)


class Scripted(HttpSession):
    """The session layer with a script in place of the network."""

    script: Script

    async def _exchange(self, pool: Any, method: str, url: str, headers: Any, body: Any, attempt: Any) -> Response:
        del pool, method, headers, body, attempt
        return self.script.answer(url)

    def _read_pool(self) -> Any:
        return None

    async def _write_once(self, method: str, url: str, headers: Any, body: Any, attempt: Any) -> Response:
        del method, headers, body
        await attempt.permit.arm()
        attempt.connected = attempt.written = True
        return self.script.answer(url)


class _Tokens:
    async def get(self, name: str, fetch: Any, *, min_valid_s: float = 60) -> Token:
        return await fetch()

    async def drop(self, name: str, token: Token) -> None:
        return None


class Paces:
    """Holds what the limiter is told against what it can do with it."""

    def slot(self, priority: Priority = "orders") -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def observe(self, quota: Quota | None = None, *, throttled_for_s: float | None = None) -> None:
        if throttled_for_s is not None:
            assert 0 <= throttled_for_s < float("inf"), throttled_for_s
        if quota is not None:
            assert abs(quota.reset_s) < 10**9, quota
            assert abs(quota.left) < 10**12, quota
            assert abs(quota.limit) < 10**12, quota


class _Breaker:
    async def success(self) -> None:
        return None

    async def failure(self, error: Exception) -> None:
        return None


class _Calls:
    async def call(self, call: Call) -> None:
        """What the audit keeps must be storable."""
        for kept in (call.url, call.error, call.request_body, call.response_body, call.request_id):
            assert "\x00" not in kept, ascii(kept[:200])


class _Sessions:
    """No target leases a session."""

    def lease(
        self, name: str, size: int, open: Callable[[], Awaitable[str]]
    ) -> AbstractAsyncContextManager[LeasedSession]:
        raise NotImplementedError

    async def forgive(self, name: str) -> None:
        return None

    async def end(self, name: str, close: Callable[[str], Awaitable[None]]) -> None:
        return None


def services() -> Services:
    return Services(tokens=_Tokens(), sessions=_Sessions(), limiter=Paces(), breaker=_Breaker(), calls=_Calls())
