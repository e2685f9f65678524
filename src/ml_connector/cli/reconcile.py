"""`ml-connector reconcile`: what the store says, what we posted, what the ERP holds; day by day, to the cent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output, to_json
from ml_connector.cli.reconcile_output import as_csv, as_json, say
from ml_connector.cli.reconcile_stock import say_stock
from ml_connector.cli.run import run
from ml_connector.cli.working import Working, working
from ml_connector.connectors.base import in_background
from ml_connector.connectors.errors import Throttled, Transient, Unreachable
from ml_connector.engine.registry import Integration
from ml_connector.reconcile import healing
from ml_connector.reconcile.nightly import rules_of
from ml_connector.reconcile.sources import ContextSources, zone_of
from ml_connector.reconcile.stock import covers_stock, reconcile_stock
from ml_connector.reconcile.stock_values import StockTotals
from ml_connector.reconcile.stream import Cursor, reconcile
from ml_connector.reconcile.totals import Totals

T = TypeVar("T")
TRIES = 5
PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One integration's window, both days included, and the orders that were marked."""

    integration: str
    first: date
    last: date
    time_zone: str
    totals: Totals
    stock: StockTotals | None
    marked: list[str]
    marked_skus: list[str]
    seconds: float

    @property
    def ties(self) -> bool:
        return self.totals.ties and (self.stock is None or self.stock.ties)


def command(
    since: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, in the store's time zone.")
    ],
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="The day after the last. Default: tomorrow, so up to now."),
    ] = None,
    integration: Annotated[str, typer.Option("--integration", help="One integration; default: all active ones.")] = "",
    heal: Annotated[
        bool,
        typer.Option("--heal", help="Mark what a run can mend: orders never heard of, missing, not amended; stock."),
    ] = False,
    stock: Annotated[
        bool | None,
        typer.Option("--stock/--no-stock", help="Compare every SKU as of now. Default: where the flow `stock` is on."),
    ] = None,
    lag_s: Annotated[
        int | None,
        typer.Option("--lag", min=0, help="Seconds after which what is not posted is late. Default: as set."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="Write the JSON or CSV to this file; the tables go to the terminal.")
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print comma-separated values, all sections in one table.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Compare store, our postings and the ERP: completeness and sums, day by day; and stock, SKU by SKU.

    Exit status 0: everything ties. 1: there are differences. 2: the call cannot be used as given. 3: a system does not
    answer. Nothing is changed, unless --heal asks for it; nothing is ever posted by this command itself.
    """
    out = Output(json=(json or csv) and file is None)

    async def work() -> int:
        if json and csv:
            raise CliError("Choose one of --json and --csv.")
        if file is not None and not (json or csv):
            raise CliError("--out needs --json or --csv, to know what to write.")
        async with working("reconcile") as engine:
            found = await _integrations(engine, integration)
            done = [
                await _one(out, engine, each, since.date(), until, lag_s=lag_s, heal=heal, stock=stock)
                for each in found
            ]
        for each in done:
            say(out, each.integration, each.first, each.last, each.totals, each.marked)
            if each.stock is not None:
                say_stock(out, each.integration, each.stock, each.marked_skus)
        if csv:
            _write(out, file, as_csv([(each.integration, each.totals, each.stock) for each in done]))
        elif json:
            _write(out, file, to_json(_document(done)) + "\n")
        return Exit.FINE if all(each.ties for each in done) else Exit.FOUND

    run(out, work)


async def _integrations(engine: Working, name: str) -> list[Integration]:
    if name:
        return [await engine.home.registry.integration_named(name)]
    found = await engine.home.registry.integrations()
    if not found:
        raise CliError("Nothing is configured yet: write a configuration and run `ml-connector config apply FILE`.")
    return found


async def _one(
    out: Output, engine: Working, integration: Integration, first: date, until: datetime | None, *,
    lag_s: int | None, heal: bool, stock: bool | None,
) -> Reconciled:  # fmt: skip
    started = time.monotonic()
    context = await engine.runtime.context(integration.id, None)
    with in_background():
        zone = await zone_of(context)
        last = until.date() - timedelta(days=1) if until else datetime.now(zone).date()
        if last < first:
            raise CliError(f"--from {first} must be before --to {last + timedelta(days=1)}, which is not included.")
        budget_s = integration.reconcile.lag_s if lag_s is None else lag_s
        rules = rules_of(context, first, last, datetime.now(UTC), lag_s=budget_s)
        sources = ContextSources(context, zone)
        cursor = Cursor.of(first, last)
        with _progress(out, cursor, integration.name) as shown:
            task = shown.add_task(integration.name, total=cursor.days + 1)

            def moved(cursor: Cursor) -> None:
                words = f"{integration.name}: {min(cursor.day, cursor.last)}, {cursor.totals.orders} orders"
                shown.update(task, description=words, completed=cursor.days_done)

            await _patiently(lambda: reconcile(sources, rules, cursor, progress=moved))
            counted: StockTotals | None = None
            if covers_stock(context) if stock is None else stock:

                def compared(so_far: StockTotals) -> None:
                    shown.update(task, description=f"{integration.name}: stock, {so_far.skus} SKUs")

                counted = await _patiently(lambda: reconcile_stock(context, lag_s=budget_s, progress=compared))
    marked = healing.to_mark(cursor.totals.found) if heal else []
    skus = healing.skus_to_mark(counted) if heal and counted else []
    for flow, keys in ((healing.FLOW, marked), (healing.STOCK, skus)):
        for part in healing.parts_of(keys):
            async with engine.home.database.transaction() as connection:
                await healing.mark(connection, integration.id, part, flow=flow)
        if keys:
            async with engine.home.database.connect() as connection:
                await healing.notify(connection, integration.id, flow=flow)
    seconds = round(time.monotonic() - started, 1)
    return Reconciled(integration.name, first, last, str(zone), cursor.totals, counted, marked, skus, seconds)


async def _patiently(go_on: Callable[[], Awaitable[T]]) -> T:
    """Waits where a system asks to, and tries again what may pass; a cursor stands behind what is done."""
    tried = 0
    while True:
        try:
            return await go_on()
        except Throttled as error:
            await asyncio.sleep(error.retry_after_s or PAUSE_S)
        except (Transient, Unreachable):
            tried += 1
            if tried == TRIES:
                raise
            await asyncio.sleep(PAUSE_S / TRIES * tried)


def _progress(out: Output, cursor: Cursor, name: str) -> Progress:
    del cursor, name
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total} steps"))
    return Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=out.json or not console.is_terminal
    )


def _document(done: list[Reconciled]) -> dict[str, object]:
    return {
        "ties": all(each.ties for each in done),
        "integrations": [
            {
                "integration": each.integration,
                "from": each.first,
                "to": each.last + timedelta(days=1),
                "time_zone": each.time_zone,
                "marked": each.marked,
                "marked_skus": each.marked_skus,
                "seconds": each.seconds,
                **as_json(each.totals),
                "ties": each.ties,
                "stock": None if each.stock is None else each.stock.as_json(),
            }
            for each in done
        ],
    }


def _write(out: Output, file: Path | None, text: str) -> None:
    if file is None:
        out.line(text.rstrip("\n"))
        return
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise CliError(f"{file} cannot be written: {error.strerror}.") from error
    out.say(f"Written to {file}.")
