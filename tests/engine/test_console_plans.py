"""What the console's pages ask of a million records: nobody reads a growing table from end to end."""

import pytest
from bench.console import PAGES, fill, reads_of
from sqlalchemy import text

from ml_connector.engine.database import Database

DEPTH, OPEN = 20_000, 500
GROWING = ["records", "labels", "postings"]
TIMES = 7
"""So often that the server has made up its mind about a plan for all values."""

WHOLE = text("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(:tables)")
FLUSH = text("SELECT pg_stat_force_next_flush()")

UP_TO_ENOUGH = {"counts of the tabs", "the beginning of a word that all have"}
"""These stop after ten thousand rows, wherever they find them: of twenty thousand that is best done by reading on."""


async def _whole(database: Database) -> dict[str, int]:
    """How often each table has been read from end to end."""
    async with database.connect() as connection:
        return {row.relname: row.seq_scan for row in await connection.execute(WHOLE, {"tables": GROWING})}


@pytest.mark.timeout(300)
async def test_no_page_reads_a_growing_table_whole(database: Database) -> None:
    await fill(database, DEPTH, OPEN)
    reads = await reads_of(database, DEPTH, OPEN)
    assert {"newest", f"page {PAGES}", "an order's number", "overview: holds"} <= reads.keys()
    seen: dict[str, dict[str, int]] = {}
    for name, read in reads.items():
        async with database.connect() as connection:
            await connection.execute(FLUSH)
        before = await _whole(database)
        async with database.connect() as connection:
            for _ in range(TIMES):
                await read(connection)
            await connection.execute(FLUSH)
        after = await _whole(database)
        if grown := {table: after[table] - before[table] for table in GROWING if after[table] != before[table]}:
            seen[name] = grown
    assert {name: tables for name, tables in seen.items() if name not in UP_TO_ENOUGH} == {}
