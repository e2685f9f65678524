"""Plan: what exactly would be booked?"""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.desk import plan_papers, plans
from ml_connector.desk.actions import Refused
from ml_connector.desk.plan_papers import Read
from ml_connector.desk.plans import STATUSES, Asked
from ml_connector.domain.access import Person, Right
from ml_connector.engine import drafts
from ml_connector.engine.actor import actor
from ml_connector.engine.plans import FLOW, LARGEST, latest
from ml_connector.engine.standings import standings
from ml_connector.web.access import requires
from ml_connector.web.console.frame import Frame, pages_of

router = APIRouter()
LOOKS = Depends(requires(Right.look))
PLANS = Depends(requires(Right.plan))
APPLIES = Depends(requires(Right.apply))
PAGE = 20
WORDS_OF_A_COMMENT = 1_000


@router.get("/plan")
async def choose(request: Request, person: Person = LOOKS) -> Response:
    """What to plan, and the plans that were made."""
    return await _choose(request)


async def _choose(
    request: Request, status: int = 200, problem: str = "", given: dict[str, str] | None = None
) -> Response:
    pages = pages_of(request)
    frame = await pages.frame(request)
    asked = request.query_params.get("after", "")
    async with pages.database.connect() as sql:
        mine = [each for each in frame.ids if await drafts.read(sql, each, actor.get()) is not None]
        found = await latest(sql, frame.ids, after=int(asked) if asked.isdecimal() and len(asked) < 10 else 0)
    return await pages.render(
        request, "plan.html", status, here="plan", plans=found, problem=problem, statuses=STATUSES, largest=LARGEST,
        given=given or {}, has_draft=bool(mine), older=found[-1].id if len(found) == PAGE else 0,
    )  # fmt: skip


@router.post("/plan")
async def make(
    request: Request,
    integration: Annotated[str, Form()] = "",
    orders: Annotated[str, Form()] = "",
    by: Annotated[str, Form()] = "ordered",
    first: Annotated[str, Form()] = "",
    last: Annotated[str, Form()] = "",
    status: Annotated[str, Form()] = "",
    backfill: Annotated[str, Form()] = "",
    drafted: Annotated[str, Form()] = "",
    person: Person = PLANS,
) -> Response:
    """Reads and plans the chosen orders; nothing is sent."""
    frame = await pages_of(request).frame(request)
    given = {"integration": integration, "orders": orders, "by": by, "first": first, "last": last, "status": status,
             "backfill": backfill, "drafted": drafted}  # fmt: skip
    try:
        asked = Asked(
            plans.numbers_in(orders), "changed" if by == "changed" else "ordered", _day(first), _day(last),
            status if status in STATUSES else "", bool(backfill), bool(drafted),
        )  # fmt: skip
        id = _integration(integration, frame)
        plan = await plans.make(pages_of(request).runtime, id, asked)
    except Refused as error:
        return await _choose(request, 422, str(error), given)
    return RedirectResponse(f"/plan/{id}/{plan}", 303)


def _integration(named: str, frame: Frame) -> int:
    mine = [each.id for each in frame.choices if named in (each.name, str(each.id))]
    if not mine and len(frame.ids) == 1 and not named:
        mine = frame.ids
    if not mine:
        raise Refused("Choose the integration first: a plan is of one.")
    return mine[0]


def _day(typed: str) -> date | None:
    try:
        day = date.fromisoformat(typed) if typed else None
    except ValueError:
        day = date.min
    if day is not None and not 2000 <= day.year <= 2100:
        raise Refused(f"“{typed}” is no day; write it as 2026-11-20.")
    return day


async def handed(request: Request, wanted: Sequence[tuple[int, str, str]]) -> Response:
    """A plan of orders that were selected in a list, as (integration, flow, key)."""
    mine = [(integration, key) for integration, flow, key in wanted if flow == FLOW]
    if not mine:
        return await _choose(request, 422, "Select orders: other records are not planned.")
    id = mine[0][0]
    if any(integration != id for integration, _ in mine):
        return await _choose(request, 422, "Choose one integration first: a plan is of one.")
    try:
        plan = await plans.make(pages_of(request).runtime, id, Asked([key for _, key in mine]))
    except Refused as error:
        return await _choose(request, 422, str(error))
    return RedirectResponse(f"/plan/{id}/{plan}", 303)


