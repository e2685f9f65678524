"""`ml-connector release`: a person ends the holds of one kind."""

from typing import Annotated

import typer

from ml_connector.cli.exits import Exit
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.settling import user
from ml_connector.engine import crash, records
from ml_connector.engine.audit import append, entry
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
            async with home.database.transaction() as connection:
                await records.raise_epoch(connection, found.id)
                released = await records.release(connection, found.id, kind, key or None)
                told = {"kind": kind, "by": user()}
                await append(
                    connection,
                    [
                        entry("released", integration=found.id, flow=lane.flow, key=each, data=told)
                        for lane, keys in released.items()
                        for each in keys
                    ],
                )
                await crash.point("release.commit.b", kind)
            await crash.point("release.commit.a", kind)
            async with home.database.connect() as connection:
                await records.notify(connection, released)
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
