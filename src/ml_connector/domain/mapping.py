"""Mapping: versioned tables from store values to ERP values. A look-up that misses raises one typed reason."""

from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from ml_connector.domain.documents import Dimension


class Unmapped(LookupError):
    """The mapping has no entry of `kind` for `key`; saving one releases exactly the records that wait for it."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"the mapping has no {kind} for {key!r}")
        self.kind = kind
        self.key = key


@dataclass(frozen=True, slots=True)
class TaxRule:
    """A store tax row matches on name, rate (as a number) and, where given, class, country and state."""

    name: str
    rate: Decimal
    tax_code: str
    account: str
    tax_class: str | None = None
    country: str | None = None
    state: str | None = None
    jurisdiction: str = ""


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """Several codes of one part (`CS+CC+CM`) as an ERP with jurisdictions wants them.

    `code` is the ERP's tax code of the part; `levels` gives, in the order of the codes, the jurisdiction of each.
    """

    codes: tuple[str, ...]
    code: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UntaxedRule:
    """Which code a part without any tax row carries: the first rule that fits, in order. Empty fields fit all.

    `territory` true: only where the ship-to country is inside `countries`; false: only where it is outside.
    """

    tax_code: str
    countries: tuple[str, ...] = ()
    territory: bool = True
    needs_vat_number: bool = False
    exempt_category: str = ""
    line_type: str = ""  # digital | physical | shipping | ...


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """First match wins. `gateway`/`method` of the transaction (`gateway` also a refund payment's provider_id),
    or `offline` = the order's payment method text."""

    account: str
    text: str
    gateway: str | None = None
    method: str | None = None
    offline: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class RevenueRule:
    """First match wins; empty fields fit all."""

    account: str
    sku: str | None = None
    brand: str | None = None
    category: int | None = None
    customer_group: int | None = None
    channel: int | None = None
    dimension: Dimension = Dimension()


@dataclass(frozen=True, slots=True)
class Customers:
    one_time: str = ""
    collective: str = ""
    individual: Map[str, str] = field(default_factory=dict[str, str])  # store customer ID -> ERP account
    companies: Map[str, str] = field(default_factory=dict[str, str])  # B2B company ID -> ERP account


@dataclass(frozen=True, slots=True)
class Mapping:
    """All tables of one version. `accounts`: role -> GL account.

    `items`: SKU -> ERP item code (sales style); the empty SKU is the item of lines without one. `items_match` `sku`: a
    SKU that is not in `items` is itself the item code. `default_warehouse`: of item lines; empty: the ERP's own choice.
    `warehouses`: ERP warehouse -> location ID of the store. `carriers`: the ERP's way of shipping, by code or name ->
    its carrier as the store names it.
    """

    accounts: Map[str, str] = field(default_factory=dict[str, str])
    taxes: tuple[TaxRule, ...] = ()
    tax_groups: tuple[TaxGroup, ...] = ()
    untaxed_code: str = ""
    untaxed_rules: tuple[UntaxedRule, ...] = ()
    fee_tax_codes: Map[str, str] = field(default_factory=dict[str, str])  # tax class ID of a fee -> tax code
    payment_methods: tuple[PaymentMethod, ...] = ()
    customers: Customers = Customers()
    revenue_rules: tuple[RevenueRule, ...] = ()
    dimensions: Map[str, Dimension] = field(default_factory=dict[str, Dimension])
    default_dimension: Dimension = Dimension()
    items: Map[str, str] = field(default_factory=dict[str, str])
    items_match: Literal["", "sku"] = ""
    default_warehouse: str = ""
    warehouses: Map[str, int] = field(default_factory=dict[str, int])
    carriers: Map[str, str] = field(default_factory=dict[str, str])
    version: int = 0
