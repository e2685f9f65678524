"""Every kind of document: found where it is, absent where it is not, posted once, the same when it is read back."""

from dataclasses import replace
from datetime import timedelta

from ml_connector.connectors.base import ListsDocuments, Lookup, Outgoing, Pings, Posted, TellsBooks
from ml_connector.connectors.systems import find_system, system_names
from ml_connector.domain.documents import ITEMISED, Document, Kind, Role
from ml_connector.engine.outcomes import Applied, Stopped
from tests.conformance.stage import Stage, connector_of, worth
from tests.conformance.systems import LISTED
from tests.connectors.shared import TestPermit


def test_every_erp_is_listed() -> None:
    erps = {name for name in system_names() if find_system(name).side == "erp"}
    assert erps == {listed.system for listed in LISTED}


async def test_every_kind_stands_once_and_reads_back_as_it_was_sent(stage: Stage) -> None:
    wanted = await stage.with_customer()
    kinds = {document.kind for document in wanted}
    assert {Kind.PAYMENT, Kind.REFUND_PAYMENT} < kinds
    assert kinds & {Kind.ORDER, *ITEMISED}
    numbers = await stage.settled(wanted)
    everything = [stage.plan()[0], *wanted]
    stage.stands_once(everything)
    found = await stage.ledger.find([Lookup(document) for document in everything])
    for document in everything:
        [stored] = found[document.reference]
        assert stored.number == numbers[document.reference]
        assert not stage.ledger.differences(document, stored)
        assert not stored.reversed_by


async def test_running_again_sends_nothing(stage: Stage) -> None:
    wanted = await stage.with_customer()
    await stage.settled(wanted)
    sent = stage.erp.written()
    assert isinstance(await stage.run(wanted), Applied)
    assert stage.erp.written() == sent
    stage.stands_once([stage.plan()[0], *wanted])


async def test_what_is_not_there_is_absent(stage: Stage) -> None:
    wanted = stage.plan()
    found = await stage.ledger.find([Lookup(document, all_generations=True) for document in wanted])
    assert not any(found.values())


async def test_all_generations_are_found_under_one_name(stage: Stage) -> None:
    order = _order_of(await stage.with_customer())
    second = replace(order, reference=f"{order.reference}-2", generation=2)
    for document in (order, second):  # past the engine, which does not send a second one beside a live first
        [answer] = await stage.ledger.post([Outgoing(document)], TestPermit())
        assert isinstance(answer, Posted), answer
    found = await stage.ledger.find([Lookup(order, all_generations=True)])
    assert {stored.reference for stored in found[order.reference]} == {order.reference, second.reference}
    alone = await stage.ledger.find([Lookup(order)])
    assert [stored.reference for stored in alone[order.reference]] == [order.reference]


async def test_a_neighbour_with_a_longer_name_is_another_document(stage: Stage) -> None:
    order = _order_of(await stage.with_customer())
    neighbour = replace(order, reference=f"{order.reference}9"[:34], long_reference="")
    await stage.settled([neighbour], key="1")
    found = await stage.ledger.find([Lookup(order, all_generations=True)])
    assert not found.get(order.reference)


async def test_a_reversal_undoes_its_document(stage: Stage) -> None:
    order = _order_of(await stage.with_customer())
    await stage.settled([order])
    reversal = replace(
        order,
        kind=Kind.REVERSAL,
        reference=order.reference.replace("-O", "-XO").replace("-I", "-XI"),
        reverses=order.reference,
        posting_date=order.posting_date + timedelta(days=1),
        lines=tuple(line.mirrored("cancelled") for line in order.lines),
    )
    await stage.settled([reversal], key="reversal")
    assert order.reference not in stage.erp.live()
    [stored] = (await stage.ledger.find([Lookup(order)]))[order.reference]
    assert stored.reversed_by


