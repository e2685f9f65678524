"""Time is the database's, and only that: leases, horizons and what a run may believe, on a clock that is steered."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from ml_connector.engine import postings, records
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Found, Name, State
from ml_connector.engine.runs import Heartbeat, Run
from tests.engine.clock import START, pass_time, steer
from tests.engine.test_postings import ORDER, ORDERS, TIMING, document, new_run, planned, read, sent

LEASE_S = 30


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Its clock stands still, years ahead of that of this process."""
    await steer(database_url)
    database = Database(database_url, application="test")
    async with database.connect() as connection:
        await connection.execute(text("INSERT INTO integrations (integration, name) VALUES (1, 'test')"))
    yield database
    await database.close()


async def sweep(database: Database) -> records.Swept | None:
    async with database.transaction() as connection:
        return await records.sweep(connection)


async def test_the_clock_of_a_worker_is_never_asked(database: Database) -> None:
    fence = await new_run(database, "1")
    (licence,) = await sent(database, fence)
    assert (licence.sent_at, licence.resolve_at) == (START, START + timedelta(seconds=TIMING.h_s))
    await pass_time(database, TIMING.h_s - 0.001)
    early = await read(database)
    assert not early.absence_counts
    assert not await postings.absent(database, fence, [early])
    await pass_time(database, 0.001)
    assert await postings.absent(database, fence, [await read(database)]), "H has gone, by the only clock that counts"


async def test_a_swept_run_leaves_its_attempt_to_the_horizon(database: Database) -> None:
    """Lease and horizon are unrelated: a short lease takes the run, and not the request that is on its way."""
    fence = await new_run(database, "1")
    await sent(database, fence)
    await pass_time(database, LEASE_S + 1)
    await pass_time(database, -LEASE_S)  # a step of the clock costs a take-over and nothing else
    async with database.connect() as connection:
        await connection.execute(text("UPDATE runs SET lease_until = '-infinity'"))
    assert await sweep(database) is not None
    other = await new_run(database, "1")
    assert not await postings.absent(database, other, [await read(database)]), "who sent it is gone; the request is not"
    await pass_time(database, TIMING.h_s)
    assert await postings.absent(database, other, [await read(database)])


async def test_a_lapsed_lease_that_nobody_swept_is_still_good(database: Database) -> None:
    fence = await new_run(database, "1")
    await pass_time(database, 10 * LEASE_S)
    async with database.connect() as connection:
        lapsed = text("SELECT lease_until < statement_timestamp() FROM runs")
        assert (await connection.execute(lapsed)).scalar_one()
    assert await sent(database, fence), "tokens are compared, never clocks"
    run = Run(ORDERS, fence.token, 0, LEASE_S, ())
    heartbeat = Heartbeat(database, lease_s=LEASE_S)
    heartbeat.add(run)
    await heartbeat.beat()
    assert run.alive
    assert await sweep(database) is None, "renewed in time, for nobody had swept it"


async def test_what_may_still_arrive_bars_the_next_generation(database: Database) -> None:
    """A stranger's document is found while our own request is on its way; a person takes it away and says `gone`."""
    fence = await new_run(database, "1")
    await sent(database, fence)
    found = [Found(await read(database), State.HELD, "4711", error="somebody else's")]
    assert await postings.found(database, fence, found, TIMING)
    async with database.transaction() as connection:
        assert await postings.decide(connection, await read(database), State.VOID, why="deleted in the ERP")
    second = Name(ORDER.reference, 2)
    (row,) = await planned(database, fence, document(second, "b"))
    assert not await postings.send(database, fence, [row], TIMING), "the first may still be committed: two live"
    await pass_time(database, TIMING.h_s)
    assert await postings.send(database, fence, [await read(database, second)], TIMING)


async def test_what_may_still_arrive_is_not_tried_again(database: Database) -> None:
    fence = await new_run(database, "1")
    await sent(database, fence)
    found = [Found(await read(database), State.HELD, "4711", error="somebody else's")]
    assert await postings.found(database, fence, found, TIMING)
    async with database.transaction() as connection:
        assert await postings.decide(connection, await read(database), State.PLANNED, why="try again")
    assert not await postings.send(database, fence, [await read(database)], TIMING)
    await pass_time(database, TIMING.h_s)
    assert await postings.send(database, fence, [await read(database)], TIMING)
