"""Plans that persons looked at, and whether they were applied.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE plans (
            integration int NOT NULL,
            plan int NOT NULL GENERATED ALWAYS AS IDENTITY,
            made_at timestamptz NOT NULL DEFAULT statement_timestamp(),
            made_by text NOT NULL,
            asked text NOT NULL,
            backfilled boolean NOT NULL DEFAULT false,
            drafted boolean NOT NULL DEFAULT false,
            mapping_version int NOT NULL,
            policy_version int NOT NULL,
            counts jsonb NOT NULL,
            sums jsonb NOT NULL,
            names jsonb NOT NULL DEFAULT '{}',
            applied_at timestamptz,
            applied_by text,
            comment text,
            CONSTRAINT plans_pkey PRIMARY KEY (integration, plan),
            CONSTRAINT plans_applied_check CHECK ((applied_at IS NULL) = (applied_by IS NULL)),
            CONSTRAINT plans_drafted_check CHECK (NOT drafted OR applied_at IS NULL)
        )
    """)
    op.execute(
        "COMMENT ON TABLE plans IS 'What orders would post, as somebody saw it. Applied at most once, in the "
        "transaction of its approvals'"
    )
    op.execute("""
        CREATE TABLE plan_orders (
            integration int NOT NULL,
            plan int NOT NULL,
            key text NOT NULL,
            place int NOT NULL,
            title text NOT NULL,
            party text NOT NULL DEFAULT '',
            total numeric,
            currency text,
            outcome text NOT NULL,
            code text NOT NULL DEFAULT '',
            about text NOT NULL DEFAULT '',
            message text NOT NULL DEFAULT '',
            digest text NOT NULL,
            uncertain jsonb NOT NULL,
            documents jsonb NOT NULL,
            CONSTRAINT plan_orders_pkey PRIMARY KEY (integration, plan, key),
            CONSTRAINT plan_orders_outcome_check CHECK (outcome IN ('documents', 'held', 'excluded', 'unknown'))
        )
    """)
    op.execute(
        "COMMENT ON TABLE plan_orders IS 'An order of a plan. digest: what applying approves. documents: as they would "
        "be sent. Holds personal data'"
    )


def downgrade() -> None:
    op.execute("DROP TABLE plan_orders")
    op.execute("DROP TABLE plans")
