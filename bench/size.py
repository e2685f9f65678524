"""What the database keeps of an order, and what is left of it when retention has deleted what is old."""

from collections.abc import Callable, Mapping

from sqlalchemy import text

from bench.rows import Row
from ml_connector.engine import audit_chain, retention
from ml_connector.engine.database import Database

TABLES = ("postings", "records", "audit")
TARGET, TARGET_KEPT = 60.0, 15.0
"""KiB an order: while its audit is kept, and for ever. Chosen from the first measurement, so that growth is seen."""

SIZES = text(
    "SELECT relname, pg_total_relation_size(oid)::bigint FROM pg_class WHERE relname = ANY(:tables) AND relkind = 'r'"
)
WHOLE = text("SELECT pg_database_size(current_database())::bigint")
AGE = text("UPDATE audit SET at = at - make_interval(days => :days)")
AGE_SEALS = text("UPDATE audit_seals SET last_at = last_at - make_interval(days => :days)")


async def measure(database: Database) -> Mapping[str, int]:
    """Bytes by table, indexes and long values included, and `all` of the database."""
    async with database.connect() as connection:
        found = {row[0]: int(row[1]) for row in await connection.execute(SIZES, {"tables": list(TABLES)})}
        return {**found, "all": int((await connection.execute(WHOLE)).scalar_one())}


async def rows(database: Database, empty: Mapping[str, int], *, orders: int, say: Callable[[str], None]) -> list[Row]:
    """As the worker left it; then the audit is made old, and retention and a vacuum have passed."""
    full = await measure(database)
    kept = retention.Retention()
    async with database.connect() as connection:
        for statement in (AGE, AGE_SEALS):
            await connection.execute(statement, {"days": kept.audit_days + 1})
    for chain in await audit_chain.chains(database):  # what the worker had not sealed yet when it ended
        await audit_chain.seal(database, b"bench", chain, await audit_chain.horizon(database) or 0)
    deleted = await retention.sweep(database, kept)
    async with database.connect() as connection:
        for table in ("audit", "audit_seals"):
            await connection.exec_driver_sql(f"VACUUM (FULL) {table}")
    after = await measure(database)
    say(f"database: {full['all'] / 1e6:,.0f} MB for {orders:,} orders, {after['all'] / 1e6:,.0f} MB after retention")

    def per_order(sizes: Mapping[str, int], name: str) -> float:
        return round((sizes[name] - empty[name]) / orders / 1024, 2)

    return [
        Row("database: size per order", per_order(full, "all"), "KiB/order", TARGET),
        Row("database: size per order after retention", per_order(after, "all"), "KiB/order", TARGET_KEPT),
        *(Row(f"database: size per order, {name}", per_order(full, name), "KiB/order") for name in TABLES),
        Row("database: audit entries per order", round(deleted["audit"] / orders, 1), "rows/order"),
    ]
