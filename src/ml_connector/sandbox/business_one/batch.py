"""``$batch``: parts in order, stopped at the first failure; a change set is atomic and fails as one part."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from ml_connector.sandbox.business_one.errors import B1Error, bad_query, no_session
from ml_connector.sandbox.business_one.message import Answer, Request
from ml_connector.sandbox.business_one.server import Server

BOUNDARY = re.compile(r'multipart/mixed\s*;.*?boundary\s*=\s*"?([^";]+)"?', re.IGNORECASE)
REQUEST_LINE = re.compile(r"(GET|POST|PUT|PATCH|MERGE|DELETE) (\S+)(?: HTTP/1\.[01])?")
PREFIX = re.compile(r"^(?:https?://[^/]+)?(?:.*?/b1s/v[12]/|/)?")
OUTER_STATUS = {1: 202, 2: 200}


@dataclass(frozen=True)
class Part:
    request: Request
    content_id: str


@dataclass
class Batch:
    """One run of a batch; ``lose_session`` ends the session before that operation, counted from 1."""

    server: Server
    outer: Request
    lose_session: int | None = None
    _done: int = 0

    def answer(self) -> Answer:
        """The outer answer; raises ``B1Error`` -1000 for what is no batch."""
        outer = self.outer
        groups = [self._group(headers, content) for headers, content in _parts(outer.body, _boundary(outer.headers))]
        written: list[bytes] = []
        boundary = f"batchresponse_{uuid.uuid4()}"
        for group in groups:
            answers = self._run(group)
            failed = answers[0][1].status >= 400
            written.append(f"--{boundary}\r\n".encode())
            if isinstance(group, list) and not failed:
                inner = f"changesetresponse_{uuid.uuid4()}"
                written.append(f"Content-Type: multipart/mixed;boundary={inner}\r\n\r\n".encode())
                for part, answer in answers:
                    written += [f"--{inner}\r\n".encode(), _written(outer.version, part, answer)]
                written.append(f"--{inner}--\r\n".encode())
            else:
                written.append(_written(outer.version, *answers[0]))
            if failed:
                break
        written.append(f"--{boundary}--\r\n".encode())
        kind = f"multipart/mixed;boundary={boundary}"
        return Answer(OUTER_STATUS[outer.version], b"".join(written), kind)

    def _run(self, group: Part | list[Part]) -> list[tuple[Part, Answer]]:
        """Each part with its answer; of a change set that failed, one."""
        if isinstance(group, Part):
            try:
                return [(group, self._perform(group))]
            except B1Error as error:
                return [(group, self.server.error(group.request, error))]
        answers: list[tuple[Part, Answer]] = []
        created: dict[str, str] = {}
        current = group[0]
        try:
            with self.server.company.undo.transaction(all_or_nothing=True):
                for current in group:
                    answer = self._perform(_resolved(current, created))
                    location = answer.headers.get("Location", "")
                    if location:
                        created[current.content_id] = location.rpartition("/")[2]
                    answers.append((current, answer))
        except B1Error as error:
            return [(current, self.server.error(current.request, error))]
        return answers

    def _perform(self, part: Part) -> Answer:
        self._done += 1
        if self.lose_session == self._done:
            self.server.access.logout(self.outer.asked.session)
            raise no_session()
        return self.server.perform(part.request)

    def _group(self, headers: Mapping[str, str], content: bytes) -> Part | list[Part]:
        kind = headers.get("content-type", "")
        if not kind.lower().startswith("multipart/mixed"):
            return self._part(headers, content)
        parts = [self._part(inner, text) for inner, text in _parts(content, _boundary(headers))]
        ids = [part.content_id for part in parts]
        mandatory = self.outer.version == 2
        if not parts or any(part.request.method == "GET" for part in parts) or (mandatory and not all(ids)):
            raise _incomplete()
        if len({each for each in ids if each}) != len([each for each in ids if each]):
            raise _incomplete()
        return parts

    def _part(self, headers: Mapping[str, str], content: bytes) -> Part:
        if not headers.get("content-type", "").lower().startswith("application/http"):
            raise _incomplete()
        head, found, body = content.partition(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        match = REQUEST_LINE.fullmatch(line.decode("utf-8", "replace").strip())
        if match is None or not found:
            raise _incomplete()  # also a GET with one empty line only: the delimiter takes that one
        inner = _headers(rest)
        path, _, query = PREFIX.sub("", match[2], count=1).partition("?")
        outer_headers = {name: value for name, value in self.outer.headers.items() if name.startswith("b1s-")}
        request = replace(
            self.outer,
            method=match[1],
            path=path,
            query=query,
            headers={**outer_headers, **inner},
            body=body.strip(b"\r\n"),
            in_batch=True,
        )
        return Part(request, headers.get("content-id") or inner.get("content-id", ""))


def _resolved(part: Part, created: Mapping[str, str]) -> Part:
    """With ``$1`` in the address replaced by what part 1 has created; never in a body."""
    name, slash, rest = part.request.path.partition("/")
    if not name.startswith("$"):
        return part
    target = created.get(name[1:])
    if target is None:
        raise bad_query(f"'{name}' refers to nothing")
    return replace(part, request=replace(part.request, path=target + slash + rest))


def _written(version: int, part: Part, answer: Answer) -> bytes:
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    inner = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    if part.content_id:
        (inner if version == 1 else head).append(f"Content-ID: {part.content_id}")
    inner += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.content_type:
        inner.append(f"Content-Type: {answer.content_type}")
    inner.append(f"Content-Length: {len(answer.body)}")
    return "\r\n".join([*head, "", *inner, "", ""]).encode() + answer.body + b"\r\n"


def _boundary(headers: Mapping[str, str]) -> bytes:
    match = BOUNDARY.match(headers.get("content-type", ""))
    if match is None:
        raise _incomplete()
    return match[1].strip().encode()


def _parts(body: bytes, boundary: bytes) -> list[tuple[dict[str, str], bytes]]:
    delimiter = b"\r\n--" + boundary
    chunks = (b"\r\n" + body).split(delimiter)
    if len(chunks) < 3 or not chunks[-1].startswith(b"--"):
        raise _incomplete()
    found: list[tuple[dict[str, str], bytes]] = []
    for chunk in chunks[1:-1]:
        if not chunk.startswith(b"\r\n"):
            raise _incomplete()
        head, blank, content = chunk[2:].partition(b"\r\n\r\n")
        if not blank:
            raise _incomplete()
        found.append((_headers(head), content))
    return found


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n") if line.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _incomplete() -> B1Error:
    return bad_query("Incomplete Batch Request Body!")
