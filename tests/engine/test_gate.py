"""The send gate: another server, a failover or a declared restore closes it for H; the statement itself refuses."""

import pytest
from sqlalchemy import text

from ml_connector.connectors.base import Timing
from ml_connector.engine import gate, postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence, Name, Planned
from tests.engine.test_postings import document, new_run

TIMING = Timing(p_s=2, t_s=10, l_s=10, v_s=3, s_s=0)


async def sends(database: Database, fence: Fence, name: str) -> bool:
    planned: Planned = document(Name(name))
    rows = await postings.plan(database, fence, [planned])
    return bool(await postings.send(database, fence, list(rows.values()), TIMING))


async def change(database: Database, assignment: str) -> None:
    async with database.connect() as connection:
        await connection.execute(text(f"UPDATE cluster SET {assignment}"))


@pytest.mark.parametrize("lost", ["timeline = '00000000'", "system_identifier = '1'"])
async def test_a_server_that_may_lack_our_commits_sends_nothing_for_h(database: Database, lost: str) -> None:
    fence = await new_run(database, "1")
    assert await sends(database, fence, "S1-O1")
    await change(database, lost)
    assert not await sends(database, fence, "S1-O2"), "before anybody has observed the change"
    assert await gate.observe(database) is not None
    assert await gate.observe(database) is None, "seen once"
    assert not await sends(database, fence, "S1-O3")
    closed = await gate.closed_until(database, TIMING.h_s)
    assert closed is not None
    await change(database, f"lost_at = lost_at - interval '{TIMING.h_s} seconds'")
    assert await gate.closed_until(database, TIMING.h_s) is None
    assert await sends(database, fence, "S1-O4")


async def test_a_declared_restore_closes_the_gate(database: Database) -> None:
    fence = await new_run(database, "1")
    async with database.transaction() as connection:
        await gate.declare_restored(connection, "backup of Monday put back")
    assert not await sends(database, fence, "S1-O1")
    closed = await gate.closed_until(database, TIMING.h_s)
    assert closed is not None
    assert closed.why == "backup of Monday put back"


async def test_a_missing_record_of_the_server_closes_the_gate(database: Database) -> None:
    fence = await new_run(database, "1")
    async with database.connect() as connection:
        await connection.execute(text("DELETE FROM cluster"))
    assert not await sends(database, fence, "S1-O1")
    assert await gate.observe(database) is not None
    assert await gate.closed_until(database, TIMING.h_s) is not None


async def test_an_ordinary_database_user_may_ask(database: Database) -> None:
    """A managed PostgreSQL gives no superuser."""
    async with database.transaction() as connection:
        await connection.execute(text("CREATE ROLE plain; GRANT SELECT ON cluster TO plain; SET LOCAL ROLE plain"))
        same = (await connection.execute(gate._SAME)).scalar_one()
        await connection.execute(text("RESET ROLE; DROP OWNED BY plain; DROP ROLE plain"))
    assert same is True
