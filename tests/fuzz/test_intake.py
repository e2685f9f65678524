"""Hostile HTTP on the real intake: whatever comes, an empty refusal, nothing stored, and the next delivery is taken."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from tests.web.serving import Served, body_of, headers_of, serving

BODY = body_of(118)
LINE = b"POST /hooks/web-store HTTP/1.1\r\nHost: x\r\n"
LENGTH = f"Content-Length: {len(BODY)}\r\n\r\n".encode()


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


def signed() -> bytes:
    """A delivery's head, signed now."""
    return LINE + "".join(f"{name}: {value}\r\n" for name, value in headers_of(BODY, "msg_1").items()).encode()


def requests() -> dict[str, bytes]:
    return {
        "a length that is no number": LINE + b"Content-Length: \xb2\r\n\r\n",
        "a negative length": LINE + b"Content-Length: -1\r\n\r\n",
        "a length of five thousand digits": LINE + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        "two lengths": LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "a length and chunks": LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a chunk of an impossible size": LINE + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
        "chunks that end in the middle": LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        "an endless header": LINE + b"X: " + b"a" * 200_000,
        "five thousand headers": LINE + b"X: a\r\n" * 5000 + b"Content-Length: 0\r\n\r\n",
        "a folded header": LINE + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "NUL in a header": LINE + b"webhook-id: a\x00b\r\nContent-Length: 0\r\n\r\n",
        "bytes that are no text": LINE
        + b"webhook-id: \xff\xfe\r\nwebhook-signature: v1,\xff\r\nContent-Length: 0\r\n\r\n",
        "a path out of the house": b"POST /hooks/../../etc/passwd HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "a path of bytes": b"POST /hooks/%00%ff%c0%ae HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "an endless path": b"POST /hooks/" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,
        "a method of its own": b"BREW /hooks/web-store HTTP/1.1\r\nHost: x\r\n\r\n",
        "compressed": LINE + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
        "nested without end": LINE + b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000,
        "half a delivery": signed() + LENGTH + BODY[:-10],
        "a signature over another body": signed() + LENGTH + BODY.replace(b"118", b"119"),
        "a wrong secret before the right one": signed().replace(b"\r\n", b"\r\nX-Ml-Connector-Secret: guess\r\n", 1)
        + LENGTH
        + BODY,
    }


async def exchange(served: Served, request: bytes) -> tuple[int, bytes]:
    """Status and body; 0 where the server closed without a word. Who waits for more is told that there is none."""
    parts = urlsplit(served.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        try:
            async with asyncio.timeout(1):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            writer.write_eof()
            async with asyncio.timeout(60):
                head = await reader.readuntil(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        body = await reader.readexactly(int(length.partition(b":")[2])) if b"chunked" not in head else b"chunks"
    except (ConnectionError, asyncio.IncompleteReadError):  # closed before all was taken: a refusal as well
        return 0, b""
    finally:
        writer.transport.abort()
    return int(head.split(b" ", 2)[1]), body


async def test_whatever_comes_is_refused_and_nothing_is_stored(served: Served) -> None:
    for name, request in requests().items():
        status, body = await exchange(served, request)
        assert status in (0, 400, 401, 404, 405, 408, 413), f"{name}: {status}"
        # The HTTP parser's own words about a request that is none say nothing of ours.
        assert body in (b"", b"Invalid HTTP request received."), f"{name}: {body[:80]!r}"
        assert await served.stored() == [], name
    assert await served.marked() == {}
    assert await served.order(118) == (200, b"")
