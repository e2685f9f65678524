"""What would change, as values and in words. Credentials are shown by where they come from, never by what they are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ml_connector.config.setup import Setup

Action = Literal["add", "remove", "change"]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after`: JSON values, None on the side where there is nothing."""

    action: Action
    path: Path
    before: Any = None
    after: Any = None
    secret: bool = False
    """The value of a credential changed; neither side is shown."""

    @property
    def words(self) -> str:
        where = " › ".join(self.path)
        if self.secret:
            return f"{where}: the secret's value has changed"
        match self.action:
            case "add":
                return f"{where}: new: {_short(self.after)}"
            case "remove":
                return f"{where}: removed (was {_short(self.before)})"
            case "change":
                return f"{where}: {_short(self.before)} → {_short(self.after)}"

    def as_json(self) -> dict[str, Any]:
        """For scripts; a secret's change has no values."""
        shown = {"action": self.action, "path": list(self.path), "words": self.words}
        return shown if self.secret else {**shown, "before": self.before, "after": self.after}


def differences(stored: Setup, wanted: Setup, changed_secrets: Iterable[tuple[str, str]]) -> list[Change]:
    """From what is stored to what is wanted. `changed_secrets`: (connection, credential) whose value differs."""
    changes = [
        *_entries("connections", stored.connections, wanted.connections),
        *_entries("integrations", stored.integrations, wanted.integrations),
    ]
    new = {change.path for change in changes if change.action == "add"}
    for connection, name in sorted(changed_secrets):
        path = ("connections", connection, "credentials", name)
        if not any(path[: len(known)] == known for known in new):
            changes.append(Change("change", path, secret=True))
    return sorted(changes, key=lambda change: change.path)


def _entries(section: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        path = (section, name)
        if name not in before:
            yield Change("add", path, after=after[name])
        elif name not in after:
            yield Change("remove", path, before=before[name])
        else:
            yield from _tree(path, before[name], after[name])


def _tree(path: Path, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        old, new = cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", after)
        for name in (*old, *(name for name in new if name not in old)):
            if name not in new:
                yield Change("remove", (*path, name), before=old[name])
            elif name not in old:
                yield Change("add", (*path, name), after=new[name])
            else:
                yield from _tree((*path, name), old[name], new[name])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list(path, cast("list[Any]", before), cast("list[Any]", after))
    else:
        yield Change("change", path, before, after)


def _list(path: Path, before: list[Any], after: list[Any]) -> Iterator[Change]:
    """Entries that came and went; the same entries in another order are one change, because the first match wins."""
    gone, come = _without(before, after), _without(after, before)
    yield from (Change("remove", path, before=item) for item in gone)
    yield from (Change("add", path, after=item) for item in come)
    if not gone and not come:
        yield Change("change", (*path, "order"), before, after)


def _without(items: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    left, found = list(others), list[Any]()
    for item in items:
        if item in left:
            left.remove(item)
        else:
            found.append(item)
    return found


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        text = ", ".join(f"{name} {_short(item)}" for name, item in items.items())
    elif isinstance(value, list):
        text = "[" + ", ".join(map(_short, cast("list[Any]", value))) + "]"
    elif value in ("", None):
        text = "empty"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
