"""A process that stands still in the midst of a transaction does not hold up the others for longer than a lease."""

import os
import signal
import subprocess
import sys
import time

from sqlalchemy import text

from ml_connector.engine.database import IDLE_IN_TRANSACTION_S, Database
from ml_connector.engine.runs import LEASE_S

HOLDER = """
import asyncio, os, signal, sys
from sqlalchemy import text
from ml_connector.engine.database import Database, is_outage
async def main():
    database = Database(sys.argv[1])
    try:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM integrations FOR UPDATE"))
            os.kill(os.getpid(), signal.SIGSTOP)
            await connection.execute(text("SELECT 1"))
    except Exception as error:
        sys.exit(3 if is_outage(error) else 4)
asyncio.run(main())
"""


async def test_its_locks_are_taken_away_and_it_is_told_so(database: Database, database_url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, database_url])
    try:
        os.waitpid(holder.pid, os.WUNTRACED)
        began = time.monotonic()
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM integrations FOR UPDATE"))
        assert time.monotonic() - began < IDLE_IN_TRANSACTION_S + 5 < LEASE_S
        holder.send_signal(signal.SIGCONT)
        assert holder.wait(20) == 3, "the stopped process did not take it for an outage"
    finally:
        if holder.poll() is None:
            holder.kill()
            holder.wait()
