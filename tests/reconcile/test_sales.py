"""The tie-out where the ERP takes itemised documents: what is right ties, and each planted fault is found."""

from dataclasses import replace

import pytest

from ml_connector.domain.documents import Kind
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.planning.families import FAMILIES
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.names import Named, Names, kind_of
from tests.planning.store import D, Item, StoreOrder, a_mapping, a_policy, a_refund, an_item, due
from tests.reconcile.books import Books, causes
from tests.reconcile.memory import World, an_order

FORMS = [(family, "invoice") for family in sorted(FAMILIES)] + [("business_one", "order"), ("business_one", "delivery")]
TABLES = a_mapping(items_match="sku", items={"": "WEB-MISC"})
LETTER = {"invoice": "I", "order": "O", "delivery": "L"}


def books_of(family: str = "business_one", document: str = "invoice") -> Books:
    return Books(family, a_policy(sales__document=document), TABLES)


def refunded(order: OrderSnapshot, number: int = 31) -> OrderSnapshot:
    line = order.lines[0]
    share = (line.totals.inc_tax / 3).quantize(D("0.01"))
    tax = (line.totals.tax / 3).quantize(D("0.01"))
    return replace(order, refunds=(a_refund(share, tax, an_item("PRODUCT", line.id, 1), number=number),))


def cancelled(order: OrderSnapshot) -> OrderSnapshot:
    return replace(order, order=replace(order.order, status_id=5), refunds=())


ORDERS = {
    "paid by card": an_order(10250),
    "refunded in part": refunded(an_order(10251), 32),
    "store credit and certificate": an_order(10252, store_credit=D("10.00"), gift_certificate=D("15.50")),
    "all by store credit": an_order(10253, store_credit=due(StoreOrder(id=10253).snapshot())),
    "nothing to pay": an_order(10254, items=(Item(discounts=(("c", "FREE", D("60.00")),)),), shipping=(D(0),)),
    "tax included": an_order(10255, inclusive=True, items=(Item(rate="high"),), charge_rate="high"),
    "certificate sold": an_order(10256, items=(Item(), Item(type="giftcertificate", rate="none", quantity=1))),
    "a fraction that is rounded": an_order(10257, items=(Item(price=D("19.99"), quantity=3),), residue=1),
}


@pytest.mark.parametrize(("family", "document"), FORMS)
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_right_ties(order: str, family: str, document: str) -> None:
    books = books_of(family, document)
    made = books.post(ORDERS[order])
    result = books.tie()
    assert result.clean, result.found
    assert result.documents == len(made)
    assert not any(result.differences.values())


@pytest.mark.parametrize("document", LETTER)
async def test_three_sides_tie_too(document: str) -> None:
    world = World(books_of(document=document))
    for order in ORDERS.values():
        world.trade(order)
    totals = await world.compared()
    assert totals.ties, totals.found
    assert totals.orders == len(ORDERS)


async def test_an_order_that_is_cancelled_leaves_nothing_to_expect() -> None:
    order = replace(ORDERS["all by store credit"], transactions=())
    world = World(books_of())
    world.trade(order)
    world.trade(cancelled(order))
    totals = await world.compared()
    assert totals.ties, totals.found


async def test_an_order_that_was_changed_in_place_ties_by_its_new_name_and_is_missed_by_it() -> None:
    first = ORDERS["paid by card"]
    line = StoreOrder(id=10250, items=(Item(quantity=2),)).snapshot()
    world = World(books_of(document="order"))
    world.trade(first)
    world.trade(replace(line, transactions=first.transactions))
    names = sorted(each.reference for each in world.books.stored)
    assert names == ["BC-S1-10250-O-2", "BC-S1-10250-P90110250"]
    totals = await world.compared()
    assert [(each.cause, each.reference) for each in totals.differences] == []
    assert totals.ties, totals.found
    world.books.drop("BC-S1-10250-O-2")
    totals = await world.compared()
    assert causes(totals.differences) == [("deleted", "BC-S1-10250-O-2")]


async def test_the_old_name_beside_the_new_one_is_found() -> None:
    first = ORDERS["paid by card"]
    line = StoreOrder(id=10250, items=(Item(quantity=2),)).snapshot()
    world = World(books_of(document="order"))
    world.trade(first)
    [old] = [each for each in world.books.stored if each.reference == "BC-S1-10250-O"]
    world.trade(replace(line, transactions=first.transactions))
    world.books.stored.append(replace(old, number="0199999999/1710/2026"))
    assert not (await world.compared()).ties


FAULTS = {
    "missing": lambda books, name: books.drop(name),
    "duplicate": lambda books, name: books.double(name),
    "amount": lambda books, name: books.shift(name, "0.01", tax=False),
    "currency": lambda books, name: books.change(name, currency="EUR"),
}


