"""What somebody is told who is not let in: a page for a browser, `problem+json` (RFC 9457) for a program."""

from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from sqlalchemy.exc import DataError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ml_connector.connectors.safety import is_plain_path
from ml_connector.domain.access import Role, lowest
from ml_connector.engine.access import users
from ml_connector.engine.database import is_outage
from ml_connector.web.access.gate import Elsewhere, Forbidden
from ml_connector.web.access.guard import HEADERS
from ml_connector.web.access.pages import page
from ml_connector.web.access.parts import access_of
from ml_connector.web.places import title_of

API = "/api/"
ASKED = 3
"""So many administrators are named to who may not."""

_DATA = ("application/json", "application/problem+json", "text/event-stream")


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **facts: object) -> JSONResponse:
    """An answer of the API that is no success. `facts` stand beside the members of the standard."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **facts}
    return JSONResponse(told, status, headers, media_type="application/problem+json")


def is_program(request: Request) -> bool:
    """Whether a page is of no use to who asks."""
    if request.url.path.startswith(API) or "authorization" in request.headers:
        return True
    return request.headers.get("accept", "").startswith(_DATA)


def safe_next(path: str) -> str:
    """Where to go after signing in: a path of ours, else the first page."""
    plain = is_plain_path(path) and not path.startswith(("//", "/sign-", "/welcome/")) and len(path) < 2_000
    return path if plain else "/"


def sign_in_address(wanted: str) -> str:
    wanted = safe_next(wanted)
    return "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='/')}"


def nowhere(request: Request) -> Response:
    """No page has this address; who is no browser hears the status alone."""
    return page(request, "nowhere.html", 404) if _is_browser(request) else Response(status_code=404)


def defect(request: Request) -> Response:
    """Our own defect. The log has the rest."""
    if not _is_browser(request):
        return Response(status_code=500)
    sent = request.method not in ("GET", "HEAD")
    answer = page(request, "defect.html", 500, now=datetime.now(UTC), sent=sent)
    answer.headers.update(HEADERS)  # made outside of the guard
    return answer


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and not is_program(request)


async def away(request: Request, error: Exception) -> Response:
    """Our database does not answer, so nobody knows who asks. What is neither an outage nor a value that the database
    cannot hold is a defect, and goes on as one."""
    if isinstance(error, DataError):
        return _no_such_value(request)
    if not is_outage(error):
        raise error
    since = access_of(request).outage.goes_on()
    words = (
        "ml-connector cannot reach its database. Nothing is lost: what was accepted is stored, and goes on by itself."
    )
    if is_program(request):
        return problem(503, words, headers={"Retry-After": "5"})
    sent, what = request.method not in ("GET", "HEAD"), title_of(request.url.path)
    answer = page(request, "away.html", 503, why=words, since=since, now=datetime.now(UTC), sent=sent, what=what)
    answer.headers["Retry-After"] = "5"
    return answer


def _no_such_value(request: Request) -> Response:
    """NUL in a text, a number beyond all numbers: nothing of ours is called so, and who sends it is no browser."""
    words = "What was sent holds a character or a number that nothing here can have."
    if is_program(request):
        return problem(400, words)
    return page(request, "elsewhere.html", 400, why=words)


async def not_signed_in(request: Request, error: Exception) -> Response:
    """A program gets 401; a browser the sign-in page, which leads back to where it wanted to go."""
    if request.headers.get("hx-request"):
        where = sign_in_address(_path_of(request.headers.get("hx-current-url", "")))
        return Response(status_code=401, headers={"HX-Redirect": where, "WWW-Authenticate": "Bearer"})
    if is_program(request):
        words = "Sign in, or send a token as `Authorization: Bearer mlc_...` that is valid now."
        return problem(401, words, headers={"WWW-Authenticate": "Bearer"})
    wanted = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return RedirectResponse(sign_in_address(wanted if request.method in ("GET", "HEAD") else "/"), 303)


def _path_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def forbidden(request: Request, error: Exception) -> Response:
    """Names the role that may."""
    assert isinstance(error, Forbidden)
    role = lowest(error.right) if error.right is not None else None
    if is_program(request):
        return problem(403, error.why, right=error.right, role=role)
    known = await users.all_users(access_of(request).database)
    ask = [each.name for each in known if each.role is Role.administrator and each.state == "active"]
    return page(
        request, "forbidden.html", 403, why=error.why, role=role, what=title_of(request.url.path), ask=ask[:ASKED]
    )


async def elsewhere(request: Request, error: Exception) -> Response:
    """A form of another site, or of a page that is older than the session."""
    assert isinstance(error, Elsewhere)
    words = "This page is older than your session. Nothing was changed: load it again, then repeat what you did."
    if is_program(request):
        return problem(403, f"{words} A program sends X-CSRF-Token, or a bearer token.", csrf=True)
    return page(request, "elsewhere.html", 403, why=words)
