"""A connection's settings and credentials against what its system declares."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, cast

from ml_connector.config.file import CREDENTIAL_FORMS, ConnectionEntry, FromEnvironment, FromFile
from ml_connector.config.problems import Path, did_you_mean
from ml_connector.connectors.base import Field, System

Finding = tuple[Path, str]
"""A path below the connection, and what is wrong there."""

_NESTED = {"document_types": "document_type_", "customer_defaults": "customer_"}
"""Groups that a file may write as a table: each entry is the declared field of that prefix."""

_LISTS = frozenset({"tax_groups"})
STRUCTURED = frozenset({*_NESTED, *_LISTS})
"""Settings whose value is a table or a list."""


def check_fields(entry: ConnectionEntry, system: System) -> Iterator[Finding]:
    """What is unknown, missing, of the wrong type, or a secret in plain text."""
    declared = {field.name: field for field in system.fields}
    yield from _settings(entry.settings, declared)
    yield from _credentials(entry.credentials, declared)
    for field in system.fields:
        if field.required and not _given(field, entry):
            section = "credentials" if field.secret else "settings"
            form = f" as {CREDENTIAL_FORMS}" if field.secret else ""
            yield (section,), f"{field.name} ({field.title}) is missing; give it under {section}{form}"


def reference_of(value: Any) -> FromEnvironment | FromFile | None:
    """The reference that a credential is written as; None for anything else."""
    if not isinstance(value, Mapping) or len(value) != 1:  # pyright: ignore[reportUnknownArgumentType]
        return None
    for form in (FromEnvironment, FromFile):
        try:
            return form.model_validate(value)
        except ValueError:
            continue
    return None


def _settings(given: Mapping[str, Any], declared: Mapping[str, Field]) -> Iterator[Finding]:
    for name, value in given.items():
        field, path = declared.get(name), ("settings", name)
        if name in _NESTED and isinstance(value, Mapping):
            yield from _group(name, cast("Mapping[str, Any]", value), declared)
        elif name in _LISTS and isinstance(value, list):
            continue  # its entries are checked where they are read
        elif field is None:
            plain = [n for n, f in declared.items() if not f.secret]
            yield path, f"{name!r} is not a setting of this system{did_you_mean(name, plain)}"
        elif field.secret:
            yield path, f"is a secret: give it under credentials, as {CREDENTIAL_FORMS}"
        else:
            yield from ((path, message) for message in _wrong(value, field))


def _group(name: str, given: Mapping[str, Any], declared: Mapping[str, Field]) -> Iterator[Finding]:
    prefix = _NESTED[name]
    known = [other.removeprefix(prefix) for other in declared if other.startswith(prefix) and other not in _NESTED]
    for part, value in given.items():
        field = declared.get(f"{prefix}{part}")
        if field is None and prefix == "document_type_":
            yield ("settings", name, part), f"{part!r} is not known here{did_you_mean(part, known)}"
        else:
            yield from ((("settings", name, part), message) for message in (_wrong(value, field) if field else ()))


def _credentials(given: Mapping[str, Any], declared: Mapping[str, Field]) -> Iterator[Finding]:
    for name, value in given.items():
        field, path = declared.get(name), ("credentials", name)
        if field is None:
            yield path, f"{name!r} is not a credential of this system{did_you_mean(name, declared)}"
        elif reference_of(value) is not None:
            continue
        elif field.secret and isinstance(value, str):
            yield (
                path,
                f"a secret must not stand in this file: put it into the environment or a file, and write {_hint(name)}",
            )
        elif not isinstance(value, str):
            yield path, f"must be {CREDENTIAL_FORMS}, e.g. {_hint(name)}"


def _hint(name: str) -> str:
    return f"{{env: {name.upper()}}} or {{file: /run/secrets/{name}}}"


def _given(field: Field, entry: ConnectionEntry) -> bool:
    if field.name in entry.credentials:
        return True
    value = entry.settings.get(field.name)
    return value is not None and value != ""


def _wrong(value: Any, field: Field) -> Iterator[str]:
    if value is None:
        return
    message = _TYPES[field.type](value)
    if message:
        yield message
    elif field.choices and str(value) not in field.choices:
        yield f"{value!r} is not one of {', '.join(field.choices)}{_close(str(value), field)}"


def _close(value: str, field: Field) -> str:
    hint = did_you_mean(value, field.choices)
    return hint if "did you mean" in hint else ""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return ""
    return f"must be text; write it in quotes: '{value}'" if not isinstance(value, list | dict) else "must be text"


def _integer(value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) else "must be a whole number"


def _boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _date(value: Any) -> str:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return "must be a date like 2026-01-31, or left out"
    return ""


def _table(value: Any) -> str:
    """What its entries may be is the connector's to say."""
    return "" if isinstance(value, dict) else "must be a table: {NAME: VALUE, ...}"


_TYPES: Mapping[str, Callable[[Any], str]] = {
    "text": _text,
    "integer": _integer,
    "boolean": _boolean,
    "date": _date,
    "table": _table,
}
