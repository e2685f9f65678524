"""Holds: what must I decide? Saving the fix releases exactly what waited for it."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import figures, holds, went
from ml_connector.desk.decide import Undecided
from ml_connector.desk.fixes import Form as FixForm
from ml_connector.desk.fixes import fix_of, tax_of
from ml_connector.desk.holds import FROM_THE_CHART, Group, Papers
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.console.frame import Frame, pages_of

router = APIRouter()
LOOKS = Depends(requires(Right.look))
NOTHING: Final[Mapping[str, str]] = {}


@router.get("/holds")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page, with the chosen group or the one with most money. `saved`: the action whose outcome is followed,
    `record`: whose figures are shown, `look`: with what the ERP shows."""
    return await page(request, request.query_params.get("group", ""), look="look" in request.query_params)


async def page(
    request: Request, chosen: str, status: int = 200, problem: str = "", typed: Mapping[str, str] = NOTHING,
    refused: Undecided | None = None, *, look: bool = False,
) -> Response:  # fmt: skip
    """`problem`: of the form; `typed`: what stood in its fields. `refused`: a verdict that was not taken."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    given = request.query_params
    erps = erps_of(frame)
    found = await holds.read(pages.database, erps, chosen)
    group = found.chosen
    papers = await _papers(request, group) if look and group is not None else None
    facts: dict[str, Any] = {"fix": None, "figures": None, "tax": None, "rounding": ""}
    if group is not None:
        hold = group.hold
        key = given.get("record", "") or hold.first
        facts["fix"] = fix = fix_of(hold.kind, hold.key)
        if fix.form in (FixForm.POLICY, FixForm.NONE):
            facts["figures"] = await figures.of_record(pages.database, hold.integration, hold.flow, key, hold.kind)
        if fix.form is FixForm.TAX:
            facts["tax"] = tax_of(hold.key)
        if fix.limit:
            of = await pages.registry.integration(hold.integration)
            facts["rounding"] = str(of.mapping.get("accounts", {}).get("rounding", ""))
    return await pages.render(
        request, "holds.html", status, here="holds", found=found, group=group, picked=bool(chosen), erps=erps,
        charted=FROM_THE_CHART, problem=problem, typed=typed, done=given.get("done", ""), papers=papers,
        refused=refused, went=await went.read(pages.database, erps, given.get("saved", "")), **facts,
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
    found = await holds.read(pages.database, erps_of(frame), group or "none")
    papers = await _papers(request, found.chosen) if found.chosen is not None else None
    return await pages.render(
        request, "holds_document.html", group=found.chosen, papers=papers, erps=erps_of(frame), refused=None
    )


@router.get("/holds/options")
async def options(request: Request, group: str, typed: str = "", person: Person = LOOKS) -> Response:
    """What can be chosen for a group, as the ERP has it: the list of a combobox."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    integration, _, _ = parts_of(group, frame)
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


@router.get("/live/went")
async def stream(request: Request, saved: str = "", person: Person = LOOKS) -> Response:
    """What became of what one action has released, again whenever it comes out differently."""
    pages = pages_of(request)
    erps = erps_of(await pages.frame(request))

    async def render() -> str:
        found = await went.read(pages.database, erps, saved)
        return await pages.part("holds_went.html", request, went=found)

    return pages.streams.open(request, render)


def erps_of(frame: Frame) -> dict[int, str]:
    """Integrations that the page is about, and what their ERPs are called."""
    return {each.id: each.erp for each in frame.choices if each.id in frame.ids}


def parts_of(group: str, frame: Frame) -> tuple[int, str, str]:
    """Integration, kind and key of a group's name; integration 0 for what is none of the page's."""
    integration, _, rest = group.partition(":")
    kind, _, key = rest.partition(":")
    number = int(integration) if integration.isdecimal() and len(integration) < 10 else 0
    return (number if number in erps_of(frame) else 0), kind, key
