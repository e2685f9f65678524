"""Which path is served by what, with the scopes that open it and its concurrency cap."""

from typing import NamedTuple

from aiohttp import web

from ml_connector.sandbox.bigcommerce import (
    api_customers,
    api_inventory,
    api_metafields,
    api_order_writes,
    api_orders,
    api_payments,
    api_shipments,
    api_store,
)
from ml_connector.sandbox.bigcommerce.api_hooks import HookApi
from ml_connector.sandbox.bigcommerce.errors import not_found
from ml_connector.sandbox.bigcommerce.web import Call, Door, Handler

ORDERS, TRANSACTIONS, CUSTOMERS = "store_v2_orders", "store_v2_transactions", "store_v2_customers"
PRODUCTS, INFORMATION = "store_v2_products", "store_v2_information"
CHANNELS = "store_channel_settings"
INVENTORY, LOCATIONS = "store_inventory", "store_locations"
ALL_SCOPES = frozenset(
    {
        *("store_v2_default", ORDERS, TRANSACTIONS, CUSTOMERS, PRODUCTS, INFORMATION, CHANNELS),
        *(INVENTORY, LOCATIONS),
    }
)


class Route(NamedTuple):
    method: str
    path: str
    handler: Handler
    scopes: tuple[str, ...]
    cap: int | None = None


_MONEY = (ORDERS, TRANSACTIONS)


