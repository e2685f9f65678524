"""Store information, currencies, tax classes (v2), and the part of the catalogue (v3) that order lines refer to."""

from typing import Any

from aiohttp import web

from ml_connector.sandbox.bigcommerce.errors import not_found
from ml_connector.sandbox.bigcommerce.vocabulary import MARKETS, REDUCED, STANDARD
from ml_connector.sandbox.bigcommerce.web import Call, answer, id_list, paging, v2_list, v3, v3_page, words

Doc = dict[str, Any]


def store_profile(store_hash: str, base_url: str) -> Doc:
    """What `GET /v2/store` answers at first; `POST /_control/settings` with `store` changes it."""
    return {
        "id": store_hash,
        "account_uuid": "6f1c7a52-0f6e-4a9b-9a3f-5d2f5f7f0a11",
        "domain": "store.example",
        "secure_url": "https://store.example",
        "control_panel_base_url": base_url,
        "status": "live",
        "name": "Sandbox store",
        "first_name": "Sam",
        "last_name": "Keeper",
        "address": "1 Main Street, Austin",
        "country": "United States",
        "country_code": "US",
        "infrastructure_region": "us-central1",
        "phone": "",
        "admin_email": "owner@store.example",
        "order_email": "orders@store.example",
        "favicon_url": "",
        "timezone": {
            "name": "America/Chicago",
            "raw_offset": -21600,
            "dst_offset": -18000,
            "dst_correction": True,
            "date_format": {"display": "jS M Y", "export": "M jS Y", "extended_display": "jS M Y @ g:i A"},
        },
        "language": "en",
        "currency": "USD",
        "currency_symbol": "$",
        "decimal_separator": ".",
        "thousands_separator": ",",
        "decimal_places": 2,
        "currency_symbol_location": "left",
        "weight_units": "KGS",
        "dimension_units": "Centimeters",
        "dimension_decimal_places": 2,
        "dimension_decimal_token": ".",
        "dimension_thousands_token": ",",
        "plan_name": "Enterprise",
        "plan_level": "Enterprise",
        "plan_is_trial": False,
        "industry": "",
        "logo": [],
        "is_price_entered_with_tax": False,
        "store_id": 1009988776,
        "default_site_id": 1000,
        "default_channel_id": 1,
        "active_comparison_modules": [],
        "features": {
            "stencil_enabled": True,
            "sitewidehttps_enabled": True,
            "facebook_catalog_id": "",
            "checkout_type": "optimized",
            "wishlists_enabled": False,
            "graphql_storefront_api_enabled": True,
            "shopper_consent_tracking_enabled": False,
            "multi_storefront_enabled": False,
            "storefront_limits": {"active": 1, "total_including_inactive": 1},
        },
    }


def get_time(call: Call) -> web.Response:
    return answer({"time": int(call.store.now())})


def get_store(call: Call) -> web.Response:
    return answer(call.store.profile)


def _currencies(call: Call) -> list[Doc]:
    default = call.store.profile["currency"]
    seen = {m.currency: m for m in MARKETS.values()}
    return [
        {
            "id": number,
            "is_default": code == default,
            "country_iso2": market.country_iso2,
            "default_for_country_codes": [market.country_iso2],
            "currency_code": code,
            "currency_exchange_rate": market.rate_to_store,
            "auto_update": False,
            "token_location": "left",
            "token": code,
            "decimal_token": ".",
            "thousands_token": ",",
            "decimal_places": max(-int(market.step.as_tuple().exponent), 0),
            "name": code,
            "enabled": True,
            "is_transactional": True,
            "use_default_name": True,
            "last_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
        }
        for number, (code, market) in enumerate(seen.items(), 1)
    ]


def list_currencies(call: Call) -> web.Response:
    page, limit = paging(call)
    return v2_list(_currencies(call)[(page - 1) * limit : page * limit])


def get_currency(call: Call) -> web.Response:
    for currency in _currencies(call):
        if currency["id"] == call.path_id("currency_id"):
            return answer(currency)
    raise not_found()


def list_tax_classes(call: Call) -> web.Response:
    """Ids are strings here."""
    classes = {STANDARD: "Default Tax Class", REDUCED: "Reduced", 3: "Shipping"}
    return v2_list([{"id": str(number), "name": name} for number, name in classes.items()])


def list_channels(call: Call) -> web.Response:
    channel = {
        "id": 1,
        "external_id": None,
        "name": "Storefront",
        "type": "storefront",
        "platform": "bigcommerce",
        "status": "active",
        "is_listable_from_ui": True,
        "is_visible": True,
        "date_created": "2020-01-01T00:00:00Z",
        "date_modified": "2020-01-01T00:00:00Z",
        "icon_url": "",
    }
    return v3_page(call, [channel], lambda c: c)


def list_catalogue(call: Call) -> web.Response:
    found = list(call.store.products.values())
    query = call.query
    ids = id_list(query["id:in"]) if "id:in" in query else None
    skus = words(query["sku:in"]) if "sku:in" in query else None
    wanted_categories = id_list(query["categories:in"]) if "categories:in" in query else None
    found = [
        p
        for p in found
        if (ids is None or p["id"] in ids)
        and (skus is None or p["sku"] in skus)
        and ("sku" not in query or p["sku"] == query["sku"])
        and (wanted_categories is None or wanted_categories & set(p["categories"]))
        and ("brand_id" not in query or str(p["brand_id"]) == query["brand_id"])
    ]
    names = words(query.get("include_fields", ""))
    return v3_page(call, found, lambda p: {k: v for k, v in p.items() if k == "id" or k in names} if names else p)


def get_catalogue_product(call: Call) -> web.Response:
    product = call.store.products.get(call.path_id("product_id"))
    if product is None:
        raise not_found()
    return v3(product)


def list_categories(call: Call) -> web.Response:
    return v3_page(call, list(call.store.categories.values()), lambda c: c)


def list_brands(call: Call) -> web.Response:
    return v3_page(call, list(call.store.brands.values()), lambda b: b)
