"""Does it tie? The days of each integration as they were last compared, what differs, and what is not posted yet."""

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from ml_connector.desk import actions
from ml_connector.desk.actions import WORDS_OF_A_REASON, Refused
from ml_connector.domain.money import ZERO
from ml_connector.engine import explained as kept_explanations
from ml_connector.engine.actor import actor
from ml_connector.engine.audit import Entry, append, entry
from ml_connector.engine.audit_queries import csv_line
from ml_connector.engine.database import Database
from ml_connector.engine.periodic import KEY
from ml_connector.engine.registry import Integration
from ml_connector.engine.views import periodic
from ml_connector.engine.views.periodic import Standing
from ml_connector.reconcile import days, explained
from ml_connector.reconcile.causes import ABOUT, Cause
from ml_connector.reconcile.days import Day
from ml_connector.reconcile.explained import Finding, Said
from ml_connector.reconcile.results import NAME, TieOutResult, last_results
from ml_connector.reconcile.totals import PART_KINDS, Row
from ml_connector.reconcile.values import Difference

COLUMNS = (
    *("section", "integration", "day", "currency", "kind", "account", "order", "reference", "cause", "store"),
    *("open", "ours", "erp", "difference", "documents", "text", "next_step", "read_at", "explained", "explained_by"),
)
"""Of the CSV; `section`: row, account, difference, open. `explained`: why, as a person has said."""

HELD = (Cause.HELD,)
LEFT_OUT = (Cause.LEFT_OUT, Cause.EXCLUDED)


@dataclass(frozen=True, slots=True)
class Group:
    """Everything found for one cause that nobody has explained: how much, and what to do. `day`: the newest one that
    has it. `explained`: so many more have been."""

    cause: Cause
    words: str
    next_step: str
    open: bool
    count: int
    sums: Mapping[str, Decimal]
    day: date | None
    explained: int = 0


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day in one currency. `held`, `left_out`, `moving`: what of the store's sum is not in the ERP, and why."""

    day: Day
    sums: Row
    state: str
    held: Decimal
    left_out: Decimal
    moving: Decimal
    findings: Sequence[Finding]

    @property
    def to_explain(self) -> int:
        return sum(each.open for each in self.findings)

    @property
    def explained(self) -> int:
        return sum(each.said is not None for each in self.findings)

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
    undated: Sequence[Finding]
    undated_more: int
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
        said = await kept_explanations.of_integrations(sql, [each.id for each in integrations])
    return [
        _books(each, found.get(each.id, []), said.get(each.id, {}), standing.get(each.id), month, currency)
        for each in integrations
    ]


async def explain(database: Database, integration: int, name: str, why: str) -> Finding:
    """Closes the difference of that name, as it was found last, for the reason given; in the name of the actor. Raises
    `Refused`."""
    words = " ".join(why.split())
    if len(words.split()) < WORDS_OF_A_REASON:
        raise Refused(f"Say why, in {WORDS_OF_A_REASON} words at least: it stays with the difference and in the audit.")
    async with database.transaction() as sql:
        every = (await days.days_of(sql)).get(integration, [])
        day, found = _named(every, name)
        each = found.difference
        await kept_explanations.explain(
            sql, integration, name, store=each.store, erp=each.erp, rest=explained.rest(day, each.currency), why=words,
            author=actor.get(),
        )  # fmt: skip
        await append(sql, [_told(integration, each, {"explained": words})])
        said = (await kept_explanations.of_integrations(sql, [integration]))[integration]
    return replace(found, said=said[name])


async def unexplain(database: Database, integration: int, name: str) -> bool:
    """The difference is open again. False: nobody had explained it."""
    async with database.transaction() as sql:
        why = await kept_explanations.withdraw(sql, integration, name)
        if why is None:
            return False
        try:
            _, found = _named((await days.days_of(sql)).get(integration, []), name)
        except Refused:  # it is not found any more
            await append(
                sql, [entry("explained", integration=integration, data={"by": actor.get(), "taken_back": why})]
            )
        else:
            await append(sql, [_told(integration, found.difference, {"taken_back": why})])
    return True


async def standing(database: Database) -> list[TieOutResult]:
    """The last comparison of every integration, less what has been explained since."""
    results = await last_results(database)
    loose = [each.integration for each in results if not each.ties]
    if not loose:
        return results
    async with database.connect() as sql:
        said = await kept_explanations.of_integrations(sql, loose)
        found = await days.days_of(sql) if said else {}
    return [
        _less(each, found.get(each.integration, []), said[each.integration])
        if not each.ties and each.integration in said
        else each
        for each in results
    ]


def _less(result: TieOutResult, every: Sequence[Day], said: Said) -> TieOutResult:
    mine = [day for day in every if day.day is None or result.first <= day.day <= result.last]
    closed = [each for day in mine for each in explained.findings(day.found, said) if each.said is not None]
    if not closed:
        return result
    still = any(
        explained.state(day, currency, said) == "differs" for day in mine for currency in day.currencies or {""}
    )
    sums = dict(result.by_currency)
    for each in closed:
        if each.difference.kind not in PART_KINDS and each.difference.currency in sums:
            left = sums[each.difference.currency] - abs(each.difference.amount)
            sums[each.difference.currency] = max(ZERO, left)
    return replace(
        result, ties=not still, differences=max(0, result.differences - len(closed)), by_currency=sums
    )  # fmt: skip


def _named(every: Sequence[Day], name: str) -> tuple[Day, Finding]:
    for day in every:
        for each in explained.findings(day.found, {}):
            if each.name == name and not each.difference.open:
                return day, each
    raise Refused("That difference is not found any more: both sides were read again meanwhile. Look at the page anew.")


