"""A ``Query`` over the tables: joins by their condition, filter, group, order."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import B1Error
from ml_connector.sandbox.business_one.fields import Row
from ml_connector.sandbox.business_one.sql.parse import (
    Call,
    Column,
    Condition,
    Literal,
    Parameter,
    Query,
    Selected,
    unsupported,
)
from ml_connector.sandbox.business_one.sql.tables import Source, shown, source

Env = Mapping[str, Row | None]
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def check(company: Company, query: Query) -> None:
    """Tables and columns: raises ``B1Error`` 702 or 703, 701 for an aggregate that is out of place."""
    _Run(company, query, {}, fold_case=False).check()


def run(company: Company, query: Query, given: Mapping[str, Any], *, fold_case: bool) -> list[dict[str, Any]]:
    """Rows as they are answered. Raises ``B1Error``: 704 for a parameter that is missing or unknown."""
    if wrong := query.parameters ^ set(given):
        raise B1Error(400, 704, f"Parameter error: '{min(wrong)}'")
    runner = _Run(company, query, given, fold_case=fold_case)
    runner.check()
    return runner.rows()


@dataclass(frozen=True)
class _Found:
    row: Row
    members: list[Env]


@dataclass
class _Run:
    company: Company
    query: Query
    given: Mapping[str, Any]
    fold_case: bool

    def __post_init__(self) -> None:
        wanted = [(self.query.table, self.query.alias), *((each.table, each.alias) for each in self.query.joins)]
        self.sources: dict[str, Source] = {}
        for table, alias in wanted:
            found = source(self.company, table)
            if found is None:
                raise B1Error(400, 702, f"Table '{table}' is not accessible")
            if alias.lower() in self.sources:
                raise unsupported(alias)
            self.sources[alias.lower()] = found

    def check(self) -> None:
        query = self.query
        conditions = [each for each in (query.where, query.having, *(join.on for join in query.joins)) if each]
        expressions = [each.expression for each in query.selected] + list(query.group)
        for expression in expressions + [leaf for each in conditions for leaf in _leaves(each)]:
            self._check_expression(expression)
        if query.where is not None and any(_aggregates(leaf) for leaf in _leaves(query.where)):
            raise unsupported("aggregate in where")
        grouped = bool(query.group) or any(_aggregates(each.expression) for each in query.selected)
        if grouped:
            for each in query.selected:
                plain = isinstance(each.expression, Column) and self._column(each.expression) not in [
                    self._column(one) for one in query.group if isinstance(one, Column)
                ]
                if plain:
                    raise unsupported(each.name)

    def rows(self) -> list[dict[str, Any]]:
        query = self.query
        found = [_Found(self._values(members), members) for members in self._members()]
        if query.distinct:
            found = list({tuple(each.row.values()): each for each in reversed(found)}.values())[::-1]
        for expression, descends in reversed(query.order):
            found.sort(key=cmp_to_key(self._by(expression)), reverse=descends)
        return [{name: shown(value) for name, value in each.row.items()} for each in found]

    def _members(self) -> list[list[Env]]:
        """What each answered row is made of: one row of the join, or a group of them."""
        query = self.query
        envs = [env for env in self._joined() if query.where is None or self._holds(query.where, [env])]
        if not query.group and not any(_aggregates(each.expression) for each in query.selected):
            return [[env] for env in envs]
        groups: dict[tuple[Any, ...], list[Env]] = {} if query.group or envs else {(): []}
        for env in envs:
            groups.setdefault(tuple(self._value(each, [env]) for each in query.group), []).append(env)
        return [each for each in groups.values() if query.having is None or self._holds(query.having, each)]

    def _values(self, members: list[Env]) -> Row:
        return {each.name: self._value(each.expression, members) for each in self.query.selected}

    def _by(self, expression: Any) -> Callable[[_Found, _Found], int]:
        name = self._selected_name(expression)

        def value(found: _Found) -> Any:
            return found.row[name] if name else self._value(expression, found.members)

        return lambda left, right: _compare(value(left), value(right))

    def _joined(self) -> Iterator[Env]:
        query = self.query
        envs: Sequence[Env] = [{query.alias.lower(): row} for row in self.sources[query.alias.lower()].rows()]
        for join in query.joins:
            alias = join.alias.lower()
            rows = list(self.sources[alias].rows())
            index = self._join_index(join.on, alias, rows)
            joined: list[Env] = []
            for env in envs:
                candidates = rows if index is None else index[1].get(self._value(index[0], [env]), [])
                matches = [{**env, alias: row} for row in candidates]
                matches = [each for each in matches if self._holds(join.on, [each])]
                joined += matches or ([{**env, alias: None}] if join.left else [])
            envs = joined
        yield from envs

    def _join_index(self, on: Condition, alias: str, rows: list[Row]) -> tuple[Any, dict[Any, list[Row]]] | None:
        """For ``a.x = b.y``, also as the first of several joined by ``and``: the other side, and rows by value."""
        while on.op == "and":
            on = on.parts[0]
        if on.op != "=" or not all(isinstance(part, Column) for part in on.parts):
            return None
        own = next((part for part in on.parts if part.alias.lower() == alias), None)
        other = next((part for part in on.parts if part.alias.lower() != alias), None)
        if own is None or other is None:
            return None
        index: dict[Any, list[Row]] = {}
        for row in rows:
            index.setdefault(self._value(own, [{alias: row}]), []).append(row)
        return other, index

    def _check_expression(self, expression: Any) -> None:
        if isinstance(expression, Column):
            self._column(expression)
        elif isinstance(expression, Call):
            for arg in expression.args:
                if expression.aggregates and _aggregates(arg):
                    raise unsupported(expression.name)
                self._check_expression(arg)

    def _column(self, column: Column) -> tuple[str, str]:
        aliases = [column.alias.lower()] if column.alias else list(self.sources)
        for alias in aliases:
            if alias not in self.sources:
                raise unsupported(column.alias)
            prop = self.sources[alias].column(column.name)
            if prop is not None:
                return alias, prop
        raise B1Error(400, 703, f"Column '{column.name}' is not accessible")

    def _selected_name(self, expression: Any) -> str | None:
        if isinstance(expression, Column) and not expression.alias:
            return next(
                (each.name for each in self.query.selected if each.name.lower() == expression.name.lower()), None
            )
        return _same(self.query.selected, expression)

    def _value(self, expression: Any, members: list[Env]) -> Any:
        """Of the first member, where it is not an aggregate."""
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Parameter):
            return self.given[expression.name]
        if isinstance(expression, Column):
            alias, prop = self._column(expression)
            row = members[0].get(alias) if members else None
            return None if row is None else self.sources[alias].value(row, prop)
        call: Call = expression
        if call.aggregates:
            return self._aggregate(call, members)
        first = self._value(call.args[0], members)
        if call.name in ("isnull", "ifnull"):
            return self._value(call.args[1], members) if first is None else first
        if first is None:
            return None
        if call.name in ("left", "right"):
            count = int(self._value(call.args[1], members))
            return str(first)[:count] if call.name == "left" else str(first)[-count:]
        return str(first).upper() if call.name == "upper" else str(first).lower()

    def _aggregate(self, call: Call, members: list[Env]) -> Any:
        if call.star:
            return len(members)
        values = [value for env in members if (value := self._value(call.args[0], [env])) is not None]
        if call.distinct:
            values = list(dict.fromkeys(values))
        if call.name == "count":
            return len(values)
        if not values:
            return None
        if call.name in ("min", "max"):
            return min(values) if call.name == "min" else max(values)
        total = sum((Decimal(value) for value in values), Decimal(0))
        return total if call.name == "sum" else total / len(values)

    def _holds(self, condition: Condition, members: list[Env]) -> bool:
        parts = condition.parts
        match condition.op:
            case "and":
                return all(self._holds(part, members) for part in parts)
            case "or":
                return any(self._holds(part, members) for part in parts)
            case "not":
                return not self._holds(parts[0], members)
            case _:
                values = [self._value(part, members) for part in parts]
                return self._compared(condition.op, values)

    def _compared(self, op: str, values: list[Any]) -> bool:
        if op in ("is null", "is not null"):
            return (values[0] is None) == (op == "is null")
        if any(value is None for value in values):
            return False
        first = values[0]
        if op == "in":
            return any(self._pair("=", first, value) for value in values[1:])
        if op == "between":
            return self._pair(">=", first, values[1]) and self._pair("<=", first, values[2])
        if op == "like":
            pattern = re.escape(str(values[1])).replace("%", ".*").replace("_", ".")
            flags = re.DOTALL | (re.IGNORECASE if self.fold_case else 0)
            return re.fullmatch(pattern, str(first), flags) is not None
        return self._pair(op, first, values[1])

    def _pair(self, op: str, left: Any, right: Any) -> bool:
        left, right = _alike(left, right)
        if self.fold_case and isinstance(left, str) and isinstance(right, str):
            left, right = left.casefold(), right.casefold()
        try:
            return COMPARE[op](left, right)
        except TypeError as error:
            raise B1Error(400, 704, f"Values of different types are compared: {left!r}, {right!r}") from error


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Days and times are compared as the texts and numbers that they are in SQL; numbers may come as texts."""
    if isinstance(left, date | time):
        left = shown(left)
    if isinstance(right, date | time):
        right = shown(right)
    if isinstance(left, str) and isinstance(right, str):
        return left, right.replace("-", "") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", right) and left.isdigit() else right
    if isinstance(left, int | Decimal) and isinstance(right, str):
        return left, _number_or(right)
    if isinstance(left, str) and isinstance(right, int | Decimal):
        return _number_or(left), right
    return left, right


def _number_or(text: str) -> Any:
    return Decimal(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else text


def _leaves(condition: Condition) -> Iterator[Any]:
    for part in condition.parts:
        if isinstance(part, Condition):
            yield from _leaves(part)
        else:
            yield part


def _aggregates(expression: Any) -> bool:
    return isinstance(expression, Call) and (expression.aggregates or any(map(_aggregates, expression.args)))


def _same(selected: Sequence[Selected], expression: Any) -> str | None:
    return next((each.name for each in selected if each.expression == expression), None)


def _compare(left: Any, right: Any) -> int:
    if left is None or right is None:
        return (left is not None) - (right is not None)
    left, right = _alike(left, right)
    return (left > right) - (left < right)
