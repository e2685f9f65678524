"""Makes the database hold what a configuration file says, in one transaction: all of it, or nothing.

Epochs are raised before holds are released (R5 of `docs/exactly-once.md`); integrations are locked before
connections, the order in which a run writes its holds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.config.diff import Change, differences
from ml_connector.config.load import Loaded
from ml_connector.config.mapped import is_mapped
from ml_connector.config.mapping import mapping_from
from ml_connector.config.problems import ConfigError, Problem
from ml_connector.config.refusals import refusals, sides_of
from ml_connector.config.releases import CONNECTION, kinds_ended_by_connection, kinds_ended_by_integration
from ml_connector.config.secrets import Secrets, Values, read_secrets
from ml_connector.config.setup import (
    REMOVED,
    Json,
    Setup,
    Stored,
    connection_content,
    integration_content,
    read_stored,
    setup_of,
)
from ml_connector.engine import audit, crash, records, registry
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane
from ml_connector.engine.sessions import forget_sessions
from ml_connector.engine.status import held_keys
from ml_connector.engine.tokens import forget_tokens
from ml_connector.engine.vault import Vault

_LOCK_INTEGRATIONS = text("SELECT integration FROM integrations ORDER BY integration FOR UPDATE")
_LOCK_CONNECTIONS = text("SELECT connection FROM connections ORDER BY connection FOR UPDATE")


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. `versions`: by integration name, of those with a new mapping or policy."""

    changes: tuple[Change, ...] = ()
    released: Mapping[Lane, Sequence[str]] = field(default_factory=dict[Lane, Sequence[str]])
    mapping_versions: Mapping[str, int] = field(default_factory=dict[str, int])
    policy_versions: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Asked:
    """A configuration with its secrets, as far as they can be read here, beside what is stored."""

    loaded: Loaded
    stored: Stored
    wanted: Setup
    secrets: Values
    changed: frozenset[tuple[str, str]]
    unread: tuple[Problem, ...]

    @property
    def changes(self) -> list[Change]:
        return differences(self.stored.setup, self.wanted, self.changed)

    async def refused(self, connection: AsyncConnection) -> list[Problem]:
        """Every reason why it must not be applied."""
        found = [problem async for problem in refusals(connection, self.loaded.source, self.stored, self.wanted)]
        return [*self.unread, *found]


async def diff(
    database: Database, vault: Vault, loaded: Loaded, environment: Mapping[str, str]
) -> tuple[list[Change], list[Problem]]:
    """What `apply` would change, and what would keep it from doing so."""
    async with database.transaction() as connection:
        asked = await ask(connection, vault, await read_stored(connection), loaded, read_secrets(loaded, environment))
        return asked.changes, await asked.refused(connection)


async def apply(
    database: Database, vault: Vault, loaded: Loaded, environment: Mapping[str, str], *, author: str
) -> Applied:
    """Does it, and wakes the workers. Raises `ConfigError` when it must not be done, `VaultError`."""
    async with database.transaction() as connection:
        await registry.lock(connection)
        asked = await ask(connection, vault, await read_stored(connection), loaded, read_secrets(loaded, environment))
        applied = await write(connection, vault, asked, author=author)
    return await woken(database, applied)


async def ask(connection: AsyncConnection, vault: Vault, stored: Stored, loaded: Loaded, secrets: Secrets) -> Asked:
    """What `loaded` comes to beside what is stored."""
    changed: set[tuple[str, str]] = set()
    for name, values in secrets.values.items():
        row = stored.connections.get(name)
        for credential, value in values.items():
            if row is None or not await vault.same(row.id, credential, value, on=connection):
                changed.add((name, credential))
    unread = [
        problem
        for name, credential, problem in secrets.unread
        if not await _kept(connection, vault, stored, name, credential)
    ]
    return Asked(loaded, stored, setup_of(loaded.config), secrets.values, frozenset(changed), tuple(unread))


