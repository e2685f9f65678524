"""Differences that a person has explained; what an order came to in the store, line by line.

Revision ID: 0017
"""

from alembic import op

revision = "0017"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE explained (
            integration int NOT NULL,
            name text NOT NULL,
            store numeric NOT NULL,
            erp numeric NOT NULL,
            rest numeric NOT NULL,
            why text NOT NULL,
            explained_by text NOT NULL,
            explained_at timestamptz NOT NULL DEFAULT statement_timestamp(),
            CONSTRAINT explained_pkey PRIMARY KEY (integration, name)
        )
    """)
    op.execute(
        "COMMENT ON TABLE explained IS 'Differences of the tie-out that a person has explained, with the amounts that "
        "they looked at: another amount is another difference'"
    )
    op.execute("ALTER TABLE labels ADD COLUMN sums jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE labels DROP COLUMN sums")
    op.execute("DROP TABLE explained")
