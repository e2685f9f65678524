"""Transport to one Service Layer: leased sessions, renewal after 401, keyset paging, change sets, failures in words.

A lost session (401) was refused before execution: it is renewed once and the call replayed once, writes included. -5002
is a refused business operation, never a lost session. Source: `docs/protocol/business-one.md`.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from ml_connector.connectors.base import FreePermit, LeasedSession, Permit, Priority, Services
from ml_connector.connectors.business_one.answers import (
    NO_SUCH_KEY,
    SYSTEM,
    Told,
    failure,
    failure_of,
    told,
)
from ml_connector.connectors.business_one.batch import Operation, Part, content_type, multipart, parts_of
from ml_connector.connectors.business_one.login import PasswordLogin, Session, books_of
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.errors import ConnectorError, NotSent, Transient, Unauthorized, Uncertain
from ml_connector.connectors.http import HttpSession, Params, Response, encode_query
from ml_connector.connectors.odata import AgainPermit
from ml_connector.connectors.odata_values import Row, all_of, as_row

KEYS_PER_CALL = 40
URL_LENGTH = 7500
"""A balancer takes addresses of 8 KB."""

PAGE_SIZE = 100
MAX_PAGES = 20_000
POOL = "session"


class B1Client:
    """Authenticated calls, each in a session of its own for as long as it lasts."""

    def __init__(self, settings: B1Settings, services: Services) -> None:
        self.settings = settings
        self._services = services
        self._http = HttpSession(
            settings.base_url,
            services=services,
            timeouts=settings.timeouts,
            tls=settings.tls,
            proxy=settings.proxy,
            sandbox=settings.sandbox,
            system=SYSTEM,
            secrets=(settings.password,) if settings.password else (),
            allow_private=settings.allow_private,
        )
        self._scheme = PasswordLogin(settings)
        self._books = books_of(settings)
        self._opened = False
        self.version = 0
        self.api = ""

    async def close(self) -> None:
        """Logs out of what this process has logged in to: sessions count against the licence until they idle out."""
        try:
            if self._opened:
                await self._services.sessions.end(POOL, self._log_out)
        finally:
            await self._http.close()

    async def forgive(self) -> None:
        """Forgets that the password was refused: a person asks again."""
        await self._services.sessions.forgive(POOL)

    # -------------------------------------------------------------- sessions

    async def _open(self) -> str:
        self._opened = True
        session = await self._scheme.open(self._ask)
        self._http.hide(session.id)
        return session.text()

    async def _ask(self, path: str, body: Mapping[str, str]) -> Response:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return await self._http.read("POST", path, headers=headers, body=json.dumps(body).encode())

    async def _log_out(self, text: str) -> None:
        session = Session.parse(text)
        if session.books != self._books:
            return  # of a server that this client does not talk to, perhaps
        try:
            await self._http.read("POST", f"/b1s/{session.api}/Logout", headers=session.headers, priority="background")
        except ConnectorError:
            return  # it idles out by itself

    def _lease(self) -> Any:
        return self._services.sessions.lease(POOL, self.settings.sessions, self._open)

    async def _fresh(self, lease: LeasedSession) -> Session:
        """Of the pool's, one that still leads where the settings say: they may have changed since it was opened."""
        session = Session.parse(lease.value)
        if session.books != self._books or lease.unused_s > session.renew_after_s:
            await lease.renew()
        return self._current(lease)

    def _current(self, lease: LeasedSession) -> Session:
        session = Session.parse(lease.value)
        self._http.hide(session.id)
        self.version, self.api = session.version, session.api
        return session

    @staticmethod
    def _moved(lease: LeasedSession, session: Session, response: Response) -> None:
        moved = session.moved(response)
        if moved is not session:
            lease.keep(moved.text())

    # -------------------------------------------------------------- reads

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        priority: Priority = "orders",
    ) -> Response:
        """A call that is safe to repeat; `path` is below the Service Layer's root (`Invoices(7)`)."""
        sent = {"Accept": "application/json", **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body, default=str).encode()
            sent["Content-Type"] = "application/json"
        async with self._lease() as lease:
            session = await self._fresh(lease)
            for last in (False, True):
                _still_ours(lease)
                response = await self._http.read(
                    method,
                    f"/b1s/{session.api}/{path}",
                    params=params,
                    headers={**sent, **session.headers},
                    body=data,
                    priority=priority,
                )
                self._moved(lease, session, response)
                if not await self._over(lease, response, last=last):
                    break
                session = self._current(lease)
        await self._observe(response)
        return response

    async def liveness(self) -> Row:
        """What the load balancer says of itself, without a session."""
        response = await self._http.read("GET", "/ping/", priority="background")
        return self._row(response, "ping")

    async def entity(self, path: str, *, params: Params | None = None, priority: Priority = "orders") -> Row | None:
        """One entity by its key, None when there is none."""
        response = await self.read("GET", path, params=params, priority=priority)
        if response.status == 404 and told(response).code == NO_SUCH_KEY:
            return None
        return self._row(response, path)

    async def action(self, name: str, body: object = None, *, priority: Priority = "background") -> Row:
        """A service call by POST that changes nothing (`CompanyService_GetAdminInfo`)."""
        response = await self.read("POST", name, body=body if body is not None else {}, priority=priority)
        return self._row(response, name)

    async def pages(
        self,
        entity_set: str,
        *,
        key: str = "DocEntry",
        where: str = "",
        select: Sequence[str] = (),
        page_size: int = PAGE_SIZE,
        priority: Priority = "orders",
        first_only: bool = False,
    ) -> AsyncIterator[tuple[Row, ...]]:
        """All rows in the order of their keys, each page beginning behind the last key of the one before: pages by
        offset shift when rows come and go. Raises `Transient` when the keys do not grow."""
        last: object = None
        for _ in range(MAX_PAGES):
            params: dict[str, str | int] = {"$orderby": f"{key} asc"}
            behind = "" if last is None else f"{key} gt {literal(last)}"
            if condition := all_of(f"({where})" if where and behind else where, behind):
                params["$filter"] = condition
            if select:
                params["$select"] = ",".join(select)
            headers = {"Prefer": f"odata.maxpagesize={page_size}"}
            response = await self.read("GET", entity_set, params=params, headers=headers, priority=priority)
            rows, more = self._page(response, entity_set)
            for row in rows:
                if key not in row or (last is not None and not _after(row[key], last)):
                    raise Transient(
                        f"{entity_set}: rows came without {key} or out of its order; they changed while being read",
                        system=SYSTEM,
                    )
                last = row[key]
            if rows:
                yield rows
            if not rows or first_only or (not more and len(rows) < page_size):
                return
        raise Transient(f"{entity_set} never comes to an end", system=SYSTEM)

    async def rows(
        self,
        entity_set: str,
        *,
        key: str = "DocEntry",
        where: str = "",
        select: Sequence[str] = (),
        page_size: int = PAGE_SIZE,
        priority: Priority = "orders",
    ) -> list[Row]:
        found: list[Row] = []
        pages = self.pages(entity_set, key=key, where=where, select=select, page_size=page_size, priority=priority)
        async for page in pages:
            found.extend(page)
        return found

    def _page(self, response: Response, what: str) -> tuple[tuple[Row, ...], bool]:
        """The rows of a collection, and whether the server says that there are more."""
        answer = self._row(response, what)
        rows = answer.get("value")
        if not isinstance(rows, list):
            raise Transient(f"{what}: the answer is not a collection", system=SYSTEM, status=response.status)
        link = answer.get("odata.nextLink") or answer.get("@odata.nextLink")
        try:
            return tuple(as_row(row) for row in cast("list[object]", rows)), bool(link)
        except ValueError as error:
            raise Transient(f"{what}: {error}", system=SYSTEM, status=response.status) from error

    def _row(self, response: Response, what: str) -> Row:
        if response.status >= 400:
            raise failure(response, what, write=False)
        try:
            return as_row(response.json())
        except ValueError as error:
            raise Transient(f"{what}: the answer cannot be read: {error}", system=SYSTEM) from error

    # -------------------------------------------------------------- writes

    async def write(
        self,
        method: str,
        path: str,
        *,
        body: Row | None = None,
        permit: Permit,
        references: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Part:
        """One change, and its answer whatever it says, except that it was not taken: raises `Unauthorized`,
        `Throttled`, and what `HttpSession.write` raises."""
        data = None if body is None else json.dumps(body, default=str).encode()
        sent = {"Content-Type": "application/json", **(headers or {})} if data is not None else dict(headers or {})
        response = await self._write(method, path, sent, data, permit, references)
        return Part(response.status, response.body, response.request_id)

    async def change_set(
        self, operations: Sequence[Operation], *, permit: Permit, references: Sequence[str] = ()
    ) -> list[Part]:
        """All of `operations` or none of them. One part, the refusal, when none. Raises `Uncertain` when the answer is
        not one of a change set, and as `write` does."""
        granted = permit
        if not self.api:  # which version is spoken is known with the first session
            async with self._lease() as lease:
                await self._fresh(lease)
        for last in (False, True):
            body = multipart(operations, self.api)
            response = await self._write("POST", "$batch", {"Content-Type": content_type()}, body, granted, references)
            if response.status >= 400:
                raise failure(response, "$batch", write=True)
            try:
                parts = parts_of(response)
            except ValueError as error:
                raise Uncertain(f"the answer of a change set cannot be read: {error}", system=SYSTEM) from error
            if not (len(parts) == 1 and told_of(parts[0]).session_over):
                return parts
            if last:
                break
            await self._renew_one()
            granted = AgainPermit(permit)
        raise Unauthorized("the session is refused inside a change set, also after a new login", system=SYSTEM)

    async def _renew_one(self) -> None:
        async with self._lease() as lease:
            await lease.renew()

    async def _write(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        permit: Permit,
        references: Sequence[str],
    ) -> Response:
        granted = permit
        async with self._lease() as lease:
            session = await self._fresh(lease)
            for last in (False, True):
                response = await self._http.write(
                    method,
                    f"/b1s/{session.api}/{path}",
                    headers={"Accept": "application/json", **headers, **session.headers},
                    body=body,
                    permit=_LeasedPermit(granted, lease),
                    references=references,
                )
                self._moved(lease, session, response)
                if not await self._over(lease, response, last=last):
                    break
                session = self._current(lease)
                granted = AgainPermit(permit)
        await self._observe(response)
        if response.status in (401, 429):
            raise failure(response, path, write=True)
        return response

    async def patch(self, path: str, body: Row, *, etag: str = "", references: Sequence[str] = ()) -> None:
        """An absolute change that is safe to repeat. Raises as `failure` says."""
        headers = {"If-Match": etag} if etag else {}
        part = await self.write("PATCH", path, body=body, permit=FreePermit(), references=references, headers=headers)
        if part.status >= 400:
            raise failure_of(told_of(part), path, write=False)

    # -------------------------------------------------------------- shared

    async def _over(self, lease: LeasedSession, response: Response, *, last: bool) -> bool:
        """After a 401: true when there is a new session and the call is worth one replay. Raises `Unauthorized`."""
        if response.status != 401 or not told(response).session_over:
            return False
        if last:
            raise Unauthorized(
                f"a fresh session is refused too ({told(response).words}): behind a load balancer its nodes must share "
                "sessions",
                system=SYSTEM,
                status=401,
            )
        await lease.renew()
        return True

    async def _observe(self, response: Response) -> None:
        if response.status == 429:
            await self._services.limiter.observe(throttled_for_s=response.retry_after_s())


def _still_ours(lease: LeasedSession) -> None:
    """Of a read: it may simply be made again. Raises `Transient`."""
    try:
        lease.check()
    except NotSent as error:
        raise Transient(error.message, system=SYSTEM) from error


class _LeasedPermit:
    """Of a write in a leased session: no byte leaves once the session may be another's."""

    def __init__(self, permit: Permit, lease: LeasedSession) -> None:
        self._permit = permit
        self._lease = lease

    async def arm(self) -> None:
        self._lease.check()
        await self._permit.arm()

    def check(self) -> None:
        self._lease.check()
        self._permit.check()

    def again(self) -> Permit:
        return _LeasedPermit(self._permit.again(), self._lease)


def told_of(part: Part) -> Told:
    return part.told


def literal(value: object) -> str:
    """Of a key in a filter: numbers as they are, texts quoted with their quotes doubled."""
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def chunks(clauses: Sequence[str]) -> list[str]:
    """Clauses joined by `or`, as many as an address takes: forty, and less than 8 KB."""
    joined: list[str] = []
    waiting: list[str] = []
    for clause in clauses:
        too_long = len(encode_query({"$filter": " or ".join([*waiting, clause])})) > URL_LENGTH - 1000
        if waiting and (len(waiting) == KEYS_PER_CALL or too_long):
            joined.append(" or ".join(waiting))
            waiting = []
        waiting.append(clause)
    return [*joined, " or ".join(waiting)] if waiting else joined


def _after(key: object, last: object) -> bool:
    """Numbers must grow; texts must differ, since their order is the database's collation."""
    return key > last if isinstance(key, int) and isinstance(last, int) else key != last
