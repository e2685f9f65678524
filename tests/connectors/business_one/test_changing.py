"""An edited open sales order is changed in place: once, whatever happens, and never behind the back of a person."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ml_connector.connectors.base import Earlier, Lookup, Outgoing
from ml_connector.connectors.errors import Rejected
from ml_connector.domain.documents import Document
from ml_connector.engine.database import Database
from ml_connector.engine.outcomes import Applied, Failed, Stopped, Waits
from ml_connector.sandbox.process import SandboxProcess
from tests.conformance.stage import Stage, staged
from tests.conformance.test_deaths import die
from tests.connectors.business_one.test_matching import BUSINESS_ONE
from tests.connectors.business_one.test_planned import EDITED, FREIGHT, MAPPING, PAID
from tests.connectors.shared import TestPermit
from tests.planning.store import D, Item, StoreOrder, a_policy, documents, plan

POLICY = a_policy(sales__document="order", sales__erp_tax_rounding="per_line", posting__trigger="placement")
CHANGES = r"/Orders\(\d+\)$"
EDITED_AGAIN = replace(
    replace(StoreOrder(customer=0), items=(Item(quantity=1), Item(price=D("7.00"), quantity=4))).snapshot(),
    transactions=PAID.transactions,
)


def planned(snapshot: Any, *posted: Document) -> tuple[Document, ...]:
    facts = {"style": "sales", "family": "business_one", "reference_form": "long"}
    return documents(plan(snapshot, POLICY, MAPPING, posted, **facts))  # type: ignore[arg-type]


@pytest.fixture
async def stage(b1_sandbox: SandboxProcess, database: Database) -> AsyncIterator[Stage]:
    async with staged(BUSINESS_ONE, b1_sandbox.systems["business_one"], database, freight=FREIGHT) as stage:
        stage.erp.call("POST", "/seed", {"settings": {"tax_rounding": "line"}})
        yield stage


def orders(stage: Stage) -> list[dict[str, Any]]:
    return [row for row in stage.erp.state("Orders") if str(row.get("U_MLC_REF")).startswith("BC-S1-")]


def stands_as(stage: Stage, wanted: Document, entry: int) -> None:
    """One document in all, the one that was there first, with the content and the name of `wanted`."""
    [row] = orders(stage)
    assert (row["DocEntry"], row["U_MLC_REF"]) == (entry, wanted.reference)
    assert (row["CancelStatus"], Decimal(str(row["DocTotal"]))) == ("csNo", wanted.total)
    sold = [line.itemised.quantity for line in wanted.lines if line.itemised and line.itemised.item]
    items = [Decimal(str(line["Quantity"])) for line in row["DocumentLines"] if line["ItemCode"] != "ADJUSTMENT"]
    assert sorted(items) == sorted(sold)


async def begun(stage: Stage) -> tuple[tuple[Document, ...], tuple[Document, ...], int]:
    """An order stands with its payment; then it is edited."""
    first = planned(PAID)
    await stage.settled(first)
    [row] = orders(stage)
    return first, planned(EDITED, *first), row["DocEntry"]


async def test_an_edit_and_another_one_and_the_cancellation(stage: Stage) -> None:
    first, second, entry = await begun(stage)
    assert isinstance(await stage.run(second), Applied)
    stands_as(stage, second[0], entry)
    shown = await stage.desk.all("SELECT stored ->> 'shown' AS n FROM postings WHERE reference = 'BC-S1-10250-O'")
    assert len({row.n for row in shown}) == 1, "people see the same number as before"
    books = (*first, second[0])
    third = planned(EDITED_AGAIN, *books)
    assert third[0].updates == second[0].reference
    assert isinstance(await stage.run(third), Applied)
    stands_as(stage, third[0], entry)
    [stored] = (await stage.ledger.find([Lookup(third[0])]))[third[0].reference]
    assert stage.ledger.differences(third[0], stored) == []
    cancelled = replace(EDITED_AGAIN, order=replace(EDITED_AGAIN.order, status_id=5))
    assert isinstance(await stage.run(planned(cancelled, *books, third[0])), Applied)
    [row] = orders(stage)
    assert (row["CancelStatus"], "[cancelled as BC-S1-10250-XO-3]" in row["Comments"]) == ("csYes", True)
    assert (await stage.desk.states())["BC-S1-10250-O/3"] == "posted"


FAULTS: dict[str, dict[str, object]] = {
    "reset_after_commit": {},
    "late_commit": {"commit_after_s": "cleared"},
    "error_after_commit": {"status": 504, "body": "<html>Gateway Time-out</html>", "content_type": "text/html"},
    "reset_before": {},
    "etag_conflict": {},
    "unauthorized": {},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_it_is_changed_once_whatever_happens(stage: Stage, fault: str) -> None:
    _, second, entry = await begun(stage)
    stage.erp.fault(fault, CHANGES, method="PATCH", **FAULTS[fault])
    first_run = await stage.run(second)
    assert stage.erp.hits() == 1
    expected = {"etag_conflict": Failed, "unauthorized": Applied}.get(fault, Waits)
    assert isinstance(first_run, expected), first_run
    stage.erp.clear_faults()
    await stage.settled(second)
    stands_as(stage, second[0], entry)


@pytest.mark.crash
@pytest.mark.parametrize("point", ["sending.commit.a", "send.body_out", "answer.read"])
async def test_a_dead_run_s_change_is_ended_once(stage: Stage, database_url: str, point: str, tmp_path: Path) -> None:
    _, second, entry = await begun(stage)
    await stage.desk.do("DELETE FROM records")
    assert await die(stage, database_url, second, f"{point}#1", tmp_path), f"{point} was never reached"
    await stage.take_over()
    await stage.settled(second)
    stands_as(stage, second[0], entry)


async def test_a_change_that_comes_late_does_not_undo_what_came_after_it(stage: Stage) -> None:
    """Later than it may: the engine has given it up, and sent the next. `If-Match` is the last guard."""
    first, second, entry = await begun(stage)
    stage.erp.fault("late_commit", CHANGES, method="PATCH", commit_after_s="cleared")
    assert isinstance(await stage.run(second), Waits)
    await stage.desk.horizon_passes()
    assert (await stage.desk.states())["BC-S1-10250-O/2"] == "uncertain"
    third = planned(EDITED_AGAIN, *first)
    assert third[0].updates == first[0].reference
    await stage.settled(third)
    stands_as(stage, third[0], entry)
    stage.erp.clear_faults()  # and now the lost one arrives
    await stage.ledger.find([Lookup(third[0])])
    stands_as(stage, third[0], entry)


async def test_what_is_out_or_taken_in_hand_waits_for_a_person(stage: Stage) -> None:
    _, second, entry = await begun(stage)
    client = stage.ledger._client  # type: ignore[attr-defined]  # a person's deeds, by the same door
    line = {"BaseType": 17, "BaseEntry": entry, "BaseLine": 0, "Quantity": "1"}
    delivery = {"CardCode": "WEB-GUEST", "DocDate": "2026-03-05", "DocDueDate": "2026-03-05", "DocumentLines": [line]}
    made = await client.write("POST", "DeliveryNotes", body=delivery, permit=TestPermit())
    assert made.status == 201, made.body
    before = orders(stage)
    held = await stage.run(second)
    assert isinstance(held, Stopped), held
    assert (held.kind, "partly delivered" in held.message) == ("amended_after_invoicing", True)
    assert orders(stage) == before
    await client.write("POST", f"Orders({entry})/Close", permit=TestPermit())
    held = await stage.run(second)
    assert isinstance(held, Stopped), held
    assert held.kind == "amended_after_invoicing"


async def test_a_change_that_was_swallowed_is_seen(stage: Stage) -> None:
    """Closed between our look and the change, by a server without ETags: the name moves, the lines do not."""
    _, second, entry = await begun(stage)
    stage.erp.call("POST", "/seed", {"settings": {"etags": False}})
    client = stage.ledger._client  # type: ignore[attr-defined]
    read = client.entity

    async def closed_meanwhile(path: str, **given: Any) -> Any:
        row = await read(path, **given)
        await client.write("POST", f"Orders({entry})/Close", permit=TestPermit())
        return row

    client.entity = closed_meanwhile
    assert isinstance(await stage.run(second), Waits)
    client.entity = read
    held = await stage.run(second)
    assert isinstance(held, Stopped), held
    assert (held.kind, "is not what was planned" in held.message) == ("posting_held", True)


async def test_what_is_not_there_to_be_changed_is_not_changed(stage: Stage) -> None:
    _, second, _ = await begun(stage)
    wrong = {second[0].updates: Earlier("Invoices/1", second[0])}
    with pytest.raises(Rejected, match="no sales order"):
        await stage.ledger.post([Outgoing(second[0], wrong)], TestPermit())
