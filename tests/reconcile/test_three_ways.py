"""Store, our tables and ERP side by side: random plants, and exactly these are found, each with its cause."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_connector.connectors.errors import Transient
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine.postings import State
from ml_connector.engine.records import Status
from ml_connector.reconcile.expected import created_on
from ml_connector.reconcile.healing import to_mark
from ml_connector.reconcile.stream import Cursor, reconcile
from ml_connector.reconcile.values import Known
from tests.planning.store import D, Item, StoreOrder, a_policy, a_refund, an_item
from tests.reconcile.books import Books
from tests.reconcile.memory import FIRST, LAST, NOW, Memory, World, an_order

HELD = Known(Status.HELD, "unmapped", "the mapping has no tax", heard_at=NOW, done=False)


def edited(snapshot: OrderSnapshot) -> OrderSnapshot:
    """The merchant takes one piece away after it was posted."""
    number, order = snapshot.order.id, snapshot.order
    after = StoreOrder(id=number, items=(Item(quantity=2),)).snapshot()
    return replace(
        after, order=replace(after.order, created=order.created, modified=order.modified + timedelta(days=1)),
        transactions=snapshot.transactions,
    )  # fmt: skip


def _on_our_document(act: Callable[[World, str], object]) -> Callable[[World, OrderSnapshot], object]:
    def plant(world: World, order: OrderSnapshot) -> None:
        act(world, world.reference(world.trade(order)))

    return plant


def _mark_edited(world: World, order: OrderSnapshot) -> None:
    world.trade(order)
    world.books.see(edited(order))


def _remove(world: World, order: OrderSnapshot) -> None:
    number = world.trade(order)
    del world.books.snapshots[number]


def _replace(world: World, order: OrderSnapshot) -> None:
    """Ours is deleted, and somebody posts the same under its name."""
    reference = world.reference(world.trade(order))
    world.books.change(reference, number=f"018{order.order.id:07}/1710/2026")


def _foreign(world: World, order: OrderSnapshot) -> None:
    """Posted by somebody under our name before we came to it."""
    world.see(order, Known(Status.WAITING, heard_at=NOW, done=False))
    world.add(f"S1-O{order.order.id}", created_on(order, world.books.policy), str(order.order.total.inc_tax))


def _foreign_elsewhere(world: World, order: OrderSnapshot) -> None:
    world.see(order, Known(Status.WAITING, heard_at=NOW, done=False))
    world.add(f"S1-O{order.order.id}", LAST, "1.00")


PLANTS: dict[str, tuple[Callable[[World, OrderSnapshot], object], set[str]]] = {
    "nothing": (lambda world, order: world.trade(order), set()),
    "an edit that was amended": (
        lambda world, order: (world.trade(order), world.trade(edited(order))), set(),
    ),
    "never heard": (lambda world, order: world.see(order), {"never_heard"}),
    "placed a moment ago": (
        lambda world, order: world.see(
            replace(order, order=replace(order.order, modified=NOW - timedelta(seconds=60)))
        ),
        {"waiting"},
    ),
    "waiting": (
        lambda world, order: world.see(order, Known(Status.WAITING, heard_at=NOW, done=False)), {"waiting"},
    ),
    "late": (
        lambda world, order: world.see(order, Known(Status.WAITING, heard_at=order.order.created, done=False)),
        {"late"},
    ),
    "held": (lambda world, order: world.see(order, HELD), {"held"}),
    "dead": (lambda world, order: world.see(order, Known(Status.DEAD, message="defect", done=False)), {"dead"}),
    "missing": (
        lambda world, order: world.see(order, Known(Status.SYNCED, stamp=order.order.modified)), {"missing"},
    ),
    "incomplete": (
        lambda world, order: world.see(replace(order, order=replace(order.order, status_id=0), transactions=())), set(),
    ),
    "deleted": (_on_our_document(lambda world, name: world.books.drop(name)), {"deleted"}),
    "reversed": (
        _on_our_document(lambda world, name: world.books.change(name, reversed_by="0100009999/1710/2026")),
        {"reversed"},
    ),
    "doubled": (_on_our_document(lambda world, name: world.double(name)), {"duplicate"}),
    "doubled on another day": (
        _on_our_document(lambda world, name: world.double(name, posting_date=LAST)), {"duplicate"},
    ),
    "amount": (_on_our_document(lambda world, name: world.books.shift(name, "0.01", tax=False)), {"amount"}),
    "tax": (_on_our_document(lambda world, name: world.books.shift(name, "0.01", tax=True)), {"tax"}),
    "currency": (_on_our_document(lambda world, name: world.books.change(name, currency="CHF")), {"currency"}),
    "account": (_on_our_document(lambda world, name: world.swap(name, "499999")), {"account"}),
    "date": (_on_our_document(lambda world, name: world.books.change(name, posting_date=LAST)), {"date"}),
    "replaced": (_replace, {"foreign"}),
    "foreign": (_foreign, {"foreign", "waiting"}),  # its payment waits
    "foreign on another day": (_foreign_elsewhere, {"foreign", "waiting"}),
    "edited": (_mark_edited, {"edited"}),
    "deleted in the store": (_remove, {"not_in_store"}),
}  # fmt: skip


def run(world: World, **window: object):
    return asyncio.run(world.compared(**window))


@pytest.mark.parametrize("plant", PLANTS)
def test_a_plant_is_found_with_its_cause_and_nothing_else(plant: str) -> None:
    world = World()
    others = [world.trade(an_order(number, days)) for number, days in ((10240, 0), (10270, 3))]
    act, wanted = PLANTS[plant]
    act(world, an_order(10250, 1))
    totals = run(world)
    ours = {str(each.cause) for each in totals.found if each.order_id == 10250}
    assert ours == wanted
    assert not [each for each in totals.found if each.order_id in (None, *others)]
    waits = {"waiting", "held"}
    assert totals.ties == (wanted <= waits), [row for row in totals.rows if row.difference]
    if wanted - waits:
        assert all(each.text and each.reference for each in totals.differences if each.cause != "dead")
    assert to_mark(totals.found) == (["10250"] if wanted & {"never_heard", "missing", "edited"} else [])


@settings(max_examples=40)
@given(
    plants=st.lists(st.tuples(st.sampled_from(sorted(PLANTS)), st.integers(0, 5)), min_size=1, max_size=25),
    slices=st.integers(1, 4),
)
def test_random_plants_are_found_exactly(plants: list[tuple[str, int]], slices: int) -> None:
    world = World()
    wanted: set[tuple[int, str]] = set()
    for place, (plant, day) in enumerate(plants):
        act, causes = PLANTS[plant]
        act(world, an_order(10300 + place, day))
        wanted |= {(10300 + place, cause) for cause in causes}
    totals = run(world)
    assert {(each.order_id, str(each.cause)) for each in totals.found} == wanted
    gone = sum(1 for plant, _ in plants if plant == "deleted in the store")
    assert totals.orders == len(plants) - gone
    assert sum(totals.states.values()) == len(plants)
    assert totals.ties == ({cause for _, cause in wanted} <= {"waiting", "held"})
    assert in_slices(world, slices).to_json() == totals.to_json()


def in_slices(world: World, slices: int):
    """The same, stopped after every few chunks and gone on from what was kept."""
    cursor = Cursor.of(FIRST, LAST)
    for _ in range(1000):
        left = iter(range(slices))
        done = asyncio.run(
            reconcile(Memory(world), world.rules(), cursor, enough=lambda left=left: next(left, None) is None)
        )
        cursor = Cursor.from_json(json.loads(json.dumps(cursor.to_json())))
        if done:
            return cursor.totals
    raise AssertionError("it never ends")


# ------------------------------------------------------------------ figures


def test_rows_show_what_is_open_and_accounts_what_is_booked() -> None:
    world = World()
    world.trade(an_order(10250))
    world.see(an_order(10251), HELD)
    totals = run(world)
    [orders] = [row for row in totals.rows if row.kind == "orders"]
    one = an_order(10250).order.total.inc_tax
    assert (orders.store, orders.open, orders.ours, orders.erp, orders.difference) == (2 * one, one, one, one, 0)
    accounts = {row.account: row.erp for row in totals.account_totals}
    assert accounts["113100"] == one
    assert sum(accounts.values()) == 0
    assert totals.ties


def test_certificates_and_store_credit_are_kinds_of_their_own() -> None:
    world = World()
    world.trade(an_order(10250, store_credit=D("5.00"), gift_certificate=D("7.50")))
    totals = run(world)
    figures = {row.kind: row.store for row in totals.rows}
    assert (figures["store credit"], figures["gift certificates"]) == (D("-5.00"), D("-7.50"))
    assert totals.ties


def test_a_refund_of_an_earlier_order_counts_in_the_window_of_the_refund() -> None:
    world = World()
    sold = an_order(10250)
    line = sold.lines[0]
    share, tax = ((amount / 3).quantize(D("0.01")) for amount in (line.totals.inc_tax, line.totals.tax))
    refund = replace(
        a_refund(share, tax, an_item("PRODUCT", line.id, 1)), created=sold.order.created + timedelta(days=3)
    )
    given_back = replace(sold, refunds=(refund,), order=replace(sold.order, modified=refund.created))
    world.trade(given_back)
    totals = run(world, first=FIRST + timedelta(days=2))
    assert {row.kind for row in totals.rows} == {"refunds", "refund payments", "tax"}
    assert (totals.orders, totals.ties) == (0, True)
    world.books.drop("S1-R31")
    assert [str(each.cause) for each in run(world, first=FIRST + timedelta(days=2)).found] == ["deleted"]
    del world.rows[10250][-2]  # the refund, as if it had never been planned
    [found] = run(world, first=FIRST + timedelta(days=2)).found
    assert (str(found.cause), found.reference) == ("missing", "S1-R31")


def test_orders_before_the_cut_over_are_left_out_unless_they_were_brought_in() -> None:
    world = World(Books(policy=a_policy(posting__cut_over="2026-03-06")))
    world.see(an_order(10240))
    brought = World()
    number = brought.trade(an_order(10241))
    world.books.stored += brought.books.stored
    world.rows[number], world.records[number] = brought.rows[number], brought.records[number]
    world.see(an_order(10241))
    totals = run(world)
    assert totals.ties, totals.found
    assert (totals.states, dict(totals.reasons)) == (
        {"excluded": 1, "posted": 1},
        {("excluded", "before_cut_over"): 1},
    )


def test_a_reversal_of_ours_on_its_way_is_no_surprise() -> None:
    world = World()
    number = world.trade(an_order(10250))
    world.trade(edited(an_order(10250)))
    world.rows[number] = [
        replace(row, state=State.SENDING, posted_at=None) if row.kind == "reversal" else row
        for row in world.rows[number]
        if row.name.generation == 1
    ]
    world.books.drop("S1-O10250-2")
    world.records[number] = Known(Status.RUNNING, heard_at=NOW, done=False)
    assert {str(each.cause) for each in run(world).found} <= {"waiting"}


def test_absence_is_believed_only_while_something_is_seen() -> None:
    world = World(sees=False)
    world.books.drop(world.reference(world.trade(an_order(10250))))
    with pytest.raises(Transient):
        run(world)


def test_what_somebody_said_is_right_is_still_a_difference_to_the_store() -> None:
    world = World()
    number = world.trade(an_order(10250))
    world.books.shift("S1-O10250", "1.00", tax=False)
    world.rows[number] = [replace(row, adopted=True) for row in world.rows[number]]
    totals = run(world)
    assert [row.difference for row in totals.rows if row.kind == "orders"] == [Decimal("1.00")]
    assert not totals.ties


def test_an_order_is_read_in_chunks_however_long_the_window() -> None:
    world = World()
    for number in range(10250, 10250 + 120):
        world.see(an_order(number), HELD)
    assert run(world).orders == 120
    assert world.asked_at_once == 50


def cancelled(snapshot: OrderSnapshot) -> OrderSnapshot:
    order = snapshot.order
    return replace(snapshot, order=replace(order, status_id=5, modified=order.modified + timedelta(days=1)))


def test_what_we_reversed_and_stands_again_is_found() -> None:
    """Somebody took our reversal away: the order is cancelled, and its sale is in the books."""
    world = World()
    world.trade(an_order(10250))
    world.trade(cancelled(an_order(10250)))
    before = {str(each.cause) for each in run(world).found}
    world.books.drop("S1-XO10250")
    world.books.change("S1-O10250", reversed_by="")
    [found] = [each for each in run(world).found if str(each.cause) not in before]
    assert (str(found.cause), found.reference, found.touched) == ("deleted", "S1-XO10250", True)
    assert "S1-O10250" in found.text
