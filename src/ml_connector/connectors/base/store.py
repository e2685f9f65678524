"""What a store offers: orders and customers to read, webhooks to verify, notes to keep beside an order."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from ml_connector.domain.customers import Customer
from ml_connector.domain.orders import OrderSnapshot


@dataclass(frozen=True, slots=True)
class Change:
    """One source thing that may have changed. `stamp` is the source's own, where it gives one."""

    key: str
    stamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes of one page, and the watermark that is safe to keep once they are marked."""

    changes: tuple[Change, ...]
    watermark: datetime | None


@runtime_checkable
class ReadsOrders(Protocol):
    async def orders(self, keys: Sequence[str]) -> Mapping[str, OrderSnapshot]:
        """Complete snapshots; a key that the store does not know is absent from the result."""
        ...

    def changed_orders(self, since: datetime) -> AsyncIterator[ChangePage]:
        """Orders changed at or after `since`, refunds included, oldest first."""
        ...

    def orders_created(self, first: datetime, last: datetime) -> AsyncIterator[ChangePage]:
        """Orders created in a window: backfill and completeness."""
        ...


@runtime_checkable
class KnowsItself(Protocol):
    """For days: a window of dates begins and ends at the store's midnight."""

    async def time_zone(self) -> str:
        """The store's own time zone, an IANA name."""
        ...


@runtime_checkable
class ReadsCustomers(Protocol):
    async def customers(self, keys: Sequence[str]) -> Mapping[str, Customer]: ...

    def changed_customers(self, since: datetime) -> AsyncIterator[ChangePage]: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook. `id` is equal for redeliveries of one event. `marks`: (flow, key, stamp)."""

    id: str
    scope: str
    marks: tuple[tuple[str, str, datetime | None], ...]


@runtime_checkable
class ReceivesWebhooks(Protocol):
    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Checks the delivery by the scheme that the connection declares. Raises `Forged`."""
        ...

    async def ensure_hooks(self, destination: str) -> Sequence[str]:
        """Makes our hooks exist and active at `destination`; says in words what was changed."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as the store has it. `active` false: the store has switched it off, and delivers nothing."""

    scope: str
    destination: str
    active: bool


@runtime_checkable
class TellsHooks(Protocol):
    async def hooks(self) -> Sequence[Hook]:
        """Those of this account, whoever registered them."""
        ...


@dataclass(frozen=True, slots=True)
class SyntheticOrder:
    """A test order of one line. `marker` says in the order itself that it is none of a customer. `price`: with and
    without tax, in the store's currency."""

    marker: str
    sku: str
    name: str
    price: Decimal
    payment_method: str


@runtime_checkable
class PlacesSyntheticOrders(Protocol):
    async def place_synthetic(self, order: SyntheticOrder) -> str:
        """Places a test order as if it were paid; its key. Never called where real books are behind the store."""
        ...


@runtime_checkable
class WritesBack(Protocol):
    async def note_documents(self, order_key: str, numbers: Mapping[str, str]) -> None:
        """Keeps reference -> ERP document number beside the order in the store. Absolute, safe to repeat."""
        ...
