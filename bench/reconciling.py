"""Rows: a reconciliation of 100,000 orders, its time and its memory, in a process of its own (`bench.books`)."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from bench.rows import Row
from bench.worker import seeded
from bench.world import World, control

PER_ORDER_MS, PEAK_MB = 4.0, 200.0
"""Chosen from the first measurement, so that growth is seen; and what a small container has."""

DAYS = 30
TEMPLATES = 300
START = "2026-01-05"


async def rows(world: World, *, orders: int, box_s: float, seed: int, say: Callable[[str], None]) -> list[Row]:
    """A tenth of them, and then all, or as many as fit into `box_s`; the rows say how many."""
    await world.reset()
    tenth = orders // 10
    await seeded(world, orders=min(TEMPLATES, tenth), seed=seed, start=START)
    told = await control(world.store, "state/orders")
    (world.home / "templates.json").write_text(json.dumps(told["items"]))
    small = await _compare(world, tenth)
    fits = int(box_s / small["seconds"]) - 1
    large = small if fits < 2 else await _compare(world, tenth * min(10, fits))
    done = int(large["orders"])
    say(f"reconcile: {done:,} orders in {large['seconds']:.0f} s, {large['peak_mb']:.0f} MB at most")
    name = "reconcile, streaming"
    return [
        Row(f"{name}: processor time per order", round(large["cpu_s"] * 1000 / done, 3), "ms", PER_ORDER_MS),
        Row(f"{name}: peak memory", round(large["peak_mb"], 1), "MB", PEAK_MB),
        Row(f"{name}: time", round(large["seconds"], 1), "s"),
        Row(f"{name}: orders", done, "orders", float(orders), better="higher"),
        Row(f"{name}: documents", large["documents"], "documents", better="higher"),
        Row(f"{name}: days", large["days"], "days", better="higher"),
        Row(f"{name}: memory beyond the start", round(large["peak_mb"] - large["before_mb"], 1), "MB"),
        Row(f"{name}: memory beyond the start, a tenth", round(small["peak_mb"] - small["before_mb"], 1), "MB"),
    ]


async def _compare(world: World, orders: int) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.books", str(world.home / "templates.json"),
        str(world.home / "configuration.yaml"), str(orders), str(DAYS),
        env=dict(world.environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    said, words = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the reconciliation failed: {words.decode()[-2000:]}")
    made = json.loads(said)
    if (made["orders"], made["differences"]) != (orders, 0):
        raise RuntimeError(f"of {orders:,} orders that tie, the reconciliation says {made}")
    return made
