"""A worker in a process of its own, for the tests that kill, stop and terminate one.

    python -m tests.engine.worker_process URL LEASE_S

Its flow `orders` writes one row per record and run to the table `work` (key, token, at: seen or done), as a real flow
would write to its target, and does what the key says: `die-*` kills the process, `hang-*` never ends, `slow-*` takes a
second, `raise-*` has a defect, `hold-*` is held for a mapping. Anything else is done at once.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

from sqlalchemy import text

from ml_connector.engine import runs
from ml_connector.engine.database import Database
from ml_connector.engine.runs import Again, Done, Hold, Outcome, Run
from ml_connector.engine.worker import Pace, Worker

WORK = "CREATE TABLE work (key text NOT NULL, token bigint NOT NULL, what text NOT NULL, pid int NOT NULL)"


class Orders:
    name = "orders"

    def __init__(self, database: Database, *, batch: int = 10, lease_s: float = 2.0) -> None:
        self.database = database
        self.batch = batch
        self.lease_s = lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        outcomes: dict[str, Outcome] = {}
        for key in run.keys:
            if run.stopping:
                outcomes[key] = Again(0)
                continue
            await self.note(run, key, "seen")
            outcomes[key] = await self.one(run, key)
            if isinstance(outcomes[key], Done):
                await self.note(run, key, "done")
        return outcomes

    async def one(self, run: Run, key: str) -> Outcome:
        match key.partition("-")[0]:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                await asyncio.sleep(3600)
            case "slow":
                await asyncio.sleep(1)
            case "raise":
                raise KeyError(key)
            case "hold":
                return Hold("unmapped", key, "no account for it", wakes=False)
        return Done()

    async def note(self, run: Run, key: str, what: str) -> None:
        async with self.database.transaction() as connection:
            await runs.fence(connection, run.fence)
            await connection.execute(
                text("INSERT INTO work VALUES (:key, :token, :what, :pid)"),
                {"key": key, "token": run.token, "what": what, "pid": os.getpid()},
            )


async def main(url: str, lease_s: float) -> None:
    database = Database(url, application="worker")
    pace = Pace(runs_at_once=2, poll_s=0.2, sweep_every_s=0.2, lease_s=lease_s, grace_s=3.0)
    worker = Worker(database, {"orders": Orders(database, lease_s=lease_s)}, pace=pace)
    try:
        await worker.run(handle_signals=True)
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
