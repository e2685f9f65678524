"""Workers as processes of their own: killed, stopped, terminated, poisoned. What another one makes of it."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from ml_connector.engine import records
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.engine.worker import Pace, Worker
from tests.engine.worker_process import WORK, Orders

ROOT = Path(__file__).parents[2]
LEASE_S = 3.0
"""A busy machine must not make a living worker look dead."""

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def work(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(text(WORK))


@pytest.fixture
async def start(work: None, database_url: str) -> AsyncIterator[Start]:
    """Starts worker processes; ends those that are left."""
    processes: list[asyncio.subprocess.Process] = []

    async def begin(crash: str = "", log: Path | None = None) -> asyncio.subprocess.Process:
        environment = {**os.environ, "ML_CONNECTOR_CRASH": crash, "ML_CONNECTOR_CRASH_LOG": str(log or "")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.engine.worker_process", database_url, str(LEASE_S)),
            cwd=ROOT, env=environment, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def mark(database: Database, *keys: str) -> None:
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", keys)


async def until(database: Database, condition: str, within_s: float = 90.0) -> None:
    """Waits until the SQL condition holds; fails with the state of all records at the deadline."""
    deadline = time.monotonic() + within_s
    async with database.connect() as connection:
        while not (await connection.execute(text(f"SELECT {condition}"))).scalar():
            if time.monotonic() > deadline:
                columns = "key, status, token, run_at, suspect, deaths, attempts, defects, last_error"
                rows = (await connection.execute(text(f"SELECT {columns} FROM records"))).all()
                pytest.fail(f"not within {within_s} s: {condition}\n" + "\n".join(map(str, rows)))
            await asyncio.sleep(0.05)


def all_(status: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM records WHERE status <> '{status}')"


async def done_counts(database: Database) -> dict[str, int]:
    async with database.connect() as connection:
        rows = await connection.execute(text("SELECT key, count(*) AS n FROM work WHERE what = 'done' GROUP BY key"))
        return {row.key: row.n for row in rows}


async def test_two_workers_do_each_record_once(database: Database, start: Start) -> None:
    keys = [f"r{n:03}" for n in range(200)]
    await mark(database, *keys)
    await asyncio.gather(start(), start())
    await until(database, all_("synced"))
    assert await done_counts(database) == dict.fromkeys(keys, 1)


async def test_a_killed_workers_records_are_taken_over(database: Database, start: Start, tmp_path: Path) -> None:
    log = tmp_path / "crash.log"
    await mark(database, "a", "b", "c")
    first = await start("claim.commit.a:kill", log)
    assert await first.wait() == -signal.SIGKILL
    assert [json.loads(line)["point"] for line in log.read_text().splitlines()] == ["claim.commit.a"]
    await start()
    await until(database, all_("synced"))
    assert await done_counts(database) == {"a": 1, "b": 1, "c": 1}


async def test_a_record_that_kills_its_worker_is_parked_and_its_neighbours_are_not(
    database: Database, start: Start
) -> None:
    await mark(database, "a", "die-1", "z")
    deaths = 0
    process = await start()
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:  # a supervisor that starts the worker again
        async with database.connect() as connection:
            dead = text("SELECT status = 'dead' FROM records WHERE key = 'die-1'")
            if (await connection.execute(dead)).scalar():
                break
        if process.returncode is not None:
            deaths += 1
            process = await start()
        await asyncio.sleep(0.1)
    await until(database, "(SELECT count(*) FROM records WHERE status = 'synced') = 2")
    assert deaths == records.DEATHS_TO_PARK + 1, "the first death is that of a shared run and is nobody's"


async def test_sigterm_hands_back_without_suspicion(database: Database, start: Start) -> None:
    await mark(database, "a", "hang-1", "z")
    process = await start()
    await until(database, "EXISTS (SELECT 1 FROM work WHERE key = 'hang-1')")
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    await until(database, "NOT EXISTS (SELECT 1 FROM runs)")
    await until(database, "(SELECT bool_and(NOT suspect AND run_at IS NOT NULL) FROM records WHERE status = 'waiting')")


async def test_a_stopped_worker_that_wakes_up_late_changes_nothing(
    database: Database, start: Start, tmp_path: Path
) -> None:
    await mark(database, "a")
    sleeper = await start("finish.commit.b:stop", tmp_path / "log")
    await until(database, "EXISTS (SELECT 1 FROM work WHERE what = 'done')")
    while not (tmp_path / "log").exists():
        await asyncio.sleep(0.05)
    other = await start()
    await until(database, all_("synced"))
    other.terminate()
    await other.wait()
    unfinished = "seq = seq + 1, status = 'waiting', run_at = statement_timestamp() + interval '1 day'"
    async with database.connect() as connection:
        await connection.execute(text(f"UPDATE records SET {unfinished}"))
        before = (await connection.execute(text("SELECT * FROM records"))).one()
    sleeper.send_signal(signal.SIGCONT)
    sleeper.terminate()
    assert await asyncio.wait_for(sleeper.wait(), 60) == 0
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT * FROM records"))).one() == before


async def test_a_defect_costs_the_guilty_record_alone(database: Database, start: Start) -> None:
    await mark(database, "a", "b", "raise-1", "z")
    await start()
    await until(database, "(SELECT count(*) FROM records WHERE status = 'synced') = 3")
    await until(database, "(SELECT defects >= 1 AND last_error LIKE 'KeyError%' FROM records WHERE key = 'raise-1')")
    async with database.connect() as connection:
        others = text("SELECT sum(defects) FROM records WHERE key <> 'raise-1'")
        assert (await connection.execute(others)).scalar_one() == 0


async def test_a_hold_is_released_while_the_worker_idles(database: Database, start: Start) -> None:
    await mark(database, "hold-1")
    await start()
    await until(database, all_("held"))
    async with database.transaction() as connection:
        await records.raise_epoch(connection, 1)
        await records.release(connection, 1, "unmapped", ["hold-1"])
    await until(database, "(SELECT count(*) FROM work) = 2")


# ------------------------------------------------------------------ inside this process


class Counting:
    """Counts its runs per key; `pause_s` each."""

    def __init__(self, name: str, *, batch: int = 20, pause_s: float = 0.0, lease_s: float = 1.0) -> None:
        self.name = name
        self.batch = batch
        self.lease_s = lease_s
        self.pause_s = pause_s
        self.order: list[str] = []

    async def run(self, run: Run) -> dict[str, Outcome]:
        self.order += [f"{run.integration}:{key}" for key in run.keys]
        await asyncio.sleep(self.pause_s)
        return {key: Done() for key in run.keys}


async def working(worker: Worker, database: Database, condition: str) -> None:
    task = asyncio.create_task(worker.run())
    try:
        await until(database, condition)
    finally:
        worker.stop()
        await task


async def test_a_flood_in_one_lane_does_not_starve_the_others(database: Database) -> None:
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", [f"{n:04}" for n in range(2_000)])
        for integration in range(2, 12):
            await records.mark(connection, integration, "orders", ["only"])
    flow = Counting("orders")
    await working(Worker(database, {"orders": flow}, pace=Pace(runs_at_once=1)), database, all_("synced"))
    last_small = max(n for n, entry in enumerate(flow.order) if entry.endswith(":only"))
    assert last_small < 12 * flow.batch


class Slow(Counting):
    """Runs of integrations 1 and 2 last until they are asked to stop; others are done at once."""

    async def run(self, run: Run) -> dict[str, Outcome]:
        self.order += [str(run.integration)]
        while run.integration <= 2 and not run.stopping:
            await asyncio.sleep(0.01)
        return {key: Done() for key in run.keys}


async def test_integrations_whose_runs_last_long_leave_places_for_the_others(database: Database) -> None:
    async with database.transaction() as connection:
        for flooded in (1, 2):
            await records.mark(connection, flooded, "orders", [f"{n:04}" for n in range(200)])
    flow = Slow("orders")
    worker = Worker(database, {"orders": flow}, pace=Pace(runs_at_once=3, runs_in_all=8, poll_s=0.1))
    task = asyncio.create_task(worker.run())
    try:
        await until(database, "(SELECT count(*) >= 4 FROM runs)")
        for integration in range(3, 9):
            await mark_in(database, integration, "only")
        await until(database, "NOT EXISTS (SELECT 1 FROM records WHERE integration > 2 AND status <> 'synced')")
        assert flow.order.count("1") + flow.order.count("2") == 4, "half of the places, and no more"
        assert {flow.order.count("1"), flow.order.count("2")} <= {1, 2, 3}
    finally:
        worker.stop()
        await task


class Patient(Counting):
    """Its first run lasts until it is asked to stop, as a part of a long reconciliation does."""

    async def run(self, run: Run) -> dict[str, Outcome]:
        while not run.stopping and not self.order:
            await asyncio.sleep(0.01)
        self.order.append("ended")
        return {key: Done() for key in run.keys}


class Beside(Counting):
    """Notes which of its runs begin while the other flow is at work."""

    def __init__(self, name: str, other: Counting) -> None:
        super().__init__(name)
        self.other = other

    async def run(self, run: Run) -> dict[str, Outcome]:
        self.order += [f"{key} {'alone' if self.other.order else 'beside'}" for key in run.keys]
        return {key: Done() for key in run.keys}


async def test_a_long_run_ends_where_a_suspect_waits_for_the_process(database: Database) -> None:
    """R7: it runs alone in its batch, so that the death of its neighbour would count as one of its own."""
    async with database.connect() as connection:
        await records.mark(connection, 1, "long", ["-"])
    patient = Patient("long", batch=1, lease_s=LEASE_S)
    flow = Beside("orders", patient)
    worker = Worker(database, {"long": patient, "orders": flow}, pace=Pace(poll_s=0.1, alone_s=4, lease_s=LEASE_S))
    task = asyncio.create_task(worker.run())
    try:
        await until(database, "EXISTS (SELECT 1 FROM runs)")
        async with database.transaction() as connection:
            await records.mark(connection, 1, "orders", ["poison"])
            await connection.execute(text("UPDATE records SET suspect = true WHERE flow = 'orders'"))
        await until(database, all_("synced"))
    finally:
        worker.stop()
        await task
    assert flow.order == ["poison alone"]


async def mark_in(database: Database, integration: int, key: str) -> None:
    async with database.connect() as connection:
        await records.mark(connection, integration, "orders", [key])
        await records.notify(connection, [Lane(integration, "orders")])


class Crowded(Counting):
    """Notes which runs were under way together. Each lasts until another has begun, or a moment."""

    def __init__(self) -> None:
        super().__init__("orders")
        self.now: set[int] = set()
        self.together: list[set[str]] = []

    async def run(self, run: Run) -> dict[str, Outcome]:
        self.now.add(run.integration)
        for _ in range(10):
            self.together.append({str(integration) for integration in self.now})
            await asyncio.sleep(0.05)
        self.now.discard(run.integration)
        return {key: Done() for key in run.keys}


async def test_a_suspect_has_the_process_to_itself(database: Database) -> None:
    """Whatever ran beside it would die with it, again and again, until it is parked as well (R7)."""
    async with database.transaction() as connection:
        for integration in range(1, 6):
            await records.mark(connection, integration, "orders", ["1"])
        await connection.execute(text("UPDATE records SET suspect = true WHERE integration = 3"))
    flow = Crowded()
    await working(Worker(database, {"orders": flow}, pace=Pace(poll_s=0.1)), database, all_("synced"))
    assert {"3"} in flow.together
    assert not [together for together in flow.together if "3" in together and len(together) > 1]
    assert any(len(together) > 1 for together in flow.together), "nothing ever ran side by side"


async def test_the_gate_holds_a_lane_back_without_writing(database: Database) -> None:
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", ["1"])
        await records.mark(connection, 2, "orders", ["1"])

    async def allowed(lane: Lane) -> bool:
        return lane.integration == 2

    flow = Counting("orders")
    worker = Worker(database, {"orders": flow}, lane_gate=allowed)
    await working(worker, database, "(SELECT status = 'synced' FROM records WHERE integration = 2)")
    assert flow.order == ["2:1"]
    await until(database, "(SELECT status = 'waiting' AND attempts = 0 FROM records WHERE integration = 1)")


async def test_a_hung_run_is_given_up_and_taken_over(database: Database) -> None:
    await mark(database, "1")
    flow = Counting("orders", pause_s=3600, lease_s=0.6)
    pace = Pace(lease_s=0.6, run_limit_s=1.0, sweep_every_s=0.2, poll_s=0.2, grace_s=0.2)
    worker = Worker(database, {"orders": flow}, pace=pace)
    await working(worker, database, "(SELECT deaths >= 1 FROM records)")
    assert worker.counters.fenced >= 1


async def test_a_notification_wakes_an_idle_worker(database: Database) -> None:
    flow = Counting("orders")
    worker = Worker(database, {"orders": flow}, pace=Pace(poll_s=30))
    task = asyncio.create_task(worker.run())
    try:
        await until(database, "EXISTS (SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%')")
        await mark(database, "1")
        async with database.connect() as connection:
            await records.notify(connection, [Lane(1, "orders")])
        await until(database, all_("synced"), within_s=25)
    finally:
        worker.stop()
        await task


async def test_the_test_flow_itself_is_fenced(database: Database, work: None) -> None:
    from ml_connector.engine.runs import Fenced

    flow = Orders(database)
    with pytest.raises(Fenced):
        await flow.run(Run(Lane(1, "orders"), 99, 0, 2.0, (records.Claimed("a", 1, None, 0, None, False),)))
