"""Mapping: what goes where, and is it right? Every table of the mapping with what uses it, and changes into a draft."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.config.edit import Outdated, Proposal
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import mapping, mapping_page, mapping_words
from ml_connector.desk.holds import Option
from ml_connector.desk.mapping import CannotMerge, Opened
from ml_connector.desk.mapping_tables import (
    NotKept,
    Row,
    Table,
    paste,
    put,
    raise_row,
    remove,
    rows_of,
    table_named,
)
from ml_connector.domain.access import Person, Right
from ml_connector.engine.registry import Integration
from ml_connector.web.access import requires
from ml_connector.web.console.frame import Frame, Pages, pages_of

router = APIRouter()
LOOKS = Depends(requires(Right.look))
MAPS = Depends(requires(Right.map))
HERE = "/mapping"
Json = Mapping[str, Any]
Field = Annotated[str, Form()]
FIELD, TYPED = "c.", "typed."
"""Prefixes of the names of a row's fields; the second are those of a combobox that a list is asked for by."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A form that is open: a row that is changed (`at`), or added (None); or a paste. `typed`: by column; `problems`:
    beside the column, or under the empty name."""

    table: Table
    at: str | None
    typed: dict[str, str]
    mark: str = ""
    pasting: bool = False
    problems: dict[str, str] | None = None


async def of_request(request: Request) -> tuple[Pages, Frame, Integration | None]:
    """The integration of the page: the chosen one, or the first; None where nothing is connected."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    asked = request.query_params.get("integration", "")
    if not asked and request.method == "POST":
        asked = str((await request.form()).get("integration", ""))
    chosen = next((each for each in frame.choices if each.name == asked), None)
    chosen = chosen or next((each for each in frame.choices if each.id in frame.ids), None)
    return pages, frame, await pages.registry.integration(chosen.id) if chosen else None


def address(path: str, integration: Integration, **query: str) -> str:
    """Of a page of this place, always with its integration."""
    return f"{path}?{urlencode({'integration': integration.name, **{k: v for k, v in query.items() if v}})}"


async def facts(pages: Pages, frame: Frame, known: Opened) -> dict[str, Any]:
    """What the frame of every page of this place shows: who the integration is, and the draft."""
    proposal = await mapping.proposal(pages.database, pages.runtime.vault, known)

    def linked(path: str = HERE, **query: str) -> str:
        return address(path, known.integration, **query)

    return {
        "here": "mapping",
        "known": known,
        "integration": known.integration,
        "erp": next(each.erp for each in frame.choices if each.id == known.integration.id),
        "proposal": proposal,
        "drafted": own(known, proposal),
        "releases": (proposal.releases or {}).get(known.integration.name, 0) if proposal else 0,
        "tabs": mapping_words.tabs(),
        "address": linked,
        "both": (),
        "refused": "",
        "said": "",
    }


def own(known: Opened, proposal: Proposal | None) -> list[Any]:
    """The draft's changes, row by row."""
    return mapping.own_changes(known.integration.name, proposal.changes) if proposal else []


@router.get(HERE)
async def show(request: Request, person: Person = LOOKS) -> Response:
    """One tab of the mapping; `edit`, `add`, `missing` and `paste` open a form in it."""
    return await _page(request, person)


async def _page(
    request: Request, person: Person, status: int = 200, asked: Asked | None = None, **said: Any
) -> Response:
    pages, frame, integration = await of_request(request)
    if integration is None:
        return await pages.render(request, "mapping_none.html", status, here="mapping")
    query = request.query_params
    known = await mapping.opened(pages.database, integration, person.who)
    erp = next(each.erp for each in frame.choices if each.id == integration.id)
    tab = asked.table.name if asked else query.get("tab", "")
    asked = asked or _asked(request, known)
    found = await mapping_page.read(
        pages.runtime,
        pages.charts,
        known,
        erp,
        tab=asked.table.name if asked else tab,
        asked=query.get("q", "").strip(),
    )
    about: dict[str, Any] = {**await facts(pages, frame, known), "said": query.get("done", ""), **said}
    return await pages.render(
        request, "mapping.html", status, found=found, asked=asked, words=mapping_words, q=query.get("q", ""),
        tab=found.tab, **about,
    )  # fmt: skip


def _asked(request: Request, known: Opened) -> Asked | None:
    """The form that the address opens."""
    query = request.query_params
    if "edit" in query:
        name, _, at = query["edit"].partition(":")
        table = table_named(name)
        row = _row(known, table, at) if table else None
        return Asked(table, at, dict(row.values), row.mark) if table and row else None
    if "missing" in query:
        kind, _, key = query["missing"].partition("|")
        table = table_named(mapping_words.OF_MISSING.get(kind, ""))
        return Asked(table, None, dict(mapping_words.prefilled(kind, key))) if table else None
    for name in ("add", "paste"):
        table = table_named(query.get(name, ""))
        if table is not None and table.shape != "single":
            return Asked(table, None, {}, pasting=name == "paste")
    return None


def _row(known: Opened, table: Table | None, at: str) -> Row | None:
    return next((each for each in rows_of(known.drafted_mapping, table) if each.at == at), None) if table else None


@router.get("/mapping/options")
async def options(request: Request, of: str = "chart", person: Person = LOOKS) -> Response:
    """What can be chosen, as the ERP has it: the list of a combobox."""
    pages, _, integration = await of_request(request)
    typed = next((value for name, value in request.query_params.items() if name.startswith(TYPED)), "")
    found: list[Option] = []
    total, seconds, why = 0, 0.0, ""
    try:
        connection = await pages.registry.connection(integration.erp if integration else 0)
        connector = await pages.runtime.connector(connection)
        if of == "chart":
            found, total, seconds = await pages.charts.options(connection.id, connector, typed)
        else:
            found, total, seconds = await pages.charts.dimensions(connection.id, connector, of, typed)
    except (ConnectorError, LookupError, ValueError) as error:
        why = str(error)
    return await pages.render(request, "options.html", options=found, total=total, seconds=seconds, why=why)


