"""Puts the API into the application, with its description at `/api/v1/openapi.json`."""

from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi

from ml_connector.flows.runtime import Runtime
from ml_connector.web.api import (
    alerts,
    audit,
    configured,
    connections,
    holds,
    mapping,
    overview,
    plans,
    reconciliation,
    record,
    records,
    users,
)
from ml_connector.web.api.parts import Api, Looks
from ml_connector.web.api.problems import Problem, Refusal, invalid, refused

VERSION = "v1"
PREFIX = f"/api/{VERSION}"
_ABOUT = """What the console shows and does, for programs. Send a token as `Authorization: Bearer mlc_...`; it may what
its role may. Amounts are decimal numbers as text with their currency; moments have their offset. Lists are cut by key:
send `next` of a page as `after` to get the following one. Whatever is no success is `application/problem+json`."""
_STATUSES = {
    400: "The cursor is none.",
    401: "No token, or one that is not valid now.",
    403: "The role may not.",
    404: "There is none of that name.",
    409: "Refused; nothing has changed.",
    412: "It is at another version than `If-Match` says.",
    422: "The request does not fit; `errors` names the fields.",
    428: "`If-Match` is wanted.",
    503: "The database is away; try again.",
}

router = APIRouter(prefix=PREFIX)


@router.get("/openapi.json", include_in_schema=False)
async def description(person: Looks) -> dict[str, Any]:
    """The API in OpenAPI."""
    return _described()


for _each in (
    overview,
    records,
    record,
    holds,
    plans,
    reconciliation,
    audit,
    alerts,
    users,
    configured,
    connections,
    mapping,
):
    router.include_router(_each.router)


def mount(app: FastAPI, runtime: Runtime) -> None:
    """After access is installed."""
    app.state.api = Api(runtime)
    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.include_router(router)


@cache
def _described() -> dict[str, Any]:
    made = get_openapi(title="ml-connector", version=VERSION, description=_ABOUT, routes=router.routes)
    schemas = made["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    shape = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(shape.pop("$defs", {}))
    schemas["Problem"] = shape
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems = {str(status): {"description": words, "content": content} for status, words in _STATUSES.items()}
    for methods in made["paths"].values():
        for operation in methods.values():
            operation["responses"] = {**operation["responses"], **problems}
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"token": []}]
    return made
