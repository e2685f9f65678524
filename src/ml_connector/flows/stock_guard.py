"""The oversell guard: what to do with figures that the ERP has not confirmed for `stock.staleness_minutes`.

It needs the store alone, for it works while the ERP is away. A figure is as fresh as its last read, or as the last
complete scan that saw no change of it.
"""

from collections.abc import Mapping

from ml_connector.connectors.errors import ConnectorError
from ml_connector.engine import records, stock, stock_status
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Outcome, Run, fence
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.stock import BATCH, FLOORED, FOUND, StockWriter
from ml_connector.flows.stock import NAME as STOCK
from ml_connector.planning.stock import nothing_to_sell

NAME = "system:stock"
EVERY_S = 60.0


class StockGuardFlow:
    """One periodic record per integration."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        done = Done(next_in_s=min(EVERY_S, context.policy.stock_staleness_minutes * 30.0))
        if not context.integration.flow(STOCK).enabled or not context.integration.active:
            return dict.fromkeys(run.keys, done)
        minutes = context.policy.stock_staleness_minutes
        async with context.database.connect() as connection:
            fresh = 0
            if context.policy.stock_oversell != "hold":  # there a run holds what was found, and a person ends it
                fresh = await stock_status.fresh_again(connection, run.integration, minutes)
            stale = await stock_status.gone_stale(connection, run.integration, minutes, limit=BATCH)
        if fresh:
            context.story("stock", "", "", {"fresh_again": fresh})
        try:
            await self._guard(context, run, stale)
        except ConnectorError as error:
            outcome = outcome_of_error(error, connection=context.store.id, epoch=context.store.epoch)
            return dict.fromkeys(run.keys, outcome)
        more = len(stale) == BATCH
        return dict.fromkeys(run.keys, Done(next_in_s=1.0) if more else done)

    async def _guard(self, context: Context, run: Run, stale: Mapping[str, int]) -> None:
        """`stale`: SKU -> version. With `alert` it is told; with the others something is done besides."""
        if not stale:
            return
        way = context.policy.stock_oversell
        context.story("stale", "", "", {"skus": len(stale), "first": min(stale), "policy": way})
        if way == "floor_to_zero":
            await self._floor(context, run, stale)
            return
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            await stock.set_stale(connection, run.integration, list(stale), FOUND)
            if way == "hold":
                await records.mark(connection, run.integration, STOCK, sorted(stale))

    async def _floor(self, context: Context, run: Run, stale: Mapping[str, int]) -> None:
        """Offers none. The records run as soon as the ERP answers, and say what there is."""
        places = sorted(set(context.mapping.warehouses.values()))
        shelves = await context.shelves.quantities(list(stale), places)
        plans = {sku: nothing_to_sell(each, context.mapping) for sku, each in shelves.items()}
        work = {sku: plan.writes for sku, plan in plans.items() if plan.writes}
        outcomes = await StockWriter(self._runtime, context, run).write(work, stale)
        floored = [sku for sku in stale if sku not in work or isinstance(outcomes[sku], Done)]
        async with context.database.transaction() as connection:
            await fence(connection, run.fence)
            await stock.set_stale(connection, run.integration, floored, FLOORED)
            await records.mark(connection, run.integration, STOCK, sorted(floored))
        async with context.database.connect() as connection:
            await records.notify(connection, [Lane(run.integration, STOCK)])
