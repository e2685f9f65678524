"""The tables of the engine's services: secrets, tokens, sessions, limits, breakers, audit.

On the same `metadata` as the kernel.

Every primary key leads with the connection (or the integration); `master_keys` is the exception, it belongs to the
installation. Nothing in `secrets`, `tokens` and `sessions` is readable without a master key, which is never in the
database.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ml_connector.engine.schema import metadata


def _at() -> DateTime:
    return DateTime(timezone=True)


master_keys = Table(
    "master_keys",
    metadata,
    Column("master", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", _at(), nullable=False, server_default=text("statement_timestamp()")),
    CheckConstraint("state IN ('current', 'retired')", name="state"),
    Index("master_keys_current", "state", unique=True, postgresql_where=text("state = 'current'")),
    comment="Which master key wraps the data keys, by a name derived from the key; never the key",
)

secrets = Table(
    "secrets",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("master", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    comment="Credentials, each sealed by its own data key, which a master key wraps. Connection 0: the installation",
)

tokens = Table(
    "tokens",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("master", Text),
    Column("wrapped", LargeBinary),
    Column("sealed", LargeBinary),
    Column("fetched_at", _at()),
    Column("expires_at", _at()),
    Column("fetcher", Text),
    Column("fetching_until", _at()),
    CheckConstraint(
        "num_nulls(master, wrapped, sealed, fetched_at, expires_at) IN (0, 5)",
        name="whole",
    ),
    comment="Session tokens shared by all processes. fetcher, fetching_until: the lease of the one that renews it",
)

sessions = Table(
    "sessions",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("holder", Text),
    Column("leased_until", _at()),
    Column("master", Text),
    Column("wrapped", LargeBinary),
    Column("sealed", LargeBinary),
    Column("opened_by", Text),
    Column("used_at", _at()),
    CheckConstraint("num_nulls(master, wrapped, sealed, opened_by, used_at) IN (0, 5)", name="whole"),
    comment="Sessions of systems that allow few, leased one call at a time. version: the fence, raised by each lease",
    postgresql_with={"fillfactor": 50},
)

session_pools = Table(
    "session_pools",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("opener", Text),
    Column("opening_until", _at()),
    Column("refused_until", _at()),
    Column("refused", Text),
    comment="opener: who logs in just now. refused_until: no login before, for the last one was refused",
)

session_waits = Table(
    "session_waits",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("waiter", Text, primary_key=True),
    Column("since", _at(), nullable=False),
    Column("until", _at(), nullable=False),
    comment="Who waits for a session, first come first served; a waiter that is gone stops counting at until",
)

limits = Table(
    "limits",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("paused_until", _at()),
    Column("rate", Double),
    Column("rate_at", _at()),
    Column("quota", JSONB),
    Column("quota_at", _at()),
    comment="Pace of a connection. rate: calls a second at rate_at, after a throttle without figures; it grows",
    postgresql_with={"fillfactor": 50},
)

limit_leases = Table(
    "limit_leases",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("holder", Text, primary_key=True),
    Column("places", Integer, nullable=False),
    Column("want", Integer, nullable=False),
    Column("expires_at", _at(), nullable=False),
    CheckConstraint("places >= 0", name="places"),
    comment="How many of the connection's places a process has, and how many it could use",
    postgresql_with={"fillfactor": 50},
)

breakers = Table(
    "breakers",
    metadata,
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False, server_default=text("'closed'")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("pauses", Integer, nullable=False, server_default=text("0")),
    Column("retry_at", _at()),
    Column("prober", Text),
    Column("probe_until", _at()),
    Column("error", Text),
    Column("changed_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("opened_at", _at()),
    CheckConstraint("state IN ('closed', 'open', 'half_open')", name="state"),
    comment="failures: in a row. pauses: in a row without a success; the next pause grows with it",
)

WITH_NAME = "who <> 'worker'"
RARE_KIND = "kind <> ALL ('{call,heard,read,planned,sent,stored,synced,retry,stock}'::text[])"
"""Conditions of partial indexes: a query says them word for word, so that the planner sees that they hold."""

audit = Table(
    "audit",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _at(), nullable=False),
    Column("correlation", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("connection", Integer),
    Column("flow", Text),
    Column("key", Text),
    Column("refs", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("token", BigInteger),
    Column("data", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("who", Text, nullable=False, server_default=text("'worker'")),
    Index("audit_record", "integration", "flow", "key", "id", postgresql_where=text("key IS NOT NULL")),
    Index("audit_correlation", "correlation", "id"),
    Index("audit_refs", "refs", postgresql_using="gin", postgresql_where=text("refs <> '{}'::text[]")),
    Index("audit_at", "integration", "at"),
    Index("audit_who", "integration", "who", "id", postgresql_where=text(WITH_NAME)),
    Index("audit_kind", "integration", "kind", "id", postgresql_where=text(RARE_KIND)),
    comment="Every call and every change of state, appended only. Integration 0: of no integration in particular",
)

audit_seals = Table(
    "audit_seals",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("after_id", BigInteger, nullable=False),
    Column("upto_id", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("first_at", _at(), nullable=False),
    Column("last_at", _at(), nullable=False),
    Column("sealed_at", _at(), nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("leaves", LargeBinary),
    Column("removed_at", _at()),
    Index("audit_seals_upto", "integration", "upto_id"),
    comment="Rows of audit with after_id < id <= upto_id, sealed. leaves: ID, time and hash of each; root: their hash; "
    "hash: of this seal with the one before; removed_at: retention took the rows",
)
