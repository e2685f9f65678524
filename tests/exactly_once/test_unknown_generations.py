"""Documents of ours that our records do not know, after a restore: adopted, or shown to a person; never sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ml_connector.connectors.base import Lookup, StoredDocument
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine.outcomes import Applied, Changed, Stopped
from ml_connector.engine.recovery import at_generation
from tests.exactly_once.desk import Books, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER = documents(plan(captured(StoreOrder().snapshot())))[0]
OTHER = documents(plan(captured(StoreOrder(handling=ORDER.lines[0].amount).snapshot())))[0]
KEY = "10250"
NAMES = {"short": ("S1-O10250", "S1-XO10250"), "long": ("BC-S1-10250-O", "BC-S1-10250-XO")}


def all_generations(books: Books) -> None:
    """Its look-up shows every generation of a reference, as that of a real ERP does."""

    async def find(lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        names = [lookup.document.base_reference for lookup in lookups]
        return {
            lookup.document.reference: hits
            for lookup, name in zip(lookups, names, strict=True)
            if (hits := [s for s, _ in books.stored if s.reference == name or s.reference.startswith(f"{name}-")])
        }

    books.find = find  # type: ignore[method-assign]


@pytest.mark.parametrize("form", ["short", "long"])
async def test_a_reversal_of_ours_is_recognised_by_its_reference(desk: Desk, books: Books, form: str) -> None:
    """Taken for a reversal by hand, it would hold an order that is in order."""
    name, reversal = NAMES[form]
    order = replace(ORDER, reference=name)
    books.book(order)
    books.book(replace(order, kind=Kind.REVERSAL, reference=reversal, reverses=name))
    stored, fingerprint = books.stored[0]
    books.stored[0] = replace(stored, reversed_by=books.stored[1][0].number), fingerprint
    all_generations(books)
    assert isinstance(await desk.run(KEY, order), Changed), "plan again, with what was found"
    assert await desk.states() == {f"{name}/1": "posted", f"{reversal}/1": "posted"}


@pytest.mark.parametrize("content", [ORDER, OTHER], ids=["as planned", "something else"])
async def test_a_second_generation_without_the_first_does_not_run_for_ever(
    desk: Desk, books: Books, content: Document
) -> None:
    """Adopted, where it says what is planned; else a person sees it at once, and it is not asked for every hour."""
    books.book(at_generation(content, 2))
    all_generations(books)
    result = await desk.run(KEY, ORDER)
    if content is ORDER:
        assert isinstance(result, Changed)
    else:
        assert isinstance(result, Stopped), result
        assert (result.kind, result.key) == ("posting_held", "S1-O10250")
        assert isinstance(await desk.run(KEY, ORDER), Stopped), "and the next time as well"
    assert books.references() == ["S1-O10250-2"]


async def test_a_generation_that_nobody_posted_bars_the_next_before_a_person(desk: Desk, books: Books) -> None:
    """It was gone before the restore; with nothing to show, the next would be tried again every hour for ever."""
    books.book(at_generation(ORDER, 2))
    all_generations(books)
    await desk.run(KEY, ORDER)
    assert await desk.states() == {"S1-O10250/1": "planned", "S1-O10250/2": "posted"}
    books.stored.clear()
    await desk.do("UPDATE postings SET state = 'void' WHERE generation = 2")
    result = await desk.run(KEY, at_generation(ORDER, 3))
    assert isinstance(result, Stopped), result
    assert (result.kind, result.key) == ("posting_held", "S1-O10250")
    await desk.do("UPDATE postings SET state = 'void' WHERE generation = 1")
    assert isinstance(await desk.run(KEY, at_generation(ORDER, 3)), Applied)
