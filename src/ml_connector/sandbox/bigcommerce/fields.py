"""Field tables: what a surface accepts, and the check of a body against them.

A table is written one field a line: `name type [flags]`. Types: string, integer, number, boolean, money (a string in
the vendor's contract that also takes numbers), object, array, any. Flags: `required`, `readonly`, `nullable`,
`max=n`, `min=n`, `enum=a|b`. A field whose content has fields of its own names their table with `of=NAME`.
The tables are held against the vendor's OpenAPI by `tests/contract/test_bigcommerce_standin.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    required: bool = False
    read_only: bool = False
    nullable: bool = False
    max_length: int | None = None
    min_length: int | None = None
    choices: tuple[str, ...] = ()
    of: "Table | None" = None


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    fields: Mapping[str, Field]

    @property
    def required(self) -> set[str]:
        return {f.name for f in self.fields.values() if f.required}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a body. `path` as the store writes it (`.0.email`, `billing_address.zip`)."""

    path: str
    code: str
    text: str


def table(name: str, text: str, **of: Table) -> Table:
    fields: dict[str, Field] = {}
    for line in filter(str.strip, text.splitlines()):
        field = _field(line.split(), of)
        fields[field.name] = field
    return Table(name, fields)


def _field(words: list[str], of: Mapping[str, Table]) -> Field:
    flags = words[2:]
    options = dict(w.split("=", 1) for w in flags if "=" in w)
    return Field(
        name=words[0],
        kind=words[1],
        required="required" in flags,
        read_only="readonly" in flags,
        nullable="nullable" in flags,
        max_length=int(options["max"]) if "max" in options else None,
        min_length=int(options["min"]) if "min" in options else None,
        choices=tuple(options["enum"].split("|")) if "enum" in options else (),
        of=of[options["of"]] if "of" in options else None,
    )


def check(rules: Table, body: Mapping[str, Any], *, path: str = "", unknown_is_fault: bool = True) -> list[Fault]:
    """What is wrong with the body: unknown, read-only, missing, mistyped, too long or too short fields."""
    faults = [
        Fault(path + name, "missing", f"The required field '{name}' was not supplied.")
        for name in sorted(rules.required - body.keys())
    ]
    for name, value in body.items():
        field = rules.fields.get(name)
        if field is None:
            if unknown_is_fault:
                faults.append(Fault(path + name, "unknown", f"The field '{name}' is not supported by this resource."))
        elif field.read_only:
            text = f"The field '{name}' cannot be written to. Please remove it from your request before trying again."
            faults.append(Fault(path + name, "read_only", text))
        else:
            faults += _check_value(field, value, path + name, unknown_is_fault)
    return faults


def _check_value(field: Field, value: Any, path: str, unknown_is_fault: bool) -> list[Fault]:
    if value is None:
        return [] if field.nullable else [Fault(path, "type", f"The field '{field.name}' is invalid.")]
    if not _KINDS[field.kind](value):
        return [Fault(path, "type", f"The field '{field.name}' is invalid.")]
    faults: list[Fault] = []
    if isinstance(value, str):
        if field.max_length is not None and len(value) > field.max_length:
            faults.append(Fault(path, "length", f"{field.name} must not be longer than {field.max_length} characters"))
        if field.min_length is not None and len(value) < field.min_length:
            faults.append(Fault(path, "length", f"{field.name} must be at least {field.min_length} characters"))
        if field.choices and value not in field.choices:
            faults.append(Fault(path, "choice", f"{field.name} must be one of {', '.join(field.choices)}"))
    if field.of is not None:
        inner = cast("list[Any]", value) if isinstance(value, list) else [value]
        for index, item in enumerate(inner):
            where = f"{path}.{index}." if isinstance(value, list) else f"{path}."
            if isinstance(item, dict):
                item_doc = cast("dict[str, Any]", item)
                faults += check(field.of, item_doc, path=where, unknown_is_fault=unknown_is_fault)
            else:
                faults.append(Fault(where.rstrip("."), "type", f"The field '{field.name}' is invalid."))
    return faults


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or isinstance(value, Decimal | float)


def _is_money(value: Any) -> bool:
    if _is_number(value):
        return True
    if not isinstance(value, str):
        return False
    try:
        return Decimal(value).is_finite()
    except InvalidOperation:
        return False


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": _is(str),
    "integer": _is_integer,
    "number": _is_number,
    "money": _is_money,
    "boolean": _is(bool),
    "object": _is(dict),
    "array": _is(list),
    "any": _is(object),
}
