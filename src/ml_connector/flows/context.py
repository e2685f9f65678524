"""What a run of a flow has at hand: both connectors, the mapping and policy of its epoch, and where to write."""

from dataclasses import dataclass

from ml_connector.connectors.base import (
    Connector,
    Ledger,
    ReadsCustomers,
    ReadsDeliveries,
    ReadsOrders,
    ReadsStock,
    WritesBack,
    WritesShipments,
    WritesStock,
)
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.systems import find_system
from ml_connector.domain.documents import Kind
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.policy import OpenPeriods, Policy
from ml_connector.engine.apply import Target
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Connection, Integration
from ml_connector.engine.send import Story


class Incapable(ConnectorError):
    """The connection's system does not offer what the flow needs."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything is of one epoch; the next run may see another."""

    database: Database
    integration: Integration
    store: Connection
    erp: Connection
    store_connector: Connector
    erp_connector: Connector
    mapping: Tables
    policy: Policy
    periods: OpenPeriods
    story: Story
    reference_form: str = "short"
    style: str = "journal"
    family: str = ""
    kinds: frozenset[Kind] | None = None

    @property
    def orders(self) -> ReadsOrders:
        if not isinstance(self.store_connector, ReadsOrders):
            raise Incapable("cannot read orders", system=self.store.system)
        return self.store_connector

    @property
    def customers(self) -> ReadsCustomers:
        if not isinstance(self.store_connector, ReadsCustomers):
            raise Incapable("cannot read customers", system=self.store.system)
        return self.store_connector

    @property
    def ledger(self) -> Ledger:
        if not isinstance(self.erp_connector, Ledger):
            raise Incapable("cannot hold documents", system=self.erp.system)
        return self.erp_connector

    @property
    def stock(self) -> ReadsStock:
        if not isinstance(self.erp_connector, ReadsStock):
            raise Incapable("cannot tell its stock", system=self.erp.system)
        return self.erp_connector

    @property
    def shelves(self) -> WritesStock:
        if not isinstance(self.store_connector, WritesStock):
            raise Incapable("cannot take stock", system=self.store.system)
        return self.store_connector

    @property
    def deliveries(self) -> ReadsDeliveries:
        if not isinstance(self.erp_connector, ReadsDeliveries):
            raise Incapable("cannot tell its deliveries", system=self.erp.system)
        return self.erp_connector

    @property
    def shipping(self) -> WritesShipments:
        if not isinstance(self.store_connector, WritesShipments):
            raise Incapable("cannot take shipments", system=self.store.system)
        return self.store_connector

    @property
    def target(self) -> Target:
        return Target(self.erp.id, self.ledger)

    @property
    def shipment_target(self) -> Target:
        return Target(self.store.id, self.shipping.shipment_ledger)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Everywhere where documents of ours may stand."""
        found = [self.target] if isinstance(self.erp_connector, Ledger) else []
        if isinstance(self.store_connector, WritesShipments):
            found.append(self.shipment_target)
        return tuple(found)

    def target_of(self, connection: int) -> Target:
        """The one that a posting of this connection went to."""
        return next((target for target in self.targets if target.connection == connection), self.target)

    @property
    def writes_back(self) -> bool:
        return isinstance(self.store_connector, WritesBack) and bool(self.store.settings.get("write_back", True))

    def failed_connection(self, error: ConnectorError) -> int:
        """Which of the two connections `error` is about."""
        return self._failed(error).id

    def epoch_of(self, error: ConnectorError) -> int:
        return self._failed(error).epoch

    def _failed(self, error: ConnectorError) -> Connection:
        names = {self.store.system, find_system(self.store.system).title}
        return self.store if error.system in names else self.erp
