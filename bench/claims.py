"""Rows: what a claim of 20 costs beside 1,000, 100,000 and 1,000,000 waiting records, and the look for lanes.

Three databases of one server, measured in turns. A turn is what a worker does with a batch: look for lanes, claim from
the floor that the claim before left, finish; then as many records are marked as were finished, so that the depth stays.
Statistics are what `ANALYZE` and autovacuum leave in a database of that size.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import truediv

from sqlalchemy import text

from bench.rows import Row
from bench.worker import INTEGRATION
from bench.world import World
from ml_connector.engine import records
from ml_connector.engine.database import AsyncConnection, Database
from ml_connector.engine.records import Finished, Lane

TARGETS = {100_000: 1.2, 1_000_000: 1.3}
BATCH = 20
LANE = Lane(INTEGRATION, "orders")
FIRST_KEY = 1_000_000
"""Order IDs of one length, as a store numbers them: neighbours in time are neighbours in the index of keys."""

FLOOR_TURNS = 40
"""Turns for which a floor is trusted; a worker trusts it for three seconds."""

FILL = text("""
INSERT INTO records (integration, flow, key, run_at)
SELECT :integration, :flow, (:first + n)::text, statement_timestamp() - (:depth - n) * interval '1 millisecond'
  FROM generate_series(1, :depth) n
""")


@dataclass(slots=True)
class _Side:
    """One depth. Times in seconds, one a turn."""

    depth: int
    database: Database
    next_key: int
    floor: datetime | None = None
    claims: list[float] = field(default_factory=list[float])
    looks: list[float] = field(default_factory=list[float])

    async def turn(self, connection: AsyncConnection, number: int) -> None:
        started = time.perf_counter()
        found = await records.lanes(connection)
        looked = time.perf_counter()
        floor = None if number % FLOOR_TURNS == 0 else self.floor
        claim = await records.claim(connection, LANE, worker="bench", batch=BATCH, lease_s=30, floor=floor)
        claimed = time.perf_counter()
        if LANE not in found or claim is None or len(claim.records) != BATCH:
            raise RuntimeError(f"of {self.depth:,} waiting records {claim} was claimed")
        self.looks.append(looked - started)
        self.claims.append(claimed - looked)
        self.floor = claim.floor
        done = [Finished(record.key, record.seq) for record in claim.records]
        await records.finish(connection, LANE, claim.token, done, ends=True)
        self.next_key += BATCH
        await records.mark(connection, INTEGRATION, LANE.flow, [str(self.next_key - n) for n in range(BATCH)])


async def rows(world: World, *, depths: Sequence[int], turns: int, say: Callable[[str], None]) -> list[Row]:
    """`depths` rising; the ratios are against the first."""
    sides: list[_Side] = []
    try:
        for depth in depths:
            database = Database(world.database(f"bench_claims_{depth}"), application="bench")
            sides.append(_Side(depth, database, FIRST_KEY + depth))
            await _fill(sides[-1])
            say(f"claims: {depth:,} records wait")
        await _take_turns(sides, turns)
    finally:
        for side in sides:
            await side.database.close()
            world.drop(f"bench_claims_{side.depth}")
    first, *others = sides
    return [
        *(row for side in others for row in _ratios(side, first)),
        *(Row(f"claim of {BATCH} beside {side.depth:,} waiting", _ms(side.claims), "ms (median)") for side in sides),
        *(Row(f"look for lanes beside {side.depth:,} waiting", _ms(side.looks), "ms (median)") for side in sides),
    ]


async def _fill(side: _Side) -> None:
    async with side.database.connect() as connection:
        await connection.execute(
            FILL, {"integration": LANE.integration, "flow": LANE.flow, "depth": side.depth, "first": FIRST_KEY}
        )
        await connection.exec_driver_sql("VACUUM (ANALYZE) records")
        await connection.exec_driver_sql("CHECKPOINT")


async def _take_turns(sides: Sequence[_Side], turns: int) -> None:
    """The first tenth warms connections, plans and buffers up."""
    opened = [side.database.connect() for side in sides]
    connections = [await each.__aenter__() for each in opened]
    try:
        pairs = list(zip(sides, connections, strict=True))
        for number in range(turns + turns // 10):
            for side, connection in pairs if number % 2 == 0 else reversed(pairs):
                await side.turn(connection, number)
    finally:
        for each in opened:
            await each.__aexit__(None, None, None)
    for side in sides:
        del side.claims[: turns // 10], side.looks[: turns // 10]


def _ratios(side: _Side, first: _Side) -> list[Row]:
    """Medians of the ratios turn by turn: what else the machine does hits both sides of a turn."""
    against = f"{side.depth:,} waiting over {first.depth:,}"
    target = TARGETS.get(side.depth)
    claims = statistics.median(map(truediv, side.claims, first.claims))
    looks = statistics.median(map(truediv, side.looks, first.looks))
    return [
        Row(f"claim of {BATCH}: {against}", round(claims, 3), "ratio", target),
        Row(f"look for lanes: {against}", round(looks, 3), "ratio", target),
    ]


def _ms(seconds: Sequence[float]) -> float:
    return round(statistics.median(seconds) * 1000, 3)
