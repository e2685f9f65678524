"""Which rows of a table the latest orders were posted with, as far as their documents tell. Where they do not tell one
row from another, nothing is said."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ml_connector.desk.mapping_tables import VALUE, Row, Table
from ml_connector.domain.documents import Role
from ml_connector.engine.views.mapping import PostedLine

Json = Mapping[str, Any]
Uses = Mapping[str, int]
"""Row -> how many orders used it. A row that is not in it: not known."""


def used(table: Table, rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    """Of the orders in `posted`; empty where there are none, or where documents do not tell."""
    tells = _TELLS.get(table.name)
    return tells(rows, mapping, posted) if tells is not None and posted else {}


def _orders(posted: Sequence[PostedLine], fits: Callable[[PostedLine], bool]) -> int:
    return len({line.key for line in posted if fits(line)})


def _accounts(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    return {
        row.at: _orders(posted, lambda line, row=row: (line.role, line.account) == (row.at, row.values[VALUE]))
        for row in rows
    }


def _payment_methods(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    """By the account of the money, and the gateway that the document names."""
    clearing = [line for line in posted if line.role == Role.CLEARING]
    found: dict[str, set[str]] = {row.at: set() for row in rows}
    doubtful: set[str] = set()
    for line in clearing:
        fitting = [row.at for row in rows if _may_be(row, line)]
        if len(fitting) == 1:
            found[fitting[0]].add(line.key)
        else:
            doubtful.update(fitting)
    return {at: len(keys) for at, keys in found.items() if at not in doubtful}


def _may_be(row: Row, line: PostedLine) -> bool:
    values = row.values
    named = all(not line_has or values[name] in ("", line_has) for name, line_has in _tender(line))
    return values["account"] == line.account and named


def _tender(line: PostedLine) -> tuple[tuple[str, str], ...]:
    return ("gateway", line.gateway), ("method", line.method)


def _by(name: str, of: Callable[[PostedLine], str]) -> Callable[[Sequence[Row], Json, Sequence[PostedLine]], Uses]:
    """By the value of a column, of rows that are alone with it."""

    def tell(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
        values = Counter(row.values[name] for row in rows)
        return {
            row.at: _orders(posted, lambda line, wanted=row.values[name]: of(line) == wanted)
            for row in rows
            if values[row.values[name]] == 1
        }

    return tell


def _taxes(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    codes = Counter(row.values["tax_code"] for row in rows)
    return {
        row.at: _orders(posted, lambda line, code=row.values["tax_code"]: code in line.tax_code.split("+"))
        for row in rows
        if codes[row.values["tax_code"]] == 1
    }


def _tax_groups(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    codes = {row.at: row.values["codes"].replace(", ", "+") for row in rows}
    return {at: _orders(posted, lambda line, wanted=each: line.tax_code == wanted) for at, each in codes.items()}


def _revenue_rules(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    known = _by("account", lambda line: line.account if line.role == Role.REVENUE else "")(rows, mapping, posted)
    usual = mapping.get("accounts", {}).get(Role.REVENUE.value)
    return {row.at: known[row.at] for row in rows if row.at in known and row.values["account"] != usual}


def _dimensions(rows: Sequence[Row], mapping: Json, posted: Sequence[PostedLine]) -> Uses:
    def fits(row: Row, line: PostedLine) -> bool:
        has = {"profit_center": line.profit_center, "cost_center": line.cost_center, "segment": line.segment}
        return line.role == row.at and all(row.values[name] in ("", value) for name, value in has.items())

    return {row.at: _orders(posted, lambda line, row=row: fits(row, line)) for row in rows}


_TELLS: Final[Mapping[str, Callable[[Sequence[Row], Json, Sequence[PostedLine]], Uses]]] = {
    "accounts": _accounts,
    "payment_methods": _payment_methods,
    "taxes": _taxes,
    "tax_groups": _tax_groups,
    "items": _by(VALUE, lambda line: line.item),
    "revenue_rules": _revenue_rules,
    "dimensions": _dimensions,
    "customers.individual": _by(VALUE, lambda line: line.customer),
    "customers.companies": _by(VALUE, lambda line: line.customer),
}
