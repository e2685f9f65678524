"""Field tables of what the store's surfaces accept (vendor: Orders v2 and v3, Customers v2 and v3, Webhooks v3)."""

from ml_connector.sandbox.bigcommerce.fields import table

FORM_FIELD = table("form_field", "name string\nvalue any")
_ADDRESS = """
first_name string
last_name string
company string
street_1 string
street_2 string
city string
state string
zip string{zip}
country string
country_iso2 string
phone string
email string
"""
BILLING_ADDRESS = table("billing_address", _ADDRESS.format(zip=" required"))
BILLING_ADDRESS_PUT = table(
    "billing_address_put", _ADDRESS.format(zip=" required") + "form_fields array of=form", form=FORM_FIELD
)
SHIPPING_ADDRESS_POST = table("shipping_address_post", _ADDRESS.format(zip="") + "shipping_method string")
SHIPPING_ADDRESS_PUT = table(
    "shipping_address_put",
    _ADDRESS.format(zip="") + "shipping_method string\nform_fields array of=form",
    form=FORM_FIELD,
)
ORDER_SHIPPING_ADDRESS_PUT = table(
    "order_shipping_address_put",
    "id integer\n" + _ADDRESS.format(zip="") + "shipping_method string\nform_fields array of=form",
    form=FORM_FIELD,
)
_LINE = """
product_id integer
name_customer string
name_merchant string
product_options array
quantity integer
price_inc_tax number
price_ex_tax number
upc string
variant_id integer
wrapping_id integer
wrapping_name string
wrapping_message string
wrapping_cost_ex_tax number
wrapping_cost_inc_tax number
sku string
"""
LINE_POST = table("line_post", _LINE + "name string min=1 max=250")
LINE_PUT = table("line_put", _LINE + "id integer\nname string")
_FEE = """
type string enum=custom_fee
display_name_customer string
display_name_merchant string
source string
cost_ex_tax any
cost_inc_tax any
cost_tax any
tax_class_id integer nullable
"""
FEE_POST = table("fee_post", _FEE)
FEE_PUT = table("fee_put", "id integer\n" + _FEE)
_ORDER = """
base_handling_cost money
base_shipping_cost money
base_wrapping_cost money
channel_id integer
consignments object
customer_id number
customer_message string
date_created string
discount_amount money
ebay_order_id string
external_id string readonly nullable
external_merchant_id string nullable
external_source string nullable
geoip_country string
geoip_country_iso2 string
handling_cost_ex_tax money
handling_cost_inc_tax money
ip_address string max=30
ip_address_v6 string max=39
items_shipped number
items_total number
order_is_digital boolean
order_source string
payment_method string
payment_provider_id any
refunded_amount money
shipping_cost_ex_tax money
shipping_cost_inc_tax money
staff_notes string max=65535
status_id integer
subtotal_ex_tax money
subtotal_inc_tax money
tax_provider_id string
customer_locale string
total_ex_tax money
total_inc_tax money
wrapping_cost_ex_tax money
wrapping_cost_inc_tax money
"""
ORDER_POST = table(
    "order_post",
    _ORDER
    + """
default_currency_code string
external_order_id string
billing_address object of=billing
products array of=line
shipping_addresses array of=address
fees array of=fee
""",
    billing=BILLING_ADDRESS,
    line=LINE_POST,
    address=SHIPPING_ADDRESS_POST,
    fee=FEE_POST,
)
ORDER_PUT = table(
    "order_put",
    _ORDER
    + """
default_currency_code string readonly
external_order_id string nullable
billing_address object of=billing
products array of=line
shipping_addresses array of=address
fees array of=fee
""",
    billing=BILLING_ADDRESS_PUT,
    line=LINE_PUT,
    address=ORDER_SHIPPING_ADDRESS_PUT,
    fee=FEE_PUT,
)
SHIPMENT_ITEM = table("shipment_item", "order_product_id integer\nquantity integer")
_SHIPMENT = """
order_address_id integer
tracking_link string max=500
merchant_shipping_cost money
shipping_method string
shipping_provider any
tracking_carrier string
comments string max=65535
"""
SHIPMENT_POST = table(
    "shipment_post", _SHIPMENT + "tracking_number string max=50\nitems array of=item", item=SHIPMENT_ITEM
)
SHIPMENT_PUT = table("shipment_put", _SHIPMENT + "tracking_number string")

