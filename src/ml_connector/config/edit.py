"""A change of the stored configuration by a person at the console or a program at the API.

It is `config apply` of the file that `config export` would write, with the change made in it: the same checks, the
same refusals, the same versions and releases, in one transaction. There is no second way to change the configuration.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.apply import Applied, Asked, ask, by_entry, ended_holds, woken, write
from ml_connector.config.diff import Change
from ml_connector.config.export import as_data
from ml_connector.config.load import checked
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.config.secrets import NONE, Values, typed_secrets
from ml_connector.config.setup import Stored, read_stored
from ml_connector.config.source import Source
from ml_connector.connectors.systems import systems
from ml_connector.engine import registry
from ml_connector.engine.database import Database
from ml_connector.engine.vault import Vault

Edit = Callable[[dict[str, Any]], None]
"""Changes the stored configuration in place, given as the data of a configuration file: `version`, `connections`,
`integrations`. Raises `ConfigError` where it cannot be made."""

Versions = Mapping[str, tuple[int, int]]
"""Integration -> the mapping version and the policy version that a person has looked at."""

FILE = "console"
"""Stands in problems and in the audit where a file's name would."""

_WAITING = text("""
SELECT count(*) FROM records
 WHERE integration = :integration AND hold_kind = :kind
   AND (CAST(:keys AS text[]) IS NULL OR hold_key = ANY(CAST(:keys AS text[])))
""")


class Outdated(Exception):
    """Somebody has saved another version since; nothing was changed. The message names it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an edit would do. `releases`: integration -> records that would go at once.

    With `problems` nothing would be done; their `path` names what is wrong, as in `integrations.eu.mapping.items`.
    """

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    releases: Mapping[str, int] | None = None


async def propose(database: Database, vault: Vault, edit: Edit, *, secrets: Values = NONE) -> Proposal:
    """What `save` would do now. `secrets`: as for `save`."""
    async with database.transaction() as connection:
        stored = await read_stored(connection)
        try:
            asked = await _asked(connection, vault, stored, edit, secrets)
        except ConfigError as error:
            return Proposal(problems=tuple(error.problems))
        problems = await asked.refused(connection)
        return Proposal(tuple(asked.changes), tuple(problems), await _releases(connection, asked))


async def save(
    database: Database,
    vault: Vault,
    edit: Edit,
    *,
    author: str,
    comment: str = "",
    secrets: Values = NONE,
    seen: Versions | None = None,
) -> Applied:
    """Makes the change, all of it or nothing, and wakes the workers.

    `secrets`: connection -> credential -> value as typed; it goes into the vault, and the configuration names it by a
    variable, for who exports it. Raises `ConfigError`, `Outdated` where `seen` is not what is stored, `VaultError`.
    """
    async with database.transaction() as connection:
        await registry.lock(connection)
        stored = await read_stored(connection)
        _require_seen(stored, seen or {})
        asked = await _asked(connection, vault, stored, edit, secrets)
        applied = await write(connection, vault, asked, author=author, comment=comment)
    return await woken(database, applied)


async def _asked(connection: AsyncConnection, vault: Vault, stored: Stored, edit: Edit, secrets: Values) -> Asked:
    data = deepcopy(as_data(stored.setup))
    edit(data)
    for name, values in secrets.items():
        entry = data["connections"].get(name)
        if entry is None:
            raise ConfigError([Problem(FILE, 1, 1, f"connections.{name}", "there is no such connection")])
        kept = dict(entry.get("credentials", {}))
        entry["credentials"] = {**{each: {"env": variable(name, each)} for each in values}, **kept}
    loaded = checked(Source(FILE, data), systems())
    return await ask(connection, vault, stored, loaded, typed_secrets(loaded, secrets))


def variable(connection: str, credential: str) -> str:
    """The environment variable that an exported configuration names for a credential that was typed."""
    return f"{connection}_{credential}".upper().replace("-", "_").lstrip("0123456789_")


async def _releases(connection: AsyncConnection, asked: Asked) -> dict[str, int]:
    entries = by_entry(asked.changes)
    counts: dict[str, int] = {}
    for name in asked.wanted.integrations:
        row = asked.stored.integrations.get(name)
        changed = [("integrations", name), *(("connections", side) for side in _sides(asked, name))]
        if row is None or not any(each in entries for each in changed):
            continue
        for ended in await ended_holds(connection, asked, name, entries):
            about = {"integration": row.id, "kind": ended.kind, "keys": ended.keys}
            counts[name] = counts.get(name, 0) + (await connection.execute(_WAITING, about)).scalar_one()
    return counts


def _sides(asked: Asked, name: str) -> tuple[str, str]:
    entry = asked.wanted.integrations[name]
    return entry["store"], entry["erp"]


def _require_seen(stored: Stored, seen: Versions) -> None:
    for name, (mapping, policy) in seen.items():
        row = stored.integrations.get(name)
        if row is not None and (row.mapping_version, row.policy_version) != (mapping, policy):
            raise Outdated(
                f"{name} is at mapping version {row.mapping_version} and policy version {row.policy_version} by now, "
                f"this was made from {mapping} and {policy}: look at what was changed, then save again."
            )
