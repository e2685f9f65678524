"""Posted documents: the books of the stand-in."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from ml_connector.sandbox.s4hana.master import unpadded
from ml_connector.sandbox.s4hana.odata.filters import StartsWith

DocumentKey = tuple[str, str, str]
"""Company code, fiscal year, padded number."""


@dataclass(slots=True)
class Line:
    """``amount`` is signed, debit positive. A tax line has no G/L account in the entry view."""

    item: int
    kind: Literal["S", "D", "T"]
    amount: Decimal
    currency: str
    company_amount: Decimal
    account: str = ""
    customer: str = ""
    tax_code: str = ""
    tax_base: Decimal = Decimal(0)
    tax_jurisdiction: str = ""
    profit_center: str = ""
    cost_center: str = ""
    assignment: str = ""
    text: str = ""
    references: tuple[str, str, str] = ("", "", "")
    value_date: date | None = None
    due_base_date: date | None = None
    net_days: int = 0
    payment_reference: str = ""
    house_bank: str = ""
    one_time: dict[str, str] | None = None
    cleared_by: str = ""
    cleared_on: date | None = None


@dataclass(slots=True)
class JournalEntry:
    """``visible_s`` is the clock's second from which the read service shows the entry."""

    company: str
    year: str
    number: str
    type: str
    transaction_type: str
    reference: str
    header_text: str
    reference1: str
    reference2: str
    document_date: date
    posting_date: date
    period: int
    created_by: str
    created: datetime
    company_currency: str
    lines: list[Line]
    message_id: str | None = None
    predecessor: str = ""
    exchange_rate: Decimal | None = None
    reversal_reason: str = ""
    reverses: DocumentKey | None = None
    reversed_by: DocumentKey | None = None
    visible_s: float = 0
    ignored_elements: tuple[str, ...] = ()

    @property
    def key(self) -> DocumentKey:
        return (self.company, self.year, self.number)

    def shown(self) -> dict[str, Any]:
        """For the control API: numbers without padding, amounts as strings."""
        return {
            "company_code": self.company,
            "fiscal_year": self.year,
            "accounting_document": unpadded(self.number),
            "type": self.type,
            "document_reference_id": self.reference,
            "header_text": self.header_text,
            "reference1": self.reference1,
            "reference2": self.reference2,
            "document_date": self.document_date,
            "posting_date": self.posting_date,
            "created_by": self.created_by,
            "created": self.created,
            "message_id": self.message_id,
            "is_reversal": self.reverses is not None,
            "is_reversed": self.reverses is None and self.reversed_by is not None,
            "reverses": None if self.reverses is None else unpadded(self.reverses[2]),
            "reversed_by": None if self.reversed_by is None else unpadded(self.reversed_by[2]),
            "reversal_reason": self.reversal_reason,
            "company_currency": self.company_currency,
            "ignored_elements": list(self.ignored_elements),
            "lines": [_shown_line(line) for line in self.lines],
        }


@dataclass
class Ledger:
    documents: dict[DocumentKey, JournalEntry] = field(default_factory=dict[DocumentKey, JournalEntry])
    version: int = 0
    _by_reference: dict[str, list[DocumentKey]] = field(default_factory=lambda: defaultdict(list))
    _references: list[str] = field(default_factory=list[str])
    """Sorted, so that those with one beginning stand together."""
    _last_numbers: dict[tuple[str, str, str], int] = field(default_factory=dict[tuple[str, str, str], int])

    def next_number(self, company: str, year: str, number_range: str) -> str:
        """Raises ``OverflowError`` where the range is used up."""
        key = (company, year, number_range)
        last = self._last_numbers.get(key, -1) + 1
        if last > 99_999_999:
            raise OverflowError(number_range)
        self._last_numbers[key] = last
        return f"{number_range}{last:08}"

    def exhaust(self, company: str, year: str, number_range: str) -> None:
        self._last_numbers[company, year, number_range] = 99_999_999

    def add(self, entry: JournalEntry) -> None:
        self.documents[entry.key] = entry
        if entry.reference:
            if entry.reference not in self._by_reference:
                insort(self._references, entry.reference)
            self._by_reference[entry.reference].append(entry.key)
        self.version += 1

    def remove(self, key: DocumentKey) -> None:
        """As no ERP allows; a test does. Raises ``KeyError``."""
        entry = self.documents.pop(key)
        if entry.reference:
            self._by_reference[entry.reference].remove(key)
        self.version += 1

    def touched(self) -> None:
        self.version += 1

    def with_references(self, references: Iterable[str | StartsWith]) -> Iterator[JournalEntry]:
        """Each document once, whether its reference is named or begins as one of them."""
        for reference in sorted({whole for each in references for whole in self._named(each)}):
            for key in self._by_reference.get(reference, ()):
                yield self.documents[key]

    def _named(self, reference: str | StartsWith) -> Iterator[str]:
        if isinstance(reference, str):
            yield reference
            return
        for place in range(bisect_left(self._references, reference.text), len(self._references)):
            if not self._references[place].startswith(reference.text):
                return
            yield self._references[place]


def _shown_line(line: Line) -> dict[str, Any]:
    shown = asdict(line)
    shown["account"], shown["customer"] = unpadded(line.account), unpadded(line.customer)
    shown["profit_center"], shown["cost_center"] = unpadded(line.profit_center), unpadded(line.cost_center)
    shown["kind"] = {"S": "gl", "D": "debtor", "T": "tax"}[line.kind]
    return shown
