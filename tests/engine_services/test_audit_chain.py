"""The chain: whatever is changed in the audit behind the product's back is named; what the product does is not."""

import asyncio
import hashlib
import json
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from ml_connector.engine import audit_chain
from ml_connector.engine.audit import Audit, append, entry
from ml_connector.engine.audit_chain import Seal, chains, hash_of, horizon, mac_of, removal_mac, sealing_key
from ml_connector.engine.audit_queries import Question, export, export_csv, page
from ml_connector.engine.audit_verify import Finding, look_on, verify
from ml_connector.engine.database import Database
from ml_connector.engine.retention import Retention, sweep
from ml_connector.engine.vault import Vault
from tests.engine_services.conftest import scalar

KEY = b"k" * 32
ROWS, SEGMENT = 40, 10


async def write(database: Database, count: int, *, integration: int = 1, first: int = 0) -> None:
    audit = Audit(database)
    for number in range(first, first + count):
        audit.record("read", integration=integration, flow="orders", key=str(number), data={"total": number})
    await audit.close()


async def seal(database: Database, *, integration: int = 1, rows: int = SEGMENT) -> int:
    upto = await horizon(database)
    assert upto is not None
    return await audit_chain.seal(database, KEY, integration, upto, rows=rows)


@pytest.fixture
async def chained(database: Database) -> list[Seal]:
    """40 rows in 4 seals."""
    await write(database, ROWS)
    assert await seal(database) == ROWS
    return await all_seals(database)


async def all_seals(database: Database, integration: int = 1) -> list[Seal]:
    return [each async for each in audit_chain.seals(database, integration)]


async def run(database: Database, *statements: str) -> None:
    async with database.transaction() as sql:
        for statement in statements:
            await sql.execute(text(statement))


async def findings(database: Database, copy: Sequence[Seal] = ()) -> tuple[Finding, ...]:
    known = {each.number: each.hash.hex() for each in copy}
    return (await verify(database, 1, key=KEY, copy=known)).findings


async def test_what_nobody_touched_is_unbroken(database: Database, chained: list[Seal]) -> None:
    await write(database, 3, first=ROWS)
    verdict = await verify(database, 1, key=KEY, copy={each.number: each.hash.hex() for each in chained})
    assert verdict.unbroken
    assert (verdict.seals, verdict.rows, verdict.unsealed) == (4, ROWS, 3)
    assert verdict.through == chained[-1]
    assert [each.previous for each in chained] == [audit_chain.FIRST, *(each.hash for each in chained[:-1])]


async def test_sealing_goes_on_where_it_stopped_and_seals_nothing_twice(database: Database) -> None:
    for number in range(5):
        await write(database, 7, first=number * 7)
        assert await asyncio.gather(seal(database), seal(database)) != [0, 0]
        assert await seal(database) == 0
    verdict = await verify(database, 1, key=KEY)
    assert (verdict.unbroken, verdict.rows, verdict.unsealed) == (True, 35, 0)


@pytest.mark.parametrize(
    "change",
    [
        "data = '{\"total\": 999}'", "who = 'user:mallory'", "at = at + interval '1 microsecond'", "kind = 'planned'",
        "key = NULL", "flow = 'customers'", "refs = ARRAY['S1-O1']", "correlation = 'other'", "token = 1",
        "connection = 9",
    ],
)  # fmt: skip
async def test_an_altered_row_is_named(database: Database, chained: list[Seal], change: str) -> None:
    await run(database, f"UPDATE audit SET {change} WHERE key = '25'")
    (found,) = await findings(database)
    row = chained[1].upto_id + 6
    assert (found.kind, found.row, found.seal) == ("altered", row, 3)
    assert f"row {row} of " in found.message
    verdict = await verify(database, 1, key=KEY)
    assert verdict.through == chained[1]
    assert verdict.rows == ROWS - SEGMENT


async def test_a_deleted_row_is_named_with_its_time(database: Database, chained: list[Seal]) -> None:
    at = await scalar(database, "SELECT at FROM audit WHERE key = '25'")
    await run(database, "DELETE FROM audit WHERE key = '25'")
    (found,) = await findings(database)
    assert (found.kind, found.row, found.at) == ("missing", chained[1].upto_id + 6, at)


async def test_an_inserted_row_is_named(database: Database, chained: list[Seal]) -> None:
    """Between others the IDs leave no room: it must go below the first or where an ID was never used."""
    await run(
        database,
        "INSERT INTO audit (integration, id, at, correlation, kind) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 0, now(), '', 'read')",
        "INSERT INTO audit (integration, id, at, correlation, kind) OVERRIDING SYSTEM VALUE"
        " VALUES (1, -7, now(), '', 'read')",
    )
    assert [(each.kind, each.row, each.seal) for each in await findings(database)] == [("inserted", -7, 1)]


