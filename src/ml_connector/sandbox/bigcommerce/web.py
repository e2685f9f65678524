"""The door of the store: token, scope, quota and concurrency checks around every handler, and the shapes of answers.

A handler is a plain function from a `Call` to a response; it runs to its end without waiting, so that what it changes
is changed at once for everybody.
"""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from aiohttp import web

from ml_connector.sandbox.bigcommerce.errors import ApiError
from ml_connector.sandbox.bigcommerce.fields import Fault, Table, check
from ml_connector.sandbox.bigcommerce.state import Account, Store
from ml_connector.sandbox.core.faults import fault_args

Doc = dict[str, Any]
MAX_LIMIT = 250
_V3_UNAUTHORIZED = (
    "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for this store."
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request that passed the door."""

    store: Store
    account: Account
    request: web.Request
    raw: bytes

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    def path_id(self, name: str) -> int:
        """A numeric part of the path. Raises ApiError 404."""
        text = self.request.match_info[name]
        if not text.isdigit():
            raise ApiError(404, "The requested resource was not found.")
        return int(text)

    def json(self) -> Any:
        """The body, with exact decimals. Raises ApiError 415 without a JSON content type, 400 for broken JSON."""
        if self.request.content_type != "application/json":
            raise ApiError(415, "Your request body was in a format that is not supported. Please supply JSON.")
        try:
            return json.loads(self.raw, parse_float=Decimal)
        except ValueError as error:
            raise ApiError(400, "Input is invalid. JSON syntax error.") from error

    def document(self) -> Doc:
        """The body as one object. Raises ApiError 400."""
        body = self.json()
        if not isinstance(body, dict):
            raise ApiError(400, "The request body must be a JSON object.")
        return cast("Doc", body)

    def documents(self) -> list[Doc]:
        """The body as an array of objects. Raises ApiError 422."""
        body = self.json()
        if not isinstance(body, list) or not all(isinstance(item, dict) for item in cast("list[Any]", body)):
            raise ApiError(422, "JSON data is missing or invalid", errors={"": "error.expected.jsarray"})
        return cast("list[Doc]", body)

    def fault(self, name: str) -> Mapping[str, Any] | None:
        return fault_args(self.request, name)


Handler = Callable[[Call], web.Response]


def answer(value: Any, status: int = 200) -> web.Response:
    body = json.dumps(value, separators=(",", ":"), default=_decimal).encode()
    return web.Response(body=body, status=status, content_type="application/json")


def _decimal(value: object) -> float | int:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def nothing() -> web.Response:
    return web.Response(status=204)


def v2_list(rows: Sequence[Any]) -> web.Response:
    """A bare array; an empty one is 204 without a body."""
    return answer(rows) if rows else nothing()


def v3(data: Any, meta: Doc | None = None, status: int = 200) -> web.Response:
    return answer({"data": data, "meta": meta or {}}, status)


def v3_page(call: Call, rows: Sequence[Any], render: Callable[[Any], Any], *, most: int = MAX_LIMIT) -> web.Response:
    """The page that the query asks for, with its pagination block."""
    page, limit = paging(call, most=most)
    shown = rows[(page - 1) * limit : page * limit]
    total_pages = -(-len(rows) // limit)
    links: Doc = {"current": _link(call, page)}
    if page > 1:
        links["previous"] = _link(call, page - 1)
    if page < total_pages:
        links["next"] = _link(call, page + 1)
    pagination = {
        "total": len(rows),
        "count": len(shown),
        "per_page": limit,
        "current_page": page,
        "total_pages": total_pages,
        "links": links,
    }
    return v3([render(row) for row in shown], {"pagination": pagination})


def _link(call: Call, page: int) -> str:
    query = call.request.rel_url.update_query(page=str(page)).raw_query_string
    return f"?{query}"


def paging(call: Call, default: int = 50, most: int = MAX_LIMIT) -> tuple[int, int]:
    """`page` (from 1) and `limit` of the query. Raises ApiError 400 (v2), 422 (v3), 413 for a limit above the most."""
    numbers: list[int] = []
    for name, value in (("page", call.query.get("page", "1")), ("limit", call.query.get("limit", str(default)))):
        if not value.isdigit() or int(value) < 1:
            raise ApiError(
                400 if is_v2(call.request) else 422, f"The field '{name}' is invalid.", errors={name: "invalid"}
            )
        numbers.append(int(value))
    if numbers[1] > most:
        raise ApiError(413, f"The limit must not be above {most}.")
    return numbers[0], numbers[1]


def id_list(text: str) -> set[int]:
    """`1,2,3` of an `:in` filter. Raises ApiError 422."""
    try:
        return {int(part) for part in text.split(",") if part}
    except ValueError as error:
        raise ApiError(422, "JSON data is missing or invalid", errors={"id:in": "invalid"}) from error


def words(text: str) -> set[str]:
    return {part for part in text.split(",") if part}


def must_fit_v2(rules: Table, body: Mapping[str, Any]) -> None:
    """Raises ApiError 400 as v2 does: unknown, read-only and mistyped fields are refused one by one."""
    if faults := check(rules, body):
        raise ApiError(400, faults[0].text, body=[{"status": 400, "message": fault.text} for fault in faults])


def must_fit_v3(rules: Table, body: Mapping[str, Any], *, path: str = "") -> None:
    """Raises ApiError 422 as v3 does: unknown fields are ignored, the rest is named by its path."""
    faults = [f for f in check(rules, body, path=path, unknown_is_fault=False) if f.code != "read_only"]
    if faults:
        raise ApiError(422, "JSON data is missing or invalid", errors={f.path: _v3_text(f) for f in faults})


def _v3_text(fault: Fault) -> str:
    return "error.path.missing" if fault.code == "missing" else fault.text


def is_v2(request: web.Request) -> bool:
    return "/v2/" in request.path


@dataclass(slots=True)
class Quota:
    """The store's window of requests, shared by all its API accounts."""

    store: Store
    _window: int = -1
    _used: int = 0

    def spend(self, amount: int = 1) -> bool:
        """Count a request of the present window; False if the window is used up."""
        settings = self.store.settings
        window = int(self.store.now() / settings.quota_window_s)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used + amount > settings.quota and amount == 1:
            return False
        self._used = min(self._used + amount, settings.quota)
        return True

    @property
    def reset_s(self) -> float:
        """Wall seconds until the next window."""
        left_s = (self._window + 1) * self.store.settings.quota_window_s - self.store.now()
        return max(left_s, 0.0) / self.store.clock.scale

    def retry_after(self) -> dict[str, str]:
        if not self.store.settings.headers_on_429:
            return {}
        return {"X-Retry-After": str(math.ceil(self.reset_s))}

    def headers(self) -> dict[str, str]:
        settings = self.store.settings
        return {
            "X-Rate-Limit-Time-Window-Ms": str(int(settings.quota_window_s * 1000)),
            "X-Rate-Limit-Time-Reset-Ms": str(int(self.reset_s * 1000)),
            "X-Rate-Limit-Requests-Quota": str(settings.quota),
            "X-Rate-Limit-Requests-Left": str(settings.quota - self._used),
        }


@dataclass(slots=True)
class Door:
    """Lets requests in. `in_flight` counts running requests of the endpoints that have a concurrency cap."""

    store: Store
    quota: Quota
    on_fault: Callable[[Call], None] = lambda call: None
    in_flight: Counter[str] = field(default_factory=Counter[str])

    def guard(self, handler: Handler, scopes: Sequence[str], cap: int | None = None) -> Any:
        """An aiohttp handler around ours. One of `scopes` must be granted; none means any valid token."""
        wanted = _grants(scopes)

        name = f"{scopes} {handler.__name__}"

        async def handle(request: web.Request) -> web.Response:
            raw = await request.read()
            try:
                call = Call(self.store, self._account(request), request, raw)
            except ApiError as error:
                return refuse(request, error)
            self.in_flight[name] += 1
            try:
                full = cap is not None and self.store.settings.concurrency_caps and self.in_flight[name] > cap
                response = await self._serve(call, handler, wanted(request), full)
            finally:
                self.in_flight[name] -= 1
            if response.status != 429 or self.store.settings.headers_on_429:
                response.headers.update(self.quota.headers())
            return response

        return handle

    async def _serve(self, call: Call, handler: Handler, wanted: frozenset[str], full: bool) -> web.Response:
        try:
            self.on_fault(call)
            if full or not self.quota.spend():
                return refuse(call.request, ApiError(429, "Too many requests.", headers=self.quota.retry_after()))
            self._permit(call.account, wanted)
            if self.store.settings.latency_s > 0:
                await asyncio.sleep(self.store.settings.latency_s)
            return handler(call)
        except ApiError as error:
            return refuse(call.request, error)

    def _account(self, request: web.Request) -> Account:
        account = self.store.accounts.get(request.headers.get("X-Auth-Token", ""))
        if account is None or request.match_info.get("store_hash") != self.store.store_hash:
            raise ApiError(401, "Unauthorized" if is_v2(request) else _V3_UNAUTHORIZED)
        return account

    @staticmethod
    def _permit(account: Account, wanted: frozenset[str]) -> None:
        if wanted and not wanted & account.scopes:
            raise ApiError(403, "You don't have a required scope to access the endpoint")


def _grants(scopes: Sequence[str]) -> Callable[[web.Request], frozenset[str]]:
    write = frozenset(scopes)
    read = write | {f"{scope}_read_only" for scope in scopes}
    return lambda request: read if request.method in ("GET", "HEAD") else write


def refuse(request: web.Request, error: ApiError) -> web.Response:
    response = answer(error.v2() if is_v2(request) else error.v3(), error.status)
    response.headers.update(error.headers)
    return response