def _table(hooks: HookApi) -> list[Route]:
    o, p, s, m, c = api_orders, api_payments, api_shipments, api_metafields, api_customers
    w, i, n = api_order_writes, api_store, api_inventory
    order = "/v2/orders/{order_id}"
    paid = "/v3/orders/{order_id}"
    fields = f"{paid}/metafields"
    return [
        Route("GET", "/v2/orders", o.list_orders, (ORDERS,)),
        Route("POST", "/v2/orders", w.create_order, (ORDERS,)),
        Route("GET", "/v2/orders/count", o.count_orders, (ORDERS,)),
        Route("GET", order, o.get_order, (ORDERS,)),
        Route("PUT", order, w.update_order, (ORDERS,)),
        Route("DELETE", order, w.archive_order, (ORDERS,)),
        Route("GET", f"{order}/products", o.list_products, (ORDERS,)),
        Route("GET", f"{order}/products/count", o.count_products, (ORDERS,)),
        Route("GET", f"{order}/products/{{product_id}}", o.get_product, (ORDERS,)),
        Route("GET", f"{order}/shipping_addresses", o.list_shipping_addresses, (ORDERS,)),
        Route("GET", f"{order}/shippingaddresses", o.list_shipping_addresses, (ORDERS,)),
        Route("GET", f"{order}/shipping_addresses/{{address_id}}", o.get_shipping_address, (ORDERS,)),
        Route("PUT", f"{order}/shipping_addresses/{{address_id}}", w.update_shipping_address, (ORDERS,)),
        Route("GET", f"{order}/coupons", o.list_coupons, (ORDERS,)),
        Route("GET", f"{order}/taxes", o.list_taxes, (ORDERS,)),
        Route("GET", f"{order}/fees", o.list_fees, (ORDERS,)),
        Route("GET", f"{order}/consignments", o.list_consignments, (ORDERS,)),
        Route("GET", f"{order}/messages", o.list_messages, (ORDERS,)),
        Route("GET", f"{order}/shipments", s.list_shipments, (ORDERS,)),
        Route("POST", f"{order}/shipments", s.create_shipment, (ORDERS,)),
        Route("DELETE", f"{order}/shipments", s.delete_shipments, (ORDERS,)),
        Route("GET", f"{order}/shipments/count", s.count_shipments, (ORDERS,)),
        Route("GET", f"{order}/shipments/{{shipment_id}}", s.get_shipment, (ORDERS,)),
        Route("PUT", f"{order}/shipments/{{shipment_id}}", s.update_shipment, (ORDERS,)),
        Route("DELETE", f"{order}/shipments/{{shipment_id}}", s.delete_shipment, (ORDERS,)),
        Route("GET", "/v2/order_statuses", o.list_statuses, (ORDERS,)),
        Route("GET", "/v2/order_statuses/{status_id}", o.get_status, (ORDERS,)),
        Route("GET", f"{paid}/transactions", p.list_transactions, (TRANSACTIONS,)),
        Route("POST", f"{paid}/payment_actions/capture", p.capture, _MONEY),
        Route("POST", f"{paid}/payment_actions/void", p.void, _MONEY),
        Route("POST", f"{paid}/payment_actions/refund_quotes", p.quote_refund, _MONEY),
        Route("POST", f"{paid}/payment_actions/refunds", p.create_refund, _MONEY),
        Route("GET", f"{paid}/payment_actions/refunds", p.order_refunds, _MONEY),
        Route("GET", "/v3/orders/payment_actions/refunds", p.list_refunds, _MONEY),
        Route("GET", "/v3/orders/payment_actions/refunds/{refund_id}", p.get_refund, _MONEY),
        Route("GET", "/v3/orders/metafields", m.list_all, (ORDERS,)),
        Route("GET", fields, m.list_metafields, (ORDERS,)),
        Route("POST", fields, m.create_metafield, (ORDERS,)),
        Route("GET", f"{fields}/{{metafield_id}}", m.get_metafield, (ORDERS,)),
        Route("PUT", f"{fields}/{{metafield_id}}", m.update_metafield, (ORDERS,)),
        Route("DELETE", f"{fields}/{{metafield_id}}", m.delete_metafield, (ORDERS,)),
        Route("GET", "/v3/customers", c.list_customers, (CUSTOMERS,)),
        Route("POST", "/v3/customers", c.create_customers, (CUSTOMERS,)),
        Route("PUT", "/v3/customers", c.update_customers, (CUSTOMERS,), 3),
        Route("DELETE", "/v3/customers", c.delete_customers, (CUSTOMERS,)),
        Route("GET", "/v3/customers/addresses", c.list_addresses, (CUSTOMERS,)),
        Route("POST", "/v3/customers/addresses", c.create_addresses, (CUSTOMERS,), 10),
        Route("PUT", "/v3/customers/addresses", c.update_addresses, (CUSTOMERS,), 3),
        Route("DELETE", "/v3/customers/addresses", c.delete_addresses, (CUSTOMERS,)),
        Route("GET", "/v2/customer_groups", c.list_groups, (CUSTOMERS,), 40),
        Route("POST", "/v2/customer_groups", c.create_group, (CUSTOMERS,), 40),
        Route("GET", "/v2/customer_groups/count", c.count_groups, (CUSTOMERS,), 40),
        Route("GET", "/v2/customer_groups/{group_id}", c.get_group, (CUSTOMERS,), 40),
        Route("PUT", "/v2/customer_groups/{group_id}", c.update_group, (CUSTOMERS,), 40),
        Route("DELETE", "/v2/customer_groups/{group_id}", c.delete_group, (CUSTOMERS,), 40),
        Route("POST", "/v3/hooks", hooks.create, ()),
        Route("GET", "/v3/hooks", hooks.select, ()),
        Route("GET", "/v3/hooks/admin", hooks.admin, ()),
        Route("PUT", "/v3/hooks/admin", hooks.set_admin, ()),
        Route("GET", "/v3/hooks/{hook_id}", hooks.get, ()),
        Route("PUT", "/v3/hooks/{hook_id}", hooks.update, ()),
        Route("DELETE", "/v3/hooks/{hook_id}", hooks.delete, ()),
        Route("GET", "/v2/time", i.get_time, ()),
        Route("GET", "/v2/store", i.get_store, (INFORMATION,)),
        Route("GET", "/v2/currencies", i.list_currencies, (INFORMATION,)),
        Route("GET", "/v2/currencies/{currency_id}", i.get_currency, (INFORMATION,)),
        Route("GET", "/v2/tax_classes", i.list_tax_classes, (INFORMATION,)),
        Route("GET", "/v3/channels", i.list_channels, (CHANNELS,)),
        Route("GET", "/v3/catalog/products", i.list_catalogue, (PRODUCTS,)),
        Route("GET", "/v3/catalog/products/{product_id}", i.get_catalogue_product, (PRODUCTS,)),
        Route("GET", "/v3/catalog/categories", i.list_categories, (PRODUCTS,), 40),
        Route("GET", "/v3/catalog/trees/categories", i.list_categories, (PRODUCTS,), 40),
        Route("GET", "/v3/catalog/brands", i.list_brands, (PRODUCTS,)),
        Route("GET", "/v3/inventory/locations", n.list_locations, (LOCATIONS,), 50),
        Route("GET", "/v3/inventory/items", n.list_items, (INVENTORY,)),
        Route("GET", "/v3/inventory/locations/{location_id}/items", n.list_location_items, (INVENTORY,)),
        Route("PUT", "/v3/inventory/locations/{location_id}/items", n.set_location_items, (INVENTORY,)),
        Route("PUT", "/v3/inventory/adjustments/absolute", n.set_absolute, (INVENTORY,)),
        Route("POST", "/v3/inventory/adjustments/relative", n.change_relative, (INVENTORY,)),
    ]


def api_routes(door: Door, hooks: HookApi) -> list[web.RouteDef]:
    """All routes of the API, and a 404 in the store's own words for the rest."""
    routes = [
        web.route(r.method, "/stores/{store_hash}" + r.path, door.guard(r.handler, r.scopes, r.cap))
        for r in _table(hooks)
    ]
    rest = [web.route("*", "/stores/{store_hash}/{rest:.*}", door.guard(_unknown, ()))]
    return [*routes, *rest]


def _unknown(call: Call) -> web.Response:
    raise not_found()
