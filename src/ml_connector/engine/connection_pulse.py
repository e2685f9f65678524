"""How the calls of each connection went, sampled once a minute from the audit: calls, failures, how long they took.

So that a page which is looked at all day long reads some rows instead of the audit, and the hours before can be drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

KEEP_DAYS = 8
SETTLES_S = 5.0
"""Younger entries may not be written yet: the audit is written in batches."""

LONGEST_S = 600.0
"""What lies further back than the longest window that one sample covers stays a gap."""

RECENT_S = 300.0

# Through the index on (integration, at): the entries since the sample before, whatever the audit holds beside them.
SAMPLE = text("""
INSERT INTO connection_pulses (integration, connection, at, over_s, calls, failed, median_ms, p95_ms, quota_used)
SELECT :integration, c.connection, b.until, extract(epoch FROM b.until - b.since), coalesce(k.calls, 0),
       coalesce(k.failed, 0), k.median_ms, k.p95_ms,
       CASE WHEN (l.quota ->> 'limit')::float8 > 0
             AND l.quota_at + (l.quota ->> 'reset_s')::float8 * interval '1 second' > statement_timestamp()
            THEN 1 - (l.quota ->> 'left')::float8 / (l.quota ->> 'limit')::float8 END
  FROM (SELECT statement_timestamp() - :settles_s * interval '1 second' AS until,
               greatest(coalesce((SELECT max(at) FROM connection_pulses WHERE integration = :integration),
                                 statement_timestamp() - (60 + :settles_s) * interval '1 second'),
                        statement_timestamp() - (:longest_s + :settles_s) * interval '1 second') AS since) b
 CROSS JOIN unnest(CAST(:connections AS int[])) AS c(connection)
  LEFT JOIN LATERAL (
       SELECT count(*) AS calls,
              count(*) FILTER (WHERE jsonb_exists(data, 'error') OR (data ->> 'status')::int >= 500) AS failed,
              1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY (data ->> 'duration_s')::float8) AS median_ms,
              1000 * percentile_cont(0.95) WITHIN GROUP (ORDER BY (data ->> 'duration_s')::float8) AS p95_ms
         FROM audit WHERE integration = :integration AND at > b.since AND at <= b.until
          AND kind = 'call' AND connection = c.connection) k ON true
  LEFT JOIN limits l USING (connection)
 WHERE b.until > b.since
""")

FORGET = text("""
DELETE FROM connection_pulses
 WHERE integration = :integration AND at < statement_timestamp() - :days * interval '1 day'
""")

# Medians of several minutes as their mean, weighted by calls: near enough for a figure beside a name.
RECENT = text("""
SELECT connection, sum(calls)::int AS calls, sum(failed)::int AS failed, sum(over_s) AS over_s,
       sum(median_ms * calls) / nullif(sum(calls) FILTER (WHERE median_ms IS NOT NULL), 0) AS median_ms,
       (array_agg(quota_used ORDER BY at DESC))[1] AS quota_used
  FROM connection_pulses
 WHERE integration = :integration AND at > statement_timestamp() - :recent_s * interval '1 second'
 GROUP BY connection
""")

TREND = text("""
SELECT width_bucket(extract(epoch FROM at), extract(epoch FROM CAST(:since AS timestamptz)),
                    extract(epoch FROM statement_timestamp()) + 1, :points) AS part,
       sum(calls)::int AS calls, sum(failed)::int AS failed, sum(calls) / nullif(sum(over_s), 0) AS calls_s,
       sum(median_ms * calls) / nullif(sum(calls) FILTER (WHERE median_ms IS NOT NULL), 0) AS median_ms,
       max(p95_ms) AS p95_ms, max(quota_used) AS quota_used
  FROM connection_pulses
 WHERE integration = :integration AND connection = :connection AND at >= :since GROUP BY part
""")


@dataclass(frozen=True, slots=True)
class Recent:
    """Calls of the last minutes. `calls_s`: calls a second. `quota_used`: 0 to 1, None where the system tells none."""

    calls: int
    failed: int
    calls_s: float
    median_ms: float | None
    quota_used: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """One part of a trend. `quota_used` as in `Recent`, the highest."""

    calls: int
    failed: int
    calls_s: float | None
    median_ms: float | None
    p95_ms: float | None
    quota_used: float | None


async def sample(sql: AsyncConnection, integration: int, connections: Sequence[int]) -> None:
    """The calls since the sample before, at most `LONGEST_S`; samples older than `KEEP_DAYS` go."""
    about = {
        "integration": integration, "connections": sorted(connections), "settles_s": SETTLES_S, "longest_s": LONGEST_S,
    }  # fmt: skip
    await sql.execute(SAMPLE, about)
    await sql.execute(FORGET, {"integration": integration, "days": KEEP_DAYS})


async def recent(sql: AsyncConnection, integration: int) -> Mapping[int, Recent]:
    """By connection; one without a sample in the last minutes is not in it."""
    return {
        row.connection: Recent(
            row.calls, row.failed, row.calls / row.over_s if row.over_s else 0.0, row.median_ms, row.quota_used
        )
        for row in await sql.execute(RECENT, {"integration": integration, "recent_s": RECENT_S + SETTLES_S})
    }


async def trend(
    sql: AsyncConnection, integration: int, connection: int, since: datetime, points: int
) -> Sequence[Point | None]:
    """`points` equal parts from `since` until now, the oldest first; None where nothing was sampled."""
    about = {"integration": integration, "connection": connection, "since": since, "points": points}
    found = {
        row.part: Point(row.calls, row.failed, row.calls_s, row.median_ms, row.p95_ms, row.quota_used)
        for row in await sql.execute(TREND, about)
    }
    return [found.get(part) for part in range(1, points + 1)]
