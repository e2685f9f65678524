"""Customers with all their addresses.

One call for 100 customers; one more per 100 of those that have more addresses than a customer's answer may carry
("Get All Customers", Customers v3: at most 10 addresses are included).
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ml_connector.connectors.bigcommerce.answers import SYSTEM
from ml_connector.connectors.bigcommerce.client import Client, Json, whole_of
from ml_connector.connectors.bigcommerce.facts import StoreFacts, chunks
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.bigcommerce.wire import WireError, customer_from
from ml_connector.connectors.errors import Rejected
from ml_connector.domain.customers import Customer, CustomerGroup

INCLUDED_ADDRESSES = 10


async def read_customers(
    client: Client, facts: StoreFacts, settings: StoreSettings, keys: Sequence[str]
) -> Mapping[str, Customer]:
    """Customers by key; keys that the store does not know (deleted ones) are absent.

    Raises `ConnectorError`; `Rejected` on unusable data.
    """
    wanted = {int(key) for key in keys if key.isascii() and key.isdigit() and len(key) <= 18}
    include = "addresses,storecredit" + (",formfields" if settings.vat_form_field else "")
    rows = await facts.customers(wanted, include=include)
    crowded = [key for key, row in rows.items() if _has_more_addresses(row)]
    addresses: dict[int, list[Json]] = {}
    for ids in chunks(crowded):
        for address in await client.v3_list("/v3/customers/addresses", {"customer_id:in": ids}):
            addresses.setdefault(whole_of(address, "customer_id"), []).append(address)
    complete = {key: {**row, "addresses": addresses.get(key, row.get("addresses"))} for key, row in rows.items()}
    try:
        return {str(key): customer_from(row, settings.vat_form_field) for key, row in complete.items()}
    except WireError as error:
        raise Rejected(f"the store's data cannot be used: {error}", system=SYSTEM) from error


async def read_groups(client: Client) -> tuple[CustomerGroup, ...]:
    """Every customer group, for the mapping editor."""
    rows = await client.v2_list("/v2/customer_groups")
    return tuple(CustomerGroup(whole_of(row, "id"), str(row.get("name") or "")) for row in rows)


def _has_more_addresses(row: Json) -> bool:
    told: Any = row.get("addresses")
    included = len(cast(list[Any], told)) if isinstance(told, list) else 0
    return (
        included >= INCLUDED_ADDRESSES
        if row.get("address_count") is None
        else whole_of(row, "address_count") > included
    )
