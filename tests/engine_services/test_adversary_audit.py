"""Who may write to the database, and has not the key of the seals, tries to change what the audit says."""

import asyncio

import pytest
from sqlalchemy import text

from ml_connector.engine import audit_chain, watermarks
from ml_connector.engine.audit_chain import Seal, chains, removal_mac
from ml_connector.engine.audit_queries import Question, page
from ml_connector.engine.audit_verify import look_on
from ml_connector.engine.database import Database
from ml_connector.engine.retention import Retention, sweep
from tests.engine_services.conftest import scalar
from tests.engine_services.test_audit_chain import (
    KEY,
    ROWS,
    age,
    all_seals,
    findings,
    run,
    seal,
    write,
)

TOLD = "INSERT INTO audit (integration, at, correlation, kind, data) VALUES (1, now(), '', 'retention', '{}')"
"""What retention writes, as anybody can write it."""


def told(through: object, proof: str = "") -> str:
    data = f'{{"audit": 10, "through_seal": {through}, "proof": "{proof}"}}'
    return TOLD.replace("'{}'", f"'{data}'")


@pytest.fixture
async def chained(database: Database) -> list[Seal]:
    """40 rows in 4 seals."""
    await write(database, ROWS)
    await seal(database)
    return await all_seals(database)


async def kinds(database: Database) -> list[str]:
    """What a whole verification finds, once the newest rows are sealed too; the look that goes round must agree."""
    await seal(database)
    found = [each.kind for each in await findings(database)]
    number, seen = await look_on(database, 1, KEY, after=0, for_s=60)
    assert (seen is not None) == bool(found), (number, found)
    return found


@pytest.mark.parametrize("removed", ["now()", "'infinity'"])
async def test_young_rows_are_not_taken_in_the_name_of_retention_whenever_that_is_said_to_have_been(
    database: Database,
    chained: list[Seal],
    removed: str,
) -> None:
    await run(
        database,
        f"DELETE FROM audit WHERE id <= {chained[0].upto_id}",
        f"UPDATE audit_seals SET removed_at = {removed}, leaves = NULL WHERE number = 1",
        told(1, removal_mac(KEY, 1, 1)),
    )
    assert await kinds(database) == ["removed"]


@pytest.mark.parametrize("proof", ["", removal_mac(KEY, 2, 1)])
async def test_old_rows_are_not_taken_in_the_name_of_retention(database: Database, proof: str) -> None:
    """A day before their time is a crime as well: only retention itself can write that it was retention."""
    await write(database, ROWS)
    await age(database, 10, 300)
    await seal(database)
    first = (await all_seals(database))[0]
    await run(
        database,
        f"DELETE FROM audit WHERE id <= {first.upto_id}",
        "UPDATE audit_seals SET removed_at = now(), leaves = NULL WHERE number = 1",
        told(1, proof),
        told('"many"', proof),
    )
    assert await kinds(database) == ["removed"]


async def test_what_retention_did_is_proved_and_not_taken_for_more(database: Database) -> None:
    await write(database, ROWS)
    await age(database, 20, 300)
    await seal(database)
    assert (await sweep(database, Retention(audit_days=299), integration=1, key=KEY, pause_s=0))["audit"] == 20
    assert await kinds(database) == []
    await run(database, told(10**30), told('"x"'), told("null"))
    assert await kinds(database) == [], "whatever else is written of retention"
    third = (await all_seals(database))[2]
    await age(database, third.upto_id, 300)  # altered, and gone: nobody can look any more
    await run(
        database,
        f"DELETE FROM audit WHERE id <= {third.upto_id}",
        "UPDATE audit_seals SET removed_at = now(), leaves = NULL, last_at = now() - interval '300 days'"
        " WHERE number = 3",
    )
    assert set(await kinds(database)) == {"seal", "removed"}


async def test_a_chain_that_was_taken_away_whole_is_missed(database: Database, chained: list[Seal]) -> None:
    await run(database, "DELETE FROM audit", "DELETE FROM audit_seals")
    assert await chains(database) == [1]
    assert await kinds(database) == ["truncated"]


@pytest.mark.parametrize("at", ["infinity", "0044-03-15 00:00+00 BC"])
async def test_a_time_that_no_program_reads_is_named_and_stops_nobody(
    database: Database,
    chained: list[Seal],
    at: str,
) -> None:
    await run(database, f"UPDATE audit SET at = '{at}' WHERE id = 15")
    (found,) = await findings(database)
    assert (found.kind, found.row, found.seal) == ("altered", 15, 2)
    await run(
        database,
        f"INSERT INTO audit (integration, at, correlation, kind) VALUES (1, '{at}', '', 'read')",
        f"UPDATE audit_seals SET last_at = '{at}' WHERE number = 3",
    )
    await write(database, 3)
    assert await seal(database) == 4
    assert [(each.kind, each.seal) for each in await findings(database)] == [("altered", 2), ("seal", 3)]
    assert len((await page(database, Question(integration=1))).rows) == ROWS + 4


async def test_a_note_that_lets_the_sealer_pass_over_rows_is_seen(database: Database, chained: list[Seal]) -> None:
    last = chained[-1]
    note = {"number": last.number, "upto_id": last.upto_id + 1_000_000, "hash": last.hash.hex()}
    async with database.connect() as sql:
        await watermarks.note(sql, 1, audit_chain.NAME, {"head": note})
    await write(database, 5)
    assert await kinds(database) == ["truncated"]


@pytest.mark.parametrize("note", ['"x"', '{"number": null, "upto_id": [], "hash": "zz"}'])
async def test_a_spoilt_note_stops_nobody(database: Database, chained: list[Seal], note: str) -> None:
    async with database.connect() as sql:
        await sql.execute(
            text("UPDATE watermarks SET value = jsonb_build_object('head', CAST(:note AS jsonb))"), {"note": note}
        )
    await write(database, 5)
    assert await seal(database) == 5
    assert await kinds(database) == []
    assert await scalar(database, "SELECT max(number) FROM audit_seals") == len(chained) + 1


async def test_sealers_at_once_make_one_chain(database: Database) -> None:
    await write(database, ROWS)
    assert sum(await asyncio.gather(*(seal(database) for _ in range(4)))) == ROWS
    assert [each.number for each in await all_seals(database)] == [1, 2, 3, 4]
    assert await kinds(database) == []
