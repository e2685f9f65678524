"""Physical stock by material, plant and storage location, and the products' status; both services are read only.

There is no change date on stock: who wants changes reads and compares. A row whose quantity is zero is gone. Open
orders are not deducted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from ml_connector.sandbox.s4hana.odata.fields import EntitySet, Nav, Row, Service, entity

UNRESTRICTED = "01"

STOCK = entity(
    "A_MatlStkInAcctModType",
    """
    Material:40U! Plant:4U! StorageLocation:4U! Batch:10U! Supplier:10U! Customer:10U! WBSElementInternalID:8N!
    SDDocument:10U! SDDocumentItem:6N! InventorySpecialStockType:1U! InventoryStockType:2U! WBSElementExternalID:24U
    MaterialBaseUnit:3 MatlWrhsStkQtyInMatlBaseUnit:31.14
    """,
)
MATERIAL = entity(
    "A_MaterialStockType",
    "Material:40U! MaterialBaseUnit:3",
    Nav("to_MatlStkInAcctMod", "A_MatlStkInAcctMod", many=True, link={"Material": "Material"}),
)
PRODUCT = entity(
    "A_ProductType",
    """
    Product:40U! ProductType:4U CrossPlantStatus:2U CrossPlantStatusValidityDate:D CreationDate:D- CreatedByUser:12U-
    LastChangeDate:D- LastChangedByUser:12U- LastChangeDateTime:TS- IsMarkedForDeletion:B ProductGroup:9U BaseUnit:3
    """,
)
MATERIAL_STOCK_SERVICE = Service(
    "API_MATERIAL_STOCK_SRV",
    "API_MATERIAL_STOCK_SRV",
    ("SAP_COM_0164",),
    (EntitySet("A_MatlStkInAcctMod", STOCK), EntitySet("A_MaterialStock", MATERIAL)),
)
PRODUCT_SERVICE = Service("API_PRODUCT_SRV", "API_PRODUCT_SRV", ("SAP_COM_0009",), (EntitySet("A_Product", PRODUCT),))

_Rows = dict[tuple[Any, ...], Row]


@dataclass
class Stock:
    """By material, for a store asks for a few of many."""

    levels: dict[str, _Rows] = field(default_factory=dict[str, _Rows])
    products: dict[str, Row] = field(default_factory=dict[str, Row])
    version: int = 0
    sets = frozenset({"A_MatlStkInAcctMod", "A_MaterialStock", "A_Product"})

    def rows(self, set_name: str, values: Mapping[str, frozenset[Any]]) -> Iterable[Row]:
        if set_name == "A_Product":
            wanted = values.get("Product")
            names = self.products if wanted is None else [name for name in wanted if name in self.products]
            return [self.products[name] for name in names]
        wanted = values.get("Material")
        names = self.levels if wanted is None else [name for name in wanted if name in self.levels]
        if set_name == "A_MaterialStock":
            return [MATERIAL.row({"Material": name, "MaterialBaseUnit": "PC"}) for name in names]
        return [row for name in names for row in self.levels[name].values()]

    def put(self, body: Any, now_s: float) -> int:
        """Goods move and products change: `materials`, each with `material` and what is to be so from now on
        (`plant`, `location`, `quantity`, `stock_type`, `special`; `status`, `deleted`). Raises ``ValueError``."""
        given = cast("Mapping[str, Any]", body).get("materials")
        if not isinstance(given, list):
            raise ValueError("materials is a list")  # noqa: TRY004 - what was sent is wrong, not the call
        for each in cast("list[Mapping[str, Any]]", given):
            name = str(each["material"]).upper()
            before = self.products.get(name, {})
            self.products[name] = PRODUCT.row(
                {
                    "Product": name,
                    "ProductType": "FERT",
                    "BaseUnit": "PC",
                    "CrossPlantStatus": str(each.get("status", before.get("CrossPlantStatus", ""))),
                    "IsMarkedForDeletion": bool(each.get("deleted", before.get("IsMarkedForDeletion", False))),
                    "LastChangeDateTime": datetime.fromtimestamp(now_s, UTC).replace(microsecond=0),
                }
            )
            if "quantity" in each:
                self._set(name, each)
        self.version += 1
        return len(cast("list[object]", given))

    def shown(self, material: str | None) -> list[dict[str, Any]]:
        return [
            {
                "material": row["Material"],
                "plant": row["Plant"],
                "location": row["StorageLocation"],
                "stock_type": row["InventoryStockType"],
                "quantity": str(row["MatlWrhsStkQtyInMatlBaseUnit"]),
            }
            for name, rows in self.levels.items()
            if material in (None, name)
            for row in rows.values()
        ]

    def _set(self, name: str, each: Mapping[str, Any]) -> None:
        try:
            quantity = Decimal(str(each["quantity"]))
        except InvalidOperation as error:
            raise ValueError(f"{each['quantity']!r} is no quantity") from error
        row = STOCK.row(
            {
                "Material": name,
                "Plant": str(each.get("plant", "1710")),
                "StorageLocation": str(each.get("location", "171A")),
                "InventoryStockType": str(each.get("stock_type", UNRESTRICTED)),
                "InventorySpecialStockType": str(each.get("special", "")),
                "SDDocumentItem": "0",
                "MaterialBaseUnit": "PC",
                "MatlWrhsStkQtyInMatlBaseUnit": quantity,
            }
        )
        rows = self.levels.setdefault(name, {})
        key = STOCK.key_of(row)
        if quantity == 0:
            rows.pop(key, None)
        else:
            rows[key] = row
        if not rows:
            del self.levels[name]
