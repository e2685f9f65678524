"""A draft brought onto a version that somebody else has saved meanwhile: what both changed is named, never guessed."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from ml_connector.desk.mapping_tables import Content, Path, Table, same, tables
from ml_connector.desk.mapping_words import words


@dataclass(frozen=True, slots=True)
class Merged:
    """`content`: theirs with mine on top; where both changed the same, it is theirs, and `both` says so in words."""

    content: Content
    both: tuple[str, ...]


def merge_mapping(base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Merged:
    """What I changed since `base`, in `theirs`."""
    new: Content = deepcopy(dict(theirs))
    both: list[str] = []
    for table in tables():
        old, ours, other = (_part(content, table.path) for content in (base, mine, theirs))
        if same(ours) in (same(old), same(other)):
            continue
        if same(other) == same(old):
            _put(new, table.path, deepcopy(ours))
        elif table.shape == "rows":
            _put(new, table.path, _rows(table, old or [], ours or [], other or [], both))
        elif _is_table(table):
            found = merge_keys(old or {}, ours or {}, other or {})
            _put(new, table.path, found.content)
            both += [f"{words(table).title}: {key}" for key in found.both]
        else:
            both.append(words(table).title)
    return Merged(new, tuple(both))


def merge_keys(base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Merged:
    """Key by key; `both`: those that mine and theirs made something different of."""
    new, both = dict(theirs), list[str]()
    for key in {**base, **mine}:
        old, ours, other = (same(each.get(key)) for each in (base, mine, theirs))
        if ours in (old, other):
            continue
        if other != old:
            both.append(key)
        elif key in mine:
            new[key] = mine[key]
        else:
            new.pop(key, None)
    return Merged(new, tuple(both))


def _rows(table: Table, base: list[Any], mine: list[Any], theirs: list[Any], both: list[str]) -> list[Any]:
    """Rows that I took out are taken out, rows that I put in stand where they stood before the same row."""
    gone = [row for row in base if row not in mine]
    come = [row for row in mine if row not in base]
    theirs_new = [row for row in theirs if row not in base]
    lost = [row for row in gone if row not in theirs]
    if lost and (come or theirs_new):
        both += [f"{words(table).title}: {_row(row)}" for row in lost]
        return theirs
    if not gone and not come:
        both.append(f"{words(table).title}: the order of the rows")
        return theirs
    new = [row for row in theirs if row not in gone]
    for row in come:
        if row in new:
            continue
        after = next((each for each in mine[mine.index(row) + 1 :] if each in new), None)
        new.insert(new.index(after) if after is not None else len(new), row)
    return new


def _row(row: Any) -> str:
    return ", ".join(
        str(value) for value in cast("Mapping[str, Any]", row).values() if not isinstance(value, dict | list)
    )


def _is_table(table: Table) -> bool:
    return table.shape in ("pairs", "keyed") or any(column.path for column in table.columns)


def _part(content: Mapping[str, Any], path: Path) -> Any:
    found: Any = content
    for step in path:
        found = cast("Mapping[str, Any]", found).get(step) if isinstance(found, Mapping) else None
    if isinstance(found, Mapping):  # tables that stand below another are merged by themselves
        inner = {each.path[-1] for each in tables() if each.path[:-1] == path and len(each.path) > len(path)}
        return {key: value for key, value in cast("Mapping[str, Any]", found).items() if key not in inner}
    return found


def _put(content: Content, path: Path, value: Any) -> None:
    holder = content
    for step in path[:-1]:
        holder = holder.setdefault(step, {})
    kept = holder.get(path[-1])
    inner = {each.path[-1] for each in tables() if each.path[:-1] == path and len(each.path) > len(path)}
    beneath = (
        {key: each for key, each in cast("Content", kept).items() if key in inner} if isinstance(kept, dict) else {}
    )
    if isinstance(value, Mapping):
        value = {**cast("Mapping[str, Any]", value), **beneath}
    if value in (None, {}, []):
        if beneath:
            holder[path[-1]] = beneath
        else:
            holder.pop(path[-1], None)
    else:
        holder[path[-1]] = value
