"""The person behind a request, and whether they may: what every route depends on.

A session's cookie and a bearer token are two ways in. With a cookie, whatever changes something must prove that it
comes from a page of ours: a token bound to the session, and the browser's own word about where the request began. A
bearer token needs neither, for no browser sends it by itself.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request

from ml_connector.domain.access import WORDS, Person, Right, lowest
from ml_connector.engine.access.sessions import person_of_session
from ml_connector.engine.access.tokens import person_of_token
from ml_connector.engine.actor import actor
from ml_connector.web.access.parts import access_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class NotSignedIn(Exception):
    """Nobody is signed in, or the token is unknown, over or revoked."""


class Forbidden(Exception):
    """`right` is not the person's; `needs` says in words who may."""

    def __init__(self, right: Right | None, person: Person | None = None, why: str = "") -> None:
        self.right = right
        self.person = person
        if not why and right is not None:
            why = f"To {WORDS[right]} you need the role {lowest(right)}"
            why += f"; you are {person.role}." if person else "."
        self.why = why
        super().__init__(why)


class Elsewhere(Exception):
    """A request that changes something does not prove that it comes from a page of ours."""


# ------------------------------------------------------------------ the session's cookie


def cookie_name(connection: HTTPConnection) -> str:
    """With TLS a browser takes the cookie from this very host alone, by the prefix of its name."""
    return "__Host-mlc" if access_of(connection).settings.secure(connection) else "mlc"


def session_value(connection: HTTPConnection) -> str:
    """What the session's cookie holds; empty without one."""
    return connection.cookies.get(cookie_name(connection), "")


def csrf_token(connection: HTTPConnection) -> str:
    """What a page carries in its forms and its `meta`, bound to the session; empty where nobody is signed in."""
    value = session_value(connection)
    return _bound(value) if value else ""


def _bound(session: str) -> str:
    made = hmac.new(session.encode("utf-8", "replace"), b"ml-connector csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def from_a_page_of_ours(connection: HTTPConnection) -> bool:
    """Whether the browser says that the request began here. A client that is no browser says nothing, and is asked for
    the token alone."""
    if (site := connection.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (began := connection.headers.get("origin")) is not None:
        return began.lower() in access_of(connection).settings.origins(connection)
    return True


async def _check_csrf(request: Request) -> None:
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(_FORMS):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else ""
    right = hmac.compare_digest(given.encode("utf-8", "replace"), csrf_token(request).encode())
    if not right or not from_a_page_of_ours(request):
        raise Elsewhere


# ------------------------------------------------------------------ dependencies


async def person(request: Request) -> Person:
    """Who asks. From here on everything is done in their name. Raises `NotSignedIn`, `Elsewhere`."""
    known: Person | None = getattr(request.state, "person", None)
    if known is not None:
        return known
    found = await _by_token(request) if "authorization" in request.headers else await _by_session(request)
    if found is None:
        raise NotSignedIn
    access_of(request).outage.over()
    request.state.person = found
    actor.set(found.who)
    return found


async def still(request: Request, right: Right) -> bool:
    """Whether who began this request may still: for an answer that goes on for hours. No sign of life of theirs."""
    database = access_of(request).database
    if "authorization" in request.headers:
        found = await _by_token(request)
    else:
        found = await person_of_session(database, session_value(request), touch=False)
    return found is not None and found.may(right)


async def let_in_by_token(request: Request) -> bool:
    """Whether the request carries a token that is good now. Raises what the database raises."""
    return "authorization" in request.headers and await _by_token(request) is not None


async def _by_token(request: Request) -> Person | None:
    scheme, _, value = request.headers["authorization"].partition(" ")
    return await person_of_token(access_of(request).database, value.strip()) if scheme.lower() == "bearer" else None


async def _by_session(request: Request) -> Person | None:
    value = session_value(request)
    found = await person_of_session(access_of(request).database, value) if value else None
    if found is not None and request.method not in SAFE_METHODS:
        await _check_csrf(request)
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """A dependency that a route declares; `right` None: any session, and no token."""

    right: Right | None

    async def __call__(self, request: Request) -> Person:
        found = await person(request)
        if self.right is None:
            if found.via != "session":
                raise Forbidden(None, found, "This is for people who are signed in; a token has no account.")
        elif not found.may(self.right):
            raise Forbidden(self.right, found)
        return found


def requires(right: Right) -> Callable[[Request], Awaitable[Person]]:
    """A dependency: the person, who has `right`. Raises `Forbidden` and what `person` raises."""
    return Asked(right)


signed_in: Callable[[Request], Awaitable[Person]] = Asked(None)
"""A dependency: somebody with a session, whatever their role. For what concerns nobody but them."""
