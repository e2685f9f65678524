"""`ml-connector check`: a test order goes the whole way, now."""

import asyncio
import time
from datetime import datetime
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import Opened, opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.engine import checks, periodic, records
from ml_connector.engine.alert_conditions import duration
from ml_connector.engine.checks import Result
from ml_connector.engine.records import Lane

_LOOK_EVERY_S = 0.5
_LONGER_S = 30.0


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    last: Annotated[bool, typer.Option("--last", help="Only show how the last check went.")] = False,
    json: JsonOption = False,
) -> None:
    """Place a marked test order in a test pair and see it come through: document, post-back, stock. Needs a worker."""
    out = Output(json=json)

    async def work() -> int:
        async with opened("check") as home:
            found = await home.registry.integration_named(integration)
            if not found.check.enabled:
                raise CliError(f"{integration} has no check: set check.enabled in its configuration.")
            before = await _last(home, found.id)
            result = before if last else await _make(home, found.id, before, found.check.within_s + _LONGER_S)
        if result is None:
            out.say("No check has ended yet: is a worker running?", style="yellow")
            out.result({"ok": None})
            return Exit.FOUND
        for step in result.steps:
            mark = "✗" if step.error else "✓"
            out.say(f"{mark} {step.name}: {step.error or took(step.took_s)}", style="red" if step.error else None)
        ended = "Came through" if result.ok else "Failed"
        out.say(f"{ended}, order {result.order or 'none'}, {result.at:%H:%M:%S} UTC.")
        out.result(result.as_json())
        return Exit.FINE if result.ok else Exit.FOUND

    run(out, work)


def took(seconds: float) -> str:
    """As a person says it: `184 ms`, `21 s`, `4 min`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)


async def _make(home: Opened, integration: int, before: Result | None, within_s: float) -> Result | None:
    lane = Lane(integration, checks.NAME)
    async with home.database.transaction() as sql:
        await records.mark(sql, integration, lane.flow, [periodic.KEY])
    async with home.database.connect() as sql:
        await records.notify(sql, [lane])
    deadline = time.monotonic() + within_s
    known: datetime | None = before.at if before else None
    while time.monotonic() < deadline:
        result = await _last(home, integration)
        if result is not None and result.at != known:
            return result
        await asyncio.sleep(_LOOK_EVERY_S)
    return None


async def _last(home: Opened, integration: int) -> Result | None:
    async with home.database.connect() as sql:
        return await checks.last(sql, integration)
