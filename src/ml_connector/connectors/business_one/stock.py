"""Quantities by item and warehouse, and which items are still sold.

Stock moves no stamp of the item, so there is nothing to ask for changes by. `Committed` holds the open sales orders of
the company, ours among them. Kits and items without stock keeping have no quantity of their own and are not told.
Sources: Service Layer metadata, `Items` and `ItemWarehouseInfoCollection`; `docs/protocol/business-one.md`.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import cast

from ml_connector.connectors.business_one.answers import SYSTEM
from ml_connector.connectors.business_one.client import B1Client, chunks, literal
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, as_row, decimal_of, text_of
from ml_connector.domain.stock import ItemStock, WarehouseStock

SET = "Items"
SELECT = (
    *("ItemCode", "InventoryItem", "SalesItem", "Valid", "Frozen", "TreeType"),
    "ItemWarehouseInfoCollection",
)
PAGE = 200
_KITS = frozenset({"iSalesTree", "iAssemblyTree", "iTemplateTree"})


async def stock(client: B1Client, items: Collection[str], warehouses: Collection[str]) -> dict[str, ItemStock]:
    """One call for forty items."""
    clauses = [f"ItemCode eq {literal(item)}" for item in sorted(items)]
    answered = await together(
        client.rows(SET, key="ItemCode", where=where, select=SELECT, page_size=PAGE, priority="catalogue")
        for where in chunks(clauses)
    )
    with readable(SET, SYSTEM):
        found = _stocks((row for rows in answered for row in rows), warehouses)
    return {each.item: each for each in found}


async def all_stock(client: B1Client, warehouses: Collection[str]) -> AsyncIterator[Sequence[ItemStock]]:
    """Every item that keeps stock, in the order of codes."""
    pages = client.pages(SET, key="ItemCode", select=SELECT, page_size=PAGE, priority="catalogue")
    async for page in pages:
        with readable(SET, SYSTEM):
            yield _stocks(page, warehouses)


def _stocks(rows: Iterable[Row], warehouses: Collection[str]) -> list[ItemStock]:
    return [
        ItemStock(text_of(row, "ItemCode"), _places(row, warehouses), sellable=_is_sold(row))
        for row in rows
        if row.get("InventoryItem") != "tNO" and row.get("TreeType") not in _KITS
    ]


def _is_sold(row: Row) -> bool:
    return row.get("SalesItem") != "tNO" and row.get("Valid") != "tNO" and row.get("Frozen") != "tYES"


def _places(row: Row, warehouses: Collection[str]) -> dict[str, WarehouseStock]:
    """A warehouse that is locked for the item gives nothing out."""
    told = row.get("ItemWarehouseInfoCollection")
    lines = [as_row(each) for each in cast("list[object]", told)] if isinstance(told, list) else []
    return {
        text_of(line, "WarehouseCode"): WarehouseStock(
            decimal_of(line, "InStock"), decimal_of(line, "Committed"), decimal_of(line, "Ordered")
        )
        for line in lines
        if text_of(line, "WarehouseCode") in warehouses and line.get("Locked") != "tYES"
    }
