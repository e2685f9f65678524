"""Orders v2: envelopes, empty lists, links and includes, paging, filters that are evaluated at query time."""

from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest

from .shop import Shop, seeded


async def test_an_empty_list_is_204_without_a_body(shop: Shop) -> None:
    answer = await shop.get("/v2/orders")
    assert (answer.status, answer.text) == (204, "")


async def test_sub_resources_are_links_unless_included(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", fee=1, multi_address=1)
    plain = (await shop.get(f"/v2/orders/{order_id}")).json
    assert plain["products"]["resource"] == f"/orders/{order_id}/products"
    assert plain["shipping_addresses"]["resource"] == f"/orders/{order_id}/shippingaddresses"
    assert set(plain["consignments"]) == {"url", "resource"}
    query = "include=consignments,consignments.line_items,fees&consignment_structure=object"
    full = (await shop.get(f"/v2/orders/{order_id}?{query}")).json
    lines = [line for place in full["consignments"]["shipping"] for line in place["line_items"]]
    listed = (await shop.get(f"/v2/orders/{order_id}/products")).json
    assert sorted(line["id"] for line in lines) == sorted(line["id"] for line in listed)
    assert full["fees"][0]["cost_inc_tax"] == "4.0000"
    assert len(full["consignments"]["shipping"]) == 2


async def test_both_spellings_of_the_address_path(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    first = await shop.get(f"/v2/orders/{order_id}/shipping_addresses")
    assert first.json == (await shop.get(f"/v2/orders/{order_id}/shippingaddresses")).json


async def test_lines_come_fifty_at_a_time(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", long=1)
    first = (await shop.get(f"/v2/orders/{order_id}/products")).json
    second = (await shop.get(f"/v2/orders/{order_id}/products?page=2")).json
    third = await shop.get(f"/v2/orders/{order_id}/products?page=3")
    assert (len(first), len(second), third.status) == (50, 5, 204)


async def test_money_is_a_string_with_four_decimals_and_dates_are_rfc_2822(shop: Shop) -> None:
    order = (await shop.get(f"/v2/orders/{await seeded(shop, 'paid', 'jp')}")).json
    assert isinstance(order["total_inc_tax"], str)
    assert Decimal(order["total_inc_tax"]).as_tuple().exponent == -4
    assert parsedate_to_datetime(order["date_created"]).tzinfo is not None
    assert order["date_shipped"] == ""


async def test_tax_rows_name_their_line_only_with_details(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    bare = (await shop.get(f"/v2/orders/{order_id}/taxes")).json
    detailed = (await shop.get(f"/v2/orders/{order_id}/taxes?details=true")).json
    assert "line_item_type" not in bare[0]
    assert {row["line_item_type"] for row in detailed} == {"item", "shipping"}
    assert isinstance(detailed[0]["order_product_id"], str)


async def test_fees_come_in_an_object_and_coupons_may_be_none(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", fee=1)
    assert list((await shop.get(f"/v2/orders/{order_id}/fees")).json) == ["fees"]
    assert (await shop.get(f"/v2/orders/{order_id}/coupons")).status == 204


async def test_pages_end_with_204_and_a_limit_above_250_is_413(shop: Shop) -> None:
    await shop.control("POST", "/seed", {"orders": 30, "seed": 2})
    pages = [await shop.get(f"/v2/orders?limit=20&page={page}") for page in (1, 2, 3)]
    assert [len(p.json) for p in pages[:2]] == [20, 10]
    assert pages[2].status == 204
    ids = [order["id"] for page in pages[:2] for order in page.json]
    assert ids == sorted(ids)
    assert len(set(ids)) == 30
    assert (await shop.get("/v2/orders?limit=251")).status == 413


async def test_the_list_follows_changes_while_it_is_paged(shop: Shop) -> None:
    await shop.control("POST", "/seed", {"orders": 3, "seed": 2})
    first, *_ = (await shop.get("/v2/orders?sort=date_modified:asc&limit=1")).json
    await shop.control("POST", "/clock", {"advance_s": 5})
    await shop.control("POST", f"/orders/{first['id']}/touch", {})
    shifted = (await shop.get("/v2/orders?sort=date_modified:asc&limit=3")).json
    assert shifted[-1]["id"] == first["id"]


async def test_modified_filters_take_both_date_formats_and_whole_seconds(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    await shop.control("POST", "/clock", {"advance_s": 100})
    await shop.control("POST", f"/orders/{order_id}/touch", {})
    order = (await shop.get(f"/v2/orders/{order_id}")).json
    at = parsedate_to_datetime(order["date_modified"])
    assert at.microsecond == 0
    for text in (order["date_modified"], at.isoformat()):
        found = await shop.get(f"/v2/orders?min_date_modified={quote(text)}&max_date_modified={quote(text)}")
        assert [o["id"] for o in found.json] == [order_id]
    later = quote(at.replace(year=at.year + 1).isoformat())
    assert (await shop.get(f"/v2/orders?min_date_modified={later}")).status == 204


@pytest.mark.parametrize(
    "query", ["colour=red", "status_id=many", "sort=price", "min_date_modified=soon", "include=everything", "page=0"]
)
async def test_an_unknown_or_unreadable_filter_is_400_in_the_v2_shape(shop: Shop, query: str) -> None:
    answer = await shop.get(f"/v2/orders?{query}")
    assert answer.status == 400
    assert answer.json[0]["status"] == 400


async def test_filters(shop: Shop) -> None:
    paid, waiting = await seeded(shop, "paid"), await seeded(shop, "authorised_only", guest=1)
    await shop.api("PUT", f"/v2/orders/{paid}", {"external_order_id": "ERP-7"})
    email = (await shop.get(f"/v2/orders/{waiting}")).json["billing_address"]["email"]
    for query, wanted in (
        ("status_id=7", waiting),
        ("external_order_id=ERP-7", paid),
        ("customer_id=0", waiting),
        (f"email={email}", waiting),
        (f"min_id={waiting}", waiting),
        (f"max_id={paid}", paid),
    ):
        found = (await shop.get(f"/v2/orders?{query}")).json
        assert [order["id"] for order in found] == [wanted], query
    count = (await shop.get("/v2/orders/count?status_id=7")).json
    assert count["count"] == 1
    assert next(s["count"] for s in count["statuses"] if s["id"] == 7) == 1


async def test_a_missing_order_is_404_in_both_shapes(shop: Shop) -> None:
    second = await shop.get("/v2/orders/4711")
    third = await shop.get("/v3/orders/4711/transactions")
    assert (second.status, second.json) == (
        404,
        [{"status": 404, "message": "The requested resource was not found."}],
    )
    assert third.status == 404
    assert {"status", "title", "type"} <= third.json.keys()


async def test_created_orders_may_hide_and_reads_may_be_stale(shop: Shop) -> None:
    await shop.control("POST", "/settings", {"order_404_for_s": 60, "stale_read_s": 30})
    body = {"orders": 1, "seed": 1, "profile": "demo", "pace_per_s": 1000}
    await shop.control("POST", "/seed", body)
    order_id = (await shop.state("order_ids"))[0]
    assert (await shop.get(f"/v2/orders/{order_id}")).status == 404
    assert (await shop.get("/v2/orders")).status == 204
    await shop.control("POST", "/clock", {"advance_s": 61})
    before = (await shop.get(f"/v2/orders/{order_id}")).json
    await shop.control("POST", f"/orders/{order_id}/status", {"status_id": 10})
    assert (await shop.get(f"/v2/orders/{order_id}")).json["status_id"] == before["status_id"] != 10
    await shop.control("POST", "/clock", {"advance_s": 31})
    assert (await shop.get(f"/v2/orders/{order_id}")).json["status_id"] == 10


async def test_faults_by_rule_hide_or_age_one_read(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    await shop.control("POST", f"/orders/{order_id}/status", {"status_id": 10})
    path = f"/v2/orders/{order_id}"
    stale = await shop.get(path, headers={"X-Sandbox-Fault": "stale_read;seconds=60"})
    assert (stale.json["status_id"], (await shop.get(path)).json["status_id"]) == (11, 10)
    hidden = {"X-Sandbox-Fault": "order_404_for;seconds=5"}
    assert (await shop.get(path, headers=hidden)).status == 404
    await shop.control("POST", "/clock", {"advance_s": 6})
    assert (await shop.get(path, headers=hidden)).status == 200


async def test_order_writes_are_checked_field_by_field(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    refused = await shop.api("PUT", f"/v2/orders/{order_id}", {"colour": "red", "external_id": "7"})
    assert refused.status == 400
    assert [fault["message"] for fault in refused.json] == [
        "The field 'colour' is not supported by this resource.",
        "The field 'external_id' cannot be written to. Please remove it from your request before trying again.",
    ]
    assert (await shop.api("PUT", f"/v2/orders/{order_id}", {"external_merchant_id": "x"})).status == 400
    assert (await shop.api("PUT", f"/v2/orders/{order_id}", {"status": "Shipped"})).status == 400
    assert (await shop.api("PUT", f"/v2/orders/{order_id}", {"subtotal_ex_tax": "1.00"})).status == 400
    assert (await shop.api("PUT", f"/v2/orders/{order_id}", {"staff_notes": "x" * 65_536})).status == 400
    assert (await shop.api("PUT", f"/v2/orders/{order_id}", {"staff_notes": "seen"})).json["staff_notes"] == "seen"


async def test_editing_a_line_clears_its_discounts(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", percent_coupon=1, several=1)
    line = (await shop.get(f"/v2/orders/{order_id}/products")).json[0]
    assert line["applied_discounts"]
    await shop.api("PUT", f"/v2/orders/{order_id}", {"products": [{"id": line["id"], "quantity": 1}]})
    edited = (await shop.get(f"/v2/orders/{order_id}/products")).json[0]
    assert (edited["quantity"], edited["applied_discounts"]) == (1, [])


async def test_fees_are_replaced_whole_and_move_the_totals(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", fee=1)
    path = f"/v2/orders/{order_id}"
    before = (await shop.get(path)).json
    fee = {"type": "custom_fee", "display_name_customer": "Lift", "cost_ex_tax": 6, "cost_inc_tax": 6}
    after = (await shop.api("PUT", path, {"fees": [fee]})).json
    assert Decimal(after["total_inc_tax"]) == Decimal(before["total_inc_tax"]) + 2
    assert [f["display_name_customer"] for f in (await shop.get(f"{path}/fees")).json["fees"]] == ["Lift"]


async def test_an_order_can_be_created_and_archived(shop: Shop) -> None:
    billing = {"first_name": "A", "last_name": "B", "zip": "78701", "email": "a@b.example", "country_iso2": "US"}
    product = {"name": "Mug", "quantity": 2, "price_ex_tax": 10, "price_inc_tax": 10.5}
    made = await shop.api("POST", "/v2/orders", {"billing_address": billing, "products": [product]})
    assert made.status == 201
    assert (made.json["total_ex_tax"], made.json["total_inc_tax"]) == ("20.0000", "21.0000")
    assert (made.json["order_source"], made.json["status_id"]) == ("external", 1)
    order_id = made.json["id"]
    assert (await shop.api("DELETE", f"/v2/orders/{order_id}")).status == 204
    assert (await shop.get("/v2/orders")).status == 204
    assert (await shop.get(f"/v2/orders/{order_id}")).json["is_deleted"] is True
    no_zip = {"billing_address": {"first_name": "A"}, "products": [product]}
    assert (await shop.api("POST", "/v2/orders", no_zip)).status == 400


async def test_shipments_move_the_status_and_cannot_exceed_the_order(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", several=1)
    assert (await shop.get(f"/v2/orders/{order_id}/shipments")).status == 204
    lines = (await shop.get(f"/v2/orders/{order_id}/products")).json
    address = lines[0]["order_address_id"]
    one = {"order_address_id": address, "items": [{"order_product_id": lines[0]["id"], "quantity": 1}]}
    assert (await shop.api("POST", f"/v2/orders/{order_id}/shipments", one)).status == 201
    assert (await shop.get(f"/v2/orders/{order_id}")).json["status_id"] == 3
    too_many = {"order_address_id": address, "items": [{"order_product_id": lines[0]["id"], "quantity": 99}]}
    assert (await shop.api("POST", f"/v2/orders/{order_id}/shipments", too_many)).status == 400
    await shop.control("POST", f"/orders/{order_id}/ship", {})
    assert (await shop.get(f"/v2/orders/{order_id}")).json["status_id"] == 2
