"""Every fault of the way to the ERP and back, at every kind of document: in the end each stands once, to the cent."""

from collections.abc import Sequence
from itertools import cycle

import pytest

from ml_connector.connectors.base import Outgoing
from ml_connector.connectors.errors import ConnectorError, Throttled
from ml_connector.domain.documents import Document
from ml_connector.engine.outcomes import Applied
from tests.conformance.stage import Stage
from tests.connectors.shared import TestPermit

WRITES: dict[str, dict[str, object]] = {
    "reset_before": {},
    "reset_after_commit": {},
    "error_after_commit": {"status": 504, "body": "<html>Gateway Time-out</html>", "content_type": "text/html"},
    "half_body": {},
    "late_commit": {"commit_after_s": "cleared"},
    "hang": {},
    "status": {"status": 502, "body": "<html>Proxy Error</html>", "content_type": "text/html"},
    "html_503": {},
    "unauthorized": {},
    "throttle": {"retry_after": 1},
    "redirect": {"location": "/elsewhere"},
}
LOOKS = ("reset_before", "half_body", "truncated_json", "html_503", "unauthorized", "throttle", "hang", "redirect")


async def settled_through(stage: Stage, wanted: Sequence[Document]) -> None:
    """The first run meets the fault; it is cleared, and what was late arrives, before the others."""
    await stage.run(wanted)
    assert stage.erp.hits() == 1, "the fault was never met"
    stage.erp.clear_faults()
    await stage.settled(wanted)


@pytest.mark.parametrize("fault", WRITES)
async def test_a_customer_is_made_once(stage: Stage, fault: str) -> None:
    customer = stage.plan()[0]
    stage.erp.fault(fault, stage.listed.writes, method="POST", **WRITES[fault])
    await settled_through(stage, [customer])
    stage.stands_once([customer])


@pytest.mark.parametrize("fault", WRITES)
async def test_a_sale_is_posted_once(stage: Stage, fault: str) -> None:
    wanted = await stage.with_customer()
    stage.erp.fault(fault, stage.listed.writes, method="POST", **WRITES[fault])
    await settled_through(stage, wanted)
    stage.stands_once([stage.plan()[0], *wanted])


@pytest.mark.parametrize(("fault", "before"), list(zip(WRITES, cycle((1, 2, 3)), strict=False)))
async def test_what_follows_a_sale_is_posted_once(stage: Stage, fault: str, before: int) -> None:
    """Payment, refund and the money that goes back, in turn; `before`: documents that stand already."""
    wanted = await stage.with_customer()
    await stage.settled(wanted[:before])
    stage.erp.fault(fault, stage.listed.writes, method="POST", **WRITES[fault])
    await settled_through(stage, wanted)
    stage.stands_once([stage.plan()[0], *wanted])


@pytest.mark.parametrize("fault", LOOKS)
async def test_nothing_is_sent_on_a_look_up_that_failed(stage: Stage, fault: str) -> None:
    wanted = await stage.with_customer()
    sent = stage.erp.requests(stage.listed.writes)
    stage.erp.fault(fault, stage.listed.looks, times=20)
    result = await stage.run(wanted)
    assert not isinstance(result, Applied), result
    assert stage.erp.hits() >= 1
    assert stage.erp.requests(stage.listed.writes) == sent
    stage.erp.clear_faults()
    await stage.settled(wanted)
    stage.stands_once([stage.plan()[0], *wanted])


async def test_a_session_that_is_lost_is_opened_again(stage: Stage) -> None:
    wanted = await stage.with_customer()
    for number in range(len(wanted)):
        stage.erp.call("POST", "/lose_sessions", {})
        assert isinstance(await stage.run(wanted[: number + 1]), Applied)
    stage.stands_once([stage.plan()[0], *wanted])


async def test_a_throttle_says_how_long(stage: Stage) -> None:
    customer = stage.plan()[0]
    stage.erp.fault("throttle", stage.listed.writes, method="POST", retry_after=7)
    with pytest.raises(Throttled) as caught:
        await stage.ledger.post([Outgoing(customer)], TestPermit())
    assert caught.value.retry_after_s == 7
    assert stage.erp.live() == {}


async def test_no_request_is_repeated_by_itself(stage: Stage) -> None:
    """A library that sends again what it lost, or follows a redirect with a body, breaks everything else."""
    customer = stage.plan()[0]
    for fault in ("reset_after_commit", "redirect", "status", "error_after_commit"):
        stage.erp.reset()
        stage.erp.fault(fault, stage.listed.writes, method="POST", times=9)
        with pytest.raises(ConnectorError):
            await stage.ledger.post([Outgoing(customer)], TestPermit())
        assert stage.erp.hits() == 1, fault
