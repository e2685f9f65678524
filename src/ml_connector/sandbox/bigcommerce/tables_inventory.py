"""Field tables of Inventory v3, held against the vendor's contract by `tests/contract`."""

from ml_connector.sandbox.bigcommerce.fields import table

KEYS = ("sku", "variant_id", "product_id")
"""An item is named by exactly one of these."""

ADJUSTMENT = table(
    "adjustment",
    "location_id integer required\nquantity integer required\nsku string\nvariant_id integer\nproduct_id integer",
)
ADJUSTMENTS = table("adjustments", "reason string\nitems array required of=item", item=ADJUSTMENT)
IDENTITY = table("identity", "sku string\nvariant_id integer\nproduct_id integer")
ITEM_SETTINGS = table(
    "item_settings",
    """
identity object of=identity
safety_stock integer
is_in_stock boolean
warning_level integer
bin_picking_number string
""",
    identity=IDENTITY,
)
LOCATION_SETTINGS = table("location_settings", "settings array required of=row", row=ITEM_SETTINGS)
