"""``$filter`` of the Service Layer: parse once, then ask each row.

Grammar: ``or``, ``and``, ``not``, parentheses, ``eq ne gt ge lt le``, ``startswith endswith contains`` (property, text)
and ``substringof`` (text, property). Nothing else: no arithmetic, no ``in``, no other function. The time of a day
literal is ignored; of a time of day only hour and minute count.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one.errors import B1Error, bad_query
from ml_connector.sandbox.business_one.fields import Field, Row, Type
from ml_connector.sandbox.business_one.values import enum_name, read_day, read_time, scalar

LEXEME = re.compile(
    r"\s*(?:(?:datetime|datetimeoffset|time)?(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w-])"
    r"|(?P<word>[A-Za-z_]\w*)|(?P<mark>[(),]))"
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
    "contains": operator.contains,
    "substringof": operator.contains,
}
Test = Callable[[Row], bool]


@dataclass(frozen=True)
class Filter:
    """``test`` decides; ``equals`` names the fields that can only have the given values, for an index."""

    test: Test
    equals: Mapping[str, frozenset[Any]]
    since: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The fields that can only have this value or greater ones."""


EVERYTHING = Filter(lambda row: True, {})


def parse_filter(text: str | None, of: Type, udfs: Mapping[str, Field], *, fold_case: bool) -> Filter:
    """Raises ``B1Error`` 400 for anything outside the grammar or an unknown property."""
    if text is None or not text.strip():
        return EVERYTHING
    parser = _Parser(text, {**of.by_name, **udfs}, of, fold_case=fold_case)
    parsed = parser.either()
    parser.expect_end()
    return parsed


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, Field], of: Type, *, fold_case: bool) -> None:
        self._tokens, self._position = _tokens(text), 0
        self._fields, self._of, self._fold = fields, of, fold_case

    def either(self) -> Filter:
        left = self._both()
        while self._take("or"):
            left = _or(left, self._both())
        return left

    def expect_end(self) -> None:
        if self._position < len(self._tokens):
            raise _syntax(self._tokens[self._position].text)

    def _both(self) -> Filter:
        left = self._one()
        while self._take("and"):
            left = _and(left, self._one())
        return left

    def _one(self) -> Filter:
        if self._take("not"):
            inner = self._one()
            return Filter(lambda row: not inner.test(row), {})
        if self._take("("):
            inner = self.either()
            self._need(")")
            return inner
        token = self._next()
        if token.kind != "word":
            raise _syntax(token.text)
        if self._peek("("):
            return self._text_test(token.text)
        return self._comparison(self._field(token.text))

    def _text_test(self, name: str) -> Filter:
        test = TEXT_TESTS.get(name)
        if test is None:
            raise bad_query(f"Function '{name}' is not supported in $filter")
        self._need("(")
        first = self._next()
        self._need(",")
        second = self._next()
        self._need(")")
        if name == "substringof":
            first, second = second, first
        if first.kind != "word" or second.kind != "text":
            raise _syntax(first.text)
        known = self._field(first.text)
        if known.kind != "text":
            raise bad_query(f"Function '{name}' needs a text, '{known.name}' is none")
        wanted = self._folded(_unquoted(second.text))
        return Filter(lambda row: test(self._folded(row.get(known.name) or ""), wanted), {})

    def _comparison(self, known: Field) -> Filter:
        word = self._next()
        compare = COMPARE.get(word.text) if word.kind == "word" else None
        if compare is None:
            raise _syntax(word.text)
        wanted = self._literal(known, self._next())
        name = known.name
        if wanted is None:
            if word.text not in ("eq", "ne"):
                raise _syntax("null")
            return Filter(lambda row: compare(row.get(name), None), {})
        if known.kind == "text":
            folded = self._folded(wanted)
            plain = {} if self._fold or word.text != "eq" else {name: frozenset({wanted})}
            since = {name: wanted} if word.text in ("gt", "ge") and not self._fold else {}
            return Filter(lambda row: _holds(compare, self._folded_or_none(row.get(name)), folded), plain, since)
        if known.kind == "time":
            return Filter(lambda row: _holds(compare, _minute(row.get(name)), _minute(wanted)), {})
        equals = {name: frozenset({wanted})} if word.text == "eq" and known.kind in ("int", "enum") else {}
        if known.kind == "enum" and known.of == "BoYesNoEnum":
            return Filter(lambda row: _holds(compare, row.get(name) or "tNO", wanted), {})
        since = {name: wanted} if word.text in ("gt", "ge") and known.kind == "int" else {}
        return Filter(lambda row: _holds(compare, row.get(name), wanted), equals, since)

    def _literal(self, known: Field, token: _Token) -> Any:
        if token.kind == "word" and token.text == "null":
            return None
        if token.kind not in ("text", "number"):
            raise _syntax(token.text)
        text = _unquoted(token.text) if token.kind == "text" else token.text
        if known.kind == "text":
            if token.kind != "text":
                raise bad_query(f"Property '{known.name}' is compared with a number")
            return text
        if known.kind == "enum":
            return enum_name(known.of, text) or _raise(bad_query(f"'{text}' is no {known.of}"))
        if known.kind in ("int", "number"):
            try:
                found = scalar(self._of, known, text)
            except B1Error as error:
                raise bad_query(f"'{text}' is no number") from error
            return found if known.kind == "int" else Decimal(found)
        found = read_day(text) if known.kind == "day" else read_time(text)
        return found if found is not None else _raise(bad_query(f"'{text}' is no {known.kind}"))

    def _field(self, name: str) -> Field:
        known = self._fields.get(name)
        if known is None:
            raise bad_query(f"Property '{name}' of '{self._of.name}' is invalid")
        if known.kind in ("collection", "complex"):
            raise bad_query(f"Property '{name}' of '{self._of.name}' cannot be used in $filter")
        return known

    def _folded(self, text: str) -> str:
        return text.casefold() if self._fold else text

    def _folded_or_none(self, text: str | None) -> str | None:
        return None if text is None else self._folded(text)

    def _next(self) -> _Token:
        if self._position >= len(self._tokens):
            raise _syntax("the end")
        self._position += 1
        return self._tokens[self._position - 1]

    def _peek(self, text: str) -> bool:
        return self._position < len(self._tokens) and self._tokens[self._position].text == text

    def _take(self, text: str) -> bool:
        if self._peek(text) and self._tokens[self._position].kind != "text":
            self._position += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise _syntax(text)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = LEXEME.match(text, position)
        if match is None or match.lastgroup is None:
            raise _syntax(text[position:].strip()[:20])
        tokens.append(_Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _minute(stored: time | None) -> time | None:
    return None if stored is None else stored.replace(second=0, microsecond=0)


def _holds(compare: Callable[[Any, Any], bool], stored: Any, wanted: Any) -> bool:
    if stored is None:
        return False  # as NULL in SQL: neither equal nor unequal
    return compare(stored, wanted)


def _or(left: Filter, right: Filter) -> Filter:
    shared = left.equals.keys() & right.equals.keys()
    equals = {name: left.equals[name] | right.equals[name] for name in shared}
    return Filter(lambda row: left.test(row) or right.test(row), equals)


def _and(left: Filter, right: Filter) -> Filter:
    return Filter(
        lambda row: left.test(row) and right.test(row), {**right.equals, **left.equals}, {**right.since, **left.since}
    )


def _syntax(near: str) -> B1Error:
    return bad_query(f"Query string error: invalid expression near '{near}'")


def _raise(error: B1Error) -> Any:
    raise error
