"""Which shipments a delivery note asks for: one per order and address, never more than there is, never two."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from ml_connector.domain.documents import Documents, Excluded, Held, Kind
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.policy import Policy
from ml_connector.domain.shipments import DeliveryNote, NoteLine, OrderItem, OrderShipping, StoreShipment
from ml_connector.planning.shipments import Facts, Sold, Standing, plan_shipments

POLICY = Policy(reference_tag="S1")
MAPPING = Mapping(carriers={"1": "ups", "Express": "dhl"})
REFERENCE = "BC-S1-100-VD918A7"


def line(quantity: str = "2", item: str = "PLATE") -> NoteLine:
    return NoteLine(item, Decimal(quantity), "Invoices/41", "BC-S1-100-I", 0)


def note(*lines: NoteLine, **changes: Any) -> DeliveryNote:
    made = DeliveryNote(
        "DeliveryNotes/918", "D918", "1018", date(2026, 3, 7), lines or (line(),), tracking_number="T1", carrier="1"
    )
    return replace(made, **changes)


def order(*items: OrderItem, shipments: tuple[StoreShipment, ...] = (), closed: str = "") -> OrderShipping:
    return OrderShipping("100", items or (OrderItem(501, 7, 3),), shipments, closed)


def facts(of: DeliveryNote, *orders: OrderShipping, line_ids: tuple[int, ...] = (501,), **more: Any) -> Facts:
    placed = orders or (order(),)
    by_number = {each.order: each for each in placed}
    sold = tuple(Sold(each, placed[0].order, number) for each, number in zip(of.lines, line_ids, strict=False))
    return Facts(sold, orders=by_number, **more)


def plan(of: DeliveryNote, about: Facts | None = None, policy: Policy = POLICY) -> Any:
    return plan_shipments(of, about or facts(of), MAPPING, policy)


def standing(of: DeliveryNote | None = None, generation: int = 1, **state: bool) -> dict[str, Standing]:
    [made] = plan(of or note()).documents
    written = REFERENCE if generation == 1 else f"{REFERENCE}-{generation}"
    given = {"live": True, **state}
    return {REFERENCE: Standing(replace(made, reference=written, generation=generation), **given)}


def test_a_note_is_one_shipment_under_a_name_of_its_own() -> None:
    made = plan(note())
    assert isinstance(made, Documents)
    [document] = made.documents
    assert (document.kind, document.reference, document.base_reference) == (Kind.SHIPMENT, REFERENCE, REFERENCE)
    shipment = document.shipment
    assert shipment is not None
    assert (shipment.order, shipment.address_id, shipment.pieces) == ("100", 7, {501: 2})
    assert (shipment.tracking_number, shipment.carrier) == ("T1", "ups")
    [other] = plan(note(key="DeliveryNotes/919", name="D919")).documents
    assert other.reference != document.reference


def test_each_address_and_each_order_has_its_own_shipment() -> None:
    of = note(line("1"), line("2"), line("1"))
    first = order(OrderItem(501, 7, 3), OrderItem(502, 8, 2))
    second = OrderShipping("101", (OrderItem(601, 9, 1),))
    sold = (Sold(of.lines[0], "100", 501), Sold(of.lines[1], "100", 502), Sold(of.lines[2], "101", 601))
    made = plan(of, Facts(sold, orders={"100": first, "101": second}))
    assert [(d.reference, d.shipment.pieces) for d in made.documents] == [
        ("BC-S1-100-VD918A7", {501: 1}),
        ("BC-S1-100-VD918A8", {502: 2}),
        ("BC-S1-101-VD918A9", {601: 1}),
    ]


def test_lines_of_one_order_line_add_up_and_others_are_left_out() -> None:
    of = note(line("1"), line("1"), NoteLine("FREIGHT", Decimal(1)))
    made = plan(of, facts(of, line_ids=(501, 501)))
    [document] = made.documents
    assert document.shipment.pieces == {501: 2}
    assert [each.code for each in made.notes] == ["not_shipped"]


def test_digital_goods_alone_are_no_shipment() -> None:
    made = plan(note(), facts(note(), order(OrderItem(501, 0, 3, physical=False))))
    assert isinstance(made, Excluded)
    assert made.code == "nothing_to_ship"


def test_what_is_not_of_ours_is_left_out() -> None:
    made = plan(note(), Facts(()))
    assert isinstance(made, Excluded)
    assert made.code == "not_ours"


@pytest.mark.parametrize(
    ("items", "quantity", "fits"),
    [
        (OrderItem(501, 7, 3), "3", True),
        (OrderItem(501, 7, 3), "4", False),
        (OrderItem(501, 7, 3, shipped=2), "1", True),
        (OrderItem(501, 7, 3, shipped=2), "2", False),
        (OrderItem(501, 7, 3, refunded=1), "3", False),
        (OrderItem(501, 7, 3, shipped=1, refunded=1), "1", True),
    ],
)
def test_no_more_is_shipped_than_is_left(items: OrderItem, quantity: str, fits: bool) -> None:
    of = note(line(quantity))
    made = plan(of, facts(of, order(items)))
    assert isinstance(made, Documents) is fits
    if not fits:
        assert made.code == "shipment_exceeds"
        assert "are left" in made.message


def test_what_is_there_already_is_for_the_look_up_although_nothing_is_left() -> None:
    full = OrderItem(501, 7, 3, shipped=3)
    ours = StoreShipment("100/1", 7, {501: 2}, "T1", reference=REFERENCE)
    by_hand = StoreShipment("100/1", 7, {501: 2}, "T1")
    for there in (ours, by_hand):
        assert isinstance(plan(note(), facts(note(), order(full, shipments=(there,)))), Documents)
    for other in (
        replace(by_hand, tracking_number="T2"),
        replace(by_hand, pieces={501: 1}),
        replace(by_hand, address_id=8),
        replace(ours, reference="BC-S1-100-VD917A7"),
    ):
        assert plan(note(), facts(note(), order(full, shipments=(other,)))).code == "shipment_exceeds"
    bare = note(tracking_number="")
    untracked = replace(by_hand, tracking_number="")
    sent = replace(POLICY, shipments_without_tracking="send")
    assert plan(bare, facts(bare, order(full, shipments=(untracked,))), sent).code == "shipment_exceeds"


def test_an_order_that_was_closed_meanwhile_is_held() -> None:
    assert plan(note(), facts(note(), order(closed="cancelled"))).code == "order_closed"
    assert plan(note(), Facts((Sold(line(), "100", 501),), orders={})).code == "order_closed"


def test_a_note_without_tracking_number_waits_or_goes_by_policy() -> None:
    bare = note(tracking_number="")
    assert plan(bare).code == "awaiting_tracking"
    assert isinstance(plan(bare, policy=replace(POLICY, shipments_without_tracking="send")), Documents)


def test_lines_that_cannot_be_told_are_held() -> None:
    half = note(line("0.5"))
    assert plan(half).code == "delivery_unclear"
    assert plan(note(), facts(note(), unclear=("another item",))).code == "delivery_unclear"
    assert plan(note(), facts(note(), order(OrderItem(999, 7, 3)))).code == "delivery_unclear"


def test_a_carrier_is_mapped_by_code_or_name_and_a_miss_says_so() -> None:
    assert plan(note(carrier="2", carrier_name="Express")).documents[0].shipment.carrier == "dhl"
    missing = plan(note(carrier="3", carrier_name="Bike"))
    assert isinstance(missing, Held)
    assert (missing.code, missing.key) == ("unmapped", "carrier|3")
    without = plan_shipments(note(carrier="3"), facts(note(carrier="3")), Mapping(), POLICY)
    assert isinstance(without, Documents)
    assert without.documents[0].shipment.carrier == ""  # type: ignore[union-attr]


class TestWhatStands:
    def test_the_same_again_is_done(self) -> None:
        made = plan(note(), facts(note(), order(OrderItem(501, 7, 3, shipped=3)), standing=standing()))
        assert [document.already for document in made.documents] == [True]

    def test_another_number_is_an_update_of_the_shipment(self) -> None:
        now = note(tracking_number="T2")
        [document] = plan(now, facts(now, order(closed="cancelled"), standing=standing())).documents
        assert (document.reference, document.generation, document.base_reference) == (f"{REFERENCE}-2", 2, REFERENCE)
        assert document.is_update
        assert document.applies_to == REFERENCE
        assert document.shipment.tracking_number == "T2"

    def test_updates_follow_one_another_also_back_to_what_was(self) -> None:
        [document] = plan(note(), facts(note(), standing=standing(note(tracking_number="T2"), 2))).documents
        assert (document.reference, document.shipment.tracking_number) == (f"{REFERENCE}-3", "T1")

    def test_one_that_was_not_sent_yet_is_planned_anew_under_its_name(self) -> None:
        now = note(tracking_number="T3")
        pending = standing(note(tracking_number="T2"), 2, live=False, pending=True)
        there = StoreShipment("100/1", 7, {501: 2}, "T1", reference=REFERENCE)
        about = facts(now, order(OrderItem(501, 7, 2, shipped=2), shipments=(there,)), standing=pending)
        [document] = plan(now, about).documents
        assert (document.reference, document.shipment.tracking_number) == (f"{REFERENCE}-2", "T3")

    def test_a_number_that_was_taken_away_changes_nothing(self) -> None:
        now = note(tracking_number="")
        [document] = plan(now, facts(now, standing=standing())).documents
        assert document.already

    def test_other_pieces_are_held(self) -> None:
        now = note(line("1"))
        assert plan(now, facts(now, standing=standing())).code == "delivery_changed"

    def test_lines_that_moved_to_another_address_are_held(self) -> None:
        about = facts(note(), order(OrderItem(501, 8, 3)), standing=standing())
        assert plan(note(), about).code == "delivery_changed"

    def test_one_made_by_hand_is_never_changed_by_itself(self) -> None:
        now = note(tracking_number="T2")
        assert plan(now, facts(now, standing=standing(adopted=True))).code == "delivery_changed"

    def test_cancelled_before_it_was_shipped_is_left_out_and_held_after_that(self) -> None:
        gone = note(state="cancelled")
        before = plan(gone, facts(gone))
        assert isinstance(before, Excluded)
        assert before.code == "delivery_cancelled"
        assert plan(gone, facts(gone, standing=standing())).code == "delivery_changed"
        assert isinstance(plan(gone, facts(gone, standing=standing(live=False, pending=True))), Excluded)

    def test_a_document_that_cancels_another_is_left_out(self) -> None:
        made = plan(note(state="cancellation"), Facts(()))
        assert isinstance(made, Excluded)
        assert made.code == "delivery_cancelled"


def test_the_digest_of_a_note_tells_everything_that_a_shipment_is_planned_from() -> None:
    same = note(line("2.000"))
    assert note().digest == same.digest
    for other in (
        note(tracking_number="T2"),
        note(carrier="2"),
        note(line("3")),
        note(line(item="CUP")),
        note(state="cancelled"),
    ):
        assert note().digest != other.digest