@router.get("/plan/{integration:int}/{plan:int}")
async def show(request: Request, integration: int, plan: int, person: Person = LOOKS) -> Response:
    """The page, with the documents of the chosen order or of the first of which something would be posted."""
    pages = pages_of(request)
    found = await _found(request, integration, plan)
    if found is None:
        return await pages.render(request, "no_plan.html", 404, here="plan", plan=plan)
    frame = await pages.frame(request)
    asked = request.query_params.get("order", "")
    picked = next((order for order in found.orders if order.key == asked), None)
    order = picked or next((order for order in found.orders if order.news), found.orders[0])
    async with pages.database.connect() as sql:
        known = await standings(sql, integration, FLOW, [order.key])
    return await pages.render(
        request, "plan_shown.html", here="plan", picked=picked is not None, order=order,
        known=bool(known), held=any(row.status == "held" and row.hold == order.code for row in known),
        papers=[plan_papers.shown(paper, found.plan.names) for paper in order.papers], erp=_erp(frame, integration),
        second=(await pages.registry.integration(integration)).second_person,
        done=request.query_params.get("done", ""), **_facts(found),
    )  # fmt: skip


def _facts(found: Read) -> dict[str, Any]:
    return {"found": found, "plan": found.plan, "href": f"/plan/{found.plan.integration}/{found.plan.id}"}


def _erp(frame: Frame, integration: int) -> str:
    return next((each.erp for each in frame.choices if each.id == integration), "the ERP")


async def _found(request: Request, integration: int, plan: int) -> Read | None:
    """None also for an integration that is none of ours."""
    pages = pages_of(request)
    known = {each.id for each in (await pages.frame(request)).choices}
    if integration not in known or plan >= 2**31:
        return None
    return await plan_papers.read(pages.database, integration, plan)


@router.get("/plan/{integration:int}/{plan:int}/export.csv")
async def export(request: Request, integration: int, plan: int, person: Person = LOOKS) -> Response:
    """Every line of every document, for a spreadsheet."""
    found = await _found(request, integration, plan)
    if found is None:
        return Response(status_code=404)
    text = "".join(f"{line}\r\n" for line in plan_papers.as_csv(found))
    headers = {"Content-Disposition": f'attachment; filename="plan-{plan}.csv"', "Cache-Control": "no-store"}
    return Response(text, headers=headers, media_type="text/csv; charset=utf-8")


@router.get("/live/plan/{integration:int}/{plan:int}")
async def stream(request: Request, integration: int, plan: int, person: Person = LOOKS) -> Response:
    """How an applied plan goes on."""
    pages = pages_of(request)
    if await _found(request, integration, plan) is None:
        return Response(status_code=404)

    async def render() -> str:
        found = await _found(request, integration, plan)
        return await pages.part("plan_progress.html", request, **_facts(found)) if found is not None else ""

    return pages.streams.open(request, render)


@router.post("/plan/{integration:int}/{plan:int}/apply")
async def apply(
    request: Request,
    integration: int,
    plan: int,
    sure: Annotated[str, Form()] = "",
    comment: Annotated[str, Form()] = "",
    person: Person = APPLIES,
) -> Response:
    """Asks once more with the tally, then approves exactly what was shown."""
    pages = pages_of(request)
    found = await _found(request, integration, plan)
    if found is None:
        return await pages.render(request, "no_plan.html", 404, here="plan", plan=plan)
    facts = _facts(found)
    if not sure and found.plan.applied_at is None:
        return await pages.render(request, "plan_sure.html", here="plan", problem="", **facts)
    try:
        one = await pages.registry.integration(integration)
        fresh = await plans.apply(pages.database, one, plan, person, comment=comment.strip()[:WORDS_OF_A_COMMENT])
    except Refused as error:
        return await pages.render(request, "plan_sure.html", 422, here="plan", problem=str(error), **facts)
    query = "" if fresh else "?" + urlencode({"done": "before"})
    return RedirectResponse(f"{facts['href']}{query}", 303)