def _told(integration: int, each: Difference, facts: Mapping[str, str]) -> Entry:
    told = {
        "by": actor.get(), "cause": str(each.cause), "store": str(each.store), "erp": str(each.erp),
        "currency": each.currency, **facts,
    }  # fmt: skip
    key = str(each.order_id) if each.order_id else None
    refs = [each.reference] if each.reference else ()
    return entry("explained", integration, None, "orders" if key else None, key, refs, told)


async def compare_now(database: Database, integration: int) -> bool:
    """The nightly comparison runs now, over the days that it would look at tonight. False: no worker has set it up."""
    marked = await actions.replay(database, integration, NAME, [KEY], why="asked for on the page of reconciliation")
    return bool(marked.done)


def export(books: Sequence[Books], every: Mapping[int, Sequence[Day]], said: Mapping[int, Said]) -> Iterator[str]:
    """CSV lines with a heading: every day that is kept, not the month shown alone."""
    yield csv_line(COLUMNS)
    for each in books:
        for day in every.get(each.integration.id, ()):
            for facts in _facts(day, said.get(each.integration.id, {})):
                told = {"integration": each.integration.name, "read_at": day.read_at.isoformat(), **facts}
                yield csv_line([told.get(name, "") for name in COLUMNS])


async def kept(database: Database) -> tuple[Mapping[int, Sequence[Day]], Mapping[int, Said]]:
    """Every day that is kept, by integration, and what was said of its differences."""
    async with database.connect() as sql:
        every = await days.days_of(sql)
        return every, await kept_explanations.of_integrations(sql, list(every))


def _books(
    integration: Integration, found: Sequence[Day], said: Said, standing: Standing | None, month: str, currency: str
) -> Books:
    dated = {day.day: day for day in found if day.day is not None}
    undated = next((day for day in found if day.day is None), None)
    weights: dict[str, Decimal] = {}
    differing: dict[str, int] = {}
    for day in found:
        for name in day.currencies:
            weights[name] = weights.get(name, ZERO) + abs(day.sums(name).store)
            differing[name] = differing.get(name, 0) + (explained.state(day, name, said) == "differs")
    currencies = sorted(weights, key=lambda name: (-weights[name], name))
    chosen = currency if currency in weights else next(iter(currencies), "")
    months = sorted({day.replace(day=1) for day in dated})
    shown = _month(month) or (months[-1] if months else None)
    first = shown or datetime.now(UTC).date().replace(day=1)
    strip = [
        (day, explained.state(dated[day], chosen, said) if day in dated else "none")
        for day in (first.replace(day=number + 1) for number in range(monthrange(first.year, first.month)[1]))
    ]
    lines = [_line(dated[day], chosen, said) for day, state in reversed(strip) if state != "none"]
    last = max((day.read_at for day in found), default=None)
    loose = explained.findings(undated.found, said) if undated else []
    return Books(
        integration, standing, currencies, chosen, first, strip, lines, loose, undated.more if undated else 0,
        _groups(found, said), months, last, differing,
    )  # fmt: skip


def _line(day: Day, currency: str, said: Said) -> DayLine:
    sums = day.sums(currency)
    mine = [each for each in day.found if each.currency in ("", currency)]
    held = _sum(mine, HELD, sums.open)
    left_out = _sum(mine, LEFT_OUT, sums.open - held)
    state, told = explained.state(day, currency, said), explained.findings(mine, said)
    return DayLine(day, sums, state, held, left_out, sums.open - held - left_out, told)


def _sum(found: Sequence[Difference], causes: Sequence[Cause], at_most: Decimal) -> Decimal:
    """Never more than what is open at all: a finding may count in part."""
    total = sum((each.store - each.erp for each in found if each.open and each.cause in causes), ZERO)
    return min(max(total, ZERO), max(at_most, ZERO))


def _groups(found: Sequence[Day], said: Said) -> list[Group]:
    """What differs first, then by how many."""
    by_cause: dict[Cause, list[tuple[Day, Finding]]] = {}
    for day in found:
        for each in explained.findings(day.found, said):
            by_cause.setdefault(each.difference.cause, []).append((day, each))
    groups: list[Group] = []
    for cause, pairs in by_cause.items():
        about = ABOUT[cause]
        sums: dict[str, Decimal] = {}
        counted = [each.difference for _, each in pairs if each.said is None]
        for each in counted:
            if each.currency:
                sums[each.currency] = sums.get(each.currency, ZERO) + each.amount
        newest = max((day.day for day, _ in pairs if day.day is not None), default=None)
        closed = len(pairs) - len(counted)
        groups.append(Group(cause, about.words, about.next_step, about.open, len(counted), sums, newest, closed))
    return sorted(groups, key=lambda group: (group.open, -group.count, group.words))


def _facts(day: Day, said: Said) -> Iterator[dict[str, object]]:
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
    for found in explained.findings(day.found, said):
        each = found.difference
        yield {
            "section": "open" if each.open else "difference", "day": each.day or on, "currency": each.currency,
            "kind": each.kind, "order": each.order_id, "reference": each.reference, "cause": str(each.cause),
            "store": each.store, "ours": each.ours, "erp": each.erp, "difference": each.amount, "text": each.text,
            "next_step": ABOUT[each.cause].next_step,
            "explained": found.said.why if found.said else "", "explained_by": found.said.by if found.said else "",
        }  # fmt: skip


def _month(written: str) -> date | None:
    try:
        return date.fromisoformat(f"{written}-01") if written else None
    except ValueError:
        return None
