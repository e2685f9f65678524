"""Nothing that stands in the ERP is left behind because the plan does not name it any more."""

from dataclasses import replace
from typing import Any, cast

from ml_connector.domain.documents import Document, Held, Kind
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import OpenPeriods
from ml_connector.engine import postings
from ml_connector.engine.postings import Name, State
from ml_connector.flows.facts import facts_of
from ml_connector.planning import plan_order
from tests.exactly_once.desk import Desk
from tests.planning.store import (
    ZERO,
    StoreOrder,
    a_mapping,
    a_policy,
    captured,
    documents,
    due,
    held,
    plan,
)

PAID = captured(StoreOrder().snapshot())


class _Context:
    periods = OpenPeriods()
    reference_form = "short"
    style = "journal"
    family = "s4hana"
    kinds = None


async def planned(desk: Desk, snapshot: OrderSnapshot) -> tuple[Document, ...]:
    """The plan on what our postings say."""
    async with desk.database.connect() as connection:
        rows = await postings.of_records(connection, 1, "orders", [str(snapshot.order.id)])
    facts = facts_of(
        rows.values(), cast("Any", _Context()), periods=OpenPeriods(), customer_accounts={}, backfilled=False
    )
    return documents(plan_order(snapshot, a_mapping(), a_policy(), facts))


async def test_a_reversal_that_is_gone_reverses_nothing(desk: Desk) -> None:
    cancelled = replace(PAID, order=replace(PAID.order, status_id=5))
    await desk.run("10250", *await planned(desk, PAID))
    await desk.run("10250", *(d for d in await planned(desk, cancelled) if not d.already))
    assert (await desk.states())["S1-XO10250/1"] == "posted"
    async with desk.database.transaction() as connection:
        rows = await postings.read(connection, 1, ["S1-XO10250"])
        assert await postings.decide(connection, rows[Name("S1-XO10250")], State.VOID, why="it is not in the ERP")
    wanted = [d for d in await planned(desk, cancelled) if not d.already]
    assert [d.kind for d in wanted] == [Kind.REVERSAL], "the order stands in the ERP, and nobody would reverse it"


def test_an_order_that_was_posted_and_is_emptied_is_not_left_out() -> None:
    posted = documents(plan(PAID))
    order = StoreOrder(items=(), shipping=()).snapshot()
    emptied = replace(order, transactions=PAID.transactions)
    assert due(emptied) == ZERO
    result = plan(emptied, posted=posted)
    assert isinstance(result, Held), result
    assert held(result).key == "S1-O10250"