async def test_a_row_in_the_place_of_a_deleted_one_is_named(database: Database, chained: list[Seal]) -> None:
    row = chained[1].upto_id + 6
    await run(
        database,
        f"DELETE FROM audit WHERE id = {row}",
        f"INSERT INTO audit (integration, id, at, correlation, kind) OVERRIDING SYSTEM VALUE"
        f" VALUES (1, {row}, now(), '', 'read')",
    )
    assert [(each.kind, each.row) for each in await findings(database)] == [("altered", row)]


async def test_rows_that_changed_places_are_named(database: Database, chained: list[Seal]) -> None:
    one, other = chained[0].upto_id - 3, chained[2].upto_id - 2
    await run(
        database,
        "ALTER TABLE audit ALTER COLUMN id SET GENERATED BY DEFAULT",
        f"UPDATE audit SET id = -1 WHERE id = {one}",
        f"UPDATE audit SET id = {one} WHERE id = {other}",
        f"UPDATE audit SET id = {other} WHERE id = -1",
    )
    assert [(each.kind, each.row) for each in await findings(database)] == [("altered", one), ("altered", other)]


async def test_a_row_that_went_to_another_integration_is_missing(database: Database, chained: list[Seal]) -> None:
    await run(database, "UPDATE audit SET integration = 2 WHERE key = '3'")
    assert [each.kind for each in await findings(database)] == ["missing"]


@pytest.mark.parametrize("seals", [False, True])
async def test_a_tail_that_was_cut_off_is_seen(database: Database, chained: list[Seal], seals: bool) -> None:
    await run(database, f"DELETE FROM audit WHERE id > {chained[1].upto_id}")
    if seals:
        await run(database, "DELETE FROM audit_seals WHERE number > 2")
    found = await findings(database)
    assert [each.kind for each in found] == (["truncated"] if seals else ["missing", "missing"])
    if seals:
        assert chained[-1].hash.hex() in found[0].message
        await write(database, 5)
        await seal(database)  # goes on behind what was there: the gap stays for ever
        assert [(each.kind, each.seal) for each in await findings(database)] == [("gap", 5)]
        assert [each.kind for each in await findings(database, chained)] == ["gap", "copy", "copy"]


async def test_a_tail_cut_off_with_the_note_of_it_is_seen_by_the_copy(database: Database, chained: list[Seal]) -> None:
    await run(
        database,
        f"DELETE FROM audit WHERE id > {chained[1].upto_id}",
        "DELETE FROM audit_seals WHERE number > 2",
        "DELETE FROM watermarks",
    )
    assert await findings(database) == ()
    assert [(each.kind, each.seal) for each in await findings(database, chained)] == [("copy", 3), ("copy", 4)]


async def test_a_segment_that_was_sealed_anew_is_seen(database: Database, chained: list[Seal]) -> None:
    """Everything from there is made again as the product would, with a key of one's own: only the signature is wrong.
    With the right key only the copy tells."""
    await run(database, "UPDATE audit SET who = 'user:mallory' WHERE key = '25'")

    async def seal_anew(key: bytes) -> None:
        await run(database, "DELETE FROM audit_seals WHERE number > 2", "DELETE FROM watermarks")
        await audit_chain.seal(database, key, 1, chained[-1].upto_id, rows=SEGMENT)

    await seal_anew(b"x" * 32)
    assert [(each.kind, each.seal) for each in await findings(database)] == [("resealed", 3), ("resealed", 4)]
    await seal_anew(KEY)
    assert await findings(database) == ()
    found = await findings(database, chained)
    assert [(each.kind, each.seal) for each in found] == [("copy", 3), ("copy", 4)]


async def test_a_segment_whose_seal_alone_was_made_anew_breaks_the_chain(
    database: Database, chained: list[Seal]
) -> None:
    await run(
        database, "UPDATE audit SET kind = 'planned' WHERE key = '15'", "DELETE FROM audit_seals WHERE number = 2"
    )
    head = {"number": 1, "upto_id": chained[0].upto_id, "hash": chained[0].hash.hex()}
    before = await scalar(database, "SELECT value FROM watermarks WHERE flow = 'system:seal'")
    async with database.connect() as sql:
        put = text("UPDATE watermarks SET value = CAST(:value AS jsonb) WHERE flow = 'system:seal'")
        await sql.execute(put, {"value": json.dumps({"head": head})})
        await audit_chain.seal(database, KEY, 1, chained[1].upto_id, rows=SEGMENT)
        await sql.execute(put, {"value": json.dumps(before)})
    assert [(each.kind, each.seal) for each in await findings(database)] == [("gap", 3)]


