"""What a person asks of the queue: how much waits and since when, what is held and why, what is dead, what is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import Database


@dataclass(frozen=True, slots=True)
class Depth:
    """One flow of one integration. `due`: could run now. `lag_s`: how long the oldest unfinished one has waited since
    it was heard of, held ones left out. `by_status`: number of records by status."""

    integration: int
    flow: str
    by_status: Mapping[str, int]
    due: int
    lag_s: float
    last_done_at: datetime | None


@dataclass(frozen=True, slots=True)
class HoldGroup:
    """Records that wait for the same thing. `keys`: the first thousand of them, `messages`: what each was told, in the
    same order (two orders whose totals do not add up have two pairs of sums); `message` is the first."""

    integration: int
    flow: str
    kind: str
    key: str
    count: int
    since: datetime
    message: str
    keys: tuple[str, ...]
    messages: tuple[str, ...]

    @property
    def by_message(self) -> Mapping[str, Sequence[str]]:
        """Keys by what they were told."""
        found: dict[str, list[str]] = {}
        for key, message in zip(self.keys, self.messages, strict=True):
            found.setdefault(message, []).append(key)
        return found


@dataclass(frozen=True, slots=True)
class Trouble:
    """A record that is dead, or that failed and is tried again."""

    integration: int
    flow: str
    key: str
    status: str
    attempts: int
    error: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenPostings:
    """Documents whose outcome is not known yet, by state."""

    integration: int
    state: str
    count: int
    oldest_sent_at: datetime | None
    known_by: datetime | None


DEPTH = text("""
SELECT integration, flow, jsonb_object_agg(status, n) AS by_status, sum(due)::bigint AS due,
       coalesce(extract(epoch FROM statement_timestamp() - min(heard)), 0)::float8 AS lag_s, max(done) AS last_done_at
  FROM (SELECT integration, flow, status, count(*) AS n,
               count(*) FILTER (WHERE run_at <= statement_timestamp()) AS due,
               min(heard_at) FILTER (WHERE done_seq < seq AND status IN ('waiting', 'running')) AS heard,
               max(done_at) AS done
          FROM records GROUP BY integration, flow, status) s
 GROUP BY integration, flow ORDER BY integration, flow
""")

HOLDS = text("""
SELECT integration, flow, hold_kind AS kind, coalesce(hold_key, '') AS key, count(*) AS n,
       min(heard_at) AS since, (array_agg(coalesce(last_error, reason, '') ORDER BY key))[1:1000] AS messages,
       (array_agg(key ORDER BY key))[1:1000] AS keys
  FROM records WHERE hold_kind IS NOT NULL AND status = 'held'
 GROUP BY integration, flow, hold_kind, hold_key ORDER BY count(*) DESC, 1, 2, 3, 4
""")

TROUBLE = text("""
SELECT integration, flow, key, status, attempts + defects AS attempts, coalesce(last_error, '') AS error,
       run_at AS next_at
  FROM records WHERE status = 'dead' OR (status = 'waiting' AND attempts + defects > 0)
 ORDER BY status = 'dead' DESC, attempts DESC, integration, flow, key LIMIT :limit
""")

OPEN = text("""
SELECT integration, state, count(*) AS n, min(sent_at) AS oldest_sent_at, max(resolve_at) AS known_by
  FROM postings WHERE state IN ('sending', 'uncertain') GROUP BY integration, state ORDER BY integration, state
""")

KEYS_BY_STATUS = text("""
SELECT key FROM records WHERE integration = :integration AND flow = :flow AND status = :status ORDER BY key
""")

HELD_KEYS = text("""
SELECT DISTINCT hold_key FROM records WHERE integration = :integration AND hold_kind = :kind AND hold_key IS NOT NULL
""")


async def held_keys(connection: AsyncConnection, integration: int, kind: str) -> list[str]:
    """What records of an integration are held for, of one kind."""
    parameters = {"integration": integration, "kind": kind}
    return list((await connection.execute(HELD_KEYS, parameters)).scalars())


async def depths(database: Database) -> list[Depth]:
    """Every flow that has records."""
    async with database.connect() as connection:
        return [
            Depth(row.integration, row.flow, row.by_status, row.due, row.lag_s, row.last_done_at)
            for row in await connection.execute(DEPTH)
        ]


async def hold_groups(database: Database) -> list[HoldGroup]:
    """Held records grouped by what they wait for, most first."""
    async with database.connect() as connection:
        return [
            HoldGroup(
                row.integration, row.flow, row.kind, row.key, row.n, row.since, row.messages[0], tuple(row.keys),
                tuple(row.messages),
            )
            for row in await connection.execute(HOLDS)
        ]  # fmt: skip


async def troubles(database: Database, *, limit: int = 20) -> list[Trouble]:
    """Dead records first, then those with most failed attempts."""
    async with database.connect() as connection:
        return [
            Trouble(row.integration, row.flow, row.key, row.status, row.attempts, row.error, row.next_at)
            for row in await connection.execute(TROUBLE, {"limit": limit})
        ]


async def open_postings(database: Database) -> list[OpenPostings]:
    """Writes whose outcome only a look-up will tell."""
    async with database.connect() as connection:
        return [
            OpenPostings(row.integration, row.state, row.n, row.oldest_sent_at, row.known_by)
            for row in await connection.execute(OPEN)
        ]


async def keys_by_status(database: Database, integration: int, flow: str, status: str) -> list[str]:
    async with database.connect() as connection:
        parameters = {"integration": integration, "flow": flow, "status": status}
        return list((await connection.execute(KEYS_BY_STATUS, parameters)).scalars())
