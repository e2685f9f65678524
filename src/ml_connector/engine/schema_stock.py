"""The tables of stock: what was read and written last by SKU, what store orders have taken, what a scan saw."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from ml_connector.engine.schema import metadata


def _at() -> DateTime:
    return DateTime(timezone=True)


stock = Table(
    "stock",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("sku", Text, primary_key=True),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("item", Text, nullable=False, server_default=text("''")),
    Column("read_at", _at()),
    Column("wanted", JSONB),
    Column("store", JSONB),
    Column("sent", JSONB),
    Column("sent_at", _at()),
    Column("sent_seq", BigInteger),
    Column("settles_at", _at()),
    Column("drift", JSONB),
    Column("drift_at", _at()),
    Column("stale", Text),
    Column("stale_at", _at()),
    Index("stock_read", "integration", "read_at"),
    Index("stock_stale", "integration", "stale", postgresql_where=text("stale IS NOT NULL")),
    postgresql_with={"fillfactor": 70},
    comment="One row per SKU. version: raised by every write to the store before it leaves, which compares it; "
    "settles_at: until then a write may still be on its way, and no other may follow it",
)

stock_reserved = Table(
    "stock_reserved",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("order_key", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("stamp", _at(), nullable=False),
    Index("stock_reserved_sku", "integration", "sku", postgresql_where=text("quantity > 0")),
    comment="What an order has taken off the store's stock, as of its stamp; the row without SKU says that it was read",
)

stock_seen = Table(
    "stock_seen",
    metadata,
    Column("integration", Integer, primary_key=True, autoincrement=False),
    Column("item", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("content", JSONB),
    Column("seen_at", _at()),
    comment="What the last scan of the ERP saw of each item; another digest marks its SKUs in the same transaction. "
    "seen_at: when the scan began that saw it so first",
)
