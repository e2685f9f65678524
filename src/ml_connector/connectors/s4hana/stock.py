"""Unrestricted stock by plant and storage location, and which products are still sold.

Physical stock: orders and deliveries that are open in SAP are not deducted, nor does a posting of ours move it. There
is no date of change, and a row whose quantity is zero is gone: a product without rows has nothing, a product that the
product service does not know does not exist. Sources: SAP Business Accelerator Hub, API_MATERIAL_STOCK_SRV,
API_PRODUCT_SRV.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from ml_connector.connectors.gathering import together
from ml_connector.connectors.http import encode_query
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, all_of, any_of, decimal_of, equals, flag_of, text_of
from ml_connector.connectors.s4hana.client import SYSTEM, S4Client
from ml_connector.connectors.s4hana.stored import FILTER_LENGTH
from ml_connector.domain.stock import ItemStock, WarehouseStock

STOCK, STOCK_SET, STOCK_SCENARIO = "API_MATERIAL_STOCK_SRV", "A_MatlStkInAcctMod", "SAP_COM_0164"
PRODUCT, PRODUCT_SET, PRODUCT_SCENARIO = "API_PRODUCT_SRV", "A_Product", "SAP_COM_0009"
UNRESTRICTED = "01"
QUANTITY = "MatlWrhsStkQtyInMatlBaseUnit"
STOCK_KEYS = (
    *("Material", "Plant", "StorageLocation", "Batch", "Supplier", "Customer", "WBSElementInternalID"),
    *("SDDocument", "SDDocumentItem", "InventorySpecialStockType", "InventoryStockType"),
)
STOCK_FIELDS = (*STOCK_KEYS, QUANTITY)
PRODUCT_FIELDS = ("Product", "CrossPlantStatus", "IsMarkedForDeletion")
PAGE = 5000


async def stock(client: S4Client, items: Collection[str], warehouses: Collection[str]) -> dict[str, ItemStock]:
    """By item as asked. Two calls for as many items as the length of an address takes."""
    asked = {name.upper(): name for name in items}
    names = sorted(asked)
    rows = await together(
        client.service(STOCK, STOCK_SCENARIO).rows(
            STOCK_SET,
            order_by=",".join(STOCK_KEYS),
            where=all_of(where, _sellable(warehouses)),
            select=STOCK_FIELDS,
            page_size=PAGE,
            priority="catalogue",
        )
        for where in filters("Material", names)
    )
    products = await together(
        client.service(PRODUCT, PRODUCT_SCENARIO).rows(
            PRODUCT_SET,
            order_by="Product",
            where=where,
            select=PRODUCT_FIELDS,
            page_size=PAGE,
            priority="catalogue",
        )
        for where in filters("Product", names)
    )
    with readable(STOCK, SYSTEM):
        levels = _levels(row for part in rows for row in part)
        known = {text_of(row, "Product").upper(): row for part in products for row in part}
        return {
            name: _item(client, name, known[upper], levels.get(upper, {}))
            for upper, name in asked.items()
            if upper in known
        }


async def all_stock(client: S4Client, warehouses: Collection[str]) -> AsyncIterator[Sequence[ItemStock]]:
    """Products first, then their stock; an item is told when its last row was seen, those without rows in the end."""
    products: dict[str, Row] = {}
    pages = client.service(PRODUCT, PRODUCT_SCENARIO).pages(
        PRODUCT_SET, order_by="Product", select=PRODUCT_FIELDS, page_size=PAGE, priority="catalogue"
    )
    async for page in pages:
        products |= {text_of(row, "Product").upper(): row for row in page}
    waiting: list[Row] = []
    stocks = client.service(STOCK, STOCK_SCENARIO).pages(
        STOCK_SET,
        order_by=",".join(STOCK_KEYS),
        where=_sellable(warehouses),
        select=STOCK_FIELDS,
        page_size=PAGE,
        priority="catalogue",
    )
    async for page in stocks:
        waiting += page
        last = text_of(waiting[-1], "Material")
        whole = [row for row in waiting if text_of(row, "Material") != last]
        waiting = waiting[len(whole) :]
        if whole:
            yield _items(client, whole, products)
    if waiting:
        yield _items(client, waiting, products)
    with readable(PRODUCT, SYSTEM):
        yield [_item(client, name, row, {}) for name, row in products.items()]


def filters(field: str, names: Iterable[str]) -> list[str]:
    """As few filters as the length of an address allows."""
    found: list[str] = []
    waiting: list[str] = []
    length = 0
    for name in names:
        clause = equals(field, name)
        size = len(encode_query({"": f"{clause} or "}))
        if waiting and length + size > FILTER_LENGTH:
            found.append(any_of(waiting))
            waiting, length = [], 0
        waiting.append(clause)
        length += size
    if waiting:
        found.append(any_of(waiting))
    return found


def _sellable(warehouses: Collection[str]) -> str:
    plants = sorted({name.partition("/")[0] for name in warehouses})
    return all_of(
        any_of([equals("Plant", plant) for plant in plants]) if plants else "",
        equals("InventoryStockType", UNRESTRICTED),
        equals("InventorySpecialStockType", ""),
    )


def _levels(rows: Iterable[Row]) -> dict[str, dict[str, Decimal]]:
    """Sums by material and by plant/storage location."""
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        places = found.setdefault(text_of(row, "Material").upper(), {})
        place = f"{text_of(row, 'Plant')}/{text_of(row, 'StorageLocation')}"
        places[place] = places.get(place, Decimal(0)) + decimal_of(row, QUANTITY)
    return found


def _items(client: S4Client, rows: Sequence[Row], products: dict[str, Row]) -> list[ItemStock]:
    """Takes what it tells out of `products`. Stock of a product that is not known there is nobody's."""
    with readable(STOCK, SYSTEM):
        return [
            _item(client, name, products.pop(name), places)
            for name, places in _levels(rows).items()
            if name in products
        ]


def _item(client: S4Client, name: str, product: Row, places: Mapping[str, Decimal]) -> ItemStock:
    blocked = text_of(product, "CrossPlantStatus") in client.settings.discontinued_statuses
    return ItemStock(
        name,
        {place: WarehouseStock(quantity) for place, quantity in places.items()},
        sellable=not (flag_of(product, "IsMarkedForDeletion") or blocked),
    )
