"""A BigCommerce store as capabilities: canonical types in, canonical types out."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ml_connector.connectors.base import (
    ChangePage,
    Check,
    Delivery,
    Hook,
    Ledger,
    Permit,
    Services,
    Settings,
    SyntheticOrder,
    Timing,
)
from ml_connector.connectors.bigcommerce import changes, customers, health, hooks, notes, synthetic, webhooks
from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import Client, host_of
from ml_connector.connectors.bigcommerce.facts import StoreFacts
from ml_connector.connectors.bigcommerce.inventory import WRITTEN_AT_ONCE, InventoryApi
from ml_connector.connectors.bigcommerce.orders import OrderReader
from ml_connector.connectors.bigcommerce.settings import StoreSettings, store_settings, tls_settings
from ml_connector.connectors.bigcommerce.shipments import ShipmentLedger
from ml_connector.connectors.bigcommerce.wire import store_from
from ml_connector.connectors.http import HttpSession, Timeouts
from ml_connector.domain.customers import Customer, CustomerGroup
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.shipments import OrderShipping
from ml_connector.domain.stock import Level, StoreLocation, StoreStock

_TIMEOUTS = Timeouts(connect_s=10, read_s=60, write_s=60)


class BigCommerce:
    """Pings, ReadsOrders, ReadsCustomers, ReceivesWebhooks, TellsHooks, WritesBack, WritesShipments, WritesStock."""

    def __init__(self, client: Client, settings: StoreSettings) -> None:
        self._client = client
        self._settings = settings
        self._facts = StoreFacts(client, settings.store_hash)
        self._orders = OrderReader(client, self._facts, settings)
        self._inventory = InventoryApi(client)
        self._shipments = ShipmentLedger(client, settings.shipment_timing)

    async def close(self) -> None:
        await self._client.close()

    async def ping(self) -> Sequence[Check]:
        return await health.ping(self._client, self._settings)

    # ------------------------------------------------------------------ orders

    async def orders(self, keys: Sequence[str]) -> Mapping[str, OrderSnapshot]:
        """Complete snapshots by key; unknown keys are absent. How many calls: see `orders`."""
        return await self._orders.read(keys)

    def changed_orders(self, since: datetime) -> AsyncIterator[ChangePage]:
        """Orders modified or refunded at or after `since`, oldest first."""
        return changes.changed_orders(self._client, since)

    def orders_created(self, first: datetime, last: datetime) -> AsyncIterator[ChangePage]:
        """Orders created from `first` to `last`, both included."""
        return changes.orders_created(self._client, first, last)

    async def time_zone(self) -> str:
        """The store's own zone; kept for an hour."""
        return store_from(await self._facts.store()).time_zone

    # ------------------------------------------------------------------ customers

    async def customers(self, keys: Sequence[str]) -> Mapping[str, Customer]:
        """Customers with every address; unknown keys are absent."""
        return await customers.read_customers(self._client, self._facts, self._settings, keys)

    def changed_customers(self, since: datetime) -> AsyncIterator[ChangePage]:
        """Customers modified at or after `since`, oldest first."""
        return changes.changed_customers(self._client, since)

    async def customer_groups(self) -> Sequence[CustomerGroup]:
        """Every customer group, for mappings."""
        return await customers.read_groups(self._client)

    # ------------------------------------------------------------------ webhooks

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """The delivery, verified by the connection's scheme. Raises `Forged`."""
        return webhooks.verify(self._settings, headers, body, now)

    async def hooks(self) -> Sequence[Hook]:
        """As the store has them."""
        return await hooks.known_hooks(self._client)

    async def ensure_hooks(self, destination: str, *, remove_others: bool = False) -> Sequence[str]:
        """Our hooks exist and are active at `destination`; what was changed, in words."""
        return await hooks.ensure_hooks(self._client, self._settings, destination, remove_others=remove_others)

    # ------------------------------------------------------------------ write back

    async def place_synthetic(self, order: SyntheticOrder) -> str:
        """A test order, awaiting fulfillment; its number."""
        return await synthetic.place(self._client, order)

    async def note_documents(self, order_key: str, numbers: Mapping[str, str]) -> None:
        """Reference -> ERP number beside the order; nothing when `write_back` is off."""
        await notes.note_documents(self._client, self._settings, order_key, numbers)

    # ------------------------------------------------------------------ shipments

    @property
    def shipment_ledger(self) -> Ledger:
        return self._shipments

    async def order_shipping(self, orders: Collection[str]) -> Mapping[str, OrderShipping]:
        """What is left to ship, and what was shipped."""
        return await self._shipments.order_shipping(orders)

    # ------------------------------------------------------------------ stock

    @property
    def stock_timing(self) -> Timing:
        return self._settings.stock_timing

    @property
    def stock_write_size(self) -> int:
        return WRITTEN_AT_ONCE

    async def locations(self) -> Sequence[StoreLocation]:
        """Every location, also those that are switched off."""
        return await self._inventory.locations()

    async def quantities(self, skus: Collection[str], locations: Collection[int]) -> Mapping[str, StoreStock]:
        """On hand by SKU; a SKU whose stock the store does not track is absent."""
        return await self._inventory.quantities(skus, locations)

    def all_quantities(self, locations: Collection[int]) -> AsyncIterator[Sequence[StoreStock]]:
        """Every item that the store tracks, a thousand to a page."""
        return self._inventory.all_quantities(locations)

    def open_orders(self) -> AsyncIterator[Sequence[str]]:
        """By status; a page of 250 to a call."""
        return self._inventory.open_orders()

    async def set_quantities(self, levels: Sequence[Level], permit: Permit, *, reason: str) -> None:
        """One absolute adjustment. See `inventory`."""
        await self._inventory.set_quantities(levels, permit, reason=reason)


def connect(given: Settings, services: Services) -> BigCommerce:
    """A connection; nothing is called yet. Raises `ValueError` naming the setting that cannot be used."""
    settings = store_settings(given)
    proxy = given.settings.get("proxy")
    http = HttpSession(
        host_of(given.base_url),
        services=services,
        timeouts=replace(_TIMEOUTS, write_s=min(_TIMEOUTS.write_s, settings.stock_timing.t_s)),
        tls=tls_settings(given),
        proxy=str(proxy) if proxy else None,
        sandbox=given.sandbox,
        allow_private=given.settings.get("allow_private") is True,
        system=SYSTEM,
        secrets=[
            secret for secret in (settings.access_token, settings.client_secret, settings.webhook_secret) if secret
        ],
    )
    client = Client(http, services, store_hash=settings.store_hash, access_token=settings.access_token)
    return BigCommerce(client, settings)
