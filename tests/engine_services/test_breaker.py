"""Circuit breakers: opened by failures in a row, seen by all processes, tried by one probe at a time."""

import asyncio

import pytest
from sqlalchemy import event, text

from ml_connector.connectors.errors import (
    Conflict,
    ConnectorError,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from ml_connector.engine.audit_queries import Question, page
from ml_connector.engine.breaker import Breakers, Rules, counts
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane
from tests.engine_services.conftest import Spawn, eventually, scalar

ORDERS = Lane(1, "orders")
QUICK = Rules(refresh_s=0.0)


@pytest.fixture(autouse=True)
async def connected(database: Database) -> None:
    """Integration 1 joins the store 2 with the ERP 1; integration 2 has nothing to do with either."""
    async with database.connect() as sql:
        await sql.exec_driver_sql(
            "INSERT INTO connections (connection, name, system) "
            "VALUES (1, 'ledger', 's4hana'), (2, 'shop', 'bigcommerce')"
        )
        await sql.exec_driver_sql("UPDATE integrations SET store = 2, erp = 1")
        await sql.exec_driver_sql("INSERT INTO integrations (integration, name, store, erp) VALUES (2, 'other', 4, 3)")


async def fail(breakers: Breakers, times: int) -> None:
    for _ in range(times):
        await breakers.of(1).failure(Unreachable("no route to host"))


async def pause_over(database: Database) -> None:
    async with database.connect() as sql:
        await sql.execute(
            text("UPDATE breakers SET retry_at = statement_timestamp(), probe_until = statement_timestamp()")
        )


async def test_ten_failures_in_a_row_open_it_and_nine_do_not(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 9)
    assert await breakers.may_claim(ORDERS)
    await fail(breakers, 1)
    assert not await breakers.may_claim(ORDERS)
    assert await breakers.closed_lanes([ORDERS, Lane(2, "orders")]) == [Lane(2, "orders")]


async def test_it_is_open_since_the_first_time_however_often_it_was_tried(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 10)
    since = (await breakers.states())[1].since
    assert since is not None
    await pause_over(database)
    assert await breakers.may_claim(ORDERS)
    await fail(breakers, 1)
    assert (await breakers.states())[1].since == since
    await breakers.of(1).success()
    assert (await breakers.states())[1].since is None
    await fail(breakers, 10)
    again = (await breakers.states())[1].since
    assert again is not None
    assert again > since


async def test_a_success_in_between_starts_the_count_anew(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 9)
    await breakers.of(1).success()
    await fail(breakers, 9)
    assert await breakers.may_claim(ORDERS)


async def test_only_flows_that_need_the_connection_wait(database: Database) -> None:
    def sides(flow: str) -> frozenset[str]:
        return frozenset(("store",)) if flow.startswith("poll") else frozenset(("store", "erp"))

    breakers = Breakers(database, rules=QUICK, sides=sides)  # type: ignore[arg-type]
    await fail(breakers, 10)
    assert not await breakers.may_claim(ORDERS)
    assert await breakers.may_claim(Lane(1, "poll:orders"))


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (Unreachable("x"), True), (Transient("x"), True), (Uncertain("x"), True), (TimeoutError(), True),
        (ConnectorError("x", status=503), True), (Rejected("x", status=422), False), (Throttled("x"), False),
        (Unauthorized("x", status=401), False), (Conflict("x"), False),
    ],
)  # fmt: skip
def test_what_counts_is_that_the_system_is_down(error: Exception, counted: bool) -> None:
    assert counts(error) is counted


