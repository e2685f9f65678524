"""The published JSON schema of a configuration file, for editors and other tools (`ml-connector config schema`).

What only the whole can say (names that exist, sides, tags) is checked when the file is read.
"""

from collections.abc import Mapping
from typing import Any

from ml_connector.config.fields import STRUCTURED
from ml_connector.config.file import ConfigFile
from ml_connector.connectors.base import Field, System

_REFERENCE = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
}
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "table": {"type": "object"},
}


def config_schema(systems: Mapping[str, System]) -> dict[str, Any]:
    """JSON schema (2020-12). Each installed system adds the settings and credentials that its connections have."""
    schema = ConfigFile.model_json_schema(by_alias=True)
    connection = schema["$defs"]["ConnectionEntry"]
    connection["properties"]["system"] = {"enum": sorted(systems)}
    connection["allOf"] = [
        {
            "if": {"properties": {"system": {"const": system.name}}},
            "then": {"properties": {"settings": _settings(system), "credentials": _credentials(system)}},
        }
        for system in sorted(systems.values(), key=lambda system: system.name)
    ]
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "ml-connector configuration"}
    return {**schema, **about}


def _settings(system: System) -> dict[str, Any]:
    plain = {field.name: _setting(field) for field in system.fields if not field.secret}
    return {"type": "object", "additionalProperties": False, "properties": plain}


def _setting(field: Field) -> dict[str, Any]:
    about = {"title": field.title, **({"description": field.help} if field.help else {})}
    if field.name in STRUCTURED:
        return {**about, "type": ["object", "array", "string"]}
    if field.choices:
        return {**about, "enum": list(field.choices)}
    default = {} if field.default is None else {"default": field.default}
    return {**about, **_TYPES[field.type], **default}


def _credentials(system: System) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            field.name: {
                "title": field.title,
                **(_REFERENCE if field.secret else {"anyOf": [_REFERENCE, {"type": "string"}]}),
            }
            for field in system.fields
        },
    }
