"""What a status and a body mean for the engine."""

import pytest

from ml_connector.connectors.base import Quota
from ml_connector.connectors.bigcommerce.answers import failure, quota_from, wait_s, words_of
from ml_connector.connectors.errors import Conflict, ConnectorError, Rejected, Throttled, Transient, Unauthorized

V2_BODY = b"""[{"status":400,"message":"The field 'item_total' cannot be written to."}]"""
V3_BODY = b'{"status":422,"title":"JSON data is missing or invalid","type":"x","errors":{"destination":"error.path"}}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Unauthorized),
        (400, Rejected),
        (401, Unauthorized),
        (403, Unauthorized),
        (404, Rejected),
        (409, Conflict),
        (413, Rejected),
        (415, Rejected),
        (422, Rejected),
        (423, Transient),
        (429, Throttled),
        (499, Transient),
        (500, Transient),
        (502, Transient),
        (503, Transient),
        (504, Transient),
        (507, Rejected),
        (418, Rejected),
    ],
)
def test_status_decides_the_class(status: int, kind: type[ConnectorError]) -> None:
    error = failure(status, {}, V3_BODY, what="GET /v3/hooks", request_id="r1")
    assert type(error) is kind
    assert error.status == status
    assert error.request_id == "r1"
    assert "GET /v3/hooks" in str(error)
    assert "JSON data is missing or invalid" in str(error)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 207])
def test_success_is_no_error(status: int) -> None:
    assert failure(status, {}, b"", what="GET /v2/orders") is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (V2_BODY, "The field 'item_total' cannot be written to."),
        (V3_BODY, "JSON data is missing or invalid; destination: error.path"),
        (b'{"data":[{"status":422,"title":"Invalid split"}]}', "Invalid split"),
        (b'{"data":[{"order_id":1,"status":503,"error":"Tax service gone away"}],"meta":{}}', "Tax service gone away"),
        (b'{"title":"Bad","errors":["x"]}', "Bad"),
        (b'"text"', ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_the_words_of_both_error_bodies(body: bytes, words: str) -> None:
    assert words_of(body) == words


def test_throttled_says_how_long() -> None:
    error = failure(429, {"X-Rate-Limit-Time-Reset-Ms": "1500"}, b"", what="GET /v2/orders")
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 1.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"X-Retry-After": "7"}, 7.0), ({"Retry-After": "3"}, 3.0), ({"Retry-After": "soon"}, None)],
)
def test_a_429_without_quota_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_s(headers) == seconds


def test_quota_is_read_only_when_it_is_complete() -> None:
    headers = {
        "X-Rate-Limit-Requests-Quota": "150",
        "X-Rate-Limit-Requests-Left": "149",
        "X-Rate-Limit-Time-Reset-Ms": "29500",
    }
    assert quota_from(headers) == Quota(limit=150, left=149, reset_s=29.5)
    assert quota_from(headers | {"X-Rate-Limit-Requests-Left": "many"}) is None
    assert quota_from({}) is None
