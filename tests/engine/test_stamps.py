"""A source counts whole seconds: an edit in the second of our read, whose webhook is lost, must still be found."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from ml_connector.engine import records
from ml_connector.engine.database import Database
from ml_connector.engine.records import STAMP_SETTLES_S, Finished
from ml_connector.engine.stamps import newer
from tests.engine.clock import START, pass_time, steer
from tests.engine.test_postings import ORDERS


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await steer(database_url)
    database = Database(database_url, application="test")
    async with database.connect() as connection:
        await connection.execute(text("INSERT INTO integrations (integration, name) VALUES (1, 'test')"))
    yield database
    await database.close()


async def read(database: Database, age_s: float, *, takes_s: float = 0, want: bool = False) -> None:
    """The record is marked, read with a stamp that is `age_s` old when the run begins, and finished."""
    stamp = START - timedelta(seconds=age_s)
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", ["1"], want=stamp if want else None)
    async with database.connect() as connection:
        claim = await records.claim(connection, ORDERS, worker="w", batch=1, lease_s=30)
        assert claim is not None
        done = [Finished("1", claim.records[0].seq, stamp)]
    await pass_time(database, takes_s)
    async with database.connect() as connection:
        assert await records.finish(connection, ORDERS, claim.token, done, ends=True, run_age_s=takes_s)


async def polled(database: Database, age_s: float) -> bool:
    """Whether a poll that shows this stamp makes the record run."""
    stamp = START - timedelta(seconds=age_s)
    async with database.connect() as connection:
        return "1" in await newer(connection, 1, "orders", {"1": stamp})


async def test_a_stamp_of_the_moment_of_our_read_is_read_once_more(database: Database) -> None:
    await read(database, 0.5)
    assert not await polled(database, 0.5), "not yet: a further edit could still carry that stamp"
    await pass_time(database, STAMP_SETTLES_S)
    assert await polled(database, 0.5), "an edit in the same second, whose webhook was lost, is never seen"
    stamp = START - timedelta(seconds=0.5)
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", ["1"], want=stamp)
    assert not await polled(database, 0.5), "on its way already"
    async with database.connect() as connection:
        claim = await records.claim(connection, ORDERS, worker="w", batch=1, lease_s=30)
        assert claim is not None
        done = [Finished("1", claim.records[0].seq, stamp)]
        await records.finish(connection, ORDERS, claim.token, done, ends=True)
        row = (await connection.execute(text("SELECT status, stamp FROM records"))).one()
    assert (row.status, row.stamp) == ("synced", stamp)
    await pass_time(database, 3600)
    assert not await polled(database, 0.5), "one read more is the last"


async def test_a_quiet_order_is_read_once(database: Database) -> None:
    await read(database, STAMP_SETTLES_S)
    await pass_time(database, 3600)
    assert not await polled(database, STAMP_SETTLES_S)


async def test_a_run_that_takes_long_has_read_early(database: Database) -> None:
    """What counts is when the run began: it may have read the source right then."""
    await read(database, 0.5, takes_s=60)
    assert await polled(database, 0.5)


async def test_what_the_poll_itself_has_named_is_read_once_more_too(database: Database) -> None:
    await read(database, 0.5, want=True)
    await pass_time(database, STAMP_SETTLES_S)
    assert await polled(database, 0.5)
