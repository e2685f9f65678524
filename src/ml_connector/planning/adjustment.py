"""Adjustment lines: the new content of an order minus everything that stands in the books for it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from ml_connector.domain.documents import Dimension, Document, Line, Role, Side
from ml_connector.domain.money import ZERO

_Key = tuple[Role, str, str, Dimension, str]


def adjusted(standing: Sequence[Document], wanted: Document) -> list[Line]:
    """One line per (role, account, tax code, dimension) that differs; none when the books are right."""
    posted = _sums(line for document in standing for line in document.lines)
    asked = _sums(wanted.lines)
    samples = {_key(line): line for document in standing for line in document.lines}
    samples |= {_key(line): line for line in wanted.lines}
    lines: list[Line] = []
    for key in dict.fromkeys((*posted, *asked)):
        difference = asked.get(key, ZERO) - posted.get(key, ZERO)
        if difference != 0:
            why = f"{asked.get(key, ZERO)} wanted minus {posted.get(key, ZERO)} in the books (debit positive)"
            side = Side.DEBIT if difference > 0 else Side.CREDIT
            lines.append(replace(samples[key], side=side, amount=abs(difference), why=why, parts=()))
    return lines


def _key(line: Line) -> _Key:
    return (line.role, line.account, line.tax_code, line.dimension, line.assignment)


def _sums(lines: Iterable[Line]) -> dict[_Key, Decimal]:
    sums: dict[_Key, Decimal] = {}
    for line in lines:
        key = _key(line)
        sums[key] = sums.get(key, ZERO) + line.signed
    return sums
