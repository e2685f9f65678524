"""What an HTTP exchange is made of: timeouts, query strings, a completely read answer."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from multidict import CIMultiDictProxy

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_REQUEST_IDS = ("x-request-id", "x-correlation-id", "x-correlationid", "sap-message-id", "x-vcap-request-id")
_QUERY_SAFE = "$,'()/:*!"

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
        """The body as JSON, numbers with a fraction as `Decimal`. Raises `ValueError`."""
        return json.loads(self.body, parse_float=Decimal)

    def retry_after_s(self, now: float | None = None) -> float | None:
        """`Retry-After` in seconds from `now` (Unix time), given as seconds or as a date."""
        value = self.headers.get("Retry-After", "").strip()
        if not value:
            return None
        if value.isdigit():
            return float(value)
        try:
            then = parsedate_to_datetime(value).timestamp()
        except ValueError:
            return None
        return max(0.0, then - (time.time() if now is None else now))


def encode_query(params: Params) -> str:
    """A query string; `$`, quotes, commas and parentheses stay readable, as OData servers write them."""
    pairs = params.items() if isinstance(params, Mapping) else params
    return "&".join(f"{quote(name, safe='$:')}={quote(str(value), safe=_QUERY_SAFE)}" for name, value in pairs)


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
