"""From text to a ``Query``. What is not in the grammar is error 701, as on the real one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one.errors import B1Error
from ml_connector.sandbox.business_one.fields import words

LEXEME = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<param>:\w+)"
    r"|(?P<name>\"[^\"]+\"|\[[^\]]+\]|@?[A-Za-z_]\w*)|(?P<mark><>|!=|<=|>=|[=<>(),.*]))"
)
AGGREGATES = frozenset({"sum", "avg", "min", "max", "count"})
FUNCTIONS = frozenset({"isnull", "ifnull", "upper", "lower", "left", "right"})
KEYWORDS = frozenset(
    words(
        "select distinct from where group by having order and or not in like is null between as inner left outer join "
        "on asc desc union case exists limit offset top"
    )
)


def unsupported(what: str) -> B1Error:
    return B1Error(400, 701, f"SQL syntax is not supported near '{what}'")


@dataclass(frozen=True)
class Column:
    alias: str
    name: str


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Parameter:
    name: str


@dataclass(frozen=True)
class Call:
    """A function or an aggregate; ``star`` for count(*)."""

    name: str
    args: tuple[Any, ...]
    distinct: bool = False
    star: bool = False

    @property
    def aggregates(self) -> bool:
        return self.name in AGGREGATES


@dataclass(frozen=True)
class Condition:
    """``and``, ``or``, ``not`` over conditions; any comparison over expressions."""

    op: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Selected:
    expression: Any
    name: str


@dataclass(frozen=True)
class Join:
    table: str
    alias: str
    on: Condition
    left: bool


@dataclass(frozen=True)
class Query:
    distinct: bool
    selected: tuple[Selected, ...]
    table: str
    alias: str
    joins: tuple[Join, ...]
    where: Condition | None
    group: tuple[Any, ...]
    having: Condition | None
    order: tuple[tuple[Any, bool], ...]
    """Expression and whether it descends."""
    parameters: frozenset[str]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else self.text


def parse(text: str) -> Query:
    """Raises ``B1Error`` 701."""
    parser = _Parser(text)
    return parser.query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._parameters: set[str] = set()

    def query(self) -> Query:
        self._need("select")
        distinct = self._take("distinct")
        selected = [self._selected()]
        while self._take(","):
            selected.append(self._selected())
        names = [each.name.lower() for each in selected]
        if len(set(names)) != len(names):
            raise unsupported("duplicate alias")
        self._need("from")
        table, alias = self._table()
        joins: list[Join] = []
        while self._peek() in ("inner", "left", "join"):
            joins.append(self._join())
        where = self._either() if self._take("where") else None
        group: list[Any] = []
        if self._take("group"):
            self._need("by")
            group.append(self._expression())
            while self._take(","):
                group.append(self._expression())
        having = self._either() if self._take("having") else None
        order: list[tuple[Any, bool]] = []
        if self._take("order"):
            self._need("by")
            order.append(self._ordered())
            while self._take(","):
                order.append(self._ordered())
        if self._at < len(self._tokens):
            raise unsupported(self._tokens[self._at].text)
        return Query(
            distinct,
            tuple(selected),
            table,
            alias,
            tuple(joins),
            where,
            tuple(group),
            having,
            tuple(order),
            frozenset(self._parameters),
        )

    def _selected(self) -> Selected:
        expression = self._expression()
        named = self._take("as")
        if named or (self._kind() == "name" and self._peek() not in KEYWORDS):
            return Selected(expression, self._name())
        if isinstance(expression, Column):
            return Selected(expression, expression.name)
        raise unsupported("missing alias")

    def _table(self) -> tuple[str, str]:
        name = self._name()
        self._take("as")
        alias = self._name() if self._kind() == "name" and self._peek() not in KEYWORDS else name
        return name, alias

    def _join(self) -> Join:
        left = self._take("left")
        if left:
            self._take("outer")
        else:
            self._take("inner")
        self._need("join")
        table, alias = self._table()
        self._need("on")
        return Join(table, alias, self._either(), left)

    def _ordered(self) -> tuple[Any, bool]:
        expression = self._expression()
        if self._take("desc"):
            return expression, True
        self._take("asc")
        return expression, False

    def _either(self) -> Condition:
        left = self._both()
        while self._take("or"):
            left = Condition("or", (left, self._both()))
        return left

    def _both(self) -> Condition:
        left = self._one()
        while self._take("and"):
            left = Condition("and", (left, self._one()))
        return left

    def _one(self) -> Condition:
        if self._take("not"):
            return Condition("not", (self._one(),))
        if self._peek() == "(":
            self._need("(")
            inner = self._either()
            self._need(")")
            return inner
        left = self._expression()
        if self._take("is"):
            negated = self._take("not")
            self._need("null")
            return Condition("is not null" if negated else "is null", (left,))
        negated = self._take("not")
        found: Condition
        if self._take("in"):
            self._need("(")
            values = [self._expression()]
            while self._take(","):
                values.append(self._expression())
            self._need(")")
            found = Condition("in", (left, *values))
        elif self._take("like"):
            found = Condition("like", (left, self._expression()))
        elif self._take("between"):
            low = self._expression()
            self._need("and")
            found = Condition("between", (left, low, self._expression()))
        elif not negated and self._peek() in ("=", "<>", "!=", "<", ">", "<=", ">="):
            operator = self._next().text
            return Condition("<>" if operator == "!=" else operator, (left, self._expression()))
        else:
            raise unsupported(self._peek())
        return Condition("not", (found,)) if negated else found

    def _expression(self) -> Any:
        token = self._next()
        if token.kind == "text":
            return Literal(token.text[1:-1].replace("''", "'"))
        if token.kind == "number":
            return Literal(Decimal(token.text))
        if token.kind == "param":
            self._parameters.add(token.text[1:])
            return Parameter(token.text[1:])
        if token.kind != "name":
            raise unsupported(token.text)
        if self._peek() == "(":
            return self._call(token.word)
        if token.word in KEYWORDS:
            raise unsupported(token.text)
        if self._take("."):
            return Column(_bare(token.text), self._name())
        return Column("", _bare(token.text))

    def _call(self, name: str) -> Call:
        if name not in AGGREGATES | FUNCTIONS:
            raise unsupported(name)
        self._need("(")
        if name == "count" and self._take("*"):
            self._need(")")
            return Call(name, (), star=True)
        distinct = name in AGGREGATES and self._take("distinct")
        args = [self._expression()]
        while self._take(","):
            args.append(self._expression())
        self._need(")")
        wanted = 2 if name in ("isnull", "ifnull", "left", "right") else 1
        if len(args) != wanted:
            raise unsupported(name)
        return Call(name, tuple(args), distinct)

    def _name(self) -> str:
        token = self._next()
        if token.kind != "name" or (token.word in KEYWORDS and token.text[0] not in '"['):
            raise unsupported(token.text)
        return _bare(token.text)

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise unsupported("the end")
        self._at += 1
        return self._tokens[self._at - 1]

    def _kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _peek(self) -> str:
        return self._tokens[self._at].word if self._at < len(self._tokens) else ""

    def _take(self, word: str) -> bool:
        if self._peek() == word and self._kind() in ("name", "mark"):
            self._at += 1
            return True
        return False

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise unsupported(self._peek() or "the end")


def _bare(text: str) -> str:
    return text[1:-1] if text[0] in '"[' else text


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = LEXEME.match(text, position)
        if match is None or match.lastgroup is None:
            raise unsupported(text[position:].strip()[:20])
        tokens.append(_Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens
