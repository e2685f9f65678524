"""What each rule of the queue means for one record or a few (R1-R14)."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from ml_connector.engine import records
from ml_connector.engine.database import Database
from ml_connector.engine.records import Claim, Finished, Lane, Status

ORDERS = Lane(1, "orders")
STAMP = datetime(2026, 7, 1, 12, tzinfo=UTC)


async def mark(database: Database, *keys: str, want: datetime | None = None) -> None:
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", keys, want=want)


async def claim(database: Database, batch: int = 20, lease_s: float = 30) -> Claim | None:
    async with database.connect() as connection:
        return await records.claim(connection, ORDERS, worker="w", batch=batch, lease_s=lease_s)


async def claimed(database: Database, batch: int = 20, lease_s: float = 30) -> Claim:
    taken = await claim(database, batch, lease_s)
    assert taken is not None
    return taken


async def finish(database: Database, taken: Claim, **fields: object) -> set[str]:
    done = [Finished(r.key, r.seq, **fields) for r in taken.records]  # type: ignore[arg-type]
    async with database.connect() as connection:
        return await records.finish(connection, ORDERS, taken.token, done, ends=True)


async def row(database: Database, key: str = "1"):
    statement = text(
        "SELECT *, run_at - statement_timestamp() AS due_in FROM records WHERE integration = 1 AND key = :key"
    )
    async with database.connect() as connection:
        return (await connection.execute(statement, {"key": key})).one()


async def make_due(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(text("UPDATE records SET run_at = statement_timestamp() WHERE run_at IS NOT NULL"))


async def lapse(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(text("UPDATE runs SET lease_until = statement_timestamp() - interval '1 second'"))


async def sweep(database: Database) -> records.Swept | None:
    async with database.transaction() as connection:
        return await records.sweep(connection)


async def test_a_marked_record_is_claimed_once_and_finishes(database: Database) -> None:
    await mark(database, "1", "2", "1")
    taken = await claimed(database)
    assert [r.key for r in taken.records] == ["1", "2"]
    assert await claim(database) is None
    assert await finish(database, taken, stamp=STAMP) == {"1", "2"}
    record = await row(database)
    assert (record.status, record.run_at, record.token, record.done_seq) == ("synced", None, None, record.seq)
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM runs"))).scalar_one() == 0


async def test_marks_during_a_run_cause_exactly_one_more_run(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    await mark(database, "1")
    await mark(database, "1")
    assert await claim(database) is None, "never two runs of one record at once"
    await finish(database, taken)
    again = await claimed(database)
    await finish(database, again)
    assert await claim(database) is None
    assert (await row(database)).status == "synced"


async def test_a_mark_that_commits_while_finish_waits_is_seen(database: Database) -> None:
    import asyncio

    await mark(database, "1")
    taken = await claimed(database)
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", ["1"])
        finishing = asyncio.create_task(finish(database, taken))
        while True:  # until finish waits for the row that the open mark has locked
            async with database.connect() as other:
                waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                if (await other.execute(waiting)).scalar_one():
                    break
    assert await finishing == {"1"}
    assert (await row(database)).run_at is not None, "a mark was lost"


async def test_a_snapshot_older_than_the_mark_runs_again_three_times_then_rests(database: Database) -> None:
    await mark(database, "1", want=STAMP)
    for seconds in (2, 10, 30):
        await finish(database, await claimed(database), stamp=STAMP - timedelta(seconds=1))
        record = await row(database)
        assert (record.status, record.done_seq) == ("waiting", 0)
        assert timedelta(seconds=seconds - 1) < record.due_in <= timedelta(seconds=seconds)
        await make_due(database)
    await finish(database, await claimed(database), stamp=STAMP - timedelta(seconds=1))
    record = await row(database)
    assert (record.status, record.want) == ("synced", STAMP), "want is kept: the poll compares it with the stamp"


async def test_a_snapshot_as_new_as_the_mark_finishes_at_once(database: Database) -> None:
    await mark(database, "1", want=STAMP)
    await finish(database, await claimed(database), stamp=STAMP)
    assert (await row(database)).status == "synced"


async def test_excluded_is_finished_with_its_reason(database: Database) -> None:
    await mark(database, "1")
    await finish(database, await claimed(database), status=Status.EXCLUDED, reason="before_cut_over")
    record = await row(database)
    assert (record.status, record.reason, record.done_seq) == ("excluded", "before_cut_over", 1)


async def test_a_scheduled_record_waits_for_its_next_time(database: Database) -> None:
    await mark(database, "1")
    await finish(database, await claimed(database), next_in_s=60)
    record = await row(database)
    assert record.done_seq == record.seq
    assert timedelta(seconds=55) < record.due_in <= timedelta(seconds=60)


async def test_what_a_run_has_done_is_what_it_saw(database: Database) -> None:
    """Completeness is `done_seq < seq`: a mark that came meanwhile is not done, though the record runs at once."""
    await mark(database, "1")
    taken = await claimed(database)
    await mark(database, "1")
    await finish(database, taken)
    record = await row(database)
    assert (record.done_seq, record.seq) == (1, 2)


async def open_posting(database: Database) -> None:
    """A document of record 1 whose outcome is unknown for 60 s."""
    async with database.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO postings (integration, reference, connection, flow, record_key, kind, fingerprint,"
                " content, state, sent_at, resolve_at) VALUES (1, 'S1-O1', 2, 'orders', '1', 'order', 'f', '{}',"
                " 'uncertain', statement_timestamp(), statement_timestamp() + interval '60 seconds')"
            )
        )


async def test_a_held_record_wakes_for_a_posting_of_its_own_that_is_open(database: Database) -> None:
    await open_posting(database)
    await held(database)
    record = await row(database)
    assert record.status == "held"
    assert record.due_in is not None, "nobody would ever look at the document"
    assert timedelta(seconds=5) < record.due_in <= timedelta(seconds=60)


async def test_a_record_does_not_rest_while_a_posting_of_its_own_is_open(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    await open_posting(database)
    await finish(database, taken)
    record = await row(database)
    assert record.status == "waiting"
    assert record.done_seq == 0
    assert timedelta(seconds=55) < record.due_in <= timedelta(seconds=60)


@pytest.mark.parametrize(("attempts", "longest"), [(0, 5), (3, 40), (30, 3600)])
async def test_back_off_doubles_with_jitter_up_to_an_hour(database: Database, attempts: int, longest: int) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    async with database.connect() as connection:
        await connection.execute(text("UPDATE records SET attempts = :n"), {"n": attempts})
        assert await records.fail(connection, ORDERS, taken.token, "1", 1, error="503", wakes=False, floor_s=5)
    record = await row(database)
    assert record.attempts == attempts + 1
    assert timedelta(seconds=longest * 0.49) < record.due_in <= timedelta(seconds=longest)


async def test_a_mark_does_not_cut_a_transient_back_off_but_cuts_one_that_new_data_can_end(database: Database) -> None:
    for wakes, shortened in ((False, False), (True, True)):
        key = f"wakes {wakes}"
        await mark(database, key)
        taken = await claimed(database)
        async with database.connect() as connection:
            await connection.execute(text("UPDATE records SET attempts = 9"))
            await records.fail(connection, ORDERS, taken.token, key, 1, error="x", wakes=wakes, floor_s=5)
        await mark(database, key)
        assert ((await row(database, key)).due_in <= timedelta(seconds=5)) is shortened


async def test_a_record_that_fails_on_every_mark_keeps_five_seconds_between_runs(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    async with database.connect() as connection:
        await records.fail(connection, ORDERS, taken.token, "1", 1, error="x", wakes=True)
    for _ in range(3):
        await mark(database, "1")
    assert (await row(database)).due_in > timedelta(seconds=1)
    assert await claim(database) is None


async def test_throttled_counts_no_attempt_and_is_never_early(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    async with database.connect() as connection:
        await records.fail(connection, ORDERS, taken.token, "1", 1, error="429", wakes=False, floor_s=30, counts=False)
    record = await row(database)
    assert record.attempts == 0
    assert timedelta(seconds=29) < record.due_in <= timedelta(seconds=36)


async def test_a_mark_never_pushes_a_due_record_back(database: Database) -> None:
    await mark(database, "1")
    before = (await row(database)).run_at
    await mark(database, "1")
    assert (await row(database)).run_at == before


async def held(database: Database, *, kind: str = "unmapped", wakes: bool = False) -> Claim:
    await mark(database, "1")
    taken = await claimed(database)
    async with database.connect() as connection:
        status = await records.hold(
            connection, ORDERS, taken.token, "1", taken.records[0].seq, epoch=taken.epoch, kind=kind, hold_key="tax|7",
            message="no account", wakes=wakes,
        )  # fmt: skip
        await records.end_run(connection, 1, taken.token)
    assert status is Status.HELD
    return taken


async def test_a_hold_waits_and_its_release_runs_exactly_those(database: Database) -> None:
    await held(database)
    assert (await row(database)).run_at is None
    async with database.transaction() as connection:
        await records.raise_epoch(connection, 1)
        assert await records.release(connection, 1, "unmapped", ["tax|8"]) == {}
        assert await records.release(connection, 1, "unmapped", ["tax|7"]) == {ORDERS: ["1"]}
    assert (await claimed(database)).records[0].key == "1"


async def test_a_mapping_saved_between_plan_and_hold_is_not_missed(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    async with database.transaction() as connection:
        await records.raise_epoch(connection, 1)
        await records.release(connection, 1, "unmapped", ["tax|7"])  # finds nothing yet
    async with database.connect() as connection:
        status = await records.hold(
            connection, ORDERS, taken.token, "1", 1, epoch=taken.epoch, kind="unmapped", hold_key="tax|7", message="",
            wakes=False,
        )  # fmt: skip
    assert status is Status.WAITING
    assert (await claimed(database)).epoch == taken.epoch + 1


async def test_a_hold_of_a_connection_waits_for_that_connections_epoch(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(text("INSERT INTO connections (connection, name, system) VALUES (7, 'erp', 's4hana')"))
    await mark(database, "1")
    taken = await claimed(database)
    async with database.connect() as connection:
        await records.raise_connection_epoch(connection, 7)
        status = await records.hold(
            connection, ORDERS, taken.token, "1", 1, epoch=taken.epoch, kind="unauthorized", hold_key="7", message="",
            wakes=False, connection_id=7, connection_epoch=0,
        )  # fmt: skip
    assert status is Status.WAITING


@pytest.mark.parametrize("wakes", [True, False])
async def test_a_mark_wakes_a_hold_only_where_new_data_can_help(database: Database, wakes: bool) -> None:
    await held(database, wakes=wakes)
    await mark(database, "1")
    record = await row(database)
    assert (record.run_at is not None) is wakes
    assert record.seq == 2


async def test_a_batch_that_died_runs_one_by_one_and_only_lone_deaths_park(database: Database) -> None:
    await mark(database, "a", "poison", "z")
    await claimed(database)
    await lapse(database)
    swept = await sweep(database)
    assert swept is not None
    assert set(swept.statuses.values()) == {Status.WAITING}
    for _ in range(3):
        alone = await claimed(database)
        assert len(alone.records) == 1
        if alone.records[0].key == "poison":
            break
        await finish(database, alone)
    deaths = 0
    while (await row(database, "poison")).status != "dead":
        await lapse(database)
        await sweep(database)
        deaths += 1
        assert deaths <= records.DEATHS_TO_PARK
        while (taken := await claim(database)) and taken.records[0].key != "poison":
            await finish(database, taken)
    assert deaths == records.DEATHS_TO_PARK
    assert {(await row(database, key)).status for key in ("a", "z")} == {"synced"}


async def test_marks_on_a_dead_record_are_counted_and_only_a_replay_runs_it(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    async with database.connect() as connection:
        await records.park(connection, ORDERS, taken.token, "1", error="poison")
    await mark(database, "1")
    record = await row(database)
    assert (record.status, record.seq, record.run_at) == ("dead", 2, None)
    async with database.transaction() as connection:
        assert await records.replay(connection, 1, "orders", ["1", "unknown"]) == ["1"]
    assert (await claimed(database)).records[0].seq == 3


async def test_a_defect_of_ours_parks_after_eight_lone_runs(database: Database) -> None:
    await mark(database, "1")
    for n in range(1, records.DEFECTS_TO_PARK + 1):
        taken = await claimed(database)
        async with database.connect() as connection:
            await records.fail(connection, ORDERS, taken.token, "1", 1, error="KeyError", wakes=False, defect=True)
            await records.end_run(connection, 1, taken.token)
        assert ((await row(database)).status == "dead") is (n == records.DEFECTS_TO_PARK)
        await make_due(database)


async def test_nothing_of_a_swept_run_is_written(database: Database) -> None:
    await mark(database, "1")
    taken = await claimed(database)
    await lapse(database)
    await sweep(database)
    before = await row(database)
    assert await finish(database, taken) == set()
    async with database.connect() as connection:
        token = taken.token
        assert not await records.fail(connection, ORDERS, token, "1", 1, error="", wakes=True)
        assert not await records.park(connection, ORDERS, token, "1", error="")
        assert not await records.defer(connection, ORDERS, token, "1", 1, after_s=0)
        assert not await records.hold(
            connection, ORDERS, token, "1", 1, epoch=0, kind="k", hold_key="k", message="", wakes=True
        )
    after = await row(database)
    assert (after.status, after.run_at, after.seq) == (before.status, before.run_at, before.seq)


async def test_handing_back_keeps_suspicion_and_a_normal_end_clears_it(database: Database) -> None:
    await mark(database, "1")
    await claimed(database)
    await lapse(database)
    await sweep(database)
    for keeps in (True, False):
        taken = await claimed(database)
        async with database.connect() as connection:
            await records.defer(connection, ORDERS, taken.token, "1", 1, after_s=0, keeps_suspicion=keeps)
            await records.end_run(connection, 1, taken.token)
        assert (await row(database)).suspect is keeps


async def test_lanes_lists_those_with_due_records(database: Database) -> None:
    async with database.transaction() as connection:
        for integration, flow in ((1, "orders"), (1, "customers"), (2, "orders"), (3, "later")):
            await records.mark(connection, integration, flow, ["1", "2"])
        await connection.execute(
            text("UPDATE records SET run_at = statement_timestamp() + interval '1 day' WHERE flow = 'later'")
        )
    async with database.connect() as connection:
        assert await records.lanes(connection) == [Lane(1, "customers"), Lane(1, "orders"), Lane(2, "orders")]


async def test_too_many_keys_in_one_marking_transaction_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="at most"):
        await mark(database, *(str(n) for n in range(records.MARK_AT_ONCE + 1)))
