"""Stock between a store and an ERP that a story decides, with the flows and the database between them as they are."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ml_connector.connectors.base import Change, ChangePage, Connector, Permit, Timing
from ml_connector.connectors.errors import Rejected
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.stock import ItemStock, Level, StoreLocation, StoreStock, WarehouseStock
from ml_connector.engine.registry import Connection
from ml_connector.flows.context import Context
from ml_connector.planning.stock import MOST
from tests.exactly_once.desk import ERP, Books, Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import D, Item, StoreOrder, a_mapping, a_policy, captured

FLOWS = {"orders": {"enabled": True}, "stock": {"enabled": True, "poll_s": 300}}


class Shelves(Shop):
    """A store with one location. An order takes its goods off at once. `before_reading`: happens in the store right
    before its quantities are next read."""

    def __init__(self, **on_hand: int) -> None:
        super().__init__()
        self.on_hand = on_hand
        self.written: list[dict[str, int]] = []
        self.calls = 0
        self.before_reading: list[Any] = []
        self.stock_timing = Timing(p_s=10, t_s=1, l_s=0, v_s=0, s_s=0)
        self.stock_write_size = 2000

    def sell(self, number: int, status: int = 11, **pieces: int) -> OrderSnapshot:
        """A paid order of now. Nobody has heard of it yet."""
        now = datetime.now(UTC).replace(microsecond=0)
        items = tuple(Item(sku=sku, quantity=count, price=D("20.00")) for sku, count in pieces.items())
        sold = captured(StoreOrder(id=number, items=items, status=status).snapshot())
        sold = replace(sold, order=replace(sold.order, created=now, modified=now))
        self.snapshots[str(number)] = sold
        for sku, count in pieces.items():
            self.on_hand[sku] -= count
        return sold

    async def changed_orders(self, since: datetime) -> AsyncIterator[ChangePage]:
        found = [Change(key, each.order.modified) for key, each in self.snapshots.items()]
        changes = tuple(each for each in found if each.stamp is not None and each.stamp >= since)
        yield ChangePage(changes, since)

    async def locations(self) -> Sequence[StoreLocation]:
        return [StoreLocation(1, "HOME", "Home", default=True)]

    async def quantities(self, skus: Collection[str], locations: Collection[int]) -> Mapping[str, StoreStock]:
        self._happens()
        return {sku: StoreStock(sku, {1: self.on_hand[sku]}) for sku in skus if sku in self.on_hand}

    async def all_quantities(self, locations: Collection[int]) -> AsyncIterator[Sequence[StoreStock]]:
        self._happens()
        yield [StoreStock(sku, {1: count}) for sku, count in sorted(self.on_hand.items())]

    def _happens(self) -> None:
        while self.before_reading:
            self.before_reading.pop()()

    async def open_orders(self) -> AsyncIterator[Sequence[str]]:
        yield [key for key, each in self.snapshots.items() if each.order.status_id not in (2, 4, 5, 6, 10)]

    async def set_quantities(self, levels: Sequence[Level], permit: Permit, *, reason: str) -> None:
        await permit.arm()
        permit.check()
        self.calls += 1
        if any(level.location != 1 for level in levels):
            raise Rejected("there is no such location")
        assert all(0 <= level.quantity <= MOST for level in levels)
        self.on_hand |= {level.sku: level.quantity for level in levels}
        self.written.append({level.sku: level.quantity for level in levels})


class Warehouse(Books):
    """An ERP with one warehouse, `01`."""

    stock_lag_s = 0.0

    def __init__(self, **in_stock: int) -> None:
        super().__init__()
        self.in_stock = in_stock

    def _of(self, item: str) -> ItemStock:
        return ItemStock(item, {"01": WarehouseStock(D(self.in_stock[item]))})

    async def stock(self, items: Collection[str], warehouses: Collection[str]) -> Mapping[str, ItemStock]:
        """Codes are in capitals, and found in any spelling."""
        return {item: replace(self._of(item.upper()), item=item) for item in items if item.upper() in self.in_stock}

    async def all_stock(self, warehouses: Collection[str]) -> AsyncIterator[Sequence[ItemStock]]:
        yield [self._of(item) for item in sorted(self.in_stock)]


class StockRoom(Room):
    """The runtime of that store and that ERP. `flows`: as they are configured; `items`: SKU -> item."""

    def __init__(self, desk: Desk, shop: Shelves, *, system: str = "business_one", **items: str) -> None:
        super().__init__(desk, shop)
        self.watchdog = desk.watchdog
        self.flows: dict[str, Any] = dict(FLOWS)
        self.system, self.items = system, items
        self.warehouses = {"01": 1}

    async def context(self, integration_id: int, epoch: int | None) -> Context:
        context = await super().context(integration_id, epoch)
        return replace(
            context,
            integration=replace(context.integration, content={"flows": self.flows}),
            erp=Connection(ERP, "ledger", self.system, True, 0),
            store_connector=cast("Connector", self._shop),
            mapping=a_mapping(items=self.items, items_match="sku", warehouses=self.warehouses),
            policy=a_policy(),
        )


LATER = timedelta(hours=1)
