"""Drafts of mapping and policy, and why each version was saved.

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE mappings ADD COLUMN comment text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE policies ADD COLUMN comment text NOT NULL DEFAULT ''")
    op.execute("""
        CREATE TABLE drafts (
            integration int NOT NULL,
            person text NOT NULL,
            mapping jsonb NOT NULL,
            mapping_version int NOT NULL,
            policy jsonb NOT NULL,
            policy_version int NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT statement_timestamp(),
            CONSTRAINT drafts_pkey PRIMARY KEY (integration, person)
        )
    """)
    op.execute(
        "COMMENT ON TABLE drafts IS 'Mapping and policy as a person is about to save them; versions: those that it was "
        "begun from'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE drafts")
    op.execute("ALTER TABLE policies DROP COLUMN comment")
    op.execute("ALTER TABLE mappings DROP COLUMN comment")
