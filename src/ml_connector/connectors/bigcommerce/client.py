"""Calls to one BigCommerce store: token, paths, both envelopes, paging, error classes. Knows HTTP, no business.

No call is repeated here; that is the engine's job. Sources: "About Our APIs", "API Rate Limits", Orders v2 reference.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from ml_connector.connectors.base import FreePermit, Permit, Priority, Quota, Services
from ml_connector.connectors.bigcommerce.answers import SYSTEM, failure, quota_from, wait_s
from ml_connector.connectors.bigcommerce.wire_fields import number_in
from ml_connector.connectors.errors import Transient, Uncertain
from ml_connector.connectors.http import HttpSession, Response

Json = Mapping[str, Any]
Query = Mapping[str, str | int]

LARGEST_PAGE = 250
DEFAULT_PAGE = 50
_SILENT_THROTTLE_S = 5.0
_API_PATH = re.compile(r"/stores/[^/]*(/v[23])?/?$")
_HEADERS = {"Accept": "application/json"}
_BODY_HEADERS = {**_HEADERS, "Content-Type": "application/json"}


def host_of(base_url: str) -> str:
    """The base URL without `/stores/{hash}/v3`, which the control panel shows as part of the API path."""
    return _API_PATH.sub("", base_url.strip().rstrip("/"))


class Client:
    """The API of one store. `quota` is what its latest answer said."""

    def __init__(self, http: HttpSession, services: Services, *, store_hash: str, access_token: str) -> None:
        self._http = http
        self._limiter = services.limiter
        self._root = f"/stores/{store_hash}"
        self._token = {"X-Auth-Token": access_token}
        self.quota: Quota | None = None

    async def close(self) -> None:
        await self._http.close()

    # ------------------------------------------------------------------ reads

    async def get(self, path: str, params: Query | None = None, *, priority: Priority = "orders") -> Any:
        """The JSON of `GET {path}` (`/v2/...` or `/v3/...`), None for 204. Raises `ConnectorError`."""
        answer = await self._ask(path, params, priority)
        self._refuse(answer, f"GET {path}")
        return self._json(answer, path)

    async def find(self, path: str, params: Query | None = None) -> Any:
        """As `get`, and None for 404."""
        answer = await self._ask(path, params, "orders")
        if answer.status == 404:
            return None
        self._refuse(answer, f"GET {path}")
        return self._json(answer, path)

    async def probe(self, path: str, params: Query | None = None) -> Response:
        """The answer as it is, whatever its status."""
        return await self._ask(path, params, "background")

    async def v2_page(self, path: str, params: Query, *, priority: Priority = "orders") -> Sequence[Json]:
        """One page of a v2 list: a bare array, or 204 for an empty one."""
        return self._rows(await self.get(path, params, priority=priority), path)

    async def v2_list(self, path: str, params: Query | None = None, *, missing_ok: bool = False) -> list[Json]:
        """Every row of a v2 list, page by page (v2 gives no totals).

        A page that is exactly as long as the default page may be one that was cut to it, so one more is asked for.
        """
        found: list[Json] = []
        page = 1
        while True:
            query = {**(params or {}), "page": page, "limit": LARGEST_PAGE}
            told = await (self.find(path, query) if missing_ok else self.get(path, query))
            rows = self._rows(told, path)
            if rows == found[-len(rows) :]:  # none, or a server that ignores `page`
                return found
            found += rows
            if len(rows) not in (DEFAULT_PAGE, LARGEST_PAGE):
                return found
            page += 1

    async def v3_pages(
        self, path: str, params: Query | None = None, *, limit: int = LARGEST_PAGE, priority: Priority = "orders"
    ) -> AsyncIterator[Sequence[Json]]:
        """The pages of a v3 list, until one is short or empty by its own count (totals are known to be wrong)."""
        page = 1
        before: Sequence[Json] = ()
        while True:
            told = await self.get(path, {**(params or {}), "page": page, "limit": limit}, priority=priority)
            rows = self.data(told, path)
            if not rows or rows == before:  # the end, or a server that ignores `page`
                return
            yield rows
            if len(rows) < per_page_of(told, limit):
                return
            page, before = page + 1, rows

    async def v3_list(self, path: str, params: Query | None = None) -> list[Json]:
        """Every row of a v3 list."""
        return [row async for rows in self.v3_pages(path, params) for row in rows]

    # ------------------------------------------------------------------ writes

    async def put_absolute(
        self, method: str, path: str, body: Json, *, permit: Permit | None = None, priority: Priority = "orders"
    ) -> Response:
        """A write of an absolute value, which may be repeated: an unknown outcome is `Transient`. `permit`: where an
        older value must not come after a newer one.

        409 is returned, as the caller knows what exists already; other refusals are raised.
        """
        try:
            answer = await self._http.write(
                method,
                self._root + path,
                headers={**_BODY_HEADERS, **self._token},
                body=json.dumps(body, ensure_ascii=False).encode(),
                permit=permit or FreePermit(),
                priority=priority,
            )
        except Uncertain as error:
            raise Transient(
                f"{method} {path}: {error.message}", system=SYSTEM, status=error.status, request_id=error.request_id
            ) from error
        await self._observe(answer)
        if answer.status != 409:
            self._refuse(answer, f"{method} {path}")
        return answer

    async def send(
        self, method: str, path: str, body: Json, *, permit: Permit, references: Sequence[str] = ()
    ) -> Response:
        """A write that must happen once: its answer, whatever it says. Raises what `HttpSession.write` raises."""
        answer = await self._http.write(
            method,
            self._root + path,
            headers={**_BODY_HEADERS, **self._token},
            body=json.dumps(body, ensure_ascii=False).encode(),
            permit=permit,
            references=references,
        )
        await self._observe(answer)
        return answer

    async def delete(self, path: str) -> None:
        """Makes it not exist; 404 is as good."""
        try:
            answer = await self._http.write(
                "DELETE", self._root + path, headers={**_HEADERS, **self._token}, permit=FreePermit()
            )
        except Uncertain as error:
            raise Transient(f"DELETE {path}: {error.message}", system=SYSTEM, status=error.status) from error
        await self._observe(answer)
        if answer.status != 404:
            self._refuse(answer, f"DELETE {path}")

    # ------------------------------------------------------------------ shared

    def data(self, told: Any, path: str) -> list[Json]:
        """The rows in a v3 envelope; None (204) is an empty list."""
        if told is None:
            return []
        return self._rows(object_of(told).get("data"), path)

    async def _ask(self, path: str, params: Query | None, priority: Priority) -> Response:
        answer = await self._http.read(
            "GET", self._root + path, params=params, headers={**_HEADERS, **self._token}, priority=priority
        )
        await self._observe(answer)
        return answer

    async def _observe(self, answer: Response) -> None:
        quota = quota_from(answer.headers)
        self.quota = quota or self.quota
        throttled_for_s = None
        if answer.status == 429:
            asked = wait_s(answer.headers)
            throttled_for_s = _SILENT_THROTTLE_S if asked is None else asked
        if quota is not None or throttled_for_s is not None:
            await self._limiter.observe(quota, throttled_for_s=throttled_for_s)

    def _refuse(self, answer: Response, what: str) -> None:
        error = failure(answer.status, answer.headers, answer.body, what=what, request_id=answer.request_id)
        if error is not None:
            raise error

    def _json(self, answer: Response, path: str) -> Any:
        if answer.status == 204:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise Transient(
                f"GET {path}: the answer is not complete JSON; if it stays so, the base URL leads to something else "
                "than the API",
                system=SYSTEM,
                status=answer.status,
                request_id=answer.request_id,
            ) from error

    def _rows(self, told: Any, path: str) -> list[Json]:
        if told is None:
            return []
        if not isinstance(told, list) or not all(isinstance(row, dict) for row in cast(list[Any], told)):
            raise Transient(f"GET {path}: the answer is not a list of objects", system=SYSTEM)
        return cast(list[Json], told)


def whole_of(row: Json, name: str, otherwise: int | None = None) -> int:
    """The whole number under `name`, such as an ID; `otherwise` where there is none. Raises `Transient`."""
    told = row.get(name)
    if (told is None or told == "") and otherwise is not None:
        return otherwise
    number = number_in(told)
    if number is None or number != number.to_integral_value():
        raise Transient(f"the store gives {ascii(told)[:60]} as {name}, where a whole number should be", system=SYSTEM)
    return int(number)


def object_of(told: Any) -> Json:
    """`told` when it is a JSON object, else an empty one."""
    return cast(Json, told) if isinstance(told, dict) else {}


def per_page_of(told: Any, otherwise: int = LARGEST_PAGE) -> int:
    """How many rows the server puts into a page, by its own word."""
    per_page = paging_of(told).get("per_page")
    return per_page if isinstance(per_page, int) and per_page > 0 else otherwise


def paging_of(told: Any) -> Json:
    """`meta.pagination` of a v3 answer; empty when there is none."""
    return object_of(object_of(object_of(told).get("meta")).get("pagination"))
