"""Versions of mapping and policy as pages read them, and which entries the latest orders were posted with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

What = Literal["mapping", "policy"]
_TABLES = {"mapping": "mappings", "policy": "policies"}

_VERSIONS = """
SELECT version, saved_at, saved_by, comment FROM {table}
 WHERE integration = :integration AND (CAST(:before AS int) IS NULL OR version < CAST(:before AS int))
 ORDER BY version DESC LIMIT :limit
"""
_VERSION = """
SELECT version, saved_at, saved_by, comment, content FROM {table}
 WHERE integration = :integration AND version = :version
"""
_PARTS = """
SELECT version, saved_at, saved_by, comment, content #> CAST(:path AS text[]) AS content FROM {table}
 WHERE integration = :integration ORDER BY version DESC LIMIT :limit
"""

# The latest orders that are done, through the index on it, and the lines that were posted for them. Nothing is said of
# what was sent and is not known to have arrived.
_POSTED_WITH = text("""
WITH latest AS (
  SELECT key FROM records
   WHERE integration = :integration AND flow = 'orders' AND status = 'synced'
     AND done_at >= statement_timestamp() - interval '90 days'
   ORDER BY done_at DESC LIMIT :limit)
SELECT p.record_key AS key, p.kind, p.content ->> 'customer' AS customer,
       p.content -> 'tender' ->> 'gateway' AS gateway, p.content -> 'tender' ->> 'method' AS method,
       l.line ->> 'role' AS role, l.line ->> 'account' AS account, l.line ->> 'tax_code' AS tax_code,
       l.line -> 'itemised' ->> 'item' AS item,
       l.line -> 'dimension' ->> 'profit_center' AS profit_center,
       l.line -> 'dimension' ->> 'cost_center' AS cost_center, l.line -> 'dimension' ->> 'segment' AS segment
  FROM latest JOIN postings p ON p.integration = :integration AND p.flow = 'orders' AND p.record_key = latest.key
   AND p.state IN ('posted', 'checked')
  CROSS JOIN LATERAL jsonb_array_elements(p.content -> 'lines') AS l(line)
""")

_LATEST_ORDERS = text("""
SELECT r.key FROM records r
 WHERE r.integration = :integration AND r.flow = 'orders' AND r.status = 'synced'
   AND EXISTS (SELECT 1 FROM postings p WHERE p.integration = r.integration AND p.flow = r.flow
                  AND p.record_key = r.key AND p.state IN ('posted', 'checked'))
 ORDER BY r.done_at DESC NULLS LAST LIMIT :limit
""")

_WAITING_ORDERS = text("""
SELECT key FROM records
 WHERE integration = :integration AND flow = 'orders' AND status IN ('held', 'waiting')
 ORDER BY (status = 'held') DESC, heard_at DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `content`: whole, or the part of it that was asked for; None: not asked for, or not in it."""

    version: int
    saved_at: datetime
    saved_by: str
    comment: str
    content: Any = None


@dataclass(frozen=True, slots=True)
class PostedLine:
    """One line of a posted document of order `key`. Empty where it does not say."""

    key: str
    kind: str
    customer: str
    gateway: str
    method: str
    role: str
    account: str
    tax_code: str
    item: str
    profit_center: str
    cost_center: str
    segment: str


async def versions(
    sql: AsyncConnection, what: What, integration: int, *, before: int | None = None, limit: int = 50
) -> list[Version]:
    """Newest first, without their content; `before`: only older ones."""
    statement = text(_VERSIONS.format(table=_TABLES[what]))
    rows = await sql.execute(statement, {"integration": integration, "before": before, "limit": limit})
    return [Version(*row) for row in rows]


async def version(sql: AsyncConnection, what: What, integration: int, number: int) -> Version | None:
    """One version with its content."""
    statement = text(_VERSION.format(table=_TABLES[what]))
    row = (await sql.execute(statement, {"integration": integration, "version": number})).one_or_none()
    return Version(*row) if row is not None else None


async def parts(
    sql: AsyncConnection, what: What, integration: int, path: Sequence[str], *, limit: int
) -> list[Version]:
    """The latest versions, each with the part of its content at `path` alone."""
    statement = text(_PARTS.format(table=_TABLES[what]))
    rows = await sql.execute(statement, {"integration": integration, "path": list(path), "limit": limit})
    return [Version(*row) for row in rows]


async def posted_with(sql: AsyncConnection, integration: int, *, orders: int) -> list[PostedLine]:
    """What the latest `orders` orders of the last 90 days were posted with."""
    rows = await sql.execute(_POSTED_WITH, {"integration": integration, "limit": orders})
    return [PostedLine(*(each or "" for each in row)) for row in rows]


async def latest_orders(sql: AsyncConnection, integration: int, limit: int) -> list[str]:
    """Keys of the orders that were booked last."""
    return list((await sql.execute(_LATEST_ORDERS, {"integration": integration, "limit": limit})).scalars())


async def waiting_orders(sql: AsyncConnection, integration: int, limit: int) -> list[str]:
    """Keys of orders that wait, held ones first, the latest first."""
    return list((await sql.execute(_WAITING_ORDERS, {"integration": integration, "limit": limit})).scalars())
