"""An update that takes over the name of a document names it, as a reversal does.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE postings DROP CONSTRAINT postings_reverses_check")
    op.execute(
        "ALTER TABLE postings ADD CONSTRAINT postings_reverses_check CHECK ("
        "CASE step WHEN 'reverse' THEN reverses_reference IS NOT NULL WHEN 'create' THEN reverses_reference IS NULL"
        " ELSE true END)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE postings DROP CONSTRAINT postings_reverses_check")
    op.execute(
        "ALTER TABLE postings ADD CONSTRAINT postings_reverses_check CHECK ("
        "(step = 'reverse') = (reverses_reference IS NOT NULL))"
    )
