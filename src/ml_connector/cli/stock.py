"""`ml-connector stock`: freshness and drift by SKU."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.engine import periodic, records
from ml_connector.engine.records import Lane
from ml_connector.engine.stock_status import SkuStock, StockSummary, skus, summaries
from ml_connector.flows import stock_recount

RECOUNT = stock_recount.NAME
SHOWN = 50


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    sku: Annotated[str | None, typer.Option("--sku", help="This SKU alone.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every SKU, not only those in trouble.")] = False,
    recount: Annotated[bool, typer.Option("--recount", help="Ask for a recount of every SKU now.")] = False,
    json: JsonOption = False,
) -> None:
    """How fresh each SKU's stock is, what drifted, what the oversell guard did. Exit status 1 when something did."""
    out = Output(json=json)

    async def work() -> int:
        async with opened("stock") as home:
            found = await home.registry.integration_named(integration)
            if recount:
                lane = Lane(found.id, RECOUNT)
                async with home.database.transaction() as connection:
                    await periodic.ensure(connection, lane)
                    await records.replay(connection, found.id, RECOUNT, [periodic.KEY])
                async with home.database.connect() as connection:
                    await records.notify(connection, [lane])
            whole = next((each for each in await summaries(home.database) if each.integration == found.id), None)
            rows = await skus(
                home.database, found.id, sku=sku, troubled=sku is None and not everything, limit=1_000_000
            )
        if sku is not None and not rows:
            raise CliError(f"Nothing is known of the stock of {sku!r}: the flow `stock` has not read it yet.")
        _say(out, whole, rows, recount=recount)
        out.result({"integration": integration, "summary": asdict(whole) if whole else None,
                    "skus": [asdict(each) for each in rows], "recount_asked": recount})  # fmt: skip
        return Exit.FOUND if any(each.stale or each.drift for each in rows) else Exit.FINE

    run(out, work)


def _say(out: Output, whole: StockSummary | None, rows: list[SkuStock], *, recount: bool) -> None:
    if recount:
        out.say("A recount was asked for; a worker makes it.")
    if whole is None:
        out.say("No stock was read yet. Is the flow `stock` switched on, and does `warehouses` feed a location?")
        return
    out.say(f"{whole.skus} SKUs; oldest figure {whole.oldest_s:.0f} s; {whole.stale} too old; {whole.drifted} drifted.")
    if whole.recount:
        told = whole.recount
        out.say(
            f"Last recount {told['at']}: {told['skus']} SKUs in {told['took_s']} s, {told['drifted']} differed by "
            f"{told['pieces']} pieces, {told['not_in_erp']} not in the ERP, {told['unmapped']} without an item."
        )
    out.table(
        "SKUs",
        ("SKU", "item", "status", "figure", "wanted", "store", "on orders", "drift", "guard", "why"),
        [
            (
                each.sku,
                each.item,
                each.status,
                "" if each.age_s is None else f"{each.age_s:.0f} s",
                _levels(each.wanted),
                _levels(each.store),
                each.on_orders,
                _drift(each),
                each.stale,
                each.why,
            )
            for each in rows[:SHOWN]
        ],
    )
    if len(rows) > SHOWN:
        out.say(f"{len(rows) - SHOWN} more: `--json` has all.")


def _levels(levels: Mapping[int, int]) -> str:
    """Location:quantity, by location."""
    return " ".join(f"{place}:{count}" for place, count in sorted(levels.items()))


def _drift(each: SkuStock) -> str:
    if not each.drift:
        return ""
    had, wanted = each.drift["store"], each.drift["wanted"]
    return " ".join(f"{place}:{had.get(place, 0)}->{count}" for place, count in sorted(wanted.items()))
