"""Stock of S/4HANA: sums by place, what is gone, what is no longer sold, how many calls."""

from decimal import Decimal
from typing import Any

import pytest

from ml_connector.connectors.base import ReadsStock
from ml_connector.connectors.errors import Unauthorized
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.connectors.s4hana.stock import filters
from ml_connector.domain.stock import ItemStock
from tests.connectors.s4hana.conftest import connect
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices

PLANTS = ["1710", "1010/101A"]


def put(erp: Erp, *materials: dict[str, Any]) -> None:
    erp._call("POST", "/stock", {"materials": list(materials)})


def places(stock: ItemStock) -> dict[str, Decimal]:
    return {place: each.in_stock for place, each in stock.warehouses.items()}


async def test_unrestricted_stock_of_the_mapped_plants_counts(erp: Erp, connector: S4Connector) -> None:
    put(
        erp,
        {"material": "TG11", "quantity": "100", "location": "171A"},
        {"material": "TG11", "quantity": "2.5", "location": "171B"},
        {"material": "TG11", "quantity": "9", "location": "171A", "stock_type": "02"},
        {"material": "TG11", "quantity": "9", "location": "171A", "special": "E"},
        {"material": "TG11", "quantity": "4", "plant": "1010", "location": "101A"},
        {"material": "TG11", "quantity": "5", "plant": "3000"},
    )
    assert isinstance(connector, ReadsStock)
    found = await connector.stock(["tg11"], PLANTS)
    assert places(found["tg11"]) == {"1710/171A": 100, "1710/171B": Decimal("2.5"), "1010/101A": 4}


async def test_a_product_without_stock_has_nothing_and_an_unknown_one_is_absent(
    erp: Erp, connector: S4Connector
) -> None:
    put(erp, {"material": "TG11", "quantity": 5}, {"material": "TG12", "quantity": 5})
    put(erp, {"material": "TG11", "quantity": 0})
    found = await connector.stock(["TG11", "TG12", "TG13"], PLANTS)
    assert {name: places(each) for name, each in found.items()} == {"TG11": {}, "TG12": {"1710/171A": 5}}


async def test_products_that_are_no_longer_sold(erp: Erp, services: LocalServices) -> None:
    connector = connect(erp, services, discontinued_statuses="Z1 Z2")
    put(
        erp,
        {"material": "OLD", "quantity": 1, "status": "Z2"},
        {"material": "GONE", "quantity": 1, "deleted": True},
        {"material": "GOOD", "quantity": 1, "status": "A1"},
    )
    found = await connector.stock(["OLD", "GONE", "GOOD"], PLANTS)
    assert {name: each.sellable for name, each in found.items()} == {"OLD": False, "GONE": False, "GOOD": True}
    await connector.close()


async def test_a_whole_read_tells_every_item_once(erp: Erp, connector: S4Connector) -> None:
    erp.seed(settings={"page_cap": 7})
    put(
        erp,
        *({"material": f"M{n:03}", "quantity": n, "location": place} for n in range(30) for place in ("171A", "171B")),
        {"material": "EMPTY"},
    )
    told = [each async for page in connector.all_stock(PLANTS) for each in page]
    assert len(told) == len({each.item for each in told}) == 31
    sums = {each.item: sum(places(each).values()) for each in told}
    assert sums == {"EMPTY": 0, **{f"M{n:03}": 2 * n for n in range(30)}}


async def test_items_go_together_as_the_address_allows(
    erp: Erp, connector: S4Connector, services: LocalServices
) -> None:
    names = [f"MATERIAL-{n:04}" for n in range(100)]
    put(erp, *({"material": name, "quantity": 1} for name in names))
    assert len(await connector.stock(names, PLANTS)) == 100
    reads = [call for call in services.kept.calls if call.method == "GET"]
    assert len(reads) == 2 * len(filters("Material", names))
    assert all(len(call.url) < 2000 for call in reads)


@pytest.mark.parametrize("scenario", ["SAP_COM_0009", "SAP_COM_0164"])
async def test_a_missing_arrangement_is_named(erp: Erp, connector: S4Connector, scenario: str) -> None:
    erp.withdraw(scenario)
    with pytest.raises(Unauthorized, match=scenario):
        await connector.stock(["TG11"], PLANTS)
