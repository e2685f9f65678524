"""`ml-connector migrate`: the database's shape is brought up to this version."""

import asyncio

from ml_connector.cli.opened import server
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.engine.migrations import migrate


def command(json: JsonOption = False) -> None:
    """Bring the database up to this version. Safe to run again, and from several machines at once."""
    out = Output(json=json)

    async def work() -> None:
        async with server() as (url, _):
            revision = await asyncio.to_thread(migrate, url)
        out.say(f"The database is up to date (revision {revision}).")
        out.result({"revision": revision})

    run(out, work)
