"""Quantities per item and warehouse. A move changes no stamp of the item: so it is with the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ml_connector.sandbox.business_one.company import Company, number
from ml_connector.sandbox.business_one.errors import business
from ml_connector.sandbox.business_one.fields import Row


@dataclass(frozen=True)
class Move:
    """Changes of one item in one warehouse; ``line`` is the line's number from 1, for the message."""

    item: str
    warehouse: str
    in_stock: Decimal = Decimal(0)
    committed: Decimal = Decimal(0)
    ordered: Decimal = Decimal(0)
    line: int = 0

    def reversed(self) -> Move:
        return Move(self.item, self.warehouse, -self.in_stock, -self.committed, -self.ordered, self.line)


def apply_moves(company: Company, moves: Sequence[Move], *, checked: bool = True) -> None:
    """Raises ``B1Error`` -10 when stock would fall below zero and the company blocks that."""
    for move in moves:
        item = company.table("Items").get(move.item)
        if item is None or item.get("InventoryItem") == "tNO":
            continue
        row = quantities(item, move.warehouse)
        after = {
            "InStock": number(row, "InStock") + move.in_stock,
            "Committed": number(row, "Committed") + move.committed,
            "Ordered": number(row, "Ordered") + move.ordered,
        }
        blocked = company.settings.block_negative_stock and checked
        if blocked and move.in_stock < 0 and after["InStock"] < 0:
            raise business(f"Quantity falls into negative inventory  [INV1.ItemCode][line: {move.line}]")
        set_quantities(company, item, move.warehouse, after)


def quantities(item: Row, warehouse: str) -> Row:
    for row in item.get("ItemWarehouseInfoCollection") or ():
        if row["WarehouseCode"] == warehouse:
            return row
    return {"WarehouseCode": warehouse, "ItemCode": item["ItemCode"]}


def set_quantities(company: Company, item: Row, warehouse: str, values: Row) -> None:
    rows: list[Row] = list(item.get("ItemWarehouseInfoCollection") or ())
    changed = {**quantities(item, warehouse), **values}
    for index, row in enumerate(rows):
        if row["WarehouseCode"] == warehouse:
            rows[index] = changed
            break
    else:
        rows.append(changed)
    company.table("Items").change(
        (item["ItemCode"],),
        ItemWarehouseInfoCollection=rows,
        QuantityOnStock=sum((number(row, "InStock") for row in rows), Decimal(0)),
        QuantityOrderedByCustomers=sum((number(row, "Committed") for row in rows), Decimal(0)),
        QuantityOrderedFromVendors=sum((number(row, "Ordered") for row in rows), Decimal(0)),
    )
