"""Rendering of the pages of access."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from ml_connector.domain.access import Person
from ml_connector.web.access.gate import csrf_token
from ml_connector.web.access.parts import access_of

THEMES = ("light", "dark")


def theme_of(request: Request) -> str:
    """As asked for in the address, kept in this browser, or chosen by the person; empty: as the system says."""
    who: Person | None = getattr(request.state, "person", None)
    asked = request.query_params.get("theme") or request.cookies.get("theme") or (who.theme if who else "")
    return asked if asked in THEMES else ""


def page(request: Request, name: str, status: int = 200, /, **context: Any) -> HTMLResponse:
    """`access/NAME` with who is signed in (`person`, or None) and the token for forms (`csrf`)."""
    template = access_of(request).templates.get_template(f"access/{name}")
    who: Person | None = getattr(request.state, "person", None)
    known = {"request": request, "person": who, "csrf": csrf_token(request), "theme": theme_of(request)}
    return HTMLResponse(template.render(**known, **context), status)
