"""Control actions: snapshots verbatim, stories, seeds in chunks and over time, reset."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from .identity import assert_ties
from .shop import Receiver, Shop, seeded, until, until_state

GOLDEN = sorted(Path(os.environ["GOLDEN_DIR"]).glob("[0-9]*.yaml")) if "GOLDEN_DIR" in os.environ else []


@pytest.mark.golden
@pytest.mark.skipif(not GOLDEN, reason="GOLDEN_DIR is not set")
async def test_golden_inputs_go_in_verbatim(shop: Shop) -> None:
    for path in GOLDEN:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))["input"]
        await shop.control("POST", "/reset", {})
        made = await shop.control("POST", "/orders", given)
        (order_id,) = made["ids"]
        (held,) = await shop.state("orders")
        for name in ("products", "shipping_addresses", "coupons", "taxes", "fees", "transactions", "refunds", "order"):
            assert held[name] == given[name], (path.stem, name)
        assert held["store"]["timezone"]["name"] == given["store"]["timezone"]["name"]
        order = (await shop.get(f"/v2/orders/{order_id}")).json
        assert order["total_inc_tax"] == given["order"]["total_inc_tax"]
        rows = await shop.get(f"/v3/orders/{order_id}/transactions")
        amounts = [] if rows.status == 204 else [t["amount"] for t in rows.data]
        assert amounts == [Decimal(t["amount"]) for t in given["transactions"]]
        lines = (await shop.get(f"/v2/orders/{order_id}/products")).json
        assert [line["id"] for line in lines] == [line["id"] for line in given["products"]]


async def test_editing_recomputes_taxes_and_totals(shop: Shop) -> None:
    for market in ("us_tx", "us_ca", "de", "jp", "kw"):
        order_id = await seeded(shop, "paid", market, percent_coupon=1, several=1, wrapping=1, handling=1)
        before = (await shop.state("orders", f"?after={order_id - 1}&limit=1"))[0]
        assert Decimal(before["order"]["coupon_discount"]) > 0
        line = before["products"][0]
        await shop.control("POST", "/clock", {"advance_s": 10})
        await shop.control("POST", f"/orders/{order_id}/edit", {"line_id": line["id"], "quantity": 2})
        after = (await shop.state("orders", f"?after={order_id - 1}&limit=1"))[0]
        assert_ties(after)
        assert after["products"][0]["applied_discounts"] == []
        assert after["order"]["date_modified"] != before["order"]["date_modified"]
        assert after["order"]["total_inc_tax"] != before["order"]["total_inc_tax"]


async def test_the_story_edits_one_order_and_cancels_another(shop: Shop, receiver: Receiver) -> None:
    made = await shop.control("POST", "/seed", {"profile": "demo", "spread_days": 10})
    assert made["orders"] >= 36
    body = {"scope": "store/order/*", "destination": receiver.url}
    await shop.api("POST", "/v3/hooks", body)
    before = {o["order"]["id"]: o["order"] for o in await shop.state("orders")}
    told = await shop.control("POST", "/story", {"step": "edits"})
    after = {o["order"]["id"]: o for o in await shop.state("orders")}
    (edited,), (cancelled,) = told["edited"], told["cancelled"]
    assert Decimal(after[edited]["order"]["total_inc_tax"]) < Decimal(before[edited]["total_inc_tax"])
    assert after[cancelled]["order"]["status_id"] == 5
    for snapshot in after.values():
        assert_ties(snapshot)
    await until(lambda: "store/order/statusUpdated" in receiver.scopes(), "the cancellation is announced")


async def test_orders_arrive_one_after_the_other(shop: Shop, receiver: Receiver) -> None:
    await shop.api("POST", "/v3/hooks", {"scope": "store/order/*", "destination": receiver.url})
    await shop.control("POST", "/settings", {"payment_delay_s": 0.2})
    profile = {"kinds": {"paid": 1}, "features": {"gift_certificate": 0, "free": 0}}
    await shop.control("POST", "/seed", {"orders": 5, "seed": 4, "pace_per_s": 50, "profile": profile})
    orders = await until_state(
        shop, "orders", lambda found: len(found) == 5 and all(o["order"]["status_id"] == 11 for o in found), "all paid"
    )
    assert all(o["transactions"] for o in orders)
    await until(lambda: receiver.scopes().count("store/order/statusUpdated") == 5, "five changes of status")
    assert receiver.scopes().count("store/order/created") == 5
    first = receiver.scopes().index("store/order/created")
    assert first < receiver.scopes().index("store/order/transaction/created")


async def test_an_arriving_refund_comes_after_its_payment(shop: Shop, receiver: Receiver) -> None:
    await shop.api("POST", "/v3/hooks", {"scope": "store/order/*", "destination": receiver.url})
    profile = {"kinds": {"refund_quantity": 1}}
    await shop.control("POST", "/seed", {"orders": 1, "seed": 4, "pace_per_s": 50, "profile": profile})
    (order,) = await until_state(shop, "orders", lambda found: bool(found and found[0]["refunds"]), "a refund")
    assert order["order"]["status_id"] in (4, 14)
    assert_ties(order)
    deliveries = [d["body"] for d in await shop.state("deliveries")]
    changes = [d["data"]["status"]["new_status_id"] for d in deliveries if d["scope"].endswith("statusUpdated")]
    assert changes == [11, order["order"]["status_id"]]


async def test_states_come_in_chunks(shop: Shop) -> None:
    await shop.control("POST", "/seed", {"orders": 30, "seed": 1})
    seen: list[int] = []
    while chunk := await shop.state("orders", f"?after={seen[-1] if seen else 0}&limit=7"):
        seen += [o["order"]["id"] for o in chunk]
    assert seen == sorted(await shop.state("order_ids"))
    assert len(seen) == 30


async def test_seeded_orders_tie_and_repeat(shop: Shop) -> None:
    body: dict[str, Any] = {"orders": 40, "seed": 9, "start": "2026-03-01T00:00:00Z", "spread_days": 5, "customers": 6}
    await shop.control("POST", "/seed", body)
    first = await shop.state("orders")
    await shop.control("POST", "/reset", {})
    assert await shop.state("orders") == []
    await shop.control("POST", "/seed", body)
    for snapshot in first:
        assert_ties(snapshot)
        assert "Mar 2026" in snapshot["order"]["date_created"]
    totals = [s["order"]["total_inc_tax"] for s in first]
    assert totals == [s["order"]["total_inc_tax"] for s in await shop.state("orders")]


async def test_cancel_void_ship_and_status(shop: Shop) -> None:
    waiting = await seeded(shop, "authorised_only")
    await shop.control("POST", f"/orders/{waiting}/cancel", {})
    (cancelled,) = [o for o in await shop.state("orders") if o["order"]["id"] == waiting]
    assert (cancelled["order"]["status_id"], cancelled["order"]["payment_status"]) == (5, "void")
    assert [t["event"] for t in cancelled["transactions"]] == ["authorization", "void"]
    paid = await seeded(shop, "paid", multi_address=1)
    made = await shop.control("POST", f"/orders/{paid}/ship", {})
    assert len(made["made"]) == 2
    assert (await shop.get(f"/v2/orders/{paid}")).json["date_shipped"]
    await shop.control("POST", f"/orders/{paid}/status", {"status_id": 10})
    assert (await shop.get(f"/v2/orders/{paid}")).json["status"] == "Completed"


async def test_lines_can_be_joined_with_the_catalogue(shop: Shop) -> None:
    order_id = await seeded(shop, "paid")
    (held,) = await shop.state("orders")
    line = (await shop.get(f"/v2/orders/{order_id}/products")).json[0]
    product = (await shop.get(f"/v3/catalog/products?id:in={line['product_id']}")).data[0]
    assert product["sku"] == line["sku"]
    assert product["categories"] == held["products"][0]["categories"]
    assert "categories" not in line


async def test_a_wrong_control_body_says_what_is_wrong(shop: Shop) -> None:
    for path, body, words in (
        ("/seed", {"order": 1}, "a seed has"),
        ("/seed", {"orders": 1, "profile": {"kinds": {"lunch": 1}}}, "no kinds lunch"),
        ("/settings", {"colour": 1}, "no setting"),
        ("/webhooks", {"colour": 1}, "no switch"),
        ("/orders", {"id": 1}, "key 'order'"),
        ("/orders/4711/cancel", {}, "no order 4711"),
    ):
        async with shop.http.post(f"{shop.url}/_control{path}", json=body) as response:
            assert response.status in (400, 404)
            assert words in await response.text()
