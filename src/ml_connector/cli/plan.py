"""`ml-connector plan`: the exact documents that orders would make, beside what is posted; on request it is done."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.plan_files import plan_files
from ml_connector.cli.plan_output import plan_json, say_plan
from ml_connector.cli.run import run
from ml_connector.cli.settling import user, wait_until_done
from ml_connector.cli.working import Working, working
from ml_connector.desk import plans
from ml_connector.desk.actions import Refused
from ml_connector.desk.plans import Asked
from ml_connector.domain.access import Person, Role
from ml_connector.domain.documents import Documents
from ml_connector.flows.context import Context
from ml_connector.flows.preview import NAME, Preview


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration; not with --from-files.")] = "",
    orders: Annotated[list[str] | None, typer.Argument(help="Order numbers.")] = None,
    from_files: Annotated[
        Path | None, typer.Option("--from-files", help="Folder of exported orders; needs no connection.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="With --from-files: mapping and policy of this configuration.")
    ] = None,
    of: Annotated[str, typer.Option("--integration", help="With --config: which integration of it.")] = "",
    backfill: Annotated[bool, typer.Option("--backfill", help="Plan orders from before the cut-over too.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Post exactly this, after a question.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --apply: do not ask.")] = False,
    wait_s: Annotated[float, typer.Option("--wait", help="With --apply: seconds to wait for a worker.")] = 0,
    why: Annotated[bool, typer.Option("--why", help="Say for every line why it is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Show the documents that orders would make, without posting.

    With --apply the shown plan is approved: if the store, the mapping or the books change before a worker comes to
    it, the order is held as plan_changed and nothing is posted. Exit status 1 when an order is held or unknown.
    """
    out = Output(json=json)

    async def work() -> int:
        if from_files is not None:
            return plan_files(out, from_files, config, of or integration, why=why, backfill=backfill)
        if not integration or not orders:
            raise CliError("Name an integration and order numbers, or --from-files FOLDER; see `plan --help`.")
        wrong = [order for order in orders if not (order.isascii() and order.isdecimal())]
        if wrong:
            raise CliError(f"{', '.join(wrong)}: an order number has digits only.")
        async with working("plan") as engine:
            found = await engine.home.registry.integration_named(integration)
            context = await engine.runtime.context(found.id, None)
            previews = await plans.previewed(context, list(dict.fromkeys(orders)), backfill=backfill)
            for each in previews:
                _say(out, each, why=why)
            result: dict[str, Any] = {"orders": [_as_json(each) for each in previews]}
            status = Exit.FOUND if any(not isinstance(each.plan, Documents) for each in previews) else Exit.FINE
            if apply:
                result["approved"], left = await _apply(
                    out, engine, context, previews, backfill=backfill, yes=yes or json, wait_s=wait_s
                )
                result["outcomes"] = left
                status = Exit.FOUND if any(each != "synced" for each in left.values()) else status
            out.result(result)
        return status

    run(out, work)


def _say(out: Output, each: Preview, *, why: bool) -> None:
    out.say(f"\nOrder {each.key}", style="bold")
    if each.plan is None:
        out.say("The store does not know this order.", style="yellow")
        return
    say_plan(out, each.plan, why=why)
    if each.uncertain:
        out.say(f"Outcome not known yet: {', '.join(each.uncertain)}; they are resolved first.", style="yellow")


def _as_json(each: Preview) -> dict[str, Any]:
    plan = {"outcome": "unknown"} if each.plan is None else plan_json(each.plan)
    new = [document.reference for document in each.news]
    return {"order": each.key, "digest": each.digest, "new": new, "uncertain": list(each.uncertain), **plan}


async def _apply(
    out: Output, engine: Working, context: Context, previews: list[Preview], *, backfill: bool, yes: bool, wait_s: float
) -> tuple[list[str], dict[str, str]]:
    """Keeps and applies what was shown: the keys, and what became of those that were waited for."""
    wanted = {each.key: each.digest for each in previews if each.news}
    if not wanted:
        out.say("\nThere is nothing to post.")
        return [], {}
    count = sum(len(each.news) for each in previews)
    if not yes and not typer.confirm(f"\nPost {count} documents of {len(wanted)} orders?"):
        raise CliError("Nothing was posted.", Exit.FINE)
    integration, person = context.integration, Person(0, user(), Role.administrator, "cli")
    try:
        asked = plans.words(Asked([each.key for each in previews], backfill=backfill), len(previews))
        plan = await plans.keep(context, previews, asked, backfill=backfill)
        await plans.apply(engine.home.database, integration, plan, person)
    except Refused as error:
        raise CliError(str(error)) from error
    out.say(f"Plan {plan}: {len(wanted)} orders approved; a worker posts them.")
    return sorted(wanted), await wait_until_done(out, engine.home, integration.id, NAME, sorted(wanted), wait_s)
