"""Deliveries through the real server: only the store's own are believed, none is lost, no sender learns anything."""

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.crash import books
from tests.e2e.scene import Scene, audit, no_polls

ORDER = "store/order/created"


@pytest.fixture
def open_scene(scene: Scene) -> Scene:
    """Listening; nothing but webhooks brings orders in."""
    scene.configure(no_polls)
    scene.serve()
    return scene


def _marked(scene: Scene) -> list[str]:
    return [row["key"] for row in scene.query("SELECT key FROM records WHERE flow = 'orders' ORDER BY key")]


def _stored(scene: Scene) -> int:
    return scene.query("SELECT count(*)::int AS n FROM webhooks")[0]["n"]


def test_whoever_does_not_prove_his_origin_is_told_nothing_and_changes_nothing(open_scene: Scene) -> None:
    scene = open_scene
    body = scene.event(ORDER, {"type": "order", "id": 100})
    good = scene.signed(body)
    own = next(name for name in good if name.lower().startswith("x-"))
    stranger = body.replace(b"stores/", b"stores/x")
    forged: dict[str, tuple[bytes, dict[str, str]]] = {
        "unsigned": (body, {"Content-Type": "application/json"}),
        "without our header": (body, {k: v for k, v in good.items() if k != own}),
        "with a wrong header": (body, good | {own: "guess"}),
        "signed by another key": (body, scene.signed(body, key="another")),
        "with a changed body": (body.replace(b'"id": 100', b'"id": 101'), good),
        "an hour old": (body, scene.signed(body, at=time.time() - 3600)),
        "from the future": (body, scene.signed(body, at=time.time() + 3600)),
        "with a stamp that is no number": (body, good | {"webhook-timestamp": "soon"}),
        "of another store": (stranger, scene.signed(stranger)),
        "no JSON": (b"{not json", scene.signed(b"{not json")),
        "a list": (b"[1]", scene.signed(b"[1]")),
        "naming no record": (b := scene.event(ORDER, {"type": "order"}), scene.signed(b)),
        "naming no number": (b := scene.event(ORDER, {"type": "order", "id": "1 OR 1=1"}), scene.signed(b)),
        "empty": (b"", scene.signed(b"")),
    }
    for name, (content, headers) in forged.items():
        assert scene.deliver(content, headers) == (401, b""), name
    assert scene.request("POST", "/hooks/no-such-store", body, good) == (401, b"")
    big = scene.event(ORDER, {"type": "order", "id": 100}, padding="x" * 300_000)
    assert scene.deliver(big, scene.signed(big)) == (413, b"")
    assert (_marked(scene), _stored(scene)) == ([], 0)
    # the operator is told; the same kind of refusal only now and then
    scene.until(
        lambda: {row["data"]["outcome"] for row in audit(scene, kind="intake_refused")} >= {"forged", "oversized"}
    )
    rows = audit(scene, kind="intake_refused")
    assert all(row["data"]["reason"] for row in rows)
    assert len(rows) < len(forged)
    metrics = scene.request("GET", "/metrics")[1].decode()
    assert 'outcome="forged"' in metrics
    assert 'outcome="oversized"' in metrics
    # and after all that, the store's own delivery is believed
    assert scene.deliver(body, good) == (200, b"")
    assert (_marked(scene), _stored(scene)) == (["100"], 1)


def test_a_replayed_delivery_is_stored_once_and_posts_nothing_twice(open_scene: Scene) -> None:
    scene = open_scene
    order = scene.place("paid")
    body = scene.event(ORDER, {"type": "order", "id": order})
    headers = scene.signed(body, id="msg_1")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: scene.deliver(body, headers), range(24)))
    assert answers == [(200, b"")] * 24
    assert (_marked(scene), _stored(scene)) == ([str(order)], 1)
    scene.worker()
    scene.posted(order)
    posts = scene.posts()
    seq = scene.record(order)["seq"]
    # days later the store delivers the same event again, signed anew
    assert scene.deliver(body, scene.signed(body, id="msg_1")) == (200, b"")
    scene.until(
        lambda: scene.record(order)["seq"] > seq and scene.record(order)["done_seq"] == scene.record(order)["seq"]
    )
    assert scene.posts() == posts
    scene.check()
    # the very same bytes of days ago are refused: whoever kept them cannot use them
    assert scene.deliver(body, scene.signed(body, id="msg_1", at=time.time() - 3 * 86_400)) == (401, b"")


def test_an_order_that_the_store_does_not_know_yet_and_one_that_it_never_will(open_scene: Scene) -> None:
    scene = open_scene
    books.call(f"{scene.store}/settings", {"order_404_for_s": 4})
    early = scene.place("paid")
    late = scene.copy(early, staged=True)
    for order in (late, 999_999):
        body = scene.event(ORDER, {"type": "order", "id": order})
        assert scene.deliver(body) == (200, b"")
    worker = scene.worker()
    scene.until(lambda: "does not know" in (scene.record(late).get("last_error") or ""), worker.said)
    scene.posted(late)
    scene.until(lambda: scene.record(999_999).get("status") == "excluded", lambda: str(scene.record(999_999)))
    assert scene.record(999_999)["reason"] == "not_in_store: the store does not know order 999999"


def test_the_stores_own_webhooks_bring_orders_in(scene: Scene) -> None:
    """Registered by us, sent by the store, through the intake, to the ERP; the poll sleeps."""
    scene.serve()

    def listening(content: Any) -> None:
        no_polls(content)
        content["integrations"]["us-store"]["webhook_url"] = f"http://127.0.0.1:{scene.port}/hooks/web-store"

    scene.configure(listening)
    scene.worker()
    scene.until(lambda: scene.hooks() > 0)
    # the first poll of all has run when its watermark stands: what comes now comes by webhook
    scene.until(lambda: scene.query("SELECT 1 FROM records WHERE flow = 'poll:orders' AND done_at IS NOT NULL"))
    order = scene.place("paid", guest=False)
    scene.posted(order)
    scene.act(order, "refund", amount="1.00")
    scene.until(lambda: any(d.reference.startswith("S1-R") for d in books.documents_in(scene.erp)))
    delivered = [d for d in books.call(f"{scene.store}/state/deliveries")["items"] if d["state"] == "delivered"]
    seq = scene.record(order)["seq"]
    again = next(d for d in delivered if d["scope"].startswith("store/order/"))
    urllib.request.urlopen(
        urllib.request.Request(f"{scene.store}/webhooks/{again['id']}/redeliver", b"{}", method="POST"), timeout=10
    ).close()
    scene.until(lambda: scene.record(order)["seq"] > seq)
    scene.check()


def test_a_webhook_during_a_run_causes_exactly_one_more(open_scene: Scene) -> None:
    scene = open_scene
    order = scene.place("paid")
    body = scene.event(ORDER, {"type": "order", "id": order})
    scene.fault(
        {"fault": "slow", "match": {"path": "transactions", "times": 1}, "args": {"delay_s": 1.5}}, system="store"
    )
    scene.deliver(body)
    scene.worker()
    scene.until(lambda: scene.record(order)["token"] is not None)
    for _ in range(5):
        assert scene.deliver(scene.event("store/order/updated", {"type": "order", "id": order}))[0] == 200
    scene.posted(order)
    scene.check()
    assert len(audit(scene, kind="read", key=str(order))) == 2
