"""Delivery notes of the ERP become shipments of the store's orders, each once."""

from tests.shipments.scene import SHIPMENT_POST, ShippingScene

SHIPPED, PARTLY_SHIPPED = 2, 3


def test_a_delivery_becomes_one_shipment_and_the_order_follows(scene: ShippingScene) -> None:
    scene.worker()
    whole, partly = scene.invoiced(2, several=True)
    key = scene.deliver(whole, tracking="1Z999AA10123456784")
    scene.shipped(whole)
    [made] = scene.shipments(whole)
    lines = scene.lines(whole)
    assert {each["order_product_id"]: each["quantity"] for each in made["items"]} == {
        line["id"]: line["quantity"] for line in lines if line["type"] == "physical"
    }
    assert (made["tracking_number"], made["shipping_provider"]) == ("1Z999AA10123456784", "ups")
    assert made["order_address_id"] == lines[0]["order_address_id"]
    reference, _, words = made["comments"].partition(" ")
    assert reference == f"BC-S1-{whole}-VD{key.partition('/')[2]}A{made['order_address_id']}"
    assert words.startswith("Delivery ")
    assert scene.status_of(whole) == SHIPPED

    lines = scene.lines(partly)
    assert len(lines) > 1
    scene.deliver(partly, tracking="A-1", way=2, quantities={0: 1})
    scene.shipped(partly)
    [made] = scene.shipments(partly)
    assert made["tracking_carrier"] == "dhl-express"
    assert scene.status_of(partly) == PARTLY_SHIPPED
    scene.deliver(partly, tracking="A-2")
    scene.shipped(partly, times=2)
    assert scene.status_of(partly) == SHIPPED
    assert scene.sent() == 3
    scene.until(lambda: not scene.query("SELECT 1 FROM postings WHERE kind = 'shipment' AND state <> 'checked'"))


def test_what_changes_in_the_warehouse_changes_in_the_store(scene: ShippingScene) -> None:
    worker = scene.worker()
    late, copied, closed, by_hand = scene.invoiced(4)

    key = scene.deliver(late)
    assert scene.rests(key, "held")["hold_kind"] == "awaiting_tracking"
    scene.edit(key, TrackingNumber="T-1")
    scene.shipped(late)
    scene.edit(key, TrackingNumber="T-2", TransportationCode=2)
    scene.becomes(lambda: [each["tracking_number"] for each in scene.shipments(late)], ["T-2"])
    assert [each["tracking_carrier"] for each in scene.shipments(late)] == ["dhl-express"]
    scene.rests(key, "synced")
    scene.cancel(key)
    assert scene.rests(key, "held")["hold_kind"] == "delivery_changed"
    assert len(scene.shipments(late)) == 1

    invoice = f"Invoices/{scene.invoice(copied)}"
    stranger = scene.foreign_delivery(copied)
    assert scene.rests(stranger, "excluded")["reason"].startswith("not_ours")
    scene.edit(invoice, TrackingNumber="I-1")  # who delivers by the invoice writes the number there
    scene.shipped(copied)

    scene.act(closed, "cancel")
    worker.stop()
    ordered = scene.deliver(by_hand, tracking="H-1")
    scene.by_hand(by_hand, tracking_number="H-1")
    cancelled = scene.deliver(closed, tracking="C-1")
    scene.worker()
    scene.rests(ordered, "synced")
    scene.shipped(by_hand)
    assert scene.rests(cancelled, "held")["hold_kind"] == "order_closed"
    assert scene.shipments(closed) == []
    assert scene.sent() == 2
    assert [len(scene.shipments(order)) for order in (late, copied, closed, by_hand)] == [1, 1, 0, 1]


def test_workers_that_die_on_the_way_make_one_shipment_for_each_delivery(scene: ShippingScene) -> None:
    first = scene.worker()
    one, other = scene.invoiced(2)
    scene.until(lambda: scene.query("SELECT 1 FROM records WHERE flow = 'write_back' AND status = 'synced' LIMIT 1"))
    first.stop()
    scene.fault({"match": {**SHIPMENT_POST, "times": 1}, "fault": "reset_after_commit"}, system="store")
    scene.deliver(one, tracking="T-1")
    scene.deliver(other, tracking="T-2")
    scene.worker("watermark.commit.b@shipments:kill").died_at("watermark.commit.b")
    scene.worker("sending.commit.a:kill").died_at("sending.commit.a")
    scene.worker("resolve.look_up.a:kill").died_at("resolve.look_up.a")
    scene.worker()
    scene.shipped(one, other)
    scene.until(lambda: len(scene.query("SELECT 1 FROM postings WHERE kind = 'shipment' AND state = 'checked'")) == 2)
    assert [len(scene.shipments(order)) for order in (one, other)] == [1, 1]
    [attempts] = scene.query("SELECT sum(attempt)::int AS n FROM postings WHERE kind = 'shipment'")
    assert scene.sent() <= attempts["n"]
