"""Plans that persons looked at: what each would post, and whether it was applied."""

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, Identity, Integer, Numeric, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ml_connector.engine.schema import metadata


def _at() -> DateTime:
    return DateTime(timezone=True)


plans = Table(
    "plans",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("plan", Integer, Identity(always=True), primary_key=True),
    Column("made_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("made_by", Text, nullable=False),
    Column("asked", Text, nullable=False),
    Column("backfilled", Boolean, nullable=False, server_default=text("false")),
    Column("drafted", Boolean, nullable=False, server_default=text("false")),
    Column("mapping_version", Integer, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("counts", JSONB, nullable=False),
    Column("sums", JSONB, nullable=False),
    Column("names", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("applied_at", _at()),
    Column("applied_by", Text),
    Column("comment", Text),
    CheckConstraint("(applied_at IS NULL) = (applied_by IS NULL)", name="applied"),
    CheckConstraint("NOT drafted OR applied_at IS NULL", name="drafted"),
    comment="What orders would post, as somebody saw it. Applied at most once, in the transaction of its approvals",
)

plan_orders = Table(
    "plan_orders",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("plan", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("party", Text, nullable=False, server_default=text("''")),
    Column("total", Numeric),
    Column("currency", Text),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False, server_default=text("''")),
    Column("about", Text, nullable=False, server_default=text("''")),
    Column("message", Text, nullable=False, server_default=text("''")),
    Column("digest", Text, nullable=False),
    Column("uncertain", JSONB, nullable=False),
    Column("documents", JSONB, nullable=False),
    CheckConstraint("outcome IN ('documents', 'held', 'excluded', 'unknown')", name="outcome"),
    comment="An order of a plan. digest: what applying approves. documents: as they would be sent. Holds personal data",
)