ADJUSTMENT = table("adjustment", "amount number\ndescription string max=255 min=0")
REFUND_BY_QUANTITY = table(
    "refund_by_quantity",
    """
item_type string required enum=PRODUCT|GIFT_WRAPPING
item_id integer required
quantity integer required
reason string max=1000 min=0
adjustments array of=adjustment
""",
    adjustment=ADJUSTMENT,
)
REFUND_BY_AMOUNT = table(
    "refund_by_amount",
    """
item_type string required enum=ORDER|SHIPPING|HANDLING|TAX|FEE
item_id integer required
amount number required
reason string max=1000 min=0
""",
)
REFUND_PAYMENT = table("refund_payment", "provider_id string\namount number\noffline boolean")
MERCHANT_OVERRIDE = table("merchant_override", "total_amount number required\ntotal_tax number required")
METAFIELD = table(
    "metafield",
    """
permission_set string required enum=app_only|read|write|read_and_sf_access|write_and_sf_access
namespace string required min=1 max=64
key string required min=1 max=64
value string required min=1 max=65535
description string min=0 max=255
""",
)

_CUSTOMER_ADDRESS = """
first_name string{required} min=1 max=255
last_name string{required} min=1 max=255
company string min=0 max=255
address1 string{required}
address2 string
city string{required} min=0 max=100
state_or_province string{strict} min=0 max=100
postal_code string{strict} min=0 max=30
country_code string{required} min=2 max=2
phone string min=0 max=50
address_type string enum=residential|commercial
form_fields array
"""
CUSTOMER_ADDRESS_INLINE = table("customer_address_inline", _CUSTOMER_ADDRESS.format(required=" required", strict=""))
CUSTOMER_ADDRESS_POST = table(
    "customer_address_post",
    _CUSTOMER_ADDRESS.format(required=" required", strict=" required") + "customer_id integer required",
)
CUSTOMER_ADDRESS_PUT = table(
    "customer_address_put", _CUSTOMER_ADDRESS.format(required="", strict="") + "id integer required"
)
AUTHENTICATION = table("authentication", "force_password_reset boolean\nnew_password string")
STORE_CREDIT = table("store_credit", "amount number")
CUSTOMER_ATTRIBUTE = table("customer_attribute", "attribute_id integer\nattribute_value string min=0 max=255")
CUSTOMER_FORM_FIELD = table("customer_form_field", "name string required\nvalue any required")
_CUSTOMER = """
first_name string{required} min=1 max=100
last_name string{required} min=1 max=100
company string min=0 max=255
phone string min=0 max=50
notes string
tax_exempt_category string min=0 max=255
customer_group_id integer
authentication object of=authentication
accepts_product_review_abandoned_cart_emails boolean
store_credit_amounts array of=credit
origin_channel_id integer
channel_ids array nullable
form_fields array of=form
"""
CUSTOMER_POST = table(
    "customer_post",
    _CUSTOMER.format(required=" required")
    + """
email string required min=3 max=250
addresses array of=address
attributes array of=attribute
trigger_account_created_notification boolean
""",
    authentication=AUTHENTICATION,
    credit=STORE_CREDIT,
    form=CUSTOMER_FORM_FIELD,
    address=CUSTOMER_ADDRESS_INLINE,
    attribute=CUSTOMER_ATTRIBUTE,
)
CUSTOMER_PUT = table(
    "customer_put",
    _CUSTOMER.format(required="")
    + """
id integer required
email string min=3 max=255
registration_ip_address string min=0 max=30
""",
    authentication=AUTHENTICATION,
    credit=STORE_CREDIT,
    form=CUSTOMER_FORM_FIELD,
)
CATEGORY_ACCESS = table("category_access", "type string enum=all|specific|none\ncategories array")
CUSTOMER_GROUP = table(
    "customer_group",
    """
name string
is_default boolean
category_access object of=access
discount_rules any
is_group_for_guests boolean
""",
    access=CATEGORY_ACCESS,
)
HOOK_POST = table(
    "hook_post", "scope string required\ndestination string required\nis_active boolean\nheaders object nullable"
)
HOOK_PUT = table("hook_put", "scope string\ndestination string\nis_active boolean\nheaders object nullable")
HOOK_ADMIN = table("hook_admin", "emails array")
