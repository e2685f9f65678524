"""A configuration file, read and checked whole: every problem at once, each with file, line and column.

Nothing here touches the database or a system; secrets are not read yet (`config.secrets`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ml_connector.config.fields import check_fields
from ml_connector.config.file import ConfigFile, ConnectionEntry, IntegrationEntry
from ml_connector.config.places import Place, place_of
from ml_connector.config.policy import KEYS, PolicyError, policy_from
from ml_connector.config.problems import ConfigError, Path, Problem, did_you_mean
from ml_connector.config.served import unserved_choices
from ml_connector.config.source import Source, read_source
from ml_connector.connectors.base import System

Systems = Mapping[str, System]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked configuration and where it was written. `folder`: what relative secret files are relative to."""

    config: ConfigFile
    source: Source
    folder: FilePath


def load_file(path: FilePath, systems: Systems) -> Loaded:
    """Raises `ConfigError` with everything that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), 1, 1, "", "the file is not UTF-8 text")]) from error
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, 1, "", f"the file cannot be read: {error.strerror}")]) from error
    return load_text(text, str(path), systems, folder=path.parent)


def load_text(text: str, file: str, systems: Systems, *, folder: FilePath | None = None) -> Loaded:
    """As `load_file`; `file` is the name in messages."""
    return checked(read_source(text, file), systems, folder=folder)


def checked(source: Source, systems: Systems, *, folder: FilePath | None = None) -> Loaded:
    """A configuration whose values are known, checked as a file is. Raises `ConfigError`."""
    try:
        config = ConfigFile.model_validate(source.data)
    except ValidationError as error:
        raise ConfigError(_in_words(source, details) for details in error.errors()) from None
    problems = [source.problem(path, message) for path, message in _check(config, systems)]
    if problems:
        raise ConfigError(problems)
    return Loaded(config, source, folder or FilePath())


Finding = tuple[Path, str]


def _check(config: ConfigFile, systems: Systems) -> Iterator[Finding]:
    for name, connection in config.connections.items():
        yield from (((("connections", name, *path)), message) for path, message in _connection(connection, systems))
    for name, integration in config.integrations.items():
        at = ("integrations", name)
        yield from (((*at, *path), message) for path, message in _sides(integration, config, systems))
        yield from (((*at, "policy", *path), message) for path, message in _policy(integration.policy))
        yield from (((*at, "policy", *path), message) for path, message in _unserved(integration, config, systems))
    yield from _tags(config)
    yield from _twice(config)


def _connection(entry: ConnectionEntry, systems: Systems) -> Iterator[Finding]:
    system = systems.get(entry.system)
    if system is None:
        yield ("system",), f"no system is called {entry.system!r}{did_you_mean(entry.system, systems)}"
        return
    if not entry.sandbox and urlsplit(entry.base_url).scheme != "https":
        yield ("base_url",), "must begin with https://; plain HTTP is for connections with `sandbox: true`"
    if not entry.sandbox and entry.timing.model_fields_set:
        yield ("timing",), "is for connections with `sandbox: true`: elsewhere exactly-once rests on the usual figures"
    yield from check_fields(entry, system)


def _sides(entry: IntegrationEntry, config: ConfigFile, systems: Systems) -> Iterator[Finding]:
    for side, name in (("store", entry.store), ("erp", entry.erp)):
        connection = config.connections.get(name)
        if connection is None:
            yield (side,), f"no connection is called {name!r}{did_you_mean(name, config.connections)}"
            continue
        system = systems.get(connection.system)
        if system is not None and system.side != side:
            wanted = "a store" if side == "store" else "an ERP"
            yield (side,), f"{name!r} is a connection to {system.title}, which is not {wanted}"
    store = config.connections.get(entry.store)
    both = [config.connections[name] for name in (entry.store, entry.erp) if name in config.connections]
    if entry.check.enabled and not entry.check.staging and not all(connection.sandbox for connection in both):
        yield ("check", "enabled"), "is for sandboxes: set `staging: true` if no real books are behind this pair"
    if entry.webhook_url:
        if not entry.webhook_url.startswith("https://") and not (store and store.sandbox):
            yield ("webhook_url",), "must begin with https://"
        if not urlsplit(entry.webhook_url).path.endswith(f"/hooks/{entry.store}"):
            yield ("webhook_url",), f"must end in /hooks/{entry.store}, where deliveries of that connection arrive"


def _policy(written: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in written.items():
        key = KEYS.get(name)
        if key is None:
            yield (name,), f"is not a policy key{did_you_mean(name, KEYS)}"
            continue
        try:
            key.parse(value)
        except ValueError as error:
            yield (name,), str(error)
    if "reference.tag" not in written:
        yield (), "reference.tag is missing: 2 or 3 characters, unique per store and ERP company, e.g. S1"


def _unserved(entry: IntegrationEntry, config: ConfigFile, systems: Systems) -> Iterator[Finding]:
    """Choices that ask for documents which the connection to the ERP cannot post."""
    connection = config.connections.get(entry.erp)
    system = systems.get(connection.system) if connection is not None else None
    if connection is None or system is None or system.side != "erp":
        return
    try:
        policy = policy_from(entry.policy)
    except PolicyError:
        return
    for key, message in unserved_choices(system, connection.settings, policy):
        yield (key,) if key in entry.policy else (), f"{message} with the settings of {entry.erp!r}"


def _tags(config: ConfigFile) -> Iterator[Finding]:
    """Two stores with one tag in the same books would take each other's documents for their own."""
    users: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for name, entry in config.integrations.items():
        if entry.erp in config.connections:
            users[_place(config.connections[entry.erp]), str(entry.policy.get("reference.tag", ""))].append(name)
    for (_, tag), names in users.items():
        for name in names[1:] if tag else ():
            first, own = config.integrations[names[0]].erp, config.integrations[name].erp
            books = f"the same connection {own!r}" if first == own else f"{first!r}, the same books as {own!r}"
            yield (
                ("integrations", name, "policy", "reference.tag"),
                f"{tag!r} is the tag of {names[0]!r} already, which posts into {books}: every store needs its own",
            )


