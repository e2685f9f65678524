"""Catching up under the quota of the store's Standard plan, and what that costs in memory and on disk.

The quota is 150 requests in 30 s. The sandbox's window is that much shorter than 30 s as the store's time is scaled, so
that the question is how well the pace uses the quota, not how fast this machine is: the scale is chosen so that the
quota asks for less than what the worker does here without one.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench import size
from bench.rows import Row
from bench.worker import Bench, bench
from bench.world import World, control

QUOTA, WINDOW_S = 150, 30.0
TARGET = 0.9
SCALE_MAX = 40.0
LOAD = 0.7
"""The part of what the worker can do without a quota that the quota asks for."""

WARM_UP = 1_000
FLAT = 1.1
WASTE = 1.0
"""Calls in a hundred that may be refused for the quota."""

SAMPLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """`orders` under the quota, as many as fit into `box_s`; then `more` without it, for the memory alone."""

    orders: int
    box_s: float
    more: int = 0
    trial: int = 300


@dataclass(slots=True)
class _Memory:
    """Resident memory of the worker in bytes, by orders done."""

    samples: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    async def watch(self, made: Bench, say: Callable[[str], None]) -> None:
        told = 0
        while True:
            done = await made.done()
            self.samples.append((done, resident_bytes(made.pid)))
            if done - told >= WARM_UP:
                told = done
                say(f"catching up: {done:,} orders done, the worker has {self.samples[-1][1] / 1e6:,.0f} MB")
            await asyncio.sleep(SAMPLE_S)

    def rows(self) -> list[Row]:
        last = self.samples[-1][0]
        warm_up = min(WARM_UP, last // 3)
        early = self._around(warm_up, warm_up + max(1, last // 20))
        late = self._around(last - max(1, last // 20), last)
        return [
            Row("worker memory: at the end over after the warm-up", round(late / early, 3), "ratio", FLAT),
            Row("worker memory: orders of the warm-up", warm_up, "orders"),
            Row("worker memory: orders done at the end", last, "orders", better="higher"),
            Row("worker memory: after the warm-up", round(early / 1e6, 1), "MB"),
            Row("worker memory: at the end", round(late / 1e6, 1), "MB"),
            Row("worker memory: highest", round(max(held for _, held in self.samples) / 1e6, 1), "MB"),
        ]

    def _around(self, first: int, last: int) -> float:
        """The median while that many orders were done; the nearest sample where there is none."""
        held = sorted(held for done, held in self.samples if first <= done <= last)
        if held:
            return held[len(held) // 2]
        return min(self.samples, key=lambda sample: abs(sample[0] - first))[1]


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells no memory")


@dataclass(frozen=True, slots=True)
class _Pace:
    """What was measured under the quota. `answered`, `refused`: the store's answers, of them those with 429."""

    orders: int
    wanted: int
    scale: float
    seconds: float
    answered: int
    refused: int

    @property
    def allowed_s(self) -> float:
        """What the quota allows for the calls that were answered."""
        return self.answered / QUOTA * WINDOW_S / self.scale

    def rows(self) -> list[Row]:
        name = "catching up under the Standard quota"
        return [
            Row(
                f"{name}: the quota's time over ours",
                round(self.allowed_s / self.seconds, 3),
                "ratio",
                TARGET,
                "higher",
            ),
            Row(f"{name}: calls refused (429)", round(100 * self.refused / self.answered, 2), "% of calls", WASTE),
            Row(f"{name}: orders", self.orders, "orders", float(self.wanted), better="higher"),
            Row(f"{name}: store calls per order", round(self.answered / self.orders, 3), "calls/order"),
            Row(f"{name}: scale of the store's time", self.scale, "times"),
            Row(f"{name}: time in the store's time", round(self.seconds * self.scale / 60, 1), "minutes"),
        ]


async def rows(world: World, sizes: Sizes, *, seed: int, say: Callable[[str], None]) -> list[Row]:
    wanted = sizes.trial + sizes.orders + sizes.more
    async with bench(world, orders=wanted, seed=seed) as made:
        say(f"catching up: {wanted:,} orders are in the store")
        empty = await size.measure(made.database)
        memory = _Memory()
        watching = asyncio.create_task(memory.watch(made, say))
        try:
            pace = await _measure(made, sizes, say)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        done = await made.done()
        memory.samples.append((done, resident_bytes(made.pid)))
        kept = await size.rows(made.database, empty, orders=done, say=say)
    return [*pace.rows(), *memory.rows(), *kept]


async def _measure(made: Bench, sizes: Sizes, say: Callable[[str], None]) -> _Pace:
    trial, left = made.keys[: sizes.trial], made.keys[sizes.trial :]
    first = await _store_calls(made.world, 0)
    seconds = await made.work_off(trial, within_s=600)
    second = await _store_calls(made.world, first.latest)
    per_order = second.answered / len(trial)
    scale = min(SCALE_MAX, math.floor(10 * LOAD * len(trial) / seconds * per_order / (QUOTA / WINDOW_S)) / 10)
    fits = int(sizes.box_s * scale * QUOTA / WINDOW_S / per_order)
    keys, left = left[: min(sizes.orders, fits)], left[min(sizes.orders, fits) :]
    say(f"catching up: {len(trial) / seconds:.1f} orders/s without a quota; {len(keys):,} orders with {scale:g} times")
    await control(made.world.store, "settings", {"quota": QUOTA, "quota_window_s": WINDOW_S / scale})
    seconds = await made.work_off(keys, within_s=4 * sizes.box_s + 60)
    third = await _store_calls(made.world, second.latest)
    await control(made.world.store, "settings", {"quota": 60_000, "quota_window_s": WINDOW_S})
    if sizes.more:
        await made.work_off(left, within_s=3600)
    return _Pace(len(keys), sizes.orders, scale, seconds, third.answered, third.refused)


@dataclass(frozen=True, slots=True)
class _Calls:
    """The store's requests after some moment; `latest`: the ID of the last. `answered`: all but those with 429."""

    latest: int
    answered: int
    refused: int


async def _store_calls(world: World, after: int) -> _Calls:
    log = (await control(world.store, f"state/requests?after={after}"))["items"]
    refused = sum(1 for each in log if each["status"] == 429)
    return _Calls(max((each["id"] for each in log), default=after), len(log) - refused, refused)