async def test_a_refusal_opens_nothing(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    for _ in range(20):
        await breakers.of(1).failure(Rejected("no such account"))
    assert await breakers.may_claim(ORDERS)
    assert await scalar(database, "SELECT count(*) FROM breakers") == 0


async def test_failures_of_one_process_open_it_for_another_and_one_of_them_probes(
    database: Database, spawn: Spawn
) -> None:
    here = Breakers(database, rules=QUICK)
    await fail(here, 5)
    failing = await spawn("fail", times=5)
    assert await failing.line() == {"failed": 5}
    assert not await here.may_claim(ORDERS)
    async with database.connect() as sql:  # no probe may start by itself while the processes come up
        await sql.execute(text("UPDATE breakers SET retry_at = statement_timestamp() + interval '1 hour'"))
    others = [await spawn("probe", integration=1) for _ in range(3)]
    assert [await other.line() for other in others] == [{"may": False}] * 3
    await pause_over(database)
    asking = [asyncio.create_task(other.line()) for other in others]
    done, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [{"claimed": True}]
    assert not await here.may_claim(ORDERS)
    await here.of(1).success()  # the probe's call
    async with asyncio.timeout(20):
        assert [await task for task in waiting] == [{"claimed": True}] * 2


async def test_the_first_success_closes_it_and_raises_the_epoch_of_the_connection(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 10)
    assert await scalar(database, "SELECT epoch FROM connections WHERE connection = 1") == 0
    await breakers.of(1).success()
    assert await scalar(database, "SELECT epoch FROM connections WHERE connection = 1") == 1
    assert await breakers.may_claim(ORDERS)
    await breakers.of(1).success()
    assert await scalar(database, "SELECT epoch FROM connections WHERE connection = 1") == 1


async def test_each_failed_probe_makes_the_pause_longer(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 10)
    pauses = [await scalar(database, "SELECT extract(epoch FROM retry_at - changed_at)::float8 FROM breakers")]
    for _ in range(4):
        await pause_over(database)
        assert await breakers.may_claim(ORDERS)
        await fail(breakers, 1)
        pauses.append(await scalar(database, "SELECT extract(epoch FROM retry_at - changed_at)::float8 FROM breakers"))
    assert all(5 * 2**n * 0.75 <= pause <= 5 * 2**n * 1.25 for n, pause in enumerate(pauses)), pauses
    assert max(Rules().pause(n) for n in range(50)) <= 300 * 1.25


async def test_calls_that_began_before_it_opened_do_not_lengthen_the_pause(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 10)
    before = await scalar(database, "SELECT retry_at FROM breakers")
    await fail(breakers, 10)
    assert await scalar(database, "SELECT retry_at FROM breakers") == before


async def test_a_probe_that_never_calls_is_given_to_somebody_else(database: Database) -> None:
    one, other = Breakers(database, rules=QUICK), Breakers(database, rules=QUICK)
    await fail(one, 10)
    await pause_over(database)
    assert await one.may_claim(ORDERS)
    assert not await other.may_claim(ORDERS)
    await pause_over(database)
    assert await other.may_claim(ORDERS)


async def test_opening_probing_and_closing_are_in_the_audit(database: Database) -> None:
    breakers = Breakers(database, rules=QUICK)
    await fail(breakers, 10)
    await pause_over(database)
    await breakers.may_claim(ORDERS)
    await breakers.of(1).success()
    rows = (await page(database, Question(connection=1, kinds=("breaker",)), newest_first=False)).rows
    assert [row.data["state"] for row in rows] == ["open", "half_open", "closed"]
    assert rows[0].data["error"] == "no route to host"


async def test_while_all_is_well_nothing_is_asked_of_the_database(database: Database) -> None:
    breakers = Breakers(database, rules=Rules(refresh_s=3600))
    assert await breakers.may_claim(ORDERS)
    asked: list[object] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    for _ in range(100):
        await breakers.of(1).success()
        assert await breakers.may_claim(ORDERS)
    assert asked == []


async def test_a_database_that_is_away_fails_no_call() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    breakers = Breakers(nowhere)
    await breakers.of(1).success()
    await breakers.of(1).failure(Unreachable("x"))
    await nowhere.close()


async def test_breaker_is_seen_within_a_second_by_default(database: Database) -> None:
    seeing, failing = Breakers(database), Breakers(database)
    assert await seeing.may_claim(ORDERS)
    await fail(failing, 10)

    async def seen() -> bool:
        return not await seeing.may_claim(ORDERS)

    await eventually(seen, within_s=3)