@router.post("/mapping/row")
async def keep_row(
    request: Request, table: Field = "", at: Field = "", mark: Field = "", new: Field = "", person: Person = MAPS
) -> Response:
    """A row into the draft: added (`new`) or changed. What cannot be used comes back beside its field."""
    of = table_named(table)
    if of is None:
        return await _page(request, person, 422, refused="There is no such table.")
    typed = await _typed(request, of)
    where = None if new and of.shape != "single" else at
    what = f"{of.name}: {', '.join(value for value in typed.values() if value)}"

    def edit(content: Json) -> Json:
        return put(_marked(content, of, where, mark), of, where, typed)

    try:
        await _change(request, person, what, edit)
    except NotKept as error:
        return await _page(request, person, 422, Asked(of, where, typed, mark, problems=dict(error.problems)))
    except Outdated as error:
        return await _page(request, person, 422, refused=str(error))
    return await _back(request, of)


@router.post("/mapping/row/remove")
async def remove_row(
    request: Request, table: Field = "", at: Field = "", mark: Field = "", person: Person = MAPS
) -> Response:
    """A row out of the draft."""
    return await _to_row(request, person, table, at, mark, "removed", remove)


@router.post("/mapping/row/raise")
async def move_row(
    request: Request, table: Field = "", at: Field = "", mark: Field = "", person: Person = MAPS
) -> Response:
    """A row one place up: the first that fits wins."""
    return await _to_row(request, person, table, at, mark, "moved up", raise_row)


async def _to_row(
    request: Request,
    person: Person,
    table: str,
    at: str,
    mark: str,
    what: str,
    change: Callable[[Json, Table, str], Json],
) -> Response:
    of = table_named(table)
    if of is None or of.shape == "single" or (of.shape != "rows" and what == "moved up"):
        return await _page(request, person, 422, refused="There is no such table.")

    def edit(content: Json) -> Json:
        return change(_marked(content, of, at, mark), of, at)

    try:
        await _change(request, person, f"{of.name}: {at} {what}", edit)
    except (NotKept, Outdated) as error:
        return await _page(request, person, 422, refused=str(error))
    return await _back(request, of)


@router.post("/mapping/paste")
async def paste_rows(request: Request, table: Field = "", text: Field = "", person: Person = MAPS) -> Response:
    """Rows as a sheet gives them, into the draft."""
    of = table_named(table)
    if of is None or of.shape == "single":
        return await _page(request, person, 422, refused="There is no such table.")

    def edit(content: Json) -> Json:
        return paste(content, of, text)[0]

    try:
        await _change(request, person, f"{of.name}: pasted", edit)
    except NotKept as error:
        return await _page(
            request, person, 422, Asked(of, None, {"": text}, pasting=True, problems=dict(error.problems))
        )  # fmt: skip
    except Outdated as error:
        return await _page(request, person, 422, refused=str(error))
    return await _back(request, of)


@router.post("/mapping/discard")
async def discard(request: Request, person: Person = MAPS) -> Response:
    """The whole draft is gone."""
    pages, _, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    await mapping.discard(pages.database, integration, person.who)
    return RedirectResponse(address(HERE, integration, done="Your changes are discarded."), 303)


@router.post("/mapping/bring-over")
async def bring_over(request: Request, leave: Field = "", person: Person = MAPS) -> Response:
    """A draft that is outdated goes on from what is stored now."""
    pages, _, integration = await of_request(request)
    if integration is None:
        return RedirectResponse(HERE, 303)
    try:
        await mapping.bring_over(pages.database, integration, person.who, leave_both=bool(leave))
    except CannotMerge as error:
        return await _page(request, person, 422, both=error.both)
    return RedirectResponse(address(HERE, integration, done="Your changes stand on the current version now."), 303)


async def _change(request: Request, person: Person, what: str, change: Callable[[Json], Json]) -> None:
    pages, _, integration = await of_request(request)
    if integration is None:
        raise NotKept({"": "Nothing is connected yet."})
    await mapping.change_mapping(pages.database, integration, person.who, what, change)


def _marked(content: Json, table: Table, at: str | None, mark: str) -> Json:
    """`content`, if the row in it is still the one that the form was opened on."""
    if at is not None and table.shape != "single":
        row = next((each for each in rows_of(content, table) if each.at == at), None)
        if row is None or row.mark != mark:
            raise NotKept({"": "This row has changed since the page was opened: look at it again."})
    return content


async def _typed(request: Request, table: Table) -> dict[str, str]:
    """By column. Of a combobox: what was chosen from its list, unless something else was typed afterwards."""
    form = await request.form()
    found: dict[str, str] = {}
    for column in table.columns:
        given = form.get(FIELD + column.name)
        chosen = given if isinstance(given, str) else ""
        shown = form.get(TYPED + column.name)
        if isinstance(shown, str):
            first = shown.strip().split(" ")[0]
            chosen = chosen if chosen and shown.startswith(chosen) else first
        found[column.name] = chosen[:500]
    return found


async def _back(request: Request, table: Table) -> Response:
    _, _, integration = await of_request(request)
    assert integration is not None
    return RedirectResponse(address(HERE, integration, tab=table.name), 303)
