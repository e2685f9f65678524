"""A document is sent with the numbers of those that it names, as far as they stand."""

from dataclasses import replace

from ml_connector.domain.documents import Kind
from ml_connector.engine import postings
from ml_connector.engine.postings import Name, State
from tests.exactly_once.desk import Books, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER, PAYMENT = documents(plan(captured(StoreOrder().snapshot())))
assert PAYMENT.applies_to == ORDER.reference


async def test_a_payment_knows_the_number_of_what_it_pays(desk: Desk, books: Books) -> None:
    await desk.run("10250", ORDER)
    await desk.run("10250", PAYMENT)
    assert books.told[ORDER.reference] == {}
    assert books.told[PAYMENT.reference] == {ORDER.reference: "100"}


async def test_in_one_run_as_in_two(desk: Desk, books: Books) -> None:
    await desk.run("10250", ORDER, PAYMENT)
    assert books.told[PAYMENT.reference] == {ORDER.reference: "100"}


async def test_generations_are_told_apart(desk: Desk, books: Books) -> None:
    second = replace(ORDER, reference=f"{ORDER.reference}-2", generation=2)
    await desk.run("10250", ORDER)
    await desk.run("10250", replace(ORDER, kind=Kind.REVERSAL, reference="S1-XO10250", reverses=ORDER.reference))
    await desk.run("10250", second)
    await desk.run("10250", replace(PAYMENT, applies_to=second.reference))
    assert books.told["S1-XO10250"] == {ORDER.reference: "100"}
    assert books.told[PAYMENT.reference] == {second.reference: "102"}


async def test_no_money_is_put_on_what_is_gone(desk: Desk, books: Books) -> None:
    await desk.run("10250", ORDER)
    async with desk.database.transaction() as connection:
        await connection.exec_driver_sql("UPDATE postings SET posted_at = posted_at - interval '1 hour'")
        rows = await postings.read(connection, 1, [ORDER.reference])
        assert await postings.decide(connection, rows[Name(ORDER.reference)], State.VOID, why="somebody deleted it")
    books.stored.clear()
    await desk.run("10250", PAYMENT)
    assert books.told[PAYMENT.reference] == {}
