"""Row 2: the order pipeline of a real worker against a bare loop that makes the same calls to the same sandbox."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import bare_loop
from bench.bare_loop import Replay
from bench.bodies import bodies_of
from bench.rows import Row, median_rows
from bench.worker import Sample, bench, seeded
from bench.world import World, control

TARGETS = {0.0: 1.3, 0.1: 1.15}
"""By the latency of every call, in seconds."""


@dataclass(frozen=True, slots=True)
class Round:
    """Both sides once, and what concurrency alone would have allowed. Seconds."""

    ours: Sample
    bare_s: float
    floor_s: float

    @property
    def ratio(self) -> float:
        return self.ours.seconds / self.bare_s


async def rows(
    world: World, *, orders: int, latency_s: float, rounds: int, seed: int, say: Callable[[str], None]
) -> list[Row]:
    """The rows for one latency."""
    name = f"order pipeline, {latency_s * 1000:g} ms"
    made: list[Round] = []
    for number in range(rounds):
        one = await _round(world, orders=orders, latency_s=latency_s, seed=seed + number, bare_first=number % 2 == 1)
        made.append(one)
        say(
            f"{name}, round {number + 1}: {orders} orders, {len(one.ours.calls)} calls: "
            f"ours {one.ours.seconds:.2f} s, bare loop {one.bare_s:.2f} s"
        )
    figures = [
        Row(f"{name}: ours, per order", _per_order([r.ours.seconds for r in made], orders), "ms"),
        Row(f"{name}: bare loop, per order", _per_order([r.bare_s for r in made], orders), "ms"),
        Row(f"{name}: calls without order, per order", _per_order([r.floor_s for r in made], orders), "ms"),
    ]
    ratios = [one.ratio for one in made]
    return [
        *median_rows(f"{name}: over a bare loop", ratios, "ratio", TARGETS[latency_s], "lower"),
        *figures,
    ]


def _per_order(seconds: Sequence[float], orders: int) -> float:
    return round(statistics.median(seconds) * 1000 / orders, 2)


async def _round(world: World, *, orders: int, latency_s: float, seed: int, bare_first: bool) -> Round:
    """One worker run gives the recording. With `bare_first` a second one is timed after the bare loop, so that the
    sides take turns in who goes first."""
    sample, replay = await _ours(world, orders=orders, latency_s=latency_s, seed=seed)
    bare_s = await _bare(world, replay, orders=orders, latency_s=latency_s, seed=seed)
    if bare_first:
        sample, _ = await _ours(world, orders=orders, latency_s=latency_s, seed=seed)
    floor_s = await _bare(world, bare_loop.without_order(replay), orders=orders, latency_s=latency_s, seed=seed)
    return Round(sample, bare_s, floor_s)


async def _ours(world: World, *, orders: int, latency_s: float, seed: int) -> tuple[Sample, Replay]:
    async with bench(world, orders=orders, seed=seed, latency_s=latency_s) as made:
        sample = await made.sample(made.keys)
        bodies = await bodies_of(made.database, sample.calls)
    return sample, bare_loop.replay_of(world, sample.calls, bodies)


async def _bare(world: World, replay: Replay, *, orders: int, latency_s: float, seed: int) -> float:
    """A fresh store with the same orders and an empty ERP, so that every post really posts."""
    await world.reset()
    await seeded(world, orders=orders, seed=seed)
    await world.slow(latency_s)
    seconds = await bare_loop.run(world, replay)
    seen = sum([len((await control(system, "state/requests"))["items"]) for system in (world.store, world.erp)])
    calls = bare_loop.opening(world) + replay.calls
    if seen != calls:
        raise RuntimeError(f"the bare loop made {seen} calls instead of {calls}")
    return seconds
