"""The tables of a mapping, taken from the shape of the configuration file (`config.mapping.MappingFile`), so that a
table which is added there is a page here without more.

A table is rows of columns. Four shapes: `pairs` (key and value), `keyed` (key and several values), `rows` (the first
that fits wins, so their order counts), `single` (one row of values that stand for themselves).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ml_connector.config.mapping import MappingFile

Content = dict[str, Any]
Path = tuple[str, ...]
Shape = Literal["pairs", "keyed", "rows", "single"]
KEY, VALUE = "key", "value"
OF_THE_ERP = frozenset(
    {
        "value", "account", "text", "tax_code", "code", "levels", "jurisdiction", "profit_center", "cost_center",
        "segment", "one_time", "collective",
    }
)  # fmt: skip
"""Last names of the columns that say what the ERP has; the others say what the store says, and stand first."""


class NotKept(Exception):
    """What was typed cannot be used. `problems`: column -> why; of the whole row under the empty name."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{name}: {why}" if name else why for name, why in problems.items()))


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a row. `path`: where it stands below the row; `name`: the same, joined by dots."""

    name: str
    path: Path
    kind: Literal["text", "number", "yes", "choice", "list"] = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    default: Any = ""

    @property
    def of_the_erp(self) -> bool:
        return self.name.rpartition(".")[2] in OF_THE_ERP


@dataclass(frozen=True, slots=True)
class Table:
    """`path`: where it stands in the mapping; `name`: the same, joined by dots."""

    name: str
    path: Path
    shape: Shape
    columns: tuple[Column, ...]

    @property
    def part(self) -> str:
        """The field of the mapping that it belongs to."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `at`: names it in its table (its key, or its place from 0). `values`: by column, as they are typed.
    `content`: as in the file."""

    at: str
    values: Mapping[str, str]
    content: Any

    @property
    def mark(self) -> str:
        """Changes with the row: a form that was opened on an older one is refused."""
        return hashlib.sha256(json.dumps([self.at, self.content], sort_keys=True).encode()).hexdigest()[:12]


@cache
def tables() -> tuple[Table, ...]:
    """All, in the order of the file's shape."""
    return tuple(_tables_of(MappingFile, ()))


def table_named(name: str) -> Table | None:
    return next((each for each in tables() if each.name == name), None)


def _tables_of(model: type[BaseModel], path: Path) -> Iterator[Table]:
    alone: list[Column] = []
    for name, field in model.model_fields.items():
        here, inner = (*path, field.alias or name), _bare(field.annotation)
        if get_origin(inner) is dict:
            key, value = (_bare(each) for each in get_args(inner))
            first = _column((KEY,), key, required=True)
            if _is_model(value):
                yield _table(here, "keyed", (first, *_columns(value)))
            else:
                yield _table(here, "pairs", (first, _column((VALUE,), value, required=True)))
        elif get_origin(inner) is tuple and _is_model(_bare(get_args(inner)[0])):
            yield _table(here, "rows", tuple(_columns(_bare(get_args(inner)[0]))))
        elif _is_model(inner):
            yield from _tables_of(inner, here)
        elif path:
            alone.append(_column((here[-1],), field.annotation, required=False))
        else:
            yield _table(here, "single", (_column((), field.annotation, required=False),))
    if alone:
        yield _table(path, "single", tuple(alone))


def _columns(model: type[BaseModel], path: Path = ()) -> Iterator[Column]:
    for name, field in model.model_fields.items():
        here, inner = (*path, field.alias or name), _bare(field.annotation)
        if _is_model(inner):
            yield from _columns(inner, here)
        else:
            default = "" if field.is_required() or field.default is None else field.default
            yield _column(here, field.annotation, required=field.is_required(), default=default)


def _table(path: Path, shape: Shape, columns: tuple[Column, ...]) -> Table:
    ordered = sorted(columns, key=lambda each: each.name.rpartition(".")[2] in OF_THE_ERP)
    return Table(".".join(path), path, shape, tuple(ordered))


