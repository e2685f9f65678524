"""Documents stand in two places, invoices in the ERP and shipments in the store: each look-up has its own witness.

Revision ID: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX postings_witness")
    op.execute(
        "CREATE INDEX postings_witness ON postings (integration, connection, posted_at)"
        " WHERE state IN ('posted', 'checked') AND kind <> 'customer'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX postings_witness")
    op.execute(
        "CREATE INDEX postings_witness ON postings (integration, posted_at)"
        " WHERE state IN ('posted', 'checked') AND kind <> 'customer'"
    )
