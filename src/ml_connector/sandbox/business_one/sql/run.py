"""A ``Query`` over the tables: joins by their condition, filter, group, order."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
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
Read = Callable[[list[Env]], Any]
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def versions(company: Company, query: Query) -> tuple[Any, ...]:
    """What has to be the same for the result to be the same."""
    return tuple(each.version for each in _Run(company, query, {}, fold_case=False).sources.values())


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


def first_rows(
    company: Company, query: Query, given: Mapping[str, Any], limit: int, *, fold_case: bool
) -> list[dict[str, Any]] | None:
    """The first rows without looking at all of them: for one table in the order of its key. None: not so simple."""
    if query.parameters ^ set(given):
        return None
    runner = _Run(company, query, given, fold_case=fold_case)
    runner.check()
    return runner.first_rows(limit)


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
        return self._finished(self._members())

    def first_rows(self, limit: int) -> list[dict[str, Any]] | None:
        query, alias = self.query, self.query.alias.lower()
        source_ = self.sources[alias]
        plain = not (query.joins or query.group or query.distinct or query.having)
        leading = query.order[0] if query.order else (None, True)
        if not plain or leading[1] or not isinstance(leading[0], Column):
            return None
        if any(_aggregates(each.expression) for each in query.selected):
            return None
        if self._column(leading[0])[1] != source_.key:
            return None
        wanted, key = self._test(query.where), self._reader(leading[0])
        taken: list[list[Env]] = []
        last: Any = None
        for row in source_.rows(self._since(query.where, source_.key)):
            members: list[Env] = [{alias: row}]
            if len(taken) >= limit and key(members) != last:
                break
            if wanted(members):
                taken.append(members)
                last = key(members)
        return self._finished(taken)

    def _since(self, condition: Condition | None, key: str) -> Any:
        """The value that the key is compared with by ``>`` or ``>=``, where all rows have to fulfil that."""
        if condition is None:
            return None
        if condition.op == "and":
            found = [self._since(part, key) for part in condition.parts]
            return next((each for each in found if each is not None), None)
        if condition.op not in (">", ">=") or self.fold_case:
            return None
        left, right = condition.parts
        if not isinstance(left, Column) or self._column(left)[1] != key:
            return None
        if isinstance(right, Parameter):
            right = Literal(self.given[right.name])
        kind = str if isinstance(next(iter(self._keys()), ""), str) else int | Decimal
        return right.value if isinstance(right, Literal) and isinstance(right.value, kind) else None

    def _keys(self) -> Iterator[Any]:
        source_ = self.sources[self.query.alias.lower()]
        return (row.get(source_.key) for row in source_.rows())

    def _finished(self, members: list[list[Env]]) -> list[dict[str, Any]]:
        """The answered rows, in order."""
        query = self.query
        columns = [(each.name, self._reader(each.expression)) for each in query.selected]
        found = [_Found({name: read(each) for name, read in columns}, each) for each in members]
        if query.distinct:
            found = list({tuple(each.row.values()): each for each in reversed(found)}.values())[::-1]
        for expression, descends in reversed(query.order):
            found.sort(key=self._by(expression), reverse=descends)
        return [{name: shown(value) for name, value in each.row.items()} for each in found]

    def _members(self) -> list[list[Env]]:
        """What each answered row is made of: one row of the join, or a group of them."""
        query = self.query
        wanted = self._test(query.where)
        envs = [env for env in self._joined() if wanted([env])]
        if not query.group and not any(_aggregates(each.expression) for each in query.selected):
            return [[env] for env in envs]
        keys = [self._reader(each) for each in query.group]
        groups: dict[tuple[Any, ...], list[Env]] = {} if query.group or envs else {(): []}
        for env in envs:
            groups.setdefault(tuple(read([env]) for read in keys), []).append(env)
        return list(filter(self._test(query.having), groups.values()))

    def _by(self, expression: Any) -> Callable[[_Found], tuple[bool, Any]]:
        """A sort key; NULL comes first."""
        name = self._selected_name(expression)
        read = None if name else self._reader(expression)

        def key(found: _Found) -> tuple[bool, Any]:
            value = found.row[name] if name else read and read(found.members)
            return value is not None, 0 if value is None else value

        return key

    def _joined(self) -> Iterator[Env]:
        query = self.query
        envs: Sequence[Env] = [{query.alias.lower(): row} for row in self.sources[query.alias.lower()].rows()]
        for join in query.joins:
            alias = join.alias.lower()
            rows = list(self.sources[alias].rows())
            index = self._join_index(join.on, alias, rows)
            fits = self._test(join.on)
            joined: list[Env] = []
            for env in envs:
                candidates = rows if index is None else index[1].get(index[0]([env]), [])
                matches = [{**env, alias: row} for row in candidates]
                matches = [each for each in matches if fits([each])]
                joined += matches or ([{**env, alias: None}] if join.left else [])
            envs = joined
        yield from envs

    def _join_index(self, on: Condition, alias: str, rows: list[Row]) -> tuple[Read, dict[Any, list[Row]]] | None:
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
        read = self._reader(own)
        for row in rows:
            index.setdefault(read([{alias: row}]), []).append(row)
        return self._reader(other), index

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

    def _reader(self, expression: Any) -> Read:
        """What takes the expression from the members of a row; of the first, where it is not an aggregate."""
        if isinstance(expression, Literal):
            return lambda members: expression.value
        if isinstance(expression, Parameter):
            value = self.given[expression.name]
            return lambda members: value
        if isinstance(expression, Column):
            return self._column_reader(expression)
        call: Call = expression
        if call.aggregates:
            inner = None if call.star else self._reader(call.args[0])
            return lambda members: _aggregate(call, inner, members)
        args = [self._reader(each) for each in call.args]
        return lambda members: _function(call.name, [read(members) for read in args])

    def _column_reader(self, column: Column) -> Read:
        alias, prop = self._column(column)
        read = self.sources[alias].reader(prop)

        def value(members: list[Env]) -> Any:
            row = members[0].get(alias) if members else None
            return None if row is None else read(row)

        return value

    def _test(self, condition: Condition | None) -> Callable[[list[Env]], bool]:
        """Whether the members fulfil the condition; without one, always."""
        if condition is None:
            return lambda members: True
        if condition.op in ("and", "or", "not"):
            tests = [self._test(part) for part in condition.parts]
            if condition.op == "not":
                return lambda members: not tests[0](members)
            every = all if condition.op == "and" else any
            return lambda members: every(test(members) for test in tests)
        op, reads = condition.op, [self._reader(part) for part in condition.parts]
        return lambda members: self._compared(op, [read(members) for read in reads])

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
        if type(left) is not type(right) or not isinstance(left, Decimal | int):
            left, right = _alike(left, right)
        if self.fold_case and isinstance(left, str) and isinstance(right, str):
            left, right = left.casefold(), right.casefold()
        try:
            return COMPARE[op](left, right)
        except TypeError as error:
            raise B1Error(400, 704, f"Values of different types are compared: {left!r}, {right!r}") from error


def _aggregate(call: Call, read: Read | None, members: list[Env]) -> Any:
    if read is None:
        return len(members)
    values = [value for env in members if (value := read([env])) is not None]
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


def _function(name: str, args: list[Any]) -> Any:
    first = args[0]
    if name in ("isnull", "ifnull"):
        return args[1] if first is None else first
    if first is None:
        return None
    if name in ("left", "right"):
        count = int(args[1])
        return str(first)[:count] if name == "left" else str(first)[-count:]
    return str(first).upper() if name == "upper" else str(first).lower()


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
