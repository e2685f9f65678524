"""Puts access before an application: the guard, what is told to who is not let in, and the pages of signing in."""

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from ml_connector.web.access import account, second_factor, sign_in, single
from ml_connector.web.access.gate import Elsewhere, Forbidden, NotSignedIn
from ml_connector.web.access.guard import Guard
from ml_connector.web.access.parts import Access
from ml_connector.web.access.problems import away, elsewhere, forbidden, not_signed_in
from ml_connector.web.access.provider import Provider

OPEN: Final[Mapping[str, str]] = {
    "/hooks/{connection:path}": "verified by the store's signature; a refusal says nothing",
    "/healthz": "a load balancer asks; says nothing of the inside",
    "/readyz": "a load balancer asks; says nothing of the inside",
    "/metrics": "a monitoring system asks; publish /hooks/ alone to the internet",
    "/sign-in": "who signs in is not signed in yet",
    "/sign-in/single": "who signs in is not signed in yet",
    "/sign-in/single/back": "who signs in is not signed in yet",
    "/welcome/{link}": "the link is the proof",
    "/static/{name}": "style, script and fonts of the sign-in page",
}
"""Paths that ask for nobody, and why. Everything else declares a right."""


def install(app: FastAPI, access: Access) -> None:
    """Before any other router is included; middleware that is added later is outside of the guard."""
    app.state.access = access
    app.state.single = Provider(access.settings.single) if access.settings.single else None
    app.add_middleware(Guard, settings=access.settings)
    app.add_exception_handler(NotSignedIn, not_signed_in)
    app.add_exception_handler(Forbidden, forbidden)
    app.add_exception_handler(Elsewhere, elsewhere)
    app.add_exception_handler(SQLAlchemyError, away)
    app.add_exception_handler(OSError, away)
    for each in (sign_in, account, second_factor, single):
        app.include_router(each.router)
