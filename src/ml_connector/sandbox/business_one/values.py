"""JSON in, stored values out, and back: strict where the Service Layer is strict, lenient where it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from ml_connector.sandbox.business_one.errors import B1Error, bad_query
from ml_connector.sandbox.business_one.fields import SUB_UDF, TYPES, EntitySet, Field, Row, Type
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.tables.enums import ENUMS

STORED = Decimal("0.000001")
INVALID, TOO_LONG = -1000, -1004

UdfFields = Callable[[str], Mapping[str, Field]]
"""Table -> the user-defined fields that this node knows, by name with ``U_``."""


def load_json(body: bytes) -> dict[str, Any]:
    """An object with exact decimals; raises ``B1Error``."""
    try:
        loaded: Any = json.loads(body or b"{}", parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise bad_query("Invalid JSON content.") from error
    if not isinstance(loaded, dict):
        raise bad_query("Invalid JSON content: an object is expected.")
    return cast("dict[str, Any]", loaded)


@dataclass(frozen=True)
class Reading:
    """How a body is read: which user-defined fields there are."""

    udfs: UdfFields
    trusting: bool = False
    """Read-only properties are taken too."""

    def entity(self, entity_set: EntitySet, body: Mapping[str, Any], *, keys_too: bool = True) -> Row:
        """Values of a body. Read-only ones are dropped; unknown ones, wrong types and long texts refused."""
        return self._object(entity_set.type, body, self.udfs(entity_set.udf_table), keys_too=keys_too)

    def complex(self, type_name: str, body: Mapping[str, Any]) -> Row:
        return self._object(TYPES[type_name], body, self.udfs(SUB_UDF.get(type_name, "")), keys_too=True)

    def _object(self, of: Type, body: Mapping[str, Any], udfs: Mapping[str, Field], *, keys_too: bool) -> Row:
        row: Row = {}
        for name, given in body.items():
            if "odata." in name:
                continue
            known = of.by_name.get(name) or udfs.get(name)
            if known is None:
                raise B1Error(400, INVALID, f"Property '{name}' of '{of.name}' is invalid")
            if (not known.writable and not self.trusting) or (known.key and not keys_too):
                continue
            value = self._value(of, known, given)
            if value is not SKIPPED:
                row[name] = value
        return row

    def _value(self, of: Type, known: Field, given: Any) -> Any:
        if known.kind == "collection":
            if not isinstance(given, list):
                return SKIPPED  # silently ignored, as on the real one
            items = cast("list[Any]", given)
            if not all(isinstance(item, dict) for item in items):
                raise _wrong(of, known)
            return [self.complex(known.of, cast("dict[str, Any]", item)) for item in items]
        if known.kind == "complex":
            if given is None:
                return None
            if not isinstance(given, dict):
                raise _wrong(of, known)
            return self.complex(known.of, cast("dict[str, Any]", given))
        return scalar(of, known, given)


SKIPPED = object()


def scalar(of: Type, known: Field, given: Any) -> Any:
    """Raises ``B1Error``. Numbers may come as texts."""
    if given is None:
        return None
    if known.kind == "text":
        return _text(of, known, given)
    if known.kind == "enum":
        return enum_name(known.of, given) or _raise(_wrong(of, known))
    if known.kind == "int":
        number = _number(given)
        if number is None or number != number.to_integral_value():
            raise _wrong(of, known)
        return int(number)
    if known.kind == "number":
        number = _number(given)
        if number is None:
            raise _wrong(of, known)
        return number.quantize(STORED)
    if not isinstance(given, str):
        raise _wrong(of, known)
    found = read_day(given) if known.kind == "day" else read_time(given)
    return found if found is not None else _raise(_wrong(of, known))


def _text(of: Type, known: Field, given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        raise _wrong(of, known)
    text = str(given)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise _wrong(of, known)  # half a character: no database keeps it
    if known.max_length is not None and len(text) > known.max_length:
        raise B1Error(400, TOO_LONG, f"Value too long in property '{known.name}' of '{of.name}'")
    return text


def _number(given: Any) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, str | int | Decimal):
        return None
    try:
        number = Decimal(given)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 13 else None


def _wrong(of: Type, known: Field) -> B1Error:
    return B1Error(400, INVALID, f"Property '{known.name}' of '{of.name}' has an invalid value")


def _raise(error: B1Error) -> Any:
    raise error


def enum_name(enum: str, given: Any) -> str | None:
    """The member, given by name or by value."""
    members, text = ENUMS[enum], str(given)
    if text in members:
        return text
    return next((name for name, value in members.items() if value == text), None)


DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?")
TIME = re.compile(r"(\d{2}):?(\d{2})(?::?(\d{2})(?:\.\d+)?)?")


def read_day(text: str) -> date | None:
    match = DAY.fullmatch(text.strip())
    try:
        return None if match is None else date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None


def read_time(text: str) -> time | None:
    match = TIME.fullmatch(text.strip())
    try:
        return None if match is None else time(int(match[1]), int(match[2]), int(match[3] or 0))
    except ValueError:
        return None


@dataclass(frozen=True)
class Writing:
    """How an answer is written: version and the forms of dates and times."""

    version: int
    settings: Settings
    udfs: UdfFields

    def entity(self, entity_set: EntitySet, row: Row, names: frozenset[str] | None = None) -> dict[str, Any]:
        """All properties, or the named ones, in the order of the type, nulls explicit."""
        return self._object(entity_set.type, row, self.udfs(entity_set.udf_table), names)

    def complex(self, type_name: str, row: Row) -> dict[str, Any]:
        return self._object(TYPES[type_name], row, self.udfs(SUB_UDF.get(type_name, "")), None)

    def _object(self, of: Type, row: Row, udfs: Mapping[str, Field], names: frozenset[str] | None) -> dict[str, Any]:
        fields = [*of.fields, *udfs.values()]
        return {
            each.name: self.value(each, row.get(each.name)) for each in fields if names is None or each.name in names
        }

    def value(self, known: Field, stored: Any) -> Any:
        if known.kind == "collection":
            return [self.complex(known.of, each) for each in stored or ()]
        if known.kind == "complex":
            return None if stored is None else self.complex(known.of, stored)
        if stored is None:
            return "tNO" if known.of == "BoYesNoEnum" else None
        return self.plain(stored)

    def plain(self, stored: Any) -> Any:
        if isinstance(stored, Decimal):
            return float(stored)  # exact enough: 15 digits
        if isinstance(stored, date):
            zulu = self.version == 2 or self.settings.v1_dates == "zulu"
            return stored.isoformat() + ("T00:00:00Z" if zulu else "")
        if isinstance(stored, time):
            return stored.strftime("%H:%M:%S" if self.settings.times == "seconds" else "%H:%M")
        return stored
