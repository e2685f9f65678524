"""A customer as the store has it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ml_connector.domain.orders import Address


@dataclass(frozen=True, slots=True)
class Customer:
    """`group_id` 0 means no group. `store_credit` is in the store's default currency."""

    id: int
    email: str
    first_name: str
    last_name: str
    company: str
    phone: str
    group_id: int
    created: datetime
    modified: datetime
    addresses: tuple[Address, ...] = ()
    tax_exempt_category: str = ""
    vat_number: str = ""
    store_credit: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class CustomerGroup:
    id: int
    name: str
