"""The web application: webhook intake, health, metrics, and behind `web.access` what people see.

No answer to a stranger carries anything of the inside.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ml_connector.engine.metrics import CONTENT_TYPE
from ml_connector.engine.migrations import head, revision
from ml_connector.flows.runtime import Runtime
from ml_connector.web import api
from ml_connector.web.access import Access, Settings, install, let_in_by_token, problem
from ml_connector.web.access.problems import API, defect, nowhere
from ml_connector.web.console.frame import environment
from ml_connector.web.console.mount import mount
from ml_connector.web.doors import Doors
from ml_connector.web.hooks import Hooks
from ml_connector.web.intake import Intake
from ml_connector.web.refusals import Refusals

READY_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of. `runtime`: contexts and connectors, as the worker has them."""

    runtime: Runtime
    settings: Settings = field(default_factory=Settings)


def build(parts: Parts) -> FastAPI:
    """The ASGI application."""
    runtime = parts.runtime
    intake = Intake(runtime.database)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        intake.start()
        yield
        await pages.streams.close()
        await intake.close()

    app = FastAPI(
        title="ml-connector",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )
    install(app, Access(runtime.database, runtime.vault, environment(), parts.settings))
    pages = mount(app, runtime)
    api.mount(app, runtime)
    doors, refusals = Doors(runtime.registry, runtime.connector), Refusals(runtime.audit, runtime.metrics)
    hooks = Hooks(doors, intake, refusals, runtime.metrics)
    health = Health(parts)
    app.add_route("/hooks/{connection:path}", hooks.receive, methods=["POST"])
    app.add_route("/healthz", health.alive, methods=["GET"])
    app.add_route("/readyz", health.ready, methods=["GET"])
    app.add_route("/metrics", health.metrics, methods=["GET"])
    return app


class Health:
    """What a load balancer and a monitoring system ask."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._head = head()

    async def alive(self, request: Request) -> Response:
        """The process answers. Says nothing about anything else, so that an outage of the database restarts nobody."""
        return JSONResponse({"status": "up"})

    async def ready(self, request: Request) -> Response:
        """The database answers and has the shape that this program needs."""
        try:
            async with asyncio.timeout(READY_WITHIN_S), self._parts.runtime.database.connect() as connection:
                found = await connection.run_sync(revision)
        except (SQLAlchemyError, OSError, TimeoutError):
            return JSONResponse({"status": "not ready", "waits_for": "database"}, HTTPStatus.SERVICE_UNAVAILABLE)
        if found != self._head:
            return JSONResponse({"status": "not ready", "waits_for": "migration"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format. Without the database: what this process knows, and `ml_connector_database_up 0`."""
        if self._parts.settings.private_metrics and not await let_in_by_token(request):
            return problem(HTTPStatus.UNAUTHORIZED, "Send a token.", headers={"WWW-Authenticate": "Bearer"})
        await self._parts.runtime.metrics.try_refresh(self._parts.runtime.database, within_s=READY_WITHIN_S)
        return Response(self._parts.runtime.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


async def _refused(request: Request, error: Exception) -> Response:
    """Unknown paths and methods: the status alone, below `/api` as a problem, for a browser as a page."""
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    if request.url.path.startswith(API):
        return problem(status, "No call of the API fits this path, method or body.", headers=_headers(error))
    return nowhere(request) if status == HTTPStatus.NOT_FOUND else Response(status_code=status, headers=_headers(error))


def _headers(error: Exception) -> dict[str, str]:
    return dict(getattr(error, "headers", None) or {})


async def _failed(request: Request, error: Exception) -> Response:
    """Our own defect: a page for a browser, else the status; the log has the rest."""
    if request.url.path.startswith(API):
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This is a defect of ml-connector; its log says more.")
    return defect(request)
