"""Rendering of the pages of access."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from ml_connector.web.access.gate import csrf_token
from ml_connector.web.access.parts import access_of


def page(request: Request, name: str, status: int = 200, /, **context: Any) -> HTMLResponse:
    """`access/NAME` with who is signed in (`person`, or None) and the token for forms (`csrf`)."""
    template = access_of(request).templates.get_template(f"access/{name}")
    known = {"request": request, "person": getattr(request.state, "person", None), "csrf": csrf_token(request)}
    return HTMLResponse(template.render(**known, **context), status)
