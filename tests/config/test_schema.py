"""The published JSON schema accepts the example and refuses what the program refuses."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ml_connector.config.schema import config_schema
from ml_connector.config.source import read_source
from ml_connector.connectors.systems import systems
from tests.config.examples import TEXT


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = config_schema(systems())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def example() -> Any:
    return read_source(TEXT, "example").data


def test_the_example_fits_the_schema(validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(example())] == []


def _plain_secret(data: Any) -> None:
    data["connections"]["web-store"]["credentials"]["access_token"] = "sk_live_1"


def _unknown_setting(data: Any) -> None:
    data["connections"]["ledger"]["settings"]["companycode"] = "1710"


def _wrong_choice(data: Any) -> None:
    data["connections"]["web-store"]["settings"]["webhook_scheme"] = "none"


def _unknown_policy(data: Any) -> None:
    data["integrations"]["us-store"]["policy"]["posting.triger"] = "capture"


def _no_tag(data: Any) -> None:
    del data["integrations"]["us-store"]["policy"]["reference.tag"]


def _unknown_role(data: Any) -> None:
    data["integrations"]["us-store"]["mapping"]["accounts"]["receivables"] = "1"


@pytest.mark.parametrize(
    "spoil", [_plain_secret, _unknown_setting, _wrong_choice, _unknown_policy, _no_tag, _unknown_role]
)
def test_the_schema_refuses_what_the_program_refuses(validator: Draft202012Validator, spoil: Any) -> None:
    data = example()
    spoil(data)
    assert list(validator.iter_errors(data))
