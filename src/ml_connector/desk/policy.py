"""The policy of an integration as a person reads and changes it: every key as a sentence with its choices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ml_connector.config.policy import FROZEN_ONCE_POSTED, KEYS, Key, PolicyError
from ml_connector.desk.mapping import Opened
from ml_connector.desk.policy_words import GROUPS, SAYS, WAYS, Says
from ml_connector.engine import registry
from ml_connector.engine.database import Database

Kind = Literal["choice", "number", "date", "list", "table", "text"]
NAMES = 40
"""Offline methods at most that a form has room for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One that can be made. `words`: what it is called; `means`: what follows."""

    value: str
    words: str
    means: str


@dataclass(frozen=True, slots=True)
class Line:
    """One key. `value`: as drafted; `stored`: as it is now; `locked`: why it cannot change; `problem`: why the draft
    cannot be saved with it."""

    key: Key
    says: Says
    kind: Kind
    value: Any
    stored: Any
    choices: tuple[Choice, ...]
    locked: str = ""
    problem: str = ""

    @property
    def changed(self) -> bool:
        return self.value != self.stored

    @property
    def is_default(self) -> bool:
        return self.value == self.key.default

    @property
    def chosen(self) -> Choice | None:
        return next((each for each in self.choices if each.value == self.value), None)

    def words(self, value: Any) -> str:
        """A value in words."""
        known = next((each.words for each in self.choices if each.value == value), "")
        if self.kind == "table":
            table = cast("Mapping[str, str]", value)
            return "; ".join(f"{name}: {WAYS[way][0].lower()}" for name, way in table.items()) or "none listed"
        if self.kind == "list":
            return ", ".join(str(each) for each in value) or "none"
        if self.kind == "number":
            return f"{value} {self.says.unit}".strip()
        return known or str(value) or "empty"


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    lines: tuple[Line, ...]


async def read(database: Database, known: Opened, problems: Mapping[str, str]) -> list[Group]:
    """Every key, by group. `problems`: key -> why the draft cannot be saved with it."""
    async with database.connect() as sql:
        posted = await registry.has_posted(sql, known.integration.id)
    left = dict(KEYS)
    groups = {title: [left.pop(name) for name in names if name in left] for title, names in GROUPS.items()}
    if left:
        groups["Other"] = list(left.values())
    return [
        Group(title, tuple(_line(known, key, problems.get(key.name, ""), posted=posted) for key in keys))
        for title, keys in groups.items()
    ]


def _line(known: Opened, key: Key, problem: str, *, posted: bool) -> Line:
    says = SAYS.get(key.name) or Says(key.name.replace(".", ": ").replace("_", " ").capitalize(), "")
    locked = ""
    if posted and key.name in FROZEN_ONCE_POSTED:
        locked = "Documents are posted under it, so it cannot change any more: make a new integration for another."
    value, stored = known.drafted_policy.get(key.name, key.default), known.policy.get(key.name, key.default)
    choices = tuple(
        Choice(each, *says.choices.get(each, (each.replace("_", " "), ""))) for each in key.schema.get("enum", ())
    )
    return Line(key, says, _kind(key), value, stored, choices, locked, problem)


def _kind(key: Key) -> Kind:
    schema = key.schema
    if "enum" in schema:
        return "choice"
    if "anyOf" in schema:
        return "date"
    kinds: dict[str, Kind] = {"integer": "number", "array": "list", "object": "table"}
    return kinds.get(str(schema.get("type")), "text")


def parsed(name: str, typed: Mapping[str, str]) -> Any:
    """What a form says of the key, as the file has it. Raises `PolicyError`."""
    key = KEYS.get(name)
    if key is None:
        raise PolicyError(name, "is not a key of the policy")
    text = typed.get("value", "").replace("\x00", "").strip()
    value: Any = text
    match _kind(key):
        case "number":
            value = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text
        case "list":
            parts = [each.strip() for each in text.split(",") if each.strip()]
            value = [int(each) if each.isascii() and each.isdecimal() and len(each) < 10 else each for each in parts]
        case "table":
            value = _table(typed)
        case _:
            pass
    try:
        return key.dump(key.parse(value))
    except ValueError as error:
        raise PolicyError(name, str(error)) from error


def _table(typed: Mapping[str, str]) -> dict[str, str]:
    """Rows `name.N` and `way.N`; one whose name or way is empty is left out."""
    table: dict[str, str] = {}
    for number in range(NAMES):
        name = typed.get(f"name.{number}", "").replace("\x00", "").strip()
        way = typed.get(f"way.{number}", "")
        if name and way:
            table[name] = way
    return table
