"""`ml-connector sync`: brings orders in now, by number or by the days in which they were placed (backfill)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.settling import user, wait_until_done
from ml_connector.cli.working import Working, working
from ml_connector.engine import records
from ml_connector.engine.records import MARK_AT_ONCE, Lane
from ml_connector.engine.wishes import wish

ORDERS = "orders"
SHIPMENTS = "shipments"
"""Their keys are those of the ERP's delivery notes."""


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    keys: Annotated[list[str] | None, typer.Argument(help="Order numbers (or keys of --flow).")] = None,
    since: Annotated[datetime | None, typer.Option(help="UTC: orders placed at or after it.")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC: orders placed before it. Default: now.")] = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Post the named orders although they are older than the cut-over.")
    ] = False,
    flow: Annotated[str, typer.Option(help="orders, customers or shipments.")] = ORDERS,
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds to wait until a worker has done them.")] = 0,
    json: JsonOption = False,
) -> None:
    """Bring orders in now: by number, or all that were placed in a window of time.

    A window is a deliberate backfill: its orders are posted although they are older than the policy's cut-over date.
    """
    out = Output(json=json)

    async def work() -> int:
        if bool(keys) == bool(since):
            raise CliError("Name the orders, or give --since (and --until) for a window of time.")
        if since and flow != ORDERS:
            raise CliError("A window of time is for orders; name the keys of other flows.")
        wrong = [key for key in keys or () if not (key.isascii() and key.isdecimal())]
        if wrong and flow != SHIPMENTS:
            raise CliError(f"{', '.join(wrong)}: an order or customer number has digits only.")
        async with working("sync") as engine:
            found = await engine.home.registry.integration_named(integration)
            if since:
                first, last = _utc(since), _utc(until) if until else datetime.now(UTC)
                if first >= last:
                    raise CliError(f"--since {first:%Y-%m-%d %H:%M} must be before --until {last:%Y-%m-%d %H:%M}.")
                marked = await _window(out, engine, found.id, first, last)
            else:
                marked = sorted(set(keys or ()))
                await _mark(engine, found.id, flow, marked, deliberate=backfill)
            out.say(f"{len(marked)} {flow} marked; a worker brings them in.")
            outcomes = await wait_until_done(out, engine.home, found.id, flow, marked, wait_s)
        out.result({"marked": marked, "flow": flow, "outcomes": outcomes})
        return Exit.FOUND if any(each not in ("synced", "excluded") for each in outcomes.values()) else Exit.FINE

    run(out, work)


async def _window(out: Output, engine: Working, integration: int, first: datetime, last: datetime) -> list[str]:
    context = await engine.runtime.context(integration, None)
    marked: set[str] = set()
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True, disable=out.json) as progress:
        task = progress.add_task("Reading the list of orders ...")
        async for page in context.orders.orders_created(first, last):
            keys = sorted({change.key for change in page.changes} - marked)
            await _mark(engine, integration, ORDERS, keys, deliberate=True)
            marked.update(keys)
            progress.update(task, description=f"{len(marked)} orders marked ...")
    return sorted(marked)


async def _mark(engine: Working, integration: int, flow: str, keys: Sequence[str], *, deliberate: bool) -> None:
    for start in range(0, len(keys), MARK_AT_ONCE):
        part = keys[start : start + MARK_AT_ONCE]
        async with engine.home.database.transaction() as connection:
            if deliberate:
                await wish(connection, integration, ORDERS, "backfill", part, author=user())
            await records.mark(connection, integration, flow, part)
    async with engine.home.database.connect() as connection:
        await records.notify(connection, [Lane(integration, flow)])


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
