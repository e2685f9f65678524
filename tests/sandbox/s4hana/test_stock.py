"""Stock and products of the stand-in, read with plain requests."""

from __future__ import annotations

from typing import Any

from .client import Sap

STOCK = "API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod"
PRODUCT = "API_PRODUCT_SRV/A_Product"


def put(sap: Sap, *materials: dict[str, Any]) -> None:
    sap.control("POST", "/stock", {"materials": list(materials)})


def test_stock_is_told_by_plant_location_and_type(sap: Sap) -> None:
    put(
        sap,
        {"material": "tg11", "quantity": "100", "location": "171A"},
        {"material": "TG11", "quantity": "2.5", "location": "171B", "stock_type": "02"},
        {"material": "TG12", "quantity": "7", "plant": "1010"},
    )
    found = sap.results(STOCK, filter="Material eq 'TG11' and InventoryStockType eq '01'")
    assert [(row["Plant"], row["StorageLocation"], row["MatlWrhsStkQtyInMatlBaseUnit"]) for row in found] == [
        ("1710", "171A", "100")
    ]
    assert {row["Material"] for row in sap.results(STOCK, filter="Plant eq '1010'")} == {"TG12"}


def test_a_row_of_nothing_is_gone_and_its_product_is_not(sap: Sap) -> None:
    put(sap, {"material": "TG11", "quantity": 3})
    put(sap, {"material": "TG11", "quantity": 0})
    assert sap.results(STOCK) == []
    (product,) = sap.results(PRODUCT)
    assert (product["Product"], product["IsMarkedForDeletion"], product["CrossPlantStatus"]) == ("TG11", False, "")


def test_products_tell_their_status(sap: Sap) -> None:
    put(sap, {"material": "OLD", "status": "Z1"}, {"material": "GONE", "deleted": True})
    told = {row["Product"]: (row["CrossPlantStatus"], row["IsMarkedForDeletion"]) for row in sap.results(PRODUCT)}
    assert told == {"OLD": ("Z1", False), "GONE": ("", True)}


def test_a_service_that_is_not_arranged_is_closed(sap: Sap) -> None:
    sap.control("POST", "/seed", {"settings": {"scenarios": ["SAP_COM_0009"]}})
    assert sap.get(STOCK).status_code == 403
    assert sap.get(PRODUCT).status_code == 200