@pytest.mark.parametrize("column", ["rows", "number", "upto_id", "last_at", "root", "leaves", "previous", "hash"])
async def test_an_altered_seal_is_seen(database: Database, chained: list[Seal], column: str) -> None:
    value = {"number": "9", "last_at": "last_at - interval '1 s'", "rows": "9", "upto_id": "upto_id + 1"}.get(
        column, f"overlay({column} placing '\\x00'::bytea from 3)"
    )
    await run(database, f"UPDATE audit_seals SET {column} = {value} WHERE number = 4")
    if column == "leaves":
        assert await findings(database) == ()  # the list names rows, and proves nothing: the root does
        await run(database, "UPDATE audit SET kind = 'planned' WHERE key = '35'")
    found = await findings(database)
    assert found
    assert {each.seal for each in found} <= {4, 9}


async def test_the_hash_can_be_followed_without_the_database(database: Database, chained: list[Seal]) -> None:
    leaves = await scalar(database, "SELECT leaves FROM audit_seals WHERE number = 1")
    assert hashlib.sha256(leaves).digest() == chained[0].root
    assert all(hash_of(each) == each.hash and mac_of(KEY, each.hash) == each.mac for each in chained)
    assert json.loads(json.dumps(chained[0].as_json()))["hash"] == chained[0].hash.hex()


# ---------------------------------------------------------------------- nothing comes late


async def test_a_row_that_commits_late_with_a_low_id_is_not_left_out(database: Database) -> None:
    """A writer has its IDs, another one commits above it: the seal waits for the first."""
    async with database.transaction() as sql:
        await append(sql, [entry("config", integration=1, key="early")])
        await write(database, 3)
        assert await horizon(database, patience_s=0.2) is None
        sealing = asyncio.create_task(seal(database))
        await asyncio.sleep(0)
        assert not sealing.done()
    assert await sealing == 4
    assert await findings(database) == ()


