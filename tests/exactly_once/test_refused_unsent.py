"""A connector that refuses a document before it opens a write says why; that is what the person is told."""

from collections.abc import Sequence

import pytest

from ml_connector.connectors.base import Outgoing, Permit, PostResult, Refused
from ml_connector.engine.outcomes import Applied, Failed, Stopped
from tests.exactly_once.desk import Books, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER = documents(plan(captured(StoreOrder().snapshot())))[0]
KEY = "10250"


class Picky(Books):
    """An ERP where somebody else has been before: a look shows it, and nothing is sent while there is an `answer`."""

    answer: Refused | None = Refused("it was cancelled by somebody else", hold="reversed_in_erp")

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        if self.answer is None:
            return await super().post(outgoing, permit)
        return [self.answer] * len(outgoing)


@pytest.fixture
def books() -> Picky:
    return Picky()


async def test_its_reason_holds_the_record(desk: Desk, books: Picky) -> None:
    result = await desk.run(KEY, ORDER)
    assert isinstance(result, Stopped), result
    assert (result.kind, result.message) == ("reversed_in_erp", "it was cancelled by somebody else")
    assert ("rejected", ORDER.reference) in desk.stories
    record = await desk.record(KEY)
    assert (record.status, record.hold_kind) == ("held", "reversed_in_erp")
    assert set((await desk.states()).values()) == {"planned"}, "nothing was sent"
    books.answer = None
    assert isinstance(await desk.run(KEY, ORDER), Applied)


async def test_what_passes_is_tried_again(desk: Desk, books: Picky) -> None:
    books.answer = Refused("locked", transient=True)
    assert isinstance(await desk.run(KEY, ORDER), Failed)
