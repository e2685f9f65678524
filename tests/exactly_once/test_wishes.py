"""What a person asked for holds until it is done, and what was asked for meanwhile is not taken for it."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from ml_connector.connectors.base import Outgoing, Permit, PostResult
from ml_connector.connectors.errors import Unreachable
from ml_connector.domain.documents import plan_digest
from ml_connector.engine import wishes
from ml_connector.engine.runs import Done, Fail, Hold
from ml_connector.engine.wishes import Kind, Wishes
from ml_connector.flows.order_plans import OrderPlans
from ml_connector.flows.orders import OrdersFlow
from tests.exactly_once.desk import Books, Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import D, StoreOrder, captured

KEY = "10250"
SHOWN = captured(StoreOrder(customer=4711).snapshot())
SNAPSHOTS = {KEY: SHOWN}
EDITED = captured(StoreOrder(customer=4711, handling=D(7)).snapshot())


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.snapshots[KEY] = SHOWN
    return shop


@pytest.fixture
def room(desk: Desk, shop: Shop) -> Room:
    return Room(desk, shop)


def before_posting(books: Books, act: Callable[[Outgoing], Awaitable[None]]) -> None:
    whole = books.post

    async def post(outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        for item in outgoing:
            await act(item)
        return await whole(outgoing, permit)

    books.post = post  # type: ignore[method-assign]


async def approve(desk: Desk, room: Room) -> None:
    """As `plan --apply` does: the digest of what was shown."""
    context = await room.context(1, None)
    shown = (await (await OrderPlans.read(context, SNAPSHOTS)).all())[KEY]
    await ask(desk, "approve", plan_digest(shown))


async def ask(desk: Desk, kind: Kind, digest: str = "") -> None:
    async with desk.database.transaction() as connection:
        await wishes.wish(connection, 1, "orders", kind, [KEY], digests={KEY: digest})


async def asked(desk: Desk) -> Wishes:
    async with desk.database.connect() as connection:
        return await wishes.of_records(connection, 1, "orders", [KEY])


@pytest.mark.parametrize("at", ["the first document", "the document after the customer"])
async def test_an_approval_outlives_a_run_that_could_not_post(desk: Desk, shop: Shop, room: Room, at: str) -> None:
    """Else the next run would post whatever the order has become, which nobody has seen."""
    away = True

    async def fails(item: Outgoing) -> None:
        if away and (at == "the first document" or item.document.reference.startswith("S1-O")):
            raise Unreachable("the ERP is away")

    before_posting(desk.books, fails)
    await approve(desk, room)
    flow = OrdersFlow(room)
    assert isinstance(await room.runs(flow, KEY), Fail)
    away = False
    shop.snapshots[KEY] = EDITED
    outcome = await room.runs(flow, KEY)
    assert isinstance(outcome, Hold), "posted otherwise than it was approved"
    assert outcome.kind == "plan_changed"
    assert "S1-O10250" not in desk.books.references()


async def test_what_was_approved_is_posted_by_a_later_run(desk: Desk, room: Room) -> None:
    away = True

    async def fails(item: Outgoing) -> None:
        if away and item.document.reference.startswith("S1-P"):
            raise Unreachable("the ERP is away")

    before_posting(desk.books, fails)
    await approve(desk, room)
    flow = OrdersFlow(room)
    assert isinstance(await room.runs(flow, KEY), Fail)
    away = False
    assert isinstance(await room.runs(flow, KEY), Done)
    assert len(set(desk.books.references())) == len(desk.books.references()) == 3
    assert not (await asked(desk)).approved


async def test_a_repost_that_is_asked_for_during_a_run_is_not_taken_for_the_one_before(desk: Desk, room: Room) -> None:
    """The run has read the mapping of the first wish; the second was made after another was saved."""
    await ask(desk, "repost")

    async def again(item: Outgoing) -> None:
        if item.document.reference.startswith("S1-P"):
            await ask(desk, "repost")

    before_posting(desk.books, again)
    assert isinstance(await room.runs(OrdersFlow(room), KEY), Done)
    assert (await asked(desk)).reposted == {KEY}


async def test_a_wish_that_is_granted_is_over(desk: Desk, room: Room) -> None:
    await ask(desk, "repost")
    await approve(desk, room)
    assert isinstance(await room.runs(OrdersFlow(room), KEY), Done)
    assert await asked(desk) == Wishes()


async def test_what_was_approved_before_its_customer_was_in_the_erp_is_posted_after_another_order_brought_them(
    desk: Desk, shop: Shop, room: Room
) -> None:
    """Of two orders of a new customer that were shown together, the one that comes later finds an account."""
    later = "10251"
    shop.snapshots[later] = captured(StoreOrder(id=int(later), customer=4711).snapshot(), id="90100002")
    context = await room.context(1, None)
    shown = await (await OrderPlans.read(context, shop.snapshots)).all()
    digests = {key: plan_digest(each) for key, each in shown.items()}
    async with desk.database.transaction() as connection:
        await wishes.wish(connection, 1, "orders", "approve", digests, digests=digests)
    flow = OrdersFlow(room)
    assert isinstance(await room.runs(flow, KEY), Done)
    assert isinstance(await room.runs(flow, later), Done)
    references = desk.books.references()
    assert len(set(references)) == len(references)
    assert {f"S1-O{KEY}", f"S1-O{later}"} <= set(references)

    third = "10252"
    shop.snapshots[third] = captured(StoreOrder(id=int(third), customer=4711).snapshot(), id="90100003")
    async with desk.database.transaction() as connection:  # what was shown of another order is not what was approved
        await wishes.wish(connection, 1, "orders", "approve", [third], digests={third: digests[later]})
    outcome = await room.runs(flow, third)
    assert isinstance(outcome, Hold)
    assert outcome.kind == "plan_changed"
