"""Reading the audit: by record, reference, correlation, who, kind and time, in pages that cost the same however deep.

Every row comes with the seal that covers it, where there is one yet (`audit_chain.py`).
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select, text, true

from ml_connector.engine.actor import WORKER
from ml_connector.engine.audit_chain import within_reach
from ml_connector.engine.database import Database, dump_json
from ml_connector.engine.schema_services import RARE_KIND, WITH_NAME, audit, audit_seals

_EXPORT_PAGE = 500
COMMON = frozenset(("call", "heard", "read", "planned", "sent", "stored", "synced", "retry", "stock"))
"""Kinds so frequent that newest first finds them soon; the others have an index (`RARE_KIND`)."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for; everything given must hold. `since` included, `until` excluded.

    With `integration`, `flow` and `key` the answer is the record's whole story: also the calls that its runs made for
    several records at once.
    """

    integration: int | None = None
    flow: str | None = None
    key: str | None = None
    reference: str | None = None
    correlation: str | None = None
    connection: int | None = None
    kinds: tuple[str, ...] = ()
    who: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `audit`, see `audit.Entry`; `id` grows with time."""

    id: int
    integration: int
    at: datetime
    correlation: str
    kind: str
    connection: int | None
    flow: str | None
    key: str | None
    refs: tuple[str, ...]
    token: int | None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    who: str = "worker"
    seal: int | None = None
    seal_hash: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The row for export."""
        return {
            "id": self.id, "at": self.at.isoformat(), "integration": self.integration, "kind": self.kind,
            "correlation": self.correlation, "connection": self.connection, "flow": self.flow, "key": self.key,
            "references": list(self.refs), "token": self.token, "data": self.data, "who": self.who, "seal": self.seal,
            "seal_hash": self.seal_hash,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the cursor of the following page, None at the end."""

    rows: tuple[Row, ...]
    next: int | None


async def page(
    db: Database, question: Question, *, after: int | None = None, limit: int = 100, newest_first: bool = True
) -> Page:
    """One page. `after`: the cursor of the page before."""
    conditions = list(_conditions(question))
    if after is not None:
        conditions.append(audit.c.id < after if newest_first else audit.c.id > after)
    order = audit.c.id.desc() if newest_first else audit.c.id.asc()
    statement = _with_seals(_keys(question, conditions, limit + 1, newest_first=newest_first)).order_by(order)
    async with db.connect() as sql:
        found = (await sql.execute(statement)).mappings().all()
    rows = tuple(_row(item) for item in found[:limit])
    return Page(rows, rows[-1].id if len(found) > limit else None)


async def one(db: Database, integration: int, id: int) -> Row | None:
    """The row of that number; None: there is none."""
    keys = select(audit.c.integration, audit.c.id).where(audit.c.integration == integration, audit.c.id == id)
    async with db.connect() as sql:
        found = (await sql.execute(_with_seals(keys))).mappings().one_or_none()
    return _row(found) if found else None


CSV_COLUMNS = (
    *("id", "at", "integration", "who", "kind", "flow", "key", "references", "correlation", "connection", "token"),
    *("data", "seal", "seal_hash"),
)


def _as_it_is(row: Row) -> Row:
    return row


async def export_csv(db: Database, question: Question, shown: Callable[[Row], Row] = _as_it_is) -> AsyncIterator[str]:
    """Every row, oldest first, a heading first; one CSV line at a time, without its end. References are separated by
    blanks, `data` is JSON. What a spreadsheet would take for a formula begins with an apostrophe. `shown`: what the
    reader may see of a row."""
    yield csv_line(CSV_COLUMNS)
    async for kept in _every(db, question):
        row = shown(kept)
        facts = row.as_json()
        facts |= {"references": " ".join(row.refs), "data": dump_json(row.data)}
        yield csv_line([facts[name] for name in CSV_COLUMNS])


async def export(db: Database, question: Question, shown: Callable[[Row], Row] = _as_it_is) -> AsyncIterator[str]:
    """Every row, oldest first, one JSON object a line; in short reads, so that no old snapshot is held."""
    async for row in _every(db, question):
        yield dump_json(shown(row).as_json())


async def _every(db: Database, question: Question) -> AsyncIterator[Row]:
    after: int | None = None
    while True:
        part = await page(db, question, after=after, limit=_EXPORT_PAGE, newest_first=False)
        for row in part.rows:
            yield row
        if part.next is None:
            return
        after = part.next


