"""Every fault and every death on the way to the store and back: each parcel stands once, with its last number."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document
from ml_connector.engine.outcomes import Applied, Stopped, Waits
from tests.shipments.counter import KEY, Counter

FAULTS: dict[str, dict[str, object]] = {
    "reset_before": {},
    "reset_after_commit": {},
    "error_after_commit": {"status": 504, "body": "<html>Gateway Time-out</html>", "content_type": "text/html"},
    "half_body": {},
    "late_commit": {"commit_after_s": "cleared"},
    "html_503": {},
    "unauthorized": {},
    "throttle": {"retry_after": 1},
}
LOOKS = ("reset_before", "truncated_json", "unauthorized")
DEATHS = (
    *("posting.planned.a#1", "look_up.a#1", "sending.commit.b#1", "sending.commit.a#1", "send.half_body#1"),
    *("send.body_out#1", "answer.read#1", "posted.commit.b#1", "posted.commit.a#1"),
    *("sending.commit.a#2", "send.body_out#2", "posted.commit.b#2"),
)
"""`#2` is at the update of the tracking number."""
SHORT = ("sending.commit.a#1", "send.body_out#1", "posted.commit.b#1", "send.body_out#2")
TOLD = DEATHS if os.environ.get("ML_CONNECTOR_CRASH_LONG") else SHORT


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_parcel_is_shipped_once(counter: Counter, fault: str) -> None:
    parcel = counter.parcel()
    counter.fault(fault, **FAULTS[fault])
    await counter.run(parcel)
    assert counter.hits() == 1, "the fault was never met"
    counter.clear_faults()
    await counter.settled(parcel)
    counter.stands_once(parcel, tracking=["T-1"])


@pytest.mark.parametrize("fault", ["reset_after_commit", "late_commit", "html_503"])
async def test_a_number_is_updated_once_and_the_last_one_stays(counter: Counter, fault: str) -> None:
    parcel = counter.parcel()
    await counter.settled(parcel)
    second, third = counter.tracked(parcel, "T-2"), counter.tracked(parcel, "T-3", 3)
    counter.fault(fault, "PUT", **FAULTS[fault])
    await counter.run(second)
    assert counter.hits() == 1
    assert not isinstance(await counter.run(third), Applied) or counter.made()[0]["tracking_number"] == "T-3"
    counter.clear_faults()
    await counter.settled(second)
    await counter.settled(third)
    counter.stands_once(parcel, tracking=["T-3"])


@pytest.mark.parametrize("fault", LOOKS)
async def test_nothing_is_sent_on_a_look_up_that_failed(counter: Counter, fault: str) -> None:
    parcel, other = counter.parcel(), counter.parcel("D919", line=1)
    await counter.settled(other, key="DeliveryNotes/919")  # an empty list has no body that could be cut
    counter.fault(fault, "GET", times=20)
    assert not isinstance(await counter.run(parcel), Applied)
    assert counter.hits() >= 1
    counter.stands_once(other)
    counter.clear_faults()
    await counter.settled(parcel)
    counter.stands_once(parcel, other)


async def test_a_look_up_that_lags_behind_proves_nothing_before_the_horizon(counter: Counter) -> None:
    """The answer is lost, the shipment is there, and the list does not show it yet."""
    parcel = counter.parcel()
    counter.fault("reset_after_commit")
    assert isinstance(await counter.run(parcel), Waits)
    counter.fault("stale_read", "GET", times=50, seconds=100_000)
    assert isinstance(await counter.run(parcel), Waits), "absent, and that counts for nothing yet"
    counter.clear_faults()
    await counter.settled(parcel)
    counter.stands_once(parcel)


async def test_what_stands_in_the_erp_is_no_witness_of_what_is_seen_in_the_store(counter: Counter) -> None:
    """An invoice was posted after the last shipment: that the store does not show it proves no blindness."""
    parcel = counter.parcel()
    counter.fault("html_503")
    assert isinstance(await counter.run(parcel), Waits)
    await counter.desk.do(
        "INSERT INTO postings (integration, reference, generation, connection, flow, record_key, kind, step, state,"
        " fingerprint, content, posted_at, attempt, version) SELECT integration, 'BC-S1-1-I', 1, connection + 1,"
        " 'orders', '1', 'sales_invoice', 'create', 'posted', 'f', content || '{\"shipment\": null}',"
        " statement_timestamp(), 1, 1 FROM postings"
    )
    await counter.settled(parcel)
    counter.stands_once(parcel)


async def test_two_parcels_with_the_same_pieces_are_two_shipments(counter: Counter) -> None:
    assert counter.shipping is not None
    line = next(place for place, item in enumerate(counter.shipping.items) if item.quantity > 1)
    first, second = counter.parcel(line=line), counter.parcel("D919", line=line)
    await counter.settled(first)
    await counter.settled(second, key="DeliveryNotes/919")
    counter.stands_once(first, second)


async def test_more_than_is_left_is_refused_in_the_stores_words(counter: Counter) -> None:
    stopped = await counter.run(counter.parcel(pieces=1000))
    assert isinstance(stopped, Stopped)
    assert (stopped.kind, "above what is left to ship" in stopped.message) == ("rejected", True)
    assert counter.made() == []


async def test_one_that_was_made_by_hand_counts_as_ours_or_waits_for_a_person(counter: Counter) -> None:
    parcel = counter.parcel()
    counter.by_hand(parcel)
    await counter.settled(parcel)
    assert len(counter.made()) == 1
    assert await counter.desk.one("SELECT adopted, state FROM postings") == (True, "posted")

    other = counter.parcel("D919", "T-9", line=1)
    assert other.shipment is not None
    strict = replace(other, shipment=replace(other.shipment, adopts=False))
    counter.by_hand(strict)
    stopped = await counter.run(strict, key="DeliveryNotes/919")
    assert isinstance(stopped, Stopped)
    assert stopped.kind == "posting_held"
    assert "made by hand" in stopped.message
    assert len(counter.made()) == 2


async def test_a_hand_made_one_of_other_pieces_or_another_number_is_not_ours(counter: Counter) -> None:
    parcel = counter.parcel()
    counter.by_hand(parcel, tracking_number="T-7")
    other = counter.parcel(line=1)
    await counter.settled(other)
    assert len(counter.made()) == 2


async def test_a_shipment_that_was_deleted_is_not_updated_into_another(counter: Counter) -> None:
    parcel = counter.parcel()
    await counter.settled(parcel)
    counter.call("POST", f"/orders/{counter.order}/unship", {})
    stopped = await counter.run(counter.tracked(parcel, "T-2"))
    assert isinstance(stopped, Stopped)
    assert stopped.kind == "rejected"
    assert counter.made() == []


@pytest.mark.crash
@pytest.mark.parametrize("rule", TOLD)
async def test_what_a_dead_run_began_is_ended_once(
    counter: Counter, database_url: str, rule: str, tmp_path: Path
) -> None:
    parcel = counter.parcel()
    update = counter.tracked(parcel, "T-2")
    await _dies(counter, database_url, [parcel, update], rule, tmp_path / "deaths")
    await counter.take_over()
    await counter.settled(parcel)
    await counter.settled(update)
    counter.stands_once(parcel, tracking=["T-2"])


async def _dies(counter: Counter, database_url: str, wanted: list[Document], rule: str, log: Path) -> None:
    """Runs these documents in a process that dies by `rule`."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.shipments.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ML_CONNECTOR_CRASH": f"{rule}:kill", "ML_CONNECTOR_CRASH_LOG": str(log)},
    )
    told = {
        "announced": asdict(counter.announced),
        "database": database_url,
        "documents": [document_to_json(document) for document in wanted],
        "key": KEY,
    }
    said, _ = await child.communicate(json.dumps(told).encode())
    assert child.returncode == -signal.SIGKILL, said.decode()
    assert log.exists(), f"{rule} was never reached"
