"""Credentials read from where the configuration says they are. Their values appear in no message."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Final

from ml_connector.config.fields import reference_of
from ml_connector.config.file import FromEnvironment
from ml_connector.config.load import Loaded
from ml_connector.config.problems import Problem

LARGEST = 64 * 1024


class Unset(Exception):
    """A reference that leads nowhere now; the message says which."""


Values = Mapping[str, Mapping[str, str]]
"""Connection name -> credential name -> value."""

NONE: Final[Values] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Secrets:
    """The credentials that could be read, and for every other one connection, credential and what is wrong."""

    values: Values
    unread: Sequence[tuple[str, str, Problem]] = ()


def read_secrets(loaded: Loaded, environment: Mapping[str, str]) -> Secrets:
    """From where the file says they are."""
    return _each(loaded, lambda _connection, _name, written: _value(written, loaded.folder, environment))


def typed_secrets(loaded: Loaded, typed: Values) -> Secrets:
    """As a person typed them; no reference is followed, so that what was not typed stays what is stored."""

    def value(connection: str, name: str, written: object) -> str:
        given = typed.get(connection, {}).get(name, "")
        if not given.strip() and reference_of(written) is None:
            given = str(written)
        if not given.strip() or len(given) > LARGEST:
            raise Unset("is missing" if not given.strip() else "is too long for a secret")
        return given

    return _each(loaded, value)


def _each(loaded: Loaded, value: Callable[[str, str, object], str]) -> Secrets:
    values: dict[str, dict[str, str]] = {}
    unread: list[tuple[str, str, Problem]] = []
    for connection, entry in loaded.config.connections.items():
        values[connection] = {}
        for name, written in entry.credentials.items():
            try:
                values[connection][name] = value(connection, name, written)
            except Unset as error:
                path = ("connections", connection, "credentials", name)
                unread.append((connection, name, loaded.source.problem(path, str(error))))
    return Secrets(values, unread)


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
