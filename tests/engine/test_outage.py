"""The database goes away and comes back: no mass take-over, no lost outcome (R8)."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from ml_connector.engine import records
from ml_connector.engine.database import Database
from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.engine.worker import Pace, Worker
from tests.engine.test_worker import all_, mark, until

LEASE_S = 2.0
PACE = Pace(lease_s=LEASE_S, sweep_every_s=0.1, poll_s=0.1)


class Patient:
    """Runs until it is told to end, so that the outage falls into the run."""

    name = "orders"
    batch = 10
    lease_s = LEASE_S

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.runs = 0

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        self.runs += 1
        self.started.set()
        await self.may_end.wait()
        return {key: Done() for key in run.keys}


@pytest.fixture
async def server(open_directory: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(open_directory / "postgres")
    migrate(server.start())
    yield server
    server.stop()


async def back_again(server: EmbeddedPostgres, pid: int) -> Database:
    """Away for longer than every lease, then started again. Returns a pool that knows nothing of the server before."""
    await asyncio.sleep(2 * LEASE_S)
    keeper = asyncio.create_task(server.keep_running(every_s=0.1))
    try:
        async with asyncio.timeout(90):
            while True:
                if server.pid() not in (None, pid):
                    database = Database(server.url(tcp=True))
                    try:
                        async with database.connect() as connection:
                            await connection.execute(text("SELECT 1"))
                    except OperationalError:
                        await database.close()
                    else:
                        return database
                await asyncio.sleep(0.02)
    finally:
        keeper.cancel()


async def test_a_run_outlives_an_outage_that_is_longer_than_its_lease(server: EmbeddedPostgres) -> None:
    database = Database(server.url(tcp=True))
    async with database.connect() as connection:
        await connection.execute(text("INSERT INTO integrations (integration, name) VALUES (1, 'test')"))
    await mark(database, "1", "2")
    flow = Patient()
    workers = [Worker(database, {"orders": flow}, pace=PACE) for _ in range(2)]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    await asyncio.wait_for(flow.started.wait(), 60)
    await asyncio.sleep(LEASE_S * 1.5)  # the grace of the workers' own start is over: they may sweep now

    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    after = await back_again(server, pid)  # twice a lease later at the earliest: every lease has lapsed
    await asyncio.sleep(LEASE_S * 2)
    flow.may_end.set()
    await until(after, all_("synced"), within_s=60)
    for worker in workers:
        worker.stop()
    await asyncio.gather(*tasks)
    assert flow.runs == 1, "a living worker's run was taken over after the outage"
    assert sum(worker.counters.swept for worker in workers) == 0
    await after.close()
    await database.close()


async def test_an_outcome_is_written_when_the_database_is_back(server: EmbeddedPostgres) -> None:
    database = Database(server.url(tcp=True))
    async with database.connect() as connection:
        await connection.execute(text("INSERT INTO integrations (integration, name) VALUES (1, 'test')"))
    await mark(database, "1")
    flow = Patient()
    worker = Worker(database, {"orders": flow}, pace=PACE)
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(flow.started.wait(), 60)
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    flow.may_end.set()  # the outcome falls into the outage
    after = await back_again(server, pid)
    await until(after, all_("synced"), within_s=60)
    worker.stop()
    await task
    assert flow.runs == 1
    async with after.connect() as connection:
        assert await records.lanes(connection) == []
    await after.close()
    await database.close()
