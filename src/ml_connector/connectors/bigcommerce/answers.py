"""What an answer of the store means: its words in both error bodies, its error class, its quota. Pure.

Sources: "API Status Codes", "API Rate Limits" and the error examples of the Orders v2 and v3 references.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from ml_connector.connectors.base import Quota
from ml_connector.connectors.errors import (
    Conflict,
    ConnectorError,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
)
from ml_connector.connectors.http_answer import json_of, seconds

SYSTEM = "bigcommerce"

_NOT_ACCEPTED = (
    "the store does not accept the access token for this store hash; create a store-level API account "
    "(Settings, Store-level API accounts) and enter its token and hash"
)
_NO_RIGHT = (
    "the API account may not do this: a scope is missing (scopes of an account cannot be changed: create a new one), "
    "the store's plan does not have the feature, or the base URL is wrong"
)
_MOVED = "the base URL answers with a redirect; it must be the host of the API by HTTPS"
_DEFECT = "the store refuses the form of our request, which is a defect of ml-connector; please report it"


def quota_from(headers: Mapping[str, str]) -> Quota | None:
    """The quota that an answer states, if it states one completely and in figures that can be meant."""
    limit, left = (_count(headers.get(f"X-Rate-Limit-Requests-{name}", "")) for name in ("Quota", "Left"))
    reset_s = seconds(headers.get("X-Rate-Limit-Time-Reset-Ms", ""), 1000)
    if limit is None or left is None or reset_s is None:
        return None
    return Quota(limit, left, reset_s)


def _count(told: str) -> int | None:
    """A number of calls; a store may say that more were made than are allowed."""
    return int(told) if re.fullmatch(r"-?[0-9]{1,9}", told) else None


def wait_s(headers: Mapping[str, str]) -> float | None:
    """How long an answer 429 asks to wait; None when it does not say (load of the platform, or a concurrency cap)."""
    for name, unit in (("X-Rate-Limit-Time-Reset-Ms", 1000), ("X-Retry-After", 1), ("Retry-After", 1)):
        if (told := seconds(headers.get(name, ""), unit)) is not None:
            return told
    return None


def words_of(body: bytes) -> str:
    """The store's own words in a v2 or v3 error body, one line; empty when there are none."""
    try:
        return "; ".join(_words(json_of(body)))[:1000]
    except ValueError:
        return ""


def _words(told: Any) -> list[str]:
    if isinstance(told, list):  # v2: [{"status", "message"}]
        return [words for entry in cast(list[Any], told) for words in _words(entry)]
    if not isinstance(told, dict):
        return []
    facts = cast(dict[str, Any], told)
    found = [str(facts[name]) for name in ("title", "message", "detail", "error") if facts.get(name)]
    errors = facts.get("errors")
    if isinstance(errors, dict):  # v3: {"title", "errors": {field: words}}
        found += [f"{name}: {words}" for name, words in cast(dict[str, Any], errors).items()]
    if isinstance(facts.get("data"), list):  # refunds: {"data": [{"status", "title"}]}
        found += _words(facts["data"])
    return found


Maker = Callable[..., ConnectorError]

# Status of an answer to the class of error and, where our words help more than the store's, those words.
_BY_STATUS: Mapping[int, tuple[Maker, str]] = {
    400: (Rejected, ""),
    401: (Unauthorized, _NOT_ACCEPTED),
    403: (Unauthorized, _NO_RIGHT),
    404: (Rejected, "the store does not know it"),
    405: (Rejected, _DEFECT),
    406: (Rejected, _DEFECT),
    408: (Transient, ""),
    409: (Conflict, ""),
    413: (Rejected, _DEFECT),
    415: (Rejected, _DEFECT),
    422: (Rejected, ""),
    423: (Transient, ""),
    507: (Rejected, "the store's plan has no room left for this"),
}


def failure(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str, request_id: str = ""
) -> ConnectorError | None:
    """The error that an answer is, None for 2xx. `what`: the call, e.g. `GET /v2/orders/7`.

    A 5xx is `Transient`: every read and every write of this connector may be repeated (writes are absolute values).
    """
    if 200 <= status < 300:
        return None
    told = words_of(body)
    if status == 429:
        error: ConnectorError = Throttled(
            _sentence(what, "asks us to slow down", told), retry_after_s=wait_s(headers), status=status
        )
    else:
        make, ours = _BY_STATUS.get(status, _by_range(status))
        error = make(_sentence(what, ours, told), status=status)
    error.system = SYSTEM
    error.request_id = request_id
    return error


def _by_range(status: int) -> tuple[Maker, str]:
    if status >= 499:
        return Transient, "the store cannot answer now"
    if 300 <= status < 400:
        return Unauthorized, _MOVED
    return Rejected, ""


def _sentence(what: str, ours: str, told: str) -> str:
    said = f"it says: {told}" if told else ""
    return f"{what}: {'; '.join(filter(None, (ours, said))) or 'refused without words'}"
