"""Native webhooks: catalogue, handshake, signature, array body, retries, duplicates, pause, replay."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from .client import ServiceLayer, document, error_code, wait_for

SECRET = "a shared secret"


class Receiver:
    """A listener of our own, in this process."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, bytes]] = []
        """Method, signature, body."""
        self.status, self.repeats_challenge = 200, True
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = self.headers["X-B1-Webhook-Token"]
                receiver.received.append(("GET", self.headers["X-B1-Webhook-Signature"], token.encode()))
                self._answer(json.dumps({"Challenge": token if receiver.repeats_challenge else "x"}).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(("POST", self.headers["X-B1-Webhook-Signature"], body))
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/b1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def events(self) -> list[dict[str, Any]]:
        return [each for method, _, body in self.received if method == "POST" for each in json.loads(body)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    listening = Receiver()
    yield listening
    listening.stop()


def subscribe(b1: ServiceLayer, receiver: Receiver, **more: Any) -> None:
    assert b1.post("CompanyService_UpdateAdminInfo", {"AdminInfo": {"EnableWebhook": "tYES"}}).status_code == 204
    b1.settings(webhook_timeout_s=60)
    wanted = [("Invoices", "Created"), ("Invoices", "Cancelled"), ("Items", "Updated")]
    events = [{"BusinessObject": name, "TransactionType": kind} for name, kind in wanted]
    body = {
        "WebhookID": "mlc-1",
        "WebhookURL": receiver.url,
        "AuthenticationType": "HMAC",
        "AuthenticationCred": SECRET,
        "Handshake": "tYES",
        "VerifyCertificate": "tYES",
        "EventCollection": events,
        **more,
    }
    b1.made("EventSubscriptions", body)


def state(b1: ServiceLayer) -> str:
    return b1.get("EventSubscriptions('mlc-1')")["State"]


def signature(message: bytes, key: str = SECRET) -> str:
    return base64.b64encode(hmac.new(key.encode(), message, hashlib.sha256).digest()).decode()


def test_handshake_then_signed_events_of_what_was_asked_for(b1: ServiceLayer, receiver: Receiver) -> None:
    subscribe(b1, receiver)
    wait_for(lambda: state(b1) == "Active")
    made = b1.made("Invoices", document())
    b1.made("Orders", document())
    b1.post(f"Invoices({made['DocEntry']})/Cancel")
    b1.control("POST", "/items/PLATE/freeze")
    wait_for(lambda: len(receiver.events()) == 4)
    told = receiver.events()
    assert [each["type"] for each in told] == [
        "sap.b1.Invoices.Created.v1",
        "sap.b1.Invoices.Cancelled.v1",
        "sap.b1.Invoices.Created.v1",
        "sap.b1.Items.Updated.v1",
    ]
    assert (told[0]["subject"], told[0]["data"]) == ("1", {"DocEntry": "1"})
    assert told[3]["data"] == {"ItemCode": "PLATE"}
    assert told[0]["source"] == "/default/sap.b1/SBO_STORE"
    assert len({each["id"] for each in told}) == 4
    assert all(signed == signature(body) for _, signed, body in receiver.received)
    wait_for(lambda: {each["Status"] for each in b1.get("EventNotifications")["value"]} == {"Delivered"})
    (row,) = b1.get("EventNotifications?$filter=BusinessObject eq 'Items'")["value"]
    assert (row["FieldNames"], row["FieldValues"]) == ("ItemCode", "PLATE")


def test_undone_document_has_no_event(b1: ServiceLayer, receiver: Receiver) -> None:
    subscribe(b1, receiver, Handshake="tNO")
    b1.settings(approvals=[{"entity_set": "Invoices"}])
    assert b1.post("Invoices", document()).status_code == 400
    b1.settings(approvals=[])
    b1.made("Invoices", document(NumAtCard="second"))
    wait_for(lambda: len(receiver.events()) == 1)
    assert receiver.events()[0]["subject"] == "1"


def test_handshake_that_fails_leaves_the_subscription_exceptional(b1: ServiceLayer, receiver: Receiver) -> None:
    receiver.repeats_challenge = False
    subscribe(b1, receiver)
    wait_for(lambda: state(b1) == "Exceptional")
    receiver.repeats_challenge = True
    assert b1.post("EventSubscriptions('mlc-1')/Handshake").status_code == 204
    wait_for(lambda: state(b1) == "Active")


def test_retries_then_exceptional_then_resumed(b1: ServiceLayer, receiver: Receiver) -> None:
    b1.settings(webhook_retry_times=2, webhook_retry_interval_s=0.05)
    subscribe(b1, receiver, Handshake="tNO")
    receiver.status = 500
    b1.made("Invoices", document())
    wait_for(lambda: state(b1) == "Exceptional")
    assert len(receiver.received) == 3
    assert b1.get("EventNotifications")["value"][0]["Status"] == "Failed"
    receiver.status = 200
    assert b1.post("EventSubscriptions('mlc-1')/Resume").status_code == 204
    wait_for(lambda: len(receiver.received) == 4)


def test_paused_then_replayed(b1: ServiceLayer, receiver: Receiver) -> None:
    subscribe(b1, receiver, Handshake="tNO")
    assert b1.post("EventSubscriptions('mlc-1')/Pause").status_code == 204
    b1.made("Invoices", document())
    assert b1.post("EventSubscriptions('mlc-1')/Resume").status_code == 204
    wait_for(lambda: len(receiver.events()) == 1)
    assert b1.post("EventSubscriptions('mlc-1')/Replay").status_code == 204
    wait_for(lambda: len(receiver.events()) == 2)
    assert receiver.events()[0]["id"] == receiver.events()[1]["id"]
    wait_for(lambda: b1.get("EventSubscriptions('mlc-1')")["WorkMode"] == "Standard")


def test_duplicates_wrong_key_and_order(b1: ServiceLayer, receiver: Receiver) -> None:
    subscribe(b1, receiver, Handshake="tNO")
    b1.settings(webhook_duplicates=1)
    b1.made("Invoices", document())
    wait_for(lambda: len(receiver.received) == 2)
    assert receiver.received[0] == receiver.received[1]
    b1.settings(webhook_duplicates=0, webhook_wrong_key=True)
    b1.made("Invoices", document())
    wait_for(lambda: len(receiver.received) == 3)
    _, signed, body = receiver.received[2]
    assert signed != signature(body)
    b1.post("EventSubscriptions('mlc-1')/Pause")
    b1.settings(webhook_reorder=True, webhook_wrong_key=False)
    for _ in range(2):
        b1.made("Invoices", document())
    b1.post("EventSubscriptions('mlc-1')/Resume")
    wait_for(lambda: len(receiver.events()) == 5)
    assert [each["subject"] for each in receiver.events()[3:]] == ["4", "3"]


def test_subscriptions_are_checked(b1: ServiceLayer, receiver: Receiver) -> None:
    body = {"WebhookID": "mlc-1", "WebhookURL": receiver.url, "EventCollection": []}
    assert error_code(b1.post("EventSubscriptions", body)) == -5002  # not enabled
    subscribe(b1, receiver, Handshake="tNO")
    assert error_code(b1.post("EventSubscriptions", body)) == -2035
    other = {**body, "WebhookID": "mlc-2", "WebhookURL": "ftp://x"}
    assert error_code(b1.post("EventSubscriptions", other)) == -5002
    unknown = [{"BusinessObject": "Nothing", "TransactionType": "Created"}]
    wrong = {**body, "WebhookID": "mlc-2", "WebhookURL": receiver.url + "2", "EventCollection": unknown}
    assert error_code(b1.post("EventSubscriptions", wrong)) == -5002
    long = {**wrong, "WebhookID": "x" * 41}
    assert error_code(b1.post("EventSubscriptions", long)) == -1004
    catalogue = b1.post("EventSubscriptionsService_GetEventCatalog").json()["value"]
    kinds = "Created,Updated,Deleted,Cancelled,Closed,Reopened"
    assert {"BusinessObject": "Orders", "ObjectType": "17", "TransactionTypes": kinds} in catalogue
    b1.settings(webhooks=False)
    assert error_code(b1.call("GET", "EventSubscriptions")) == -1002
    assert "EnableWebhook" not in b1.post("CompanyService_GetAdminInfo").json()
