"""Every check of a connection: what its connector finds, and what only we can know. For the command and the console."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_connector.config.policy import policy_from
from ml_connector.config.served import unserved_choices
from ml_connector.connectors.base import Check, Connector, Pings
from ml_connector.connectors.errors import ConnectorError, Unreachable
from ml_connector.connectors.systems import find_system
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Connection, Integration
from ml_connector.flows.books import FIX, keep, told_by
from ml_connector.flows.health import sees_own_documents
from ml_connector.flows.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Pinged:
    """What one connection said."""

    connection: Connection
    checks: Sequence[Check]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.needed and not check.ok]


async def ping(runtime: Runtime, connection: Connection, *, active: bool = True) -> Pinged:
    """Never raises for what a check can say. `active` false: also about integrations that are switched off."""
    try:
        connector = await runtime.connector(connection)
    except ValueError as error:  # a setting that its connector cannot use
        return Pinged(connection, [unusable(error)])
    checks = await checks_of(connector)
    if not isinstance(connector, Pings) or any(check.name == "ping" for check in checks):
        return Pinged(connection, checks)
    try:
        for each in await runtime.registry.integrations(active=active):
            if each.erp == connection.id:
                checks += await _about(runtime.database, each, connection, connector, checks)
    except ConnectorError as error:
        return Pinged(connection, [failed(error)])
    return Pinged(connection, checks)


async def checks_of(connector: Connector) -> list[Check]:
    """What the connector finds by itself."""
    if not isinstance(connector, Pings):
        return [Check("ping", ok=True, message="this system offers no checks", needed=False)]
    try:
        return [*await connector.ping()]
    except ConnectorError as error:
        return [failed(error)]


def unusable(error: ValueError) -> Check:
    """A setting that its connector cannot use."""
    fix = "correct the configuration and apply it again"
    return Check("settings", ok=False, message=str(error), fix=fix, kind="setting")


def failed(error: ConnectorError) -> Check:
    """A ping that could not even ask."""
    kind = "connection" if isinstance(error, Unreachable) else "right"
    return Check("ping", ok=False, message=str(error), kind=kind)


async def _about(
    database: Database, integration: Integration, connection: Connection, connector: Connector, said: Sequence[Check]
) -> list[Check]:
    """What an integration that posts through this connection adds."""
    found: list[Check] = []
    if all(check.ok or not check.needed for check in said):
        seen = await sees_own_documents(database, integration, connector)
        found += [seen] if seen is not None else []
        if told := await told_by(connector):
            found.append(await _books(database, integration, connection, told))
    return found + _unserved(integration, connection)


async def _books(database: Database, integration: Integration, connection: Connection, told: str) -> Check:
    clash = await keep(database, integration, connection, told)
    name = f"books ({integration.name})"
    if clash:
        return Check(name, ok=False, message=clash, fix=FIX, kind="guard")
    return Check(name, ok=True, message=f"the system calls them {told}", kind="guard")


def _unserved(integration: Integration, connection: Connection) -> list[Check]:
    """What the integration's policy asks of the ERP in vain."""
    system = find_system(connection.system)
    name, fix = f"policy ({integration.name})", "make another choice in the policy and apply it"
    return [
        Check(name, ok=False, message=message, fix=fix, kind="setting")
        for _, message in unserved_choices(system, connection.settings, policy_from(integration.policy))
    ]
