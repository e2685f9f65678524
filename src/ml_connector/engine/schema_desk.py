"""The tables that pages read and write: what a record is called, how its flow went over time, which differences are
explained, what is not saved yet."""

from sqlalchemy import Column, DateTime, Double, Index, Integer, Numeric, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from ml_connector.engine.schema import metadata


def _at() -> DateTime:
    return DateTime(timezone=True)


labels = Table(
    "labels",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("flow", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("party", Text, nullable=False, server_default=text("''")),
    Column("ship_to", Text, nullable=False, server_default=text("''")),
    Column("total", Numeric),
    Column("currency", Text),
    Column("placed_at", _at()),
    Column("stamp", _at()),
    Column("terms", TSVECTOR, nullable=False),
    Column("sums", JSONB),
    Index("labels_terms", "terms", postgresql_using="gin"),
    comment="What a person calls a record, as the source said it last; stamp: of that snapshot. Holds personal data",
)

pulses = Table(
    "pulses",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("flow", Text, primary_key=True),
    Column("at", _at(), primary_key=True),
    Column("waiting", Integer, nullable=False),
    Column("lag_s", Double, nullable=False),
    comment="How much waited, and since when, at one moment",
)

connection_pulses = Table(
    "connection_pulses",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("connection", Integer, primary_key=True, autoincrement=False),
    Column("at", _at(), primary_key=True),
    Column("over_s", Double, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("median_ms", Double),
    Column("p95_ms", Double),
    Column("quota_used", Double),
    comment="Calls of the over_s seconds before at, made for the integration. median_ms, p95_ms: none without a call. "
    "quota_used: part of the quota, where the system tells one",
)


explained = Table(
    "explained",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("store", Numeric, nullable=False),
    Column("erp", Numeric, nullable=False),
    Column("rest", Numeric, nullable=False),
    Column("why", Text, nullable=False),
    Column("explained_by", Text, nullable=False),
    Column("explained_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    comment="Differences of the tie-out that a person has explained, with the amounts that they looked at: another "
    "amount is another difference",
)

drafts = Table(
    "drafts",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    Column("mapping", JSONB, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("policy", JSONB, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("changed_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    comment="Mapping and policy as a person is about to save them; versions: those that it was begun from",
)
