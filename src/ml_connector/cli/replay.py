"""`ml-connector replay`: a person asks for another run, whatever the status."""

from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.desk import actions
from ml_connector.engine.records import Status
from ml_connector.engine.status import keys_by_status


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    keys: Annotated[list[str] | None, typer.Argument(help="Order numbers (or keys of --flow).")] = None,
    flow: Annotated[str, typer.Option(help="orders, customers, ...")] = "orders",
    all_in: Annotated[
        Status | None, typer.Option("--all", help="Every record with this status: dead, held, ...")
    ] = None,
    repost: Annotated[
        bool, typer.Option("--repost", help="Compare posted orders with the current mapping, and amend what differs.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run records again, whatever their status. Nothing is posted twice by it: a run finds what exists.

    With --repost documents that were posted under an older mapping are reversed and posted again where the current
    mapping makes something else of them.
    """
    out = Output(json=json)

    async def work() -> int:
        if bool(keys) == bool(all_in):
            raise CliError("Name the records to replay, or give --all STATUS for every record with that status.")
        if repost and flow != "orders":
            raise CliError("--repost is for orders.")
        async with opened("replay") as home:
            found = await home.registry.integration_named(integration)
            wanted = keys or await keys_by_status(home.database, found.id, flow, str(all_in))
            marked = await actions.replay(home.database, found.id, flow, wanted, repost=repost)
        replayed, unknown = list(marked.done), list(marked.unknown)
        out.say(f"{len(replayed)} record{'' if len(replayed) == 1 else 's'} of {flow} will run again.")
        if unknown:
            out.say(f"Not heard of: {', '.join(unknown)}. `ml-connector sync` brings them in.", style="yellow")
        out.result({"replayed": replayed, "unknown": unknown, "flow": flow})
        return Exit.FOUND if unknown else Exit.FINE

    run(out, work)
