"""What pages show of connections beside their configuration: calls, the store's last deliveries, what runs on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

WINDOW_S = 900.0
"""Calls are counted over so many seconds: a look into the youngest end of the audit, however long that is."""

_CALLS = text("""
SELECT connection, count(*) AS calls,
       count(*) FILTER (WHERE jsonb_exists(data, 'error') OR (data ->> 'status')::int >= 400) AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY (data ->> 'duration_s')::float8) AS median_s
  FROM audit
 WHERE integration = ANY(:integrations) AND at > statement_timestamp() - :window_s * interval '1 second'
   AND kind = 'call' AND connection IS NOT NULL
 GROUP BY connection
""")

_QUOTAS = text("SELECT connection, quota, paused_until FROM limits WHERE quota IS NOT NULL OR paused_until IS NOT NULL")

_LAST_DELIVERIES = text("""
SELECT i.store AS connection, max(w.received_at) AS at
  FROM integrations i
  CROSS JOIN LATERAL (SELECT received_at FROM webhooks WHERE integration = i.integration
                       ORDER BY received_at DESC LIMIT 1) w
 GROUP BY i.store
""")

_SET = text("SELECT connection, name, changed_at FROM secrets WHERE connection = ANY(:connections)")

_WAITING = text("""
SELECT count(*) FROM (SELECT 1 FROM records WHERE integration = :integration
                         AND flow = ANY(:flows) AND status IN ('waiting', 'running', 'held') LIMIT 10001) few
""")


@dataclass(frozen=True, slots=True)
class Calls:
    """Of one connection within `WINDOW_S`."""

    calls: int
    failed: int
    median_s: float


@dataclass(frozen=True, slots=True)
class Quota:
    """As the system told it last."""

    limit: int
    left: int
    paused_until: datetime | None


async def calls(sql: AsyncConnection, integrations: list[int]) -> Mapping[int, Calls]:
    """By connection; 0 among `integrations`: those that belong to none."""
    rows = await sql.execute(_CALLS, {"integrations": integrations, "window_s": WINDOW_S})
    return {row.connection: Calls(row.calls, row.failed, float(row.median_s or 0)) for row in rows}


async def quotas(sql: AsyncConnection) -> Mapping[int, Quota]:
    """By connection, of those that tell one."""
    found: dict[int, Quota] = {}
    for row in await sql.execute(_QUOTAS):
        told: Mapping[str, int] = row.quota or dict[str, int]()
        found[row.connection] = Quota(int(told.get("limit", 0)), int(told.get("left", 0)), row.paused_until)
    return found


async def last_deliveries(sql: AsyncConnection) -> Mapping[int, datetime]:
    """Store connection -> when its last webhook came."""
    return {row.connection: row.at for row in await sql.execute(_LAST_DELIVERIES)}


async def set_at(sql: AsyncConnection, connections: list[int]) -> Mapping[int, Mapping[str, datetime]]:
    """Connection -> credential -> when it was set."""
    found: dict[int, dict[str, datetime]] = {}
    for row in await sql.execute(_SET, {"connections": connections}):
        found.setdefault(row.connection, {})[row.name] = row.changed_at
    return found


async def waiting(sql: AsyncConnection, integration: int, flows: list[str]) -> int:
    """Records that have not ended, up to 10,001."""
    return (await sql.execute(_WAITING, {"integration": integration, "flows": flows})).scalar_one()
