"""Alerts: rules, channels, states and messages; results of synthetic checks.

Revision ID: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE alert_rules (
      integration int NOT NULL, name text NOT NULL, content jsonb NOT NULL, muted_until timestamptz,
      PRIMARY KEY (integration, name))
    """,
    """
    COMMENT ON TABLE alert_rules IS
      'Integration 0: of every integration. A rule of the same name stands for the one that comes with the product'
    """,
    """
    CREATE TABLE alert_channels (
      integration int NOT NULL, name text NOT NULL, content jsonb NOT NULL DEFAULT '{}'::jsonb,
      failures int NOT NULL DEFAULT 0, error text, failed_at timestamptz, sent_at timestamptz,
      PRIMARY KEY (integration, name))
    """,
    """
    COMMENT ON TABLE alert_channels IS
      'Where alerts go; the address is a secret (connection 0). failures: in a row'
    """,
    """
    CREATE TABLE alert_states (
      integration int NOT NULL, rule text NOT NULL, subject text NOT NULL, state text NOT NULL,
      since timestamptz NOT NULL, fired_at timestamptz, recovered_at timestamptz, title text NOT NULL,
      body text NOT NULL,
      CONSTRAINT alert_states_state_check CHECK (state IN ('pending', 'firing', 'recovered')),
      PRIMARY KEY (integration, rule, subject))
    """,
    """
    COMMENT ON TABLE alert_states IS
      'One row per rule and subject, so that many processes tell of it once. since: when it was first seen so'
    """,
    """
    CREATE TABLE alert_messages (
      integration int NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, channel text NOT NULL, event text NOT NULL,
      title text NOT NULL, body text NOT NULL, quiet boolean NOT NULL DEFAULT false,
      made_at timestamptz NOT NULL DEFAULT statement_timestamp(),
      due_at timestamptz NOT NULL DEFAULT statement_timestamp(), attempts int NOT NULL DEFAULT 0, error text,
      sent_at timestamptz,
      CONSTRAINT alert_messages_event_check CHECK (event IN ('fired', 'recovered')),
      PRIMARY KEY (integration, id))
    """,
    "CREATE INDEX alert_messages_due ON alert_messages (integration, due_at) WHERE sent_at IS NULL",
    """
    COMMENT ON TABLE alert_messages IS
      'Written with the change of state that they tell of. quiet: held back, and told in one message with others'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("alert_messages", "alert_states", "alert_channels", "alert_rules"):
        op.execute(f"DROP TABLE {table}")
