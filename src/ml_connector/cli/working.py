"""A process's engine, put together: services, connectors, flows and the worker. Shared by the commands that need it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ml_connector.cli.opened import Opened, opened
from ml_connector.engine import tracing
from ml_connector.engine.runs import LEASE_S
from ml_connector.engine.services import Shared
from ml_connector.engine.watchdog import Watchdog
from ml_connector.flows.assembly import sides_of
from ml_connector.flows.runtime import COUNT_EVERY_S, Runtime


@dataclass(frozen=True, slots=True)
class Working:
    """Everything that reads from and writes to other systems."""

    home: Opened
    shared: Shared
    runtime: Runtime


@asynccontextmanager
async def working(
    application: str,
    *,
    pool_size: int = 10,
    lease_s: float = LEASE_S,
    count_every_s: float = COUNT_EVERY_S,
    watchdog: bool = True,
) -> AsyncGenerator[Working]:
    """Open connectors, tokens, limits, breakers and audit; given back in order at the end."""
    async with opened(application, pool_size=pool_size) as home:
        await home.vault.check()
        shared = Shared(home.database, home.vault, sides=sides_of)
        runtime = Runtime(
            database=home.database,
            registry=home.registry,
            vault=home.vault,
            audit=shared.audit,
            services_for=shared.services_for,
            breakers=shared.breakers,
            metrics=shared.metrics,
            watchdog=Watchdog(enabled=watchdog),
            lease_s=lease_s,
            count_every_s=count_every_s,
        )
        tracing.start(application)
        try:
            yield Working(home, shared, runtime)
        finally:
            await runtime.close()
            await shared.close()
            await asyncio.to_thread(tracing.stop)
