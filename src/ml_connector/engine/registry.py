"""Connections, integrations, mapping and policy versions: what is configured, as the engine reads and writes it.

Content is JSON in the shape of the configuration file (`docs/configuration.md`); who needs the typed mapping or policy
parses it with `config.mapping` and `config.policy`. An integration is read with its current mapping and policy in one
statement, so that the three always belong together, and kept until a claim shows a later epoch (R5 of
`docs/exactly-once.md`). Secrets are not here: they are in the vault, under the connection's number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import Database, dump_json

Json = Mapping[str, Any]


class UnknownName(LookupError):
    """Nothing of that name is configured; the message lists what is."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One account at one system.

    `content` is the connection's entry of the configuration file: `base_url`, `settings`, `credentials` (references
    only, never values), `tls`, `proxy`, `allow_private`, `concurrency`, `timing`. `books`: what the system itself calls
    the books behind it; empty while it has told none.
    """

    id: int
    name: str
    system: str
    sandbox: bool
    epoch: int
    content: Json = field(default_factory=dict[str, Any])
    books: str = ""

    @property
    def base_url(self) -> str:
        return str(self.content.get("base_url", ""))

    @property
    def settings(self) -> Json:
        return self.content.get("settings", {})

    @property
    def credentials(self) -> Json:
        """Name -> where the value comes from (`{"env": ...}`, `{"file": ...}`) or a plain value that is no secret."""
        return self.content.get("credentials", {})

    @property
    def concurrency(self) -> int | None:
        """Calls at once at most, over all processes; None: the system's default."""
        return self.content.get("concurrency")

    @property
    def removed(self) -> bool:
        """No longer in the configuration; the row stays because postings name it."""
        return bool(self.content.get("removed", False))


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Seconds between polls, and how far each poll looks behind the last. `latency_budget_s`: within which a change is
    to be done; None: as for every flow of its kind (`LATENCY_BUDGETS_S`)."""

    enabled: bool = True
    poll_s: int = 60
    overlap_s: int = 600
    latency_budget_s: int | None = None


LATENCY_BUDGETS_S: Mapping[str, int] = {"orders": 120}
LATENCY_BUDGET_S = 900


@dataclass(frozen=True, slots=True)
class ReconcileSettings:
    """The nightly reconciliation: at which hour of the store's day, how many days back, and after how many seconds
    what is not posted counts as late."""

    enabled: bool = True
    hour: int = 3
    days: int = 3
    lag_s: int = 3600


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """The synthetic check: a test order every `every_s` seconds that must come through within `within_s`. `staging`:
    the pair is for tests although its connections are no sandboxes; without that, only sandboxes are tested."""

    enabled: bool = False
    staging: bool = False
    every_s: int = 3600
    within_s: int = 300
    sku: str = ""
    name: str = "Synthetic check"
    price: str = "1.00"
    payment_method: str = "Bank Deposit"


@dataclass(frozen=True, slots=True)
class Integration:
    """One store connection joined with one ERP connection, with the mapping and policy that are current at `epoch`."""

    id: int
    name: str
    store: int
    erp: int
    tag: str
    active: bool
    epoch: int
    content: Json = field(default_factory=dict[str, Any])
    mapping: Json = field(default_factory=dict[str, Any])
    mapping_version: int = 0
    policy: Json = field(default_factory=dict[str, Any])
    policy_version: int = 0

    @property
    def webhook_url(self) -> str:
        """Where the store delivers webhooks; empty: polls alone find changes."""
        return str(self.content.get("webhook_url", ""))

    @property
    def flows(self) -> Mapping[str, FlowSettings]:
        return {name: FlowSettings(**given) for name, given in self.content.get("flows", {}).items()}

    @property
    def retention_days(self) -> Mapping[str, int]:
        """Days by name (`audit_days`, `webhook_days`); what is not configured is not in it."""
        return self.content.get("retention", {})

    @property
    def reconcile(self) -> ReconcileSettings:
        return ReconcileSettings(**self.content.get("reconcile", {}))

    @property
    def check(self) -> CheckSettings:
        return CheckSettings(**self.content.get("check", {}))

    @property
    def second_person(self) -> bool:
        """Whoever made a plan may not apply it."""
        return bool(self.content.get("plans", {}).get("second_person", False))

    def latency_budget_s(self, flow: str) -> int:
        """Seconds within which a change of the flow is to be done."""
        given = self.flows[flow].latency_budget_s if flow in self.flows else None
        return given if given is not None else LATENCY_BUDGETS_S.get(flow, LATENCY_BUDGET_S)

    def flow(self, name: str) -> FlowSettings:
        """The flow's settings; a flow that is not configured is switched off."""
        return self.flows.get(name, FlowSettings(enabled=False))


