"""Holds: what must I decide? Saving the fix releases exactly what waited for it."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.config.entry import NotSaved, save_entry
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import actions, decide, holds, wording
from ml_connector.desk.decide import Undecided, Verdict
from ml_connector.desk.holds import FROM_THE_CHART, Group, Papers
from ml_connector.domain.access import Person, Right
from ml_connector.engine.actor import actor
from ml_connector.web.access import requires
from ml_connector.web.console.frame import Frame, pages_of

router = APIRouter()
LOOKS = Depends(requires(Right.look))
DECIDES = Depends(requires(Right.decide))
MAPS = Depends(requires(Right.map))


@router.get("/holds")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page, with the chosen group or the one with most money."""
    return await _page(request, request.query_params.get("group", ""), look="look" in request.query_params)


async def _page(
    request: Request, chosen: str, status: int = 200, problem: str = "", typed: str = "",
    refused: Undecided | None = None, *, look: bool = False,
) -> Response:  # fmt: skip
    pages = pages_of(request)
    frame = await pages.frame(request)
    found = await holds.read(pages.database, _erps(frame), chosen)
    papers = await _papers(request, found.chosen) if look and found.chosen is not None else None
    return await pages.render(
        request, "holds.html", status, here="holds", found=found, group=found.chosen, picked=bool(chosen),
        erps=_erps(frame), charted=FROM_THE_CHART, problem=problem, typed=typed,
        done=request.query_params.get("done", ""), by_itself=holds.ENDS_BY_ITSELF, papers=papers, refused=refused,
    )  # fmt: skip


async def _papers(request: Request, group: Group) -> Papers | None:
    if not group.is_about_a_document:
        return None
    return await holds.papers(pages_of(request).runtime, group.hold.integration, group.hold.key)


@router.get("/holds/document")
async def document(request: Request, group: str = "", person: Person = LOOKS) -> Response:
    """What the ERP shows now of the document that a group is about, and what can be said of it: a part of the page,
    read after it."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    found = await holds.read(pages.database, _erps(frame), group or "none")
    papers = await _papers(request, found.chosen) if found.chosen is not None else None
    return await pages.render(
        request, "holds_document.html", group=found.chosen, papers=papers, erps=_erps(frame), refused=None
    )


@router.post("/holds/decide")
async def say(
    request: Request,
    group: Annotated[str, Form()],
    reference: Annotated[str, Form()],
    verdict: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
    force: Annotated[str, Form()] = "",
    person: Person = DECIDES,
) -> Response:
    """What a person says is true of a document; the ERP is asked first."""
    pages = pages_of(request)
    integration, _, _ = _parts(group, await pages.frame(request))
    try:
        chosen = Verdict(verdict)
    except ValueError:
        return await _page(request, group, 422, refused=Undecided("Say which of the three it is."), look=True)
    try:
        done = await decide.decide(pages.runtime, integration, reference, chosen, why=why, force=bool(force))
    except Undecided as error:
        return await _page(request, group, 422, refused=error, look=True)
    except ConnectorError as error:
        refused = Undecided(f"The ERP could not be asked, so nothing was decided: {error}", forcible=chosen == "right")
        return await _page(request, group, 422, refused=refused)
    said = f"{done.reference}: {done.said}. {wording.called(done.flow, done.record)} runs again."
    return RedirectResponse("/holds?" + urlencode({"done": said}), 303)


@router.get("/holds/options")
async def options(request: Request, group: str, typed: str = "", person: Person = LOOKS) -> Response:
    """What can be chosen for a group, as the ERP has it: the list of a combobox."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    integration, _, _ = _parts(group, frame)
    found: list[holds.Option] = []
    total, seconds, why = 0, 0.0, ""
    try:
        erp = (await pages.registry.integration(integration)).erp
        connection = await pages.registry.connection(erp)
        found, total, seconds = await pages.charts.options(
            connection.id, await pages.runtime.connector(connection), typed
        )
    except (ConnectorError, LookupError, ValueError) as error:
        why = str(error)
    return await pages.render(request, "options.html", options=found, total=total, seconds=seconds, why=why)


@router.post("/holds/save")
async def save(
    request: Request,
    group: Annotated[str, Form()],
    value: Annotated[str, Form()] = "",
    typed: Annotated[str, Form()] = "",
    person: Person = MAPS,
) -> Response:
    """A new version of the mapping with that one value, and what waited for it goes."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    integration, _, key = _parts(group, frame)
    given = value or typed.split(" ")[0]
    try:
        of = await pages.registry.integration(integration)
        saved = await save_entry(pages.database, pages.runtime.vault, of, key, given, author=actor.get())
    except (NotSaved, LookupError) as error:
        return await _page(request, group, 422, str(error), typed)
    flow = next(iter(saved.released), None)
    things = wording.thing(flow.flow if flow else "orders", saved.count)
    said = f"Saved as mapping version {saved.version}. {saved.count:,} {things} released; they are being booked."
    return RedirectResponse("/holds?" + urlencode({"done": said}), 303)


@router.post("/holds/release")
async def release(request: Request, group: Annotated[str, Form()], person: Person = DECIDES) -> Response:
    """The records of the group run again now, and are held again if the reason still stands."""
    pages = pages_of(request)
    integration, kind, key = _parts(group, await pages.frame(request))
    released = await actions.release(pages.database, integration, kind, [key] if key else None)
    count = sum(map(len, released.values()))
    said = f"{count:,} released. What still has its reason is held again in a moment."
    return RedirectResponse("/holds?" + urlencode({"done": said}), 303)


def _erps(frame: Frame) -> dict[int, str]:
    return {each.id: each.erp for each in frame.choices if each.id in frame.ids}


def _parts(group: str, frame: Frame) -> tuple[int, str, str]:
    """Integration, kind and key of a group's name; integration 0 for what is none of the page's."""
    integration, _, rest = group.partition(":")
    kind, _, key = rest.partition(":")
    number = int(integration) if integration.isdecimal() else 0
    return (number if number in _erps(frame) else 0), kind, key
