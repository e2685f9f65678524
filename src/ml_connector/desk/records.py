"""Where is order 1042? Lists of records with what stands in the ERP, or why not, in words."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ml_connector.desk import wording
from ml_connector.engine.audit_queries import csv_line
from ml_connector.engine.database import Database
from ml_connector.engine.views import record_list
from ml_connector.engine.views.record_list import GATHERED, Counts, Document, Filter, Row

STANDS = ("posted", "checked")


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the list: the record, and what its column `In the ERP, or why not` says. `numbers`: documents that stand
    there, as (kind in words, number); `words`: the reason where it is not there."""

    row: Row
    numbers: tuple[tuple[str, str], ...]
    words: str
    at: datetime | None = None

    @property
    def href(self) -> str:
        return wording.record_href(self.row.integration, self.row.flow, self.row.key)

    @property
    def called(self) -> str:
        return wording.called(self.row.flow, self.row.title)


@dataclass(frozen=True, slots=True)
class List:
    """A page of records. `counts` by status, for the tabs; `after`: cursor of the next page."""

    rows: Sequence[Listed]
    counts: Counts
    after: str
    capped: bool


NEWER = 100
"""So many new ones are counted; beyond, there are more."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a list hears while it is looked at. `rows`: those in view as they are, each with whether it still fits the
    filter. `newer`: how many others came since; `many`: there are more."""

    rows: Sequence[tuple[Listed, bool]]
    newer: int
    many: bool


async def now(
    database: Database,
    filter: Filter,
    erps: Mapping[int, str],
    names: Sequence[tuple[int, str, str]],
    since: datetime,
) -> Now:
    """`names`: the rows in view; `since`: when the youngest of them was heard of."""
    async with database.connect() as sql:
        rows = await record_list.named(sql, names)
        young = replace(filter, since=max(since, filter.since) if filter.since else since)
        page = await record_list.page(sql, young, limit=NEWER + len(names) + 1)
    known = set(names)
    newer = sum(row.heard_at > since and (row.integration, row.flow, row.key) not in known for row in page.rows)
    shown = [(listed(row, erps.get(row.integration, "the ERP")), _fits(row, filter)) for row in rows]
    return Now(shown, min(newer, NEWER), newer > NEWER)


def _fits(row: Row, filter: Filter) -> bool:
    """As far as a record can come to fit no more while it is looked at."""
    if filter.reason and (row.status != "held" or row.hold_kind != filter.reason):
        return False
    return filter.status in ("", row.status, row.shown)


COLUMNS = (
    *("integration", "flow", "key", "title", "status", "reason", "about", "words", "customer", "ship_to", "total"),
    *("currency", "documents", "ordered_at", "changed_at", "done_at"),
)
"""Of the CSV. Moments are UTC (ISO 8601), amounts have a dot and no grouping, documents are parted by semicolons."""

EXPORTED = 50_000
"""So many lines at most: what matches beyond, or beyond what a search gathers, is left out; the last line says so."""

_AT_ONCE = 500


async def export(
    database: Database, filter: Filter, erps: Mapping[int, str], names: Mapping[int, str]
) -> AsyncGenerator[str]:
    """The query as CSV, newest first, line by line. `names`: integration -> its name."""
    yield csv_line(COLUMNS)
    after, written = "", 0
    while written < EXPORTED:
        async with database.connect() as sql:
            page = await record_list.page(sql, filter, after=after, limit=min(_AT_ONCE, EXPORTED - written))
        for row in page.rows:
            yield _line(listed(row, erps.get(row.integration, "the ERP")), names)
        written += len(page.rows)
        after = page.after
        if page.capped and not after:
            yield csv_line((f"More than {GATHERED:,} records match the search, these are some: add a word.",))
        if not after:
            return
    yield csv_line((f"More than {EXPORTED:,} records match: narrow the query for the rest.",))


def _line(each: Listed, names: Mapping[int, str]) -> str:
    row = each.row
    moments = (
        None if at is None else at.astimezone(UTC).isoformat() for at in (row.placed_at, row.heard_at, row.done_at)
    )
    documents = "; ".join(f"{kind} {number}" for kind, number in each.numbers)
    return csv_line(
        (
            *(names.get(row.integration, row.integration), row.flow, row.key, row.title, row.shown, row.hold_kind),
            *(row.hold_key, each.words, row.party, row.ship_to, row.total, row.currency, documents, *moments),
        )
    )


async def find(
    database: Database, filter: Filter, erps: Mapping[int, str], *, after: str = "", limit: int = record_list.PAGE
) -> List:
    """`erps`: integration -> what its ERP is called. Raises `ValueError` for a cursor that is none."""
    async with database.connect() as sql:
        page = await record_list.page(sql, filter, after=after, limit=limit)
        counts = await record_list.count(sql, filter)
    return List(
        [listed(row, erps.get(row.integration, "the ERP")) for row in page.rows], counts, page.after, page.capped
    )


def listed(row: Row, erp: str) -> Listed:
    """The row with its words."""
    numbers = tuple(
        (wording.document(each.kind), each.number) for each in row.documents if each.state in STANDS and each.number
    )
    open_one = next((each for each in row.documents if each.state in ("sending", "uncertain")), None)
    match row.status:
        case "held":
            return Listed(row, (), wording.title(row.hold_kind, row.hold_key, erp))
        case "dead":
            return Listed(row, (), f"Given up: {row.message}")
        case "excluded":
            return Listed(row, (), excluded(row.message))
        case "running":
            return Listed(row, (), "Being worked on now")
        case "waiting":
            return _waiting(row, open_one, numbers)
        case _:
            return Listed(row, numbers, "" if numbers else "Nothing has to be there")


def _waiting(row: Row, open_one: Document | None, numbers: tuple[tuple[str, str], ...]) -> Listed:
    if open_one is not None:
        what = wording.document(open_one.kind).lower()
        return Listed(row, (), f"No answer to the {what} yet; it is looked up, never sent twice", open_one.resolve_at)
    if row.message:
        return Listed(row, (), f"Tried again: {row.message}", row.next_at)
    return Listed(row, numbers, "Next in line", row.next_at)


def excluded(message: str) -> str:
    """`by_person: test order of the shop` in words."""
    code, _, words = message.partition(": ")
    return f"Left out: {words or code}"
