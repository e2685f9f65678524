"""Before and around every answer: how large a body may be, how long it may take, and the headers of safety.

Webhooks have limits of their own and no pages, and pass by.
"""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ml_connector.web.access.settings import Settings

LARGEST = 2 * 1024 * 1024
BODY_WITHIN_S = 30.0
HOOKS = "/hooks/"
LONGEST_PATH = 2_000
"""Characters; a record's key has at most 200. What is longer need not be taken apart to be no page of ours."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""A route may say otherwise for itself (`Cache-Control` of what never changes)."""


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._limited = RequestBodyLimitMiddleware(app, LARGEST)
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(HOOKS):
            await self._app(scope, receive, send)
            return
        if len(scope["path"]) > LONGEST_PATH:
            await Response(status_code=414, headers=HEADERS)(scope, receive, send)
            return
        secure = self._settings.secure(HTTPConnection(scope))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if secure:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            await send(message)

        await self._limited(scope, _in_time(receive), with_headers)


def _in_time(receive: Receive) -> Receive:
    """The body arrives within `BODY_WITHIN_S`, or its sender counts as gone."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BODY_WITHIN_S
    complete = False

    async def bounded() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return bounded
