"""Changing rules and channels: a rule is a sentence with blanks, a channel an address that nobody sees again."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlencode
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.config.file import FLOWS
from ml_connector.desk import alert_edit
from ml_connector.desk.actions import Refused
from ml_connector.desk.alert_edit import SHAPES, Asked, ChannelAsked
from ml_connector.domain.access import Person, Right
from ml_connector.engine.alert_rules import Channel, Rule
from ml_connector.web.access import requires
from ml_connector.web.access.parts import access_of
from ml_connector.web.console.frame import Frame, pages_of

router = APIRouter(prefix="/settings/alerts", max_body_size=64 * 1024)
Rules = Annotated[Person, Depends(requires(Right.rule))]
Field = Annotated[str, Form()]
Ticked = Annotated[list[str] | None, Form()]
HERE = "/settings/alerts"


# ------------------------------------------------------------------ rules


@router.get("/rule")
async def rule_form(request: Request, person: Rules, kind: str = "", name: str = "", of: str = "0") -> Response:
    """A new rule of `kind`, or the one of that name and integration; without either, the kinds to choose from."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    if name:
        try:
            was = await alert_edit.rule_named(pages.database, name, _id(of))
        except Refused:
            return _back(gone=name)
        return await _rule_page(request, alert_edit.asked_of(was, _name_of(frame, was.integration)), was)
    if kind not in SHAPES:
        return await pages.render(request, "alert_kinds.html", here="settings", shapes=SHAPES)
    return await _rule_page(request, Asked("", kind, frame.chosen), None)


@router.post("/rule")
async def save_rule(
    request: Request,
    person: Rules,
    kind: Field = "",
    name: Field = "",
    of: Field = "",
    flow: Field = "",
    over: Field = "",
    lasting: Field = "",
    channels: Ticked = None,
    urgent: Field = "",
    was: Field = "",
    was_of: Field = "0",
) -> Response:
    """The rule, new or changed (`was`: the name that it had)."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    asked = Asked(name, kind, of, flow, over, lasting, tuple(channels or ()), bool(urgent))
    known = {each.name: each.id for each in frame.choices}
    before: Rule | None = None
    try:
        before = await alert_edit.rule_named(pages.database, was, _id(was_of)) if was else None
        saved = await alert_edit.save_rule(pages.database, asked, known, FLOWS, before)
    except Refused as error:
        if kind not in SHAPES or bool(was) != bool(before):
            return _back(gone=was or "The kind of rule")
        return await _rule_page(request, asked, before, 422, refused=str(error))
    return _back(saved=saved.name)


@router.post("/rule/off")
async def switch_rule(request: Request, person: Rules, name: Field = "", of: Field = "0", off: Field = "") -> Response:
    async def change(rule: Rule) -> None:
        await alert_edit.switch_rule(pages_of(request).database, rule, off=bool(off))

    return await _changed(request, name, of, change, saved=name)


@router.post("/rule/delete")
async def delete_rule(request: Request, person: Rules, name: Field = "", of: Field = "0") -> Response:
    async def change(rule: Rule) -> None:
        await alert_edit.delete_rule(pages_of(request).database, rule)

    return await _changed(request, name, of, change, deleted=name)


async def _changed(
    request: Request, name: str, of: str, change: Callable[[Rule], Awaitable[None]], **told: str
) -> Response:
    try:
        await change(await alert_edit.rule_named(pages_of(request).database, name, _id(of)))
    except Refused:
        return _back(gone=name)
    return _back(**told)


async def _rule_page(
    request: Request, asked: Asked, was: Rule | None, status: int = 200, *, refused: str = ""
) -> Response:
    pages = pages_of(request)
    found = await alert_edit.setup(pages.database)
    return await pages.render(
        request, "alert_rule.html", status, here="settings", asked=asked, was=was, shape=SHAPES[asked.kind],
        flows=FLOWS, channels=list(found.channels), refused=refused,
        ours=was is not None and alert_edit.comes_with_the_product(was),
        untouched=was is not None and alert_edit.is_as_it_came(was),
    )  # fmt: skip


# ------------------------------------------------------------------ channels


@router.get("/channel")
async def channel_form(request: Request, person: Rules, name: str = "") -> Response:
    """A new channel, or the one of that name, without its address."""
    if not name:
        return await _channel_page(request, ChannelAsked(""), new=True)
    known = (await alert_edit.setup(pages_of(request).database)).channels.get(name)
    if known is None:
        return _back(gone=name)
    return await _channel_page(request, _asked_of(known), new=False)


@router.post("/channel")
async def save_channel(
    request: Request,
    person: Rules,
    name: Field = "",
    address: Field = "",
    private: Field = "",
    start: Field = "",
    end: Field = "",
    zone: Field = "",
    new: Field = "",
) -> Response:
    """The channel; an empty address stays as it is."""
    access = access_of(request)
    asked = ChannelAsked(name, address, bool(private), start, end, zone)
    try:
        saved = await alert_edit.save_channel(access.database, access.vault, asked, new=bool(new))
    except Refused as error:
        return await _channel_page(request, asked, new=bool(new), status=422, refused=str(error))
    return _back(channel=saved.name)


@router.post("/channel/delete")
async def delete_channel(request: Request, person: Rules, name: Field = "") -> Response:
    access = access_of(request)
    known = (await alert_edit.setup(access.database)).channels.get(name)
    if known is None:
        return _back(gone=name)
    try:
        await alert_edit.delete_channel(access.database, access.vault, name)
    except Refused as error:
        return await _channel_page(request, _asked_of(known), new=False, status=422, refused=str(error))
    return _back(deleted=name)


async def _channel_page(
    request: Request, asked: ChannelAsked, *, new: bool, status: int = 200, refused: str = ""
) -> Response:
    ending = "" if new else (await alert_edit.endings(access_of(request).vault, [asked.name])).get(asked.name, "")
    return await pages_of(request).render(
        request, "alert_channel.html", status, here="settings", asked=asked, new=new, refused=refused, ending=ending,
        zones=sorted(available_timezones()),
    )  # fmt: skip


def _asked_of(known: Channel) -> ChannelAsked:
    quiet = known.quiet
    if quiet is None:
        return ChannelAsked(known.name, "", known.allow_private)
    return ChannelAsked(known.name, "", known.allow_private, f"{quiet.start:%H:%M}", f"{quiet.end:%H:%M}", quiet.zone)


# ------------------------------------------------------------------ parts


def _id(of: str) -> int:
    return int(of) if of.isascii() and of.isdecimal() and len(of) < 9 else 0


def _name_of(frame: Frame, integration: int) -> str:
    return next((each.name for each in frame.choices if each.id == integration), "")


def _back(**told: str) -> Response:
    return RedirectResponse(f"{HERE}?{urlencode(told)}", 303)
