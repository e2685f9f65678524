"""How a stand-in registers: one ``System`` value, made by the ``create`` function of its package.

``ml_connector.sandbox.<name>`` exports ``create(environment: Environment) -> System``; the runner calls it once
per process, binds a port, adds request log, faults and control API around the routes, and serves.

* ``routes``: the API exactly as the vendor serves it, paths from ``/``. A handler may trust that the body was read
  (``await request.read()`` never waits) and that it runs to its end also when the client has gone, as in a real ERP.
  Whatever it has written into its state when it returns is "committed": faults that lose the answer cut after that.
* ``states``: what ``GET /_control/state/<kind>`` shows. A reader gets the query parameters (``after``, ``limit``,
  whatever the kind understands) and returns JSON-able items (``Decimal`` and ``datetime`` are written as strings).
  ``requests`` is added by the core.
* An ERP also shows ``documents``, what was made by reference: ``{"reference", "number", "kind", "live", "total",
  "currency"}`` (``total``: of a sales document what the customer owes or gets, of an entry the sum of its debits), and
  ``rights``: ``{"name"}`` of everything that an administrator can grant. Its control routes have ``POST /withdraw``
  (``{"right"}``), ``POST /lose_sessions``, and ``POST /tamper`` (``{"reference", "amount"}``: as no ERP allows).
* ``seed``: ``POST /_control/seed`` with a JSON object; returns what it made. A ``ValueError`` is answered 400.
* ``reset``: back to the state right after start (the core clears request log and faults itself and keeps the clock).
* ``faults``: more faults, or better forms of the generic ones, by name (see ``faults.Fault``).
* ``handler_faults``: names that the core only hands to the handler, which asks
  ``faults.fault_args(request, "closed_period")`` and gets the rule's args or None.
* ``control_routes``: more control actions; paths are below ``/_control``.
* ``known``: master data that a person needs who fills in forms by hand: what it is called to what it is.
* ``start``/``stop``: background work of the stand-in (a webhook sender), inside the server's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ml_connector.sandbox.core.clock import Clock
from ml_connector.sandbox.core.faults import Fault
from ml_connector.sandbox.core.requestlog import RequestLog
from ml_connector.sandbox.core.tls import TlsMaterial

StateReader = Callable[[Mapping[str, str]], Sequence[Any]]
Seeder = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the core gives to a stand-in at start."""

    clock: Clock
    requests: RequestLog
    seed: int
    """Everything that looks random is drawn from generators seeded with this."""
    base_url: str
    """Scheme, host and port, without a trailing slash."""
    tls: TlsMaterial | None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]])

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run work in the background; it is cancelled when the sandbox stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def cancel_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _nothing() -> None:
    """No background work."""


@dataclass(frozen=True, kw_only=True)
class System:
    """One stand-in; the module's docstring says what each part means."""

    name: str
    routes: Sequence[web.AbstractRouteDef]
    credentials: Mapping[str, Any]
    states: Mapping[str, StateReader]
    seed: Seeder
    reset: Hook
    token_path: str | None = None
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    faults: Mapping[str, Fault] = field(default_factory=dict[str, Fault])
    handler_faults: frozenset[str] = frozenset()
    control_routes: Sequence[web.AbstractRouteDef] = ()
    middlewares: Sequence[Any] = ()
    """aiohttp middlewares of the system (authentication, quota), inside the faults and the log, not around control."""
    start: Hook = _nothing
    stop: Hook = _nothing


Creator = Callable[[Environment], System]
