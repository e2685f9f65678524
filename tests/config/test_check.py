"""The synthetic check is for pairs without real books."""

import copy
from io import StringIO
from typing import Any

import pytest
from ruamel.yaml import YAML

from ml_connector.config.load import load_text
from ml_connector.config.problems import ConfigError
from ml_connector.connectors.systems import systems
from ml_connector.engine.registry import CheckSettings, Connection, Integration
from ml_connector.flows.checking import refused
from tests.config.examples import EXAMPLE


def text_with(check: dict[str, Any], *, sandbox: bool) -> str:
    content: Any = copy.deepcopy(YAML().load(EXAMPLE.read_text()))
    for connection in content["connections"].values():
        connection["sandbox"] = sandbox
    content["integrations"]["us-store"]["check"] = check
    written = StringIO()
    YAML().dump(content, written)
    return written.getvalue()


@pytest.mark.parametrize(("check", "sandbox"), [({"enabled": True, "staging": True}, False), ({"enabled": True}, True),
                                                ({"enabled": False}, False)])  # fmt: skip
def test_test_pairs_are_checked(check: dict[str, Any], sandbox: bool) -> None:
    loaded = load_text(text_with(check, sandbox=sandbox), "x.yaml", systems())
    assert loaded.config.integrations["us-store"].check.enabled is check["enabled"]


def test_a_check_of_real_books_is_refused_when_it_is_configured() -> None:
    with pytest.raises(ConfigError, match="set `staging: true` if no real books are behind this pair"):
        load_text(text_with({"enabled": True}, sandbox=False), "x.yaml", systems())


class Pair:
    """What the run itself looks at, whatever the configuration said."""

    def __init__(self, *, store: bool, erp: bool) -> None:
        self.store = Connection(1, "shop", "bigcommerce", store, 0)
        self.erp = Connection(2, "erp", "s4hana", erp, 0)
        self.integration = Integration(1, "x", 1, 2, "S1", True, 0)


@pytest.mark.parametrize(("store", "erp"), [(True, False), (False, True), (False, False)])
def test_the_run_refuses_again(store: bool, erp: bool) -> None:
    pair: Any = Pair(store=store, erp=erp)
    assert "real books" in refused(pair, CheckSettings(enabled=True))
    assert refused(pair, CheckSettings(enabled=True, staging=True)) == ""


def test_two_sandboxes_are_a_test_pair() -> None:
    pair: Any = Pair(store=True, erp=True)
    assert refused(pair, CheckSettings(enabled=True)) == ""
