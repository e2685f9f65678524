"""Who may see and do what over HTTP: sign-in, the person behind a request, rights, CSRF, headers.

A route says what it asks for: `Depends(requires(Right.map))`, or `Depends(signed_in)` where any session will do. One
that says nothing and is not in `OPEN` turns `tests/web/test_every_route.py` red.
"""

from ml_connector.web.access.gate import (
    Forbidden,
    NotSignedIn,
    csrf_token,
    let_in_by_token,
    person,
    requires,
    signed_in,
    still,
)
from ml_connector.web.access.install import OPEN, install
from ml_connector.web.access.parts import Access
from ml_connector.web.access.problems import problem
from ml_connector.web.access.settings import Settings

__all__ = [
    "OPEN",
    "Access",
    "Forbidden",
    "NotSignedIn",
    "Settings",
    "csrf_token",
    "install",
    "let_in_by_token",
    "person",
    "problem",
    "requires",
    "signed_in",
    "still",
]
