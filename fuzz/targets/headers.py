"""What headers and error bodies say: how long to wait, how much is left, what went wrong. Always finite, never long."""

from typing import Any

from fuzz.target import Target
from fuzz.wire import document, response_of
from ml_connector.connectors.bigcommerce.answers import failure, quota_from, wait_s
from ml_connector.connectors.errors import ConnectorError, Throttled
from ml_connector.connectors.http_answer import LONGEST_WAIT_S
from ml_connector.connectors.odata_errors import failure_of
from ml_connector.engine.pace import Pace
from ml_connector.engine.runs import Fail
from ml_connector.flows.answers import outcome_of_error

NOW = 1_772_637_600.0


def _sane(seconds: float | None) -> None:
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT_S, seconds


def _judge(error: ConnectorError) -> None:
    assert error.message
    str(error).encode("utf-8", "surrogateescape")
    if isinstance(error, Throttled):
        _sane(error.retry_after_s)
    outcome: Any = outcome_of_error(error, connection=1, epoch=1)
    if isinstance(outcome, Fail):
        _sane(outcome.floor_s)


def run(data: bytes) -> None:
    """`{"status": 429, "headers": {"Retry-After": "5"}, "body": ...}`"""
    response = response_of(document(data))
    _sane(response.retry_after_s(NOW))
    _sane(wait_s(response.headers))
    quota = quota_from(response.headers)
    if quota is not None:
        pace = Pace()
        pace.observe(quota, NOW)
        for priority in ("orders", "catalogue", "background"):
            _sane(pace.delay(priority, NOW))  # type: ignore[arg-type]
    refused = failure(response.status, response.headers, response.body, what="GET /v2/orders")
    if refused is not None:
        _judge(refused)
    if response.status >= 400:
        for write in (False, True):
            _judge(failure_of(response, system="S/4HANA", service="CUBE", scenario="SAP_COM_0303", write=write))


TARGET = Target("headers", "waits, quotas and errors out of headers and bodies", "json", run, ())
