"""Credentials read from where the configuration says they are. Their values appear in no message."""

from collections.abc import Mapping
from pathlib import Path as FilePath

from ml_connector.config.fields import reference_of
from ml_connector.config.file import FromEnvironment
from ml_connector.config.load import Loaded
from ml_connector.config.problems import Problem

LARGEST = 64 * 1024


class Unset(Exception):
    """A reference that leads nowhere now; the message says which."""


Values = Mapping[str, Mapping[str, str]]
"""Connection name -> credential name -> value."""


def read_secrets(
    loaded: Loaded, environment: Mapping[str, str]
) -> tuple[dict[str, dict[str, str]], list[tuple[str, str, Problem]]]:
    """Every credential that can be read, and a problem (with connection and credential name) for every other."""
    values: dict[str, dict[str, str]] = {}
    problems: list[tuple[str, str, Problem]] = []
    for connection, entry in loaded.config.connections.items():
        values[connection] = {}
        for name, written in entry.credentials.items():
            try:
                values[connection][name] = _value(written, loaded.folder, environment)
            except Unset as error:
                path = ("connections", connection, "credentials", name)
                problems.append((connection, name, loaded.source.problem(path, str(error))))
    return values, problems


def _value(written: object, folder: FilePath, environment: Mapping[str, str]) -> str:
    reference = reference_of(written)
    if reference is None:
        return str(written)
    if isinstance(reference, FromEnvironment):
        value = environment.get(reference.env, "")
        if not value.strip():
            raise Unset(f"the environment variable {reference.env} is not set")
        return value
    path = folder / reference.file
    try:
        with path.open(encoding="utf-8") as file:
            value = file.read(LARGEST + 1).removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Unset(f"the file {path} cannot be read: {words}") from None
    if not value.strip() or len(value) > LARGEST:
        raise Unset(f"the file {path} is {'empty' if not value.strip() else 'too large for a secret'}")
    return value
