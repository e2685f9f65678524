"""Who waits, waits: no record runs again and again while nothing can have changed, and none waits for ever."""

from ml_connector.connectors.base import Timing
from ml_connector.engine import gate
from ml_connector.engine.outcomes import Applied, Waits
from tests.exactly_once.desk import Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER = documents(plan(captured(StoreOrder().snapshot())))[0]
CUSTOMER, OF_CUSTOMER, *_ = documents(plan(captured(StoreOrder(customer=4711).snapshot())))


async def test_while_the_send_gate_is_closed_a_record_rests(desk: Desk) -> None:
    async with desk.database.transaction() as connection:
        await gate.declare_restored(connection, "a backup was put back")
    assert isinstance(await desk.run("10250", ORDER), Waits)
    record = await desk.record("10250")
    assert record.in_s > 5, "it would look up and be refused again, as fast as it can, until H has passed"
    assert desk.books.stored == []


async def test_after_a_refusal_a_record_rests_until_v_has_passed(desk: Desk) -> None:
    desk.books.timing = Timing(p_s=2, t_s=10, l_s=10, v_s=60, s_s=0)
    run = await desk.claim("10250")
    await desk.apply(run, ORDER)
    await desk.do("UPDATE postings SET state = 'rejected', resolve_at = statement_timestamp() + interval '60 s'")
    result = await desk.apply(run, ORDER)
    assert isinstance(result, Waits)
    await desk.end(run, result)
    assert (await desk.record("10250")).in_s > 5


async def test_a_shared_customer_is_resolved_by_any_order_that_needs_it(desk: Desk) -> None:
    """P4: the order that sent it is parked; the other must neither wait for ever nor hammer."""
    desk.books.loses_answers = True
    await desk.run("1", CUSTOMER)
    assert await desk.states() == {"S1-C4711/1": "uncertain"}
    await desk.do("UPDATE records SET status = 'dead', run_at = NULL WHERE key = '1'")
    desk.books.loses_answers = False
    assert isinstance(await desk.run("2", CUSTOMER, OF_CUSTOMER), Waits)
    assert (await desk.record("2")).in_s > 1
    await desk.horizon_passes()
    result = await desk.run("2", CUSTOMER, OF_CUSTOMER)
    assert isinstance(result, Applied), result
    assert desk.books.references() == ["S1-C4711", "S1-O10250"]


async def test_a_shared_customer_that_never_arrived_is_sent_by_any_order_that_needs_it(desk: Desk) -> None:
    desk.books.takes_nothing = True
    await desk.run("1", CUSTOMER)
    await desk.do("UPDATE records SET status = 'dead', run_at = NULL WHERE key = '1'")
    desk.books.takes_nothing = False
    await desk.horizon_passes()
    await desk.run("2", CUSTOMER, OF_CUSTOMER)
    result = await desk.run("2", CUSTOMER, OF_CUSTOMER)
    assert isinstance(result, Applied), result
    assert desk.books.references() == ["S1-C4711", "S1-O10250"]
