"""Waiting, for a bounded time, until a worker has done what a command asked for."""

import asyncio
import getpass
import os
import time
from collections.abc import Sequence

from ml_connector.cli.opened import Opened
from ml_connector.cli.output import Output
from ml_connector.engine.standings import standings

_REST = frozenset({"synced", "excluded", "held", "dead"})
_LOOK_EVERY_S = 0.25


async def wait_until_done(
    out: Output, home: Opened, integration: int, flow: str, keys: Sequence[str], seconds: float
) -> dict[str, str]:
    """Key -> `synced`, `excluded`, `held: kind`, `dead`, or `waiting` when the time is over. Empty without waiting."""
    if seconds <= 0 or not keys:
        return {}
    deadline = time.monotonic() + seconds
    while True:
        async with home.database.connect() as connection:
            rows = await standings(connection, integration, flow, keys)
        if all(row.status in _REST for row in rows) or time.monotonic() > deadline:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    for row in rows:
        words = f": {row.hold}" if row.hold and row.status == "held" else ""
        style = "green" if row.status == "synced" else "yellow"
        out.say(f"{row.key}: {row.status}{words}{f' ({row.why})' if row.why else ''}", style=style)
    if any(row.status not in _REST for row in rows):
        out.say("Not all are done: is a worker running? (`ml-connector worker`)", style="yellow")
    return {row.key: f"held: {row.hold}" if row.status == "held" else row.status for row in rows}


def user() -> str:
    """Who runs this command, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"
