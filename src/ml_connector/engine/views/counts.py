"""How much waits for a person, and how each flow stands: the figures of the frame and the overview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# What is not done, through its partial index. `lag`: of the oldest change that waits for us, not for a person.
_OPEN = text("""
SELECT integration, flow, count(*) FILTER (WHERE status IN ('waiting', 'running')) AS waiting,
       count(*) FILTER (WHERE status = 'held') AS held, count(*) FILTER (WHERE status = 'dead') AS dead,
       coalesce(extract(epoch FROM statement_timestamp()
         - min(heard_at) FILTER (WHERE status IN ('waiting', 'running') AND done_seq < seq)), 0)::float8 AS lag_s
  FROM records
 WHERE integration = ANY(CAST(:integrations AS int[])) AND status IN ('waiting', 'running', 'held', 'dead')
 GROUP BY integration, flow
""")

# What was done since, through the index on it, in parts of an hour counted from `since`.
_DONE = text("""
SELECT integration, flow, floor(extract(epoch FROM done_at - :since) / 3600)::int AS hour, count(*) AS n,
       max(done_at) AS last
  FROM records WHERE integration = :integration AND done_at >= :since GROUP BY 1, 2, 3
""")

_TODAY = text("""
SELECT flow, count(*) AS n,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM done_at - heard_at))
         FILTER (WHERE done_at >= heard_at) AS median_s,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM done_at - heard_at))
         FILTER (WHERE done_at >= heard_at) AS p95_s
  FROM records WHERE integration = :integration AND done_at >= :midnight AND status = 'synced' GROUP BY flow
""")

# Orders of which something was posted since, with their totals as the store says them.
_POSTED = text("""
SELECT l.currency, count(*) AS orders, sum(l.total) AS total
  FROM (SELECT DISTINCT record_key FROM postings
         WHERE integration = :integration AND flow = 'orders' AND posted_at >= :midnight
           AND state IN ('posted', 'checked') AND kind <> 'customer') p
  JOIN labels l ON l.integration = :integration AND l.flow = 'orders' AND l.key = p.record_key
 GROUP BY l.currency
""")

_LAST = text("""
SELECT flow, (SELECT max(done_at) FROM records r WHERE r.integration = :integration AND r.flow = f.flow
                 AND r.done_at >= :since) AS last
  FROM unnest(CAST(:flows AS text[])) AS f(flow)
""")

_HELD = text("""
SELECT r.integration, r.flow, r.hold_kind AS kind, coalesce(r.hold_key, '') AS key, l.currency, count(*) AS n,
       sum(l.total) AS total, min(r.heard_at) AS since, (array_agg(r.key ORDER BY r.heard_at))[1] AS first,
       (array_agg(coalesce(r.last_error, r.reason, '') ORDER BY r.heard_at))[1] AS message
  FROM records r LEFT JOIN labels l USING (integration, flow, key)
 WHERE r.integration = ANY(CAST(:integrations AS int[])) AND r.status = 'held' AND r.hold_kind IS NOT NULL
 GROUP BY 1, 2, 3, 4, 5
""")

_REASONS = text("""
SELECT count(DISTINCT (integration, hold_kind, hold_key)) FROM records
 WHERE integration = ANY(CAST(:integrations AS int[])) AND status = 'held' AND hold_kind IS NOT NULL
   AND flow NOT LIKE 'system:%' AND flow NOT LIKE 'poll:%'
