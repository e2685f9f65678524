"""BigCommerce payloads as typed models: orders and their parts (v2), transactions, refunds and customers (v3).

Field meanings: `docs/protocol/bigcommerce.md`. Amounts are decimals in the order's transactional currency.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import AliasChoices, Field

from ml_connector.connectors.bigcommerce.wire_fields import (
    Amount,
    AmountOrNone,
    Flag,
    Moment,
    MomentOrNone,
    Object,
    Payload,
    RequiredAmount,
    Rows,
    Text,
    Whole,
    WholeOrNone,
)

ZERO = Decimal(0)


class TimeZone(Payload):
    name: Text = "UTC"


class StoreInformation(Payload):
    """`GET /v2/store`."""

    store_hash: Text = Field("", validation_alias=AliasChoices("store_hash", "id"))
    timezone: Annotated[TimeZone, Object] = TimeZone()
    currency: Text = ""
    is_price_entered_with_tax: Flag | None = None


class PostalAddress(Payload):
    """Billing address of an order, or an address of a customer, which has other names for the same things."""

    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    street_1: Text = Field("", validation_alias=AliasChoices("street_1", "address1"))
    street_2: Text = Field("", validation_alias=AliasChoices("street_2", "address2"))
    city: Text = ""
    state: Text = Field("", validation_alias=AliasChoices("state", "state_or_province"))
    zip: Text = Field("", validation_alias=AliasChoices("zip", "postal_code"))
    country_iso2: Text = Field("", validation_alias=AliasChoices("country_iso2", "country_code"))
    phone: Text = ""
    email: Text = ""


class OrderHead(Payload):
    """`GET /v2/orders/{id}` without the links to its parts."""

    id: Whole
    status_id: Whole
    customer_id: Whole = 0
    channel_id: Whole = 1
    default_currency_code: Text = ""
    store_default_currency_code: Text = ""
    store_default_to_transactional_exchange_rate: AmountOrNone = None
    date_created: Moment
    date_modified: MomentOrNone = None
    date_shipped: MomentOrNone = None
    subtotal_ex_tax: RequiredAmount
    subtotal_inc_tax: RequiredAmount
    subtotal_tax: Amount = ZERO
    shipping_cost_ex_tax: Amount = ZERO
    shipping_cost_inc_tax: Amount = ZERO
    shipping_cost_tax: Amount = ZERO
    handling_cost_ex_tax: Amount = ZERO
    handling_cost_inc_tax: Amount = ZERO
    handling_cost_tax: Amount = ZERO
    wrapping_cost_ex_tax: Amount = ZERO
    wrapping_cost_inc_tax: Amount = ZERO
    wrapping_cost_tax: Amount = ZERO
    total_ex_tax: RequiredAmount
    total_inc_tax: RequiredAmount
    total_tax: RequiredAmount
    discount_amount: Amount = ZERO
    coupon_discount: Amount = ZERO
    store_credit_amount: Amount = ZERO
    gift_certificate_amount: Amount = ZERO
    payment_method: Text = ""
    payment_status: Text = ""
    billing_address: Annotated[PostalAddress, Object] = Field(default_factory=lambda: PostalAddress.model_validate({}))
    order_source: Text = ""
    is_deleted: Flag = False


class AppliedDiscountRow(Payload):
    id: Text = ""
    amount: Amount = ZERO
    code: Text = ""
    name: Text = ""
    target: Text = "order"


class ProductRow(Payload):
    """`GET /v2/orders/{id}/products`; `categories` is added from the catalogue."""

    id: Whole
    product_id: Whole = 0
    sku: Text = ""
    name: Text = ""
    type: Text = "physical"
    quantity: Whole
    quantity_refunded: Whole = 0
    quantity_shipped: Whole = 0
    price_ex_tax: Amount = ZERO
    total_ex_tax: RequiredAmount
    total_inc_tax: RequiredAmount
    total_tax: RequiredAmount
    discounted_total_inc_tax: AmountOrNone = None
    order_address_id: Whole = 0
    brand: Text = ""
    categories: Annotated[tuple[Whole, ...], Rows] | None = None
    wrapping_name: Text = ""
    wrapping_cost_ex_tax: Amount = ZERO
    wrapping_cost_inc_tax: Amount = ZERO
    wrapping_cost_tax: Amount = ZERO
    applied_discounts: Annotated[tuple[AppliedDiscountRow, ...], Rows] = ()
    parent_order_product_id: WholeOrNone = None


class ShippingAddressRow(PostalAddress):
    id: Whole
    shipping_method: Text = ""
    cost_ex_tax: Amount = ZERO
    cost_inc_tax: Amount = ZERO
    cost_tax: Amount = ZERO
    handling_cost_ex_tax: Amount = ZERO
    handling_cost_inc_tax: Amount = ZERO
    handling_cost_tax: Amount = ZERO


class CouponRow(Payload):
    id: Whole = 0
    code: Text = ""
    type: Whole = 0
    amount: Amount = ZERO
    discount: Amount = ZERO


class OrderTaxRow(Payload):
    """`GET /v2/orders/{id}/taxes?details=true`; `order_product_id` comes as a string."""

    name: Text = ""
    tax_class: Text = Field("", validation_alias=AliasChoices("class", "tax_class"))
    rate: Amount = ZERO
    line_amount: Amount = ZERO
    order_address_id: Whole = 0
    order_product_id: WholeOrNone = None
    line_item_type: Text = "item"


class FeeRow(Payload):
    """One vendor example spells `cost_exc_tax`; both are accepted."""

    id: Whole
    name: Text = Field(
        "", validation_alias=AliasChoices("display_name_merchant", "name", "display_name_customer", "type")
    )
    cost_ex_tax: Amount = Field(ZERO, validation_alias=AliasChoices("cost_ex_tax", "cost_exc_tax"))
    cost_inc_tax: Amount = ZERO
    cost_tax: Amount = ZERO
    tax_class_id: WholeOrNone = None


class TransactionRow(Payload):
    """`GET /v3/orders/{id}/transactions`."""

    id: Text
    event: Text
    method: Text = ""
    amount: RequiredAmount
    currency: Text
    gateway: Text = ""
    status: Text = ""
    test: Flag = False
    date_created: Moment
    gateway_transaction_id: Text = ""
    reference_transaction_id: Text = ""


class RefundAdjustmentRow(Payload):
    amount: RequiredAmount
    description: Text = ""


class RefundItemRow(Payload):
    item_type: Text
    item_id: Whole = 0
    quantity: Whole = 0
    requested_amount: AmountOrNone = None
    reason: Text = ""
    adjustments: Annotated[tuple[RefundAdjustmentRow, ...], Rows] = ()


class RefundPaymentRow(Payload):
    id: Whole
    provider_id: Text = ""
    amount: RequiredAmount
    offline: Flag = False
    is_declined: Flag = False
    transaction_id: Text = ""


class RefundRow(Payload):
    """`GET /v3/orders/{id}/payment_actions/refunds`."""

    id: Whole
    created: Moment
    reason: Text = ""
    total_amount: RequiredAmount
    total_tax: RequiredAmount
    uses_merchant_override_values: Flag = False
    items: Annotated[tuple[RefundItemRow, ...], Rows] = ()
    payments: Annotated[tuple[RefundPaymentRow, ...], Rows] = ()


class InvoiceShareRow(Payload):
    number: Text = Field("", validation_alias=AliasChoices("invoiceNumber", "number"))
    amount: RequiredAmount


class B2BOrder(Payload):
    """What the B2B edition adds to an order. `read` false: that API could not be asked."""

    company_id: Text = Field("", validation_alias=AliasChoices("companyId", "company_id"))
    po_number: Text = Field("", validation_alias=AliasChoices("poNumber", "po_number"))
    is_invoice_order: Flag = Field(False, validation_alias=AliasChoices("isInvoiceOrder", "is_invoice_order"))
    invoice_number: Text = Field("", validation_alias=AliasChoices("invoiceNumber", "invoice_number"))
    invoices: Annotated[tuple[InvoiceShareRow, ...], Rows] = ()
    read: Flag = True


class FormFieldRow(Payload):
    name: Text = ""
    value: object = None


class StoreCreditRow(Payload):
    amount: Amount = ZERO


class CustomerRow(Payload):
    """`GET /v3/customers?include=addresses,storecredit,formfields`."""

    id: Whole
    email: Text = ""
    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    phone: Text = ""
    customer_group_id: Whole = 0
    date_created: Moment
    date_modified: MomentOrNone = None
    tax_exempt_category: Text = ""
    addresses: Annotated[tuple[PostalAddress, ...], Rows] = ()
    form_fields: Annotated[tuple[FormFieldRow, ...], Rows] = ()
    store_credit_amounts: Annotated[tuple[StoreCreditRow, ...], Rows] = ()
