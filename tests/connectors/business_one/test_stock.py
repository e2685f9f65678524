"""Stock of Business One: what is promised, what is no longer sold, what has no quantity of its own."""

from decimal import Decimal

from ml_connector.connectors.base import ReadsStock
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.business_one.stock import _stocks
from ml_connector.domain.stock import ItemStock, WarehouseStock
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices

ALL = ["01", "02"]


def moved(erp: Erp, item: str, warehouse: str, quantity: str) -> None:
    erp.call("POST", "/stock", {"ItemCode": item, "WarehouseCode": warehouse, "InStock": quantity})


async def test_quantities_are_told_by_warehouse(erp: Erp, connector: B1Connector) -> None:
    moved(erp, "PLATE", "01", "12.5")
    moved(erp, "PLATE", "02", "3")
    assert isinstance(connector, ReadsStock)
    found = await connector.stock(["PLATE", "NOT-THERE"], ["01"])
    assert set(found) == {"PLATE"}
    assert {place: each.in_stock for place, each in found["PLATE"].warehouses.items()} == {"01": Decimal("12.5")}
    both = (await connector.stock(["PLATE"], ALL))["PLATE"]
    assert {place: each.in_stock for place, each in both.warehouses.items()} == {"01": Decimal("12.5"), "02": 3}


async def test_every_item_that_keeps_stock_is_told_once(
    erp: Erp, connector: B1Connector, services: LocalServices
) -> None:
    told = {row["ItemCode"] for row in erp.state("stock")}
    found = [each.item async for page in connector.all_stock(ALL) for each in page]
    assert len(found) == len(set(found))
    assert set(found) <= told | set(found)
    assert "PLATE" in found


def test_kits_and_services_are_not_told_and_frozen_items_are_not_sold() -> None:
    places = [
        {"WarehouseCode": "01", "InStock": 5, "Committed": 2, "Ordered": 9},
        {"WarehouseCode": "02", "InStock": 5, "Locked": "tYES"},
        {"WarehouseCode": "99", "InStock": 5},
    ]
    rows = [
        {"ItemCode": "A", "InventoryItem": "tYES", "ItemWarehouseInfoCollection": places},
        {"ItemCode": "B", "InventoryItem": "tYES", "Frozen": "tYES"},
        {"ItemCode": "C", "InventoryItem": "tYES", "SalesItem": "tNO"},
        {"ItemCode": "SERVICE", "InventoryItem": "tNO"},
        {"ItemCode": "KIT", "InventoryItem": "tYES", "TreeType": "iSalesTree"},
    ]
    assert _stocks(rows, ALL) == [
        ItemStock("A", {"01": WarehouseStock(Decimal(5), Decimal(2), Decimal(9))}),
        ItemStock("B", sellable=False),
        ItemStock("C", sellable=False),
    ]
