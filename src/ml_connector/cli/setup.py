"""`ml-connector setup`: what has to be made in a system (fields, tables), and with consent, making it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.working import working
from ml_connector.connectors.base import SetsUp, SetupStep
from ml_connector.connectors.systems import find_system


def command(
    connection: Annotated[str, typer.Argument(help="Name of a connection.")],
    apply: Annotated[bool, typer.Option("--apply", help="Make what is missing; without it nothing changes.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what the connection's settings do not need now.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what has to be made in a system before documents can go there, and with --apply make it.

    Exit status 1 when something is missing and was not made.
    """
    out = Output(json=json)

    async def work() -> int:
        async with working("setup") as engine:
            found = await engine.home.registry.connection_named(connection)
            connector = await engine.runtime.connector(found)
            if not isinstance(connector, SetsUp):
                raise CliError(f"{find_system(found.system).title} needs nothing to be made in it.")
            planned = await connector.plan_setup()
            wanted = [step for step in planned if everything or step.needed]
            standing = await connector.set_up(wanted) if apply else wanted
        _say(out, standing, planned, applied=apply)
        missing = [step for step in standing if not step.done]
        out.result(
            {
                "connection": found.name,
                "system": found.system,
                "applied": apply,
                "complete": not missing,
                "steps": [asdict(step) for step in standing],
            }
        )
        return Exit.FOUND if missing else Exit.FINE

    run(out, work)


def _say(out: Output, standing: Sequence[SetupStep], planned: Sequence[SetupStep], *, applied: bool) -> None:
    before = {step.name for step in planned if step.done}
    for step in standing:
        sign, style = (
            ("miss", "red") if not step.done else ("ok  ", "green") if step.name in before else ("made", "green")
        )
        out.say(f"  {sign}  {step.description}", style=style)
    for after in dict.fromkeys(step.after for step in standing if step.after):
        out.say(f"Now: {after}.")
    if not applied and any(not step.done for step in standing):
        out.say("Nothing was changed. With --apply the missing ones are made.")
