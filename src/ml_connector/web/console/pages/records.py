"""Records: where is order 1042?"""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ml_connector.desk import actions, formats, records, wording
from ml_connector.domain.access import Person, Right
from ml_connector.domain.money import minor_unit
from ml_connector.engine.database import Database
from ml_connector.engine.views import record_list
from ml_connector.engine.views.record_list import ENOUGH, GATHERED, STATUSES, Filter
from ml_connector.web.access import requires, still
from ml_connector.web.console.frame import Frame, pages_of
from ml_connector.web.console.pages import plan
from ml_connector.web.console.pages.audit import ASKED_AGAIN, NoLongerLetIn
from ml_connector.web.console.show import plural

router = APIRouter()
LOOKS = Depends(requires(Right.look))
DECIDES = Depends(requires(Right.decide))

SPANS = {"": None, "1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}
UNKEPT = ("after", "done", "n", "top")
"""Of the address: what belongs to one look at the list, not to its query."""

ASKS_ABOVE = 25
"""More records than that are named and counted before anything is done to them."""


@router.get("/records")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page; an order's exact number leads straight to it."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    filter = filter_of(request, frame)
    erps = {each.id: each.erp for each in frame.choices}
    try:
        found = await records.find(pages.database, filter, erps, after=request.query_params.get("after", ""))
    except ValueError:
        return RedirectResponse("/records", 303)
    exact = [each for each in found.rows if filter.asked in (each.row.title, each.row.key)]
    if len(exact) == 1 and "jump" in request.query_params and exact[0].row.flow == "orders":
        return RedirectResponse(exact[0].href, 303)
    return await pages.render(
        request, "records.html", here="records", found=found, filter=filter, query=Query(request), spans=SPANS,
        exported=records.EXPORTED, live=_live(request, found),
        statuses=STATUSES, enough=GATHERED if filter.asked else ENOUGH, minor=minor,
        done=request.query_params.get("done", ""),
    )  # fmt: skip


@router.get("/live/records")
async def stream(request: Request, person: Person = LOOKS) -> Response:
    """What the list hears while it is looked at: `n`, the rows in view; `top`, when the youngest was heard of."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    filter, erps = filter_of(request, frame), {each.id: each.erp for each in frame.choices}
    names = [
        each for each in map(_named, request.query_params.getlist("n")[: record_list.PAGE]) if each[0] in frame.ids
    ]
    try:
        top = datetime.fromisoformat(request.query_params.get("top", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        top = datetime.now(UTC)

    async def render() -> str:
        found = await records.now(pages.database, filter, erps, names, top)
        return await pages.part("records_now.html", request, now=found, filter=filter, query=Query(request))

    return pages.streams.open(request, render)


def _live(request: Request, found: records.List) -> str:
    """The address of the list's stream; empty on older pages, which nothing new reaches."""
    if request.query_params.get("after"):
        return ""
    top = found.rows[0].row.heard_at if found.rows else datetime.now(UTC)
    given = [(name, value) for name, value in request.query_params.items() if name not in ("done", "jump")]
    names = [("n", f"{each.row.integration}:{each.row.flow}:{each.row.key}") for each in found.rows]
    return urlencode([*given, ("top", top.isoformat()), *names])


@router.get("/records/export.csv")
async def export(request: Request, person: Person = LOOKS) -> Response:
    """The list as CSV, newest first: the same query, to the end of it or `records.EXPORTED` lines."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    erps, names = {each.id: each.erp for each in frame.choices}, {each.id: each.name for each in frame.choices}
    lines = records.export(pages.database, filter_of(request, frame), erps, names)
    name = f"records-{datetime.now(UTC):%Y-%m-%dT%H%MZ}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(_sent(request, lines), media_type="text/csv; charset=utf-8", headers=headers)


async def _sent(request: Request, lines: AsyncGenerator[str]) -> AsyncGenerator[bytes]:
    """Breaks off where its reader has lost the right meanwhile: an export of many thousand lines lasts."""
    sent = 0
    async for line in lines:
        yield f"{line}\r\n".encode()
        sent += 1
        if sent % ASKED_AGAIN == 0 and not await still(request, Right.look):
            raise NoLongerLetIn


@router.post("/records/act")
async def act(
    request: Request,
    do: Annotated[str, Form()],
    chosen: Annotated[list[str] | None, Form()] = None,
    whole: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
    sure: Annotated[str, Form()] = "",
    person: Person = DECIDES,
) -> Response:
    """Replay, release or leave out what was chosen, or everything that matches (`whole`: the query of the page)."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    if whole:
        filter = filter_of_text(whole, frame)
        async with pages.database.connect() as sql:
            wanted = await record_list.keys(sql, filter)
    else:
        wanted = [each for each in map(_named, chosen or ()) if each[0] in frame.ids]
    if do == "plan" and wanted:
        return await plan.handed(request, wanted)
    needs_reason = do == "exclude" or len(wanted) > ASKS_ABOVE
    if not wanted or (needs_reason and not (sure and len(why.split()) >= actions.WORDS_OF_A_REASON)):
        return await pages.render(
            request, "records_sure.html", here="records", wanted=wanted, do=do, whole=whole, why=why, asked=bool(sure),
            words=actions.WORDS_OF_A_REASON,
        )  # fmt: skip
    return RedirectResponse("/records?" + urlencode({"done": await _do(pages.database, do, wanted, why)}), 303)


async def _do(database: Database, do: str, wanted: list[tuple[int, str, str]], why: str) -> str:
    """Says what was done, in counts."""
    lanes: dict[tuple[int, str], list[str]] = {}
    for integration, flow, key in wanted:
        lanes.setdefault((integration, flow), []).append(key)
    marked = 0
    refused: list[str] = []
    for (integration, flow), keys in lanes.items():
        if do == "exclude":
            if flow == actions.ORDERS:
                result = await actions.exclude(database, integration, keys, why=why)
                refused += result.refused.values()
            else:
                refused += [f"{wording.called(flow, key)} is no order" for key in keys]
                continue
        elif do == "release":
            result = await actions.release_records(database, integration, flow, keys, why=why)
            refused += result.refused.values()
        elif do == "include":
            result = await actions.include(database, integration, keys, why=why)
        else:
            result = await actions.replay(database, integration, flow, keys, why=why)
        marked += len(result.done)
    words = {"exclude": "left out", "include": "counted again", "release": "released"}.get(do, "marked: they run again")
    said = f"{plural(marked, 'record')} {words}."
    if refused:
        said += f" {formats.grouped(len(refused))} left alone: {refused[0]}."
    return said


def filter_of(request: Request, frame: Frame) -> Filter:
    """The filter in the address; what cannot be understood is as if it were not there."""
    return _filter(dict(request.query_params), frame)


def filter_of_text(query: str, frame: Frame) -> Filter:
    """The same from the query's text, as a form carries it."""
    return _filter(dict(parse_qsl(query)), frame)


def _filter(given: dict[str, str], frame: Frame) -> Filter:
    status = given.get("status", "")
    span = SPANS.get(given.get("days", ""))
    made = Filter(
        tuple(frame.ids),
        flow=given.get("flow", ""),
        status=status if status in STATUSES else "",
        reason=given.get("reason", ""),
        about=given.get("about"),
        asked=given.get("q", "").strip(),
        since=datetime.now(UTC) - span if span else None,
        currency=given.get("currency", ""),
    )
    chosen = [each.id for each in frame.choices if each.name == given.get("integration")]
    return replace(made, integrations=tuple(chosen)) if chosen else made


class Query:
    """The address with one thing changed: every count and tab is a link that keeps the rest."""

    def __init__(self, request: Request) -> None:
        self._given = {name: value for name, value in request.query_params.items() if name not in UNKEPT}

    def with_(self, **changes: str) -> str:
        kept = {name: value for name, value in {**self._given, **changes}.items() if value}
        return f"/records?{urlencode(kept)}" if kept else "/records"

    @property
    def text(self) -> str:
        return urlencode(self._given)


def minor(row: record_list.Row) -> int:
    """The total in minor units, for sums in the browser."""
    return int(row.total / minor_unit(row.currency)) if row.total is not None and row.currency else 0


def _named(chosen: str) -> tuple[int, str, str]:
    integration, _, rest = chosen.partition(":")
    flow, _, key = rest.partition(":")
    return int(integration) if integration.isdecimal() and len(integration) < 10 else 0, flow, key
