"""Rows: what the console's pages read, beside 10,000 and 1,000,000 records: lists, search, counts, overview.

Two databases of one server with the same work that is open and the same day behind them; one has a hundred times the
history. Every statement is that of the pages, called in turns on both sides, so that what else the machine does hits
both. Where an answer is as long on both sides, its time must not grow; a word that a part of all records has is found
more often, and only the time that a person waits is held against a target.
"""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bench.rows import Row, percentile
from bench.worker import INTEGRATION
from bench.world import World
from ml_connector.engine.database import AsyncConnection, Database
from ml_connector.engine.views import counts, record_list
from ml_connector.engine.views.record_list import Filter

TARGET_MS = 200.0
"""For what a person waits for, p95."""

GROWS = 3.0
"""How much longer an answer of the same length may take beside a hundred times the records."""

FIRST_KEY = 1_000_000
PAGES = 32
HOURS = 24
FEW, MANY = 30_000, 250
"""One of so many records bears a name that few have, and one that thousands of a million have."""

# The parts of `open` are the same on both sides: a tenth held, a quarter left out, and so on; n counts from the newest.
RECORDS = text("""
INSERT INTO records (integration, flow, key, status, hold_kind, hold_key, last_error, run_at, seq, done_seq, heard_at,
                     done_at)
SELECT :integration, 'orders', (:first + :depth - n)::text, s.status,
       CASE WHEN s.status = 'held' THEN 'unmapped' END, CASE WHEN s.status = 'held' THEN 'account|' || n % 10 END,
       CASE WHEN s.status IN ('held', 'dead') THEN 'no account' END,
       CASE WHEN s.status = 'waiting' THEN statement_timestamp() + interval '1 hour' END, 1,
       CASE WHEN s.status = 'synced' THEN 1 ELSE 0 END, heard.at,
       CASE WHEN s.status IN ('synced', 'excluded') THEN heard.at + interval '20 seconds' END
  FROM generate_series(1, :depth) n,
       LATERAL (SELECT CASE WHEN n <= :open * 0.10 THEN 'held' WHEN n <= :open * 0.11 THEN 'dead'
                            WHEN n <= :open * 0.36 THEN 'excluded' WHEN n <= :open * 0.40 THEN 'waiting'
                            ELSE 'synced' END AS status) s,
       LATERAL (SELECT statement_timestamp() - n * interval '1 second'
                       - CASE WHEN n > :open * 0.60 THEN interval '3 days' ELSE interval '0' END AS at) heard
""")

LABELS = text("""
INSERT INTO labels (integration, flow, key, title, party, ship_to, total, currency, placed_at, terms)
SELECT r.integration, r.flow, r.key, r.key, 'Customer ' || r.key, 'Lyon', 118.10,
       CASE WHEN l.n % 3 = 0 THEN 'USD' ELSE 'EUR' END, r.heard_at,
       array_to_tsvector(array_remove(ARRAY[r.key, 'customer', 'sku-' || l.n % 500,
         CASE WHEN l.n % :few = 7 THEN 'moreau' END, CASE WHEN l.n % :many = 7 THEN 'annabelle' END], NULL))
  FROM records r, LATERAL (SELECT r.key::int AS n) l WHERE r.flow = 'orders'
""")

POSTINGS = text("""
INSERT INTO postings (integration, reference, connection, flow, record_key, kind, fingerprint, content, state, number,
                      posted_at, sent_at, resolve_at)
SELECT r.integration, 'S1-O' || r.key, 2, r.flow, r.key, 'order', 'f', '{}',
       CASE r.status WHEN 'synced' THEN 'checked' ELSE 'uncertain' END,
       CASE r.status WHEN 'synced' THEN '01' || r.key END, r.done_at, r.heard_at, r.heard_at
  FROM records r WHERE r.flow = 'orders' AND (r.status = 'synced' OR (r.status = 'waiting' AND r.key::int % 20 = 0))
""")

Read = Callable[[AsyncConnection], Awaitable[object]]


@dataclass(slots=True)
class Side:
    """One depth. `reads`: what a page asks, by its name. Times in seconds."""

    depth: int
    database: Database
    reads: Mapping[str, Read] = field(default_factory=dict[str, Read])
    times: dict[str, list[float]] = field(default_factory=dict[str, list[float]])


SAME = frozenset(
    {
        "newest", f"page {PAGES}", "held", "given up", "left out", "uncertain", "one reason", "an order's number",
        "a document's number", "overview: open", "overview: holds", "overview: today", "overview: 24 hours",
        "overview: booked",
    }
)  # fmt: skip
"""Whose answers are as long on both sides."""


