"""The ERP's stock beside the store's while both are read: a table of one session, so that memory holds a page of each.

The two sides come in different orders (items and SKUs), and either may have more than memory should hold.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.domain.stock import ItemStock, stock_from_json, stock_to_json
from ml_connector.engine.database import Database, dump_json

_DROP = text("DROP TABLE IF EXISTS pg_temp.staged_stock")
_MAKE = text("""
CREATE TEMPORARY TABLE staged_stock (item text PRIMARY KEY, content jsonb NOT NULL, taken boolean NOT NULL)
""")
_PUT = text("""
INSERT INTO pg_temp.staged_stock (item, content, taken)
SELECT item, content, false FROM unnest(CAST(:items AS text[]), CAST(:contents AS jsonb[])) AS n(item, content)
ON CONFLICT (item) DO UPDATE SET content = excluded.content
""")
_TAKE = text("""
UPDATE pg_temp.staged_stock SET taken = true WHERE item = ANY(CAST(:items AS text[])) RETURNING item, content
""")
_LEFT = text("""
SELECT item, content FROM pg_temp.staged_stock WHERE NOT taken AND item > :after ORDER BY item LIMIT :limit
""")


class Staged:
    """What the ERP has, item by item."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, page: Sequence[ItemStock]) -> None:
        """The last one counts, where an item comes twice."""
        by_item = {each.item: dump_json(stock_to_json(each)) for each in page}
        await self._connection.execute(_PUT, {"items": list(by_item), "contents": list(by_item.values())})

    async def take(self, items: Collection[str]) -> dict[str, ItemStock]:
        """Those that are there; they are not `left` any more."""
        rows = await self._connection.execute(_TAKE, {"items": sorted(items)})
        return {row.item: stock_from_json(row.item, row.content) for row in rows}

    async def left(self, after: str, limit: int) -> list[ItemStock]:
        """Items that nobody took, in their order, from behind `after` on."""
        rows = await self._connection.execute(_LEFT, {"after": after, "limit": limit})
        return [stock_from_json(row.item, row.content) for row in rows]


@asynccontextmanager
async def staged(database: Database) -> AsyncGenerator[Staged]:
    """An empty one. It keeps a connection to itself, and is gone with it."""
    async with database.connect() as connection:
        await connection.execute(_DROP)
        await connection.execute(_MAKE)
        try:
            yield Staged(connection)
        finally:
            await connection.execute(_DROP)
