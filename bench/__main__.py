"""`python -m bench`: all rows, or those named by `--only`."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench import calls, intake, pipeline
from bench.rows import Row, show, write
from bench.world import world

PARTS = ("intake", "pipeline", "calls")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; `tiny` is for a look whether it works, and measures nothing."""

    deliveries: int = 4_000
    intake_rounds: int = 5
    orders: int = 400
    slow_orders: int = 200
    pipeline_rounds: int = 3
    single_orders: int = 30


FULL = Sizes()
TINY = Sizes(deliveries=100, intake_rounds=1, orders=12, slow_orders=6, pipeline_rounds=1, single_orders=2)


async def measure(parts: Sequence[str], sizes: Sizes, console: Console) -> list[Row]:
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/]  {text}", highlight=False)

    rows: list[Row] = []
    async with world() as made:
        say("PostgreSQL, sandbox and configuration stand")
        if "intake" in parts:
            rows += await intake.rows(
                made, deliveries=sizes.deliveries, rounds=sizes.intake_rounds, connections=32, say=say
            )
        if "pipeline" in parts:
            for latency_s, orders in ((0.0, sizes.orders), (0.1, sizes.slow_orders)):
                rows += await pipeline.rows(
                    made, orders=orders, latency_s=latency_s, rounds=sizes.pipeline_rounds, seed=100, say=say
                )
        if "calls" in parts:
            rows += await calls.rows(made, orders=sizes.orders, single_orders=sizes.single_orders, seed=200, say=say)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure only this part; may be repeated")
    parser.add_argument("--tiny", action="store_true", help="a small run, to see that everything works")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    options = parser.parse_args()
    console = Console(width=120 if not sys.stdout.isatty() else None)
    rows = asyncio.run(measure(options.only or PARTS, TINY if options.tiny else FULL, console))
    show(rows, console)
    write(rows, options.out)
    console.print(f"written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
