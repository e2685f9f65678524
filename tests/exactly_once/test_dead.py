"""A record that is dead stays so until a person replays it (R12), whatever it once waited for."""

from ml_connector.engine import records
from ml_connector.engine.outcomes import Waits
from tests.exactly_once.desk import Desk
from tests.planning.store import StoreOrder, captured, documents, plan

CUSTOMER, ORDER, *_ = documents(plan(captured(StoreOrder(customer=4711).snapshot())))


async def dies(desk: Desk, key: str) -> None:
    """Workers that run this record alone die until it is parked."""
    for _ in range(records.DEATHS_TO_PARK):
        await desk.do(f"UPDATE records SET run_at = statement_timestamp() WHERE key = '{key}'")
        async with desk.database.connect() as connection:
            assert await records.claim(connection, records.Lane(1, "orders"), worker="w", batch=1, lease_s=-1)
        async with desk.database.transaction() as connection:
            assert await records.sweep(connection)
    assert (await desk.record(key)).status == "dead"


async def test_the_end_of_what_it_waited_for_does_not_revive_it(desk: Desk) -> None:
    desk.books.loses_answers = True
    assert isinstance(await desk.run("1", CUSTOMER), Waits)
    assert (await desk.record("1")).hold_kind == "posting"
    await dies(desk, "1")
    await desk.horizon_passes()
    await desk.run("2", CUSTOMER, ORDER)
    assert (await desk.states())["S1-C4711/1"] == "posted"
    record = await desk.record("1")
    assert (record.status, record.run_at) == ("dead", None)


async def test_a_release_does_not_revive_it(desk: Desk) -> None:
    run = await desk.claim("1")
    async with desk.database.connect() as connection:
        await records.hold(
            connection, run.lane, run.token, "1", run.records[0].seq, epoch=0, kind="unmapped", hold_key="tax|7",
            message="", wakes=True,
        )  # fmt: skip
        await records.end_run(connection, 1, run.token)
    await dies(desk, "1")
    async with desk.database.transaction() as connection:
        await records.raise_epoch(connection, 1)
        assert await records.release(connection, 1, "unmapped", ["tax|7"]) == {}
    assert (await desk.record("1")).run_at is None
