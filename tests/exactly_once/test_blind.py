"""A user who sees no documents is told "absent" (V): that proves nothing, and must not license a second post."""

from dataclasses import replace

from ml_connector.engine import postings
from ml_connector.engine.evidence import blind_count
from ml_connector.engine.outcomes import Applied, Failed
from tests.exactly_once.desk import ERP, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER, OTHER = (
    replace(documents(plan(captured(StoreOrder(id=number).snapshot())))[0], source_digest="") for number in (1, 2)
)


async def test_absence_is_believed_only_from_a_look_up_that_sees_our_youngest_document(desk: Desk) -> None:
    assert isinstance(await desk.run("1", OTHER), Applied)
    desk.books.loses_answers = True
    await desk.run("2", ORDER)
    desk.books.loses_answers = False
    await desk.horizon_passes()
    desk.books.sees_nothing = True
    result = await desk.run("2", ORDER)
    assert isinstance(result, Failed), result
    assert "S1-O2" in str(result.error)
    assert (await desk.record("2")).in_s > 1
    assert len(desk.books.references()) == 2, "booked twice"
    desk.books.sees_nothing = False
    assert isinstance(await desk.run("2", ORDER), Applied)
    assert len(desk.books.references()) == 2


async def test_the_first_document_of_all_has_no_witness(desk: Desk) -> None:
    desk.books.takes_nothing = True
    await desk.run("2", ORDER)
    desk.books.takes_nothing = False
    await desk.horizon_passes()
    assert isinstance(await desk.run("2", ORDER), Applied)


async def test_a_count_that_misses_documents_is_believed_only_while_it_sees_one_of_the_kind(desk: Desk) -> None:
    assert isinstance(await desk.run("1", OTHER), Applied)
    assert isinstance(await desk.run("2", ORDER), Applied)
    async with desk.database.connect() as connection:
        rows = await postings.read(connection, 1, [OTHER.reference, ORDER.reference])
    [missing] = [row for row in rows.values() if row.name.reference == ORDER.reference]
    desk.books.sees_nothing = True
    assert await blind_count(desk.database, 1, ERP, desk.books, [missing]) is None, (
        "nothing was counted yet: no witness"
    )
    await desk.do(f"UPDATE postings SET state = 'checked' WHERE reference = '{OTHER.reference}'")
    blind = await blind_count(desk.database, 1, ERP, desk.books, [missing])
    assert blind is not None
    assert OTHER.reference in str(blind)
    desk.books.sees_nothing = False
    assert await blind_count(desk.database, 1, ERP, desk.books, [missing]) is None
