"""Rows: one order alone, from the webhook that tells of it to its last document in the ERP, against its calls."""

import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.intake import message, ready
from bench.load import send_all
from bench.recording import Made, now, recorded
from bench.rows import Row
from bench.worker import Bench, bench
from bench.world import World, free_port, until

TARGET = 1.15
DONE = "SELECT 1 FROM records WHERE flow = 'write_back' AND key = %s AND run_at IS NULL AND token IS NULL"
POSTED = "SELECT max(posted_at) FROM postings WHERE record_key = %s"


@dataclass(frozen=True, slots=True)
class _One:
    """Seconds. `calls_s`: the sum of the order's calls; `busy_s`: the time while at least one of them was under way."""

    latency_s: float
    calls_s: float
    busy_s: float


async def rows(world: World, *, orders: int, latency_s: float, seed: int, say: Callable[[str], None]) -> list[Row]:
    """The first order warms up: token, session, master data."""
    port = free_port()
    async with (
        bench(world, orders=orders + 1, seed=seed, latency_s=latency_s) as made,
        world.process("serve", made.url, "ml_connector.cli.main", "serve", "--port", str(port)),
    ):
        await until(lambda: ready(port), f"nothing answers on port {port}")
        found = [await _one(made, key, port) for key in made.keys][1:]
    name = f"webhook to posted, {latency_s * 1000:g} ms"
    say(f"{name}: {len(found)} orders, one at a time")
    return [
        Row(f"{name}: over the sum of its calls", _median([o.latency_s / o.calls_s for o in found]), "ratio", TARGET),
        Row(f"{name}: over the time that its calls take", _median([o.latency_s / o.busy_s for o in found]), "ratio"),
        Row(f"{name}: latency", _median([o.latency_s for o in found]), "s (median)"),
        Row(f"{name}: sum of its calls", _median([o.calls_s for o in found]), "s (median)"),
        Row(f"{name}: without a call under way", _median([o.latency_s - o.busy_s for o in found]), "s (median)"),
    ]


async def _one(made: Bench, key: str, port: int) -> _One:
    since = await now(made.world)
    request = message(made.world, int(key), f"msg_{uuid.uuid4().hex}")
    sent_s = time.time()
    await send_all(port, [request], connections=1)

    async def noted() -> bool:
        async with made.database.connect() as connection:
            return (await connection.exec_driver_sql(DONE, (key,))).first() is not None

    await until(noted, f"order {key} is not noted in the store", every_s=0.05)
    async with made.database.connect() as connection:
        posted: datetime = (await connection.exec_driver_sql(POSTED, (key,))).scalar_one()
    calls = [call for call in await recorded(made.world, made.url, since) if call.flow == "orders"]
    posted_s = posted.timestamp()
    before = [call for call in calls if call.start_s < posted_s]
    return _One(posted_s - sent_s, sum(call.end_s - call.start_s for call in before), covered(before))


def covered(calls: Sequence[Made]) -> float:
    """Seconds while at least one call was under way."""
    covered, until_s = 0.0, float("-inf")
    for call in sorted(calls, key=lambda call: call.start_s):
        covered += max(0.0, call.end_s - max(call.start_s, until_s))
        until_s = max(until_s, call.end_s)
    return covered


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3)
