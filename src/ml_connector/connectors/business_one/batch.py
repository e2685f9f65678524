"""A change set: several writes that happen together or not at all, as `multipart/mixed`, and its answer.

Version 3 of OData writes `Content-ID` inside the inner headers, version 4 in the part's. A refused change set is one
plain part. Source: SAP, "Working with SAP Business One Service Layer", batch operations;
`docs/protocol/business-one.md`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ml_connector.connectors.business_one.answers import Told, told_by
from ml_connector.connectors.http import Response
from ml_connector.connectors.http_answer import json_of
from ml_connector.connectors.odata_errors import visible
from ml_connector.connectors.odata_values import Row, as_row

_BATCH = "mlc_batch"
_SET = "mlc_changes"
_STATUS = re.compile(rb"^HTTP/\d\.\d (\d{3})")
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Operation:
    """One write of a change set; `path` below the Service Layer's root."""

    method: str
    path: str
    body: Row | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one write."""

    status: int
    body: bytes = b""
    request_id: str = ""

    @property
    def told(self) -> Told:
        """What it says as an error."""
        try:
            return told_by(self.status, json_of(self.body))
        except ValueError:
            return Told(self.status, None, "", visible(self.body.decode("utf-8", "replace")))

    @property
    def row(self) -> Row:
        """The entity that it carries. Raises `ValueError`."""
        return as_row(json_of(self.body))


def content_type() -> str:
    return f"multipart/mixed;boundary={_BATCH}"


def multipart(operations: Sequence[Operation], api: str) -> bytes:
    """The body of a batch with one change set."""
    lines = [f"--{_BATCH}", f"Content-Type: multipart/mixed;boundary={_SET}", ""]
    for number, operation in enumerate(operations, start=1):
        lines += [
            f"--{_SET}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"{operation.method} /b1s/{api}/{operation.path}",
        ]
        if operation.body is not None:
            lines += ["Content-Type: application/json", "", json.dumps(operation.body, default=str)]
        else:
            lines += ["", ""]
    lines += [f"--{_SET}--", f"--{_BATCH}--", ""]
    return "\r\n".join(lines).encode()


def parts_of(response: Response) -> list[Part]:
    """The answers in order. Raises `ValueError` when the answer is cut or is no batch's."""
    parts = _parts(response.body, response.headers.get("Content-Type", ""))
    if not parts:
        raise ValueError("it holds no answer")
    return parts


def _parts(body: bytes, kind: str) -> list[Part]:
    match = _BOUNDARY.search(kind)
    if "multipart/mixed" not in kind.lower() or match is None:
        raise ValueError(f"it is {kind or 'nothing'}, not multipart/mixed")
    mark = b"--" + match.group(1).encode()
    pieces = body.split(mark)
    if len(pieces) < 2 or not pieces[-1].lstrip().startswith(b"--"):
        raise ValueError("it ends early")
    found: list[Part] = []
    for piece in pieces[1:-1]:
        head, _, rest = _halves(piece.lstrip(b"\r\n"))
        inner = _header(head, b"content-type")
        found += _parts(rest, inner) if inner.lower().startswith("multipart/mixed") else [_answer(rest)]
    return found


def _answer(piece: bytes) -> Part:
    text = piece.lstrip(b"\r\n")
    match = _STATUS.match(text)
    if match is None:
        raise ValueError(f"a part begins with {text[:40]!r}")
    _, _, body = _halves(text)
    return Part(int(match.group(1)), body.strip())


def _halves(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """Head and body, parted by an empty line of either kind; a head without a body has none."""
    places = [(piece.find(mark), mark) for mark in (b"\r\n\r\n", b"\n\n")]
    found = [place for place in places if place[0] >= 0]
    if not found:
        return piece, b"", b""
    return piece.partition(min(found)[1])


def _header(head: bytes, name: bytes) -> str:
    for line in head.splitlines():
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""


def rows_of(data: Any) -> Sequence[Row]:
    """The rows of a list that a service call answers, bare or under `value`."""
    listed: object = cast("object", data) if isinstance(data, list) else as_row(data).get("value")
    return [as_row(row) for row in cast("list[object]", listed)] if isinstance(listed, list) else []
