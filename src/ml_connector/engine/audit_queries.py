"""Reading the audit: by record, reference, correlation, kind and time, in pages that cost the same however deep."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, text

from ml_connector.engine.database import Database, dump_json
from ml_connector.engine.schema_services import audit

_EXPORT_PAGE = 500


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

    def as_json(self) -> dict[str, Any]:
        """The row for export."""
        return {
            "id": self.id, "at": self.at.isoformat(), "integration": self.integration, "kind": self.kind,
            "correlation": self.correlation, "connection": self.connection, "flow": self.flow, "key": self.key,
            "references": list(self.refs), "token": self.token, "data": self.data,
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
    order = audit.c.id.desc() if newest_first else audit.c.id.asc()
    statement = select(audit).where(*_conditions(question)).order_by(order).limit(limit + 1)
    if after is not None:
        statement = statement.where(audit.c.id < after if newest_first else audit.c.id > after)
    async with db.connect() as sql:
        found = (await sql.execute(statement)).mappings().all()
    rows = tuple(_row(item) for item in found[:limit])
    return Page(rows, rows[-1].id if len(found) > limit else None)


async def export(db: Database, question: Question) -> AsyncIterator[str]:
    """Every row, oldest first, one JSON object a line; in short reads, so that no old snapshot is held."""
    after: int | None = None
    while True:
        part = await page(db, question, after=after, limit=_EXPORT_PAGE, newest_first=False)
        for row in part.rows:
            yield dump_json(row.as_json())
        if part.next is None:
            return
        after = part.next


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
    facts: dict[str, Any] = {**item, "refs": tuple(item["refs"])}
    return Row(**facts)
