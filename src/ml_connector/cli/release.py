"""`ml-connector release`: a person ends the holds of one kind."""

from typing import Annotated

import typer

from ml_connector.cli.exits import Exit
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.desk import actions
from ml_connector.engine.status import hold_groups


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    kind: Annotated[str, typer.Argument(help="What the records wait for, as `status` shows it, e.g. closed_period.")],
    key: Annotated[list[str] | None, typer.Option(help="Only holds on this key; repeatable.")] = None,
    json: JsonOption = False,
) -> None:
    """End holds of one kind: the records run again now, and are held again if the reason still stands.

    Exit status 1 when nothing waits for that.
    """
    out = Output(json=json)

    async def work() -> Exit:
        async with opened("release") as home:
            found = await home.registry.integration_named(integration)
            released = await actions.release(home.database, found.id, kind, key or None)
            waits = sorted({group.kind for group in await hold_groups(home.database) if group.integration == found.id})
        count = sum(map(len, released.values()))
        out.say(f"{count} record{'' if count == 1 else 's'} of {integration} released from {kind}.")
        out.result(
            {"released": {lane.flow: sorted(keys) for lane, keys in released.items()}, "count": count, "kind": kind}
        )
        if not count:
            out.say(f"Records are held for: {', '.join(waits) or 'nothing'}.", style="yellow")
        return Exit.FINE if count else Exit.FOUND

    run(out, work)
