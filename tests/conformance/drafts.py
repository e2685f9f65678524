"""A strict little ERP in which a document is made first and booked by a second write, and the client of it.

It refuses no name twice, and releases what is unfinished alone. As a program it is one run of the engine that posts
there, for deaths between the two writes: `python -m tests.conformance.drafts`, told on standard input.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web

from ml_connector.connectors.base import (
    Lookup,
    Outgoing,
    Permit,
    Posted,
    PostResult,
    Problem,
    Refused,
    StoredDocument,
    Timing,
    Unknown,
)
from ml_connector.connectors.errors import ConnectorError, Transient, Uncertain
from ml_connector.connectors.http import HttpSession, Timeouts
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine import crash
from ml_connector.engine.database import Database
from tests.connectors.shared import LocalServices
from tests.exactly_once.desk import Books, Desk

TIMING = Timing(p_s=5, t_s=10, l_s=5, v_s=0, s_s=0)


class DraftErp:
    """`documents`: by number. `made` and `released` count the writes that were taken."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, str]] = {}
        self.made = self.released = 0
        self.closed = self.loses_the_release = False
        self.url = ""

    async def make(self, request: web.Request) -> web.Response:
        self.made += 1
        number = f"D{self.made}"
        self.documents[number] = {**await request.json(), "number": number, "state": "unfinished"}
        return web.json_response({"number": number}, status=201)

    async def release(self, request: web.Request) -> web.Response:
        document = self.documents[request.match_info["number"]]
        if self.closed:
            return web.json_response({"error": "the period is closed"}, status=422)
        if document["state"] != "unfinished":
            return web.json_response({"error": "only an unfinished document is released"}, status=422)
        self.released += 1
        document["state"] = "posted"
        if self.loses_the_release:
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=204)

    async def shown(self, request: web.Request) -> web.Response:
        wanted = request.query.getall("reference")
        return web.json_response([each for each in self.documents.values() if each["reference"] in wanted])


@asynccontextmanager
async def draft_erp() -> AsyncIterator[DraftErp]:
    erp = DraftErp()
    app = web.Application()
    app.router.add_post("/documents", erp.make)
    app.router.add_post("/documents/{number}/release", erp.release)
    app.router.add_get("/documents", erp.shown)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    erp.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield erp
    finally:
        await runner.cleanup()


class DraftLedger:
    """Makes, then releases, both under one permit."""

    timing = TIMING
    batch_size = 1
    lookup_size = 50
    finishes = frozenset(Kind)

    def __init__(self, url: str) -> None:
        times = Timeouts(connect_s=5, read_s=10, write_s=TIMING.t_s)
        self._http = HttpSession(
            url, services=LocalServices(crash.point), timeouts=times, sandbox=True, system="drafts"
        )

    async def close(self) -> None:
        await self._http.close()

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        return {}

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        query = "&".join(f"reference={lookup.document.reference}" for lookup in lookups)
        answer = await self._http.read("GET", f"/documents?{query}")
        if answer.status != 200:
            raise Transient(f"answered {answer.status}", system="drafts")
        found: dict[str, list[StoredDocument]] = {}
        for row in cast("list[dict[str, Any]]", answer.json()):
            stored = StoredDocument(
                row["reference"], row["number"], state=row["state"], fields={"content": row["content"]}
            )
            found.setdefault(stored.reference, []).append(stored)
        return found

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        [item] = outgoing
        if item.standing is not None:
            return [await self._release(item.standing.number, permit)]
        body = {"reference": item.document.reference, "content": item.document.fingerprint}
        made = await self._http.write("POST", "/documents", body=json.dumps(body).encode(), permit=permit)
        if made.status != 201:
            raise Uncertain(f"answered {made.status}", system="drafts")
        number = str(cast("dict[str, Any]", made.json())["number"])
        try:
            return [await self._release(number, permit.again())]
        except ConnectorError as error:  # whatever it is: the document has been made
            return [Unknown(str(error))]

    async def _release(self, number: str, permit: Permit) -> PostResult:
        answer = await self._http.write("POST", f"/documents/{number}/release", body=b"{}", permit=permit)
        if answer.status == 204:
            return Posted(number)
        said = str(cast("dict[str, Any]", answer.json()).get("error"))
        return Unknown(said) if "only an unfinished" in said else Refused(said)

    def differences(self, sent: Document, stored: StoredDocument) -> Sequence[str]:
        return () if stored.fields["content"] == sent.fingerprint else ("amounts",)


async def main(told: dict[str, Any]) -> str:
    database = Database(told["database"], application="drafts")
    ledger = DraftLedger(told["url"])
    try:
        desk = Desk(database, cast("Books", ledger))
        return repr(await desk.run(told["key"], document_from_json(told["document"])))
    finally:
        await ledger.close()
        await database.close()


if __name__ == "__main__":
    print(asyncio.run(main(json.load(sys.stdin))))
