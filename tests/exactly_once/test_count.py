"""The count of what was changed in place: under its old name there is nothing to find any more."""

from dataclasses import replace
from typing import Any

import pytest

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import Document
from ml_connector.engine import postings
from ml_connector.engine.postings import Posting, State
from ml_connector.flows.count import _counted
from tests.exactly_once.desk import Books, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER = replace(documents(plan(captured(StoreOrder(id=2).snapshot())))[0], source_digest="")
THERE = StoredDocument(ORDER.reference, "100")


@pytest.fixture
async def posting(desk: Desk) -> Posting:
    await desk.run("2", ORDER)
    async with desk.database.connect() as connection:
        [row] = (await postings.read(connection, 1, [ORDER.reference])).values()
    return row


def counted(posting: Posting, found: list[StoredDocument], update: State | None) -> Any:
    document: Document = ORDER
    books = Books()
    books.stored = [(each, document.fingerprint) for each in found]
    return _counted(posting, document, found, books, ours=update is not None, update=update)


async def test_what_was_changed_in_place_is_not_looked_for_under_its_old_name(posting: Posting) -> None:
    assert counted(posting, [], None).count == 0
    for state in (State.SENDING, State.UNCERTAIN, State.POSTED, State.CHECKED, State.HELD):
        assert counted(posting, [], state).count == 1


async def test_while_the_change_is_on_its_way_either_name_is_right(posting: Posting) -> None:
    assert counted(posting, [THERE], State.UNCERTAIN).count == 1
    twice = [THERE, replace(THERE, number="101")]
    assert counted(posting, twice, State.UNCERTAIN).count != 1


async def test_a_second_document_under_the_old_name_is_held(posting: Posting) -> None:
    for state in (State.POSTED, State.CHECKED):
        result = counted(posting, [THERE], state)
        assert result.count != 1
        assert "has another name since" in result.error