def csv_line(cells: Sequence[object]) -> str:
    """One line without its end. What a spreadsheet would take for a formula begins with an apostrophe."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    words = "" if value is None else str(value)
    return (
        f"'{words}" if words[:1] in ("=", "+", "-", "@", "\t", "\r") and not isinstance(value, int | Decimal) else words
    )


# A skip scan of the primary key: as many steps as there are integrations.
_INTEGRATIONS = """
(WITH RECURSIVE step AS (
  (SELECT integration FROM audit ORDER BY integration LIMIT 1)
  UNION ALL
  SELECT (SELECT a.integration FROM audit a WHERE a.integration > step.integration ORDER BY a.integration LIMIT 1)
    FROM step WHERE step.integration IS NOT NULL)
SELECT integration FROM step WHERE integration IS NOT NULL) AS known
"""


def _keys(question: Question, conditions: Sequence[Any], limit: int, *, newest_first: bool) -> Select[Any, Any]:
    """The page's rows by their keys. Of all integrations: the first of each, for every index leads with it."""
    order = audit.c.id.desc() if newest_first else audit.c.id.asc()
    keys = select(audit.c.integration, audit.c.id).where(*conditions).order_by(order).limit(limit)
    narrow = question.integration is not None or question.reference is not None or question.correlation is not None
    if narrow:
        return keys
    each = keys.where(text("audit.integration = known.integration")).lateral("each")
    of_all = select(each.c.integration, each.c.id).select_from(text(_INTEGRATIONS)).join(each, true())
    return of_all.order_by(each.c.id.desc() if newest_first else each.c.id.asc()).limit(limit)


def _with_seals(keys: Select[Any, Any]) -> Any:
    found = keys.subquery("found")
    seals = audit_seals.c
    seal = (
        select(seals.number, seals.hash, seals.after_id)
        .where(seals.integration == audit.c.integration, seals.upto_id >= audit.c.id)
        .order_by(seals.upto_id)
        .limit(1)
        .lateral("seal")
    )
    covers = seal.c.after_id < audit.c.id
    columns = [each for each in audit.c if each is not audit.c.at]
    at = literal_column(within_reach("audit.at"), audit.c.at.type).label("at")
    return (
        select(*columns, at, seal.c.number.label("seal"), seal.c.hash.label("seal_hash"))
        .select_from(found)
        .join(audit, and_(audit.c.integration == found.c.integration, audit.c.id == found.c.id))
        .outerjoin(seal, covers)
    )


def _conditions(question: Question) -> Sequence[Any]:
    columns = audit.c
    conditions: list[Any] = []
    equal = (
        (columns.integration, question.integration),
        (columns.correlation, question.correlation),
        (columns.connection, question.connection),
    )
    conditions += [column == value for column, value in equal if value is not None]
    if question.kinds:
        conditions.append(columns.kind.in_(question.kinds))
        if not COMMON.intersection(question.kinds):
            conditions.append(text(RARE_KIND))
    if question.who is not None:
        conditions.append(columns.who == question.who)
        if question.who != WORKER:
            conditions.append(text(WITH_NAME))
    if question.since is not None:
        conditions.append(columns.at >= question.since)
    if question.until is not None:
        conditions.append(columns.at < question.until)
    if question.reference is not None:
        # The second condition lets the index be used, which holds rows with references alone.
        conditions += [columns.refs.contains([question.reference]), text("refs <> '{}'::text[]")]
    if question.integration is not None and question.flow is not None and question.key is not None:
        conditions.append(_story(question.integration, question.flow, question.key))
    else:
        if question.flow is not None:
            conditions.append(columns.flow == question.flow)
        if question.key is not None:
            conditions.append(columns.key == question.key)
    return conditions


def _story(integration: int, flow: str, key: str) -> ColumnElement[bool]:
    """The record's own rows, and rows of no single record in the runs that had it."""
    own = audit.alias("own")
    mine = and_(audit.c.flow == flow, audit.c.key == key)
    same_run = (
        select(own.c.correlation)
        .where(own.c.integration == integration, own.c.flow == flow, own.c.key == key, own.c.correlation != "")
        .distinct()
    )
    return or_(mine, and_(audit.c.key.is_(None), audit.c.correlation.in_(same_run)))


def _row(item: Mapping[Any, Any]) -> Row:
    seal_hash = item["seal_hash"]
    facts: dict[str, Any] = {
        **item, "refs": tuple(item["refs"]), "seal_hash": None if seal_hash is None else bytes(seal_hash).hex(),
    }  # fmt: skip
    return Row(**facts)
