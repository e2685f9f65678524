"""What each day came out as when it was last compared, kept for the console: sums, accounts that differ, findings.

A note of the nightly record (`results.NAME`): small, for a window is a few days, and days older than `KEPT_DAYS` go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.domain.money import ZERO
from ml_connector.engine import watermarks
from ml_connector.reconcile.totals import (
    PART_KINDS,
    AccountRow,
    Row,
    Totals,
    difference_from_json,
    difference_to_json,
)
from ml_connector.reconcile.values import Difference

FLOW = "system:reconcile"
NOTE = "days"
KEPT_DAYS = 92
FOUND_AT_MOST = 100
"""Findings kept of one day; `reconcile` shows all of them again."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the store. `day` None: findings that belong to no day of the window. `accounts`: those alone that
    differ. `more`: findings that were not kept."""

    day: date | None
    read_at: datetime
    rows: tuple[Row, ...]
    accounts: tuple[AccountRow, ...]
    found: tuple[Difference, ...]
    more: int = 0

    @property
    def differences(self) -> Sequence[Difference]:
        return [each for each in self.found if not each.open]

    @property
    def open(self) -> Sequence[Difference]:
        """Not posted yet, for a known reason."""
        return [each for each in self.found if each.open]

    @property
    def currencies(self) -> frozenset[str]:
        return frozenset(each.currency for each in (*self.rows, *self.accounts, *self.found) if each.currency)

    def state(self, currency: str = "") -> str:
        """`differs`, `open` (ties but for what is held or on its way) or `ties`; of one currency where it is given."""
        mine = [each for each in self.found if currency in ("", each.currency)]
        rows = [each for each in self.rows if currency in ("", each.currency)]
        accounts = [each for each in self.accounts if currency in ("", each.currency)]
        if any(not each.open for each in mine) or any(each.difference for each in (*rows, *accounts)) or self.more:
            return "differs"
        return "open" if mine or any(row.open for row in rows) else "ties"

    def sums(self, currency: str) -> Row:
        """The day in one line: orders, captures, refunds and the like together; parts of them are not added."""
        mine = [row for row in self.rows if row.currency == currency and row.kind not in PART_KINDS]

        def total(name: str) -> Decimal:
            return sum((getattr(row, name) for row in mine), ZERO)

        documents = sum(row.documents for row in mine)
        return Row(self.day, currency, "", total("store"), total("open"), total("ours"), total("erp"), documents)


async def keep(sql: AsyncConnection, integration: int, totals: Totals, first: date, last: date, at: datetime) -> None:
    """In the transaction that concludes the window, both days included."""
    kept: dict[str, Any] = await watermarks.noted(sql, integration, FLOW, NOTE) or {}
    oldest = (last - timedelta(days=KEPT_DAYS)).isoformat()
    days = {day: facts for day, facts in kept.items() if day >= oldest}
    days |= {_name(each.day): _to_json(each) for each in of_totals(totals, first, last, at)}
    await watermarks.note(sql, integration, FLOW, {NOTE: days})


def of_totals(totals: Totals, first: date, last: date, at: datetime) -> list[Day]:
    """Every day of the window, and what belongs to none of them, where there is such a thing."""
    window: list[date | None] = [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def own(day: date | None) -> date | None:
        return day if day is not None and first <= day <= last else None

    days: list[Day] = []
    for day in (*window, None):
        found = [each for each in totals.found if own(each.day) == day]
        # What differs first: it must not fall victim to the limit.
        found.sort(key=lambda each: each.open)
        made = Day(
            day,
            at,
            tuple(row for row in totals.rows if own(row.day) == day),
            tuple(row for row in totals.accounts if own(row.day) == day and row.difference and totals.three_sided),
            tuple(found[:FOUND_AT_MOST]),
            sum(not each.open for each in found[FOUND_AT_MOST:]),
        )
        # An old finding of no day is gone with the night that does not find it again.
        days.append(made)
    return days


async def days_of(sql: AsyncConnection) -> dict[int, list[Day]]:
    """Integration -> its days, oldest first; what belongs to none at the end, where something does."""
    noted: Mapping[int, Mapping[str, Any]] = await watermarks.noted_by_all(sql, FLOW, NOTE)
    found: dict[int, list[Day]] = {}
    for integration, days in noted.items():
        read = [_from_json(name, facts) for name, facts in days.items()]
        read = [each for each in read if each.day is not None or each.found or each.rows or each.accounts]
        found[integration] = sorted(read, key=lambda each: each.day or date.max)
    return found


_NO_DAY = "none"
"""Sorts behind every date, so that it is never taken for an old one."""


def _name(day: date | None) -> str:
    return day.isoformat() if day else _NO_DAY


def _to_json(day: Day) -> dict[str, Any]:
    return {
        "at": day.read_at.isoformat(),
        "rows": [
            [row.currency, row.kind, *(str(each) for each in (row.store, row.open, row.ours, row.erp)), row.documents]
            for row in day.rows
        ],
        "accounts": [[row.currency, row.account, str(row.ours), str(row.erp)] for row in day.accounts],
        "found": [difference_to_json(each) for each in day.found],
        "more": day.more,
    }


def _from_json(name: str, facts: Mapping[str, Any]) -> Day:
    day = None if name == _NO_DAY else date.fromisoformat(name)
    return Day(
        day,
        datetime.fromisoformat(facts["at"]),
        tuple(
            Row(day, currency, kind, Decimal(store), Decimal(open), Decimal(ours), Decimal(erp), documents)
            for currency, kind, store, open, ours, erp, documents in facts["rows"]
        ),
        tuple(
            AccountRow(day, currency, account, Decimal(ours), Decimal(erp))
            for currency, account, ours, erp in facts["accounts"]
        ),
        tuple(difference_from_json(each) for each in facts["found"]),
        facts["more"],
    )
