"""What a flow says of a record while one of its documents is in doubt or before a person."""

from dataclasses import replace

import pytest

from ml_connector.engine.records import Status
from ml_connector.engine.runs import Done, Hold
from ml_connector.flows.orders import OrdersFlow
from tests.exactly_once.desk import Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import StoreOrder, captured

PAID = captured(StoreOrder().snapshot())
UNPAID = StoreOrder().snapshot()
KEY = "10250"


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def room(desk: Desk, shop: Shop) -> Room:
    return Room(desk, shop)


async def held_by_count(desk: Desk, name: str) -> None:
    await desk.do(f"UPDATE postings SET state = 'held', count_at = NULL WHERE reference = '{name}' AND generation = 1")


async def test_an_order_is_not_left_out_while_its_document_waits_for_a_person(
    desk: Desk, shop: Shop, room: Room
) -> None:
    flow = OrdersFlow(room)
    shop.snapshots[KEY] = PAID
    assert isinstance(await room.runs(flow, KEY), Done)
    await held_by_count(desk, "S1-O10250")
    await desk.do("DELETE FROM postings WHERE reference LIKE 'S1-P%'")
    shop.snapshots[KEY] = replace(UNPAID, order=replace(UNPAID.order, status_id=5))
    outcome = await room.runs(flow, KEY)
    assert isinstance(outcome, Hold), outcome
    assert (outcome.kind, outcome.key) == ("posting_held", "S1-O10250")


async def test_an_older_generation_that_waits_for_a_person_is_shown(desk: Desk, shop: Shop, room: Room) -> None:
    """Two documents are in the ERP under the first generation: one was reversed, the other counts twice."""
    flow = OrdersFlow(room)
    shop.snapshots[KEY] = PAID
    await room.runs(flow, KEY)
    more = captured(StoreOrder(handling=PAID.order.shipping.inc_tax).snapshot())
    shop.snapshots[KEY] = more
    assert isinstance(await room.runs(flow, KEY), Done)
    assert (await desk.states())["S1-O10250/2"] == "posted"
    await held_by_count(desk, "S1-O10250")
    outcome = await room.runs(flow, KEY)
    assert isinstance(outcome, Hold), outcome
    assert (outcome.kind, outcome.key) == ("posting_held", "S1-O10250")


async def test_a_posted_order_that_the_store_does_not_know_is_held(desk: Desk, shop: Shop, room: Room) -> None:
    flow = OrdersFlow(room)
    shop.snapshots[KEY] = PAID
    await room.runs(flow, KEY)
    del shop.snapshots[KEY]
    await desk.do("UPDATE records SET attempts = 9")
    outcome = await room.runs(flow, KEY)
    assert isinstance(outcome, Hold), outcome
    assert "S1-O10250" in outcome.message


async def test_an_order_that_nobody_knows_is_left_out(desk: Desk, room: Room) -> None:
    await desk.claim(KEY)
    await desk.do("UPDATE records SET token = NULL, attempts = 9")
    outcome = await room.runs(OrdersFlow(room), KEY)
    assert isinstance(outcome, Done)
    assert outcome.status is Status.EXCLUDED