async def fill(database: Database, depth: int, open_: int) -> None:
    """`depth` orders with labels and postings; `open_` sets how many of the newest are not simply done."""
    given = {"integration": INTEGRATION, "depth": depth, "open": open_, "first": FIRST_KEY}
    async with database.transaction() as connection:
        await connection.execute(RECORDS, given)
        await connection.execute(LABELS, {"few": FEW, "many": MANY})
        await connection.execute(POSTINGS)
    async with database.connect() as connection:
        await connection.exec_driver_sql("VACUUM (ANALYZE) records, labels, postings")
        await connection.exec_driver_sql("CHECKPOINT")


async def reads_of(database: Database, depth: int, open_: int) -> Mapping[str, Read]:
    """What the pages ask of a database that `fill` has filled."""
    ids = (INTEGRATION,)
    now = datetime.now(UTC)
    done = str(FIRST_KEY + depth - open_ // 2)
    after = ""
    async with database.connect() as connection:
        for _ in range(PAGES - 1):
            after = (await record_list.page(connection, Filter(ids), after=after)).after or after

    def listed(after: str = "", **asked: str) -> Read:
        return lambda connection: record_list.page(connection, Filter(ids, **asked), after=after)  # type: ignore[arg-type]

    def counted(asked: str = "") -> Read:
        return lambda connection: record_list.count(connection, Filter(ids, asked=asked))

    return {
        "newest": listed(),
        f"page {PAGES}": listed(after),
        "held": listed(status="held"),
        "given up": listed(status="dead"),
        "left out": listed(status="excluded"),
        "uncertain": listed(status="uncertain"),
        "one reason": listed(status="held", reason="unmapped", about="account|3"),
        "an order's number": listed(asked=done),
        "a document's number": listed(asked=f"01{done}"),
        "a name that few have": listed(asked="Moreau"),
        "the beginning of a name that many have": listed(asked="anna"),
        "the beginning of a word that all have": listed(asked="custom"),
        "two words": listed(asked=f"customer {done}"),
        "counts of the tabs": counted(),
        "counts of a search": counted("Moreau"),
        "overview: open": lambda connection: counts.standing(connection, ids),
        "overview: holds": lambda connection: counts.holds(connection, ids),
        "overview: today": lambda connection: counts.today(connection, INTEGRATION, now - timedelta(hours=HOURS)),
        "overview: 24 hours": lambda connection: counts.done_by_hour(
            connection, INTEGRATION, now - timedelta(hours=HOURS), HOURS
        ),
        "overview: booked": lambda connection: counts.posted(connection, INTEGRATION, now - timedelta(hours=HOURS)),
    }


async def rows(world: World, *, depths: Sequence[int], turns: int, say: Callable[[str], None]) -> list[Row]:
    """`depths`: the smaller, the larger."""
    sides: list[Side] = []
    try:
        for depth in depths:
            database = Database(world.database(f"bench_console_{depth}"), application="bench")
            sides.append(Side(depth, database))
            await fill(database, depth, depths[0])
            sides[-1].reads = await reads_of(database, depth, depths[0])
            say(f"console: {depth:,} records")
        await _take_turns(sides, turns)
    finally:
        for side in sides:
            await side.database.close()
            world.drop(f"bench_console_{side.depth}")
    few, many = sides
    return [row for name in many.reads for row in _rows(name, few, many)]


async def _take_turns(sides: Sequence[Side], turns: int) -> None:
    """The first turns warm buffers up and let the server settle on its plans."""
    warm = min(6, turns)
    for turn in range(turns + warm):
        for side in sides if turn % 2 == 0 else reversed(sides):
            async with side.database.connect() as connection:
                for name, read in side.reads.items():
                    started = time.perf_counter()
                    await read(connection)
                    if turn >= warm:
                        side.times.setdefault(name, []).append(time.perf_counter() - started)


def _rows(name: str, few: Side, many: Side) -> list[Row]:
    ratio = statistics.median(many.times[name]) / statistics.median(few.times[name])
    p95_ms = percentile(many.times[name], 0.95) * 1000
    return [
        Row(f"console, {many.depth:,} records: {name}, p95", round(p95_ms, 1), "ms", TARGET_MS),
        Row(
            f"console, {many.depth:,} over {few.depth:,} records: {name}",
            round(ratio, 2), "ratio", GROWS if name in SAME else None,
        ),
    ]  # fmt: skip
