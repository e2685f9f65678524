"""One OData service: reads with paging, writes inside a CSRF session. Version 2; the envelopes know 4 too.

Sources: OData 2.0 URI conventions; SAP Help, "SAP Gateway Foundation", CSRF protection; `docs/protocol/s4hana.md`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, cast

from ml_connector.connectors.base import Permit, Priority
from ml_connector.connectors.errors import Transient
from ml_connector.connectors.http import Params, Response
from ml_connector.connectors.odata_errors import error_of, failure_of
from ml_connector.connectors.odata_values import Page, Row, entity_of, page_of
from ml_connector.connectors.safety import path_and_query

PAGE_SIZE = 1000
MAX_PAGES = 2000


class Transport(Protocol):
    """An authenticated HTTP session: what a client offers to its OData services."""

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        priority: Priority = "orders",
    ) -> Response: ...

    async def write(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        permit: Permit,
        references: Sequence[str] = (),
    ) -> Response: ...


class ODataService:
    """One service of one system. `root`: its path without a trailing slash. `scenario`: what opens it."""

    def __init__(self, transport: Transport, root: str, *, system: str, scenario: str) -> None:
        self._transport = transport
        self.root = root.rstrip("/")
        self.name = self.root.rpartition("/")[2]
        self.scenario = scenario
        self._system = system
        self._session: Mapping[str, str] | None = None  # CSRF token and cookies of this process
        self._opening = asyncio.Lock()

    # -------------------------------------------------------------- reads

    async def entity(self, path: str, *, params: Params | None = None, priority: Priority = "orders") -> Row | None:
        """One entity by its key, None when there is none."""
        response = await self._get(f"{self.root}/{path}", params, priority)
        if response.status == 404 and error_of(response).code.endswith("/020"):
            return None
        self._raise_for(response, write=False)
        try:
            return entity_of(response)
        except ValueError as error:
            raise self._unreadable(response, error) from error

    async def pages(
        self,
        entity_set: str,
        *,
        order_by: str,
        where: str = "",
        select: Sequence[str] = (),
        expand: str = "",
        page_size: int = PAGE_SIZE,
        priority: Priority = "orders",
        first_only: bool = False,
    ) -> AsyncIterator[tuple[Row, ...]]:
        """All rows, page by page: next links first, `$skip` when the server sends none. Raises `Transient` when the
        number of rows is not the number that the server counted, so that a cut answer never looks complete.
        `first_only`: one page, to see that the service answers."""
        got = 0
        keys: set[str] = set()
        while True:
            params: dict[str, str | int] = {"$orderby": order_by, "$top": page_size, "$inlinecount": "allpages"}
            params |= {"$filter": where} if where else {}
            params |= {"$select": ",".join(select)} if select else {}
            params |= {"$expand": expand} if expand else {}
            params |= {"$skip": got} if got else {}
            window = 0
            page = await self._page(f"{self.root}/{entity_set}", params, priority)
            count = page.count
            for _ in range(MAX_PAGES):
                window += len(page.rows)
                keys.update(_identity(row) for row in page.rows)
                if page.rows:
                    yield page.rows
                if first_only:
                    return
                if not page.next_link:
                    break
                page = await self._page(self._own(page.next_link), None, priority)
            got += window
            if window < page_size or (count is not None and got >= count):
                break
        if (count is not None and got != count) or len(keys) < got:
            raise Transient(
                f"{self.name} counted {count} rows and sent {len(keys)} different ones: they changed while being read",
                system=self._system,
            )

    async def rows(
        self,
        entity_set: str,
        *,
        order_by: str,
        where: str = "",
        select: Sequence[str] = (),
        expand: str = "",
        page_size: int = PAGE_SIZE,
        priority: Priority = "orders",
    ) -> list[Row]:
        """All rows at once."""
        found: list[Row] = []
        async for page in self.pages(
            entity_set,
            order_by=order_by,
            where=where,
            select=select,
            expand=expand,
            page_size=page_size,
            priority=priority,
        ):
            found.extend(page)
        return found

    async def _page(self, path: str, params: Params | None, priority: Priority) -> Page:
        response = await self._get(path, params, priority)
        self._raise_for(response, write=False)  # also 404: an unknown collection must never look like "absent"
        try:
            return page_of(response)
        except ValueError as error:
            raise self._unreadable(response, error) from error

    async def _get(self, path: str, params: Params | None, priority: Priority) -> Response:
        return await self._transport.read(
            "GET", path, params=params, headers={"Accept": "application/json"}, priority=priority
        )

    def _own(self, link: str) -> str:
        """The path of a next link, which must stay inside this service; a relative one starts at its root."""
        path = path_and_query(link)
        if not path.startswith(f"{self.root}/") and "://" not in link:
            path = f"{self.root}{path}"
        if not path.startswith(f"{self.root}/"):
            raise Transient(f"{self.name}: the next link leads out of the service ({path[:80]})", system=self._system)
        return path

    def _raise_for(self, response: Response, *, write: bool) -> None:
        if response.status >= 400:
            raise failure_of(response, system=self._system, service=self.name, scenario=self.scenario, write=write)

    def _unreadable(self, response: Response, error: ValueError) -> Transient:
        return Transient(f"{self.name}: {error}", system=self._system, status=response.status)

    # -------------------------------------------------------------- writes

    async def write(
        self,
        method: str,
        path: str,
        *,
        permit: Permit,
        body: Row | None = None,
        etag: str = "",
        references: Sequence[str] = (),
    ) -> Response:
        """One change. The security session is opened before the permit is asked. A 403 that asks for a CSRF token
        means "not executed": the session is opened anew and the change replayed once."""
        data = None if body is None else json.dumps(body, default=str).encode()
        for last in (False, True):
            session = await self._open_session()
            headers = {"Accept": "application/json", "Content-Type": "application/json", **session}
            headers |= {"If-Match": etag} if etag else {}
            granted = AgainPermit(permit) if last else permit
            response = await self._transport.write(
                method, f"{self.root}/{path}", headers=headers, body=data, permit=granted, references=references
            )
            wants_token = response.status == 403 and response.headers.get("x-csrf-token", "").lower() == "required"
            if not wants_token or last:
                break
            self._session = None
        self._raise_for(response, write=True)
        return response

    async def _open_session(self) -> Mapping[str, str]:
        """Token and cookies, kept by this process; several writes at once open one session."""
        async with self._opening:
            if self._session is None:
                self._session = await self._fetch_session()
            return self._session

    async def _fetch_session(self) -> Mapping[str, str]:
        """HEAD, then GET, with the slash first: front ends differ."""
        response: Response | None = None
        for method, path in (("HEAD", f"{self.root}/"), ("GET", f"{self.root}/"), ("GET", self.root)):
            response = await self._transport.read(
                method, path, headers={"X-CSRF-Token": "Fetch", "Accept": "application/json"}
            )
            token = response.headers.get("x-csrf-token", "")
            if token and token.lower() != "required":  # it may come with any status
                cookies = [value.split(";", 1)[0].strip() for value in response.headers.getall("Set-Cookie", [])]
                return {"X-CSRF-Token": token} | ({"Cookie": "; ".join(cookies)} if cookies else {})
        assert response is not None
        self._raise_for(response, write=False)
        raise Transient(f"{self.name} gave no CSRF token", system=self._system, status=response.status)


@contextmanager
def readable(service: str, system: str) -> Generator[None]:
    """Rows whose values are no values (a date that is none, an amount without digits) are no answer: `Transient`."""
    try:
        yield
    except ValueError as error:
        raise Transient(f"{service}: the answer cannot be used: {error}", system=system) from error


class AgainPermit:
    """For a replay after an answer that proves "not executed": armed already, only the time since then counts."""

    def __init__(self, permit: Permit) -> None:
        self._permit = permit

    async def arm(self) -> None:
        self._permit.check()

    def check(self) -> None:
        self._permit.check()

    def again(self) -> Permit:
        return self._permit.again()


def _identity(row: Row) -> str:
    metadata = row.get("__metadata")
    uri = cast("Row", metadata).get("uri") if isinstance(metadata, dict) else None
    return str(uri or sorted((name, str(value)) for name, value in row.items()))
