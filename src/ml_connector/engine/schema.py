"""The tables of the engine, declared once (`docs/exactly-once.md` explains the columns that carry the protocol).

Every primary and unique key leads with the integration (or the connection), so that the schema can be partitioned by
it without a rewrite; `cluster` is the one exception, it describes the database server itself. Tables of the shared
services (audit, tokens, limits, ...) are declared on the same `metadata` in `schema_services.py`. The migrations
create all of it by explicit DDL; a test holds the two against each other.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


def _at() -> DateTime:
    return DateTime(timezone=True)


run_token = Sequence("run_token", metadata=metadata)
"""Tokens come from one sequence, so they compare across integrations and records."""

connections = Table(
    "connections",
    metadata,
    Column("connection", Integer, Identity(always=False), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("system", Text, nullable=False),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("sandbox", Boolean, nullable=False, server_default=text("false")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    Column("books", Text, nullable=False, server_default=text("''")),
    comment="One account at one system. epoch: raised by every change that may release a hold of the connection",
)

integrations = Table(
    "integrations",
    metadata,
    Column("integration", Integer, Identity(always=False), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("store", Integer),
    Column("erp", Integer),
    Column("store_tag", Text),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    # A reference is unique per target company only if the tags of two stores in one company differ: a collision
    # would be adopted as "already there", a silent gap (P13).
    UniqueConstraint("erp", "store_tag"),
    comment="One store connection joined with one ERP connection. epoch: raised by every mapping, policy or release",
)

records = Table(
    "records",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("flow", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("status", Text, nullable=False, server_default=text("'waiting'")),
    Column("seq", BigInteger, nullable=False, server_default=text("1")),
    Column("done_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("want", _at()),
    Column("stamp", _at()),
    Column("behind", Integer, nullable=False, server_default=text("0")),
    Column("run_at", _at()),
    Column("rest_until", _at()),
    Column("wakes", Boolean, nullable=False, server_default=text("true")),
    Column("token", BigInteger),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("defects", Integer, nullable=False, server_default=text("0")),
    Column("suspect", Boolean, nullable=False, server_default=text("false")),
    Column("deaths", Integer, nullable=False, server_default=text("0")),
    Column("hold_kind", Text),
    Column("hold_key", Text),
    Column("reason", Text),
    Column("last_error", Text),
    Column("heard_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("done_at", _at()),
    CheckConstraint("token IS NULL OR run_at IS NULL", name="token_or_run_at"),
    Index(
        "records_due",
        "integration",
        "flow",
        "run_at",
        postgresql_where=text("run_at IS NOT NULL"),
        postgresql_using="btree",
    ),
    Index("records_held", "integration", "hold_kind", "hold_key", postgresql_where=text("hold_kind IS NOT NULL")),
    Index("records_heard", "integration", "heard_at"),
    Index("records_done", "integration", "done_at"),
    Index(
        "records_open",
        "integration",
        "status",
        "heard_at",
        postgresql_where=text("status <> 'synced'"),
    ),
    postgresql_with={
        "fillfactor": 70,
        "autovacuum_vacuum_scale_factor": 0.01,
        "autovacuum_vacuum_threshold": 2000,
        "autovacuum_vacuum_cost_delay": 0,
    },
)

runs = Table(
    "runs",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("token", BigInteger, primary_key=True, autoincrement=False),
    Column("flow", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("keys", ARRAY(Text), nullable=False),
    Column("lease_until", _at(), nullable=False),
    postgresql_with={"fillfactor": 50},
)

postings = Table(
    "postings",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("reference", Text, primary_key=True),
    Column("generation", Integer, primary_key=True, autoincrement=False, server_default=text("1")),
    Column("connection", Integer, nullable=False),
    Column("flow", Text, nullable=False),
    Column("record_key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step", Text, nullable=False, server_default=text("'create'")),
    Column("reverses_reference", Text),
    Column("reverses_generation", Integer),
    Column("state", Text, nullable=False, server_default=text("'planned'")),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("token", BigInteger),
    Column("sent_at", _at()),
    Column("resolve_at", _at()),
    Column("fingerprint", Text, nullable=False),
    Column("sent_fingerprints", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("content", JSONB, nullable=False),
    Column("before", JSONB),
    Column("stored", JSONB),
    Column("number", Text),
    Column("source_digest", Text),
    Column("mapping_version", Integer),
    Column("policy_version", Integer),
    Column("adopted", Boolean, nullable=False, server_default=text("false")),
    Column("error", Text),
    Column("planned_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("posted_at", _at()),
    Column("checked_at", _at()),
    Column("count_at", _at()),
    Column("recount_at", _at()),
    CheckConstraint(
        "state IN ('planned', 'sending', 'uncertain', 'posted', 'checked', 'rejected', 'held', 'void')", name="state"
    ),
    CheckConstraint("step IN ('create', 'reverse', 'update')", name="step"),
    CheckConstraint("generation >= 1", name="generation"),
    CheckConstraint(
        "CASE step WHEN 'reverse' THEN reverses_reference IS NOT NULL WHEN 'create' THEN reverses_reference IS NULL"
        " ELSE true END",
        name="reverses",
    ),
    CheckConstraint("state NOT IN ('sending', 'uncertain') OR resolve_at IS NOT NULL", name="resolve_at"),
    Index("postings_record", "integration", "flow", "record_key"),
    Index(
        "postings_open", "integration", "flow", "record_key", postgresql_where=text("state IN ('sending', 'uncertain')")
    ),
    Index("postings_count", "integration", "count_at", postgresql_where=text("count_at IS NOT NULL")),
    Index(
        "postings_reverses",
        "integration",
        "reverses_reference",
        "reverses_generation",
        postgresql_where=text("reverses_reference IS NOT NULL"),
    ),
    Index(
        "postings_witness",
        "integration",
        "connection",
        "posted_at",
        postgresql_where=text("state IN ('posted', 'checked') AND kind <> 'customer'"),
    ),
    Index("postings_number", "integration", "number", postgresql_where=text("number IS NOT NULL")),
    postgresql_with={"fillfactor": 70},
)

cluster = Table(
    "cluster",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("system_identifier", Text, nullable=False),
    Column("timeline", Text, nullable=False),
    Column("lost_at", _at()),
    Column("why", Text),
    CheckConstraint("one", name="one_row"),
    comment="The server that our commits went to; another one may have lost some of them (send gate)",
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("received_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("delivery_key", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False, server_default=text("'marked'")),
    UniqueConstraint("integration", "delivery_key"),
    Index("webhooks_received", "integration", "received_at"),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("flow", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("changed_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
)

wishes = Table(
    "wishes",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("flow", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, nullable=False, server_default=text("''")),
    Column("wished_by", Text, nullable=False, server_default=text("''")),
    Column("wished_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    CheckConstraint("kind IN ('backfill', 'approve', 'repost', 'exclude')", name="kind"),
    comment="What a person asked for, per record: backfill (count although older than the cut-over), "
    "approve (post exactly the plan of this digest), repost (again under the current mapping), "
    "exclude (leave it out, for the reason given)",
)

mappings = Table(
    "mappings",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content", JSONB, nullable=False),
    Column("saved_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("saved_by", Text, nullable=False, server_default=text("''")),
    Column("comment", Text, nullable=False, server_default=text("''")),
)

policies = Table(
    "policies",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content", JSONB, nullable=False),
    Column("saved_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("saved_by", Text, nullable=False, server_default=text("''")),
    Column("comment", Text, nullable=False, server_default=text("''")),
)
