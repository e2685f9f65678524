"""Audit: who did what to what, and was any of it altered since?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ml_connector.desk import audit
from ml_connector.desk.audit import Asked
from ml_connector.domain.access import Person, Right
from ml_connector.engine import audit_queries
from ml_connector.engine.audit import KINDS
from ml_connector.engine.audit_queries import Question, Row
from ml_connector.web.access import requires, still
from ml_connector.web.console.frame import Frame, Pages, pages_of
from ml_connector.web.console.show import zone

router = APIRouter()
LOOKS = Depends(requires(Right.look))
FIELDS: Final = ("who", "kind", "record", "reference", "correlation", "since", "until")
NONE: Final = "of no integration"
ASKED_AGAIN: Final = 2_000
"""Lines of an export after which it is asked again whether its reader still may."""


@router.get("/audit")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page; the form is the address."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    asked = asked_of(request)
    found = await audit.find(pages.database, question_of(asked, frame), after=_cursor(request))
    chains = await audit.chains(pages.database, frame.ids if frame.chosen else [*frame.ids, 0])
    return await pages.render(
        request, "audit.html", here="audit", asked=asked, found=found, chains=chains, kinds=KINDS,
        query=urlencode(_given(request)), older=urlencode({**_given(request), "after": found.after or ""}),
        paged=_cursor(request) is not None, names=_names(frame), without=_without(request),
    )  # fmt: skip


@router.get("/audit/export.csv")
async def export_csv(request: Request, person: Person = LOOKS) -> Response:
    """Every row of the query, oldest first, as CSV."""
    return await _export(request, person, "csv")


@router.get("/audit/export.jsonl")
async def export_jsonl(request: Request, person: Person = LOOKS) -> Response:
    """Every row of the query, oldest first, one JSON object a line."""
    return await _export(request, person, "jsonl")


@router.get("/audit/{integration}/{id}")
async def show_row(request: Request, integration: int, id: int, person: Person = LOOKS) -> Response:
    """One row with what was sent and answered. `?reveal=1` shows that to who may see personal data, and is kept."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    line = await audit.one(pages.database, integration, id) if max(integration, id) < 2**31 else None
    reveal = "reveal" in request.query_params and person.may(Right.personal)
    if line is None:
        return await pages.render(request, "audit_row.html", HTTPStatus.NOT_FOUND, here="audit", line=None)
    if reveal and line.bodies:
        await audit.note_look(pages.database, integration, {"row": id, "where": "audit"})
    return await pages.render(
        request, "audit_row.html", here="audit", line=line, bodies=audit.bodies(line.row, reveal=reveal),
        reveal=reveal, names=_names(frame),
    )  # fmt: skip


def asked_of(request: Request) -> Asked:
    """The form as the address has it."""
    return Asked(**{name: request.query_params.get(name, "").replace("\x00", "").strip() for name in FIELDS})


def question_of(asked: Asked, frame: Frame) -> Question:
    return audit.question(asked, frame.ids[0] if frame.chosen and frame.ids else None, zone(frame.zone))


async def _export(request: Request, person: Person, kind: str) -> Response:
    pages = pages_of(request)
    frame = await pages.frame(request)
    reveal = person.may(Right.personal)
    question = question_of(asked_of(request), frame)
    if reveal:
        told = {"where": f"audit export ({kind})", "query": _given(request)}
        await audit.note_look(pages.database, question.integration or 0, told)
    name = f"audit-{frame.chosen or 'all'}-{datetime.now(UTC):%Y-%m-%dT%H%MZ}.{kind}".replace(" ", "-")
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "-._") else "_" for each in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"', "Cache-Control": "no-store"}
    media = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    return StreamingResponse(_lines(request, pages, question, kind, reveal=reveal), headers=headers, media_type=media)


class NoLongerLetIn(Exception):
    """Who began the export may not read any more: it breaks off, so that nobody takes it for whole."""


async def _lines(request: Request, pages: Pages, question: Question, kind: str, *, reveal: bool) -> AsyncIterator[str]:
    export = audit_queries.export_csv if kind == "csv" else audit_queries.export
    number = 0
    async for line in export(pages.database, question, _plain if reveal else audit.without_personal):
        yield line + "\n"
        number += 1
        if number % ASKED_AGAIN == 0 and not await still(request, Right.personal if reveal else Right.look):
            raise NoLongerLetIn


def _plain(row: Row) -> Row:
    return row


def _given(request: Request) -> dict[str, str]:
    """What was asked for, without the place in the list."""
    kept = ("integration", *FIELDS)
    return {name: request.query_params[name] for name in kept if request.query_params.get(name)}


def _without(request: Request) -> dict[str, str]:
    """Field -> the address without it."""
    given = _given(request)
    return {name: "/audit?" + urlencode({other: value for other, value in given.items() if other != name})
            for name in given}  # fmt: skip


def _cursor(request: Request) -> int | None:
    after = request.query_params.get("after", "")
    return int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else None


def _names(frame: Frame) -> dict[int, str]:
    return {0: NONE, **{each.id: each.name for each in frame.choices}}
