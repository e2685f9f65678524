"""Refusals of the store, in the two shapes that its two API generations use."""

from collections.abc import Mapping
from typing import Any

STATUS_PAGE = "https://developer.bigcommerce.example/api-docs/getting-started/api-status-codes"


class ApiError(Exception):
    """A refusal: HTTP status and message, rendered as a v2 array or a v3 object by the path's generation.

    `body` overrides both shapes, for endpoints that answer with a shape of their own.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = dict(errors or {})
        self.headers = dict(headers or {})
        self.body = body

    def v2(self) -> Any:
        return self.body if self.body is not None else [{"status": self.status, "message": self.message}]

    def v3(self) -> Any:
        if self.body is not None:
            return self.body
        shape: dict[str, Any] = {"status": self.status, "title": self.message, "type": STATUS_PAGE}
        if self.errors or self.status == 422:
            shape["errors"] = self.errors
        return shape


def not_found() -> ApiError:
    return ApiError(404, "The requested resource was not found.")


def unprocessable(errors: Mapping[str, str], title: str = "JSON data is missing or invalid") -> ApiError:
    return ApiError(422, title, errors=errors)
