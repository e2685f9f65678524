"""The audit: nothing flushed is lost, nothing secret is written, everything can be found again."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ml_connector.connectors.base import Call
from ml_connector.engine.audit import DATA_LIMIT, TEXT_LIMIT, WAITING, Audit, ConnectionCalls, Entry, append, entry
from ml_connector.engine.audit_queries import Question, Row, export, page
from ml_connector.engine.correlation import correlated, correlation
from ml_connector.engine.database import Database
from ml_connector.engine.masking import KnownSecrets
from tests.engine_services.conftest import Spawn, scalar


async def rows(database: Database, question: Question | None = None) -> list[Row]:
    return list((await page(database, question or Question(), newest_first=False, limit=10_000)).rows)


async def test_an_entry_knows_on_whose_behalf_it_is(database: Database) -> None:
    audit = Audit(database)
    with correlated(integration=1, flow="orders", key="10250", token=7) as now:
        audit.record("planned", refs=["S1-O10250"], data={"total": Decimal("10.50")})
    await audit.flush()
    [row] = await rows(database)
    assert (row.integration, row.flow, row.key, row.token, row.correlation) == (1, "orders", "10250", 7, now.id)
    assert row.refs == ("S1-O10250",)
    assert row.data == {"total": "10.50"}
    assert correlation.get().id == ""


async def test_a_call_is_kept_with_its_facts(database: Database) -> None:
    audit = Audit(database)
    sink = ConnectionCalls(audit, 3, "s4hana")
    with correlated(integration=1, flow="orders"):
        await sink.call(
            Call(
                "POST", "https://erp.example/x", 200, 0.25, request_id="r1", request_body="<a/>", references=("A", "B")
            )
        )
    await audit.flush()
    [row] = await rows(database, Question(reference="B"))
    assert (row.kind, row.connection, row.refs) == ("call", 3, ("A", "B"))
    assert row.data["status"] == 200
    assert row.data["request_body"] == "<a/>"
    assert "response_body" not in row.data


async def test_what_was_flushed_survives_a_kill(database: Database, spawn: Spawn) -> None:
    child = await spawn("record", entries=2_000)
    flushed = 0
    while flushed < 1_000:
        flushed = (await child.line())["flushed"]
    await child.kill()
    kept = {row.key for row in await rows(database)}
    assert {str(number) for number in range(flushed)} <= kept


async def test_each_flush_writes_everything_before_it(database: Database) -> None:
    audit = Audit(database)
    for number in range(1, 31):
        audit.record("read", integration=1)
        audit.record("planned", integration=1)
        await audit.flush()
        assert await scalar(database, "SELECT count(*) FROM audit") == 2 * number
    await audit.close()


async def test_entries_are_written_behind_without_a_flush(database: Database) -> None:
    audit = Audit(database)
    audit.record("read", integration=1)
    async with asyncio.timeout(10):
        while not await scalar(database, "SELECT count(*) FROM audit"):
            await asyncio.sleep(0.02)
    await audit.close()


async def test_many_writers_at_once_lose_and_double_nothing(database: Database) -> None:
    audit = Audit(database)

    async def run(number: int) -> None:
        for step in range(50):
            audit.record("read", integration=1, flow="orders", key=f"{number}-{step}")
            if step % 10 == 0:
                await audit.flush()

    await asyncio.gather(*(run(number) for number in range(20)))
    await audit.close()
    keys = [row.key for row in await rows(database)]
    assert len(keys) == len(set(keys)) == 1_000


async def test_entries_wait_while_the_database_refuses(database: Database) -> None:
    audit = Audit(database)
    async with database.connect() as sql:
        await sql.execute(text("ALTER TABLE audit RENAME TO away"))
        audit.record("synced", integration=1, flow="orders", key="1")
        with pytest.raises(SQLAlchemyError):
            await audit.flush()
        await sql.execute(text("ALTER TABLE away RENAME TO audit"))
    await audit.close()
    assert [row.key for row in await rows(database)] == ["1"]


async def test_a_call_is_kept_although_its_caller_did_not_wait_for_the_database(database: Database) -> None:
    """Too much waits already, the database does not answer, and the run ends meanwhile."""
    audit = Audit(database)
    async with database.transaction() as sql:
        await sql.execute(text("LOCK TABLE audit"))
        for _ in range(WAITING + 1):
            audit.record("heard", integration=1)
        calling = asyncio.create_task(audit.call(3, "s4hana", Call("GET", "https://erp.example/x", None, 0.1)))
        await asyncio.sleep(0)  # it begins, and waits for the lock
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    await audit.close()
    assert await scalar(database, "SELECT count(*) FROM audit WHERE kind = 'call'") == 1


async def test_an_entry_stands_and_falls_with_the_change_it_tells_of(database: Database) -> None:
    async with database.transaction() as sql:
        await append(sql, [entry("config", integration=1)])
        await sql.rollback()
    assert await rows(database) == []
    async with database.transaction() as sql:
        await append(sql, [entry("config", integration=1), Entry("held", integration=1, flow="orders", key="1")])
    assert [row.kind for row in await rows(database)] == ["config", "held"]


def test_a_kind_that_nobody_could_search_for_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="'oops' is no kind of audit entry"):
        Audit(database).record("oops")


async def test_known_secrets_are_masked_in_every_spelling(database: Database) -> None:
    secrets = KnownSecrets()
    secret = 'pa/ss "w&rd" <ü>'
    secrets.add(secret)
    secrets.add("1710")
    audit = Audit(database, secrets=secrets)
    audit.record(
        "call",
        integration=1,
        data={
            "plain": f"user:{secret}",
            "json": json.dumps({"x": secret}),
            "url": "https://x/?p=pa%2Fss%20%22w%26rd%22%20%3C%C3%BC%3E",
            "form": "p=pa%2Fss+%22w%26rd%22+%3C%C3%BC%3E",
            "xml": "<p>pa/ss &quot;w&amp;rd&quot; &lt;ü&gt;</p>",
            "password": "never seen before",
            "deep": [{"client_secret": "abc", secret: 1}],
            "short": "pin 1710, document 4917100",
        },
    )
    await audit.flush()
    [row] = await rows(database)
    shown = json.dumps(row.data, ensure_ascii=False)
    for spelling in ("w&rd", "w%26rd", "w&amp;rd", "never seen", "abc"):
        assert spelling not in shown
    assert row.data["short"] == "pin ***, document 4917100"


async def test_bodies_are_cut_and_odd_characters_do_not_stop_the_writer(database: Database) -> None:
    audit = Audit(database)
    audit.record("call", integration=1, data={"body": "x" * (TEXT_LIMIT + 10)})
    audit.record("call", integration=1, data={str(n): "y" * TEXT_LIMIT for n in range(DATA_LIMIT // TEXT_LIMIT + 1)})
    audit.record("call", integration=1, key="a\x00b", data={"body": "nul \x00, half \ud83d", "nan": float("nan")})
    await audit.flush()
    long, large, odd = await rows(database)
    assert long.data["body"].endswith(f"[{TEXT_LIMIT + 10} characters in all]")
    assert large.data["truncated"] > DATA_LIMIT
    assert odd.data["body"].startswith("nul \ufffd")


# ---------------------------------------------------------------------- questions


@pytest.fixture
async def told(database: Database) -> Audit:
    """Two runs: one that had two orders at once and shared a call, one with another order."""
    audit = Audit(database)
    with correlated(id="run-1", integration=1, flow="orders"):
        await audit.call(2, "bigcommerce", Call("GET", "https://shop.example/orders", 200, 0.1))
        audit.record("planned", key="100", refs=["S1-O100"])
        audit.record("planned", key="101", refs=["S1-O101"])
    with correlated(id="run-2", integration=1, flow="orders", key="102"):
        audit.record("planned", refs=["S1-O102"])
        await audit.call(2, "bigcommerce", Call("GET", "https://shop.example/102", 200, 0.1))
    audit.record("config", integration=2)
    await audit.flush()
    return audit


async def test_a_records_story_has_the_calls_that_its_runs_shared(database: Database, told: Audit) -> None:
    story = await rows(database, Question(integration=1, flow="orders", key="100"))
    assert [(row.kind, row.key) for row in story] == [("call", None), ("planned", "100")]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (Question(reference="S1-O101"), ["101"]),
        (Question(correlation="run-2"), ["102", "102"]),
        (Question(integration=2), [None]),
        (Question(integration=1, kinds=("planned",)), ["100", "101", "102"]),
        (Question(connection=2, key="102"), ["102"]),
        (Question(since=datetime.now(UTC) + timedelta(hours=1)), []),
        (Question(until=datetime.now(UTC) - timedelta(hours=1)), []),
    ],
)
async def test_questions(database: Database, told: Audit, question: Question, found: list[str | None]) -> None:
    assert [row.key for row in await rows(database, question)] == found


async def test_pages_follow_each_other_without_gap_or_repeat(database: Database) -> None:
    audit = Audit(database)
    for number in range(25):
        audit.record("read", integration=1, flow="orders", key=str(number))
    await audit.flush()
    seen: list[str | None] = []
    after: int | None = None
    while True:
        part = await page(database, Question(integration=1), after=after, limit=10)
        seen += [row.key for row in part.rows]
        if part.next is None:
            break
        after = part.next
    assert seen == [str(number) for number in reversed(range(25))]


async def test_the_export_is_a_json_object_a_line_oldest_first(database: Database, told: Audit) -> None:
    lines = [json.loads(line) async for line in export(database, Question(integration=1))]
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert lines[1]["references"] == ["S1-O100"]
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (Question(reference="S1-O5"), "audit_refs"),
        (Question(correlation="run-5"), "audit_correlation"),
        (Question(integration=1, since=datetime(2099, 1, 1, tzinfo=UTC)), "audit_at"),
    ],
)
async def test_a_search_among_many_uses_its_index(database: Database, question: Question, index: str) -> None:
    async with database.connect() as sql:
        await sql.exec_driver_sql(
            "INSERT INTO audit (integration, at, correlation, kind, flow, key, refs) "
            "SELECT 1, now() - n * interval '1 s', 'run-' || n / 10, 'read', 'orders', n::text, ARRAY['S1-O' || n] "
            "FROM generate_series(1, 20000) n"
        )
        await sql.exec_driver_sql("VACUUM ANALYZE audit")
        before = await scalar(database, f"SELECT pg_stat_get_numscans('{index}'::regclass)")
    found = await page(database, question)
    assert len(found.rows) <= 10

    async with asyncio.timeout(20):
        # Statistics of a backend reach the others when it is idle for a second or ends.
        await database.close()
        while await scalar(database, f"SELECT pg_stat_get_numscans('{index}'::regclass)") == before:
            await asyncio.sleep(0.1)
