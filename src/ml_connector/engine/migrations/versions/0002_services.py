"""The services: master keys, secrets, tokens, limits, breakers, audit.

Revision ID: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE master_keys (
      master text PRIMARY KEY, state text NOT NULL, since timestamptz NOT NULL DEFAULT statement_timestamp(),
      CONSTRAINT master_keys_state_check CHECK (state IN ('current', 'retired')))
    """,
    "CREATE UNIQUE INDEX master_keys_current ON master_keys (state) WHERE state = 'current'",
    """
    COMMENT ON TABLE master_keys IS
      'Which master key wraps the data keys, by a name derived from the key; never the key'
    """,
    """
    CREATE TABLE secrets (
      connection int NOT NULL, name text NOT NULL, master text NOT NULL, wrapped bytea NOT NULL, sealed bytea NOT NULL,
      changed_at timestamptz NOT NULL DEFAULT statement_timestamp(), PRIMARY KEY (connection, name))
    """,
    """
    COMMENT ON TABLE secrets IS
      'Credentials, each sealed by its own data key, which a master key wraps. Connection 0: the installation'
    """,
    """
    CREATE TABLE tokens (
      connection int NOT NULL, name text NOT NULL, version bigint NOT NULL DEFAULT 0,
      master text, wrapped bytea, sealed bytea, fetched_at timestamptz, expires_at timestamptz,
      fetcher text, fetching_until timestamptz,
      CONSTRAINT tokens_whole_check CHECK (num_nulls(master, wrapped, sealed, fetched_at, expires_at) IN (0, 5)),
      PRIMARY KEY (connection, name))
    """,
    """
    COMMENT ON TABLE tokens IS
      'Session tokens shared by all processes. fetcher, fetching_until: the lease of the one that renews it'
    """,
    """
    CREATE TABLE limits (
      connection int PRIMARY KEY, paused_until timestamptz, rate double precision, rate_at timestamptz,
      quota jsonb, quota_at timestamptz)
    WITH (fillfactor = 50)
    """,
    """
    COMMENT ON TABLE limits IS
      'Pace of a connection. rate: calls a second at rate_at, after a throttle without figures; it grows'
    """,
    """
    CREATE TABLE limit_leases (
      connection int NOT NULL, holder text NOT NULL, places int NOT NULL, want int NOT NULL,
      expires_at timestamptz NOT NULL,
      CONSTRAINT limit_leases_places_check CHECK (places >= 0), PRIMARY KEY (connection, holder))
    WITH (fillfactor = 50)
    """,
    """
    COMMENT ON TABLE limit_leases IS
      'How many of the connection''s places a process has, and how many it could use'
    """,
    """
    CREATE TABLE breakers (
      connection int PRIMARY KEY, state text NOT NULL DEFAULT 'closed', failures int NOT NULL DEFAULT 0,
      pauses int NOT NULL DEFAULT 0, retry_at timestamptz, prober text, probe_until timestamptz, error text,
      changed_at timestamptz NOT NULL DEFAULT statement_timestamp(),
      CONSTRAINT breakers_state_check CHECK (state IN ('closed', 'open', 'half_open')))
    """,
    """
    COMMENT ON TABLE breakers IS
      'failures: in a row. pauses: in a row without a success; the next pause grows with it'
    """,
    """
    CREATE TABLE audit (
      integration int NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL,
      correlation text NOT NULL, kind text NOT NULL, connection int, flow text, key text,
      refs text[] NOT NULL DEFAULT '{}'::text[], token bigint, data jsonb NOT NULL DEFAULT '{}'::jsonb,
      PRIMARY KEY (integration, id))
    """,
    "CREATE INDEX audit_record ON audit (integration, flow, key, id) WHERE key IS NOT NULL",
    "CREATE INDEX audit_correlation ON audit (correlation, id)",
    "CREATE INDEX audit_refs ON audit USING gin (refs) WHERE refs <> '{}'::text[]",
    "CREATE INDEX audit_at ON audit (integration, at)",
    """
    COMMENT ON TABLE audit IS
      'Every call and every change of state, appended only. Integration 0: of no integration in particular'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("audit", "breakers", "limit_leases", "limits", "tokens", "secrets", "master_keys"):
        op.execute(f"DROP TABLE {table}")
