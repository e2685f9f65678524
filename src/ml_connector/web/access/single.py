"""`/sign-in/single`: to the provider of single sign-on and back."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.domain.access import Role
from ml_connector.engine.access import sign_in
from ml_connector.engine.access.single import single_user
from ml_connector.engine.access.users import User
from ml_connector.engine.access.values import AccessRefused, TooMany, Wrong, fresh
from ml_connector.web.access.pages import page
from ml_connector.web.access.parts import access_of
from ml_connector.web.access.problems import safe_next
from ml_connector.web.access.provider import Flow, NotProven, Provider
from ml_connector.web.access.sign_in import browser_of, clock, let_in
from ml_connector.web.access.single_settings import SingleSignOn

router = APIRouter(prefix="/sign-in/single", max_body_size=64 * 1024, include_in_schema=False)
BACK = "/sign-in/single/back"
_LIFE_S = 600
log = structlog.get_logger()


@router.get("")
async def begin(request: Request, next: str = "/") -> Response:
    """To the provider; the browser keeps what only it may know of this attempt."""
    provider = _provider(request)
    if provider is None:
        return RedirectResponse("/sign-in", 303)
    flow = Flow(fresh(), fresh(), fresh(), safe_next(next))
    try:
        where = await provider.address(flow, _back(request))
    except NotProven as error:
        return _refused(request, error)
    answer = RedirectResponse(where, 303)
    answer.set_cookie(
        _cookie(request), _packed(flow), max_age=_LIFE_S, path="/", httponly=True, samesite="lax",
        secure=access_of(request).settings.secure(request),
    )  # fmt: skip
    return answer


@router.get("/back")
async def back(request: Request, state: str = "", code: str = "", iss: str = "", error: str = "") -> Response:
    """From the provider. Whatever does not fit is refused, and the attempt is over either way."""
    answer = await _back_from(request, state, code, iss, error)
    secure = access_of(request).settings.secure(request)
    answer.delete_cookie(_cookie(request), path="/", httponly=True, samesite="lax", secure=secure)
    return answer


async def _back_from(request: Request, state: str, code: str, iss: str, error: str) -> Response:
    access, browser = access_of(request), browser_of(request)
    try:
        await sign_in.may_try(access.database, browser.address)
    except TooMany as many:
        words = f"Too many tries from this address. Try again after {clock(many.until)}."
        return page(request, "refused.html", 429, why=words)
    try:
        user, to = await _proved(request, state, code, iss, error)
    except (NotProven, AccessRefused) as refused:
        await sign_in.note_refused(access.database, browser.address, str(refused))
        return _refused(request, refused)
    try:
        return let_in(request, await sign_in.let_in(access.database, user, "single", browser), to)
    except Wrong:
        return _refused(request, AccessRefused(f"{user.name} was disabled here in this moment."))


async def _proved(request: Request, state: str, code: str, iss: str, error: str) -> tuple[User, str]:
    """Who it is, and where they wanted to go. Raises `NotProven`, `AccessRefused`."""
    provider, flow = _provider(request), _unpacked(request.cookies.get(_cookie(request), ""))
    if provider is None or flow is None or not hmac.compare_digest(flow.state.encode(), state.encode()):
        raise NotProven("this is not the browser, or not the attempt, that began it")
    settings = provider.settings
    if error or not code or (iss and iss != settings.issuer):
        raise NotProven(f"the provider did not let anybody in: {error[:100] or 'no code'}")
    claims = await provider.claims(code, flow, _back(request))
    role = _role(settings, claims)
    name = claims.get("preferred_username") or claims.get("email") or claims["sub"]
    database = access_of(request).database
    return await single_user(database, settings.issuer, claims["sub"], str(name), role), flow.next


def _role(settings: SingleSignOn, claims: Mapping[str, Any]) -> Role:
    role = settings.role_of(claims.get(settings.role_claim))
    if role is None:
        raise AccessRefused(f"The provider gives you no role here (claim {settings.role_claim}).")
    return role


def _refused(request: Request, error: NotProven | AccessRefused) -> Response:
    log.warning("sign_in.single_refused", why=str(error))
    why = (
        str(error) if isinstance(error, AccessRefused) else "Single sign-on did not work; the log says why. Try again."
    )
    return page(request, "refused.html", 403, why=why)


def _provider(request: Request) -> Provider | None:
    return request.app.state.single


def _back(request: Request) -> str:
    return access_of(request).settings.base(request) + BACK


def _cookie(request: Request) -> str:
    return "__Host-mlc-single" if access_of(request).settings.secure(request) else "mlc-single"


def _packed(flow: Flow) -> str:
    parts = [flow.state, flow.nonce, flow.verifier, flow.next]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _unpacked(value: str) -> Flow | None:
    try:
        state, nonce, verifier, to = json.loads(base64.urlsafe_b64decode(value.encode()))
    except (ValueError, TypeError, binascii.Error):
        return None
    if not all(isinstance(each, str) and each for each in (state, nonce, verifier, to)):
        return None
    return Flow(state, nonce, verifier, safe_next(to))
