"""What a person asked for, per record.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE wishes (
          integration int NOT NULL, flow text NOT NULL, key text NOT NULL, kind text NOT NULL,
          value text NOT NULL DEFAULT '', wished_by text NOT NULL DEFAULT '',
          wished_at timestamptz NOT NULL DEFAULT statement_timestamp(),
          CONSTRAINT wishes_kind_check CHECK (kind IN ('backfill', 'approve', 'repost')),
          PRIMARY KEY (integration, flow, key, kind))
    """)
    op.execute("""
        COMMENT ON TABLE wishes IS 'What a person asked for, per record: backfill (count although older than the '
          'cut-over), approve (post exactly the plan of this digest), repost (again under the current mapping)'
    """)


def downgrade() -> None:
    op.execute("DROP TABLE wishes")
