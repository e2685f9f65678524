"""What an HTTP exchange is made of: timeouts, query strings, a completely read answer."""

import codecs
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDictProxy

MAX_ANSWER_BYTES = 64 * 1024 * 1024
LONGEST_WAIT_S = 3600.0
"""However long a system asks to wait, it is asked again after an hour: a header must not park a record for years."""

_REQUEST_IDS = ("x-request-id", "x-correlation-id", "x-correlationid", "sap-message-id", "x-vcap-request-id")

Params = Mapping[str, str | int] | Sequence[tuple[str, str | int]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect_s`: name, TCP and TLS. `read_s`: a whole read. `write_s` (T): a whole write from its first
    byte."""

    connect_s: float = 10.0
    read_s: float = 120.0
    write_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read completely."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    url: str = ""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").split(";", 1)[0].strip().lower()

    @property
    def request_id(self) -> str:
        return next((self.headers[name] for name in _REQUEST_IDS if name in self.headers), "")

    def json(self) -> Any:
        """The body as JSON, numbers with a fraction as `Decimal`, texts as PostgreSQL takes them. Raises `ValueError`
        also for what JSON has no words for (NaN) and for a document that is nested without end."""
        return json_of(self.body)

    def retry_after_s(self, now: float | None = None) -> float | None:
        """`Retry-After` in seconds from `now` (Unix time), given as seconds or as a date; `LONGEST_WAIT_S` at most."""
        value = self.headers.get("Retry-After", "").strip()
        if not value:
            return None
        if (told := seconds(value)) is not None:
            return told
        try:
            then = parsedate_to_datetime(value).timestamp()
        except (ValueError, OverflowError):  # no date, or one that is outside the calendar in UTC
            return None
        return min(LONGEST_WAIT_S, max(0.0, then - (time.time() if now is None else now)))


def json_of(body: bytes) -> Any:
    """See `Response.json`. UTF-8 alone: the parser itself would let halves of surrogate pairs through."""
    text = body.removeprefix(codecs.BOM_UTF8).decode()
    try:
        told = _JSON.decode(text)
        return _storable(told) if "\\u" in text and _ESCAPED.search(text) else told
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def seconds(told: str, unit: float = 1) -> float | None:
    """A wait that a header states in parts of a second (`unit` of them), from 0 to `LONGEST_WAIT_S`; None when it is
    no plain number."""
    try:
        value = float(told) / unit
    except ValueError:
        return None
    return None if math.isnan(value) else min(LONGEST_WAIT_S, max(0.0, value))


_ESCAPED = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_number)


def _storable(told: Any) -> Any:
    """Without NUL and halves of surrogate pairs, which JSON can spell and PostgreSQL stores nowhere."""
    match told:
        case str():
            return told.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        case dict():
            return {_storable(name): _storable(value) for name, value in cast("dict[str, Any]", told).items()}
        case list():
            return [_storable(value) for value in cast("list[Any]", told)]
        case _:
            return told


def encode_query(params: Params) -> str:
    """A query string; `$`, quotes, commas and parentheses stay readable, as OData servers write them."""
    pairs = params.items() if isinstance(params, Mapping) else params
    return "&".join(f"{quote(name, safe='$:')}={_TO_QUOTE.sub(_quoted, str(value))}" for name, value in pairs)


_TO_QUOTE = re.compile(r"[^A-Za-z0-9_.~$,'()/:*!-]+")
"""What does not stand in a query as it is. A filter is long and little of it: `quote` alone looks at each character."""


def _quoted(found: re.Match[str]) -> str:
    return _percent(found[0])


_percent = lru_cache(maxsize=1024)(quote)


async def read_answer(raw: aiohttp.ClientResponse, url: str) -> Response:
    """The complete answer. Raises `aiohttp.ClientPayloadError` when it ends early or is too large."""
    pieces: list[bytes] = []
    size = 0
    async for piece in raw.content.iter_any():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        pieces.append(piece)
    return Response(raw.status, raw.headers, b"".join(pieces), url)
