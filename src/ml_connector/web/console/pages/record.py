"""One record: what happened, why, and what next?"""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import actions, amounts, audit, record, wording
from ml_connector.desk.timeline import folded
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.console.frame import pages_of

router = APIRouter()
LOOKS = Depends(requires(Right.look))
DECIDES = Depends(requires(Right.decide))


@router.get("/records/{integration:int}/{flow}/{key:path}")
async def show(request: Request, integration: int, flow: str, key: str, person: Person = LOOKS) -> Response:
    """The page. `?reveal=1` shows personal data to who may see them, and keeps that in the audit; `?look=1` reads the
    amounts from the ERP."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    choice = next((each for each in frame.choices if each.id == integration), None)
    reveal = "reveal" in request.query_params and person.may(Right.personal)
    story = None
    if choice is not None:
        story = await record.read(pages.database, integration, flow, key, choice.erp, reveal=reveal)
    if story is None or choice is None:
        return await pages.render(request, "no_record.html", 404, here="records", called=wording.called(flow, key))
    if reveal:
        await audit.note_look(pages.database, integration, {"where": "record", "record": f"{flow}:{key}"})
    money, unread = await _money(request, integration, flow, key)
    return await pages.render(
        request, "record.html", here="records", story=story, lines=folded(story.steps), row=story.listed.row,
        choice=choice, reveal=reveal, done=request.query_params.get("done", ""), money=money, unread=unread,
    )  # fmt: skip


async def _money(request: Request, integration: int, flow: str, key: str) -> tuple[amounts.Amounts | None, str]:
    """The amounts, with `?look=1` as the ERP shows them now, and why it could not be asked."""
    pages = pages_of(request)
    if flow != "orders":
        return None, ""
    unread = ""
    if "look" in request.query_params:
        try:
            return await amounts.read_now(pages.runtime, integration, key), ""
        except TimeoutError:
            unread = f"no answer within {amounts.LOOK_S:.0f} s"
        except (ConnectorError, LookupError, ValueError) as error:
            unread = str(error)
    return await amounts.read(pages.database, integration, key), unread


@router.post("/records/{integration:int}/{flow}/{key:path}")
async def act(
    request: Request,
    integration: int,
    flow: str,
    key: str,
    do: Annotated[str, Form()],
    why: Annotated[str, Form()] = "",
    person: Person = DECIDES,
) -> Response:
    """Replay, leave out, or take that back."""
    pages = pages_of(request)
    href = wording.record_href(integration, flow, key)
    try:
        if do == "exclude":
            marked = await actions.exclude(pages.database, integration, [key], why=why)
        elif do == "include":
            marked = await actions.include(pages.database, integration, [key], why=why)
        else:
            marked = await actions.replay(pages.database, integration, flow, [key], why=why)
    except actions.Refused:
        return RedirectResponse(f"{href}?done=reason", 303)
    if marked.refused:
        return RedirectResponse(f"{href}?done=refused", 303)
    return RedirectResponse(f"{href}?done={do if do in ('exclude', 'include') else 'replay'}", 303)