def _column(path: Path, annotation: Any, *, required: bool, default: Any = "") -> Column:
    inner, name = _bare(annotation), ".".join(path) or VALUE
    if get_origin(inner) is Literal:
        return Column(name, path, "choice", required, tuple(str(each) for each in get_args(inner)), default)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return Column(name, path, "choice", required, tuple(str(each.value) for each in inner), default)
    if inner is bool:
        return Column(name, path, "yes", required, ("true", "false"), default)
    if inner is int:
        return Column(name, path, "number", required, (), default)
    if get_origin(inner) is tuple:
        return Column(name, path, "list", required, (), default)
    return Column(name, path, "text", required, (), default)


def _bare(annotation: Any) -> Any:
    """Without what stands around a type: `Annotated`, `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return _bare(next(each for each in get_args(annotation) if each is not type(None)))
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


# ---------------------------------------------------------------------- reading


def rows_of(content: Mapping[str, Any], table: Table) -> list[Row]:
    """The rows as they stand, those with a key in its order; a `single` has one, even where nothing is set."""
    found = _at(content, table.path)
    if table.shape == "single":
        columns = table.columns
        values = {each.name: _shown(_at(found, each.path) if each.path else found, each) for each in columns}
        own = {name: value for name, value in values.items() if value}
        return [Row("", values, own)]
    if table.shape == "rows":
        items = cast("Sequence[Any]", found or ())
        return [
            Row(str(n), {each.name: _shown(_at(item, each.path), each) for each in table.columns}, item)
            for n, item in enumerate(items)
        ]
    entries = cast("Mapping[str, Any]", found or {})
    usual = {choice: n for n, choice in enumerate(table.columns[0].choices)}
    keys = sorted(entries, key=lambda each: (usual.get(each, 0), each))  # the database keeps no order of keys
    return [_entry(table, key, entries[key]) for key in keys]


def _entry(table: Table, key: str, value: Any) -> Row:
    if table.shape == "pairs":
        return Row(key, {KEY: key, VALUE: _shown(value, table.columns[1])}, value)
    values = {each.name: _shown(_at(value, each.path), each) for each in table.columns[1:]}
    return Row(key, {KEY: key, **values}, value)


def _at(content: Any, path: Path) -> Any:
    for step in path:
        content = cast("Mapping[str, Any]", content).get(step) if isinstance(content, Mapping) else None
    return content


def _shown(value: Any, column: Column) -> str:
    if value is None:
        value = column.default
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in cast("Sequence[Any]", value))
    return str(value)


# ---------------------------------------------------------------------- changing


def put(content: Mapping[str, Any], table: Table, at: str | None, typed: Mapping[str, str]) -> Content:
    """`content` with the row changed, or added where `at` is None. In its normal form. Raises `NotKept`."""
    new = deepcopy(dict(content))
    if table.shape == "single":
        _put_single(new, table, typed)
        return _normal(new, table, "")
    item = _item(table, typed)
    if table.shape == "rows":
        items = cast("list[Any]", _reach(new, table.path, list[Any]()))
        if any(item == each and str(n) != at for n, each in enumerate(items)):
            raise NotKept({"": "This row is there already."})
        if at is None:
            items.append(item)
            at = str(len(items) - 1)
        else:
            items[int(at)] = item
        return _normal(new, table, at)
    key = typed.get(KEY, "").strip()
    entries = cast("dict[str, Any]", _reach(new, table.path, dict[str, Any]()))
    if not key and table.name != "items":
        raise NotKept({KEY: "Say which value of the store."})
    if key != at and key in entries:
        raise NotKept({KEY: "It is in the table already: change that row."})
    changed = {(key if each == at else each): (item if each == at else value) for each, value in entries.items()}
    entries.clear()
    entries.update(changed if at is not None else {**changed, key: item})
    return _normal(new, table, key)


def remove(content: Mapping[str, Any], table: Table, at: str) -> Content:
    """`content` without the row."""
    new = deepcopy(dict(content))
    found = _reach(new, table.path, None)
    if table.shape == "rows":
        del found[int(at)]
    else:
        del found[at]
    return _normal(new, table, at)


def raise_row(content: Mapping[str, Any], table: Table, at: str) -> Content:
    """`content` with the row one place further up: the first that fits wins."""
    new, place = deepcopy(dict(content)), int(at)
    found = _reach(new, table.path, None)
    if place > 0:
        found[place - 1], found[place] = found[place], found[place - 1]
    return _normal(new, table, at)


def paste(content: Mapping[str, Any], table: Table, text: str) -> tuple[Content, int]:
    """`content` with a row for each line as a sheet gives them: columns in the order of the table, apart by tabs, or
    by semicolons. A key that is there gets the new value. Raises `NotKept`, which names the line."""
    new, count = dict(content), 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t" if "\t" in line else ";")]
        if len(cells) < 2 or len(cells) > len(table.columns):
            columns = len(table.columns)
            wanted = "two columns" if columns == 2 else f"2 to {columns} columns"
            raise NotKept({"": f"Line {number} has {len(cells)}: {wanted} are wanted, apart by a tab or a semicolon."})
        typed = {column.name: cell for column, cell in zip(table.columns, cells, strict=False)}
        known = {row.at for row in rows_of(new, table)} if table.shape != "rows" else set[str]()
        key = typed.get(KEY, "")
        try:
            new = put(new, table, key if key in known else None, typed)
        except NotKept as error:
            raise NotKept({"": f"Line {number}: {error}"}) from error
        count += 1
    if not count:
        raise NotKept({"": "Paste at least one line."})
    return dict(new), count


def _item(table: Table, typed: Mapping[str, str]) -> Any:
    if table.shape == "pairs":
        value = _parsed(table.columns[1], typed.get(VALUE, ""))
        if value is None:
            raise NotKept({VALUE: "Choose a value."})
        return value
    item: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for column in table.columns:
        if column.path == (KEY,) and table.shape == "keyed":
            continue
        value = _parsed(column, typed.get(column.name, ""))
        if value is not None and value != column.default:
            _reach(item, column.path[:-1], dict[str, Any]())[column.path[-1]] = value
        elif column.required:
            missing[column.name] = "This is needed."
        elif len(column.path) > 1:
            _reach(item, column.path[:-1], dict[str, Any]())
    if missing:
        raise NotKept(missing)
    return item


def _put_single(content: Content, table: Table, typed: Mapping[str, str]) -> None:
    for column in table.columns:
        value, where = _parsed(column, typed.get(column.name, "")), (*table.path, *column.path)
        holder = _reach(content, where[:-1], dict[str, Any]())
        if value is None:
            holder.pop(where[-1], None)
        else:
            holder[where[-1]] = value


def _parsed(column: Column, typed: str) -> Any:
    """As the file has it; None where nothing was typed."""
    text = typed.replace("\x00", "").strip()
    if not text:
        return None
    if column.kind == "yes":
        return text == "true"
    if column.kind == "number":
        return int(text) if text.isascii() and text.lstrip("-").isdecimal() and len(text) < 18 else text
    if column.kind == "list":
        return [each.strip() for each in text.split(",") if each.strip()]
    return text


def _reach(content: Any, path: Path, empty: Any) -> Any:
    """What stands at `path`, made where it is not there; its end is `empty` then."""
    for step in path[:-1]:
        content = content.setdefault(step, {})
    return content.setdefault(path[-1], empty) if path else content


def _normal(content: Content, table: Table, at: str) -> Content:
    """As it is stored: what equals its default is left out. Raises `NotKept` with what is wrong in the row."""
    try:
        return MappingFile.model_validate(content).model_dump(mode="json", by_alias=True, exclude_defaults=True)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for each in error.errors():
            path = tuple(str(step) for step in each["loc"] if step != "[key]")
            rest = path[len(table.path) :]
            if table.shape != "single":
                own_key = "[key]" in each["loc"]
                rest = (KEY,) if own_key and table.shape != "rows" else rest[1:]
            name = ".".join(rest) or VALUE
            if name not in {column.name for column in table.columns}:
                name = ""
            problems[name] = _words(each["type"], each["msg"], each.get("input"), each.get("ctx", {}))
        raise NotKept(problems) from None


def _words(kind: str, message: str, given: object, context: Mapping[str, Any]) -> str:
    if kind in ("enum", "literal_error"):
        return f"{given!r} is not known here; known are {context.get('expected', '')}."
    if kind in ("int_type", "int_parsing"):
        return f"{given!r} is not a whole number."
    if kind == "greater_than":
        return "It must be more than 0."
    if kind == "missing":
        return "This is needed."
    return message.removeprefix("Value error, ").replace("Input should", "It should") + "."


def same(value: Any) -> Any:
    """For comparing rows: plain JSON, decimals as their text."""
    return json.loads(json.dumps(value, sort_keys=True, default=lambda each: str(Decimal(str(each)))))
