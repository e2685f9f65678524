"""`python -m bench`: all rows, or those of the parts named by `--only`."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench import arrivals, calls, catch_up, claims, console, flood, intake, latency, pipeline, reconciling, stock
from bench.rows import Row, show, write
from bench.sizes import FULL, NORMAL, TINY, Sizes
from bench.world import World, world
from ml_connector.cli.demo_erps import ERPS
from ml_connector.connectors.systems import find_system

Say = Callable[[str], None]
Part = Callable[[World, Sizes, Say], Awaitable[list[Row]]]


async def _pipeline(world: World, sizes: Sizes, say: Say) -> list[Row]:
    rows: list[Row] = []
    for latency_s, orders in ((0.0, sizes.orders), (0.1, sizes.slow_orders)):
        rows += await pipeline.rows(
            world, orders=orders, latency_s=latency_s, rounds=sizes.pipeline_rounds, seed=100, say=say
        )
    return rows


PARTS: Mapping[str, Part] = {
    "intake": lambda world, sizes, say: intake.rows(
        world, deliveries=sizes.deliveries, rounds=sizes.intake_rounds, connections=32, say=say
    ),
    "arrivals": lambda world, sizes, say: arrivals.rows(world, seconds=sizes.arrivals_s, seed=300, say=say),
    "pipeline": _pipeline,
    "calls": lambda world, sizes, say: calls.rows(
        world, orders=sizes.orders, single_orders=sizes.single_orders, seed=200, say=say
    ),
    "latency": lambda world, sizes, say: latency.rows(
        world, orders=sizes.lone_orders, latency_s=0.1, seed=400, say=say
    ),
    "claims": lambda world, sizes, say: claims.rows(world, depths=sizes.depths, turns=sizes.turns, say=say),
    "console": lambda world, sizes, say: console.rows(world, depths=sizes.console, turns=sizes.console_turns, say=say),
    "flood": lambda world, sizes, say: flood.rows(world, sizes.flood, latency_s=0.1, seed=500, say=say),
    "catch-up": lambda world, sizes, say: catch_up.rows(world, sizes.catch_up, seed=600, say=say),
    "reconcile": lambda world, sizes, say: reconciling.rows(
        world, orders=sizes.reconcile, box_s=sizes.within_s, seed=700, say=say
    ),
    "stock": lambda world, sizes, say: stock.rows(world, sizes.stock, say=say),
}
"""In this order; each leaves nothing behind."""


FIRST_ERP = next(iter(ERPS))
OF_OTHER_ERPS = ("pipeline", "calls", "latency", "catch-up", "stock")
"""What another ERP than the first changes; the others are of the store and of our own tables."""


async def measure(parts: Sequence[str], sizes: Sizes, screen: Console, system: str) -> list[Row]:
    """A part that cannot be measured becomes a row that misses its target, and the others go on. Rows of another ERP
    than the first begin with its name."""
    started = time.monotonic()

    def say(text: str) -> None:
        screen.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {text}", highlight=False)

    rows: list[Row] = []
    loads: list[float] = []
    async with world(system) as made:
        say("PostgreSQL, sandbox and configuration stand")
        for place, part in enumerate(parts, start=1):
            loads.append(os.getloadavg()[0])
            say(f"part {place} of {len(parts)}: {part} (load of the machine {loads[-1]:.1f})")
            left_s = sizes.within_s - (time.monotonic() - started)
            try:
                rows += await PARTS[part](made, sizes.in_time(left_s), say)
            except (RuntimeError, TimeoutError, LookupError) as error:
                say(f"{part} could not be measured: {error!r}")
                rows.append(Row(f"{part}: could not be measured", 1, "", 0))
    loads.append(os.getloadavg()[0])
    if system != FIRST_ERP:
        return [replace(row, row=f"{find_system(system).title}: {row.row}") for row in rows]
    return [
        *rows,
        Row(f"load of the machine, highest, with {os.cpu_count()} cores", round(max(loads), 1), "processes"),
        Row("time of this run", round((time.monotonic() - started) / 60, 1), "minutes"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure only this part; may be repeated")
    parser.add_argument("--erp", choices=ERPS, default=FIRST_ERP, help="rows of another than the first bear its name")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--tiny", action="store_true", help="a small run, to see that everything works")
    sizes.add_argument("--full", action="store_true", help="without the time limits: a few hours")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    parser.add_argument("--merge", action="store_true", help="keep the rows of other parts in the file as they are")
    options = parser.parse_args()
    screen = Console(width=120 if not sys.stdout.isatty() else None)
    whole = PARTS if options.erp == FIRST_ERP else OF_OTHER_ERPS
    parts = [part for part in PARTS if part in (options.only or whole)]
    if missing := set(parts) - set(whole):
        parser.error(f"not of {options.erp}: {', '.join(sorted(missing))}")
    sizes_asked = TINY if options.tiny else FULL if options.full else NORMAL
    rows = asyncio.run(measure(parts, sizes_asked, screen, options.erp))
    show(rows, screen)
    write(_merged(rows, options.out) if options.merge or options.erp != FIRST_ERP else rows, options.out)
    screen.print(f"written to {options.out}")
    return 1 if any(row.row.endswith("could not be measured") for row in rows) else 0


def _merged(rows: Sequence[Row], file: Path) -> list[Row]:
    """The file's rows with those that were measured now in their places, new ones at the end."""
    measured = {row.row: row for row in rows}
    kept = json.loads(file.read_text()) if file.exists() else []
    known = [{name: value for name, value in row.items() if name != "holds"} for row in kept]
    merged = [measured.pop(row["row"], Row(**row)) for row in known]
    return [*merged, *measured.values()]


if __name__ == "__main__":
    sys.exit(main())
