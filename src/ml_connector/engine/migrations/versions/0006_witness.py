"""The youngest document of an integration without looking at all of them: the witness that a look-up sees.

Revision ID: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX postings_witness ON postings (integration, posted_at)"
        " WHERE state IN ('posted', 'checked') AND kind <> 'customer'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX postings_witness")