Named = TypeVar("Named", Integration, Connection)

_CONNECTION = "SELECT connection, name, system, sandbox, epoch, settings, books FROM connections"

# One statement, one snapshot: epoch, mapping and policy are those of one moment.
_INTEGRATION = """
SELECT g.integration, g.name, g.store, g.erp, g.store_tag, g.active, g.epoch, g.settings,
       m.version AS mapping_version, m.content AS mapping, p.version AS policy_version, p.content AS policy
  FROM integrations g
  LEFT JOIN LATERAL (SELECT version, content FROM mappings WHERE integration = g.integration
                      ORDER BY version DESC LIMIT 1) m ON true
  LEFT JOIN LATERAL (SELECT version, content FROM policies WHERE integration = g.integration
                      ORDER BY version DESC LIMIT 1) p ON true
"""

CONNECTIONS = text(f"{_CONNECTION} ORDER BY name")
CONNECTION = text(f"{_CONNECTION} WHERE connection = :id")
INTEGRATIONS = text(f"{_INTEGRATION} ORDER BY g.name")
INTEGRATION = text(f"{_INTEGRATION} WHERE g.integration = :id")

LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_CONFIGURING = 0x6D6C_6366
"""Two people who apply a configuration at once do it one after the other."""

SAVE_CONNECTION = text("""
INSERT INTO connections AS c (name, system, sandbox, settings)
VALUES (:name, :system, :sandbox, CAST(:content AS jsonb))
ON CONFLICT (name) DO UPDATE SET system = excluded.system, sandbox = excluded.sandbox, settings = excluded.settings,
  books = CASE WHEN c.settings -> 'base_url' IS NOT DISTINCT FROM excluded.settings -> 'base_url'
                AND c.settings -> 'settings' IS NOT DISTINCT FROM excluded.settings -> 'settings'
               THEN c.books ELSE '' END
RETURNING connection
""")

SAVE_INTEGRATION = text("""
INSERT INTO integrations AS g (name, store, erp, store_tag, active, settings)
VALUES (:name, :store, :erp, :tag, :active, CAST(:content AS jsonb))
ON CONFLICT (name) DO UPDATE SET store = excluded.store, erp = excluded.erp, store_tag = excluded.store_tag,
  active = excluded.active, settings = excluded.settings
RETURNING integration
""")

_SAVE_VERSION = """
INSERT INTO {table} (integration, version, content, saved_by, comment)
SELECT :integration, coalesce(max(version), 0) + 1, CAST(:content AS jsonb), :author, :comment
  FROM {table} WHERE integration = :integration
RETURNING version
"""
SAVE_MAPPING = text(_SAVE_VERSION.format(table="mappings"))
SAVE_POLICY = text(_SAVE_VERSION.format(table="policies"))

OLD_MAPPING = text("SELECT content FROM mappings WHERE integration = :integration AND version = :version")
OLD_POLICY = text("SELECT content FROM policies WHERE integration = :integration AND version = :version")

