"""The customers flow beside orders that create the same customer: nothing is called done that is in doubt."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ml_connector.connectors.base import Lookup, Outgoing, Permit, PostResult, Problem, StoredDocument
from ml_connector.connectors.errors import Unreachable
from ml_connector.domain.customers import Customer
from ml_connector.domain.documents import Document
from ml_connector.domain.orders import Address
from ml_connector.engine import postings
from ml_connector.engine.apply import Work
from ml_connector.engine.database import Database
from ml_connector.engine.outcomes import Applied, Changed, Stopped
from ml_connector.engine.runs import Done, Hold
from ml_connector.flows.customers import CustomersFlow
from tests.exactly_once.desk import Books, Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import StoreOrder, captured, documents, plan

CREATED, *_ = documents(plan(captured(StoreOrder(customer=4711).snapshot())))
ELSEWHERE = replace(CREATED, text="as another order shows it", source_digest="another")
assert CREATED.party is not None
COMPANY = replace(CREATED, party=replace(CREATED.party, is_company=True))
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


class SlowBooks(Books):
    """An ERP that answers a look-up when it is told to, and one that cannot be reached."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Semaphore(0)
        self.is_asked = asyncio.Semaphore(0)
        self.away = False

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        self.is_asked.release()
        await self.answers.acquire()
        return await super().find(lookups)

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        if self.away:
            raise Unreachable("nobody listens")
        return await super().post(outgoing, permit)


async def test_a_new_customer_of_two_orders_is_sent_by_whoever_comes_first(database: Database) -> None:
    """Both runs plan it, each from its own order; the second must not take the first one's licence away."""
    books = SlowBooks()
    desk = Desk(database, books)
    first, second = await desk.claim("1"), await desk.claim("2")
    sends = asyncio.create_task(desk.apply(first, CREATED))
    await books.is_asked.acquire()
    comes_late = asyncio.create_task(desk.apply(second, ELSEWHERE))
    await books.is_asked.acquire()
    books.answers.release()
    assert isinstance(await sends, Applied)
    books.answers.release()
    assert isinstance(await comes_late, Changed)
    assert books.references() == ["S1-C4711"]
    assert (await desk.one("SELECT content ->> 'text' AS text FROM postings")).text == CREATED.text


async def test_the_second_run_sends_what_the_first_has_planned(database: Database) -> None:
    """It holds the licence as well as the other: what it sends is what the row says."""
    books = SlowBooks()
    desk = Desk(database, books)
    first, second = await desk.claim("1"), await desk.claim("2")
    comes_late = asyncio.create_task(desk.apply(first, CREATED))
    await books.is_asked.acquire()
    sends = asyncio.create_task(desk.apply(second, COMPANY))
    await books.is_asked.acquire()
    books.answers.release()
    books.answers.release()
    results = [await comes_late, await sends]
    assert sorted(type(result).__name__ for result in results) == ["Applied", "Changed"]
    [(_, fingerprint)] = books.stored
    assert fingerprint == CREATED.fingerprint != COMPANY.fingerprint


async def test_a_customer_that_nobody_has_in_hand_any_more_is_sent_as_the_next_order_shows_it(
    database: Database,
) -> None:
    books = SlowBooks()
    desk = Desk(database, books)
    books.answers.release()
    books.answers.release()
    books.away = True
    await desk.run("1", CREATED)
    books.away = False
    assert isinstance(await desk.run("2", ELSEWHERE), Applied)
    assert (await desk.one("SELECT content ->> 'text' AS text FROM postings")).text == ELSEWHERE.text


class PickyBooks(SlowBooks):
    """An ERP that has something against the customer as the other order shows it."""

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        problem = Problem("field", "Country", "the customer has no country in its address")
        return {d.reference: [problem] for d in documents if d.text == ELSEWHERE.text}


async def test_what_is_wrong_with_a_customer_in_another_order_holds_no_order_but_that(database: Database) -> None:
    books = PickyBooks()
    desk = Desk(database, books)
    first, second = await desk.claim("1"), await desk.claim("2")
    lacks_it = asyncio.create_task(desk.apply(first, ELSEWHERE))
    await books.is_asked.acquire()
    shares_it = asyncio.create_task(desk.apply(second, CREATED))
    await books.is_asked.acquire()
    for _ in range(3):
        books.answers.release()
    held, goes_on = await lacks_it, await shares_it
    assert isinstance(held, Stopped)
    assert isinstance(goes_on, Changed), "held for what another order lacks"
    await desk.end(first, held)
    await desk.end(second, goes_on)
    assert isinstance(await desk.run("2", CREATED), Applied)
    assert books.references() == ["S1-C4711"]


async def test_two_orders_of_one_run_with_one_customer_are_held_each_for_itself(database: Database) -> None:
    books = PickyBooks()
    books.answers.release()
    desk = Desk(database, books)
    run = await desk.claim("1", "2")
    results = await desk.applier(run).apply([Work("1", (ELSEWHERE,)), Work("2", (CREATED,))])
    assert isinstance(results["1"], Stopped)
    assert isinstance(results["2"], Changed)


async def test_a_customer_that_is_gone_is_created_again(desk: Desk, shop: Shop, flow: CustomersFlow) -> None:
    """There is no next generation of a customer's creation: all its orders would wait for ever."""
    room = Room(desk, shop)
    assert isinstance(await room.runs(flow, KEY), Done)
    desk.books.stored.clear()
    await desk.do("UPDATE postings SET state = 'checked'")
    async with desk.database.transaction() as connection:
        [row] = (await postings.read(connection, 1, [CREATED.reference])).values()
        state = postings.decided_gone(row)
        assert await postings.decide(connection, row, state, why="deleted there")
    assert isinstance(await room.runs(flow, KEY), Done)
    assert desk.books.references() == [CREATED.reference]
    assert (await desk.states())[f"{CREATED.reference}/1"] == "posted"


async def test_a_customer_that_was_declared_gone_once_can_be_created_again(
    desk: Desk, shop: Shop, flow: CustomersFlow
) -> None:
    room = Room(desk, shop)
    assert isinstance(await room.runs(flow, KEY), Done)
    desk.books.stored.clear()
    await desk.do("UPDATE postings SET state = 'void'")
    assert isinstance(await room.runs(flow, KEY), Hold)
    async with desk.database.transaction() as connection:
        [row] = (await postings.read(connection, 1, [CREATED.reference])).values()
        assert await postings.decide(connection, row, postings.decided_gone(row), why="deleted there")
    assert isinstance(await room.runs(flow, KEY), Done)
    assert desk.books.references() == [CREATED.reference]


async def test_an_update_names_the_account_that_was_bound(desk: Desk, shop: Shop, flow: CustomersFlow) -> None:
    """An ERP that matched the customer by mail once could find somebody else by the new one."""
    room = Room(desk, shop)
    await room.runs(flow, KEY)
    shop.people[KEY] = replace(person(), email="new@shop.example")
    await room.runs(flow, KEY)
    rows = await desk.all("SELECT generation, content ->> 'customer' AS account FROM postings ORDER BY 1")
    assert [(row.generation, row.account) for row in rows] == [(1, ""), (2, "100")]
