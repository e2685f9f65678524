"""The tables of alerts: rules, channels, what is wrong just now, and the messages on their way."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ml_connector.engine.schema import metadata


def _at() -> DateTime:
    return DateTime(timezone=True)


alert_rules = Table(
    "alert_rules",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("content", JSONB, nullable=False),
    Column("muted_until", _at()),
    comment="Integration 0: of every integration. A rule of the same name stands for the one that comes with "
    "the product",
)

alert_channels = Table(
    "alert_channels",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("content", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
    Column("failed_at", _at()),
    Column("sent_at", _at()),
    comment="Where alerts go; the address is a secret (connection 0). failures: in a row",
)

alert_states = Table(
    "alert_states",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", _at(), nullable=False),
    Column("fired_at", _at()),
    Column("recovered_at", _at()),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    CheckConstraint("state IN ('pending', 'firing', 'recovered')", name="state"),
    comment="One row per rule and subject, so that many processes tell of it once. since: when it was first seen so",
)

alert_messages = Table(
    "alert_messages",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("quiet", Boolean, nullable=False, server_default=text("false")),
    Column("made_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("due_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("error", Text),
    Column("sent_at", _at()),
    CheckConstraint("event IN ('fired', 'recovered')", name="event"),
    Index("alert_messages_due", "integration", "due_at", postgresql_where=text("sent_at IS NULL")),
    comment="Written with the change of state that they tell of. quiet: held back, and told in one message with others",
)
