"""Does it tie? The days of each integration as they were last compared, what differs, and what is not posted yet."""

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from ml_connector.desk import actions
from ml_connector.domain.money import ZERO
from ml_connector.engine.audit_queries import csv_line
from ml_connector.engine.database import Database
from ml_connector.engine.periodic import KEY
from ml_connector.engine.registry import Integration
from ml_connector.engine.views import periodic
from ml_connector.engine.views.periodic import Standing
from ml_connector.reconcile import days
from ml_connector.reconcile.causes import ABOUT, Cause
from ml_connector.reconcile.days import Day
from ml_connector.reconcile.results import NAME
from ml_connector.reconcile.totals import Row
from ml_connector.reconcile.values import Difference

COLUMNS = (
    *("section", "integration", "day", "currency", "kind", "account", "order", "reference", "cause", "store"),
    *("open", "ours", "erp", "difference", "documents", "text", "next_step", "read_at"),
)
"""Of the CSV; `section`: row, account, difference, open."""

HELD = (Cause.HELD,)
LEFT_OUT = (Cause.LEFT_OUT, Cause.EXCLUDED)


@dataclass(frozen=True, slots=True)
class Group:
    """Everything found for one cause: how much, and what to do. `day`: the newest one that has it."""

    cause: Cause
    words: str
    next_step: str
    open: bool
    count: int
    sums: Mapping[str, Decimal]
    day: date | None


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day in one currency. `held`, `left_out`, `moving`: what of the store's sum is not in the ERP, and why."""

    day: Day
    sums: Row
    state: str
    held: Decimal
    left_out: Decimal
    moving: Decimal
    findings: Sequence[Difference]

    @property
    def wanted(self) -> Decimal:
        """What should be in the ERP."""
        return self.sums.store - self.sums.open


@dataclass(frozen=True, slots=True)
class Books:
    """One integration. `strip`: every day of the month with its state (`none`: not compared). `lines`: newest first."""

    integration: Integration
    standing: Standing | None
    currencies: Sequence[str]
    currency: str
    month: date
    strip: Sequence[tuple[date, str]]
    lines: Sequence[DayLine]
    undated: Day | None
    groups: Sequence[Group]
    months: Sequence[date]
    read_at: datetime | None
    by_currency: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def differing(self) -> Sequence[DayLine]:
        return [line for line in self.lines if line.state == "differs"]


async def read(
    database: Database, integrations: Sequence[Integration], *, month: str = "", currency: str = ""
) -> list[Books]:
    """`month`: `2026-11`, else that of the last day compared; `currency`: else the one with most money in it."""
    async with database.connect() as sql:
        found = await days.days_of(sql)
        standing = await periodic.standing(sql, NAME, [each.id for each in integrations])
    return [_books(each, found.get(each.id, []), standing.get(each.id), month, currency) for each in integrations]


async def compare_now(database: Database, integration: int) -> bool:
    """The nightly comparison runs now, over the days that it would look at tonight. False: no worker has set it up."""
    marked = await actions.replay(database, integration, NAME, [KEY], why="asked for on the page of reconciliation")
    return bool(marked.done)


def export(books: Sequence[Books], every: Mapping[int, Sequence[Day]]) -> Iterator[str]:
    """CSV lines with a heading: every day that is kept, not the month shown alone."""
    yield csv_line(COLUMNS)
    for each in books:
        for day in every.get(each.integration.id, ()):
            for facts in _facts(day):
                told = {"integration": each.integration.name, "read_at": day.read_at.isoformat(), **facts}
                yield csv_line([told.get(name, "") for name in COLUMNS])


async def kept(database: Database) -> Mapping[int, Sequence[Day]]:
    """Every day that is kept, by integration."""
    async with database.connect() as sql:
        return await days.days_of(sql)


