"""`/sign-in`, `/sign-out` and `/welcome/{link}`."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.domain.access import Person
from ml_connector.engine.access import links, sessions, sign_in
from ml_connector.engine.access.sign_in import Browser
from ml_connector.engine.access.values import AccessRefused, Busy, Locked, TooMany, Wrong
from ml_connector.web.access.gate import (
    Elsewhere,
    NotSignedIn,
    cookie_name,
    from_a_page_of_ours,
    person,
    session_value,
    signed_in,
)
from ml_connector.web.access.pages import page
from ml_connector.web.access.parts import access_of
from ml_connector.web.access.problems import safe_next

router = APIRouter(max_body_size=64 * 1024, include_in_schema=False)

WRONG = "Name, password or code is not right."
"""One sentence for every cause."""

Field = Annotated[str, Form()]


def browser_of(request: Request) -> Browser:
    """Where somebody signs in from."""
    agent = request.headers.get("user-agent", "")
    return Browser(access_of(request).settings.address(request), agent, session_value(request))


def let_in(request: Request, session: str, to: str) -> Response:
    """Sends the browser on, with its session."""
    answer = RedirectResponse(to, 303)
    set_session(request, answer, session)
    return answer


def set_session(request: Request, answer: Response, session: str) -> None:
    answer.set_cookie(
        cookie_name(request), session, max_age=sessions.ABSOLUTE_S, path="/", httponly=True, samesite="lax",
        secure=access_of(request).settings.secure(request),
    )  # fmt: skip


def drop_session(request: Request, answer: Response) -> None:
    secure = access_of(request).settings.secure(request)
    answer.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="lax", secure=secure)


def same_site(request: Request) -> None:
    """A dependency of forms that nobody is signed in for. Raises `Elsewhere`."""
    if not from_a_page_of_ours(request):
        raise Elsewhere


def clock(at: datetime) -> str:
    """A moment that is soon, for a page: without a zone of the reader's it is UTC, and says so."""
    return f"{at:%H:%M} UTC"


def same(password: str, again: str) -> None:
    """Raises `AccessRefused`."""
    if password != again:
        raise AccessRefused("The two passwords are not the same.")


# ------------------------------------------------------------------ signing in and out


def _sign_in_page(request: Request, status: int = 200, said: str = "", name: str = "", to: str = "/") -> Response:
    single = access_of(request).settings.single
    return page(
        request, "sign_in.html", status, said=said, name=name, next=safe_next(to), single=single.name if single else "",
        changed=request.query_params.get("changed") == "1" and not said,
    )  # fmt: skip


@router.get("/sign-in")
async def show_sign_in(request: Request, next: str = "/") -> Response:
    try:
        await person(request)
    except NotSignedIn:
        return _sign_in_page(request, to=next)
    return RedirectResponse(safe_next(next), 303)


@router.post("/sign-in", dependencies=[Depends(same_site)])
async def do_sign_in(
    request: Request, name: Field = "", password: Field = "", code: Field = "", next: Field = "/"
) -> Response:
    access = access_of(request)
    try:
        session = await sign_in.sign_in(
            access.database, access.vault, access.passwords, name, password, code, browser_of(request)
        )
    except Wrong:
        return _sign_in_page(request, 403, WRONG, name, next)
    except Locked as error:
        words = f"This account is locked until {clock(error.until)} after too many tries. Nothing else is wrong."
        return _sign_in_page(request, 423, words, name, next)
    except TooMany as error:
        words = f"Too many tries from this address. Try again after {clock(error.until)}."
        answer = _sign_in_page(request, 429, words, name, next)
        answer.headers["Retry-After"] = str(max(1, int((error.until - datetime.now(UTC)).total_seconds())))
        return answer
    except Busy:
        answer = _sign_in_page(request, 503, "Many people sign in just now. Try again in a few seconds.", name, next)
        answer.headers["Retry-After"] = "3"
        return answer
    return let_in(request, session, safe_next(next))


@router.post("/sign-out")
async def do_sign_out(request: Request, who: Annotated[Person, Depends(signed_in)]) -> Response:
    await sessions.end_session(access_of(request).database, session_value(request), who)
    answer = RedirectResponse("/sign-in", 303)
    drop_session(request, answer)
    return answer


# ------------------------------------------------------------------ one-time links


def _over(request: Request) -> Response:
    return page(request, "over.html", 410, why=links.OVER)


@router.get("/welcome/{link}")
async def show_welcome(request: Request, link: str) -> Response:
    found = await links.find_link(access_of(request).database, link)
    return page(request, "welcome.html", link=found, name="", said="") if found else _over(request)


@router.post("/welcome/{link}", dependencies=[Depends(same_site)])
async def do_welcome(
    request: Request, link: str, name: Field = "", password: Field = "", again: Field = ""
) -> Response:
    access = access_of(request)
    found = await links.find_link(access.database, link)
    if found is None:
        return _over(request)
    try:
        same(password, again)
        user = await links.use_link(access.database, access.passwords, link, password, name)
    except AccessRefused as error:
        if await links.find_link(access.database, link) is None:
            return _over(request)
        return page(request, "welcome.html", 422, link=found, name=name, said=str(error))
    except Busy:
        words = "Many people sign in just now. Try again in a few seconds."
        return page(request, "welcome.html", 503, link=found, name=name, said=words)
    if user.second_factor:  # a link stands for the password alone
        return RedirectResponse("/sign-in?changed=1", 303)
    try:
        session = await sign_in.let_in(access.database, user, "link", browser_of(request))
    except Wrong:  # changed again, or disabled, in that moment
        return RedirectResponse("/sign-in", 303)
    return let_in(request, session, "/")
