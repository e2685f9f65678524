"""The example configuration as tests bend it, and the environment that it names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ml_connector.config.export import as_yaml
from ml_connector.config.load import Loaded, load_text
from ml_connector.config.setup import Setup
from ml_connector.connectors.systems import systems

EXAMPLE = Path(__file__).parents[2] / "examples" / "store-to-s4hana.yaml"
TEXT = EXAMPLE.read_text()

ENVIRONMENT = {
    "BC_ACCESS_TOKEN": "tok-4f9e2c1b7a",
    "BC_CLIENT_ID": "client-77aa",
    "BC_CLIENT_SECRET": "csecret-91bd44f0",
    "BC_WEBHOOK_SECRET": "whsec-5d1c9e7712",
    "S4_CLIENT_ID": "BCCONNECT",
    "S4_CLIENT_SECRET": "s4secret-0c2b6ad1",
}
SECRETS = tuple(value for name, value in ENVIRONMENT.items() if not name.endswith("CLIENT_ID"))


def data() -> Any:
    """The example's values, to be changed."""
    return YAML(typ="safe").load(TEXT)


def loaded(change: Callable[[Any], object] | None = None) -> Loaded:
    """The example, changed, as `config apply` reads it."""
    content = data()
    if change is not None:
        change(content)
    for policy in (entry["policy"] for entry in content["integrations"].values()):
        policy["posting.cut_over"] = str(policy.get("posting.cut_over", ""))
    for connection in content["connections"].values():
        for name in ("open_from", "open_to"):
            if name in connection["settings"]:
                connection["settings"][name] = str(connection["settings"][name])
    return load_text(as_yaml(Setup(content["connections"], content["integrations"])), "test.yaml", systems())
