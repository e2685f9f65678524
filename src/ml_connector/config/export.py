"""What is configured now, written as the file that would make it so: applied again, it changes nothing."""

from collections.abc import Mapping
from io import StringIO
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from ml_connector.config.setup import Setup

_LOOKS_LIKE_SOMETHING_ELSE = frozenset({"true", "false", "yes", "no", "on", "off", "null", "~"})


def as_data(setup: Setup) -> dict[str, Any]:
    """The file's values: for `--json`, and what `as_yaml` writes."""
    return {
        "version": 1,
        "connections": {name: dict(entry) for name, entry in sorted(setup.connections.items())},
        "integrations": {name: dict(entry) for name, entry in sorted(setup.integrations.items())},
    }


def as_yaml(setup: Setup) -> str:
    """The file. Texts that look like numbers are quoted, so that account numbers stay what they are."""
    writer: Any = YAML()
    writer.default_flow_style = False
    writer.width = 120
    writer.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    writer.dump(_quoted(as_data(setup)), out)
    return out.getvalue()


def _quoted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _quoted(item) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_quoted(item) for item in cast("list[Any]", value)]
    if isinstance(value, str) and (value[:1].isdigit() or value.lower() in _LOOKS_LIKE_SOMETHING_ELSE):
        return SingleQuotedScalarString(value)
    return value
