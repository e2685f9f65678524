"""Puts the flows of a worker together: which there are, which lanes may be claimed, what runs on a schedule."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ml_connector.engine import periodic, tracing
from ml_connector.engine.actor import WORKER, acting
from ml_connector.engine.breaker import Side
from ml_connector.engine.correlation import correlated
from ml_connector.engine.database import TROUBLE, is_outage
from ml_connector.engine.records import Lane
from ml_connector.engine.registry import Integration
from ml_connector.engine.runs import Again, Dead, Done, Fail, Flow, Hold, Outcome, Run
from ml_connector.flows import (
    alerting,
    checking,
    count,
    sealing,
    shipments,
    shipments_poll,
    stock,
    stock_guard,
    stock_poll,
    stock_recount,
    upkeep,
)
from ml_connector.flows.alerting import AlertsFlow
from ml_connector.flows.checking import CheckFlow
from ml_connector.flows.count import CountFlow
from ml_connector.flows.customers import CustomersFlow
from ml_connector.flows.orders import OrdersFlow
from ml_connector.flows.polls import POLLED, PollFlow, poll_name
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.sealing import SealFlow
from ml_connector.flows.shipments import ShipmentsFlow
from ml_connector.flows.shipments_poll import ShipmentsPollFlow
from ml_connector.flows.stock import StockFlow
from ml_connector.flows.stock_guard import StockGuardFlow
from ml_connector.flows.stock_poll import StockPollFlow
from ml_connector.flows.stock_recount import StockRecountFlow, seconds_to_night
from ml_connector.flows.upkeep import HooksFlow, PulseFlow, RetentionFlow
from ml_connector.flows.write_back import WriteBackFlow

SCHEDULE_EVERY_S = 30.0
SIDES: Mapping[str, frozenset[Side]] = {
    "write_back": frozenset(("store",)),
    count.NAME: frozenset(("erp",)),
    upkeep.HOOKS: frozenset(("store",)),
    upkeep.RETENTION: frozenset(),
    sealing.NAME: frozenset(),
    alerting.NAME: frozenset(),
    upkeep.PULSE: frozenset(),
    checking.NAME: frozenset(),
    stock_poll.NAME: frozenset(("erp",)),
    shipments_poll.NAME: frozenset(("erp",)),
    stock_guard.NAME: frozenset(("store",)),
    **{poll_name(polled): frozenset[Side](("store",)) for polled in POLLED},
}


class Scheduled(Flow, Protocol):
    """A periodic flow of a higher layer, which says by itself when an integration's first run is due."""

    def first_in_s(self, integration: Integration) -> float | None:
        """Seconds from now; None: this integration has no such run."""
        ...


def flows_of(runtime: Runtime, *more: Flow) -> dict[str, Flow]:
    """Every flow by the name of its lanes; `more`: of higher layers."""
    flows: list[Flow] = [
        OrdersFlow(runtime),
        CustomersFlow(runtime),
        WriteBackFlow(runtime),
        CountFlow(runtime),
        HooksFlow(runtime),
        RetentionFlow(runtime),
        SealFlow(runtime),
        AlertsFlow(runtime),
        PulseFlow(runtime),
        CheckFlow(runtime),
        *(PollFlow(runtime, polled) for polled in POLLED),
        StockFlow(runtime),
        StockPollFlow(runtime),
        StockGuardFlow(runtime),
        StockRecountFlow(runtime),
        ShipmentsFlow(runtime),
        ShipmentsPollFlow(runtime),
        *more,
    ]
    return {flow.name: Audited(flow, runtime) for flow in flows}


@dataclass(frozen=True, slots=True)
class Audited:
    """A flow whose run has a correlation ID; what it says of each record is counted, and in the audit before it is
    written to the record."""

    flow: Flow
    runtime: Runtime

    @property
    def name(self) -> str:
        return self.flow.name

    @property
    def batch(self) -> int:
        return self.flow.batch

    @property
    def lease_s(self) -> float:
        return self.flow.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        key = run.keys[0] if len(run.keys) == 1 else ""
        story = correlated(id="", integration=run.integration, flow=run.flow, key=key, token=run.token)
        with story, acting(WORKER):
            began = time.time()
            try:
                with tracing.run_span(run.integration, run.flow, run.keys, records=len(run.keys), token=run.token):
                    outcomes = await self.flow.run(run)
                    await self._tell(run, outcomes, began)
                return outcomes
            finally:
                await self.runtime.audit.flush()

    async def _tell(self, run: Run, outcomes: Mapping[str, Outcome], began: float) -> None:
        integration = await self.runtime.registry.integration(run.integration, epoch=run.epoch)
        self.runtime.metrics.run(integration.name, run.flow, time.time() - began)
        for key, outcome in outcomes.items():
            kind, facts = in_words(outcome)
            self.runtime.metrics.outcome(integration.name, run.flow, kind)
            tracing.told(run.integration, run.flow, key, f"{run.flow} {kind}", began, outcome=kind)
            if kind != "synced" or ":" not in run.flow:  # a poll that found nothing new is no news
                self.runtime.audit.record(kind, key=key, data=facts)


def in_words(outcome: Outcome) -> tuple[str, Mapping[str, object]]:
    """An outcome as the audit names it, with what it says."""
    match outcome:
        case Done():
            return str(outcome.status), {"reason": outcome.reason} if outcome.reason else {}
        case Again():
            return "retry", {"after_s": outcome.after_s, "why": outcome.why, "waits_for": outcome.waits_for}
        case Hold():
            return "held", {"kind": outcome.kind, "key": outcome.key, "message": outcome.message}
        case Fail():
            return "retry", {"error": outcome.error, "floor_s": outcome.floor_s}
        case Dead():
            return "dead", {"error": outcome.error}


def sides_of(flow: str) -> frozenset[Side]:
    """Which connections a flow needs: its lanes rest while the breaker of one of them is open."""
    return SIDES.get(flow, frozenset(("store", "erp")))


async def schedule(runtime: Runtime, *more: Scheduled) -> None:
    """Makes the periodic records of every active integration exist."""
    for integration in await runtime.registry.integrations():
        async with runtime.database.connect() as connection:
            for flow in POLLED:
                if integration.flow(flow).enabled:
                    await periodic.ensure(connection, Lane(integration.id, poll_name(flow)))
            housekeeping = (upkeep.HOOKS, upkeep.RETENTION, upkeep.PULSE, sealing.NAME, alerting.NAME)
            for name in (count.NAME, *housekeeping):
                await periodic.ensure(connection, Lane(integration.id, name))
            if integration.check.enabled:
                await periodic.ensure(connection, Lane(integration.id, checking.NAME))
            if integration.flow(stock.NAME).enabled:
                for name in (stock_poll.NAME, stock_guard.NAME):
                    await periodic.ensure(connection, Lane(integration.id, name))
                night_s = seconds_to_night(integration.reconcile.hour)
                await periodic.ensure(connection, Lane(integration.id, stock_recount.NAME), first_in_s=night_s)
            if integration.flow(shipments.NAME).enabled:
                await periodic.ensure(connection, Lane(integration.id, shipments_poll.NAME))
            for flow in more:
                first_in_s = flow.first_in_s(integration)
                if first_in_s is not None:
                    await periodic.ensure(connection, Lane(integration.id, flow.name), first_in_s=first_in_s)


async def schedule_for_ever(runtime: Runtime, *more: Scheduled) -> None:
    """New integrations get their schedules without a restart."""
    while True:
        try:
            await schedule(runtime, *more)
        except TROUBLE as error:
            if not is_outage(error):
                raise
        await asyncio.sleep(SCHEDULE_EVERY_S)
