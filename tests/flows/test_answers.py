"""From what happened to the outcome of a record: every error class has one, and none loses the system's words."""

import inspect

import pytest

from ml_connector.connectors import errors
from ml_connector.connectors.errors import ConnectorError
from ml_connector.engine.runs import Again, Fail, Hold
from ml_connector.flows.answers import TRANSIENT_FLOOR_S, outcome_of_error

CLASSES = [
    each for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, ConnectorError) and each is not ConnectorError
]  # fmt: skip
WANTED: dict[type[ConnectorError], type] = {
    errors.Unreachable: Fail,
    errors.Transient: Fail,
    errors.Throttled: Fail,
    errors.Uncertain: Fail,
    errors.Unauthorized: Hold,
    errors.UnsafeAddress: Hold,
    errors.Rejected: Hold,
    errors.Conflict: Again,
    errors.NotSent: Again,
}


def test_every_error_of_a_connector_has_an_outcome() -> None:
    assert set(CLASSES) == WANTED.keys()


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_outcome_keeps_the_words(kind: type[ConnectorError]) -> None:
    outcome = outcome_of_error(kind("the words", system="ERP", status=418), connection=7, epoch=3)
    assert isinstance(outcome, WANTED[kind])
    words = {Fail: "error", Hold: "message", Again: "why"}[type(outcome)]
    assert getattr(outcome, words) == "ERP: the words (status 418)"


@pytest.mark.parametrize("kind", [errors.Unauthorized, errors.UnsafeAddress])
def test_a_hold_of_the_connection_ends_with_its_repair_alone(kind: type[ConnectorError]) -> None:
    outcome = outcome_of_error(kind("no"), connection=7, epoch=3)
    assert isinstance(outcome, Hold)
    assert (outcome.kind, outcome.key, outcome.connection, outcome.connection_epoch) == ("connection", "7", 7, 3)
    assert not outcome.wakes  # another mark cannot repair a password


def test_a_throttle_waits_as_long_as_the_system_says_and_counts_no_attempt() -> None:
    said = outcome_of_error(errors.Throttled("slowly", retry_after_s=17.0), connection=1, epoch=0)
    silent = outcome_of_error(errors.Throttled("slowly"), connection=1, epoch=0)
    assert isinstance(said, Fail)
    assert isinstance(silent, Fail)
    assert (said.floor_s, silent.floor_s) == (17.0, TRANSIENT_FLOOR_S)
    assert not said.counts
