"""`POST /hooks/{connection}`: raw body, verified, stored and marked, then an empty 200.

A refusal tells the sender nothing: an empty 401 for whatever did not prove its origin and for connections that do not
exist, an empty 413 for more than a webhook ever is. Where nothing could be stored: an empty 503, and the sender
delivers again.
"""

import asyncio
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ml_connector.connectors.errors import Forged
from ml_connector.engine.metrics import Metrics
from ml_connector.web.doors import Doors
from ml_connector.web.intake import Intake
from ml_connector.web.refusals import Refusals

LARGEST = 256 * 1024
BODY_TIMEOUT_S = 10.0


class Oversized(Exception):
    """More than `LARGEST` bytes."""


class Hooks:
    """The endpoint's parts, and the endpoint itself (`receive`)."""

    def __init__(self, doors: Doors, intake: Intake, refusals: Refusals, metrics: Metrics) -> None:
        self._doors = doors
        self._intake = intake
        self._refusals = refusals
        self._metrics = metrics

    async def receive(self, request: Request) -> Response:
        sender = request.client.host if request.client else ""
        try:
            door = await self._doors.find(request.path_params["connection"])
            id, name = (door.connection.id, door.connection.name) if door else (0, "unknown")
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    body = await _body(request)
            except Oversized:
                self._refusals.refuse(id, name, "oversized", f"more than {LARGEST} bytes", sender)
                return _closing(413)
            except TimeoutError:
                self._refusals.refuse(id, name, "malformed", f"no whole body within {BODY_TIMEOUT_S:g} s", sender)
                return _closing(408)
            if door is None:
                self._refusals.refuse(id, name, "forged", "no connection of that name expects webhooks", sender)
                return Response(status_code=401)
            try:
                delivery = door.verify(dict(request.headers), body, datetime.now(UTC))
            except Forged as error:
                self._refusals.refuse(id, name, "forged", error.reason, sender)
                return Response(status_code=401)
            await self._intake.accept(delivery, body, door.targets)
        except ClientDisconnect:
            return Response(status_code=400)
        except (SQLAlchemyError, OSError):
            self._metrics.intake("unknown", "not_stored")
            return Response(status_code=503, headers={"Retry-After": "5"})
        self._metrics.intake(name, "accepted")
        return Response(status_code=200)


async def _body(request: Request) -> bytes:
    """The raw body. Raises `Oversized` as soon as it is known to be."""
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > LARGEST:
        raise Oversized
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            raise Oversized
        parts.append(part)
    return b"".join(parts)


def _closing(status: int) -> Response:
    """The rest of the body is not read, so the connection cannot be used again."""
    return Response(status_code=status, headers={"Connection": "close"})
