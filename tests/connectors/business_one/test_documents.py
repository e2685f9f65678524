"""Every kind of document: posted, found, read back, cancelled; in either OData version, with and without claims."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from ml_connector.connectors.base import (
    Earlier,
    Ledger,
    ListsDocuments,
    Lookup,
    Outgoing,
    Pings,
    Posted,
    PostResult,
    ReadsChart,
    Refused,
    SetsUp,
    StoredDocument,
)
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.domain.documents import Document, Itemised, LineType, Role
from tests.connectors.business_one.conftest import connect
from tests.connectors.business_one.documents import (
    ADDRESS,
    MUG,
    credit_memo,
    customer,
    delivery,
    deposit,
    invoice,
    line,
    payment,
    refund_payment,
    reversal,
    sales_order,
)
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit

Kept = dict[str, Earlier]


async def post(connector: B1Connector, document: Document, kept: Kept | None = None) -> PostResult:
    (result,) = await connector.post([Outgoing(document, kept or {})], TestPermit())
    return result


async def posted(connector: B1Connector, document: Document, kept: Kept | None = None) -> str:
    """Checked, posted, found again as it was sent; its number."""
    assert await connector.check([document]) == {}
    result = await post(connector, document, kept)
    assert isinstance(result, Posted), result
    (stored,) = await found(connector, document)
    assert stored.number == result.number
    assert stored.state == "posted"
    assert connector.differences(document, stored) == []
    if kept is not None:
        kept[document.reference] = Earlier(result.number, document)
    return result.number


async def found(connector: B1Connector, document: Document, *, everything: bool = False) -> list[StoredDocument]:
    asked = Lookup(document, all_generations=everything)
    return list((await connector.find([asked])).get(document.reference, ()))


def test_its_capabilities(connector: B1Connector) -> None:
    for capability in (Ledger, ListsDocuments, Pings, ReadsChart, SetsUp):
        assert isinstance(connector, capability)


@pytest.fixture(params=["v2", "v1", "claims"])
async def any_way(request: pytest.FixtureRequest, erp: Erp) -> AsyncIterator[B1Connector]:
    settings: dict[str, object] = {"claims": True} if request.param == "claims" else {"api": request.param}
    connector = connect(erp, LocalServices(), **settings)
    yield connector
    await connector.close()


async def test_an_order_from_invoice_to_money_back(any_way: B1Connector, erp: Erp) -> None:
    kept: Kept = {}
    assert (await posted(any_way, invoice(), kept)).startswith("Invoices/")
    await posted(any_way, payment(), kept)
    (paid,) = erp.carrying("Invoices", invoice().reference)
    assert paid["DocumentStatus"] == "bost_Close"
    assert (await posted(any_way, credit_memo(), kept)).startswith("CreditNotes/")
    (credited,) = erp.carrying("CreditNotes", credit_memo().reference)
    assert credited["DocumentLines"][0]["BaseType"] == 13
    assert (await posted(any_way, refund_payment(), kept)).startswith("VendorPayments/")


async def test_orders_deliveries_and_deposits(any_way: B1Connector) -> None:
    kept: Kept = {}
    await posted(any_way, sales_order(), kept)
    await posted(any_way, delivery(), kept)
    await posted(any_way, deposit(), kept)


@pytest.mark.parametrize(
    "document", [invoice(), payment(), credit_memo(), sales_order(), delivery()], ids=lambda d: d.kind
)
async def test_cancelled_once_and_told_apart(any_way: B1Connector, erp: Erp, document: Document) -> None:
    kept: Kept = {}
    if document.applies_to:
        await posted(any_way, invoice(), kept)
    await posted(any_way, document, kept)
    undoing = reversal(document)
    result = await post(any_way, undoing, kept)
    assert isinstance(result, Posted)
    (undone,) = await found(any_way, document, everything=True)
    (cancellation,) = await found(any_way, undoing)
    assert undone.reversed_by == cancellation.number == result.number
    assert cancellation.reverses == undone.number
    again = await post(any_way, undoing, kept)
    assert isinstance(again, Posted)
    assert again.number == result.number


async def test_what_somebody_else_has_cancelled_is_not_ours(connector: B1Connector, erp: Erp) -> None:
    kept: Kept = {}
    number = await posted(connector, invoice(), kept)
    entry = number.partition("/")[2]
    by_hand = connect(erp, LocalServices())
    part = await by_hand._client.write("POST", f"Invoices({entry})/Cancel", permit=TestPermit())
    assert part.status < 400
    await by_hand.close()
    (stored,) = await found(connector, invoice())
    assert stored.reversed_by
    assert await found(connector, reversal(invoice())) == []
    result = await post(connector, reversal(invoice()), kept)
    assert isinstance(result, Refused)
    assert result.hold == "reversed_in_erp"


async def test_another_generation_beside_the_cancelled_one(connector: B1Connector) -> None:
    kept: Kept = {}
    await posted(connector, invoice(), kept)
    await post(connector, reversal(invoice()), kept)
    again = replace(invoice("BC-S1-10311-I-2"), generation=2)
    await posted(connector, again, kept)
    both = await found(connector, invoice(), everything=True)
    assert {(each.reference, bool(each.reversed_by)) for each in both} == {
        ("BC-S1-10311-I", True),
        ("BC-S1-10311-I-2", False),
    }
    assert await found(connector, invoice("BC-S1-1031-I"), everything=True) == []


async def test_a_claim_lets_the_database_refuse_a_second_one(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), claims=True)
    first = await posted(connector, invoice())
    second = await post(connector, invoice())
    assert isinstance(second, Posted)
    assert second.number == first
    assert len(erp.carrying("Invoices", invoice().reference)) == 1
    assert [row["Code"] for row in erp.state("U_MLC_CLAIM")] == [invoice().reference]
    await connector.close()


async def test_two_at_once_with_claims_make_one(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), claims=True)
    results = await asyncio.gather(*(post(connector, invoice()) for _ in range(4)))
    assert len(erp.carrying("Invoices", invoice().reference)) == 1
    numbers = {result.number for result in results if isinstance(result, Posted)}
    assert len(numbers) == 1
    await connector.close()


async def test_a_charge_and_a_discount_come_out_to_the_cent(connector: B1Connector) -> None:
    coupon = line(Role.DISCOUNT_COUPON, "2.75", "A19")
    third = Itemised(LineType.ITEM, MUG, Decimal(3), Decimal("10.9160"), Decimal("10.92"))
    lines = (
        replace(line(Role.REVENUE, "-21.83", "A19"), itemised=third),
        coupon,
        line(Role.TAX_PAYABLE, "-3.63", "A19", type=LineType.TAX, predicted=True),
    )
    await posted(connector, invoice(lines=lines))


async def test_documents_of_a_window(connector: B1Connector) -> None:
    kept: Kept = {}
    await posted(connector, invoice(), kept)
    await posted(connector, payment(), kept)
    await posted(connector, invoice("BC-S2-10311-I"))
    await posted(connector, invoice("BC-S1-10312-I", posting_date=date(2026, 6, 1)), kept)
    await post(connector, reversal(invoice("BC-S1-10312-I")), kept)
    first, last = date(2026, 5, 1), date(2026, 5, 31)
    in_may = [each async for each in connector.documents_between(first, last, "BC-S1-")]
    assert {each.reference for each in in_may} == {"BC-S1-10311-I", "BC-S1-10311-P90100300"}
    later = [each async for each in connector.documents_between(date(2026, 6, 1), date(2027, 12, 31), "BC-S1-")]
    assert {each.reference for each in later} == {"BC-S1-10312-I", "BC-S1-10312-XI"}
    (cancellation,) = await found(connector, reversal(invoice("BC-S1-10312-I")))
    assert cancellation.posting_date is not None
    in_june = [each async for each in connector.documents_between(date(2026, 6, 1), date(2026, 6, 30), "BC-S1-")]
    assert [(each.reference, each.reversed_by) for each in in_june] == [("BC-S1-10312-I", cancellation.number)]
    day = cancellation.posting_date
    assert [each async for each in connector.documents_between(day, day, "BC-S1-")] == [cancellation]
    for each in (*in_may, *later):
        assert sum(line.amount for line in each.lines) == 0


async def test_the_chart_is_read(connector: B1Connector) -> None:
    assert "121000" in {account.number for account in await connector.accounts()}
    assert all(rule.kind for rule in await connector.dimensions())


# ------------------------------------------------------------------ master data


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (invoice(customer="NOBODY"), "customer"),
        (
            invoice(lines=(line(Role.REVENUE, "-1", "A19", type=LineType.ITEM, item="GONE", quantity="1", price="1"),)),
            "item",
        ),
        (
            invoice(lines=(line(Role.REVENUE, "-1", "Q9", type=LineType.ITEM, item=MUG, quantity="1", price="1"),)),
            "tax",
        ),
        (invoice(currency="CHF"), "currency"),
        (replace(payment(), lines=(line(Role.CLEARING, "1", account="999"), *payment().lines[1:])), "gl_account"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_missing_is_named_before_anything_is_sent(
    connector: B1Connector, document: Document, kind: str
) -> None:
    problems = (await connector.check([document]))[document.reference]
    assert [problem.kind for problem in problems] == [kind]


async def test_a_closed_period_is_named_before_anything_is_sent(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), open_from=date(2026, 6, 1))
    (problem,) = (await connector.check([invoice()]))[invoice().reference]
    assert problem.kind == "period"
    await connector.close()


async def test_a_charge_beside_items_needs_the_charge_item(erp: Erp) -> None:
    connector = connect(erp, LocalServices(), charge_item="")
    coupon = line(Role.DISCOUNT_COUPON, "2.75", "A19")
    (problem,) = (await connector.check([invoice(lines=(*invoice().lines, coupon))]))[invoice().reference]
    assert (problem.kind, problem.key) == ("setting", "charge_item")
    await connector.close()


# ------------------------------------------------------------------ customers


async def test_a_customer_is_created_once(connector: B1Connector, erp: Erp) -> None:
    assert await posted(connector, customer()) == "S1-C1042"
    again = await post(connector, customer())
    assert isinstance(again, Posted)
    partners = [row for row in erp.state("BusinessPartners") if row.get("U_MLC_EXTID") == "S1-C1042"]
    assert len(partners) == 1
    assert {row["AddressType"] for row in partners[0]["BPAddresses"]} == {"bo_BillTo", "bo_ShipTo"}


async def test_a_customer_is_matched_by_mail_before_one_is_created(connector: B1Connector, erp: Erp) -> None:
    by_hand = {"CardCode": "C777", "CardName": "Wolf", "CardType": "cCustomer", "EmailAddress": ADDRESS.email}
    part = await connector._client.write("POST", "BusinessPartners", body=by_hand, permit=TestPermit())
    assert part.status == 201
    (stored,) = await found(connector, customer())
    assert stored.number == "C777"
    twin = await connector._client.write(
        "POST", "BusinessPartners", body=by_hand | {"CardCode": "C778"}, permit=TestPermit()
    )
    assert twin.status == 201
    assert len(await found(connector, customer())) == 2  # of several nobody chooses
    unmatched = connect(erp, LocalServices(), customer_match="none")
    assert await found(unmatched, customer()) == []
    await unmatched.close()


async def test_a_customer_is_changed_in_place(connector: B1Connector, erp: Erp) -> None:
    await posted(connector, customer())
    party = replace(customer().party, address=replace(ADDRESS, last_name="Fuchs", city="Ulm"))  # type: ignore[type-var]
    changed = customer("S1-C1042-2", generation=2, party=party)
    (before,) = await found(connector, changed)
    assert len(connector.differences(changed, before)) == 2
    result = await post(connector, changed)
    assert isinstance(result, Posted)
    (after,) = await found(connector, changed)
    assert connector.differences(changed, after) == []
    (partner,) = [row for row in erp.state("BusinessPartners") if row.get("U_MLC_EXTID") == "S1-C1042"]
    assert len(partner["BPAddresses"]) == 2
