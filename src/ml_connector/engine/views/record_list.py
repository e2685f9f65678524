"""Finding records: by number, customer, SKU, document or correlation; by flow, status, reason and time. Newest first.

Pages are cut by key, so that the thousandth costs what the first does. A search gathers at most `GATHERED` candidates,
counts stop at `ENOUGH`, and both say so.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import labels

ENOUGH = 10_000
GATHERED = 5_000
"""Of a beginning that so many share nobody reads the end; another word finds what is sought."""
PAGE = 50
STATUSES = ("running", "waiting", "held", "uncertain", "dead", "excluded", "synced")


@dataclass(frozen=True, slots=True)
class Filter:
    """Everything given must hold. `status`: one of `STATUSES`, or empty. `reason`: a hold's kind, and
    `about`: its key. `since`: heard of then or later."""

    integrations: tuple[int, ...]
    flow: str = ""
    status: str = ""
    reason: str = ""
    about: str | None = None
    asked: str = ""
    since: datetime | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What stands, or may stand, in the ERP for a record."""

    reference: str
    kind: str
    state: str
    number: str
    generation: int
    resolve_at: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a list. `message`: its last words; `next_at`: when it is tried next."""

    integration: int
    flow: str
    key: str
    status: str
    hold_kind: str
    hold_key: str
    message: str
    heard_at: datetime
    done_at: datetime | None
    next_at: datetime | None
    attempts: int
    title: str
    party: str
    ship_to: str
    total: Decimal | None
    currency: str
    placed_at: datetime | None
    documents: tuple[Document, ...] = ()

    @property
    def uncertain(self) -> bool:
        return any(each.state in ("sending", "uncertain") for each in self.documents)

    @property
    def shown(self) -> str:
        """The status as a person sees it: an open outcome shows, whatever the record does meanwhile."""
        return "uncertain" if self.uncertain and self.status not in ("held", "dead") else self.status


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: the cursor of the next page, empty at the end. `capped`: more than `GATHERED` match the search."""

    rows: tuple[Row, ...]
    after: str
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Status -> how many, at most `ENOUGH` each, of a search `GATHERED` (then there are more)."""

    by_status: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def all(self) -> int:
        return sum(count for status, count in self.by_status.items() if status != "uncertain")


_COLUMNS = """
r.integration, r.flow, r.key, r.status, coalesce(r.hold_kind, '') AS hold_kind, coalesce(r.hold_key, '') AS hold_key,
coalesce(r.last_error, r.reason, '') AS message, r.heard_at, r.done_at, r.run_at AS next_at,
r.attempts + r.defects AS attempts, coalesce(l.title, r.key) AS title, coalesce(l.party, '') AS party,
coalesce(l.ship_to, '') AS ship_to, l.total, coalesce(l.currency, '') AS currency, l.placed_at
"""

# Periodic records (`poll:orders`, `system:count`) are on the pages of their connection, not among orders.
_CONDITIONS = """
    r.flow NOT LIKE '%:%' AND (:flow = '' OR r.flow = :flow)
AND (:status = '' OR (:status <> 'uncertain' AND r.status = :status) OR (:status = 'uncertain' AND EXISTS (
       SELECT FROM postings p WHERE p.integration = r.integration AND p.flow = r.flow AND p.record_key = r.key
          AND p.state IN ('sending', 'uncertain'))))
AND (:reason = '' OR (r.status = 'held' AND r.hold_kind = :reason
                      AND (CAST(:about AS text) IS NULL OR coalesce(r.hold_key, '') = :about)))
AND (CAST(:since AS timestamptz) IS NULL OR r.heard_at >= :since)
AND (:currency = '' OR l.currency = :currency)
AND (CAST(:at AS timestamptz) IS NULL OR (r.heard_at, r.flow, r.key) < (:at, :after_flow, :after_key))
"""

# One short ordered scan for each integration, then the newest of them all.
_BROWSE = text(f"""
SELECT s.* FROM unnest(CAST(:integrations AS int[])) AS i(id), LATERAL (
  SELECT {_COLUMNS} FROM records r LEFT JOIN labels l USING (integration, flow, key)
   WHERE r.integration = i.id AND {_CONDITIONS}
   ORDER BY r.heard_at DESC, r.flow DESC, r.key DESC LIMIT :limit) s
 ORDER BY s.heard_at DESC, s.flow DESC, s.key DESC LIMIT :limit
