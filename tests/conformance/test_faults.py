"""Every fault of the way to the ERP and back, at every kind of document: in the end each stands once, to the cent."""

from collections.abc import Sequence
from itertools import cycle

import pytest

from ml_connector.connectors.base import Outgoing
from ml_connector.connectors.errors import ConnectorError, Throttled
from ml_connector.domain.documents import Document
from ml_connector.engine.outcomes import Applied, Stopped
from tests.conformance.stage import TRIES, Stage
from tests.connectors.shared import TestPermit

WRITES: dict[str, dict[str, object]] = {
    "reset_before": {},
    "reset_after_commit": {},
    "error_after_commit": {"status": 504, "body": "<html>Gateway Time-out</html>", "content_type": "text/html"},
    "half_body": {},
    "truncated_json": {},
    "late_commit": {"commit_after_s": "cleared"},
    "hang": {},
    "status": {"status": 502, "body": "<html>Proxy Error</html>", "content_type": "text/html"},
    "html_503": {},
    "unauthorized": {},
    "throttle": {"retry_after": 1},
    "redirect": {"location": "/elsewhere"},
}
NO_SECRETS = ("company_db", "user", "client_id")
LOOKS = ("reset_before", "half_body", "truncated_json", "html_503", "unauthorized", "throttle", "hang", "redirect")


async def settled_through(stage: Stage, wanted: Sequence[Document]) -> None:
    """The first run meets the fault; it is cleared, and what was late arrives, before the others."""
    await stage.run(wanted)
    assert stage.erp.hits() >= 1, "the fault was never met"
    stage.erp.clear_faults()
    await stage.settled(wanted)


@pytest.mark.parametrize("fault", WRITES)
async def test_a_customer_is_made_once(stage: Stage, fault: str) -> None:
    customer = stage.plan()[0]
    stage.erp.fault_writes(fault, **WRITES[fault])
    await settled_through(stage, [customer])
    stage.stands_once([customer])


@pytest.mark.parametrize("fault", WRITES)
async def test_a_sale_is_posted_once(stage: Stage, fault: str) -> None:
    wanted = await stage.with_customer()
    stage.erp.fault_writes(fault, **WRITES[fault])
    await settled_through(stage, wanted)
    stage.stands_once([stage.plan()[0], *wanted])


@pytest.mark.parametrize(("fault", "before"), list(zip(WRITES, cycle((1, 2, 3)), strict=False)))
async def test_what_follows_a_sale_is_posted_once(stage: Stage, fault: str, before: int) -> None:
    """Payment, refund and the money that goes back, in turn; `before`: documents that stand already."""
    wanted = await stage.with_customer()
    await stage.settled(wanted[:before])
    stage.erp.fault_writes(fault, **WRITES[fault])
    await settled_through(stage, wanted)
    stage.stands_once([stage.plan()[0], *wanted])


BATCHES = ("reset_after_commit", "truncated_json", "throttle")


@pytest.mark.parametrize("fault", BATCHES)
async def test_orders_that_go_together_are_each_posted_once(stage: Stage, fault: str) -> None:
    """As many at once as the system takes: what became of each is told apart, or looked up."""
    numbers = (10250, 10251, 10252, 10253)
    plans = {str(number): await stage.with_customer(number=number) for number in numbers}
    stage.erp.fault_writes(fault, **WRITES[fault])
    await stage.run_together(plans)
    assert stage.erp.hits() >= 1
    stage.erp.clear_faults()
    for _ in range(TRIES):
        await stage.desk.horizon_passes()
        results = await stage.run_together(plans)
        if all(isinstance(result, Applied) for result in results.values()):
            break
    stage.stands_once([stage.plan()[0], *(document for wanted in plans.values() for document in wanted)])


@pytest.mark.parametrize("fault", LOOKS)
async def test_nothing_is_sent_on_a_look_up_that_failed(stage: Stage, fault: str) -> None:
    wanted = await stage.with_customer()
    sent = stage.erp.written()
    stage.erp.fault(fault, stage.listed.looks, times=20)
    result = await stage.run(wanted)
    assert not isinstance(result, Applied), result
    assert stage.erp.hits() >= 1
    assert stage.erp.written() == sent
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
    stage.erp.fault_writes("throttle", retry_after=7)
    with pytest.raises(Throttled) as caught:
        await stage.ledger.post([Outgoing(customer)], TestPermit())
    assert caught.value.retry_after_s == 7
    assert stage.erp.live() == {}


async def test_no_request_is_repeated_by_itself(stage: Stage) -> None:
    """A library that sends again what it lost, or follows a redirect with a body, breaks everything else."""
    customer = stage.plan()[0]
    for fault in ("reset_after_commit", "redirect", "status", "error_after_commit"):
        stage.erp.reset()
        stage.erp.fault_writes(fault, times=9)
        with pytest.raises(ConnectorError):
            await stage.ledger.post([Outgoing(customer)], TestPermit())
        assert stage.erp.hits() == 1, fault


async def test_with_a_right_taken_away_nothing_is_sent_twice(stage: Stage) -> None:
    """Whatever the system says then, "nothing there" included: it licenses no second document."""
    for right in [each["name"] for each in stage.erp.state("rights")]:
        stage.erp.reset()
        await stage.desk.do("DELETE FROM records")
        await stage.desk.do("DELETE FROM postings")
        first = await stage.with_customer()
        await stage.settled(first[:1])
        second = (await stage.with_customer(number=10251))[:1]
        stage.erp.fault_writes("reset_after_commit")
        await stage.run(second, key="10251")
        stage.erp.clear_faults()
        await stage.desk.horizon_passes()
        stage.erp.call("POST", "/withdraw", {"right": right})
        sent = stage.erp.written()
        await stage.run(second, key="10251")
        assert stage.erp.written() == sent, right
        assert [len(each) for each in stage.erp.live().values()] == [1, 1, 1], right


async def test_what_an_approval_procedure_has_caught_waits_for_a_person(stage: Stage) -> None:
    if not stage.listed.approval:
        pytest.skip(f"{stage.listed} has no approval procedures")
    wanted = await stage.with_customer()
    stage.erp.fault_writes(stage.listed.approval)
    await stage.run(wanted)
    stage.erp.clear_faults()
    sent = stage.erp.written()
    for _ in range(2):
        result = await stage.run(wanted)
        assert isinstance(result, Stopped), result
        assert result.kind == "posting_held"
        assert "awaiting approval" in result.message
        await stage.desk.horizon_passes()
    assert stage.erp.written() == sent
    stage.stands_once([stage.plan()[0]])


async def test_no_secret_is_in_what_is_kept_of_the_calls(stage: Stage) -> None:
    await stage.settled(await stage.with_customer())
    secrets = {value for name, value in stage.erp.announced.credentials.items() if name not in NO_SECRETS}
    secrets |= {token.value for token in stage.services.memory_tokens.kept.values()}
    secrets |= set(stage.services.memory_sessions.free)
    kept = [f"{call.url} {call.request_body} {call.response_body} {call.error}" for call in stage.services.kept.calls]
    assert kept
    assert secrets
    assert [secret for secret in secrets if any(secret in each for each in kept)] == []
