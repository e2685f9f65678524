"""The fixed values that generated orders are made of: a mapping can list them all.

`GET /_control/state/vocabulary` exports them.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.pricing import TaxRate

STANDARD, REDUCED = 0, 2


@dataclass(frozen=True, slots=True)
class Market:
    """Where an order comes from: currency, basis, zone rates by tax class id, tender, address."""

    name: str
    currency: str
    inclusive: bool
    country: str
    country_iso2: str
    state: str
    city: str
    zip: str
    rates: dict[int, tuple[TaxRate, ...]]
    shipping_taxed: bool
    price_factor: Decimal
    step: Decimal
    gateways: tuple[tuple[str, str], ...]
    rate_to_store: str = "1.0000000000"


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """A product. `price` is in store currency; a market's factor and step turn it into its own."""

    id: int
    sku: str
    name: str
    price: Decimal
    brand: str
    categories: tuple[int, ...]
    tax_class_id: int = STANDARD
    kind: str = "physical"


def _rate(name: str, rate: str, tax_class: str = "Default Tax Class", class_id: int = STANDARD) -> TaxRate:
    return TaxRate(name, tax_class, class_id, Decimal(rate))


def _one(rate: TaxRate) -> dict[int, tuple[TaxRate, ...]]:
    return {STANDARD: (rate,), REDUCED: (rate,)}


_CALIFORNIA = (_rate("CA State", "6.0000"), _rate("LA County", "0.2500"), _rate("LA City", "3.2500"))
CARD, WALLET = "credit_card", "electronic_wallet"

MARKETS = {
    m.name: m
    for m in (
        Market(
            "us_tx", "USD", False, "United States", "US", "Texas", "Austin", "78701",
            _one(_rate("TX Sales Tax", "8.2500")), True, Decimal(1), Decimal("0.01"),
            (("braintree", CARD), ("paypalcommerce", WALLET)),
        ),
        Market(
            "us_ca", "USD", False, "United States", "US", "California", "Los Angeles", "90012",
            {STANDARD: _CALIFORNIA, REDUCED: _CALIFORNIA}, False, Decimal(1), Decimal("0.01"),
            (("braintree", CARD),),
        ),
        Market(
            "de", "EUR", True, "Germany", "DE", "Berlin", "Berlin", "10115",
            {STANDARD: (_rate("MwSt 19", "19.0000"),), REDUCED: (_rate("MwSt 7", "7.0000", "Reduced", REDUCED),)},
            True, Decimal("0.95"), Decimal("0.01"), (("stripe", CARD), ("paypalcommerce", WALLET)), "0.9200000000",
        ),
        Market(
            "jp", "JPY", True, "Japan", "JP", "Tokyo", "Tokyo", "100-0001",
            {
                STANDARD: (_rate("Consumption Tax", "10.0000"),),
                REDUCED: (_rate("Reduced Tax", "8.0000", "Food", REDUCED),),
            },
            True, Decimal(148), Decimal(1), (("komoju", CARD),), "148.0000000000",
        ),
        Market(
            "kw", "KWD", False, "Kuwait", "KW", "Al Asimah", "Kuwait City", "13001",
            _one(_rate("VAT", "5.0000")), True, Decimal("0.307"), Decimal("0.001"), (("knet", CARD),), "0.3070000000",
        ),
        Market(
            "ca_on", "CAD", False, "Canada", "CA", "Ontario", "Toronto", "M5H 2N2",
            _one(_rate("HST ON", "13.0000")), True, Decimal("1.37"), Decimal("0.01"), (("braintree", CARD),),
            "1.3712000000",
        ),
    )
}  # fmt: skip

CATEGORIES = {21: "Kitchen", 22: "Books", 23: "Clothing", 24: "Furniture", 25: "Food", 26: "Outdoor", 27: "Downloads"}
BRANDS = {31: "Volt", 32: "Safe", 33: "Kiln", 34: "Northern"}

