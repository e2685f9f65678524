"""Sessions that are leased across processes.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE sessions (
      connection int NOT NULL, name text NOT NULL, place int NOT NULL, version bigint NOT NULL DEFAULT 0,
      holder text, leased_until timestamptz, master text, wrapped bytea, sealed bytea, opened_by text,
      used_at timestamptz,
      CONSTRAINT sessions_whole_check CHECK (num_nulls(master, wrapped, sealed, opened_by, used_at) IN (0, 5)),
      PRIMARY KEY (connection, name, place))
    WITH (fillfactor = 50)
    """,
    """
    COMMENT ON TABLE sessions IS
      'Sessions of systems that allow few, leased one call at a time. version: the fence, raised by each lease'
    """,
    """
    CREATE TABLE session_pools (
      connection int NOT NULL, name text NOT NULL, opener text, opening_until timestamptz,
      refused_until timestamptz, refused text, PRIMARY KEY (connection, name))
    """,
    """
    COMMENT ON TABLE session_pools IS
      'opener: who logs in just now. refused_until: no login before, for the last one was refused'
    """,
    """
    CREATE TABLE session_waits (
      connection int NOT NULL, name text NOT NULL, waiter text NOT NULL, since timestamptz NOT NULL,
      until timestamptz NOT NULL, PRIMARY KEY (connection, name, waiter))
    """,
    """
    COMMENT ON TABLE session_waits IS
      'Who waits for a session, first come first served; a waiter that is gone stops counting at until'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("session_waits", "session_pools", "sessions"):
        op.execute(f"DROP TABLE {table}")
