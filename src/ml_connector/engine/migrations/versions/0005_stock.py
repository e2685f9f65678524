"""Stock: what was read and written last by SKU, what store orders have taken, what a scan saw.

Revision ID: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE stock (
          integration int NOT NULL, sku text NOT NULL, version bigint NOT NULL DEFAULT 0,
          item text NOT NULL DEFAULT '', read_at timestamptz, wanted jsonb, store jsonb,
          sent jsonb, sent_at timestamptz, sent_seq bigint, settles_at timestamptz,
          drift jsonb, drift_at timestamptz, stale text, stale_at timestamptz,
          PRIMARY KEY (integration, sku)) WITH (fillfactor = 70)
    """)
    op.execute("CREATE INDEX stock_read ON stock (integration, read_at)")
    op.execute("CREATE INDEX stock_stale ON stock (integration, stale) WHERE stale IS NOT NULL")
    op.execute("""
        COMMENT ON TABLE stock IS 'One row per SKU. version: raised by every write to the store before it leaves, '
          'which compares it; settles_at: until then a write may still be on its way, and no other may follow it'
    """)
    op.execute("""
        CREATE TABLE stock_reserved (
          integration int NOT NULL, order_key text NOT NULL, sku text NOT NULL, quantity int NOT NULL,
          stamp timestamptz NOT NULL, PRIMARY KEY (integration, order_key, sku))
    """)
    op.execute("CREATE INDEX stock_reserved_sku ON stock_reserved (integration, sku) WHERE quantity > 0")
    op.execute("""
        COMMENT ON TABLE stock_reserved IS 'What an order has taken off the store''s stock, as of its stamp; the row '
          'without SKU says that it was read'
    """)
    op.execute("""
        CREATE TABLE stock_seen (
          integration int NOT NULL, item text NOT NULL, digest text NOT NULL, content jsonb, seen_at timestamptz,
          PRIMARY KEY (integration, item))
    """)
    op.execute("""
        COMMENT ON TABLE stock_seen IS 'What the last scan of the ERP saw of each item; another digest marks its SKUs '
          'in the same transaction. seen_at: when the scan began that saw it so first'
    """)


def downgrade() -> None:
    for table in ("stock_seen", "stock_reserved", "stock"):
        op.execute(f"DROP TABLE {table}")
