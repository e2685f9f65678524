"""A request to the OData server and its answer, apart from HTTP, so that a batch can carry many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from ml_connector.sandbox.s4hana.odata.errors import bad_request


@dataclass(frozen=True)
class ODataRequest:
    """``path`` is relative to the service root and percent-encoded; header names are lower case."""

    method: str
    service: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: str
    language: str
    faults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    def payload(self) -> dict[str, Any]:
        """The JSON object of a write. Raises ``ODataError`` 400/415."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip()
        if content_type != "application/json":
            raise bad_request(f"The stand-in reads application/json, not {content_type or 'a body without a type'}")
        try:
            loaded = json.loads(self.body, parse_float=Decimal)
        except ValueError as error:
            raise bad_request(f"Error while parsing a JSON stream: {error}") from error
        if not isinstance(loaded, dict):
            raise bad_request("Error while parsing a JSON stream: an object is expected")
        return cast("dict[str, Any]", loaded)


@dataclass(frozen=True)
class ODataResponse:
    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> ODataResponse:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return ODataResponse(
        status, body, "application/json;charset=utf-8", {"dataserviceversion": "2.0", **(headers or {})}
    )


def children_of(value: Any) -> list[dict[str, Any]]:
    """The entities below a navigation in a payload: one, or a list, also in ``results``. Raises ``ODataError`` 400."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        value = table.get("results", [table])
    if not isinstance(value, list):
        raise bad_request("Error while parsing a JSON stream: an entity or a list of entities is expected")
    children = cast("list[Any]", value)
    if not all(isinstance(child, dict) for child in children):
        raise bad_request("Error while parsing a JSON stream: an entity is expected")
    return cast("list[dict[str, Any]]", children)
