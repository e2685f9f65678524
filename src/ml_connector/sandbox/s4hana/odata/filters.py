"""``$filter`` of OData V2: parse once, then ask each row.

Grammar: ``or``, ``and``, ``not``, parentheses, ``eq ne gt ge lt le``, ``startswith(f,'x')``, ``endswith(f,'x')``,
``substringof('x',f)`` (each also compared with true or false); literals of text, number, decimal (``m``), boolean,
null, ``datetime'…'``, ``datetimeoffset'…'``, ``time'…'``, ``guid'…'``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.s4hana.odata.errors import ODataError, bad_request
from ml_connector.sandbox.s4hana.odata.fields import EntityType, Field, Row
from ml_connector.sandbox.s4hana.odata.literals import from_json, shown, stored

LEXEME = re.compile(
    r"\s*(?:(?P<typed>(?:datetimeoffset|datetime|time|guid)'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?[mMdDfFlL]?)(?![\w])|(?P<word>[A-Za-z_][\w/]*)|(?P<mark>[(),]))"
)
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "substringof": operator.contains,
}

Test = Callable[[Row], bool]


@dataclass(frozen=True)
class StartsWith:
    """In the place of a value: every text that begins so."""

    text: str


@dataclass(frozen=True)
class Filter:
    """``test`` decides; ``values`` names the fields that can only have the given values (or begin so), for an index."""

    test: Test
    values: Mapping[str, frozenset[Any]]


EVERYTHING = Filter(lambda row: True, {})


def parse_filter(text: str | None, entity: EntityType) -> Filter:
    """Raises ``ODataError`` 400 for anything that is not in the grammar or names an unknown property."""
    if not text:
        return EVERYTHING
    parser = _Parser(text, entity)
    parsed = parser.either()
    parser.expect_end()
    return parsed


@dataclass(frozen=True)
class _Literal:
    kind: str
    value: Any


class _Parser:
    def __init__(self, text: str, entity: EntityType) -> None:
        self._text, self._entity, self._position = text, entity, 0

    def either(self) -> Filter:
        left = self._both()
        while self._take_word("or"):
            right = self._both()
            shared = left.values.keys() & right.values.keys()
            left = Filter(_or(left.test, right.test), {name: left.values[name] | right.values[name] for name in shared})
        return left

    def expect_end(self) -> None:
        if self._text[self._position :].strip():
            raise self._syntax()

    def _both(self) -> Filter:
        left = self._single()
        while self._take_word("and"):
            right = self._single()
            values = {**left.values, **right.values}
            for name in left.values.keys() & right.values.keys():
                values[name] = _narrower(left.values[name], right.values[name])
            left = Filter(_and(left.test, right.test), values)
        return left

    def _single(self) -> Filter:
        if self._take_word("not"):
            negated = self._single().test
            return Filter(lambda row: not negated(row), {})
        if self._take_mark("("):
            inner = self.either()
            self._need_mark(")")
            return inner
        word = self._need("word")
        if word in TEXT_TESTS:
            return self._text_test(word)
        return self._comparison(self._field(word))

    def _comparison(self, field: Field) -> Filter:
        name = self._need("word")
        if name not in COMPARE:
            raise self._syntax()
        literal = self._literal()
        value = _typed(field, literal)
        compare, key = COMPARE[name], field.name
        if value is None:
            return Filter(lambda row: compare(row[key] is None, True), {})
        values: dict[str, frozenset[Any]] = {key: frozenset({value})} if name == "eq" else {}

        def test(row: Row) -> bool:
            own = row[key]
            return name == "ne" if own is None else compare(own, value)

        return Filter(test, values)

    def _text_test(self, word: str) -> Filter:
        self._need_mark("(")
        if word == "substringof":
            part, field = self._text_literal(), None
            self._need_mark(",")
            field = self._field(self._need("word"))
        else:
            field = self._field(self._need("word"))
            self._need_mark(",")
            part = self._text_literal()
        self._need_mark(")")
        wanted = True
        if self._take_word("eq"):
            wanted = bool(self._literal().value)
        if field.edm != "Edm.String":
            raise bad_request(f"Function {word} is not defined for property '{field.name}'")
        sought, check = part.upper() if field.upper else part, TEXT_TESTS[word]
        by_beginning = word == "startswith" and wanted
        values: dict[str, frozenset[Any]] = {field.name: frozenset({StartsWith(sought)})} if by_beginning else {}
        return Filter(lambda row: check(shown(field, row[field.name]), sought) is wanted, values)

    def _text_literal(self) -> str:
        literal = self._literal()
        if literal.kind != "text":
            raise self._syntax()
        return literal.value

    def _literal(self) -> _Literal:
        match = LEXEME.match(self._text, self._position)
        if match is None:
            raise self._syntax()
        self._position = match.end()
        if (text := match["text"]) is not None:
            return _Literal("text", text[1:-1].replace("''", "'"))
        if (number := match["number"]) is not None:
            return _Literal("number", Decimal(number.rstrip("mMdDfFlL")))
        if (typed := match["typed"]) is not None:
            kind, _, rest = typed.partition("'")
            return _Literal(kind, rest[:-1])
        if (word := match["word"]) in ("true", "false"):
            return _Literal("bool", word == "true")
        if word == "null":
            return _Literal("null", None)
        raise self._syntax()

    def _field(self, name: str) -> Field:
        if (field := self._entity.by_name.get(name)) is None:
            raise unknown_property(name, self._entity)
        return field

    def _take_word(self, word: str) -> bool:
        match = LEXEME.match(self._text, self._position)
        if match is None or match["word"] != word:
            return False
        self._position = match.end()
        return True

    def _take_mark(self, mark: str) -> bool:
        match = LEXEME.match(self._text, self._position)
        if match is None or match["mark"] != mark:
            return False
        self._position = match.end()
        return True

    def _need(self, group: str) -> str:
        match = LEXEME.match(self._text, self._position)
        if match is None or match[group] is None:
            raise self._syntax()
        self._position = match.end()
        return match[group]

    def _need_mark(self, mark: str) -> None:
        if not self._take_mark(mark):
            raise self._syntax()

    def _syntax(self) -> ODataError:
        return bad_request(f"Invalid token detected at position {self._position} of the filter")


def unknown_property(name: str, entity: EntityType) -> ODataError:
    return bad_request(f"Property {name} not found in type {entity.name}")


def _and(left: Test, right: Test) -> Test:
    return lambda row: left(row) and right(row)


def _narrower(left: frozenset[Any], right: frozenset[Any]) -> frozenset[Any]:
    """What both allow, or more: beginnings are not cut with values."""
    if begins(left):
        return right
    return left if begins(right) else left & right


def begins(values: frozenset[Any]) -> bool:
    """Whether a beginning is among the values: an index of whole values is of no use then."""
    return any(isinstance(value, StartsWith) for value in values)


def _or(left: Test, right: Test) -> Test:
    return lambda row: left(row) or right(row)


LITERAL_OF = {
    "Edm.String": "text",
    "Edm.Decimal": "number",
    "Edm.Boolean": "bool",
    "Edm.DateTime": "datetime",
    "Edm.DateTimeOffset": "datetimeoffset",
    "Edm.Time": "time",
    "Edm.Guid": "guid",
}


def _typed(field: Field, literal: _Literal) -> Any:
    if literal.kind == "null":
        return None
    if literal.kind != LITERAL_OF[field.edm]:
        raise bad_request(f"Property '{field.name}' of type {field.edm} is compared with a {literal.kind} literal")
    if field.edm == "Edm.String":
        return stored(field, literal.value)
    if field.edm in ("Edm.DateTime", "Edm.DateTimeOffset"):
        return _moment(field, literal.value)
    return from_json(field, literal.value)


def _moment(field: Field, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_request(f"'{text}' is not a {field.edm} literal") from error
    if field.edm == "Edm.DateTimeOffset":
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment.tzinfo is not None:
        raise bad_request(f"'{text}' is not a {field.edm} literal")
    return moment
