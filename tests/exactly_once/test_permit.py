"""The watchdog makes P true for every send that is under way (3.1): one that ends must not take it from another."""

import pytest

from ml_connector.connectors.errors import NotSent
from ml_connector.engine import postings
from ml_connector.engine.apply import Work, planned_from
from ml_connector.engine.permit import SendPermit
from ml_connector.engine.watchdog import Watchdog
from tests.exactly_once.desk import ERP, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

FIRST, SECOND, *_ = documents(plan(captured(StoreOrder().snapshot())))


async def test_a_permit_that_is_refused_leaves_the_watchdog_to_the_others(desk: Desk) -> None:
    run = await desk.claim("10250")
    work = Work("10250", (FIRST, SECOND))
    planned = [planned_from(each, connection=ERP, flow="orders", work=work) for each in work.documents]
    rows = await postings.plan(desk.database, run.fence, planned)
    first, second = (rows[each.name] for each in planned)
    watchdog = Watchdog()
    sends = SendPermit(desk.database, run.fence, [first], desk.books.timing, watchdog)
    await sends.arm()
    try:
        await postings.replan(desk.database, run.fence, [(second, planned[1])])
        refused = SendPermit(desk.database, run.fence, [second], desk.books.timing, watchdog)
        with pytest.raises(NotSent):
            await refused.arm()
        refused.close()
        assert watchdog.armed, "the first document is on its way, and nothing watches over it"
    finally:
        sends.close()
    assert not watchdog.armed
