"""P2: a row that has come back to the same state by another way is another version, and licenses nothing."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Counted, Found, State
from tests.engine.test_postings import TIMING, answered, document, new_run, pass_time, planned, read, sent


@pytest.mark.parametrize("act", ["found", "absent", "count", "replan"])
async def test_what_was_read_before_a_change_licenses_nothing(database: Database, act: str) -> None:
    fence = await new_run(database, "1")
    if act == "count":
        await answered(database, fence, State.POSTED)
    elif act == "replan":
        await planned(database, fence)
    else:
        await sent(database, fence)
    await pass_time(database, 1000)
    row = await read(database)
    async with database.connect() as connection:  # whatever happened, the state is the same again
        await connection.execute(text("UPDATE postings SET version = version + 2"))
    acts = {
        "found": lambda p: postings.found(database, fence, [Found(p, State.POSTED)], TIMING),
        "absent": lambda p: postings.absent(database, fence, [p]),
        "count": lambda p: postings.count(database, fence, [Counted(p, 1)]),
        "replan": lambda p: postings.replan(database, fence, [(p, document(fingerprint="b"))]),
    }
    assert not await acts[act](row)
    assert await acts[act](replace(row, version=row.version + 2)), "refused for the version alone"
