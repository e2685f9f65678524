"""How much waited in each flow, and for how long, sampled once a minute: the line of lag on the overview.

What is done and what waits now is counted when somebody looks (`views.overview`); how it was an hour ago is not in any
record, so it is sampled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

KEEP_DAYS = 8

# Through the partial index on what is not done. A flow that has no open record has lag 0, so that its line has no gap.
# Held and dead ones are no lag: they wait for a person.
_SAMPLE = text("""
INSERT INTO pulses (integration, flow, at, waiting, lag_s)
SELECT :integration, f.flow, statement_timestamp(), coalesce(r.waiting, 0), coalesce(r.lag_s, 0)
  FROM unnest(CAST(:flows AS text[])) AS f(flow)
  LEFT JOIN (SELECT flow, count(*) AS waiting,
                    coalesce(extract(epoch FROM statement_timestamp() - min(heard_at) FILTER (WHERE done_seq < seq)), 0)
                      AS lag_s
               FROM records WHERE integration = :integration AND status IN ('waiting', 'running') GROUP BY flow) r
       USING (flow)
ON CONFLICT DO NOTHING
""")

_FORGET = text("""
DELETE FROM pulses
 WHERE integration = :integration AND at < statement_timestamp() - :days * interval '1 day'
""")

# One point for each of `points` equal parts of the time asked for: the highest lag in it. Parts without a sample are
# gaps, not zero.
_LAGS = text("""
SELECT flow, width_bucket(extract(epoch FROM at), extract(epoch FROM CAST(:since AS timestamptz)),
                          extract(epoch FROM statement_timestamp()) + 1, :points) AS part,
       max(lag_s) AS lag_s
  FROM pulses WHERE integration = :integration AND at >= :since GROUP BY flow, part
""")


IDLE_AFTER_S = 300.0
"""So long after the last sample nobody works any more: samples come once a minute."""

# The youngest of each flow from its own end of the key. An integration that was never sampled is being set up.
_IDLE = text("""
SELECT min(p.at) FILTER (WHERE p.at < statement_timestamp() - :after_s * interval '1 second') AS since
  FROM unnest(CAST(:integrations AS int[])) AS i(id)
 CROSS JOIN LATERAL (
       SELECT max(youngest.at) AS at FROM unnest(CAST(:flows AS text[])) AS f(flow)
        CROSS JOIN LATERAL (SELECT at FROM pulses WHERE integration = i.id AND flow = f.flow ORDER BY at DESC LIMIT 1)
              AS youngest) p
""")
_FLOWS = ("orders", "customers", "stock", "shipments")


@dataclass(frozen=True, slots=True)
class Line:
    """Lag in seconds, oldest first; None where nothing was sampled."""

    points: tuple[float | None, ...]

    @property
    def highest(self) -> float:
        return max((each for each in self.points if each is not None), default=0.0)


async def sample(connection: AsyncConnection, integration: int, flows: Sequence[str]) -> None:
    """One sample of these flows, now; samples older than `KEEP_DAYS` go."""
    await connection.execute(_SAMPLE, {"integration": integration, "flows": sorted(flows)})
    await connection.execute(_FORGET, {"integration": integration, "days": KEEP_DAYS})


async def lags(connection: AsyncConnection, integration: int, since: datetime, points: int) -> Mapping[str, Line]:
    """Lag by flow from `since` until now."""
    parts: dict[str, dict[int, float]] = {}
    for row in await connection.execute(_LAGS, {"integration": integration, "since": since, "points": points}):
        parts.setdefault(row.flow, {})[row.part] = row.lag_s
    return {flow: Line(tuple(found.get(part) for part in range(1, points + 1))) for flow, found in parts.items()}


async def idle_since(connection: AsyncConnection, integrations: Sequence[int]) -> datetime | None:
    """When a worker was heard of last, where that is more than `IDLE_AFTER_S` ago; None: all is well, or none of them
    was ever worked on."""
    about = {"integrations": list(integrations), "flows": list(_FLOWS), "after_s": IDLE_AFTER_S}
    found: datetime | None = (await connection.execute(_IDLE, about)).scalar_one()
    return found
