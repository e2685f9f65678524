"""A store whose orders and customers a story decides, and the flows between it and the books."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from ml_connector.connectors.base import ChangePage, Connector
from ml_connector.domain.customers import Customer
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import OpenPeriods
from ml_connector.engine.apply import Applier
from ml_connector.engine.ending import write_outcomes
from ml_connector.engine.registry import Connection, Integration, Registry
from ml_connector.engine.runs import Flow, Outcome, Run
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime
from tests.exactly_once.desk import ERP, Desk
from tests.planning.store import a_mapping, a_policy

STORE = 1


class Shop:
    def __init__(self) -> None:
        self.snapshots: dict[str, OrderSnapshot] = {}
        self.people: dict[str, Customer] = {}

    async def orders(self, keys: Sequence[str]) -> Mapping[str, OrderSnapshot]:
        return {key: self.snapshots[key] for key in keys if key in self.snapshots}

    async def customers(self, keys: Sequence[str]) -> Mapping[str, Customer]:
        return {key: self.people[key] for key in keys if key in self.people}

    async def changed_orders(self, since: datetime) -> AsyncIterator[ChangePage]:
        return
        yield

    async def changed_customers(self, since: datetime) -> AsyncIterator[ChangePage]:
        return
        yield

    async def orders_created(self, first: datetime, last: datetime) -> AsyncIterator[ChangePage]:
        return
        yield


class Room(Runtime):
    """The runtime of one shop and one ERP."""

    def __init__(self, desk: Desk, shop: Shop) -> None:
        nothing = cast("Any", None)
        super().__init__(desk.database, Registry(desk.database), nothing, nothing, nothing)
        self._desk, self._shop = desk, shop

    async def context(self, integration_id: int, epoch: int | None) -> Context:
        return Context(
            database=self.database,
            integration=Integration(integration_id, "test", STORE, ERP, "S1", True, epoch or 0),
            store=Connection(STORE, "shop", "bigcommerce", True, 0),
            erp=Connection(ERP, "ledger", "s4hana", True, 0),
            store_connector=cast("Connector", self._shop),
            erp_connector=cast("Connector", self._desk.books),
            mapping=a_mapping(),
            policy=a_policy(),
            periods=OpenPeriods(),
            story=lambda kind, key, reference, facts: None,
        )

    def applier(self, context: Context, run: Run) -> Applier:
        return self._desk.applier(run)

    async def runs(self, flow: Flow, key: str) -> Outcome:
        """One run of one record; what was said of it is written."""
        run = await self._desk.claim(key, flow=flow.name)
        outcomes = await flow.run(run)
        await write_outcomes(self.database, run, outcomes)
        return outcomes[key]
