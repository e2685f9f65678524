"""What an ERP calls the books behind a connection: two names of one host are one set of books.

Revision ID: 0013
"""

from alembic import op

revision = "0013"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE connections ADD COLUMN books text NOT NULL DEFAULT ''")


def downgrade() -> None:
    op.execute("ALTER TABLE connections DROP COLUMN books")
