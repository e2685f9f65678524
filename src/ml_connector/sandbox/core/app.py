"""One stand-in as an aiohttp application: request log and faults around its routes, the control API beside them."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from ml_connector.sandbox.core.control import CONTROL_PREFIX, control_application
from ml_connector.sandbox.core.faults import ACTIVE, Fault, FaultBook, FaultContext, UnknownFault
from ml_connector.sandbox.core.generic_faults import GENERIC, Lost
from ml_connector.sandbox.core.system import Environment, System

MAX_BODY_BYTES = 64 * 1024 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_application(system: System, environment: Environment) -> tuple[web.Application, FaultBook]:
    faults = {**GENERIC, **system.faults}
    book = FaultBook(system.name, {*faults, *system.handler_faults}, environment.seed)
    application = web.Application(
        middlewares=[_log_and_faults(environment, book, faults), *map(_outside_control, system.middlewares)],
        client_max_size=MAX_BODY_BYTES,
    )
    application.add_routes(system.routes)
    application.add_subapp(CONTROL_PREFIX, control_application(system, environment, book))
    return application, book


def _log_and_faults(environment: Environment, book: FaultBook, faults: Mapping[str, Fault]) -> Any:
    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        body = await request.read()
        entry = environment.requests.begin(request, body)
        try:
            # shielded: the handler, and a fault on the way to it, end also when the client has gone
            work = environment.spawn(_answer(request, body, handler, entry["faults"]))
            answer = await asyncio.shield(work)
            entry["status"] = None if isinstance(answer, Lost) else answer.status
            return answer
        finally:
            entry["ended"] = time.monotonic()

    async def _answer(request: web.Request, body: bytes, handler: Handler, named: list[str]) -> web.StreamResponse:
        try:
            hitting = book.hitting(request, body)
        except UnknownFault as error:
            return web.Response(status=400, text=str(error))
        named.extend(name for name, _ in hitting)
        request[ACTIVE] = {name: args for name, args in hitting if name not in faults}
        proceed = functools.partial(_run_handler, handler, request)
        for name, args in reversed(hitting):
            if name in faults:
                proceed = functools.partial(
                    _run_fault, faults[name], FaultContext(request, args, proceed, environment.spawn, book.cleared)
                )
        return await proceed()

    return around


def _outside_control(inner: Any) -> Any:
    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PREFIX):
            return await handler(request)
        return await inner(request, handler)

    return around


async def _run_fault(fault: Fault, context: FaultContext) -> web.StreamResponse:
    return await fault(context)


async def _run_handler(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return web.Response(status=refusal.status, text=refusal.text, headers=_without_length(refusal))


def _without_length(answer: web.Response) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if name.lower() not in ("content-length", "content-type")
    }
