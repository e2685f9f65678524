"""Who may deliver webhooks where: a store connection's verification, and the integrations that its deliveries mark."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from ml_connector.connectors.base import Connector, Delivery, ReceivesWebhooks
from ml_connector.engine.registry import Connection, Integration, Registry

FRESH_S = 2.0
"""How long a changed configuration may take to reach the intake of a running process."""

Opens = Callable[[Connection], Awaitable[Connector]]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Target:
    """An integration that hears of a store, and which of its flows are switched on."""

    integration: int
    flows: frozenset[str]


@dataclass(frozen=True, slots=True)
class Door:
    """Where the deliveries of one store connection arrive."""

    connection: Connection
    receiver: ReceivesWebhooks
    targets: tuple[Target, ...]

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Raises `Forged`."""
        return self.receiver.verify(headers, body, now)


class Doors:
    """All doors by connection name, read again when what is known is older than `FRESH_S`."""

    def __init__(self, registry: Registry, opens: Opens) -> None:
        self._registry = registry
        self._opens = opens
        self._doors: dict[str, Door] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, name: str) -> Door | None:
        """The door of a connection; None where no delivery is expected. Raises what the database raises."""
        if time.monotonic() - self._read_at > FRESH_S:
            async with self._reading:
                if time.monotonic() - self._read_at > FRESH_S:
                    await self._read()
        return self._doors.get(name)

    async def _read(self) -> None:
        integrations = await self._registry.integrations()
        doors: dict[str, Door] = {}
        for connection in await self._registry.connections():
            targets = tuple(_target(each) for each in integrations if each.store == connection.id)
            if not targets:
                continue
            try:
                connector = await self._opens(connection)
            except ValueError as error:  # its settings cannot be used; `ping` and the worker say so too
                log.warning("intake.connection_unusable", connection=connection.name, why=str(error))
                continue
            if isinstance(connector, ReceivesWebhooks):
                doors[connection.name] = Door(connection, connector, targets)
        self._doors = doors
        self._read_at = time.monotonic()


def _target(integration: Integration) -> Target:
    flows = integration.flows
    return Target(integration.id, frozenset(name for name, flow in flows.items() if flow.enabled))
