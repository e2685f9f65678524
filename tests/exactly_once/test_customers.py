"""The customers flow beside orders that create the same customer: nothing is called done that is in doubt."""

from datetime import UTC, datetime

import pytest

from ml_connector.domain.customers import Customer
from ml_connector.domain.orders import Address
from ml_connector.engine.runs import Done, Hold
from ml_connector.flows.customers import CustomersFlow
from tests.exactly_once.desk import Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import StoreOrder, captured, documents, plan

CREATED, *_ = documents(plan(captured(StoreOrder(customer=4711).snapshot())))
KEY = "4711"
NOW = datetime(2026, 3, 5, tzinfo=UTC)


def person() -> Customer:
    address = Address("Ada", "Byron", street_1="1 Main St", city="Austin", zip="78701", country_iso2="US")
    return Customer(4711, "ada@shop.example", "Ada", "Byron", "", "", 0, NOW, NOW, (address,))


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.people[KEY] = person()
    return shop


@pytest.fixture
def flow(desk: Desk, shop: Shop) -> CustomersFlow:
    return CustomersFlow(Room(desk, shop))


async def test_a_customer_that_an_order_could_not_surely_create_is_not_done(
    desk: Desk, shop: Shop, flow: CustomersFlow
) -> None:
    desk.books.takes_nothing = True
    await desk.run("1", CREATED)
    await desk.do("UPDATE records SET status = 'dead', run_at = NULL, hold_kind = NULL WHERE flow = 'orders'")
    desk.books.takes_nothing = False
    room = Room(desk, shop)
    assert not isinstance(await room.runs(flow, KEY), Done)
    assert (await desk.record(KEY, "customers")).in_s > 1, "it looks again and again until H"
    await desk.horizon_passes()
    outcome = await room.runs(flow, KEY)
    for _ in range(3):
        outcome = outcome if isinstance(outcome, Done) else await room.runs(flow, KEY)
    assert isinstance(outcome, Done)
    assert desk.books.references()[0] == "S1-C4711"


async def test_a_customer_that_waits_for_a_person_is_held(desk: Desk, shop: Shop, flow: CustomersFlow) -> None:
    await desk.run("1", CREATED)
    await desk.do("UPDATE postings SET state = 'held', error = 'two partners carry it'")
    outcome = await Room(desk, shop).runs(flow, KEY)
    assert isinstance(outcome, Hold), outcome
    assert (outcome.kind, outcome.key) == ("posting_held", "S1-C4711")
    assert "two partners" in outcome.message