ITEMS = (
    CatalogueItem(1001, "PLATE", "Plate", Decimal("19.99"), "Kiln", (21,)),
    CatalogueItem(1002, "MUG-BLUE", "Mug blue", Decimal("12.99"), "Kiln", (21,)),
    CatalogueItem(1003, "BOWL-L", "Bowl large", Decimal("27.50"), "Kiln", (21,)),
    CatalogueItem(1004, "BOOK-7", "Book of bread", Decimal("19.90"), "", (22,), REDUCED),
    CatalogueItem(1005, "BOOK-9", "Book of rivers", Decimal("34.00"), "", (22,), REDUCED),
    CatalogueItem(1006, "TEE-RED-M", "Tee red M", Decimal("24.50"), "Northern", (23,)),
    CatalogueItem(1007, "JACKET", "Rain jacket", Decimal("189.00"), "Northern", (23, 26)),
    CatalogueItem(1008, "SOCKS-3", "Socks, three pairs", Decimal("9.95"), "Northern", (23,)),
    CatalogueItem(1009, "CHAIR", "Chair", Decimal("149.99"), "", (24,)),
    CatalogueItem(1010, "DESK-OAK", "Desk oak", Decimal("749.00"), "", (24,)),
    CatalogueItem(1011, "LAMP", "Lamp", Decimal("79.90"), "Volt", (24,)),
    CatalogueItem(1012, "TEA-GREEN", "Green tea", Decimal("5.45"), "", (25,), REDUCED),
    CatalogueItem(1013, "HONEY-500", "Honey 500 g", Decimal("8.75"), "", (25,), REDUCED),
    CatalogueItem(1014, "BIKE-1", "Bike", Decimal("499.00"), "Volt", (26,)),
    CatalogueItem(1015, "HELM-2", "Helmet", Decimal("39.00"), "Safe", (26,)),
    CatalogueItem(1016, "TENT-2", "Tent for two", Decimal("219.95"), "Northern", (26,)),
    CatalogueItem(1017, "EBOOK-1", "Knots, e-book", Decimal("11.00"), "", (22, 27), REDUCED, "digital"),
    CatalogueItem(1018, "SET-PICNIC", "Picnic set", Decimal("64.00"), "Kiln", (21, 26)),
)
BUNDLE_PARENT, BUNDLE_CHILDREN = "SET-PICNIC", ("PLATE", "MUG-BLUE")

PAYMENT_NAMES = {CARD: "Credit Card", WALLET: "PayPal"}
OFFLINE_PAID_BY_STATUS, OFFLINE_ON_ACCOUNT = "Bank Deposit", "Cash on Delivery"
PROMOTION, MANUAL = "Spring promotion", "Manual Discount"
SHIPPING_METHODS = ("Ground", "Express")
FEE_NAME = "Insurance"
CUSTOMER_GROUPS = {1: "Retail", 2: "Trade"}
FIRST_NAMES = ("Ana", "Mara", "Jon", "Aiko", "Omar", "Lena", "Paul", "Ines", "Tariq", "Yuki")
LAST_NAMES = ("Prill", "Lind", "Barr", "Sato", "Aziz", "Vogt", "Reyes", "Holm", "Nader", "Mori")


def vocabulary() -> dict[str, Any]:
    """Everything that a mapping has to name for generated orders."""
    rates = {
        (market.currency, rate): market.name
        for market in MARKETS.values()
        for rates in market.rates.values()
        for rate in rates
    }
    return {
        "taxes": [
            {"name": rate.name, "class": rate.tax_class, "rate": f"{rate.rate:.4f}", "currency": currency}
            for currency, rate in rates
        ],
        "payment_methods": [
            {"gateway": gateway, "method": method, "currency": market.currency}
            for market in MARKETS.values()
            for gateway, method in market.gateways
        ],
        "refund_providers": [*sorted({g for m in MARKETS.values() for g, _ in m.gateways}), "storecredit"],
        "offline": [
            {"name": OFFLINE_PAID_BY_STATUS, "meaning": "paid_by_status"},
            {"name": OFFLINE_ON_ACCOUNT, "meaning": "on_account"},
        ],
        "currencies": sorted({m.currency for m in MARKETS.values()}),
        "skus": [
            {"sku": i.sku, "name": i.name, "brand": i.brand, "categories": list(i.categories), "type": i.kind}
            for i in ITEMS
        ],
        "brands": sorted(BRANDS.values()),
        "categories": [{"id": key, "name": name} for key, name in CATEGORIES.items()],
        "customer_groups": [{"id": key, "name": name} for key, name in CUSTOMER_GROUPS.items()],
        "shipping_methods": list(SHIPPING_METHODS),
        "fees": [FEE_NAME],
        "promotions": [PROMOTION, MANUAL],
    }