@pytest.mark.parametrize("letter", ["I", "P90010252", "T", "G", "R32", "M78"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_with_its_order(fault: str, letter: str) -> None:
    books = books_of()
    order = ORDERS["store credit and certificate"] if letter[0] in "IPTG" else ORDERS["refunded in part"]
    for each in ("paid by card", "refunded in part", "store credit and certificate"):
        books.post(ORDERS[each])
    number = order.order.id
    payment = order.transactions[0].id
    reference = f"BC-S1-{number}-P{payment}" if letter[0] == "P" else f"BC-S1-{number}-{letter}"
    FAULTS[fault](books, reference)
    result = books.tie()
    assert [found.order_id for found in result.found if found.cause == fault] == [number], causes(result.found)
    assert all(found.order_id == number for found in result.found), causes(result.found)
    assert all(found.reference == reference for found in result.found if found.cause == fault)


def test_tax_that_differs_is_found_where_the_total_ties() -> None:
    books = books_of()
    books.post(ORDERS["paid by card"])
    books.shift("BC-S1-10250-I", "0.06", tax=True)
    assert causes(books.tie().found) == [("tax", "BC-S1-10250-I")]


async def test_three_sides_name_what_somebody_deleted_and_what_nobody_made() -> None:
    world = World(books_of())
    world.trade(ORDERS["paid by card"])
    world.trade(ORDERS["store credit and certificate"])
    world.books.drop("BC-S1-10252-T")
    stray = world.add("BC-S1-10999-I", ORDERS["paid by card"].order.created.date())
    found = {each.reference: each for each in (await world.compared()).found}
    assert found["BC-S1-10252-T"].cause is Cause.DELETED
    assert found["BC-S1-10252-T"].order_id == 10252
    assert found[stray.reference].cause is Cause.FOREIGN
    assert found[stray.reference].order_id == 10999
    assert len(found) == 2


def test_store_credit_ties_as_a_kind_of_its_own() -> None:
    books = books_of()
    books.post(ORDERS["store credit and certificate"])
    rows = {row.kind: (row.store, row.erp) for row in books.tie().rows}
    assert rows["store credit payments"] == (D("10.00"), D("10.00"))
    assert rows["certificate payments"] == (D("15.50"), D("15.50"))
    assert rows["store credit"] == (D("-10.00"), D("-10.00"))
    assert rows["gift certificates"] == (D("-15.50"), D("-15.50"))


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("BC-S1-10250-I", Named("O", "10250", "10250")),
        ("BC-S1-10250-L-3", Named("O", "10250", "10250", 3)),
        ("BC-S1-10250-P90100211", Named("P", "90100211", "10250")),
        ("BC-S1-10250-T", Named("T", "10250", "10250")),
        ("S1-O10250-2", Named("O", "10250", "10250", 2)),
        ("S1-R31", Named("R", "31", "")),
        ("S1-PZ1Z141Z3", Named("P", "4294967295", "")),
    ],
)
def test_a_reference_is_read_in_both_forms(reference: str, named: Named) -> None:
    assert Names("S1").of(reference) == named


@pytest.mark.parametrize(
    "reference", ["S1-XO10250", "BC-S1-10250-XI", "S1-C77", "S2-O1", "BC-S2-1-I", "S1-O", "O10250"]
)
def test_what_is_no_document_of_an_order_has_no_name(reference: str) -> None:
    assert Names("S1").of(reference) is None


def test_a_name_is_written_as_it_is_read() -> None:
    names = Names("S1", "long", "invoice")
    assert names.written("O", "10250", 10250) == "BC-S1-10250-I"
    assert names.all_written("O", "10250", 10250) == ["BC-S1-10250-I", "BC-S1-10250-O", "BC-S1-10250-L"]
    assert names.written("M", "77", 10250) == "BC-S1-10250-M77"
    assert Names("S1").written("P", "4294967295", 1) == "S1-PZ1Z141Z3"


@pytest.mark.parametrize(
    ("reference", "sales", "kind"),
    [
        ("BC-S1-10250-I", True, Kind.SALES_INVOICE),
        ("BC-S1-10250-O-2", True, Kind.SALES_ORDER),
        ("BC-S1-10250-R31", True, Kind.CREDIT_MEMO),
        ("BC-S1-10250-G", True, Kind.PAYMENT),
        ("S1-O10250", False, Kind.ORDER),
        ("S1-R31", False, Kind.REFUND),
    ],
)
def test_a_name_tells_which_kind_is_looked_for(reference: str, sales: bool, kind: Kind) -> None:
    assert kind_of("S1", reference, sales=sales) is kind


def test_a_cent_of_tax_that_the_erp_computes_otherwise_is_rounding() -> None:
    """Within `rounding.tolerance_minor`; the total still has to tie to the cent."""
    books = books_of()
    books.post(ORDERS["paid by card"])
    books.shift("BC-S1-10250-I", "0.05", tax=True)
    assert books.tie().clean, books.tie().found
    books.shift("BC-S1-10250-I", "0.01", tax=False)
    assert causes(books.tie().found) == [("amount", "BC-S1-10250-I")]


def test_shipping_that_a_coupon_has_lowered_is_not_held_against_the_store() -> None:
    """An itemised document has shipping net of the coupon; the totals tie all the same."""
    books = books_of("acumatica")
    books.post(an_order(10258, shipping_coupon=D("5.00")))
    assert books.tie().clean, books.tie().found
    assert "shipping" not in {row.kind for row in books.tie().rows}