async def write(connection: AsyncConnection, vault: Vault, asked: Asked, *, author: str, comment: str = "") -> Applied:
    """All of it, in the transaction of the caller, who has locked the configuration; `woken` after the commit.
    Raises `ConfigError`."""
    refused = await asked.refused(connection)
    if refused:
        raise ConfigError(refused)
    changes = asked.changes
    if not changes:
        return Applied()
    await connection.execute(_LOCK_INTEGRATIONS)
    await connection.execute(_LOCK_CONNECTIONS)
    applied = await _Writer(connection, vault, asked, changes, author, comment).write()
    await crash.point("release.commit.b", "config")
    return applied


async def woken(database: Database, applied: Applied) -> Applied:
    """Tells the workers of what was released."""
    if applied.changes:
        await crash.point("release.commit.a", "config")
        async with database.connect() as connection:
            await records.notify(connection, applied.released)
    return applied


async def _kept(connection: AsyncConnection, vault: Vault, stored: Stored, name: str, credential: str) -> bool:
    """A reference that leads nowhere here keeps the value that is stored, so that a mapping can be applied anywhere."""
    row = stored.connections.get(name)
    return row is not None and credential in await vault.names(row.id, on=connection)


@dataclass(frozen=True, slots=True)
class Ended:
    """Holds of one kind that a change may have answered; `keys` None: all of them."""

    kind: str
    keys: Sequence[str] | None


Entries = Mapping[tuple[str, str], Sequence[Change]]
"""Section and name -> its changes."""


def by_entry(changes: Sequence[Change]) -> Entries:
    """Changes by what they are of."""
    found: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in changes:
        found[change.path[0], change.path[1]].append(change)
    return dict(found)


async def ended_holds(connection: AsyncConnection, asked: Asked, name: str, entries: Entries) -> list[Ended]:
    """What ends in an integration: the holds whose missing keys now exist, and those whose reason the changes are
    about."""
    entry, row = asked.wanted.integrations[name], asked.stored.integrations.get(name)
    if row is None or name not in asked.stored.setup.integrations:
        return []
    ended: list[Ended] = []
    if row.mapping != entry["mapping"]:
        mapping = mapping_from(entry["mapping"])
        held = await held_keys(connection, row.id, "unmapped")
        ended.append(Ended("unmapped", [key for key in held if is_mapped(mapping, key)]))
    kinds = kinds_ended_by_integration(entries.get(("integrations", name), ()))
    for side in sides_of(entry):
        if ("connections", side) in entries:
            kinds |= kinds_ended_by_connection(entries["connections", side])
            stored = asked.stored.connections.get(side)
            ended += [Ended(CONNECTION, [str(stored.id)])] if stored is not None else []
    ended += [Ended(kind, None) for kind in sorted(kinds)]
    return [each for each in ended if each.keys is None or each.keys]


# ---------------------------------------------------------------------- writing