async def test_an_id_that_was_given_and_not_used_yet_is_waited_for(database: Database, database_url: str) -> None:
    """Between the ID and the row there is a moment in which the writer has no transaction number: its lock tells."""
    await write(database, 1)
    await run(
        database,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NEW; END'",
        "CREATE TRIGGER slow BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    async with database.transaction() as sql:
        await sql.execute(text("SELECT pg_advisory_xact_lock(77)"))
        writing = asyncio.create_task(write(database, 1, first=1))
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(60):
            while not await scalar(database, waits):
                await asyncio.sleep(0.02)
        assert await scalar(database, "SELECT last_value FROM audit_id_seq") == 2
        assert await horizon(database, patience_s=0.2) is None
    await writing
    assert await seal(database) == 2


# ---------------------------------------------------------------------- retention


async def age(database: Database, upto: int, days: int) -> None:
    """As if the first seals, and what they cover, were made that long ago."""
    await run(
        database,
        f"UPDATE audit SET at = at - interval '{days} days' WHERE id <= {upto}",
    )


async def test_retention_takes_whole_segments_and_the_chain_stays_unbroken(database: Database) -> None:
    await write(database, ROWS)
    await age(database, 25, 500)
    await seal(database)
    assert await sweep(database, Retention(audit_days=400), integration=1, key=KEY, pause_s=0) == {
        "audit": 25,
        "webhooks": 0,
    }
    verdict = await verify(database, 1, key=KEY)
    assert verdict.unbroken
    assert (verdict.removed, verdict.removed_through, verdict.rows) == (25, 3, ROWS - 25)
    assert await scalar(database, "SELECT count(*) FROM audit_seals") == verdict.seals
    async with database.connect() as sql:
        await sql.execute(
            text(
                "INSERT INTO audit (integration, id, at, correlation, kind) OVERRIDING SYSTEM VALUE"
                " VALUES (1, 5, now(), '', 'read')"
            )
        )
    (found,) = await findings(database)
    assert (found.kind, found.row) == ("inserted", 5)


async def test_what_is_not_sealed_is_not_old(database: Database) -> None:
    await write(database, 5)
    await age(database, 5, 500)
    assert await sweep(database, Retention(), integration=1) == {"audit": 0, "webhooks": 0}


TAKEN = "UPDATE audit_seals SET removed_at = now(), leaves = NULL WHERE number = 1"


async def tell_of_removal(database: Database, proof: str) -> None:
    told = json.dumps({"through_seal": 1, "proof": proof})
    await run(
        database,
        "INSERT INTO audit (integration, at, correlation, kind, data)"
        f" VALUES (1, now(), '', 'retention', '{told}')",
    )  # fmt: skip


@pytest.mark.parametrize("proof", [None, "", removal_mac(KEY, 1, 1)])
async def test_rows_that_were_taken_in_the_name_of_retention_are_seen(
    database: Database, chained: list[Seal], proof: str | None
) -> None:
    """They are too young for it, whoever took them."""
    await run(database, f"DELETE FROM audit WHERE id <= {chained[0].upto_id}", TAKEN)
    if proof is not None:
        await tell_of_removal(database, proof)
    assert {each.kind for each in await findings(database)} == {"removed"}


@pytest.mark.parametrize(
    ("proof", "kinds"), [("", {"removed"}), ("0" * 64, {"removed"}), (removal_mac(KEY, 1, 1), set())]
)
async def test_old_rows_that_somebody_else_took_are_seen(database: Database, proof: str, kinds: set[str]) -> None:
    """Retention proves with the key that it was retention."""
    await write(database, ROWS)
    await age(database, ROWS, 500)
    await seal(database)
    first = (await all_seals(database))[0]
    await run(database, f"DELETE FROM audit WHERE id <= {first.upto_id}", TAKEN)
    await tell_of_removal(database, proof)
    assert {each.kind for each in await findings(database)} == kinds


async def test_retention_takes_nothing_from_the_midst(database: Database) -> None:
    await write(database, ROWS)
    await age(database, ROWS, 500)
    await seal(database)
    second = (await all_seals(database))[1]
    await run(
        database,
        f"DELETE FROM audit WHERE id > {second.after_id} AND id <= {second.upto_id}",
        "UPDATE audit_seals SET removed_at = now(), leaves = NULL WHERE number = 2",
        "INSERT INTO audit (integration, at, correlation, kind, data)"
        " VALUES (1, now(), '', 'retention',"
        f' \'{{"through_seal": 2, "proof": "{removal_mac(KEY, 1, 2)}"}}\')',
    )
    assert [(each.kind, each.seal) for each in await findings(database)] == [("removed", 2)]


# ---------------------------------------------------------------------- by and by


async def test_a_look_goes_on_where_it_stopped(database: Database, chained: list[Seal]) -> None:
    steps = [0]
    while len(steps) == 1 or steps[-1]:
        number, found = await look_on(database, 1, KEY, after=steps[-1], for_s=0)
        assert found is None
        steps.append(number)
    assert steps == [0, 1, 2, 3, 4, 0]
    await run(database, "UPDATE audit SET who = 'user:mallory' WHERE key = '25'")
    number, found = await look_on(database, 1, KEY, after=2, for_s=60)
    assert (number, found and found.kind) == (3, "altered")
    assert await look_on(database, 1, KEY, after=3, for_s=60) == (0, None)


async def test_every_installation_has_one_key(database: Database, vault: Vault) -> None:
    keys = await asyncio.gather(*(sealing_key(database, vault) for _ in range(4)))
    assert len(set(keys)) == 1
    await write(database, 2)
    await write(database, 2, integration=0)
    assert await chains(database) == [0, 1]
    assert await audit_chain.seal_all(database, vault) == 4
    assert (await verify(database, 0, key=keys[0])).unbroken


async def test_rows_come_with_their_seals(database: Database, chained: list[Seal]) -> None:
    await write(database, 1, first=ROWS)
    rows = (await page(database, Question(), limit=12)).rows
    assert [row.seal for row in rows] == [None, *[4] * 10, 3]
    assert rows[1].seal_hash == chained[3].hash.hex()
    lines = [json.loads(line) async for line in export(database, Question(key="0"))]
    assert (lines[0]["seal"], lines[0]["seal_hash"]) == (1, chained[0].hash.hex())


async def test_the_csv_has_one_line_a_row_and_no_formula(database: Database) -> None:
    audit = Audit(database)
    audit.record("config", integration=1, key="=1+1", refs=["A", "B"], data={"note": 'a "b", c'})
    await audit.close()
    heading, line = [each async for each in export_csv(database, Question())]
    assert heading.startswith("id,at,integration,who,kind,flow,key,references")
    assert ",worker,config,,'=1+1,A B," in line
    assert '"{""note"":""a \\""b\\"", c""}"' in line
