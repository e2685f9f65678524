"""How the calls of each connection went, minute by minute; since when a breaker has been open.

Revision ID: 0018
"""

from alembic import op

revision = "0018"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE connection_pulses (
            integration int NOT NULL,
            connection int NOT NULL,
            at timestamptz NOT NULL,
            over_s double precision NOT NULL,
            calls int NOT NULL,
            failed int NOT NULL,
            median_ms double precision,
            p95_ms double precision,
            quota_used double precision,
            CONSTRAINT connection_pulses_pkey PRIMARY KEY (integration, connection, at)
        )
    """)
    op.execute(
        "COMMENT ON TABLE connection_pulses IS 'Calls of the over_s seconds before at, made for the integration. "
        "median_ms, p95_ms: none without a call. quota_used: part of the quota, where the system tells one'"
    )
    op.execute("ALTER TABLE breakers ADD COLUMN opened_at timestamptz")
    op.execute("UPDATE breakers SET opened_at = changed_at WHERE state <> 'closed'")


def downgrade() -> None:
    op.execute("ALTER TABLE breakers DROP COLUMN opened_at")
    op.execute("DROP TABLE connection_pulses")
