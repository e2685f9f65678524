"""Webhooks: registration, what arrives, how it is signed, what happens when nobody answers."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from ml_connector.sandbox.bigcommerce.hooks import RETRY_DELAYS_S, signature_headers

from .shop import Receiver, Shop, open_receiver, seeded, until, until_state

SECRET = "9f2c7d1e4b8a6035c1d2e3f4a5b6c7d8"


async def hook(shop: Shop, receiver: Receiver, scope: str = "store/order/*", **more: Any) -> int:
    body = {"scope": scope, "destination": receiver.url, "headers": {"X-Own-Secret": "s3"}, **more}
    made = await shop.api("POST", "/v3/hooks", body)
    assert made.status == 200, made.text
    return int(made.data["id"])


def test_the_signature_is_that_of_standard_webhooks() -> None:
    event = {
        "scope": "store/order/statusUpdated",
        "store_id": "1009988776",
        "data": {"type": "order", "id": 4711, "status": {"previous_status_id": 7, "new_status_id": 11}},
        "hash": "5d41402abc4b2a76b9719d911017c592a1b2c3d4",
        "created_at": 1767225600,
        "producer": "stores/z9y8x7w6",
    }
    body = json.dumps(event, separators=(",", ":")).encode()
    headers = signature_headers("standard", SECRET, "msg_3f1c0c3e", 1767225601, body)
    assert headers["webhook-signature"] == "v1,lDV6JJWjY4Tjmly8lGJfAEE4U6uJc9LtEddFo/0tEbM="


async def test_a_change_is_delivered_with_own_headers_and_signature(shop: Shop, receiver: Receiver) -> None:
    await hook(shop, receiver)
    order_id = await seeded(shop, "paid")
    await until(lambda: len(receiver.received) >= 4, "four events of a checkout")
    scopes = receiver.scopes()
    assert {"store/order/created", "store/order/statusUpdated", "store/order/transaction/created"} <= set(scopes)
    headers, body = next(r for r in receiver.received if b"statusUpdated" in r[1])
    event = json.loads(body)
    assert event["data"] == {"type": "order", "id": order_id, "status": {"previous_status_id": 0, "new_status_id": 11}}
    assert (event["producer"], event["store_id"]) == ("stores/sandbox1", "1009988776")
    assert headers["x-own-secret"] == "s3"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("mode", ["none", "x-bc-signature-hex", "x-bc-signature-base64"])
async def test_other_signature_modes(shop: Shop, receiver: Receiver, mode: str) -> None:
    await shop.control("POST", "/webhooks", {"signature": mode})
    await hook(shop, receiver)
    await seeded(shop, "bank_paid")
    await until(lambda: bool(receiver.received), "a delivery")
    headers, body = receiver.received[0]
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    wanted = {
        "none": None,
        "x-bc-signature-hex": digest.hex(),
        "x-bc-signature-base64": base64.b64encode(digest).decode(),
    }
    assert headers.get("x-bc-signature") == wanted[mode]
    assert "webhook-signature" not in headers


async def test_failed_deliveries_are_repeated_with_the_same_hash_and_then_the_hook_is_off(
    shop: Shop, receiver: Receiver
) -> None:
    hook_id = await hook(shop, receiver, "store/order/created")
    receiver.status = 500
    await seeded(shop, "paid")
    for number, delay_s in enumerate(RETRY_DELAYS_S, 1):
        await until(lambda number=number: len(receiver.received) == number, f"attempt {number}")
        await until_state(shop, "deliveries", lambda d, n=number: len(d[0]["attempts"]) == n, "the attempt is noted")
        await shop.control("POST", "/clock", {"advance_s": delay_s + 1})
    (delivery,) = await until_state(shop, "deliveries", lambda d: d[0]["state"] == "failed", "the last attempt")
    assert len(delivery["attempts"]) == len(RETRY_DELAYS_S) + 1
    assert len({json.loads(body)["hash"] for _, body in receiver.received}) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert (await shop.get(f"/v3/hooks/{hook_id}")).data["is_active"] is False
    admin = (await shop.get("/v3/hooks/admin")).data
    assert admin["hooks_list"][0]["status"] == "deactivated"
    receiver.status = 200
    assert (await shop.api("PUT", f"/v3/hooks/{hook_id}", {"is_active": True})).data["is_active"] is True


async def test_a_failing_domain_is_blocked(shop: Shop, receiver: Receiver) -> None:
    await hook(shop, receiver, "store/order/created")
    receiver.status = 500
    await shop.control("POST", "/seed", {"orders": 110, "seed": 1})
    await until(lambda: len(receiver.received) >= 100, "a hundred attempts")
    await until_state(shop, "deliveries", lambda all_: sum(len(d["attempts"]) for d in all_) >= 100, "noted")
    blocked = (await shop.get("/v3/hooks/admin")).data["blocked_domains"]
    assert blocked
    assert 0 < blocked[0]["time_left"] <= 180
    assert blocked[0]["reasons"][0]["failure_description"] == "HTTP 500"


async def test_delivery_exceptions_go_to_their_own_hook(shop: Shop, receiver: Receiver) -> None:
    async with open_receiver() as alarms:
        await hook(shop, alarms, "store/hook/deliveryException")
        hook_id = await hook(shop, receiver, "store/order/created")
        receiver.status = 503
        await seeded(shop, "paid")
        await until(lambda: bool(alarms.received), "an exception")
        data = json.loads(alarms.received[0][1])["data"]
        assert (data["type"], data["id"], data["error_code"]) == ("webhook", hook_id, 90001)


async def test_drop_duplicate_hold_and_redeliver(shop: Shop, receiver: Receiver) -> None:
    await hook(shop, receiver, "store/order/created")
    await shop.control("POST", "/webhooks", {"drop_rate": 1})
    await seeded(shop, "paid")
    (dropped,) = await shop.state("deliveries")
    assert dropped["state"] == "dropped"
    await shop.control("POST", "/webhooks", {"drop_rate": 0, "duplicate_rate": 1})
    await seeded(shop, "paid")
    await until(lambda: len(receiver.received) == 2, "twice the same")
    assert len({body for _, body in receiver.received}) == 1
    await shop.control("POST", "/webhooks", {"duplicate_rate": 0, "held": True})
    await seeded(shop, "paid")
    assert (await shop.control("GET", "/webhooks"))["waiting"] == 1
    await shop.control("POST", "/webhooks", {"held": False})
    await until(lambda: len(receiver.received) == 3, "the held one")
    await shop.control("POST", f"/webhooks/{dropped['id']}/redeliver", {})
    await until(lambda: len(receiver.received) == 4, "the old one again")
    assert json.loads(receiver.received[3][1])["hash"] == dropped["body"]["hash"]


async def test_reordering_and_skewed_clocks(shop: Shop, receiver: Receiver) -> None:
    await hook(shop, receiver, "store/order/created")
    await shop.control("POST", "/clock", {"scale": 100})
    await shop.control("POST", "/webhooks", {"reorder_rate": 0.5, "reorder_by_s": 50, "clock_skew_s": -700})
    await shop.control("POST", "/seed", {"orders": 20, "seed": 1})
    await until(lambda: len(receiver.received) == 20, "all events")
    ids = [json.loads(body)["data"]["id"] for _, body in receiver.received]
    assert sorted(ids) != ids
    headers, body = receiver.received[0]
    assert int(headers["webhook-timestamp"]) < json.loads(body)["created_at"] - 500


@pytest.mark.parametrize("mode", ["unsigned", "bad_signature", "stale", "wrong_header", "unknown_id"])
async def test_forged_deliveries(shop: Shop, receiver: Receiver, mode: str) -> None:
    await hook(shop, receiver)
    receiver.status = 401
    forged = await shop.control("POST", "/webhooks/forge", {"mode": mode})
    assert forged["status"] == 401
    headers, _ = receiver.received[0]
    assert ("webhook-signature" in headers) == (mode != "unsigned")
    assert (headers["x-own-secret"] == "s3") == (mode != "wrong_header")


async def test_hooks_are_unique_and_belong_to_their_account(shop: Shop, receiver: Receiver) -> None:
    hook_id = await hook(shop, receiver)
    body = {"scope": "store/order/*", "destination": receiver.url}
    assert (await shop.api("POST", "/v3/hooks", body)).status == 409
    for number in range(9):
        assert (await shop.api("POST", "/v3/hooks", {**body, "destination": f"{receiver.url}{number}"})).status == 200
    assert (await shop.api("POST", "/v3/hooks", {**body, "destination": f"{receiver.url}x"})).status == 403
    account = {"access_token": "other", "client_id": "other", "scopes": ["store_v2_orders"]}
    await shop.control("POST", "/accounts", account)
    theirs = {"X-Auth-Token": "other"}
    assert (await shop.get("/v3/hooks", headers=theirs)).data == []
    assert (await shop.get(f"/v3/hooks/{hook_id}", headers=theirs)).status == 404
    assert (await shop.api("POST", "/v3/hooks", body, headers=theirs)).status == 200
    removed = await shop.control("DELETE", "/accounts/other")
    assert len(removed["hooks_removed"]) == 1
    assert (await shop.api("DELETE", f"/v3/hooks/{hook_id}")).data["id"] == hook_id


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"scope": "store/order/eaten", "destination": "https://a.example/"}, 400),
        ({"scope": "store/app/uninstall", "destination": "https://a.example/"}, 400),
        ({"scope": "store/order/*"}, 422),
        ({"scope": "store/order/*", "destination": "http://a.example/"}, 422),
        ({"scope": "store/order/*", "destination": "https://a.example:8443/"}, 422),
        ({"scope": "store/order/*", "destination": "https://a.example/", "headers": {"X": 1}}, 422),
        ({"scope": "store/channel/1/order/*", "destination": "https://a.example/"}, 200),
        ({"scope": "store/order/transaction/*", "destination": "https://a.example/"}, 200),
    ],
)
async def test_registration_is_checked(shop: Shop, body: dict[str, Any], status: int) -> None:
    await shop.control("POST", "/settings", {"hooks_need_https": True})
    assert (await shop.api("POST", "/v3/hooks", body)).status == status


async def test_a_hook_can_be_switched_off_behind_the_back(shop: Shop, receiver: Receiver) -> None:
    hook_id = await hook(shop, receiver)
    await shop.control("POST", "/faults", {"fault": "hook_deactivated", "match": {"path": "/v2/time", "nth": 1}})
    await shop.get("/v2/time")
    assert (await shop.get(f"/v3/hooks/{hook_id}")).data["is_active"] is False


async def test_a_hook_without_events_is_off_after_ninety_days(shop: Shop, receiver: Receiver) -> None:
    hook_id = await hook(shop, receiver)
    await shop.control("POST", "/clock", {"advance_s": 89 * 86_400})
    assert (await shop.get(f"/v3/hooks/{hook_id}")).data["is_active"] is True
    await shop.control("POST", "/clock", {"advance_s": 2 * 86_400})
    assert (await shop.get("/v3/hooks/admin")).data["hooks_list"][0]["status"] == "deactivated"


async def test_channel_events_have_another_key(shop: Shop, receiver: Receiver) -> None:
    await hook(shop, receiver, "store/channel/1/order/*")
    order_id = await seeded(shop, "bank_paid")
    await until(lambda: bool(receiver.received), "a delivery")
    assert json.loads(receiver.received[0][1])["data"] == {"order_id": order_id}