class _Writer:
    """One apply, inside its transaction."""

    def __init__(
        self,
        connection: AsyncConnection,
        vault: Vault,
        asked: Asked,
        changes: Sequence[Change],
        author: str,
        comment: str,
    ) -> None:
        self._connection = connection
        self._vault = vault
        self._asked = asked
        self._author = author
        self._comment = comment
        self._changes = changes
        self._by_entry = by_entry(changes)
        self._ids: dict[str, int] = {name: row.id for name, row in asked.stored.connections.items()}
        self._released: dict[Lane, list[str]] = defaultdict(list)
        self._mapping_versions: dict[str, int] = {}
        self._policy_versions: dict[str, int] = {}

    async def write(self) -> Applied:
        asked = self._asked
        for name, entry in asked.wanted.connections.items():
            if ("connections", name) in self._by_entry:
                await self._save_connection(name, entry)
        for name in asked.stored.setup.integrations.keys() - asked.wanted.integrations.keys():
            await self._switch_off(name)
        for name, entry in asked.wanted.integrations.items():
            await self._save_integration(name, entry)
        for name in asked.stored.setup.connections.keys() - asked.wanted.connections.keys():
            await self._forget_connection(name)
        return Applied(tuple(self._changes), dict(self._released), self._mapping_versions, self._policy_versions)

    async def _save_connection(self, name: str, entry: Json) -> None:
        id = await registry.save_connection(
            self._connection, name=name, system=entry["system"], sandbox=bool(entry.get("sandbox")),
            content=connection_content(entry),
        )  # fmt: skip
        self._ids[name] = id
        for credential, value in self._asked.secrets[name].items():
            if (name, credential) in self._asked.changed:
                await self._vault.put(id, credential, value, on=self._connection)
                await forget_tokens(self._connection, id)
                await forget_sessions(self._connection, id)
        for credential in await self._vault.names(id, on=self._connection):
            if credential not in entry.get("credentials", {}):
                await self._vault.delete(id, credential, on=self._connection)
        await records.raise_connection_epoch(self._connection, id)
        await self._tell(("connections", name), connection=id)

    async def _forget_connection(self, name: str) -> None:
        row = self._asked.stored.connections[name]
        await registry.save_connection(
            self._connection, name=name, system=row.system, sandbox=row.sandbox,
            content={**row.content, REMOVED: True},
        )  # fmt: skip
        for credential in await self._vault.names(row.id, on=self._connection):
            await self._vault.delete(row.id, credential, on=self._connection)
        await records.raise_connection_epoch(self._connection, row.id)
        await self._tell(("connections", name), connection=row.id)

    async def _switch_off(self, name: str) -> None:
        row = self._asked.stored.integrations[name]
        await registry.save_integration(
            self._connection, name=name, store=row.store, erp=row.erp, tag=row.tag, active=False,
            content={**row.content, REMOVED: True},
        )  # fmt: skip
        await records.raise_epoch(self._connection, row.id)
        await self._tell(("integrations", name), integration=row.id)

    async def _save_integration(self, name: str, entry: Json) -> None:
        own = self._by_entry.get(("integrations", name), [])
        if not own and not any(("connections", side) in self._by_entry for side in sides_of(entry)):
            return
        row = self._asked.stored.integrations.get(name)
        id = await registry.save_integration(
            self._connection, name=name, store=self._ids[entry["store"]], erp=self._ids[entry["erp"]],
            tag=entry["policy"]["reference.tag"], active=entry.get("active", True), content=integration_content(entry),
        )  # fmt: skip
        if row is None or row.mapping != entry["mapping"]:
            self._mapping_versions[name] = await registry.save_mapping(
                self._connection, id, entry["mapping"], author=self._author, comment=self._comment
            )
        if row is None or row.policy != entry["policy"]:
            self._policy_versions[name] = await registry.save_policy(
                self._connection, id, entry["policy"], author=self._author, comment=self._comment
            )
        await records.raise_epoch(self._connection, id)
        for ended in await ended_holds(self._connection, self._asked, name, self._by_entry):
            await self._end(id, ended)
        if own:
            await self._tell(("integrations", name), integration=id)

    async def _end(self, id: int, ended: Ended) -> None:
        for lane, found in (await records.release(self._connection, id, ended.kind, ended.keys)).items():
            self._released[lane].extend(found)
            told = {"kind": ended.kind, "by": self._author}
            await audit.append(
                self._connection,
                [audit.entry("released", integration=id, flow=lane.flow, key=key, data=told) for key in found],
            )

    async def _tell(self, entry: tuple[str, str], **about: Any) -> None:
        """The audit row of a change commits with it."""
        words = [change.words for change in self._by_entry[entry]]
        told = audit.entry(
            "config",
            **about,
            data={
                "by": self._author,
                "changes": words,
                "file": self._asked.loaded.source.file,
                **({"comment": self._comment} if self._comment else {}),
            },
        )
        await audit.append(self._connection, [told])