""")

_DEAD = text("""
SELECT r.integration, r.flow, r.key, l.title, l.total, l.currency, coalesce(r.last_error, '') AS message, r.heard_at
  FROM records r LEFT JOIN labels l USING (integration, flow, key)
 WHERE r.integration = ANY(CAST(:integrations AS int[])) AND r.status = 'dead'
 ORDER BY r.heard_at LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """What of one flow is not done. `lag_s`: age of the oldest change that waits for us."""

    waiting: int = 0
    held: int = 0
    dead: int = 0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Records that wait for the same thing. `sums`: their totals by currency, of those that have one. `first`: the one
    that has waited longest; `message`: what it was told."""

    integration: int
    flow: str
    kind: str
    key: str
    count: int
    sums: Mapping[str, Decimal]
    since: datetime
    first: str
    message: str

    @property
    def weight(self) -> Decimal:
        """For sorting by money: the largest sum of a currency."""
        return max(self.sums.values(), default=Decimal(0))


@dataclass(frozen=True, slots=True)
class Dead:
    """A record that was given up."""

    integration: int
    flow: str
    key: str
    title: str
    total: Decimal | None
    currency: str | None
    message: str
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Today:
    """Of one flow since midnight: how many are done, and how long they took from being heard of."""

    done: int
    median_s: float | None
    p95_s: float | None


async def standing(connection: AsyncConnection, integrations: Sequence[int]) -> Mapping[tuple[int, str], Standing]:
    """By (integration, flow); a flow of which everything is done is not in it."""
    rows = await connection.execute(_OPEN, {"integrations": list(integrations)})
    return {(r.integration, r.flow): Standing(r.waiting, r.held, r.dead, r.lag_s) for r in rows}


async def done_by_hour(
    connection: AsyncConnection, integration: int, since: datetime, hours: int
) -> Mapping[str, Sequence[int]]:
    """Flow -> how many were done in each of `hours` hours from `since`."""
    found: dict[str, list[int]] = {}
    for row in await connection.execute(_DONE, {"integration": integration, "since": since}):
        by_hour = found.setdefault(row.flow, [0] * hours)
        if 0 <= row.hour < hours:
            by_hour[row.hour] += row.n
    return found


async def today(connection: AsyncConnection, integration: int, midnight: datetime) -> Mapping[str, Today]:
    """By flow."""
    rows = await connection.execute(_TODAY, {"integration": integration, "midnight": midnight})
    return {r.flow: Today(r.n, r.median_s, r.p95_s) for r in rows}


async def posted(
    connection: AsyncConnection, integration: int, midnight: datetime
) -> Mapping[str, tuple[int, Decimal]]:
    """Currency -> orders that were booked since, and their totals."""
    rows = await connection.execute(_POSTED, {"integration": integration, "midnight": midnight})
    return {r.currency or "": (r.orders, r.total or Decimal(0)) for r in rows}


async def last_done(
    connection: AsyncConnection, integration: int, flows: Sequence[str], since: datetime
) -> Mapping[str, datetime | None]:
    """Flow -> when something of it was done last, if that was after `since`."""
    parameters = {"integration": integration, "flows": list(flows), "since": since}
    return {r.flow: r.last for r in await connection.execute(_LAST, parameters)}


async def holds(connection: AsyncConnection, integrations: Sequence[int]) -> list[Hold]:
    """All groups of held records, those with most money first."""
    groups: dict[tuple[int, str, str, str], Hold] = {}
    for r in await connection.execute(_HELD, {"integrations": list(integrations)}):
        name = (r.integration, r.flow, r.kind, r.key)
        sums = {r.currency: r.total} if r.currency and r.total is not None else {}
        before = groups.get(name)
        if before is None:
            groups[name] = Hold(*name, r.n, sums, r.since, r.first, r.message)
        else:
            older = before if before.since <= r.since else Hold(*name, 0, {}, r.since, r.first, r.message)
            groups[name] = Hold(
                *name, before.count + r.n, {**before.sums, **sums}, older.since, older.first, older.message
            )
    return sorted(groups.values(), key=lambda hold: (-hold.weight, -hold.count, hold.kind, hold.key))


async def reasons(connection: AsyncConnection, integrations: Sequence[int]) -> int:
    """For how many reasons something is held."""
    return int((await connection.execute(_REASONS, {"integrations": list(integrations)})).scalar_one())


async def dead(connection: AsyncConnection, integrations: Sequence[int], *, limit: int = 50) -> list[Dead]:
    """Records that were given up, the oldest first."""
    rows = await connection.execute(_DEAD, {"integrations": list(integrations), "limit": limit})
    return [
        Dead(r.integration, r.flow, r.key, r.title or r.key, r.total, r.currency, r.message, r.heard_at) for r in rows
    ]
