"""What an OData error answer says, in any of its forms, and which of our errors it stands for.

Source: SAP Help, "SAP Gateway Foundation", error format; `docs/protocol/s4hana.md`.
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
from ml_connector.connectors.odata_values import Row, as_row
from ml_connector.connectors.soap import local, parse_xml


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error answer says, whatever its form."""

    code: str = ""
    message: str = ""
    details: tuple[str, ...] = ()
    request_id: str = ""

    @property
    def words(self) -> str:
        """All messages once, in order: the details say more than the first line."""
        repeated = any(detail.startswith(self.message) for detail in self.details)
        parts = self.details if repeated else (self.message, *self.details)
        return "; ".join(dict.fromkeys(part for part in parts if part))


def error_of(response: Response) -> ErrorBody:
    """Reads JSON errors of both versions, XML errors, and takes the visible text of anything else."""
    try:
        error = as_row(as_row(response.json()).get("error"))
    except ValueError:
        return _xml_error(response) or ErrorBody(message=visible(response.text) or f"status {response.status}")
    message = error.get("message")
    text = str((_row_or_none(cast("object", message)).get("value") if isinstance(message, dict) else message) or "")
    inner = _row_or_none(error.get("innererror"))
    details = inner.get("errordetails") or error.get("details")
    listed = cast("list[object]", details) if isinstance(details, list) else []
    lines = [_detail(cast("Row", item)) for item in listed if isinstance(item, dict)]
    return ErrorBody(
        str(error.get("code") or ""), text, tuple(line for line in lines if line), str(inner.get("transactionid") or "")
    )


def _row_or_none(value: object) -> Row:
    return cast("Row", value) if isinstance(value, dict) else {}


def _detail(row: Row) -> str:
    message = str(row.get("message") or "")
    code = str(row.get("code") or "")
    if not message or code.startswith("/IWBEP/"):  # the generic frame around the real causes
        return ""
    return f"{message} [{code}]" if code else message


def _xml_error(response: Response) -> ErrorBody | None:
    if not response.body.lstrip().startswith(b"<") or b"<error" not in response.body[:500]:
        return None
    try:
        root = parse_xml(response.body)
    except ValueError:
        return None
    texts = {local(element): (element.text or "").strip() for element in root.iter("{*}*")}
    return ErrorBody(texts.get("code", ""), texts.get("message", ""), (), texts.get("transactionid", ""))


def visible(text: str) -> str:
    """The readable part of an HTML or text body, short."""
    without = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]+>", " ", text)
    return re.sub(r"\s+", " ", without).strip()[:300]


_LOCKED = re.compile(
    r"locked by|is locked|being processed by|currently being (?:processed|edited)|gesperrt|wird (?:gerade )?bearbeitet",
    re.IGNORECASE,
)
_NOT_ARRANGED = re.compile(r"^/IWFND/|/IWBEP/CM_MGW_RT/026$")


def speaks_of_lock(text: str) -> bool:
    """Does the message say that somebody else holds the object just now?"""
    return bool(_LOCKED.search(text))


def failure_of(response: Response, *, system: str, service: str, scenario: str, write: bool) -> ConnectorError:
    """The error that an answer with a status of 400 or more stands for."""
    body = error_of(response)
    status = response.status
    facts: dict[str, Any] = {
        "system": system,
        "code": body.code,
        "status": status,
        "request_id": body.request_id or response.request_id,
    }
    if status == 429:
        return Throttled(f"{service}: asked to slow down", retry_after_s=response.retry_after_s(), **facts)
    if status in (401, 403) or (status == 404 and (_NOT_ARRANGED.search(body.code) or not body.code)):
        return Unauthorized(_not_arranged(status, service, scenario, body.words), **facts)
    if status >= 500:
        if write:
            return Uncertain(f"{service}: {body.words}", **facts)
        return Transient(f"{service}: {body.words}", **facts)
    if status == 423 or (status in (400, 409) and speaks_of_lock(body.words)):
        return Transient(f"{service}: {body.words}", **facts)
    if status in (409, 412, 428):
        return Conflict(f"{service}: {body.words}", **facts)
    return Rejected(f"{service}: {body.words}", **facts)


def _not_arranged(status: int, service: str, scenario: str, words: str) -> str:
    if status == 401:
        return f"{service}: the user, password or token is refused ({words})"
    return (
        f"{service} is not open to the communication user: arrange the communication scenario {scenario} for it "
        f"and check its inbound services ({words})"
    )
