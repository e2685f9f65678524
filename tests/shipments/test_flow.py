"""Delivery notes of the ERP become shipments of the store's orders, each once."""

from tests.shipments.scene import ShippingScene

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
