"""Schedules are records: made once, never brought forward by being asked for, armed again where nothing would run."""

from sqlalchemy import text

from ml_connector.engine import periodic, records
from ml_connector.engine.database import Database
from ml_connector.engine.records import Finished, Lane

POLL = Lane(1, "poll:orders")


async def ensure(database: Database, **fields: float) -> bool:
    async with database.connect() as connection:
        return await periodic.ensure(connection, POLL, **fields)


async def run_once(database: Database, next_in_s: float | None) -> None:
    async with database.connect() as connection:
        taken = await records.claim(connection, POLL, worker="w", batch=1, lease_s=30)
        assert taken is not None
        done = [Finished(record.key, record.seq, next_in_s=next_in_s) for record in taken.records]
        await records.finish(connection, POLL, taken.token, done, ends=True)


async def due_in_s(database: Database) -> float | None:
    async with database.connect() as connection:
        due = text("SELECT extract(epoch FROM run_at - statement_timestamp())::float8 FROM records")
        return (await connection.execute(due)).scalar_one()


async def test_it_runs_at_once_and_then_at_its_next_time(database: Database) -> None:
    assert await ensure(database)
    await run_once(database, next_in_s=300)
    assert not await ensure(database), "the schedule stands"
    due = await due_in_s(database)
    assert due is not None
    assert 295 < due <= 300


async def test_a_schedule_that_lost_its_next_time_is_armed_again(database: Database) -> None:
    await ensure(database)
    await run_once(database, next_in_s=None)
    assert await due_in_s(database) is None
    assert await ensure(database, first_in_s=60)
    due = await due_in_s(database)
    assert due is not None
    assert 55 < due <= 60


async def test_a_dead_one_stays_dead(database: Database) -> None:
    await ensure(database)
    async with database.connect() as connection:
        taken = await records.claim(connection, POLL, worker="w", batch=1, lease_s=30)
        assert taken is not None
        await records.park(connection, POLL, taken.token, periodic.KEY, error="poison")
    assert not await ensure(database)


async def test_a_running_one_is_not_dropped(database: Database) -> None:
    await ensure(database)
    async with database.connect() as connection:
        await records.claim(connection, POLL, worker="w", batch=1, lease_s=30)
        assert not await periodic.drop(connection, POLL)
        await connection.execute(text("UPDATE records SET token = NULL"))
        assert await periodic.drop(connection, POLL)
