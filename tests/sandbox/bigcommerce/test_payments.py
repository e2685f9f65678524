"""Orders v3: transactions (204 and 503 are different things), capture, void, refunds with their asynchronous money."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from .identity import assert_ties
from .shop import Shop, seeded, until_state


async def snapshot(shop: Shop, order_id: int) -> dict[str, Any]:
    return (await shop.state("orders", f"?after={order_id - 1}&limit=1"))[0]


async def test_transactions_are_numbers_and_name_their_order_by_string(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    answer = await shop.get(f"/v3/orders/{order_id}/transactions")
    (row,) = answer.data
    order = (await shop.get(f"/v2/orders/{order_id}")).json
    assert row["order_id"] == str(order_id)
    assert row["amount"] == Decimal(order["total_inc_tax"])
    assert '"amount":"' not in answer.text
    assert answer.json["meta"]["pagination"]["total"] == 1


async def test_no_transactions_is_204(shop: Shop) -> None:
    order_id = await seeded(shop, "bank_paid")
    answer = await shop.get(f"/v3/orders/{order_id}/transactions")
    assert (answer.status, answer.text) == (204, "")


async def test_payments_back_end_away_is_503_for_transactions_alone(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    rule = {"fault": "transactions_503", "match": {"path": "/transactions", "times": 1}}
    await shop.control("POST", "/faults", rule)
    assert (await shop.get(f"/v2/orders/{order_id}")).status == 200
    assert (await shop.get(f"/v3/orders/{order_id}/transactions")).status == 503
    assert (await shop.get(f"/v3/orders/{order_id}/transactions")).status == 200


async def test_transactions_may_come_late(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    late = {"X-Sandbox-Fault": "transactions_late"}
    assert (await shop.get(f"/v3/orders/{order_id}/transactions", headers=late)).status == 204
    assert (await shop.get(f"/v3/orders/{order_id}/transactions")).status == 200


async def test_capture_is_pending_first_and_moves_the_order(shop: Shop) -> None:
    order_id = await seeded(shop, "authorised_only")
    await shop.control("POST", "/settings", {"payment_delay_s": 60})
    answer = await shop.api("POST", f"/v3/orders/{order_id}/payment_actions/capture")
    assert (answer.status, answer.text) == (201, "")
    order = (await shop.get(f"/v2/orders/{order_id}")).json
    assert (order["payment_status"], order["status_id"]) == ("capture pending", 7)
    assert (await shop.api("POST", f"/v3/orders/{order_id}/payment_actions/void")).status == 422
    await shop.control("POST", "/clock", {"advance_s": 61})
    await _settled(shop)
    order = (await shop.get(f"/v2/orders/{order_id}")).json
    assert order["status_id"] == 11
    events = [t["event"] for t in (await snapshot(shop, order_id))["transactions"]]
    assert events == ["authorization", "capture"]
    assert (await shop.api("POST", f"/v3/orders/{order_id}/payment_actions/capture")).status == 422


async def _settled(shop: Shop) -> None:
    await until_state(shop, "jobs", lambda jobs: jobs[0]["pending"] == 0, "no pending jobs")


async def test_partial_captures_by_control(shop: Shop) -> None:
    order_id = await seeded(shop, "authorised_only")
    total = Decimal((await shop.get(f"/v2/orders/{order_id}")).json["total_inc_tax"])
    await shop.control("POST", f"/orders/{order_id}/capture", {"amount": "10.00"})
    await shop.control("POST", f"/orders/{order_id}/capture", {})
    captures = [t for t in (await snapshot(shop, order_id))["transactions"] if t["event"] == "capture"]
    assert [Decimal(t["amount"]) for t in captures] == [Decimal("10.00"), total - 10]


async def quote_of(shop: Shop, order_id: int, items: list[dict[str, Any]]) -> Any:
    answer = await shop.api("POST", f"/v3/orders/{order_id}/payment_actions/refund_quotes", {"items": items})
    assert answer.status == 201, answer.text
    return answer.data


async def test_a_refund_follows_its_quote_and_moves_money_later(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", several=1)
    await shop.control("POST", "/settings", {"payment_delay_s": 60})
    line = (await shop.get(f"/v2/orders/{order_id}/products")).json[0]
    items = [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1, "reason": "Broken"}]
    quote_data = await quote_of(shop, order_id, items)
    (way, *_) = quote_data["refund_methods"]
    payments = [{k: p[k] for k in ("provider_id", "amount", "offline")} for p in way]
    path = f"/v3/orders/{order_id}/payment_actions/refunds"
    wrong = [{**payments[0], "amount": payments[0]["amount"] - Decimal("0.01")}]
    refused = await shop.api("POST", path, {"items": items, "payments": wrong})
    assert refused.status == 422
    assert "invalid split payment" in refused.data[0]["title"]
    made = await shop.api("POST", path, {"items": items, "payments": payments})
    assert made.status == 201
    assert made.data["total_amount"] == quote_data["total_refund_amount"]
    assert made.data["payments"][0]["transaction_id"] is None
    assert (await shop.get(f"/v2/orders/{order_id}")).json["status_id"] == 11
    await shop.control("POST", "/clock", {"advance_s": 61})
    await _settled(shop)
    order = (await shop.get(f"/v2/orders/{order_id}")).json
    assert (order["status_id"], order["payment_status"]) == (14, "partially refunded")
    (listed,) = (await shop.get(path)).data
    assert listed["payments"][0]["transaction_id"]
    single = (await shop.get(f"/v3/orders/payment_actions/refunds/{listed['id']}")).data
    assert single["id"] == listed["id"]
    assert_ties(await snapshot(shop, order_id))


async def test_a_refund_may_be_declined_afterwards(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", several=1)
    made = await shop.control("POST", f"/orders/{order_id}/refund", {"amount": "1.00", "decline": True})
    assert made["made"]["payments"][0]["is_declined"] is True
    after = await snapshot(shop, order_id)
    assert after["order"]["status_id"] == 11
    assert [t["event"] for t in after["transactions"]] == ["purchase"]


async def test_the_last_unit_closes_to_the_cent_and_no_more_can_be_refunded(shop: Shop) -> None:
    order_id = await seeded(shop, "paid", percent_coupon=1, several=1)
    line = (await shop.get(f"/v2/orders/{order_id}/products")).json[0]
    one = {"items": [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1}]}
    for _ in range(line["quantity"]):
        await shop.control("POST", f"/orders/{order_id}/refund", one)
    refunds = (await snapshot(shop, order_id))["refunds"]
    gone = sum(Decimal(r["total_amount"]) for r in refunds)
    taxes = sum(Decimal(r["total_tax"]) for r in refunds)
    assert gone == Decimal(line["discounted_total_inc_tax"]).quantize(Decimal("0.01"))
    assert taxes == Decimal(line["total_tax"])
    over = await shop.api("POST", f"/v3/orders/{order_id}/payment_actions/refund_quotes", one)
    assert over.status == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"items": [{"item_type": "LUNCH", "item_id": 1, "amount": 1}]},
        {"items": [{"item_type": "PRODUCT", "item_id": 999_999, "quantity": 1}]},
        {"items": [{"item_type": "ORDER", "item_id": 999_999, "amount": 1}]},
        {"items": [{"item_type": "SHIPPING", "item_id": 1}]},
    ],
)
async def test_bad_refunds_are_422(shop: Shop, body: dict[str, Any]) -> None:
    order_id = await seeded(shop, "paid")
    assert (await shop.api("POST", f"/v3/orders/{order_id}/payment_actions/refund_quotes", body)).status == 422


async def test_refunds_of_all_orders_are_paged_and_filtered(shop: Shop) -> None:
    first, second = await seeded(shop, "refund_quantity", several=1), await seeded(shop, "refund_amount")
    await seeded(shop, "paid")
    listed = await shop.get("/v3/orders/payment_actions/refunds?limit=1")
    assert listed.json["meta"]["pagination"]["total"] == 2
    only = await shop.get(f"/v3/orders/payment_actions/refunds?order_id:in={second}")
    assert [r["order_id"] for r in only.data] == [second]
    created = (await snapshot(shop, first))["refunds"][0]["created"]
    since = await shop.get(f"/v3/orders/payment_actions/refunds?created:min={quote(created)}")
    assert first in {r["order_id"] for r in since.data}
    assert (await shop.get("/v3/orders/payment_actions/refunds?created:min=2999-01-01T00:00:00Z")).data == []


async def test_store_credit_comes_back_to_the_customer(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    await shop.control("POST", f"/orders/{order_id}/refund", {"amount": "2.00", "provider": "storecredit"})
    customer_id = (await shop.get(f"/v2/orders/{order_id}")).json["customer_id"]
    customer = (await shop.get(f"/v3/customers?id:in={customer_id}&include=storecredit")).data[0]
    assert customer["store_credit_amounts"] == [{"amount": 2}]
    guest = await seeded(shop, "paid", guest=1)
    amount = {"item_type": "ORDER", "item_id": guest, "amount": 1}
    payments = [{"provider_id": "storecredit", "amount": 1, "offline": True}]
    refused = await shop.api(
        "POST", f"/v3/orders/{guest}/payment_actions/refunds", {"items": [amount], "payments": payments}
    )
    assert refused.status == 422
    assert refused.data[0]["title"] == "Unable to provide store credit for a guest customer."


async def test_metafields_are_unique_per_account(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    path = f"/v3/orders/{order_id}/metafields"
    field = {"permission_set": "app_only", "namespace": "erp", "key": "posting", "value": "4711"}
    made = await shop.api("POST", path, field)
    assert made.status == 200
    assert (await shop.api("POST", path, field)).status == 409
    assert (await shop.api("POST", path, {**field, "key": "x" * 65})).status == 422
    assert (await shop.api("POST", path, {**field, "permission_set": "all"})).status == 422
    other = {"access_token": "other", "client_id": "other", "scopes": ["store_v2_orders"]}
    await shop.control("POST", "/accounts", other)
    theirs = {"X-Auth-Token": "other"}
    assert (await shop.get(path, headers=theirs)).data == []
    assert (await shop.api("POST", path, field, headers=theirs)).status == 200
    changed = await shop.api("PUT", f"{path}/{made.data['id']}", {"value": "4712"})
    assert changed.data["value"] == "4712"
    assert [m["value"] for m in (await shop.get(f"{path}?namespace=erp&key=posting")).data] == ["4712"]
    assert (await shop.api("DELETE", f"{path}/{made.data['id']}")).status == 204
