"""The form of a connection, made from what its system declares: which blanks it has, and what was written into them.

A secret goes one way. What is stored is never in a blank, and what was typed is never given back.
"""

import re
import secrets as random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from ml_connector.config.fields import STRUCTURED
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.config.source import read_source
from ml_connector.connectors.base import Field, System
from ml_connector.engine.registry import Connection

SETTING, SECRET = "setting-", "secret-"
ELSEWHERE: Final = frozenset({*STRUCTURED, "allow_private"})
"""Settings that have no blank of their own: tables that a file may write instead of single settings, and what every
connection is asked for."""

_ON = "on"


@dataclass(frozen=True, slots=True)
class Kept:
    """A credential that is stored. `end`: its last characters, where it is long enough to show some."""

    end: str
    at: Any


@dataclass(frozen=True, slots=True)
class Blank:
    """One field of a form. `value` is empty for secrets; `kept`: what is stored of one."""

    of: Field
    secret: bool
    value: str = ""
    problem: str = ""
    kept: Kept | None = None

    @property
    def name(self) -> str:
        return f"{SECRET if self.secret else SETTING}{self.of.name}"

    @property
    def ticked(self) -> bool:
        return self.value == _ON

    @property
    def needed(self) -> bool:
        """Whether a person must write something."""
        return self.of.required and not self.of.generated and self.kept is None

    @property
    def at_once(self) -> bool:
        """Shown without being asked for."""
        return self.of.required or self.secret or self.of.usual

    @property
    def shown_when(self) -> str:
        """`setting-auth=oauth`; empty: always."""
        return f"{SETTING}{self.of.when[0]}={self.of.when[1]}" if self.of.when else ""


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody wrote: the entry of the configuration without its credentials, and the secrets by name."""

    name: str
    entry: Mapping[str, Any]
    secrets: Mapping[str, str]
    written: Mapping[str, str]
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    """Blank -> what is wrong in it; `""`: with the whole."""


@dataclass(frozen=True, slots=True)
class Form:
    """As a page shows it."""

    system: System
    name: str
    base_url: str
    sandbox: bool
    allow_private: bool
    proxy: str
    ca_file: str
    blanks: Sequence[Blank]
    problems: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def first(self) -> Sequence[Blank]:
        return [each for each in self.blanks if each.at_once]

    @property
    def more(self) -> Sequence[Blank]:
        return [each for each in self.blanks if not each.at_once]

    @property
    def more_open(self) -> bool:
        """Something that is folded away wants to be seen."""
        return any(each.problem for each in self.more)

    @property
    def whole(self) -> str:
        """What is wrong with none of the blanks in particular."""
        return self.problems.get("", "")


def empty(system: System, name: str) -> Form:
    """For a new connection."""
    blanks = [Blank(each, each.secret, _shown(each, each.default)) for each in _asked(system)]
    return Form(system, name, system.address, False, False, "", "", blanks)


def stored(system: System, connection: Connection, kept: Mapping[str, Kept]) -> Form:
    """For one that is there."""
    blanks = [
        Blank(
            each,
            each.secret or each.name in connection.credentials,
            "" if each.secret or each.name in connection.credentials
            else _shown(each, connection.settings.get(each.name, each.default)),
            kept=kept.get(each.name),
        )
        for each in _asked(system)
    ]  # fmt: skip
    content = connection.content
    tls: Mapping[str, Any] = content.get("tls") or dict[str, Any]()
    return Form(
        system, connection.name, connection.base_url, connection.sandbox, bool(content.get("allow_private")),
        str(content.get("proxy") or ""), str(tls.get("ca_file") or ""), blanks,
    )  # fmt: skip


def again(before: Form, typed: Typed) -> Form:
    """The form as it was filled in, with what is wrong; secrets are empty again."""
    blanks = [
        Blank(
            each.of, each.secret, "" if each.secret else typed.written.get(each.name, ""),
            typed.problems.get(each.name, ""), each.kept,
        )
        for each in before.blanks
    ]  # fmt: skip
    written = typed.written
    return Form(
        before.system, typed.name, written.get("base_url", "").strip(), written.get("sandbox") == _ON,
        written.get("allow_private") == _ON, written.get("proxy", "").strip(), written.get("ca_file", "").strip(),
        blanks, typed.problems,
    )  # fmt: skip


# ---------------------------------------------------------------------- reading


def read(
    form: Form, written: Mapping[str, str], *, before: Mapping[str, Any] | None = None, kept: Collection[str] = ()
) -> Typed:
    """What was written into `form`. `before`: the entry that it replaces, whose other parts stay. `kept`: credentials
    that are stored, which an empty blank leaves as they are."""
    problems: dict[str, str] = {}
    name = written.get("name", form.name).strip()
    entry: dict[str, Any] = dict(before or {})
    entry["system"] = form.system.name
    entry["base_url"] = written.get("base_url", "").strip().rstrip("/")
    if not entry["base_url"]:
        problems["base_url"] = "The address is missing."
    _put(entry, "sandbox", written.get("sandbox") == _ON)
    _put(entry, "allow_private", written.get("allow_private") == _ON)
    _put(entry, "proxy", written.get("proxy", "").strip())
    tls = {**dict(entry.get("tls") or {}), "ca_file": written.get("ca_file", "").strip()}
    _put(entry, "tls", {key: value for key, value in tls.items() if value})
    settings: dict[str, Any] = dict(entry.get("settings") or {})
    typed: dict[str, str] = {}
    for blank in form.blanks:
        given = written.get(blank.name, "")
        if blank.secret:
            value = given.strip("\r\n") if "\n" in given.strip() else given.strip()
            if value:
                typed[blank.of.name] = value
            elif blank.of.generated and blank.of.name not in kept:
                typed[blank.of.name] = random.token_urlsafe(32)
            elif blank.of.required and blank.of.name not in kept:
                problems[blank.name] = f"{blank.of.title} is missing."
            continue
        try:
            _put(settings, blank.of.name, _value(blank.of, given), blank.of.default)
        except ValueError as error:
            problems[blank.name] = str(error)
        if blank.of.required and not given.strip():
            problems[blank.name] = f"{blank.of.title} is missing."
    _put(entry, "settings", settings)
    return Typed(name, entry, typed, dict(written), problems)


def placed(found: Iterable[Problem], name: str, form: Form) -> dict[str, str]:
    """Problems of a configuration by the blank that they are about; what is about none stands under `""`."""
    blanks = {each.of.name: each.name for each in form.blanks}
    placed: dict[str, str] = {}
    for problem in found:
        path = problem.path.removeprefix(f"connections.{name}").lstrip(".")
        section, _, rest = path.partition(".")
        where = blanks.get(rest.split(".")[0], "")
        if not where and section in ("base_url", "sandbox", "proxy", "name"):
            where = section
        if not where and path in ("settings", "credentials"):
            where = blanks.get(problem.message.split(" ")[0], "")
        if problem.path == f"connections.{name}" and not where:
            where = "name"
        placed[where] = (
            f"{placed[where]} {_sentence(problem.message)}" if where in placed else _sentence(problem.message)
        )
    return placed


def leads_elsewhere(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether secrets that are stored would go to another address than they were typed for."""
    return _addresses(before) != _addresses(after)


