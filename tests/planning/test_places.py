"""Goods of one order that go to several addresses: one document, its lines say where, or a person is asked."""

from dataclasses import replace

from ml_connector.domain.documents import Line
from ml_connector.domain.orders import Address, OrderSnapshot
from ml_connector.planning.digest import order_digest
from tests.planning.store import (
    D,
    Item,
    StoreOrder,
    a_policy,
    a_refund,
    an_item,
    captured,
    documents,
    held,
)
from tests.planning.test_sales import sold, the_sale

HOME = Address("Mara", "Lind", street_1="Rosenweg 4", city="Stuttgart", zip="70173", country_iso2="DE", phone="0711 1")
AUNT = replace(HOME, first_name="Ida", street_1="Am Hang 9", city="Ulm", zip="89073")


def an_order(first: Address = HOME, second: Address = AUNT) -> OrderSnapshot:
    order = captured(StoreOrder(items=(Item(sku="MUG"), Item(sku="TEE", quantity=1)), shipping=(D(8), D(3))).snapshot())
    places = (replace(order.addresses[0], address=first), replace(order.addresses[1], address=second))
    return replace(order, addresses=places, lines=(order.lines[0], replace(order.lines[1], address_id=62)))


def elsewhere(lines: tuple[Line, ...]) -> dict[str, Address]:
    sales = [line.itemised for line in lines if line.itemised is not None]
    return {one.item: one.ship_to for one in sales if one.ship_to is not None}


def test_the_document_goes_to_the_first_and_lines_say_where_the_others_go() -> None:
    sale = the_sale(sold(an_order()))
    assert sale.ship_to == HOME
    assert elsewhere(sale.lines) == {"TEE": AUNT}
    assert sale.total == an_order().order.total.inc_tax


def test_the_same_place_written_twice_is_one() -> None:
    again = replace(HOME, phone="0170 2", city="STUTTGART ")
    order = an_order(second=again)
    assert elsewhere(the_sale(sold(order)).lines) == {}
    assert elsewhere(the_sale(sold(order, a_policy(sales__several_addresses="hold"))).lines) == {}


def test_an_address_that_nothing_goes_to_does_not_count() -> None:
    order = an_order()
    order = replace(order, lines=tuple(replace(line, address_id=62) for line in order.lines))
    sale = the_sale(sold(order, a_policy(sales__several_addresses="hold")))
    assert (sale.ship_to, elsewhere(sale.lines)) == (AUNT, {})


def test_policy_asks_a_person_and_says_what_goes_where() -> None:
    found = held(sold(an_order(), a_policy(sales__several_addresses="hold")))
    assert found.code == "multi_ship"
    assert found.facts is not None
    assert found.facts["to Stuttgart, 70173, DE"] == "3 MUG"
    assert found.facts["to Ulm, 89073, DE"] == "1 TEE"
    assert "sales.several_addresses" in found.message


def test_a_system_whose_lines_have_no_room_is_never_sent_half_the_truth() -> None:
    found = held(sold(an_order(), family="a_third_partys"))
    assert (found.code, "one address only" in found.message) == ("multi_ship", True)
    assert the_sale(sold(an_order(second=HOME), family="a_third_partys")).ship_to == HOME


def test_what_comes_back_goes_nowhere_and_no_address_makes_an_amendment() -> None:
    order = an_order()
    first = documents(sold(order))
    moved = an_order(second=replace(AUNT, street_1="Am Hang 11"))
    assert order_digest(order, "77") == order_digest(moved, "77")
    assert the_sale(sold(order)).fingerprint == the_sale(sold(moved)).fingerprint
    refund = a_refund("21.65", "1.65", an_item("PRODUCT", 502, 1))
    memo = next(one for one in documents(sold(replace(order, refunds=(refund,)), posted=first)) if not one.already)
    assert memo.kind == "credit_memo"
    assert elsewhere(memo.lines) == {}
