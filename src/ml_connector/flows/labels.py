"""What orders and customers are called, as the store says it: for lists and search."""

from collections.abc import Mapping, Sequence

from ml_connector.domain.customers import Customer
from ml_connector.domain.orders import Address, OrderSnapshot
from ml_connector.engine import labels, watermarks
from ml_connector.engine.labels import Label
from ml_connector.engine.views import notes
from ml_connector.flows.context import Context
from ml_connector.flows.order_sums import sums_of

_SKUS = 100


async def label_orders(context: Context, flow: str, snapshots: Mapping[str, OrderSnapshot]) -> None:
    """Keeps what these orders are called, in one statement."""
    await _keep(context, flow, [order_label(key, snapshot) for key, snapshot in snapshots.items()])
    await _note_zone(context, next(iter(snapshots.values())).store.time_zone if snapshots else "")


_zones: dict[int, str] = {}
"""Integration -> the store's zone as this process has noted it: pages show times of the store."""


async def _note_zone(context: Context, zone: str) -> None:
    integration = context.integration.id
    if zone and _zones.get(integration) != zone:
        async with context.database.connect() as connection:
            await watermarks.note(connection, integration, notes.FLOW, {notes.ZONE: zone})
        _zones[integration] = zone


async def label_customers(context: Context, flow: str, customers: Mapping[str, Customer]) -> None:
    """Keeps what these customers are called, in one statement."""
    await _keep(context, flow, [customer_label(key, customer) for key, customer in customers.items()])


async def _keep(context: Context, flow: str, named: Sequence[Label]) -> None:
    if named:
        async with context.database.connect() as connection:
            await labels.note(connection, context.integration.id, flow, named)


def order_label(key: str, snapshot: OrderSnapshot) -> Label:
    """The order's number, who bought, for whom, and how much."""
    order = snapshot.order
    there = name_of(snapshot.addresses[0].address) if snapshot.addresses else ""
    party = name_of(order.billing)
    skus = [line.sku for line in snapshot.lines if line.sku][:_SKUS]
    emails = {order.billing.email, *(each.address.email for each in snapshot.addresses)} - {""}
    return Label(
        key,
        title=str(order.id),
        party=party,
        ship_to=there if there != party else "",
        total=order.total.inc_tax,
        currency=order.currency,
        placed_at=order.created,
        stamp=order.modified,
        words=(*sorted(emails), order.billing.company, *skus),
        sums=sums_of(snapshot),
    )


def customer_label(key: str, customer: Customer) -> Label:
    """The company or person, and by which mail address."""
    person = f"{customer.first_name} {customer.last_name}".strip()
    return Label(
        key,
        title=key,
        party=customer.company or person,
        placed_at=customer.created,
        stamp=customer.modified,
        words=(customer.email, person),
    )


def name_of(address: Address) -> str:
    """The company, or the person where there is none."""
    return address.company or f"{address.first_name} {address.last_name}".strip()