def _addresses(entry: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in dict(entry.get("settings") or {}).items() if "://" in str(value)}
    return {
        **settings,
        **{name: entry.get(name) or "" for name in ("base_url", "proxy")},
        "tls": entry.get("tls") or {},
        "plain": bool(entry.get("sandbox")),
    }


def _asked(system: System) -> list[Field]:
    return [each for each in system.fields if each.name not in ELSEWHERE]


def _put(entry: dict[str, Any], name: str, value: Any, default: Any = None) -> None:
    """What says nothing is left out, as in a file that somebody wrote."""
    if value in ("", None, {}, False) and not (value is False and default is True):
        entry.pop(name, None)
    elif value == default and name not in entry:
        return
    else:
        entry[name] = value


def _shown(of: Field, value: Any) -> str:
    if of.secret or value is None:
        return ""
    if isinstance(value, bool):
        return _ON if value else ""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return ", ".join(f"{name}: {item}" for name, item in items)
    return str(value)


def _value(of: Field, given: str) -> Any:
    """Raises `ValueError` with what is wrong."""
    text = given.strip()
    match of.type:
        case "boolean":
            return text == _ON
        case "integer" if text:
            if not re.fullmatch(r"-?[0-9]{1,9}", text):
                raise ValueError(f"{of.title} is a whole number.")
            return int(text)
        case "table" if text:
            return _table(of, text)
        case _:
            return text


def _table(of: Field, text: str) -> dict[str, Any]:
    """`{a: 1, b: 2}`, or without the brackets, by comma or by line."""
    bare = text.removeprefix("{").removesuffix("}")
    try:
        data = read_source("{" + ", ".join(part for part in bare.splitlines() if part.strip(", ")) + "}", "").data
    except ConfigError:
        data = None
    if not isinstance(data, dict) or any(value is None for value in cast("dict[str, Any]", data).values()):
        raise ValueError(f"{of.title} is written as NAME: VALUE, NAME: VALUE.")
    return cast("dict[str, Any]", data)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
