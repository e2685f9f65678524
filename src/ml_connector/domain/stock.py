"""Stock as the ERP has it, as the store shows it, and what the store should show.

ERP quantities are exact decimals in the item's base unit; the store counts whole pieces.
"""

import hashlib
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ml_connector.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class WarehouseStock:
    """`committed`: promised to open sales orders of the ERP. `on_order`: will come from purchase orders."""

    in_stock: Decimal
    committed: Decimal = ZERO
    on_order: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class ItemStock:
    """One item of the ERP. A warehouse that is absent has nothing. `sellable` false: discontinued, frozen, deleted.

    A warehouse is named `1710` or, where it has parts that can be mapped by themselves, `1710/171A`.
    """

    item: str
    warehouses: Map[str, WarehouseStock] = field(default_factory=dict[str, WarehouseStock])
    sellable: bool = True

    @property
    def digest(self) -> str:
        """Equal as long as nothing has changed; empty where there is nothing to sell."""
        facts = [
            f"{name}|{stock.in_stock:f}|{stock.committed:f}|{stock.on_order:f}"
            for name, stock in sorted(self.warehouses.items())
            if stock != WarehouseStock(ZERO)
        ]
        if not facts and self.sellable:
            return ""
        return hashlib.sha256("\n".join([str(self.sellable), *facts]).encode()).hexdigest()[:32]


def stock_to_json(stock: ItemStock) -> dict[str, Any]:
    """As a scan keeps it; quantities as texts."""
    places = {
        name: [f"{each.in_stock:f}", f"{each.committed:f}", f"{each.on_order:f}"]
        for name, each in stock.warehouses.items()
    }
    return {"sellable": stock.sellable, "warehouses": places}


def stock_from_json(item: str, data: Map[str, Any]) -> ItemStock:
    """What `stock_to_json` wrote."""
    places = {name: WarehouseStock(*(Decimal(text) for text in texts)) for name, texts in data["warehouses"].items()}
    return ItemStock(item, places, sellable=bool(data["sellable"]))


@dataclass(frozen=True, slots=True)
class StoreStock:
    """A SKU as the store has it: quantity on hand by location ID. A location that never counted it is absent."""

    sku: str
    on_hand: Map[int, int]


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A place that the store sells from. `default`: orders take from it where nothing else is said."""

    id: int
    code: str
    name: str
    enabled: bool = True
    default: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What a location of the store should have on hand: absolute."""

    sku: str
    location: int
    quantity: int
