"""`ml-connector ping`: every check of every connection, in words that an administrator can act on."""

from dataclasses import asdict
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.working import working
from ml_connector.connectors.systems import find_system
from ml_connector.flows.pinging import Pinged, ping


def command(
    connection: Annotated[str, typer.Argument(help="Name of a connection; left out: all.")] = "",
    json: JsonOption = False,
) -> None:
    """Check every connection, or one, and say what is missing.

    Exit status 1 when a needed check failed, 3 when a system could not be reached at all.
    """
    out = Output(json=json)

    async def work() -> int:
        async with working("ping") as engine:
            registry = engine.home.registry
            wanted = [await registry.connection_named(connection)] if connection else await registry.connections()
            if not wanted:
                raise CliError("No connection is configured yet: see `ml-connector config apply`.")
            pinged = [await ping(engine.runtime, each) for each in wanted]
        for each in pinged:
            _say(out, each)
        out.result(
            {
                "connections": [
                    {
                        "connection": each.connection.name,
                        "system": each.connection.system,
                        "ok": not each.failed,
                        "checks": [asdict(check) for check in each.checks],
                    }
                    for each in pinged
                ]
            }
        )
        failed = [check for each in pinged for check in each.failed]
        if any(check.kind == "connection" for check in failed):
            return Exit.UNREACHABLE
        return Exit.FOUND if failed else Exit.FINE

    run(out, work)


def _say(out: Output, pinged: Pinged) -> None:
    connection = pinged.connection
    out.say(f"{connection.name} ({find_system(connection.system).title}, {connection.base_url})", style="bold")
    for check in pinged.checks:
        sign, style = ("ok  ", "green") if check.ok else ("FAIL", "red") if check.needed else ("note", "yellow")
        out.say(f"  {sign}  {check.name}: {check.message}", style=style)
        if check.fix and not check.ok:
            out.say(f"        {check.fix}")
