"""A document that may not be sent: its record says why, and does not ask again every second."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ml_connector.connectors.base import Lookup, StoredDocument
from ml_connector.engine.outcomes import Applied, Stopped
from ml_connector.engine.recovery import at_generation
from tests.exactly_once.desk import Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER, PAYMENT = documents(plan(captured(StoreOrder().snapshot())))


async def test_the_next_generation_waits_for_a_person_like_the_one_before(desk: Desk) -> None:
    await desk.run("10250", ORDER)
    await desk.do("UPDATE postings SET state = 'held', error = 'two of them'")
    result = await desk.run("10250", at_generation(ORDER, 2))
    assert isinstance(result, Stopped), result
    assert (result.kind, result.key) == ("posting_held", "S1-O10250")


async def test_what_is_refused_again_and_again_is_tried_ever_more_rarely(desk: Desk) -> None:
    await desk.run("10250", ORDER)  # and nobody has reversed it
    for _ in range(5):
        await desk.run("10250", at_generation(ORDER, 2))
    record = await desk.record("10250")
    assert record.in_s > 4, "every run of it reads the store and asks the ERP"
    assert desk.books.references() == ["S1-O10250"]


async def test_a_content_of_other_dates_is_kept_as_it_is_sent(desk: Desk) -> None:
    """A later reversal takes its day from the posting: it must be the one that was sent."""
    run = await desk.claim("10250")
    later = replace(ORDER, posting_date=ORDER.posting_date.replace(day=28))
    assert later.fingerprint == ORDER.fingerprint
    desk.books.takes_nothing = True
    await desk.apply(run, ORDER)
    await desk.horizon_passes()
    desk.books.takes_nothing = False
    assert isinstance(await desk.apply(run, later), Applied)
    row = await desk.one("SELECT content ->> 'posting_date' AS day FROM postings")
    assert row.day == later.posting_date.isoformat()


@pytest.mark.parametrize("edited", [False, True], ids=["as planned", "edited meanwhile"])
async def test_the_first_look_up_asks_for_all_generations_though_a_run_broke_off_before_it(
    desk: Desk, edited: bool
) -> None:
    """P7, after a restore: the ERP has generations that our rows do not know."""
    asked: list[bool] = []
    find = desk.books.find

    async def watched(lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        asked.extend(lookup.all_generations for lookup in lookups)
        if len(asked) == 1:
            raise ConnectionError("broke off")
        return await find(lookups)

    desk.books.find = watched  # type: ignore[method-assign]
    run = await desk.claim("10250")
    with pytest.raises(ConnectionError):
        await desk.apply(run, ORDER)
    other = documents(plan(captured(StoreOrder(handling=ORDER.lines[0].amount).snapshot())))[0]
    await desk.apply(run, other if edited else ORDER)
    assert asked == [True, True]
