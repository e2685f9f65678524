"""`/account`: somebody's own password, sessions, tokens, and how pages are shown to them."""

from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.domain.access import Person, Role, level
from ml_connector.engine.access import attempts, second_factor, sessions, tokens, users
from ml_connector.engine.access.passwords import check_password
from ml_connector.engine.access.users import User
from ml_connector.engine.access.values import AccessRefused, Busy
from ml_connector.web.access.gate import session_value, signed_in
from ml_connector.web.access.pages import THEMES, page
from ml_connector.web.access.parts import access_of
from ml_connector.web.access.sign_in import clock, same

router = APIRouter(prefix="/account", max_body_size=64 * 1024, include_in_schema=False)

SignedIn = Annotated[Person, Depends(signed_in)]
Field = Annotated[str, Form()]
LOCALES = ("", "en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "nl-NL", "sv-SE", "pl-PL")
DONE = {
    "password": "Your password is changed. Wherever else you were signed in, you are not any more.",
    "sessions": "You are signed out everywhere else.",
    "token": "The token is revoked.",
    "shown": "Saved.",
    "factor": "The second factor is switched off.",
}


async def account_page(request: Request, who: Person, status: int = 200, *, part: str = "", said: str = "") -> Response:
    """The page; `said`: why what was asked in `part` of it was not done."""
    access = access_of(request)
    user = await users.by_id(access.database, who.id)
    assert user is not None
    facts: dict[str, Any] = {
        "user": user,
        "sessions": await sessions.sessions_of(access.database, who.id, session_value(request)),
        "tokens": await tokens.tokens(access.database, who.id),
        "recovery_left": await second_factor.recovery_left(access.database, who.id),
        "roles": [role for role in Role if level(role) <= level(who.role)],
        "days": tokens.DAYS,
        "themes": ("", *THEMES),
        "locales": LOCALES,
    }
    done = DONE.get(request.query_params.get("done", ""), "") if not said else ""
    return page(request, "account.html", status, part=part, said=said, done=done, **facts)


async def confirmed(request: Request, who: Person, password: str, code: str | None = None) -> User:
    """The user, whose password this is: a browser that was left open must not be enough. With `code` the second factor
    is asked for too, where there is one. What is wrong counts as at the sign-in. Raises `AccessRefused`."""
    access = access_of(request)
    user = await users.by_id(access.database, who.id)
    assert user is not None
    if user.password is None:
        raise AccessRefused("You sign in by single sign-on; password and second factor are kept there.")
    bucket = attempts.account(user.name)
    async with access.database.connect() as sql:
        standing = await attempts.count(sql, bucket, attempts.ACCOUNT)
    if standing.within and standing.locked_until is not None:
        raise AccessRefused(f"Too many tries. Try again after {clock(standing.locked_until)}.")
    try:
        right = await access.passwords.verify(user.password, password)
    except Busy:
        raise AccessRefused("Many people sign in just now. Try again in a few seconds.") from None
    if not right:
        raise AccessRefused("This is not your present password.")
    asks = code is not None and user.second_factor
    if asks and not await second_factor.accept(access.database, access.vault, user, code or ""):
        raise AccessRefused("This is not the code that the device shows, or it was used already.")
    async with access.database.connect() as sql:
        await attempts.forget(sql, bucket)
    return user


def _done(what: str) -> Response:
    return RedirectResponse(f"/account?done={what}", 303)


@router.get("")
async def show(request: Request, who: SignedIn) -> Response:
    return await account_page(request, who)


@router.post("/password")
async def change_password(
    request: Request, who: SignedIn, current: Field = "", password: Field = "", again: Field = ""
) -> Response:
    access = access_of(request)
    try:
        same(password, again)
        check_password(password, who.name)
        user = await confirmed(request, who, current)
        hashed = await access.passwords.hash(password)
    except AccessRefused as error:
        return await account_page(request, who, 422, part="password", said=str(error))
    async with access.database.transaction() as sql:
        await users.set_password(sql, user, hashed, keep=sessions.digest(session_value(request)))
    return _done("password")


@router.post("/sessions/end")
async def end_sessions(request: Request, who: SignedIn) -> Response:
    await sessions.end_other_sessions(access_of(request).database, who, session_value(request))
    return _done("sessions")


@router.post("/tokens")
async def make_token(
    request: Request, who: SignedIn, name: Field = "", role: Field = "", days: Field = str(tokens.DAYS)
) -> Response:
    try:
        value = await tokens.make_token(access_of(request).database, who, name, *_chosen(role, days))
    except AccessRefused as error:
        return await account_page(request, who, 422, part="tokens", said=str(error))
    return page(request, "token.html", name=name, value=value, role=role, days=days)


def _chosen(role: str, days: str) -> tuple[Role, int]:
    if role not in list(Role) or not days.isascii() or not days.isdecimal() or len(days) > 4:
        raise AccessRefused("Choose a role, and a number of days.")
    return Role(role), int(days)


@router.post("/tokens/revoke")
async def revoke_token(request: Request, who: SignedIn, name: Field = "") -> Response:
    try:
        await tokens.revoke(access_of(request).database, name, who.id)
    except AccessRefused as error:
        return await account_page(request, who, 422, part="tokens", said=str(error))
    return _done("token")


@router.post("/shown")
async def change_shown(
    request: Request, who: SignedIn, theme: Field = "", locale: Field = "", zone: Field = ""
) -> Response:
    if theme not in ("", *THEMES) or locale not in LOCALES or (zone and zone not in available_timezones()):
        words = "There is no such theme, locale or time zone; a time zone is written as Europe/Berlin."
        return await account_page(request, who, 422, part="shown", said=words)
    await users.set_shown(access_of(request).database, who.id, locale=locale, zone=zone, theme=theme)
    answer = _done("shown")
    answer.delete_cookie("theme", path="/")  # what the button of this browser chose gives way
    return answer