""")  # noqa: S608 - our own columns

# A search finds names first: by terms, by number or reference of a document, by correlation, by the key itself.
_FOUND = """
WITH found AS MATERIALIZED (
  (SELECT integration, flow, key FROM labels
    WHERE integration = ANY(CAST(:integrations AS int[])) AND :terms <> '' AND terms @@ CAST(:terms AS tsquery)
    LIMIT :gathered)
  UNION SELECT integration, flow, record_key FROM postings
    WHERE integration = ANY(CAST(:integrations AS int[])) AND number = :asked
  UNION SELECT integration, flow, record_key FROM postings
    WHERE integration = ANY(CAST(:integrations AS int[])) AND reference = ANY(CAST(:references AS text[]))
  UNION (SELECT integration, flow, key FROM audit
    WHERE correlation = :asked AND integration = ANY(CAST(:integrations AS int[])) AND key IS NOT NULL LIMIT 200)
  UNION SELECT integration, flow, key FROM records
    WHERE integration = ANY(CAST(:integrations AS int[])) AND flow = ANY(CAST(:flows AS text[])) AND key = :asked)
"""
_SEARCH = text(f"""{_FOUND}
SELECT {_COLUMNS}, (SELECT count(*) FROM found) AS candidates
  FROM found JOIN records r USING (integration, flow, key) LEFT JOIN labels l USING (integration, flow, key)
 WHERE {_CONDITIONS} ORDER BY r.heard_at DESC, r.flow DESC, r.key DESC LIMIT :limit
""")  # noqa: S608 - our own columns

# What has an open document is few: from there, not through the list of all.
_UNCERTAIN = text(f"""
WITH found AS MATERIALIZED (
  SELECT DISTINCT integration, flow, record_key AS key FROM postings
   WHERE integration = ANY(CAST(:integrations AS int[])) AND state IN ('sending', 'uncertain'))
SELECT {_COLUMNS}
  FROM found JOIN records r USING (integration, flow, key) LEFT JOIN labels l USING (integration, flow, key)
 WHERE {_CONDITIONS} ORDER BY r.heard_at DESC, r.flow DESC, r.key DESC LIMIT :limit
""")  # noqa: S608 - our own columns

_ONE = text(f"""
SELECT {_COLUMNS} FROM records r LEFT JOIN labels l USING (integration, flow, key)
 WHERE r.integration = :integration AND r.flow = :flow AND r.key = :key
""")  # noqa: S608 - our own columns

_DOCUMENTS = text("""
SELECT p.integration, p.flow, p.record_key AS key, p.reference, p.kind, p.state, coalesce(p.number, '') AS number,
       p.generation, p.resolve_at
  FROM unnest(CAST(:integrations AS int[]), CAST(:flows AS text[]), CAST(:keys AS text[])) AS w(integration, flow, key)
  JOIN postings p ON p.integration = w.integration AND p.flow = w.flow AND p.record_key = w.key
 WHERE p.state <> 'void' ORDER BY p.planned_at, p.reference, p.generation
""")

_NAMED = text(f"""
SELECT {_COLUMNS}
  FROM unnest(CAST(:integrations AS int[]), CAST(:flows AS text[]), CAST(:keys AS text[])) AS w(integration, flow, key)
  JOIN records r USING (integration, flow, key) LEFT JOIN labels l USING (integration, flow, key)
""")  # noqa: S608 - our own columns

_HELD = text("""
SELECT key FROM records
 WHERE integration = :integration AND flow = :flow AND key = ANY(CAST(:keys AS text[])) AND status = 'held'
""")

# The status is written out in each part: the partial index on what is not done is used for a constant alone.
_COUNTED = """
SELECT '{status}' AS status, (SELECT count(*) FROM (
         SELECT 1 FROM records r WHERE r.integration = ANY(CAST(:integrations AS int[])) AND r.status = '{status}'
            AND r.flow NOT LIKE '%:%' AND (:flow = '' OR r.flow = :flow)
            AND (CAST(:since AS timestamptz) IS NULL OR r.heard_at >= :since) LIMIT :enough) c) AS n
"""
_PARTS = (_COUNTED.format(status=status) for status in STATUSES if status != "uncertain")
_COUNT_OPEN = """
SELECT 'uncertain' AS status, count(*) AS n FROM (
  SELECT DISTINCT integration, flow, record_key FROM postings
   WHERE integration = ANY(CAST(:integrations AS int[])) AND state IN ('sending', 'uncertain')
     AND (:flow = '' OR flow = :flow) LIMIT :enough) u
"""
_COUNT = text("UNION ALL".join((*_PARTS, _COUNT_OPEN)))

_COUNT_FOUND = text(f"""{_FOUND}
SELECT r.status, count(*) AS n FROM found JOIN records r USING (integration, flow, key)
 WHERE r.flow NOT LIKE '%:%' AND (:flow = '' OR r.flow = :flow)
   AND (CAST(:since AS timestamptz) IS NULL OR r.heard_at >= :since) GROUP BY r.status
