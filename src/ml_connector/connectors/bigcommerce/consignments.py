"""Lines, ship-to addresses and fees out of an order that was read with its consignments. Pure.

`include=consignments.line_items,fees&consignment_structure=object` puts them into the order's own answer (Orders v2
reference, "Get an Order"). Whatever is not complete there is None, and is then read from its own resource.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from ml_connector.connectors.bigcommerce.wire_fields import number_in

Json = Mapping[str, Any]

INCLUDE = "consignments.line_items,fees"

_LINE_NEEDS = (
    "id",
    "quantity",
    "type",
    "total_ex_tax",
    "total_inc_tax",
    "total_tax",
    "applied_discounts",
    "order_address_id",
)
_ADDRESS_NEEDS = ("id", "country_iso2", "cost_ex_tax", "cost_inc_tax", "cost_tax", "handling_cost_inc_tax")


def lines_of(order: Json) -> list[Json] | None:
    """The order lines, by ID; None when links stand in their place, fields are missing or some are not there.

    The quantities are held against `items_total`, so a list that was cut to a page is noticed.
    """
    consignments = order.get("consignments")
    if not isinstance(consignments, dict):
        return None
    found = [
        {**line, "order_address_id": place if (own := line.get("order_address_id")) is None else own}
        for place, lines in _groups(cast(Json, consignments))
        for line in lines
    ]
    if any(line.get(name) is None for line in found for name in _LINE_NEEDS):
        return None
    if _number(order.get("items_total")) != sum((_number(line["quantity"]) for line in found), Decimal(0)):
        return None
    return sorted(found, key=lambda line: _number(line["id"]))


def addresses_of(order: Json) -> list[Json] | None:
    """The ship-to addresses with their costs; None when the consignments do not show all of them.

    A consignment's ID is taken for the address's only where its lines say so.
    """
    consignments = order.get("consignments")
    if not isinstance(consignments, dict):
        return None
    found = _objects(cast(Json, consignments).get("shipping"))
    for address in found:
        if any(name not in address for name in _ADDRESS_NEEDS):
            return None
        lines = _objects(address.get("line_items"))
        if not lines or any(_number(line.get("order_address_id")) != _number(address["id"]) for line in lines):
            return None
    if _number(order.get("shipping_address_count")) != len(found):
        return None
    return [{name: value for name, value in address.items() if name != "line_items"} for address in found]


def fees_of(order: Json) -> list[Json] | None:
    """The fees; None when only a link to them is there."""
    return fee_rows(order.get("fees"))


def fee_rows(told: Any) -> list[Json] | None:
    """Fees as a bare list or under `fees`; None for anything else. No answer (204): none."""
    if isinstance(told, dict):
        told = cast(Json, told).get("fees")
    if not isinstance(told, list) or not all(isinstance(row, dict) for row in cast(list[Any], told)):
        return None
    return cast(list[Json], told)


def _groups(consignments: Json) -> Iterator[tuple[int | None, Sequence[Json]]]:
    """Lines by consignment, with the address that they have if they name none: 0 (no address) where nothing is sent."""
    for shipping in _objects(consignments.get("shipping")):
        yield None, _objects(shipping.get("line_items"))
    email = consignments.get("email")
    certificates = cast(Json, email).get("gift_certificates") if isinstance(email, dict) else None
    for group in (consignments.get("pickups"), consignments.get("downloads"), certificates):
        for entry in _objects(group):
            yield 0, _objects(entry.get("line_items"))


def _objects(told: Any) -> list[Json]:
    rows = cast(list[Any], told) if isinstance(told, list) else []
    return [cast(Json, row) for row in rows if isinstance(row, dict)]


def _number(told: Any) -> Decimal:
    number = number_in(told)
    return Decimal(-1) if number is None else number
