"""What a look-up or an answer proves, and what a run makes of it."""

from collections.abc import Sequence
from dataclasses import replace

from ml_connector.connectors.base import Outgoing, Permit, PostResult
from ml_connector.connectors.errors import NotSent
from ml_connector.engine import postings, records
from ml_connector.engine.outcomes import Applied, Changed, Stopped, Waits
from ml_connector.engine.postings import Name, State
from ml_connector.engine.recovery import at_generation
from ml_connector.flows.orders import OrdersFlow
from tests.exactly_once.desk import Books, Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import StoreOrder, captured, documents, plan

PAID = captured(StoreOrder().snapshot())
ORDER = documents(plan(PAID))[0]
OTHER = documents(plan(captured(StoreOrder(handling=ORDER.lines[0].amount).snapshot())))[0]
KEY = "10250"


async def test_where_no_byte_has_left_the_document_is_free_at_once(desk: Desk, books: Books) -> None:
    """The line was too slow, or P was over: not a byte is out, and waiting for H would cost eleven minutes."""
    take = books.post

    async def too_late(outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        await permit.arm()
        raise NotSent("too late")

    books.post = too_late  # type: ignore[method-assign]
    assert isinstance(await desk.run(KEY, ORDER), Changed)
    assert await desk.states() == {"S1-O10250/1": "planned"}
    books.post = take  # type: ignore[method-assign]
    assert isinstance(await desk.run(KEY, ORDER), Applied)


async def test_an_answer_that_reaches_a_fenced_run_is_kept_and_changes_nothing(desk: Desk, books: Books) -> None:
    take = books.post

    async def swept_meanwhile(outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        answer = await take(outgoing, permit)
        await desk.do("UPDATE runs SET lease_until = '-infinity'")
        async with desk.database.transaction() as connection:
            assert await records.sweep(connection)
        return answer

    books.post = swept_meanwhile  # type: ignore[method-assign]
    run = await desk.claim(KEY)
    assert isinstance(await desk.apply(run, ORDER), Changed)
    assert await desk.states() == {"S1-O10250/1": "sending"}, "a fenced run has written"
    assert ("fenced", "S1-O10250") in desk.stories, "what the ERP said is lost"
    books.post = take  # type: ignore[method-assign]
    assert isinstance(await desk.run(KEY, ORDER), Applied)
    assert books.references() == ["S1-O10250"]


async def test_an_open_posting_is_resolved_though_the_plan_does_not_name_it_any_more(desk: Desk, books: Books) -> None:
    """P1: the answer was lost, then the order is gone from the store: nobody would ever look at the document again."""
    shop = Shop()
    room = Room(desk, shop)
    shop.snapshots[KEY] = PAID
    books.loses_answers = True
    await room.runs(OrdersFlow(room), KEY)
    assert "uncertain" in (await desk.states()).values()
    books.loses_answers = False
    del shop.snapshots[KEY]
    await room.runs(OrdersFlow(room), KEY)
    assert "uncertain" not in (await desk.states()).values()


async def test_of_two_documents_none_is_chosen(desk: Desk, books: Books) -> None:
    books.loses_answers = True
    await desk.run(KEY, ORDER)
    books.book(ORDER)
    assert isinstance(await desk.run(KEY, ORDER), Stopped)
    row = await desk.one("SELECT state, error FROM postings")
    assert row.state == "held"
    assert "2 documents" in row.error


async def test_a_document_that_says_something_else_is_held(desk: Desk, books: Books) -> None:
    """Somebody else has booked under our reference between our look-up and our request, which the ERP then lost."""
    books.takes_nothing = True
    await desk.run(KEY, ORDER)
    books.book(OTHER)
    assert isinstance(await desk.run(KEY, ORDER), Stopped)
    assert await desk.states() == {"S1-O10250/1": "held"}


async def test_what_we_never_sent_is_adopted(desk: Desk, books: Books) -> None:
    books.book(ORDER)
    assert isinstance(await desk.run(KEY, ORDER), Applied)
    assert (await desk.one("SELECT adopted FROM postings")).adopted, "it would be amended and reversed by itself"
    assert books.references() == ["S1-O10250"]


async def test_a_generation_that_is_gone_is_not_sent_again(desk: Desk, books: Books) -> None:
    """P12: deleted in the ERP; a person said so. What follows is the next generation, under its own reference."""
    await desk.run(KEY, ORDER)
    books.stored.clear()
    async with desk.database.transaction() as connection:
        rows = await postings.read(connection, 1, ["S1-O10250"])
        assert await postings.decide(connection, rows[Name("S1-O10250")], State.VOID, why="deleted")
    assert isinstance(await desk.run(KEY, replace(ORDER)), Stopped)
    assert books.references() == []


async def test_what_arrives_after_it_was_declared_gone_bars_the_next_generation(desk: Desk, books: Books) -> None:
    """P7: somebody else's document was found and taken away while our own request was still on its way."""
    books.takes_nothing = True
    await desk.run(KEY, ORDER)
    books.book(OTHER)
    assert isinstance(await desk.run(KEY, ORDER), Stopped)
    books.stored.clear()
    async with desk.database.transaction() as connection:
        rows = await postings.read(connection, 1, ["S1-O10250"])
        assert await postings.decide(connection, rows[Name("S1-O10250")], State.VOID, why="deleted")
    books.takes_nothing = False
    second = at_generation(ORDER, 2)
    assert isinstance(await desk.run(KEY, second), Waits), "it may still be committed"
    books.book(ORDER)
    await desk.do("UPDATE postings SET resolve_at = statement_timestamp() - interval '1 second' WHERE state = 'void'")
    result = await desk.run(KEY, second)
    assert books.references() == ["S1-O10250"], "booked twice"
    assert isinstance(result, Stopped)
    assert "declared gone" in result.message
    books.stored.clear()
    assert isinstance(await desk.run(KEY, second), Applied)