""")  # noqa: S608 - our own columns

FLOWS = ("orders", "customers", "stock", "shipments", "products", "prices", "invoices", "credit")


async def page(connection: AsyncConnection, filter: Filter, *, after: str = "", limit: int = PAGE) -> Page:
    """One page. `after`: the cursor of the page before. Raises `ValueError` for a cursor that is none."""
    parameters = {**_parameters(filter), **_cursor(after), "limit": limit + 1}
    found = (await connection.execute(_statement(filter), parameters)).mappings().all()
    capped = bool(filter.asked and found and found[0]["candidates"] >= GATHERED)
    shown = found[:limit]
    documents = await _documents(connection, shown)
    rows = tuple(
        Row(
            **{name: value for name, value in row.items() if name != "candidates"},
            documents=tuple(documents.get((row["integration"], row["flow"], row["key"]), ())),
        )
        for row in shown
    )
    return Page(rows, _written(rows[-1]) if len(found) > limit else "", capped)


async def one(connection: AsyncConnection, integration: int, flow: str, key: str) -> Row | None:
    """The record of that name; None where nobody has heard of it."""
    parameters = {"integration": integration, "flow": flow, "key": key}
    found = (await connection.execute(_ONE, parameters)).mappings().first()
    if found is None:
        return None
    documents = await _documents(connection, [found])
    return Row(**found, documents=tuple(documents.get((integration, flow, key), ())))


async def named(connection: AsyncConnection, names: Sequence[tuple[int, str, str]]) -> list[Row]:
    """The records of these names, (integration, flow, key), in no order; what nobody has heard of is left out."""
    about = {
        "integrations": [each[0] for each in names],
        "flows": [each[1] for each in names],
        "keys": [each[2] for each in names],
    }
    found = (await connection.execute(_NAMED, about)).mappings().all()
    documents = await _documents(connection, found)
    return [
        Row(**row, documents=tuple(documents.get((row["integration"], row["flow"], row["key"]), ()))) for row in found
    ]


async def held(connection: AsyncConnection, integration: int, flow: str, keys: Sequence[str]) -> list[str]:
    """Those of `keys` that are held now."""
    about = {"integration": integration, "flow": flow, "keys": list(keys)}
    return list((await connection.execute(_HELD, about)).scalars())


async def count(connection: AsyncConnection, filter: Filter) -> Counts:
    """How many there are of each status; reason, status and currency of the filter do not count."""
    statement = _COUNT_FOUND if filter.asked else _COUNT
    rows = await connection.execute(statement, _parameters(filter))
    return Counts({row.status: row.n for row in rows})


async def keys(connection: AsyncConnection, filter: Filter, *, limit: int = ENOUGH) -> list[tuple[int, str, str]]:
    """All that match, as (integration, flow, key), for what is done to a whole query."""
    parameters = {**_parameters(filter), **_cursor(""), "limit": limit}
    rows = await connection.execute(_statement(filter), parameters)
    return [(row.integration, row.flow, row.key) for row in rows]


def _statement(filter: Filter) -> TextClause:
    if filter.asked:
        return _SEARCH
    return _UNCERTAIN if filter.status == "uncertain" else _BROWSE


def _parameters(filter: Filter) -> dict[str, Any]:
    asked = filter.asked.strip()[:200]
    reference = asked.upper()
    base, _, generation = reference.rpartition("-")
    return {
        "integrations": list(filter.integrations), "flow": filter.flow, "status": filter.status,
        "reason": filter.reason, "about": filter.about, "since": filter.since, "currency": filter.currency,
        "asked": asked.replace("\x00", ""), "terms": labels.query_of(asked),
        "enough": ENOUGH + 1, "gathered": GATHERED + 1,
        "references": [reference.replace("\x00", ""), *([base] if generation.isdecimal() else [])],
        "flows": list(FLOWS),
    }  # fmt: skip


async def _documents(
    connection: AsyncConnection, rows: Sequence[Mapping[Any, Any]]
) -> dict[tuple[int, str, str], list[Document]]:
    if not rows:
        return {}
    found: dict[tuple[int, str, str], list[Document]] = {}
    parameters = {
        "integrations": [row["integration"] for row in rows],
        "flows": [row["flow"] for row in rows],
        "keys": [row["key"] for row in rows],
    }
    for row in await connection.execute(_DOCUMENTS, parameters):
        document = Document(row.reference, row.kind, row.state, row.number, row.generation, row.resolve_at)
        found.setdefault((row.integration, row.flow, row.key), []).append(document)
    return found


def _written(row: Row) -> str:
    packed = json.dumps([row.heard_at.isoformat(), row.flow, row.key])
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _cursor(after: str) -> dict[str, Any]:
    if not after:
        return {"at": None, "after_flow": "", "after_key": ""}
    try:
        at, flow, key = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        given = {"after_flow": str(flow).replace("\x00", ""), "after_key": str(key).replace("\x00", "")}
        "".join(given.values()).encode()
        return {"at": datetime.fromisoformat(at).astimezone(UTC), **given}
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError("the cursor is none that a page has given") from error