def _twice(config: ConfigFile) -> Iterator[Finding]:
    """An order has a name for each tag: two integrations that bring the orders of one store into the same books would
    book each of them twice. The books of a sandbox are nobody's."""
    first: dict[tuple[Place, Place], str] = {}
    for name, entry in config.integrations.items():
        store, erp = config.connections.get(entry.store), config.connections.get(entry.erp)
        orders = entry.flows.get("orders")
        if store is None or erp is None or not entry.active or orders is None or not orders.enabled:
            continue
        if store.sandbox and erp.sandbox:
            continue
        other = first.setdefault((_place(store), _place(erp)), name)
        if other != name:
            yield (
                ("integrations", name, "store"),
                f"the orders of {entry.store!r} come into these books by {other!r} already, and would be booked twice: "
                "switch one of the two off (`active: false`), or its orders",
            )


def _place(connection: ConnectionEntry) -> Place:
    return place_of(connection.system, connection.base_url, connection.settings)


# ------------------------------------------------------------------ pydantic's errors in plain words


def _in_words(source: Source, details: ErrorDetails) -> Problem:
    path: Path = tuple(details["loc"])
    context: Mapping[str, Any] = details.get("ctx", {})
    if path and path[-1] == "[key]":
        path = path[:-1]
    kind, last = details["type"], str(path[-1]) if path else ""
    if kind == "missing":
        return source.problem(path[:-1], f"{last} is missing")
    if kind == "extra_forbidden":
        return source.problem(path, f"{last!r} is not known here{did_you_mean(last, _known_at(path[:-1]))}")
    if kind in ("enum", "literal_error"):
        value = last if details["loc"][-1] == "[key]" else str(details["input"])
        known = [part.strip(" '") for part in str(context.get("expected", "")).replace(" or ", ",").split(",")]
        return source.problem(path, f"{value!r} is not known here{did_you_mean(value, known)}")
    if kind == "string_pattern_mismatch":
        return source.problem(
            path, _PATTERNS.get(last, "must be lower-case letters, digits and hyphens, e.g. us-store")
        )
    if kind == "string_type" and isinstance(details["input"], int | float):
        return source.problem(path, f"must be text; write it in quotes: '{details['input']}'")
    message = _KINDS.get(kind) or details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return source.problem(path, message)


_PATTERNS = {
    "base_url": "must be an address like https://host.example, without user or password",
    "webhook_url": "must be an address like https://connector.example/hooks/web-store",
}

_KINDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a table of `key: value`",
    "model_type": "must be a table of `key: value`",
    "model_attributes_type": "must be a table of `key: value`",
    "tuple_type": "must be a list",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
}


def _known_at(path: Path) -> list[str]:
    """The keys that the model at `path` has."""
    here: Any = ConfigFile
    for step in path:
        here = _below(here, step)
    return _keys(here)


def _keys(model: Any) -> list[str]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _below(model: Any, step: str | int) -> Any:
    """The type of what stands under `step` in a value of the type `model`."""
    if get_origin(model) in (Union, UnionType):
        model = next((part for part in get_args(model) if part is not type(None)), None)
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            if step in (name, field.alias):
                return field.annotation
        return None
    arguments = get_args(model)
    if get_origin(model) is dict:
        return arguments[1]
    return arguments[0] if arguments else None
