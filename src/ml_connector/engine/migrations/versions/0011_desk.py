"""What pages read: labels of records, samples of lag, indexes for the lists; exclusion as a wish.

Revision ID: 0011
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE labels (
            integration int NOT NULL,
            flow text NOT NULL,
            key text NOT NULL,
            title text NOT NULL,
            party text NOT NULL DEFAULT '',
            ship_to text NOT NULL DEFAULT '',
            total numeric,
            currency text,
            placed_at timestamptz,
            stamp timestamptz,
            terms tsvector NOT NULL,
            CONSTRAINT labels_pkey PRIMARY KEY (integration, flow, key)
        )
    """)
    op.execute("CREATE INDEX labels_terms ON labels USING gin (terms)")
    op.execute(
        "COMMENT ON TABLE labels IS 'What a person calls a record, as the source said it last; stamp: of that "
        "snapshot. Holds personal data'"
    )
    op.execute("""
        CREATE TABLE pulses (
            integration int NOT NULL,
            flow text NOT NULL,
            at timestamptz NOT NULL,
            waiting int NOT NULL,
            lag_s double precision NOT NULL,
            CONSTRAINT pulses_pkey PRIMARY KEY (integration, flow, at)
        )
    """)
    op.execute("COMMENT ON TABLE pulses IS 'How much waited, and since when, at one moment'")
    # Lists by change, figures of today, and what is not done: none of them may read a million rows.
    op.execute("CREATE INDEX records_heard ON records (integration, heard_at)")
    op.execute("CREATE INDEX records_done ON records (integration, done_at)")
    op.execute("CREATE INDEX records_open ON records (integration, status, heard_at) WHERE status <> 'synced'")
    op.execute("CREATE INDEX postings_number ON postings (integration, number) WHERE number IS NOT NULL")
    op.execute("ALTER TABLE wishes DROP CONSTRAINT wishes_kind_check")
    op.execute(
        "ALTER TABLE wishes ADD CONSTRAINT wishes_kind_check"
        " CHECK (kind IN ('backfill', 'approve', 'repost', 'exclude'))"
    )
    op.execute(
        "COMMENT ON TABLE wishes IS 'What a person asked for, per record: backfill (count although older than the "
        "cut-over), approve (post exactly the plan of this digest), repost (again under the current mapping), exclude "
        "(leave it out, for the reason given)'"
    )


def downgrade() -> None:
    op.execute("DELETE FROM wishes WHERE kind = 'exclude'")
    op.execute("ALTER TABLE wishes DROP CONSTRAINT wishes_kind_check")
    op.execute("ALTER TABLE wishes ADD CONSTRAINT wishes_kind_check CHECK (kind IN ('backfill', 'approve', 'repost'))")
    op.execute(
        "COMMENT ON TABLE wishes IS 'What a person asked for, per record: backfill (count although older than the "
        "cut-over), approve (post exactly the plan of this digest), repost (again under the current mapping)'"
    )
    for index in ("postings_number", "records_open", "records_done", "records_heard"):
        op.execute(f"DROP INDEX {index}")
    op.execute("DROP TABLE pulses")
    op.execute("DROP TABLE labels")