def _books(
    integration: Integration, found: Sequence[Day], standing: Standing | None, month: str, currency: str
) -> Books:
    dated = {day.day: day for day in found if day.day is not None}
    undated = next((day for day in found if day.day is None), None)
    weights: dict[str, Decimal] = {}
    differing: dict[str, int] = {}
    for day in found:
        for name in day.currencies:
            weights[name] = weights.get(name, ZERO) + abs(day.sums(name).store)
            differing[name] = differing.get(name, 0) + (day.state(name) == "differs")
    currencies = sorted(weights, key=lambda name: (-weights[name], name))
    chosen = currency if currency in weights else next(iter(currencies), "")
    months = sorted({day.replace(day=1) for day in dated})
    shown = _month(month) or (months[-1] if months else None)
    first = shown or datetime.now(UTC).date().replace(day=1)
    strip = [
        (day, dated[day].state(chosen) if day in dated else "none")
        for day in (first.replace(day=number + 1) for number in range(monthrange(first.year, first.month)[1]))
    ]
    lines = [_line(dated[day], chosen) for day, state in reversed(strip) if state != "none"]
    last = max((day.read_at for day in found), default=None)
    return Books(
        integration, standing, currencies, chosen, first, strip, lines, undated, _groups(found), months, last, differing
    )  # fmt: skip


def _line(day: Day, currency: str) -> DayLine:
    sums = day.sums(currency)
    mine = [each for each in day.found if each.currency in ("", currency)]
    held = _sum(mine, HELD, sums.open)
    left_out = _sum(mine, LEFT_OUT, sums.open - held)
    return DayLine(day, sums, day.state(currency), held, left_out, sums.open - held - left_out, mine)


def _sum(found: Sequence[Difference], causes: Sequence[Cause], at_most: Decimal) -> Decimal:
    """Never more than what is open at all: a finding may count in part."""
    total = sum((each.store - each.erp for each in found if each.open and each.cause in causes), ZERO)
    return min(max(total, ZERO), max(at_most, ZERO))


def _groups(found: Sequence[Day]) -> list[Group]:
    """What differs first, then by how many."""
    by_cause: dict[Cause, list[tuple[Day, Difference]]] = {}
    for day in found:
        for each in day.found:
            by_cause.setdefault(each.cause, []).append((day, each))
    groups: list[Group] = []
    for cause, pairs in by_cause.items():
        about = ABOUT[cause]
        sums: dict[str, Decimal] = {}
        for _, each in pairs:
            if each.currency:
                sums[each.currency] = sums.get(each.currency, ZERO) + each.amount
        newest = max((day.day for day, _ in pairs if day.day is not None), default=None)
        groups.append(Group(cause, about.words, about.next_step, about.open, len(pairs), sums, newest))
    return sorted(groups, key=lambda group: (group.open, -group.count, group.words))


def _facts(day: Day) -> Iterator[dict[str, object]]:
    on = day.day.isoformat() if day.day else ""
    for row in day.rows:
        yield {
            "section": "row", "day": on, "currency": row.currency, "kind": row.kind, "store": row.store,
            "open": row.open, "ours": row.ours, "erp": row.erp, "difference": row.difference,
            "documents": row.documents,
        }  # fmt: skip
    for account in day.accounts:
        yield {
            "section": "account", "day": on, "currency": account.currency, "account": account.account,
            "ours": account.ours, "erp": account.erp, "difference": account.difference,
        }  # fmt: skip
    for each in day.found:
        yield {
            "section": "open" if each.open else "difference", "day": each.day or on, "currency": each.currency,
            "kind": each.kind, "order": each.order_id, "reference": each.reference, "cause": str(each.cause),
            "store": each.store, "ours": each.ours, "erp": each.erp, "difference": each.amount, "text": each.text,
            "next_step": ABOUT[each.cause].next_step,
        }  # fmt: skip


def _month(written: str) -> date | None:
    try:
        return date.fromisoformat(f"{written}-01") if written else None
    except ValueError:
        return None
