"""A delivery is believed only as the connection's scheme says, and names the records that may have changed."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.bigcommerce.webhooks import SECRET_HEADER, verify
from ml_connector.connectors.errors import Forged

NOW = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
STANDARD = StoreSettings(
    name="store",
    store_hash="z9y8x7w6",
    access_token="token",
    client_secret="9f2c7d1e4b8a6035c1d2e3f4a5b6c7d8",
    webhook_secret="own-secret",
)
SECRET_ONLY = replace(STANDARD, webhook_scheme="secret_header")
BODY_SIGNED = replace(STANDARD, webhook_scheme="x-bc-signature")


def event(scope: str = "store/order/created", data: object = None, **others: object) -> bytes:
    facts: dict[str, object] = {
        "scope": scope,
        "store_id": "1009988776",
        "data": {"type": "order", "id": 4711} if data is None else data,
        "hash": "5d41402abc4b2a76b9719d911017c592a1b2c3d4",
        "created_at": 1767225600,
        "producer": "stores/z9y8x7w6",
    }
    return json.dumps(facts | others).encode()


def standard_headers(body: bytes, *, at: datetime = NOW, secret: str = STANDARD.client_secret) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = hmac.digest(secret.encode(), b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256)
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": "v1," + base64.b64encode(signature).decode(),
        SECRET_HEADER: STANDARD.webhook_secret,
    }


def test_a_known_signature_of_the_standard_is_accepted() -> None:
    body = (
        b'{"scope":"store/order/statusUpdated","store_id":"1009988776","data":{"type":"order","id":4711,'
        b'"status":{"previous_status_id":7,"new_status_id":11}},"hash":"5d41402abc4b2a76b9719d911017c592a1b2c3d4",'
        b'"created_at":1767225600,"producer":"stores/z9y8x7w6"}'
    )
    headers = {
        "webhook-id": "msg_3f1c0c3e",
        "webhook-timestamp": "1767225601",
        "webhook-signature": "v1a,ignored v1,lDV6JJWjY4Tjmly8lGJfAEE4U6uJc9LtEddFo/0tEbM=",
        SECRET_HEADER: "own-secret",
    }
    delivery = verify(STANDARD, headers, body, NOW)
    assert delivery.id == "msg_3f1c0c3e"
    assert delivery.marks == (("orders", "4711", None),)


@pytest.mark.parametrize(
    ("scope", "data", "marks"),
    [
        ("store/order/created", {"type": "order", "id": 250}, [("orders", "250")]),
        ("store/order/archived", {"type": "order", "id": 250}, [("orders", "250")]),
        ("store/order/refund/created", {"type": "order", "id": 250, "refund": {"refund_id": 3}}, [("orders", "250")]),
        (
            "store/order/transaction/created",
            {"type": "transaction", "order_id": "4711", "transaction_id": "9"},
            [("orders", "4711")],
        ),
        ("store/channel/7/order/updated", {"order_id": 12}, [("orders", "12")]),
        ("store/shipment/created", {"type": "shipment", "id": 12, "orderId": 251}, [("orders", "251")]),
        ("store/customer/updated", {"type": "customer", "id": 32}, [("customers", "32")]),
        (
            "store/customer/address/created",
            {"type": "customer", "id": 60, "address": {"customer_id": 32}},
            [("customers", "32")],
        ),
        ("store/order/metafield/created", {"metafield_id": 1, "resource_id": "270"}, []),
        ("store/order/message/created", {"type": "order", "id": 250, "message": {"order_message_id": 3}}, []),
        ("store/customer/payment/instrument/default/updated", {"type": "customer", "id": 32}, []),
        ("store/product/updated", {"type": "product", "id": 7}, []),
        ("store/something/new", {}, []),
    ],
)
def test_each_scope_marks_its_record(scope: str, data: object, marks: list[tuple[str, str]]) -> None:
    body = event(scope, data)
    delivery = verify(STANDARD, standard_headers(body), body, NOW)
    assert [(flow, key) for flow, key, _ in delivery.marks] == marks
    assert all(stamp is None for _, _, stamp in delivery.marks)


@pytest.mark.parametrize("missing", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature", SECRET_HEADER])
def test_standard_needs_every_header(missing: str) -> None:
    body = event()
    headers = {name: value for name, value in standard_headers(body).items() if name != missing}
    with pytest.raises(Forged):
        verify(STANDARD, headers, body, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {SECRET_HEADER: "another"},
        {SECRET_HEADER: "öäü"},
        {"Webhook-Signature": "v1,AAAA"},
        {"Webhook-Signature": "v2,whatever"},
        {"Webhook-Id": "msg_2"},
        {"Webhook-Timestamp": "yesterday"},
        {"Webhook-Timestamp": "²"},
        {"Webhook-Timestamp": "9" * 40},
    ],
)
def test_a_changed_header_is_refused(changed: dict[str, str]) -> None:
    body = event()
    with pytest.raises(Forged):
        verify(STANDARD, standard_headers(body) | changed, body, NOW)


def test_one_changed_byte_is_refused() -> None:
    body = event()
    headers = standard_headers(body)
    with pytest.raises(Forged):
        verify(STANDARD, headers, body.replace(b"4711", b"4712"), NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_replay_outside_the_window_is_refused(seconds: int) -> None:
    body = event()
    headers = standard_headers(body, at=NOW + timedelta(seconds=seconds))
    with pytest.raises(Forged, match="clock"):
        verify(STANDARD, headers, body, NOW)


@pytest.mark.parametrize("seconds", [-299, 299])
def test_clocks_may_differ_a_little(seconds: int) -> None:
    body = event()
    assert verify(STANDARD, standard_headers(body, at=NOW + timedelta(seconds=seconds)), body, NOW).marks


def test_secret_header_alone_is_enough_for_its_scheme() -> None:
    body = event()
    delivery = verify(SECRET_ONLY, {SECRET_HEADER.lower(): "own-secret"}, body, NOW)
    assert delivery.id == "5d41402abc4b2a76b9719d911017c592a1b2c3d4"


def test_secret_header_scheme_checks_a_signature_that_is_there() -> None:
    body = event()
    with pytest.raises(Forged):
        verify(SECRET_ONLY, standard_headers(body, secret="another"), body, NOW)
    with pytest.raises(Forged):
        verify(SECRET_ONLY, {"webhook-signature": "v1,AAAA", SECRET_HEADER: "own-secret"}, body, NOW)


def test_an_unsigned_webhook_id_names_nothing() -> None:
    body = event()
    headers = {SECRET_HEADER: "own-secret", "webhook-id": "chosen by anybody"}
    assert verify(SECRET_ONLY, headers, body, NOW).id == "5d41402abc4b2a76b9719d911017c592a1b2c3d4"


def test_secret_header_scheme_refuses_a_delivery_without_it() -> None:
    body = event()
    with pytest.raises(Forged):
        verify(SECRET_ONLY, {}, body, NOW)


@pytest.mark.parametrize("written", ["hex", "base64", "prefixed"])
def test_x_bc_signature_by_hex_or_base64(written: str) -> None:
    body = event()
    digest = hmac.digest(STANDARD.client_secret.encode(), body, hashlib.sha256)
    given = {"hex": digest.hex(), "base64": base64.b64encode(digest).decode(), "prefixed": f"sha256={digest.hex()}"}
    assert verify(BODY_SIGNED, {"X-BC-Signature": given[written]}, body, NOW).marks


@pytest.mark.parametrize("given", ["", "00", "not a digest!", "v1,AAAA"])
def test_x_bc_signature_must_match(given: str) -> None:
    with pytest.raises(Forged):
        verify(BODY_SIGNED, {"X-BC-Signature": given}, event(), NOW)


def test_x_bc_signature_does_not_excuse_a_wrong_secret_header() -> None:
    body = event()
    digest = hmac.digest(STANDARD.client_secret.encode(), body, hashlib.sha256).hex()
    with pytest.raises(Forged):
        verify(BODY_SIGNED, {"X-BC-Signature": digest, SECRET_HEADER: "another"}, body, NOW)


@pytest.mark.parametrize("settings", [replace(STANDARD, webhook_secret=""), replace(STANDARD, client_secret="")])
def test_a_connection_without_secrets_believes_nobody(settings: StoreSettings) -> None:
    body = event()
    forged = standard_headers(body, secret=settings.client_secret) | {SECRET_HEADER: settings.webhook_secret}
    with pytest.raises(Forged):
        verify(settings, forged, body, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        event(producer="stores/another"),
        event(producer=None),
        event(scope=""),
        event(data={}),
        event(data=[]),
        event(data={"id": True}),
        event(data={"id": -1}),
        event(data={"id": "1 or 2"}),
        event(data={"id": "9" * 30}),
        event("store/customer/address/created", data={"id": 60}),
    ],
)
def test_a_well_signed_body_that_cannot_be_used_is_refused(body: bytes) -> None:
    with pytest.raises(Forged):
        verify(STANDARD, standard_headers(body), body, NOW)


def test_an_id_with_leading_zeros_is_the_same_record() -> None:
    body = event("store/order/transaction/created", {"order_id": "0042"})
    assert verify(STANDARD, standard_headers(body), body, NOW).marks == (("orders", "42", None),)
