"""An outage of the database in the midst of a run is no defect of the record (R7, R8): no innocent is parked."""

import asyncio
import time
from collections.abc import Mapping

from sqlalchemy import text

from ml_connector.engine import records
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.engine.worker import Pace, Worker
from tests.exactly_once.desk import Desk

OUTAGES = records.DEFECTS_TO_PARK + 1


class Unlucky:
    """The server ends the connection of each of its first runs."""

    name = "orders"
    batch = 10
    lease_s = 30.0

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.runs = 0

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        self.runs += 1
        async with self._desk.database.connect() as connection:
            if self.runs <= OUTAGES:
                await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            await connection.execute(text("SELECT 1"))
        return dict.fromkeys(run.keys, Done())


async def test_an_outage_is_no_defect_of_the_record(desk: Desk) -> None:
    flow = Unlucky(desk)
    worker = Worker(desk.database, {"orders": flow}, pace=Pace(poll_s=0.1))
    async with desk.database.transaction() as connection:
        await records.mark(connection, 1, "orders", ["7"])
    working = asyncio.create_task(worker.run())
    deadline = time.monotonic() + 20
    try:
        while (await desk.record("7")).status not in ("synced", "dead"):
            record = await desk.record("7")
            assert (record.defects, record.suspect) == (0, False), record.last_error
            assert time.monotonic() < deadline, record
            await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await working
    assert (await desk.record("7")).status == "synced"
    assert flow.runs == OUTAGES + 1
