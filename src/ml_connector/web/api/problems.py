"""Whatever goes wrong below `/api` is answered as `problem+json` (RFC 9457), and says what was wanted."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from ml_connector.web.access import Forbidden, NotSignedIn, person, problem
from ml_connector.web.access.gate import Elsewhere
from ml_connector.web.access.problems import API, elsewhere, forbidden, not_signed_in


class Wrong(BaseModel):
    """A part of the request that cannot be used."""

    where: str = Field(examples=["body"], description="`path`, `query` or `body`.")
    field: str = Field(examples=["why"], description="Its name; parts below others are joined by dots.")
    message: str = Field(examples=["Say why, in 3 words at least."])


class Problem(BaseModel):
    """An answer that is no success (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"], description="The status in words.")
    status: int = Field(examples=[404])
    detail: str = Field(examples=["Nobody has heard of order 1042."], description="What was wrong, and what to do.")
    errors: list[Wrong] | None = Field(default=None, description="With 422: each part that cannot be used.")
    refused: dict[str, str] | None = Field(
        default=None, description="With 409: key of a record -> why it was left alone."
    )


class Refusal(Exception):
    """The call is not done, and nothing has changed. `facts` stand beside the members of the standard."""

    def __init__(self, status: int, detail: str, **facts: Any) -> None:
        self.status = status
        self.detail = detail
        self.facts: Mapping[str, Any] = facts
        super().__init__(detail)


def wrong_field(field: str, message: str, where: str = "body") -> Refusal:
    """422 that names the field."""
    return Refusal(422, f"{field}: {message}", errors=[{"where": where, "field": field, "message": message}])


def bad_cursor() -> Refusal:
    """400: the place in the list is none."""
    words = "`after` is none that a page has given. Leave it out to begin again, or send `next` of the page before."
    return Refusal(400, words)


async def refused(request: Request, error: Exception) -> Response:
    """As the route says it."""
    assert isinstance(error, Refusal)
    return problem(error.status, error.detail, **error.facts)


async def invalid(request: Request, error: Exception) -> Response:
    """A request that does not fit the schema. A body that is no JSON is found before anybody has asked who sends it: to
    who may not be here that is said instead."""
    assert isinstance(error, RequestValidationError)
    if not request.url.path.startswith(API):
        return await request_validation_exception_handler(request, error)
    try:
        await person(request)
    except NotSignedIn as refusal:
        return await not_signed_in(request, refusal)
    except Forbidden as refusal:
        return await forbidden(request, refusal)
    except Elsewhere as refusal:
        return await elsewhere(request, refusal)
    errors = [_wrong(each["loc"], str(each["msg"])) for each in error.errors()]
    first = errors[0]
    return problem(422, f"{first['field']}: {first['message']}", errors=errors)


def _wrong(path: Sequence[int | str], message: str) -> dict[str, str]:
    where, *parts = path
    return {
        "where": str(where),
        "field": ".".join(map(str, parts)) or str(where),
        "message": message.removeprefix("Value error, "),
    }
