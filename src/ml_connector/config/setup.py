"""A configuration in its normal form: what a file asks for and what the database holds, so that they can be compared.

Plain JSON values. What equals its default is left out of connections, flows and mappings; a policy has every key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.file import ConfigFile, ConnectionEntry, IntegrationEntry
from ml_connector.config.policy import policy_from, policy_to_dict
from ml_connector.engine.registry import Connection, Integration, read_connections, read_integrations

Json = Mapping[str, Any]
REMOVED = "removed"
"""Key of a row's content: no longer in the configuration, kept because postings name it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Entries by name, each as in the file."""

    connections: Mapping[str, Json] = field(default_factory=dict[str, Json])
    integrations: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds: the setup, the same with what was removed from it (`ever`), and the rows behind both."""

    setup: Setup
    ever: Setup
    connections: Mapping[str, Connection] = field(default_factory=dict[str, Connection])
    integrations: Mapping[str, Integration] = field(default_factory=dict[str, Integration])


def setup_of(config: ConfigFile) -> Setup:
    """The normal form of a file."""
    return Setup(
        {name: _connection(entry) for name, entry in config.connections.items()},
        {name: _integration(entry) for name, entry in config.integrations.items()},
    )


async def read_stored(connection: AsyncConnection) -> Stored:
    """What the database holds."""
    connections = {row.name: row for row in await read_connections(connection)}
    integrations = {row.name: row for row in await read_integrations(connection)}
    names = {row.id: row.name for row in connections.values()}
    ever = Setup(
        {
            name: {
                "system": row.system,
                **({"sandbox": True} if row.sandbox else {}),
                **{key: value for key, value in row.content.items() if key != REMOVED},
            }
            for name, row in connections.items()
        },
        {
            name: _stored_integration(row, names)
            for name, row in integrations.items()
            if row.store in names and row.erp in names
        },
    )
    setup = Setup(
        {name: entry for name, entry in ever.connections.items() if not connections[name].removed},
        {name: entry for name, entry in ever.integrations.items() if not integrations[name].content.get(REMOVED)},
    )
    return Stored(setup, ever, connections, integrations)


def connection_content(entry: Json) -> dict[str, Any]:
    """The part of a connection's entry that is kept as JSON beside the columns."""
    return {name: value for name, value in entry.items() if name not in ("system", "sandbox")}


def integration_content(entry: Json) -> dict[str, Any]:
    """The part of an integration's entry that is kept as JSON beside columns and versions."""
    kept = ("webhook_url", "flows", "retention", "reconcile", "check", "plans")
    return {name: entry[name] for name in kept if name in entry}


def _connection(entry: ConnectionEntry) -> Json:
    written = entry.model_dump(mode="json", exclude_defaults=True)
    return {name: value for name, value in written.items() if value != {}}


def _integration(entry: IntegrationEntry) -> Json:
    written = entry.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    return {"mapping": {}, **written, "policy": policy_to_dict(policy_from(entry.policy))}


def _stored_integration(row: Integration, names: Mapping[int, str]) -> Json:
    return {
        "store": names[row.store],
        "erp": names[row.erp],
        **({} if row.active else {"active": False}),
        **integration_content(row.content),
        "policy": dict(row.policy),
        "mapping": dict(row.mapping),
    }
