"""What an approval procedure in the ERP has caught is no document yet, whatever anybody says of it."""

from dataclasses import replace

import pytest

from ml_connector.desk.decide import Verdict, look, refusal
from ml_connector.engine import postings
from ml_connector.engine.outcomes import Applied, Stopped, Waits
from ml_connector.engine.postings import Name, Posting, State
from tests.exactly_once.desk import Books, Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER = documents(plan(captured(StoreOrder().snapshot())))[0]
KEY = "10250"


async def _caught(desk: Desk, books: Books) -> Posting:
    """The document was sent and became a draft; its order is held for it."""
    books.loses_answers = True
    assert isinstance(await desk.run(KEY, ORDER), Waits)
    books.loses_answers = False
    _becomes(books, "draft")
    held = await desk.run(KEY, ORDER)
    assert isinstance(held, Stopped)
    async with desk.database.connect() as connection:
        return (await postings.read(connection, 1, [ORDER.reference]))[Name(ORDER.reference)]


def _becomes(books: Books, state: str) -> None:
    [(stored, fingerprint)] = books.stored
    books.stored = [(replace(stored, state=state), fingerprint)]


async def test_a_draft_is_not_right_as_it_is(desk: Desk, books: Books) -> None:
    """It would count as posted, and money would be put on it, while nothing is in the books."""
    posting = await _caught(desk, books)
    room = Room(desk, Shop())
    refused = refusal(await look(room, posting), Verdict.RIGHT)
    assert refused is not None
    assert "as draft" in str(refused)
    _becomes(books, "posted")
    found = await look(room, posting)
    assert refusal(found, Verdict.RIGHT) is None
    assert [each.number for each in found.live] == [books.stored[0][0].number]


@pytest.mark.parametrize("state", ["posted", "gone"])
async def test_what_was_a_draft_is_looked_up_again_when_a_person_says_so(desk: Desk, books: Books, state: str) -> None:
    """Approved: the document is found. Deleted: it is sent again. Either way it stands there once."""
    posting = await _caught(desk, books)
    if state == "gone":
        books.stored.clear()
    else:
        _becomes(books, state)
    assert isinstance(await desk.run(KEY, ORDER), Stopped), "a replay alone does not look again"
    async with desk.database.transaction() as connection:
        assert await postings.decide(connection, posting, State.PLANNED, why="a person: it is settled")
    await desk.do("UPDATE postings SET resolve_at = statement_timestamp()")  # H has gone
    assert isinstance(await desk.run(KEY, ORDER), Applied)
    assert books.references() == [ORDER.reference]
