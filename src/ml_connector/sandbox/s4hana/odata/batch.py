"""``$batch``: multipart/mixed with requests and change sets, as OData V2 defines it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from ml_connector.sandbox.s4hana.odata.errors import bad_request
from ml_connector.sandbox.s4hana.odata.message import ODataRequest, ODataResponse

BOUNDARY = re.compile(r'multipart/mixed\s*;.*?boundary="?([^";]+)"?', re.IGNORECASE)
REQUEST_LINE = re.compile(r"(GET|POST|PUT|PATCH|MERGE|DELETE) (\S+) HTTP/1\.[01]")


@dataclass(frozen=True)
class BatchPart:
    request: ODataRequest
    content_id: str

    def resolved(self, created: Mapping[str, str]) -> BatchPart:
        """With ``$1/to_Nav`` replaced by the path of what part 1 has created."""
        for content_id, path in created.items():
            if re.match(rf"\${re.escape(content_id)}(/|$)", self.request.path):
                rest = self.request.path[len(content_id) + 1 :]
                return replace(self, request=replace(self.request, path=path + rest))
        return self


def parse_batch(request: ODataRequest) -> Iterator[tuple[list[BatchPart], bool]]:
    """Requests in order; the flag says that the list is a change set. Raises ``ODataError`` 400."""
    for headers, content in _parts(request.body, _boundary(request.headers.get("content-type", ""))):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            parts = [_part(request, inner, text) for inner, text in _parts(content, _boundary(kind))]
            if not parts or any(part.request.method == "GET" for part in parts):
                raise bad_request("A change set holds writes only, at least one")
            yield parts, True
        else:
            part = _part(request, headers, content)
            if part.request.method != "GET":
                raise bad_request("A write outside a change set is not allowed")
            yield [part], False


def write_batch(
    answers: Sequence[Sequence[tuple[BatchPart, ODataResponse]]], changesets: Sequence[bool], number: int
) -> ODataResponse:
    boundary = f"ejjeeffe{number}"
    lines: list[bytes] = []
    for index, (group, is_changeset) in enumerate(zip(answers, changesets, strict=True)):
        lines.append(f"--{boundary}".encode())
        failed = is_changeset and group[0][1].status >= 400
        if is_changeset and not failed:
            inner = f"changeset{number}_{index}"
            lines += [f"Content-Type: multipart/mixed; boundary={inner}".encode(), b""]
            for part, answer in group:
                lines += [f"--{inner}".encode(), *_written(part, answer)]
            lines += [f"--{inner}--".encode(), b""]
        else:
            lines += _written(*group[0])
    lines += [f"--{boundary}--".encode(), b""]
    return ODataResponse(
        202, b"\r\n".join(lines), f"multipart/mixed; boundary={boundary}", {"dataserviceversion": "2.0"}
    )


def _written(part: BatchPart, answer: ODataResponse) -> list[bytes]:
    head = [b"Content-Type: application/http", b"Content-Transfer-Encoding: binary"]
    if part.content_id:
        head.append(f"Content-ID: {part.content_id}".encode())
    inner = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}".encode()]
    if answer.content_type:
        inner.append(f"Content-Type: {answer.content_type}".encode())
    inner += [f"{name}: {value}".encode() for name, value in answer.headers.items()]
    inner += [f"Content-Length: {len(answer.body)}".encode(), b"", answer.body, b""]
    return [*head, b"", *inner]


def _boundary(content_type: str) -> bytes:
    match = BOUNDARY.match(content_type)
    if match is None:
        raise bad_request("A batch is multipart/mixed with a boundary")
    return match[1].strip().encode()


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    delimiter = b"--" + boundary
    chunks = (b"\r\n" + body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")).split(b"\r\n" + delimiter)
    if len(chunks) < 3 or not chunks[-1].startswith(b"--"):
        raise bad_request("The batch body does not end with its boundary")
    for chunk in chunks[1:-1]:
        head, _, content = chunk.lstrip(b"\r\n").partition(b"\r\n\r\n")
        yield _headers(head), content


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode().splitlines() if line.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _part(outer: ODataRequest, headers: Mapping[str, str], content: bytes) -> BatchPart:
    head, _, body = content.lstrip(b"\r\n").partition(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    match = REQUEST_LINE.fullmatch(line.decode().strip())
    if match is None or not headers.get("content-type", "").startswith("application/http"):
        raise bad_request(f"Not a request in a batch: {line.decode()!r}")
    inner = _headers(rest)
    path, _, query = match[2].partition("?")
    path = path.rpartition(f"/{outer.service}/")[2]
    return BatchPart(
        replace(
            outer,
            method=match[1],
            path=path,
            query=dict(parse_qsl(query, keep_blank_values=True)),
            headers={"accept": outer.headers.get("accept", ""), **inner},
            body=body.rstrip(b"\r\n"),
        ),
        inner.get("content-id", headers.get("content-id", "")),
    )
