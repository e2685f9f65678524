"""What the warehouse ships in the demo, and what the store shows of it; all over HTTP, as an outsider sees it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_connector.cli.demo_books import get
from ml_connector.cli.demo_erps import DemoShipping
from ml_connector.reconcile.names import SALE, Names

AT_MOST = 4
AWAITING = 11  # status of an order that is paid and not shipped


@dataclass(frozen=True, slots=True)
class ShipmentTie:
    """`deliveries`: order -> tracking number of what has left. How many shipments the store has of them, and for which
    order it is not one."""

    deliveries: Mapping[str, str]
    shipments: int
    wrong: Mapping[str, str]


async def ship_some(erp_url: str, store_url: str, shipping: DemoShipping, names: Names) -> dict[str, str]:
    """The warehouse sends some orders off. By order, the tracking number."""
    open_orders = {number for number, order in (await _orders(store_url)).items() if _is_simple(order)}
    sent: dict[str, str] = {}
    for reference, key in await shipping.invoices(erp_url):
        named = names.of(reference)
        if named is None or named.kind != SALE or named.order not in open_orders or len(sent) == AT_MOST:
            continue
        sent[named.order] = f"1ZDEMO{int(named.order):08d}"
        open_orders.discard(named.order)
        await shipping.track(erp_url, key, sent[named.order])
    return sent


async def tie_shipments(store_url: str, deliveries: Mapping[str, str], patience_s: float) -> ShipmentTie:
    """Waits until each delivery has a shipment, then compares."""
    deadline = time.monotonic() + patience_s
    while True:
        orders = await _orders(store_url)
        counts = {order: _count(orders.get(order, {}), number) for order, number in deliveries.items()}
        if all(counts.values()) or time.monotonic() > deadline:
            wrong = {o: f"{n} shipments with {deliveries[o]}, not one" for o, n in sorted(counts.items()) if n != 1}
            return ShipmentTie(deliveries, sum(counts.values()), wrong)
        await asyncio.sleep(1)


async def _orders(store_url: str) -> dict[str, Any]:
    items = (await get(f"{store_url}/state/orders"))["items"]
    return {str(each["order"]["id"]): each for each in items}


def _is_simple(order: Any) -> bool:
    """Paid, nothing shipped or given back, one address, goods alone."""
    return (
        int(order["order"]["status_id"]) == AWAITING
        and len(order["shipping_addresses"]) == 1
        and not order["shipments"]
        and not order["refunds"]
        and all(line["type"] == "physical" for line in order["products"])
    )


def _count(order: Any, tracking: str) -> int:
    return sum(1 for each in order.get("shipments", ()) if each["tracking_number"] == tracking)
