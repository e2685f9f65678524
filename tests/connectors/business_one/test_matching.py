"""Money that came before delivery, matched with its invoice: once, whatever happens, and the customer owes nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from ml_connector.connectors.base import Earlier, Lookup, Outgoing, Posted
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.business_one.matching import application_of
from ml_connector.connectors.errors import Rejected
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine.database import Database
from ml_connector.engine.outcomes import Applied, Stopped, Waits
from ml_connector.sandbox.process import SandboxProcess
from tests.conformance.stage import Stage, staged
from tests.conformance.systems import LISTED
from tests.connectors.business_one.conftest import connect
from tests.connectors.business_one.erp import Erp
from tests.connectors.business_one.test_planned import FREIGHT, MAPPING
from tests.connectors.shared import LocalServices, TestPermit
from tests.planning.store import CREATED, StoreOrder, a_policy, a_transaction, captured, documents, plan

POLICY = a_policy(posting__trigger="shipment", sales__erp_tax_rounding="per_line")
MATCHES = "/InternalReconciliations$"
[BUSINESS_ONE] = [listed for listed in LISTED if listed.system == "business_one"]


def shipped(*amounts: str, mapping: object = MAPPING) -> tuple[Document, ...]:
    """The documents of a guest's order that was paid on one day and shipped on another."""
    order = captured(replace(StoreOrder(customer=0).snapshot()))
    if amounts:
        rows = tuple(a_transaction(amount, number) for number, amount in enumerate(amounts, 1))
        order = replace(order, transactions=rows)
    order = replace(order, order=replace(order.order, status_id=2, shipped=CREATED + timedelta(days=3)))
    facts = {"style": "sales", "family": "business_one", "reference_form": "long"}
    return documents(plan(order, POLICY, mapping, **facts))  # type: ignore[arg-type]


async def post_all(connector: B1Connector, wanted: tuple[Document, ...]) -> dict[str, Earlier]:
    kept: dict[str, Earlier] = {}
    for document in wanted:
        assert await connector.check([document]) == {}
        (result,) = await connector.post([Outgoing(document, kept)], TestPermit())
        assert isinstance(result, Posted), (document, result)
        kept[document.reference] = Earlier(result.number, document)
    return kept


def owed(erp: Erp) -> Decimal:
    [guest] = [row for row in erp.state("BusinessPartners") if row["CardCode"] == "WEB-GUEST"]
    return Decimal(str(guest.get("CurrentAccountBalance") or 0))


