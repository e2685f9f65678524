"""What waits for what: the order of locks (R13), the fence beside postings (R3), the gate of holds (R5)."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ml_connector.engine import records, runs
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane, Status
from tests.engine.test_postings import ORDERS, blocked, new_run


async def claimed(database: Database, *keys: str) -> records.Claim:
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", keys)
    async with database.connect() as connection:
        claim = await records.claim(connection, ORDERS, worker="w", batch=20, lease_s=30)
    assert claim is not None
    return claim


async def is_free(database: Database, key: str) -> bool:
    """Whether nobody has locked the record."""
    try:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM records WHERE key = :key FOR UPDATE NOWAIT"), {"key": key})
    except DBAPIError:
        return False
    return True


@pytest.mark.parametrize("by", ["mark", "replay"])
async def test_marks_lock_records_in_the_order_of_their_keys(database: Database, by: str) -> None:
    """Named the other way round: who waits for the first has not taken the second, or two of them would deadlock."""
    keys = [f"{n:03}" for n in range(100)]
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", keys)

    async def touch() -> None:
        async with database.transaction() as connection:
            if by == "mark":
                await records.mark(connection, 1, "orders", keys[::-1])
            else:
                await records.replay(connection, 1, "orders", keys[::-1])

    async with database.transaction() as holder:
        await holder.execute(text("SELECT 1 FROM records WHERE key = '000' FOR UPDATE"))
        marking = asyncio.create_task(touch())
        await blocked(database)
        assert await is_free(database, "099"), "the last is locked while the first is waited for"
    await marking


async def test_what_a_run_writes_beside_its_postings_keeps_the_sweep_away(database: Database) -> None:
    """A watermark, a fact: checked and written in one transaction, which no sweep may come between."""
    fence = await new_run(database, "1")
    async with database.connect() as connection:
        await connection.execute(text("UPDATE runs SET lease_until = '-infinity'"))
    async with database.transaction() as writer:
        await runs.fence(writer, fence)
        async with database.transaction() as sweeper:
            assert await records.sweep(sweeper) is None, "the run was taken away while it wrote"
    async with database.transaction() as sweeper:
        assert await records.sweep(sweeper) is not None


async def test_a_hold_waits_for_a_release_that_is_under_way(database: Database) -> None:
    """The release has looked for holds and found none; its epoch is raised and not committed yet."""
    claim = await claimed(database, "1")
    lane = Lane(1, "orders")

    async def hold() -> Status | None:
        async with database.connect() as connection:
            return await records.hold(
                connection, lane, claim.token, "1", claim.records[0].seq, epoch=claim.epoch, kind="unmapped",
                hold_key="tax|7", message="", wakes=False,
            )  # fmt: skip

    async with database.transaction() as releaser:
        await records.raise_epoch(releaser, 1)
        assert await records.release(releaser, 1, "unmapped", ["tax|7"]) == {}
        holding = asyncio.create_task(hold())
        await asyncio.wait([holding, asyncio.create_task(blocked(database))], return_when=asyncio.FIRST_COMPLETED)
    assert await holding is Status.WAITING, "it waits for what has come already, for ever"
