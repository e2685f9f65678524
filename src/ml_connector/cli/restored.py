"""`ml-connector restored`: the operator says that commits may be lost (a backup was put back)."""

from typing import Annotated

import typer

from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.settling import user
from ml_connector.engine import gate
from ml_connector.engine.audit import append, entry


def command(
    why: Annotated[str, typer.Argument(help="What was restored, for the audit.")] = "a backup was restored",
    json: JsonOption = False,
) -> None:
    """Say that the database was restored from a backup: sending waits until every write that was under way is known.

    Run it before the first worker starts on the restored database (see docs/operations.md).
    """
    out = Output(json=json)

    async def work() -> None:
        async with opened("restored") as home, home.database.transaction() as connection:
            since = await gate.declare_restored(connection, why)
            await append(connection, [entry("gate", data={"why": why, "by": user()})])
        out.say(
            f"Noted at {since:%Y-%m-%d %H:%M:%S} UTC. Reading and planning go on; nothing is sent to an ERP until "
            "look-ups can tell what was posted before the restore. `ml-connector status` shows until when."
        )
        out.result({"lost_at": since, "why": why})

    run(out, work)