async def test_the_invoice_is_settled_with_what_was_paid_before(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    wanted = shipped("50.00", "23.61")
    await post_all(connector, wanted)
    first, second = wanted[-2:]
    assert {first.kind, second.kind} == {Kind.DEPOSIT_APPLICATION}
    [sale] = erp.state("Invoices")
    assert (sale["DocumentStatus"], owed(erp)) == ("bost_Close", 0)
    found = await connector.find([Lookup(document) for document in wanted])
    for document in wanted:
        [stored] = found[document.reference]
        assert connector.differences(document, stored) == []
    days = (date(2026, 3, 1), date(2026, 3, 31))
    listed = [stored async for stored in connector.documents_between(*days, "BC-S1-")]
    assert sorted(stored.reference for stored in listed) == sorted(document.reference for document in wanted)
    none = [stored async for stored in connector.documents_between(*days, "BC-S2-")]
    assert none == []
    await connector.close()


async def test_a_second_one_is_refused_before_a_byte_is_sent(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    wanted = shipped()
    kept = await post_all(connector, wanted)
    with pytest.raises(Rejected, match="has 0 open"):
        await connector.post([Outgoing(wanted[-1], kept)], TestPermit())
    assert len(erp.state("InternalReconciliations")) == 1
    await connector.close()


async def test_what_a_person_matched_is_found_and_what_was_cancelled_is_not(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    wanted = shipped()
    kept = await post_all(connector, wanted[:-1])
    application = wanted[-1]
    assert await connector.find([Lookup(application)]) == {}
    later = replace(application, posting_date=application.posting_date + timedelta(days=9))
    (by_hand,) = await connector.post([Outgoing(later, kept)], TestPermit())
    assert isinstance(by_hand, Posted)
    [stored] = (await connector.find([Lookup(application)]))[application.reference]
    assert stored.number == by_hand.number
    less = tuple(replace(line, amount=line.amount - 1) for line in application.lines)
    assert connector.differences(replace(application, lines=less), stored)
    number = by_hand.number.rpartition("/")[2]
    client = connector._client
    await client.write("POST", f"InternalReconciliations({number})/Cancel", permit=TestPermit())
    assert await connector.find([Lookup(application)]) == {}
    await connector.close()


async def test_who_may_not_see_them_still_ties_out_the_rest(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    wanted = shipped()
    await post_all(connector, wanted[:-1])
    erp.call("POST", "/withdraw", {"right": "InternalReconciliations"})
    days = (date(2026, 3, 1), date(2026, 3, 31))
    listed = [stored.reference async for stored in connector.documents_between(*days, "BC-S1-")]
    assert sorted(listed) == sorted(document.reference for document in wanted[:-1])
    [told] = [check for check in await connector.ping() if check.name.startswith("InternalReconciliations")]
    assert (told.ok, told.needed) == (False, False)
    await connector.close()


async def test_another_currency_is_a_persons_work(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    application = replace(shipped()[-1], currency="EUR")
    [problem] = (await connector.check([application]))[application.reference]
    assert "Internal Reconciliation" in problem.message
    await connector.close()


async def test_only_a_person_undoes_one(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), freight=FREIGHT)
    wanted = shipped()
    kept = await post_all(connector, wanted)
    name = wanted[-1].reference
    undone = replace(wanted[-1], kind=Kind.REVERSAL, reference=name.replace("-A", "-XA"), reverses=name)
    with pytest.raises(Rejected, match="by hand"):
        await connector.post([Outgoing(undone, kept)], TestPermit())
    await connector.close()


@pytest.mark.parametrize(
    ("payment", "application"),
    [
        ("BC-S1-7-P90", "BC-S1-7-A90"),
        ("BC-S1-7-PZ450C2LC", "BC-S1-7-AZ450C2LC"),
        ("BC-S1-7-S", "BC-S1-7-A7"),
        ("BC-S1-7-I", ""),
        ("4711", ""),
    ],
)
def test_the_name_follows_from_the_payment(payment: str, application: str) -> None:
    assert application_of(payment) == application


# ------------------------------------------------------------------ exactly once


@pytest.fixture
async def stage(b1_sandbox: SandboxProcess, database: Database) -> AsyncIterator[Stage]:
    async with staged(BUSINESS_ONE, b1_sandbox.systems["business_one"], database, freight=FREIGHT) as stage:
        stage.erp.call("POST", "/seed", {"settings": {"tax_rounding": "line"}})
        yield stage


FAULTS: dict[str, dict[str, object]] = {
    "reset_after_commit": {},
    "late_commit": {"commit_after_s": "cleared"},
    "error_after_commit": {"status": 504, "body": "<html>Gateway Time-out</html>", "content_type": "text/html"},
    "reset_before": {},
    "status": {"status": 502, "body": "<html>Proxy Error</html>", "content_type": "text/html"},
    "unauthorized": {},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_it_is_matched_once_whatever_happens(stage: Stage, fault: str) -> None:
    wanted = shipped()
    await stage.settled(wanted[:-1])
    stage.erp.fault(fault, MATCHES, method="POST", **FAULTS[fault])
    first = await stage.run(wanted)
    assert stage.erp.hits() == 1
    assert isinstance(first, Applied if fault == "unauthorized" else Waits), first
    stage.erp.clear_faults()
    await stage.settled(wanted)
    [match] = stage.erp.state("InternalReconciliations")
    assert Decimal(str(match["Total"])) == sum(line.amount for line in wanted[-1].lines if line.signed > 0)
    assert [row["DocumentStatus"] for row in stage.erp.state("Invoices")] == ["bost_Close"]


async def test_what_was_paid_otherwise_meanwhile_waits_for_a_person(stage: Stage) -> None:
    wanted = shipped()
    await stage.settled(wanted[:-1])
    numbers = await stage.numbers()
    invoice, receipt = (numbers[document.reference] for document in (wanted[1], wanted[0]))
    assert (invoice.partition("/")[0], receipt.partition("/")[0]) == ("Invoices", "IncomingPayments")
    cash = replace(wanted[0], kind=Kind.PAYMENT, reference="BC-S1-1-P1", applies_to=wanted[1].reference)
    earlier = {wanted[1].reference: Earlier(invoice, wanted[1])}
    [paid] = await stage.ledger.post([Outgoing(cash, earlier)], TestPermit())
    assert isinstance(paid, Posted)
    held = await stage.run(wanted)
    assert isinstance(held, Stopped), held
    assert (held.kind, "open in Business One" in held.message) == ("rejected", True)
    assert stage.erp.state("InternalReconciliations") == []
