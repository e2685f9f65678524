"""Stock per SKU: what the ERP has to sell, by the policy, against what the store offers.

The ERP is read page by page and kept beside (`engine.stock_staged`), then the store page by page against it. What does
not agree is read a second time at once, for both sides go on; then our own tables say whether it is on its way.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.stock import ItemStock, StoreStock
from ml_connector.engine import stock, stock_status, watermarks
from ml_connector.engine.stock import Reserved
from ml_connector.engine.stock_staged import Staged, staged
from ml_connector.flows.batches import each_by_itself
from ml_connector.flows.context import Context
from ml_connector.flows.stock import NAME as STOCK
from ml_connector.flows.stock_orders import CAUGHT_UP, reserved, unread_orders
from ml_connector.flows.stock_poll import SCANNED_AT, SkusOf, all_skus_of
from ml_connector.planning.stock import item_of, plan_stock, scan_digest
from ml_connector.reconcile.stock_judge import Facts, Figures, judged
from ml_connector.reconcile.stock_values import NOT_OFFERED, StockTotals

LOOKED_AT_ONCE = 500
LOOKED_AT_TWICE = 5_000
"""SKUs that are read a second time in all. More of them are no coincidence of two reads."""

Progress = Callable[[StockTotals], None]


def covers_stock(context: Context) -> bool:
    """Whether stock flows into this store."""
    return context.integration.flow(STOCK).enabled and bool(context.mapping.warehouses)


async def reconcile_stock(context: Context, *, lag_s: float, progress: Progress = lambda _: None) -> StockTotals:
    """Every SKU of the store, as of now. `lag_s`: after which what is on its way is late. Raises `ConnectorError`."""
    async with context.database.connect() as connection:
        began = await stock.now(connection)
    told = await context.shelves.locations()
    names = {each.id: each.code or each.name for each in told}
    default = next((each.id for each in told if each.default), None)
    comparison = _Comparison(context, began, lag_s, names, default, await all_skus_of(context), StockTotals(began))
    async with staged(context.database) as erp:
        async for page in context.stock.all_stock(sorted(context.mapping.warehouses)):
            await erp.put(page)
        async for page in context.shelves.all_quantities(comparison.places):
            await comparison.page(erp, page)
            progress(comparison.totals)
        await comparison.rest(erp)
    return comparison.totals


@dataclass(slots=True)
class _Comparison:
    """`names`: of the store's locations. `default`: where it takes orders from."""

    context: Context
    began: datetime
    lag_s: float
    names: Mapping[int, str]
    default: int | None
    skus_of: SkusOf
    totals: StockTotals
    looked_twice: int = 0

    @property
    def places(self) -> list[int]:
        return sorted(set(self.context.mapping.warehouses.values()))

    async def page(self, erp: Staged, page: Sequence[StoreStock]) -> None:
        """A page of the store against what the ERP has of it."""
        names = {each.sku: self._item(each.sku) for each in page}
        known = await erp.take({name for item in names.values() if item for name in (item, item.upper())})
        items = {sku: item for sku, name in names.items() if (item := known.get(name) or known.get(name.upper()))}
        figures = await self._figures({each.sku: each for each in page}, items, self.began)
        await self._judge(figures, in_store=True)

    async def rest(self, erp: Staged) -> None:
        """Items that no SKU of the store shows. One that was in the store before, or is mapped by name, is missing."""
        after = ""
        while left := await erp.left(after, LOOKED_AT_ONCE):
            after = left[-1].item
            items = {sku: each for each in left for sku in self.skus_of(each.item)}
            async with self.context.database.connect() as connection:
                ours = await stock_status.standings(connection, self.context.integration.id, items)
            wanted = [sku for sku in items if sku in self.context.mapping.items or ours[sku].wanted is not None]
            self.totals.not_sold += len(left) - len({items[sku].item for sku in wanted})
            absent = {sku: StoreStock(sku, {}) for sku in wanted}
            figures = await self._figures(absent, {sku: items[sku] for sku in wanted}, self.began)
            await self._judge({sku: each for sku, each in figures.items() if not each.equal}, in_store=False)

    # -------------------------------------------------------------- what does not agree

    async def _judge(self, figures: Mapping[str, Figures], *, in_store: bool) -> None:
        suspects = [sku for sku, each in figures.items() if not each.equal]
        self.totals.equal(len(figures) - len(suspects))
        for start in range(0, len(suspects), LOOKED_AT_ONCE):
            part = {sku: figures[sku] for sku in suspects[start : start + LOOKED_AT_ONCE]}
            second = _Second(part)
            if self.looked_twice < LOOKED_AT_TWICE:
                self.looked_twice += len(part)
                second = await self._look_again(part, in_store=in_store)
            self.totals.equal(sum(1 for each in second.figures.values() if each.equal))
            await self._add(second, in_store=in_store)

    async def _look_again(self, suspects: Mapping[str, Figures], *, in_store: bool) -> "_Second":
        """Store, orders, ERP, and the store once more: a SKU that the store moved meanwhile is not judged."""
        context = self.context
        first = await context.shelves.quantities(list(suspects), self.places)
        unread = await unread_orders(context)
        snapshots, _ = await each_by_itself(context.orders.orders, unread[:CAUGHT_UP]) if unread else ({}, {})
        async with context.database.connect() as connection:
            began = await stock.now(connection)
        names = sorted({each.name for each in suspects.values() if each.name})
        levels: Mapping[str, ItemStock] = {}
        if names:
            levels = await context.stock.stock(names, sorted(context.mapping.warehouses))
        last = await context.shelves.quantities(list(suspects), self.places)
        there = {sku: last.get(sku, StoreStock(sku, {})) for sku in suspects if sku in last or not in_store}
        items = {sku: levels[each.name] for sku, each in suspects.items() if each.name in levels}
        return _Second(
            await self._figures(there, items, began),
            {sku for sku in suspects if first.get(sku) != last.get(sku) or (sku in last) != in_store},
            {line.sku: key for key, each in snapshots.items() for line in each.lines if line.sku},
            len(unread),
        )

    async def _add(self, second: "_Second", *, in_store: bool) -> None:
        context, integration = self.context, self.context.integration
        items = {sku: each.item for sku, each in second.figures.items() if each.item is not None and not each.equal}
        digests = {
            item.item: scan_digest(item, self.skus_of(item.item), context.mapping, context.policy)
            for item in items.values()
        }
        async with context.database.connect() as connection:
            ours = await stock_status.standings(connection, integration.id, second.figures)
            news = set(await stock.news(connection, integration.id, digests))
            scanned = await watermarks.noted(connection, integration.id, STOCK, SCANNED_AT)
            now = await stock.now(connection)
        for sku, each in second.figures.items():
            if each.equal:
                continue
            facts = Facts(
                now, ours[sku], self.lag_s, integration.flow(STOCK).poll_s,
                datetime.fromisoformat(scanned) if scanned else None,
                changed=sku in items and items[sku].item in news,
                moved=sku in second.moved,
                order=second.order_of(sku),
                mapped=sku in context.mapping.items,
                in_store=in_store,
            )  # fmt: skip
            found = judged(sku, each, facts, self.names)
            if found is None:
                self.totals.by_state[NOT_OFFERED] += 1
            else:
                self.totals.add(found)

    # -------------------------------------------------------------- figures

    def _item(self, sku: str) -> str:
        """Empty: no item is mapped to it."""
        try:
            return item_of(sku, self.context.mapping)
        except Unmapped:
            return ""

    async def _figures(
        self, store: Mapping[str, StoreStock], items: Mapping[str, ItemStock], read_at: datetime
    ) -> dict[str, Figures]:
        """What each SKU has, and should have; `read_at`: when that read of the ERP began."""
        context = self.context
        counted = read_at - timedelta(seconds=context.stock.stock_lag_s)
        taken = await reserved(context, dict.fromkeys(items, counted))
        found: dict[str, Figures] = {}
        for sku, each in store.items():
            if (item := items.get(sku)) is None:
                found[sku] = Figures(each, self._item(sku), None, {})
                continue
            on_orders = taken.get(sku, Reserved()).quantity
            plan = plan_stock(
                item, each, context.mapping, context.policy, reserved=on_orders, default_location=self.default
            )
            found[sku] = Figures(each, item.item, item, plan.wanted, on_orders)
        return found


@dataclass(frozen=True, slots=True)
class _Second:
    """A second look. `moved`: the store's figure changed meanwhile. `orders`: SKU -> an order that is not read yet;
    `unread`: how many there are, of which `CAUGHT_UP` were looked into."""

    figures: Mapping[str, Figures]
    moved: Collection[str] = ()
    orders: Mapping[str, str] = field(default_factory=dict[str, str])
    unread: int = 0

    def order_of(self, sku: str) -> str:
        if self.unread > CAUGHT_UP:
            return self.orders.get(sku, f"(one of {self.unread} unread ones)")
        return self.orders.get(sku, "")
