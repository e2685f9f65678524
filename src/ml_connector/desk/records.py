"""Where is order 1042? Lists of records with what stands in the ERP, or why not, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ml_connector.desk import wording
from ml_connector.engine.database import Database
from ml_connector.engine.views import record_list
from ml_connector.engine.views.record_list import Counts, Document, Filter, Row

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
