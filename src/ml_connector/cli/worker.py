"""`ml-connector worker`: does the work until it is asked to stop."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.working import Working, working
from ml_connector.engine import logs
from ml_connector.engine.runs import LEASE_S
from ml_connector.engine.worker import Pace, Worker
from ml_connector.flows.assembly import flows_of, schedule_for_ever
from ml_connector.flows.runtime import COUNT_EVERY_S
from ml_connector.reconcile.nightly import ReconcileFlow
from ml_connector.web.metrics_door import metrics_door


def command(
    runs: Annotated[int, typer.Option(min=1, max=64, help="Batches of one integration worked on at once.")] = 4,
    lease_s: Annotated[
        float, typer.Option("--lease", min=0.3, help="Seconds until others take over the work of a silent worker.")
    ] = LEASE_S,
    sweep_s: Annotated[float, typer.Option("--sweep", min=0.1, help="Seconds between looks for silent workers.")] = 5.0,
    poll_s: Annotated[float, typer.Option("--poll", min=0.1, help="Seconds between looks for due work.")] = 1.0,
    count_s: Annotated[
        float, typer.Option("--count", min=0.1, help="Seconds between counts of what was posted.")
    ] = COUNT_EVERY_S,
    watchdog: Annotated[
        bool, typer.Option(help="End this process if it stands still while a document is being sent.")
    ] = True,
    metrics: Annotated[str, typer.Option(help="HOST:PORT to answer /metrics and /healthz at; empty: nowhere.")] = "",
    json: JsonOption = False,
) -> None:
    """Read, plan and post what is due, until SIGTERM or Ctrl-C; then finish or hand back what is under way.

    Any number of workers may share a database, on any number of machines.
    """
    out = Output(json=json)

    async def work() -> None:
        logs.configure(json=True if json else None)
        pace = Pace(runs_at_once=runs, poll_s=poll_s, sweep_every_s=sweep_s, lease_s=lease_s)
        async with working(
            "worker", pool_size=runs * 3 + 4, lease_s=lease_s, count_every_s=count_s, watchdog=watchdog
        ) as engine:
            worker = worker_of(engine, pace)
            gc.collect()
            gc.freeze()  # what a process starts with stays: looking through it again and again took 6 % of the time
            async with scheduling(engine), _metrics(metrics, engine):
                await worker.run(handle_signals=True)
            counters = worker.counters
        out.say(f"Stopped after {counters.runs} runs of {counters.records} records.")
        out.result({"runs": counters.runs, "records": counters.records, "outcomes": counters.by_outcome})

    run(out, work)


@asynccontextmanager
async def _metrics(place: str, engine: Working) -> AsyncGenerator[None]:
    async with AsyncExitStack() as open_:
        try:
            await open_.enter_async_context(metrics_door(place, engine.home.database, engine.shared.metrics))
        except (ValueError, OSError) as error:
            raise CliError(f"Cannot answer /metrics at {place}: {error}. Choose another --metrics HOST:PORT.") from None
        yield


def worker_of(engine: Working, pace: Pace) -> Worker:
    """A worker with all flows, whose lanes rest while the breaker of their connection is open."""
    return Worker(
        engine.home.database,
        flows_of(engine.runtime, ReconcileFlow(engine.runtime)),
        pace=pace,
        lane_gate=engine.shared.breakers.may_claim,
    )


class scheduling:  # noqa: N801 - used as a word, like `working`
    """Within the block, integrations get their periodic records without a restart."""

    def __init__(self, engine: Working) -> None:
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(
            schedule_for_ever(self._engine.runtime, ReconcileFlow(self._engine.runtime)), name="schedules"
        )

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