# An integration that has ended keeps its tag where it has posted.
SAME_BOOKS = text("""
SELECT o.name, o.store_tag FROM integrations o JOIN connections c ON c.connection = o.erp
 WHERE o.integration <> :integration AND c.connection <> :erp AND c.system = :system AND c.books = :books
   AND (o.store_tag = :tag AND (o.active OR EXISTS (SELECT 1 FROM postings p WHERE p.integration = o.integration))
        OR o.store = :store AND o.active AND NOT :sandbox)
 ORDER BY o.integration LIMIT 1
""")

KEEP_BOOKS = text("UPDATE connections SET books = :books WHERE connection = :erp")

POSTED = text("""
SELECT EXISTS (SELECT 1 FROM postings WHERE integration = :integration AND state NOT IN ('planned', 'void', 'rejected'))
""")

LAST_PLANNED = text("""
SELECT max(planned_at) FROM postings WHERE integration = :integration AND state NOT IN ('planned', 'void', 'rejected')
""")


class Registry:
    """What is configured, read from the database and kept until an epoch moves. One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._integrations: dict[int, Integration] = {}
        self._connections: dict[int, Connection] = {}

    async def integration(self, id: int, *, epoch: int | None = None) -> Integration:
        """The integration as of `epoch` (a claim's) or later; without `epoch` as it is now. Raises `UnknownName`."""
        kept = self._integrations.get(id)
        if kept is not None and epoch is not None and kept.epoch >= epoch:
            return kept
        async with self._database.connect() as connection:
            row = (await connection.execute(INTEGRATION, {"id": id})).one_or_none()
        if row is None:
            raise UnknownName(f"no integration has the number {id}")
        self._integrations[id] = _integration(row)
        return self._integrations[id]

    async def connection(self, id: int, *, epoch: int | None = None) -> Connection:
        """The connection as of its `epoch` or later; without `epoch` as it is now. Raises `UnknownName`."""
        kept = self._connections.get(id)
        if kept is not None and epoch is not None and kept.epoch >= epoch:
            return kept
        async with self._database.connect() as connection:
            row = (await connection.execute(CONNECTION, {"id": id})).one_or_none()
        if row is None:
            raise UnknownName(f"no connection has the number {id}")
        self._connections[id] = _connection(row)
        return self._connections[id]

    async def integrations(self, *, active: bool = True) -> list[Integration]:
        """All integrations as they are now, by name; `active` false: also those that are switched off."""
        async with self._database.connect() as connection:
            found = await read_integrations(connection)
        return [integration for integration in found if integration.active or not active]

    async def connections(self) -> list[Connection]:
        """All connections that are configured, by name."""
        async with self._database.connect() as connection:
            found = await read_connections(connection)
        return [each for each in found if not each.removed]

    async def integration_named(self, name: str) -> Integration:
        """Raises `UnknownName`, which lists the names that exist."""
        return _named(name, await self.integrations(active=False), "integration")

    async def connection_named(self, name: str) -> Connection:
        """Raises `UnknownName`, which lists the names that exist."""
        return _named(name, await self.connections(), "connection")

    async def old_mapping(self, integration: int, version: int) -> Json:
        """The mapping that a posting was made with. Raises `UnknownName`."""
        return await self._version(OLD_MAPPING, integration, version, "mapping")

    async def old_policy(self, integration: int, version: int) -> Json:
        """The policy that a posting was made with. Raises `UnknownName`."""
        return await self._version(OLD_POLICY, integration, version, "policy")

    async def _version(self, statement: Any, integration: int, version: int, what: str) -> Json:
        async with self._database.connect() as connection:
            content = (await connection.execute(statement, {"integration": integration, "version": version})).scalar()
        if content is None:
            raise UnknownName(f"integration {integration} has no {what} of version {version}")
        return content


async def lock(connection: AsyncConnection) -> None:
    """Until this transaction ends nobody else changes the configuration."""
    await connection.execute(LOCK, {"key": _CONFIGURING})


async def read_connections(connection: AsyncConnection) -> list[Connection]:
    """All rows, also removed ones, by name."""
    return [_connection(row) for row in await connection.execute(CONNECTIONS)]


async def read_integrations(connection: AsyncConnection) -> list[Integration]:
    """All rows, also those that are switched off, by name."""
    return [_integration(row) for row in await connection.execute(INTEGRATIONS)]


async def save_connection(connection: AsyncConnection, *, name: str, system: str, sandbox: bool, content: Json) -> int:
    """Makes or replaces a connection; its number. The caller raises its epoch."""
    parameters = {"name": name, "system": system, "sandbox": sandbox, "content": dump_json(dict(content))}
    return (await connection.execute(SAVE_CONNECTION, parameters)).scalar_one()


async def save_integration(
    connection: AsyncConnection, *, name: str, store: int, erp: int, tag: str, active: bool, content: Json
) -> int:
    """Makes or replaces an integration; its number. The caller raises its epoch."""
    parameters = {
        "name": name, "store": store, "erp": erp, "tag": tag, "active": active, "content": dump_json(dict(content)),
    }  # fmt: skip
    return (await connection.execute(SAVE_INTEGRATION, parameters)).scalar_one()


async def save_mapping(
    connection: AsyncConnection, integration: int, content: Json, *, author: str, comment: str = ""
) -> int:
    """A new mapping version; its number. `comment`: why it was saved."""
    return await _save_version(connection, SAVE_MAPPING, integration, content, author, comment)


async def save_policy(
    connection: AsyncConnection, integration: int, content: Json, *, author: str, comment: str = ""
) -> int:
    """A new policy version; its number. `comment`: why it was saved."""
    return await _save_version(connection, SAVE_POLICY, integration, content, author, comment)


async def keep_books(connection: AsyncConnection, integration: Integration, erp: Connection, books: str) -> str:
    """Keeps what the ERP has told of itself. If another integration posts into the same books under the same tag, or
    from the same store, by another connection, nothing is kept: why the two cannot be."""
    about = {
        "integration": integration.id, "store": integration.store, "tag": integration.tag,
        "erp": erp.id, "system": erp.system, "sandbox": erp.sandbox, "books": books,
    }  # fmt: skip
    await lock(connection)
    other = (await connection.execute(SAME_BOOKS, about)).one_or_none()
    if other is None:
        await connection.execute(KEEP_BOOKS, {"erp": erp.id, "books": books})
        return ""
    if other.store_tag == integration.tag:
        return f"{other.name!r} posts into the same books ({books}) under the same tag {integration.tag!r}"
    return f"{other.name!r} brings the orders of the same store into the same books ({books})"


async def has_posted(connection: AsyncConnection, integration: int) -> bool:
    """Whether a document of the integration is, or may be, in the ERP."""
    return (await connection.execute(POSTED, {"integration": integration})).scalar_one()


async def last_planned(connection: AsyncConnection, integration: int) -> datetime:
    """When the integration last planned a document that is, or may be, in the ERP."""
    return (await connection.execute(LAST_PLANNED, {"integration": integration})).scalar_one()


async def _save_version(
    connection: AsyncConnection, statement: Any, integration: int, content: Json, author: str, comment: str
) -> int:
    about = {"integration": integration, "author": author, "comment": comment}
    parameters = {**about, "content": dump_json(dict(content))}
    return (await connection.execute(statement, parameters)).scalar_one()


def _named(name: str, found: list[Named], what: str) -> Named:
    for each in found:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in found) or "none yet; see `ml-connector config apply`"
    raise UnknownName(f"no {what} is called {name!r}; there is: {known}")


def _connection(row: Row[Any]) -> Connection:
    return Connection(row.connection, row.name, row.system, row.sandbox, row.epoch, row.settings, row.books)


def _integration(row: Row[Any]) -> Integration:
    return Integration(
        id=row.integration,
        name=row.name,
        store=row.store or 0,
        erp=row.erp or 0,
        tag=row.store_tag or "",
        active=row.active,
        epoch=row.epoch,
        content=row.settings,
        mapping=row.mapping or {},
        mapping_version=row.mapping_version or 0,
        policy=row.policy or {},
        policy_version=row.policy_version or 0,
    )
