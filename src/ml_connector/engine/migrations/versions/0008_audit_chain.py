"""The audit says who, and is chained: seals over segments of rows, each over the one before.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE audit ADD COLUMN who text NOT NULL DEFAULT 'worker'",
    "CREATE INDEX audit_who ON audit (integration, who, id) WHERE who <> 'worker'",
    """
    CREATE INDEX audit_kind ON audit (integration, kind, id)
     WHERE kind <> ALL ('{call,heard,read,planned,sent,stored,synced,retry,stock}'::text[])
    """,
    """
    CREATE TABLE audit_seals (
      integration int NOT NULL, number bigint NOT NULL, after_id bigint NOT NULL, upto_id bigint NOT NULL,
      rows int NOT NULL, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, sealed_at timestamptz NOT NULL,
      root bytea NOT NULL, previous bytea NOT NULL, hash bytea NOT NULL, mac bytea NOT NULL,
      leaves bytea, removed_at timestamptz,
      PRIMARY KEY (integration, number))
    """,
    "ALTER TABLE audit_seals ALTER COLUMN leaves SET STORAGE EXTERNAL",
    "CREATE INDEX audit_seals_upto ON audit_seals (integration, upto_id)",
    """
    COMMENT ON TABLE audit_seals IS
      'Rows of audit with after_id < id <= upto_id, sealed. leaves: ID, time and hash of each; root: their hash; '
      'hash: of this seal with the one before; removed_at: retention took the rows'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE audit_seals")
    op.execute("DROP INDEX audit_kind")
    op.execute("DROP INDEX audit_who")
    op.execute("ALTER TABLE audit DROP COLUMN who")
