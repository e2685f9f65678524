"""An order as the store has it at one moment: everything that planning may look at, as values.

Amounts are exact decimals in the order's transactional currency (`Order.currency`), as the store sends them
(four decimals in the v2 API). Moments are aware datetimes in UTC. Field meanings: `docs/protocol/bigcommerce.md`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ml_connector.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Tax3:
    """One charge three ways: without tax, with tax, the tax."""

    ex_tax: Decimal = ZERO
    inc_tax: Decimal = ZERO
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class AppliedDiscount:
    """A discount spread over a line. `code` set: coupon; id `manual-discount`: manual; else promotion."""

    id: str
    amount: Decimal
    code: str = ""
    name: str = ""
    target: str = "order"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """`totals` are before discounts except `totals.tax`, which the store computes after all discounts.

    `categories`: of the product; None where they are not known, as of a product that the catalogue no longer has.
    """

    id: int
    product_id: int
    sku: str
    name: str
    type: str  # physical | digital | giftcertificate
    quantity: int
    totals: Tax3
    discounted_total_inc_tax: Decimal | None  # absent on old orders
    address_id: int = 0
    brand: str = ""
    categories: tuple[int, ...] | None = ()
    unit_price_ex_tax: Decimal = ZERO
    wrapping: Tax3 = Tax3()
    wrapping_name: str = ""
    discounts: tuple[AppliedDiscount, ...] = ()
    parent_line_id: int | None = None
    quantity_refunded: int = 0
    quantity_shipped: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """A person's or company's postal address. Never a part of a ledger text."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    street_1: str = ""
    street_2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country_iso2: str = ""
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class ShippingAddress:
    id: int
    country_iso2: str
    state: str
    shipping: Tax3
    handling: Tax3
    method: str = ""
    address: Address = Address()


@dataclass(frozen=True, slots=True)
class OrderCoupon:
    """`type`: 0 per item, 1 percent, 2 per total, 3 shipping, 4 free shipping, 5 promotion."""

    id: int
    code: str
    type: int
    amount: Decimal
    discount: Decimal


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One rate on one thing. `line_id` is the order line for items and wrapping; charges carry the address."""

    name: str
    tax_class: str
    rate: Decimal
    amount: Decimal
    address_id: int
    line_id: int | None
    item_type: str  # item | shipping | handling | gift-wrapping


@dataclass(frozen=True, slots=True)
class OrderFee:
    id: int
    name: str
    cost: Tax3
    tax_class_id: int | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A row of the payments resource. `amount` is positive also for refunds; `event` gives the direction."""

    id: str
    event: str  # purchase | authorization | capture | refund | void | pending | settled
    method: str
    amount: Decimal
    currency: str
    gateway: str
    status: str  # ok | error
    test: bool
    created: datetime
    gateway_transaction_id: str = ""
    reference_id: str = ""


@dataclass(frozen=True, slots=True)
class RefundAdjustment:
    amount: Decimal
    description: str = ""


@dataclass(frozen=True, slots=True)
class RefundItem:
    type: str  # PRODUCT | GIFT_WRAPPING | SHIPPING | HANDLING | ORDER | FEE
    item_id: int
    quantity: int
    requested_amount: Decimal | None
    reason: str = ""
    adjustments: tuple[RefundAdjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundPayment:
    id: int
    provider_id: str
    amount: Decimal
    offline: bool
    is_declined: bool
    transaction_id: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    id: int
    created: datetime
    total_amount: Decimal
    total_tax: Decimal
    uses_merchant_override: bool
    items: tuple[RefundItem, ...]
    payments: tuple[RefundPayment, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceShare:
    """What of an invoice-payment order pays one ERP invoice."""

    number: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class B2BFacts:
    """What the B2B edition knows of the order. `read` is false while that API could not be asked.

    `invoices` is filled where one order pays several invoices; otherwise `invoice_number` is the only one.
    """

    company_id: str = ""
    po_number: str = ""
    is_invoice_order: bool = False
    invoice_number: str = ""
    read: bool = True
    invoices: tuple[InvoiceShare, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """`time_zone` is an IANA name. Never branch on `prices_entered_with_tax`: the basis is found in the numbers."""

    hash: str
    time_zone: str
    currency: str
    prices_entered_with_tax: bool | None = None


@dataclass(frozen=True, slots=True)
class Order:
    id: int
    status_id: int
    customer_id: int  # 0 = guest
    channel_id: int
    currency: str  # the transactional currency that the shopper pays in
    created: datetime
    modified: datetime
    shipped: datetime | None
    subtotal: Tax3
    shipping: Tax3
    handling: Tax3
    wrapping: Tax3
    total: Tax3
    discount_amount: Decimal
    coupon_discount: Decimal
    store_credit_amount: Decimal
    gift_certificate_amount: Decimal
    payment_method: str
    payment_status: str = ""
    store_currency: str = ""
    store_to_transactional_rate: Decimal | None = None
    billing: Address = Address()
    source: str = ""
    is_deleted: bool = False
    customer_group_id: int = 0
    customer_vat_number: str = ""
    tax_exempt_category: str = ""


@dataclass(frozen=True, slots=True)
class OrderSnapshot:
    """Everything that the orders flow reads of one order, at one moment."""

    store: Store
    order: Order
    lines: tuple[OrderLine, ...]
    addresses: tuple[ShippingAddress, ...] = ()
    coupons: tuple[OrderCoupon, ...] = ()
    taxes: tuple[TaxRow, ...] = ()
    fees: tuple[OrderFee, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    refunds: tuple[Refund, ...] = ()
    b2b: B2BFacts | None = None  # None: not a B2B store
    extra: dict[str, str] = field(default_factory=dict[str, str])
