"""Lines and addresses are taken from the order's own answer only when they are complete there."""

from typing import Any

import pytest

from ml_connector.connectors.bigcommerce.client import host_of
from ml_connector.connectors.bigcommerce.consignments import addresses_of, fee_rows, fees_of, lines_of
from ml_connector.connectors.bigcommerce.facts import chunks
from ml_connector.connectors.bigcommerce.orders import discounted, unchanged, windows


def line(number: int, quantity: int = 1, **others: object) -> dict[str, Any]:
    return {
        "id": number,
        "order_address_id": 61,
        "type": "physical",
        "quantity": quantity,
        "total_ex_tax": "10.0000",
        "total_inc_tax": "12.0000",
        "total_tax": "2.0000",
        "applied_discounts": [],
        **others,
    }


def address(number: int = 61, lines: object = None) -> dict[str, Any]:
    return {
        "id": number,
        "country_iso2": "US",
        "cost_ex_tax": "1.0000",
        "cost_inc_tax": "1.0000",
        "cost_tax": "0.0000",
        "handling_cost_inc_tax": "0.0000",
        "line_items": [line(2), line(1, 2)] if lines is None else lines,
    }


def order(**others: object) -> dict[str, Any]:
    return {
        "id": 7,
        "items_total": 3,
        "shipping_address_count": 1,
        "consignments": {"shipping": [address()], "pickups": [], "downloads": [], "email": {"gift_certificates": []}},
        "fees": [],
        **others,
    }


def test_lines_come_from_every_kind_of_consignment_in_order() -> None:
    certificate = line(3, type="giftcertificate", order_address_id=0)
    download = line(4, type="digital")
    del download["order_address_id"]
    consignments = {
        "shipping": [address()],
        "downloads": [{"recipient_email": "a@example.net", "line_items": [download]}],
        "email": {"gift_certificates": [{"recipient_email": "b@example.net", "line_items": [certificate]}]},
    }
    lines = lines_of(order(consignments=consignments, items_total=5))
    assert lines is not None
    assert [(entry["id"], entry["order_address_id"]) for entry in lines] == [(1, 61), (2, 61), (3, 0), (4, 0)]


@pytest.mark.parametrize(
    "told",
    [
        order(items_total=4),
        order(items_total=None),
        order(consignments={"url": "https://store.example/x", "resource": "/orders/7/consignments"}, items_total=3),
        order(consignments=None),
        order(consignments={"shipping": [address(lines=[{"url": "u", "resource": "r"}])]}),
        order(consignments={"shipping": [address(lines=[{"id": 1, "quantity": 3}])]}),
        order(consignments={"shipping": [address(lines=[line(1, 3, order_address_id=None)])]}),
    ],
)
def test_incomplete_lines_are_read_from_their_own_resource(told: dict[str, Any]) -> None:
    assert lines_of(told) is None


def test_addresses_without_their_lines() -> None:
    found = addresses_of(order())
    assert found is not None
    assert [entry["id"] for entry in found] == [61]
    assert "line_items" not in found[0]


@pytest.mark.parametrize(
    "told",
    [
        order(shipping_address_count=2),
        order(consignments={"shipping": [address(number=99)]}),
        order(consignments={"shipping": [address(lines=[])]}),
        order(consignments={"shipping": [{"id": 61}]}),
        order(consignments={"url": "u", "resource": "r"}),
    ],
)
def test_addresses_that_are_not_sure_are_read_from_their_own_resource(told: dict[str, Any]) -> None:
    assert addresses_of(told) is None


def test_fees_by_list_or_object_but_not_by_link() -> None:
    assert fees_of(order(fees=[{"id": 1}])) == [{"id": 1}]
    assert fee_rows({"fees": [{"id": 1}]}) == [{"id": 1}]
    assert fees_of(order(fees={"url": "u", "resource": "r"})) is None


def test_neighbours_share_a_window_and_strangers_do_not() -> None:
    assert [window.ids for window in windows([105, 100, 101, 500, 501, 130])] == [(100, 101, 105, 130), (500, 501)]
    assert [len(window.ids) for window in windows(range(1, 601))] == [250, 250, 100]


@pytest.mark.parametrize(
    ("told", "lines", "expected"),
    [
        (order(coupon_discount="0.0000", discount_amount="0.0000"), [line(1)], False),
        (order(coupon_discount="5.0000", discount_amount="0.0000"), [line(1)], True),
        (order(coupon_discount="0.0000", discount_amount="1.0000"), [line(1)], True),
        (order(), [line(1, applied_discounts=[{"id": "x", "amount": "1.0000"}])], True),
        (order(), None, True),
    ],
)
def test_coupons_are_asked_for_where_there_can_be_one(
    told: dict[str, Any], lines: list[dict[str, Any]] | None, expected: bool
) -> None:
    assert discounted(told, lines) is expected


@pytest.mark.parametrize(
    "given",
    [
        "https://api.store.example",
        "https://api.store.example/",
        "https://api.store.example/stores/abc123",
        "https://api.store.example/stores/abc123/v3/",
        " https://api.store.example/stores/abc123/v2 ",
    ],
)
def test_the_api_path_of_the_control_panel_is_a_base_url_too(given: str) -> None:
    assert host_of(given) == "https://api.store.example"


def test_ids_in_chunks() -> None:
    assert chunks([3, 1, 2, 2], size=2) == ["1,2", "3"]
    assert chunks([]) == []


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ({"date_modified": "A", "total_inc_tax": "8", "payment_status": ""}, True),
        ({"date_modified": "A", "total_inc_tax": "8.0100"}, False),
        ({"date_modified": "B", "total_inc_tax": "8.0000"}, False),
        ({}, False),
    ],
)
def test_two_readings_of_one_order(after: dict[str, Any], same: bool) -> None:
    assert unchanged({"date_modified": "A", "total_inc_tax": "8.0000"}, after) is same
