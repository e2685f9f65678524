"""Alerts and settings: who is told of what, and how long things are kept."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.desk import alert_edit, alerts, keeping
from ml_connector.desk.actions import Refused
from ml_connector.desk.alerts import Settings
from ml_connector.domain.access import Person, Right
from ml_connector.engine.alert_channels import Message
from ml_connector.web.access import requires
from ml_connector.web.access.parts import access_of
from ml_connector.web.console.frame import chosen_integration, pages_of
from ml_connector.web.console.pages import alert_forms
from ml_connector.web.console.show import plural, spelled

router = APIRouter(max_body_size=64 * 1024)
router.include_router(alert_forms.router)
LOOKS = Depends(requires(Right.look))
RULES = Depends(requires(Right.rule))
ADMINISTERS = Depends(requires(Right.administer))
HERE = "/settings/alerts"
SAID = {
    "muted": "{}: nobody is told for that long; it goes on looking.",
    "saved": "{} is saved. The worker looks by it within a minute.",
    "channel": "Channel {} is saved. Send a test to see that it arrives.",
    "deleted": "{} is gone.",
    "kept": "{}: saved. It holds from the next sweep and the next night on.",
    "same": "{}: nothing was different.",
}
MUTES = {"60": "an hour", "480": "8 hours", "1440": "a day", "0": "speak again"}


@router.get("/settings/alerts")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page."""
    told = request.query_params
    said = next((words.format(told[name]) for name, words in SAID.items() if told.get(name)), "")
    gone = told.get("gone", "")
    refused = f"{gone} is not there any more." if gone else ""
    return await _page(request, said=said, refused=refused, change=told.get("change", ""))


async def _page(
    request: Request,
    status: int = 200,
    *,
    said: str = "",
    refused: str = "",
    sent: Message | None = None,
    change: str = "",
    asked: keeping.Asked | None = None,
) -> Response:
    pages = pages_of(request)
    frame = await pages.frame(request)
    found = await alerts.read(pages.database, chosen_integration(frame, await pages.registry.integrations()))
    names = {0: "every integration", **{each.id: each.name for each in frame.choices}}
    known = [each.name for each in found.channels]
    return await pages.render(
        request, "alerts.html", status, here="settings", found=found, heading=heading(found), names=names, mutes=MUTES,
        said=said, refused=refused, sent=sent,
        endings=await alert_edit.endings(access_of(request).vault, known), change=change, asked=asked,
    )  # fmt: skip


def heading(found: Settings) -> tuple[str, str]:
    """The answer, and who is told."""
    channels = len(found.channels)
    broken = sum(1 for each in found.channels if each.failures)
    told = f"{plural(channels, 'channel')} {'is' if channels == 1 else 'are'} told." if channels else ""
    if not channels:
        told = "No channel is set: nobody is told outside of this page."
    elif broken:
        told += f" {plural(broken, 'channel')} did not take the last message."
    count = len(found.firing)
    return (f"{spelled(count)} alert{'s fire' if count != 1 else ' fires'}" if count else "Nothing fires"), told


@router.post("/settings/alerts/test")
async def send_test(request: Request, channel: Annotated[str, Form()] = "", person: Person = RULES) -> Response:
    """Sends a message, and shows exactly what was sent."""
    access = access_of(request)
    try:
        sent, problem = await alerts.send_test(access.database, access.vault, channel)
    except Refused as error:
        return await _page(request, 422, refused=str(error))
    if problem:
        return await _page(request, 422, refused=f"{channel} did not take it: {problem}.")
    return await _page(request, said=f"Sent to {channel}, word for word:", sent=sent)


@router.post("/settings/alerts/mute")
async def mute(
    request: Request,
    rule: Annotated[str, Form()] = "",
    of: Annotated[str, Form()] = "0",
    minutes: Annotated[str, Form()] = "",
    person: Person = RULES,
) -> Response:
    """Nobody is told of a rule for a while."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    known = {"0", *(str(each.id) for each in frame.choices)}
    if minutes not in MUTES or of not in known:
        return await _page(request, 422, refused="Choose how long.")
    try:
        await alerts.mute(pages.database, rule, int(of), float(minutes))
    except Refused as error:
        return await _page(request, 422, refused=str(error))
    told = {"muted": rule} if minutes != "0" else {}
    return RedirectResponse(f"{HERE}?{urlencode(told)}", 303)


@router.post("/settings/kept")
async def keep(
    request: Request,
    of: Annotated[str, Form()] = "",
    audit_days: Annotated[str, Form()] = "",
    webhook_days: Annotated[str, Form()] = "",
    hour: Annotated[str, Form()] = "",
    person: Person = ADMINISTERS,
) -> Response:
    """How long things of an integration are kept, and when its night's reconciliation runs."""
    access = access_of(request)
    asked = keeping.Asked(audit_days, webhook_days, hour)
    if of not in {each.name for each in (await pages_of(request).frame(request)).choices}:
        return RedirectResponse(f"{HERE}?{urlencode({'gone': of or 'The integration'})}", 303)
    try:
        changed = await keeping.save(access.database, access.vault, of, asked)
    except Refused as error:
        return await _page(request, 422, refused=str(error), change=of, asked=asked)
    return RedirectResponse(f"{HERE}?{urlencode({'kept' if changed else 'same': of})}", 303)
