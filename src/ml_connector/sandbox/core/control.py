"""The control API of one stand-in, below ``/_control`` on its own port and never subject to faults.

``GET /state`` (kinds), ``GET /state/<kind>`` (``{"kind", "count", "items"}``), ``GET|POST|DELETE /faults``,
``POST /seed``, ``GET|POST /clock`` (``{"advance_s"}``, ``{"scale"}``, ``{"now": ISO}``), ``POST /reset``,
and the further actions of the system.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

from aiohttp import web
from pydantic import ValidationError

from ml_connector.sandbox.core.clock import Clock
from ml_connector.sandbox.core.faults import FaultBook, Rule
from ml_connector.sandbox.core.system import Environment, StateReader, System

CONTROL_PREFIX = "/_control"


def to_json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def answer(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, text=to_json(value), content_type="application/json")


def refusal(message: str, status: int = 400) -> web.Response:
    return answer({"error": message}, status)


async def read_json(request: web.Request) -> Any:
    """The body as JSON with exact decimals; an empty body is an empty object. Raises ``ValueError``."""
    text = await request.text()
    return json.loads(text, parse_float=Decimal) if text.strip() else {}


def control_application(system: System, environment: Environment, book: FaultBook) -> web.Application:
    control = _Control(system, environment, book)
    application = web.Application(middlewares=[_bad_input])
    application.add_routes(
        [
            web.get("/state", control.kinds),
            web.get("/state/{kind}", control.state),
            web.get("/faults", control.show_faults),
            web.post("/faults", control.add_faults),
            web.delete("/faults", control.clear_faults),
            web.post("/seed", control.seed),
            web.get("/clock", control.show_clock),
            web.post("/clock", control.set_clock),
            web.post("/reset", control.reset),
            *system.control_routes,
        ]
    )
    return application


@web.middleware
async def _bad_input(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ValidationError, ValueError) as error:
        return refusal(str(error))


class _Control:
    def __init__(self, system: System, environment: Environment, book: FaultBook) -> None:
        self._system, self._environment, self._book = system, environment, book
        self._readers: dict[str, StateReader] = {"requests": environment.requests.select, **system.states}

    async def kinds(self, request: web.Request) -> web.Response:
        return answer({"kinds": sorted(self._readers)})

    async def state(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        if (reader := self._readers.get(kind)) is None:
            return refusal(f"no state {kind!r}; there are {', '.join(sorted(self._readers))}", 404)
        items = reader(request.query)
        return answer({"kind": kind, "count": len(items), "items": items})

    async def show_faults(self, request: web.Request) -> web.Response:
        return answer({"faults": [rule.shown() for rule in self._book.rules], "names": sorted(self._book.names)})

    async def add_faults(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        # JSON text again, because pydantic's JsonValue knows no Decimal
        raw = cast("list[Any]", body if isinstance(body, list) else [body])
        rules = [Rule.model_validate_json(to_json_floats(item)) for item in raw]
        for rule in rules:
            self._book.check(rule.fault)
        return answer({"faults": [self._book.add(rule).shown() for rule in rules]}, 201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._book.clear()
        return answer({"faults": []})

    async def seed(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        if not isinstance(body, dict):
            return refusal("a seed is a JSON object")
        return answer(await self._system.seed(cast("dict[str, Any]", body)), 201)

    async def show_clock(self, request: web.Request) -> web.Response:
        return answer(_clock_shown(self._environment.clock))

    async def set_clock(self, request: web.Request) -> web.Response:
        body = cast("dict[str, Any]", await read_json(request))
        clock = self._environment.clock
        if unknown := set(body) - {"advance_s", "scale", "now"}:
            return refusal(f"a clock is set by advance_s, scale or now, not by {', '.join(sorted(unknown))}")
        if "now" in body:
            moment = datetime.fromisoformat(str(body["now"]))
            clock.set_now(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if "scale" in body:
            clock.set_scale(float(body["scale"]))
        if "advance_s" in body:
            clock.advance(float(body["advance_s"]))
        return answer(_clock_shown(clock))

    async def reset(self, request: web.Request) -> web.Response:
        await self._system.reset()
        self._book.forget()
        self._environment.requests.clear()
        return answer({"reset": self._system.name})


def to_json_floats(value: Any) -> str:
    return json.dumps(value, default=lambda each: float(each) if isinstance(each, Decimal) else str(each))


def _clock_shown(clock: Clock) -> dict[str, Any]:
    return {"now": clock.now().isoformat(), "scale": clock.scale}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