async def test_a_changed_total_is_seen(stage: Stage) -> None:
    order = _order_of(await stage.with_customer())
    await stage.settled([order])
    stage.erp.call("POST", "/tamper", {"reference": order.reference, "amount": "0.01"})
    [stored] = (await stage.ledger.find([Lookup(order)]))[order.reference]
    said = stage.ledger.differences(order, stored)
    assert said
    assert any(str(worth(order)) in words or "0.01" in words for words in said), said


async def test_documents_of_a_window_are_listed(stage: Stage) -> None:
    assert isinstance(stage.ledger, ListsDocuments)
    wanted = await stage.with_customer()
    await stage.settled(wanted)
    days = [document.posting_date for document in wanted]
    prefix = wanted[0].reference.rpartition("10250")[0] or "S1-"
    listed = [stored async for stored in stage.ledger.documents_between(min(days), max(days), _common(prefix))]
    assert {stored.reference for stored in listed} == {document.reference for document in wanted}
    before = min(days) - timedelta(days=1)
    assert [stored async for stored in stage.ledger.documents_between(before, before, _common(prefix))] == []


async def test_what_the_master_data_lacks_is_named_before_a_byte_is_sent(stage: Stage) -> None:
    order = _order_of(await stage.with_customer())
    revenue = next(line for line in order.lines if line.role is Role.REVENUE)
    wrong = replace(revenue, account="998877")
    if revenue.itemised is not None:
        wrong = replace(wrong, itemised=replace(revenue.itemised, item="NO-SUCH-ITEM"))
    broken = replace(order, lines=tuple(wrong if line is revenue else line for line in order.lines))
    sent = stage.erp.written()
    result = await stage.run([broken])
    assert isinstance(result, Stopped), result
    assert "998877" in result.message or "NO-SUCH-ITEM" in result.message
    assert stage.erp.written() == sent


async def test_a_refusal_brings_the_system_s_own_words(stage: Stage) -> None:
    """The day is closed in the ERP and nobody told us: its message is what the person reads, and nothing is booked."""
    order = _order_of(await stage.with_customer())
    stage.erp.call("POST", "/seed", stage.listed.closed_period)
    result = await stage.run([order])
    assert isinstance(result, Stopped), result
    assert result.kind == "closed_period"
    assert result.message
    assert order.reference not in stage.erp.live()


async def test_the_books_have_one_name_by_every_address(stage: Stage) -> None:
    """Two names of one host: whoever posts there under one tag by either must not take it for two sets of books."""
    assert isinstance(stage.ledger, TellsBooks)
    await stage.settled([_order_of(await stage.with_customer())])
    told = await stage.ledger.books()
    assert told
    announced = stage.erp.announced
    other = replace(announced, base_url=announced.base_url.replace("127.0.0.1", "localhost"))
    assert other.base_url != announced.base_url
    async with connector_of(stage.listed, other) as by_another_name:
        assert await by_another_name.books() == told


async def test_ping_is_content_and_names_each_right_that_is_taken_away(stage: Stage) -> None:
    assert isinstance(stage.ledger, Pings)
    assert [check for check in await stage.ledger.ping() if not check.ok and check.needed] == []
    rights = [right["name"] for right in stage.erp.state("rights")]
    assert rights
    for right in rights:
        stage.erp.reset()
        stage.erp.call("POST", "/withdraw", {"right": right})
        bad = [check for check in await stage.ledger.ping() if not check.ok]
        assert bad, f"{right} is gone, and ping says that all is well"
        assert any(right in f"{check.name} {check.message} {check.fix}" for check in bad), (right, bad)
        assert all(check.fix for check in bad)


def _order_of(wanted: tuple[Document, ...]) -> Document:
    """The document of the sale itself, with nothing in front of it."""
    return next(document for document in wanted if document.kind in {Kind.ORDER, *ITEMISED})


def _common(prefix: str) -> str:
    return "BC-S1-" if prefix.startswith("BC-") else "S1-"
