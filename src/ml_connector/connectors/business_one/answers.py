"""What an answer of the Service Layer says, in any of its forms, and which of our errors it stands for.

Sources: SAP, "Working with SAP Business One Service Layer", error format; `docs/protocol/business-one.md`.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from ml_connector.connectors.errors import (
    Conflict,
    ConnectorError,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
    Uncertain,
)
from ml_connector.connectors.http import Response
from ml_connector.connectors.odata_errors import visible
from ml_connector.connectors.odata_values import Row, as_row

SYSTEM = "Business One"

SESSION_OVER = 301
NO_SUCH_KEY = -2028
DUPLICATE = -2035
CHANGED_MEANWHILE = -2039
BAD_LOGIN = frozenset({100000027, 100000055})
UNKNOWN_SET = frozenset({200, -1002})

_LEADING_NUMBER = re.compile(r"^\(?(\d{3,})\)?\s*(?:-\s*)?")
_TRAILING_NUMBER = re.compile(r"\[Message (\d+-\d+)\]")
_ALREADY_PAID = re.compile(r"already closed or blocked|3524-20", re.IGNORECASE)
_ALREADY_THERE = re.compile(r"already (?:assigned|exists)|1320000140", re.IGNORECASE)
_PERIOD = re.compile(r"posting period|period (?:is )?(?:locked|closed)|deviates from permissible range", re.IGNORECASE)
_STOCK = re.compile(r"falls? into negative inventory|insufficient (?:quantity|stock)", re.IGNORECASE)
_LOCKED = re.compile(r"another user (?:or another operation )?modified|lock (?:wait|request)|deadlock", re.IGNORECASE)
_NO_FIELD = re.compile(r"property '(U_\w+)'", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """An error answer, normalised. `code` None: it is none of the Service Layer's own (a proxy's page, or nothing)."""

    status: int
    code: int | None
    number: str
    text: str

    @property
    def words(self) -> str:
        return self.text or f"status {self.status}"

    @property
    def session_over(self) -> bool:
        """Refused before execution: there is no such session (any more)."""
        return self.status == 401 and self.code in (SESSION_OVER, None)

    @property
    def already_paid(self) -> bool:
        return bool(_ALREADY_PAID.search(self.text))

    @property
    def already_there(self) -> bool:
        return self.code == DUPLICATE or bool(_ALREADY_THERE.search(self.text))

    @property
    def closed_period(self) -> bool:
        return bool(_PERIOD.search(self.text))

    @property
    def passes(self) -> bool:
        """A row that another holds, or stock that is not there yet: worth trying again, slowly."""
        return self.code == CHANGED_MEANWHILE or bool(_LOCKED.search(self.text) or _STOCK.search(self.text))

    @property
    def advice(self) -> str:
        if match := _NO_FIELD.search(self.text):
            return (
                f"; the user field {match.group(1)} is not there (yet): run `ml-connector setup`, and have the Service "
                "Layer restarted after new fields"
            )
        return ""


def told(response: Response) -> Told:
    """Code as number or text, message as object or text, or a page of HTML, or nothing."""
    try:
        return told_by(response.status, response.json())
    except ValueError:
        return Told(response.status, None, "", visible(response.text))


def told_by(status: int, data: object) -> Told:
    """The same of a parsed body. Raises `ValueError` when it is no error envelope."""
    error = as_row(as_row(data).get("error"))
    message = error.get("message")
    inner = cast("Row", message).get("value") if isinstance(message, dict) else message
    text = str(inner or "").strip()
    trailing = _TRAILING_NUMBER.search(text)
    leading = _LEADING_NUMBER.match(text)
    number = trailing.group(1) if trailing else leading.group(1) if leading else ""
    return Told(status, _code(error.get("code")), number, text)


def _code(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def failure(response: Response, what: str, *, write: bool) -> ConnectorError:
    """The error that an answer with a status of 400 or more stands for."""
    return failure_of(told(response), what, write=write, response=response)


def failure_of(error: Told, what: str, *, write: bool, response: Response | None = None) -> ConnectorError:
    facts: dict[str, Any] = {
        "system": SYSTEM,
        "code": "" if error.code is None else str(error.code),
        "status": error.status,
        "request_id": response.request_id if response is not None else "",
    }
    words = f"{what}: {error.words}{error.advice}"
    if error.status == 429 or (error.status == 503 and not write and response is not None and _says_when(response)):
        wait_s = response.retry_after_s() if response is not None else None
        return Throttled(f"{what}: asked to slow down", retry_after_s=wait_s, **facts)
    if error.status == 401:
        return Unauthorized(words, **facts)
    if error.status == 403:
        return Unauthorized(f"{words}; the user lacks a right, or something in front forbids the call", **facts)
    if error.code is None and error.status in (404, 405, 413):
        return Rejected(f"{words}; check the address of the connection and what stands in front of it", **facts)
    if error.status >= 500 or error.code is None:
        return Uncertain(words, **facts) if write else Transient(words, **facts)
    if error.status == 412:
        return Conflict(words, **facts)
    if write and error.code == NO_SUCH_KEY:
        return Uncertain(words, **facts)
    if error.passes:
        return Transient(words, **facts)
    return Rejected(words, **facts)


def _says_when(response: Response) -> bool:
    return "Retry-After" in response.headers
