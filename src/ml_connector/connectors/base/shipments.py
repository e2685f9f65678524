"""Shipments: delivery notes that an ERP tells, and how a store takes them."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from ml_connector.connectors.base.ledger import Ledger
from ml_connector.connectors.base.store import ChangePage
from ml_connector.domain.documents import Document, Line
from ml_connector.domain.shipments import DeliveryNote, OrderShipping


@runtime_checkable
class ReadsDeliveries(Protocol):
    """An ERP's delivery notes."""

    def changed_deliveries(self, since: datetime) -> AsyncIterator[ChangePage]:
        """Notes changed at or after `since`, with the ERP's own stamps. These need not be in UTC, only in order, and
        may be coarse: who reads them reads with an overlap, and takes an equal stamp for an equal state only when the
        ERP has moved on."""
        ...

    async def deliveries(self, keys: Sequence[str]) -> Mapping[str, DeliveryNote]:
        """By key; what is no delivery, or not yet, is absent."""
        ...

    def line_at(self, document: Document, place: int) -> Line | None:
        """The line of a document of ours that this ERP keeps at `place`; None where it keeps none of ours there."""
        ...


@runtime_checkable
class WritesShipments(Protocol):
    """A store's shipments."""

    @property
    def shipment_ledger(self) -> Ledger:
        """Shipments as documents of kind `shipment`, findable by their references; updates change how they travel."""
        ...

    async def order_shipping(self, orders: Collection[str]) -> Mapping[str, OrderShipping]:
        """By order; one that the store does not know is absent."""
        ...
