"""The faults that every stand-in has.

| name | what happens | args |
|---|---|---|
| throttle | 429 before the handler | retry_after: seconds, "http-date" (with seconds) or "none"; headers; body |
| status | an answer before the handler | status, body, content_type, headers |
| unauthorized | 401 before the handler | body, headers |
| html_503 | the web tier's error page | status |
| redirect | 307 to another path, nothing done | status, location |
| hang | nothing, until the client goes | max_s |
| slow | waits, then goes on | delay_s |
| reset_before | connection reset, nothing done | |
| error_after_commit | handler runs, its answer is replaced | status, body, content_type |
| reset_after_commit | handler runs, connection reset without an answer | |
| slow_answer | handler runs, then waits | delay_s |
| half_body | handler runs, half of its answer arrives, then the connection closes | |
| truncated_json | handler runs, its answer is cut in half but ends as a complete HTTP message | |
| late_commit | the connection is lost after answer_after_s, the handler runs later all the same | see below |

``late_commit``: the handler runs ``commit_after_s`` after the request came; the client is answered ``answer_after_s``
after it came, by ``answer``: "reset", "close" or a status. A second look-up in between sees nothing.
``commit_after_s`` "cleared": the handler runs when the rules are taken away, so that a test can look before.

All times are wall seconds.
"""

from __future__ import annotations

import asyncio
import email.utils
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ml_connector.sandbox.core.faults import Fault, FaultContext

HTML_PAGE = (
    "<html><head><title>{status} Service Unavailable</title></head>"
    "<body><h1>{status} Service Unavailable</h1>"
    "<p>The server is temporarily unable to service your request.</p></body></html>"
)


def reset_connection(request: web.Request) -> None:
    """Abort with RST, so that the client sees a reset and not an orderly end."""
    if (transport := request.transport) is None:
        return
    if (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Lost(web.Response):
    """What is returned where nobody is left to read it; the request log shows no status for it."""


def lost() -> web.StreamResponse:
    return Lost(status=500)


def plain_answer(args: Mapping[str, Any], status: int, body: str = "") -> web.Response:
    return web.Response(
        status=int(args.get("status", status)),
        body=str(args.get("body", body)).encode(),
        headers={"Content-Type": str(args.get("content_type", "text/plain; charset=utf-8")), **args.get("headers", {})},
    )


async def throttle(context: FaultContext) -> web.StreamResponse:
    answer = plain_answer(context.args, 429, "Too Many Requests")
    retry_after = context.args.get("retry_after", 1)
    if retry_after == "http-date":
        moment = time.time() + float(context.args.get("seconds", 1))
        answer.headers["Retry-After"] = email.utils.formatdate(moment, usegmt=True)
    elif retry_after not in (None, "none"):
        answer.headers["Retry-After"] = str(retry_after)
    return answer


async def status(context: FaultContext) -> web.StreamResponse:
    return plain_answer(context.args, 500, "Internal Server Error")


async def unauthorized(context: FaultContext) -> web.StreamResponse:
    return plain_answer(context.args, 401, "Unauthorized")


async def html_503(context: FaultContext) -> web.StreamResponse:
    code = int(context.args.get("status", 503))
    return web.Response(status=code, text=HTML_PAGE.format(status=code), content_type="text/html")


async def redirect(context: FaultContext) -> web.StreamResponse:
    location = str(context.args.get("location", context.request.path_qs))
    return web.Response(status=int(context.args.get("status", 307)), headers={"Location": location})


async def hang(context: FaultContext) -> web.StreamResponse:
    await _until_gone(context.request, float(context.args.get("max_s", 3600)))
    reset_connection(context.request)
    return lost()


async def slow(context: FaultContext) -> web.StreamResponse:
    await asyncio.sleep(float(context.args.get("delay_s", 1)))
    return await context.proceed()


async def reset_before(context: FaultContext) -> web.StreamResponse:
    reset_connection(context.request)
    return lost()


async def error_after_commit(context: FaultContext) -> web.StreamResponse:
    await context.proceed()
    return plain_answer(context.args, 500, "Internal Server Error")


async def reset_after_commit(context: FaultContext) -> web.StreamResponse:
    await context.proceed()
    reset_connection(context.request)
    return lost()


async def slow_answer(context: FaultContext) -> web.StreamResponse:
    answer = await context.proceed()
    await asyncio.sleep(float(context.args.get("delay_s", 1)))
    return answer


async def half_body(context: FaultContext) -> web.StreamResponse:
    answer = await context.proceed()
    body = _bytes_of(answer)
    partial = web.StreamResponse(status=answer.status, headers=_content_headers(answer))
    partial.content_length = len(body)
    await partial.prepare(context.request)
    await partial.write(body[: len(body) // 2])
    if (transport := context.request.transport) is not None:
        transport.close()
    return partial


async def truncated_json(context: FaultContext) -> web.StreamResponse:
    answer = await context.proceed()
    body = _bytes_of(answer)
    return web.Response(status=answer.status, headers=_content_headers(answer), body=body[: len(body) // 2])


async def late_commit(context: FaultContext) -> web.StreamResponse:
    async def commit() -> None:
        after_s = context.args.get("commit_after_s", 2)
        await (context.cleared.wait() if after_s == "cleared" else asyncio.sleep(float(after_s)))
        await context.proceed()

    context.spawn(commit())
    await _until_gone(context.request, float(context.args.get("answer_after_s", 0.05)))
    how = context.args.get("answer", "reset")
    if how == "reset":
        reset_connection(context.request)
    elif how == "close":
        if (transport := context.request.transport) is not None:
            transport.close()
    else:
        return plain_answer(context.args, int(how), "Gateway Timeout")
    return lost()


GENERIC: Mapping[str, Fault] = {
    "throttle": throttle,
    "status": status,
    "unauthorized": unauthorized,
    "html_503": html_503,
    "redirect": redirect,
    "hang": hang,
    "slow": slow,
    "reset_before": reset_before,
    "error_after_commit": error_after_commit,
    "reset_after_commit": reset_after_commit,
    "slow_answer": slow_answer,
    "half_body": half_body,
    "truncated_json": truncated_json,
    "late_commit": late_commit,
}


async def _until_gone(request: web.Request, max_s: float) -> None:
    deadline = time.monotonic() + max_s
    while (left_s := deadline - time.monotonic()) > 0:
        transport = request.transport
        if transport is None or transport.is_closing():
            return
        await asyncio.sleep(min(0.02, left_s))


def _bytes_of(answer: web.StreamResponse) -> bytes:
    body = answer.body if isinstance(answer, web.Response) else None
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""


def _content_headers(answer: web.StreamResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
