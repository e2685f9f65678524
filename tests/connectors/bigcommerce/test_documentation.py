"""What can be set and what can be heard stands in the set-up page."""

from pathlib import Path

import pytest

from ml_connector.connectors.bigcommerce import system
from ml_connector.connectors.bigcommerce.health import CATEGORIES, PROBES
from ml_connector.connectors.bigcommerce.webhooks import SCHEMES, SECRET_HEADER

PAGE = (Path(__file__).parents[3] / "docs" / "setup" / "bigcommerce.md").read_text()


@pytest.mark.parametrize("name", [field.name for field in system.fields])
def test_every_setting_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("word", [*SCHEMES, SECRET_HEADER])
def test_every_scheme_is_explained(word: str) -> None:
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("scope", sorted({probe.scope.split(":")[0] for probe in (*PROBES, CATEGORIES)}))
def test_every_scope_is_asked_for(scope: str) -> None:
    assert f"| {scope} |" in PAGE
