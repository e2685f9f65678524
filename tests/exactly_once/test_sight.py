"""What was in the ERP once, or may be, is sent again only on the word of a look-up that sees (V)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ml_connector.connectors.base import Lookup, StoredDocument, Timing
from ml_connector.engine import postings
from ml_connector.engine.evidence import unseen_for_s
from ml_connector.engine.outcomes import Applied, Failed
from ml_connector.engine.postings import Name, State
from ml_connector.engine.recovery import at_generation
from tests.exactly_once.desk import Books, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER, OTHER, YOUNG = (
    replace(documents(plan(captured(StoreOrder(id=number).snapshot())))[0], source_digest="") for number in (1, 2, 3)
)


def shows(books: Books, sees: Callable[[str], bool]) -> None:
    """Its look-up shows the references that `sees` is true of."""
    whole = books.find

    async def find(lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        return {reference: hits for reference, hits in (await whole(lookups)).items() if sees(reference)}

    books.find = find  # type: ignore[method-assign]


async def decided(desk: Desk, reference: str, state: State) -> None:
    async with desk.database.transaction() as connection:
        rows = await postings.read(connection, 1, [reference])
        assert await postings.decide(connection, rows[Name(reference)], state, why="it is not there")


async def held_as_gone(desk: Desk) -> None:
    """A person is asked about a document that the look-up did not see."""
    run = await desk.claim("9")
    async with desk.database.connect() as connection:
        rows = await postings.read(connection, 1, [ORDER.reference])
    assert await postings.hold(desk.database, run.fence, rows[Name(ORDER.reference)], "the ERP shows 0 documents")


async def test_what_was_posted_is_not_tried_again_while_the_look_up_is_blind(desk: Desk) -> None:
    assert isinstance(await desk.run("1", ORDER), Applied)
    assert isinstance(await desk.run("2", OTHER), Applied)
    await held_as_gone(desk)
    await decided(desk, ORDER.reference, State.PLANNED)
    desk.books.sees_nothing = True
    assert isinstance(await desk.run("1", ORDER), Failed)
    assert desk.books.references().count(ORDER.reference) == 1, "booked twice"
    desk.books.sees_nothing = False
    assert isinstance(await desk.run("1", ORDER), Applied)
    assert desk.books.references().count(ORDER.reference) == 1


async def test_the_generation_after_one_declared_gone_needs_a_look_up_that_sees(desk: Desk) -> None:
    assert isinstance(await desk.run("1", ORDER), Applied)
    assert isinstance(await desk.run("2", OTHER), Applied)
    await decided(desk, ORDER.reference, State.VOID)
    desk.books.sees_nothing = True
    assert isinstance(await desk.run("1", at_generation(ORDER, 2)), Failed)
    assert desk.books.references() == [ORDER.reference, OTHER.reference], "booked twice"


async def test_a_document_younger_than_the_lag_of_the_look_up_makes_no_look_up_blind(desk: Desk) -> None:
    """Where orders come without a pause there is always one: nothing would ever be proved absent."""
    desk.books.timing = Timing(p_s=2, t_s=10, l_s=10, v_s=30, s_s=0)
    assert isinstance(await desk.run("2", OTHER), Applied)
    await desk.do("UPDATE postings SET posted_at = posted_at - interval '1 hour'")
    assert isinstance(await desk.run("3", YOUNG), Applied)
    desk.books.takes_nothing = True
    await desk.run("1", ORDER)
    desk.books.takes_nothing = False
    await desk.horizon_passes()
    shows(desk.books, lambda reference: reference != YOUNG.reference)
    assert isinstance(await desk.run("1", ORDER), Applied)


async def test_what_was_posted_a_moment_ago_need_not_be_seen_and_cannot_be_gone(desk: Desk) -> None:
    timing = Timing(p_s=2, t_s=10, l_s=10, v_s=30, s_s=0)
    assert isinstance(await desk.run("1", ORDER), Applied)
    for minutes, least_s, most_s in ((0, 0.001, 30), (1, 0, 0)):
        await desk.do(f"UPDATE postings SET posted_at = statement_timestamp() - interval '{minutes} minutes'")
        async with desk.database.connect() as connection:
            [row] = (await postings.read(connection, 1, [ORDER.reference])).values()
        assert least_s <= unseen_for_s(row, timing) <= most_s
