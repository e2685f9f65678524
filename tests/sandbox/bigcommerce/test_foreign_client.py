"""A client that we did not write: the package `bigcommerce`, over TLS, as its users call it."""

import asyncio
from pathlib import Path
from typing import Any

import bigcommerce.api
import pytest
from bigcommerce.exception import ClientRequestException

from .shop import STORE_HASH, TOKEN, Shop, open_shop, seeded


def connect(monkeypatch: pytest.MonkeyPatch, shop: Shop, ca_file: Path, token: str = TOKEN) -> Any:
    monkeypatch.setenv("BC_API_ENDPOINT", shop.url.removeprefix("https://"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    return bigcommerce.api.BigcommerceApi(client_id="sandboxclient0001", store_hash=STORE_HASH, access_token=token)


async def test_the_python_client_of_the_vendor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        tls = shop.running.environment.tls
        assert tls is not None
        order_id = await seeded(shop, "paid", several=1, percent_coupon=1)
        second = await seeded(shop, "paid")
        api = connect(monkeypatch, shop, tls.ca_file)

        def use() -> dict[str, Any]:
            order = api.Orders.get(order_id)
            order.update(staff_notes="seen by a foreign client")
            line = order.products()[0]
            shipment = api.OrderShipments.create(
                parentid=order_id,
                order_address_id=line.order_address_id,
                items=[{"order_product_id": line.id, "quantity": 1}],
                tracking_number="1Z999",
            )
            return {
                "orders": [o.id for o in api.Orders.all(limit=10)],
                "paged": [o.id for o in api.Orders.iterall()],
                "total": order.total_inc_tax,
                "lines": [p.sku for p in order.products()],
                "coupons": [c.code for c in order.coupons()],
                "addresses": [a.id for a in order.shipping_addresses()],
                "taxes": [t.name for t in order.taxes()],
                "shipment": shipment.id,
                "statuses": len(api.OrderStatuses.all()),
                "notes": api.Orders.get(order_id).staff_notes,
                "store": api.Store.all().id,
                "time": api.Time.all().time,
                "groups": [g.name for g in api.CustomerGroups.all()],
            }

        seen = await asyncio.to_thread(use)
        assert seen["orders"] == seen["paged"] == [order_id, second]
        assert seen["notes"] == "seen by a foreign client"
        assert seen["coupons"] == ["WELCOME"]
        assert set(seen["taxes"]) == {"TX Sales Tax"}
        assert seen["statuses"] == 15
        assert seen["store"] == STORE_HASH
        assert seen["groups"] == ["Retail", "Trade"]
        assert (await shop.get(f"/v2/orders/{order_id}")).json["status_id"] == 3


async def test_the_client_sees_refusals_as_its_own_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        tls = shop.running.environment.tls
        assert tls is not None
        api = connect(monkeypatch, shop, tls.ca_file, "wrong")
        with pytest.raises(ClientRequestException, match="401"):
            await asyncio.to_thread(api.Orders.get, 1)
        api = connect(monkeypatch, shop, tls.ca_file)
        with pytest.raises(ClientRequestException, match="404"):
            await asyncio.to_thread(api.Orders.get, 1)
        nothing = await asyncio.to_thread(api.Orders.all)
        assert "id" not in nothing
