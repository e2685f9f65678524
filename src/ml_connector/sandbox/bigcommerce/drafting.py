"""Builds the documents of an order (lines, addresses, coupons, tax rows, totals) from what the shopper put in.

The arithmetic is in `pricing`; here it meets the shapes of the Orders v2 API.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.dates import rfc2822
from ml_connector.sandbox.bigcommerce.money import ZERO, dec, money4
from ml_connector.sandbox.bigcommerce.pricing import (
    NOTHING,
    Basis,
    Split,
    TaxRate,
    charge_fields,
    factor,
    line_figures,
    order_totals,
    row_amounts,
    split_charge,
)
from ml_connector.sandbox.bigcommerce.statuses import LABELS
from ml_connector.sandbox.bigcommerce.vocabulary import STANDARD, CatalogueItem, Market

Doc = dict[str, Any]
Numbers = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Discount:
    """An amount off a line, in the order's basis. A `code` makes it a coupon, id `manual-discount` a manual one."""

    id: str
    name: str
    amount: Decimal
    target: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """What the shopper buys. `unit_price` is in the order's currency and basis; None as rates: untaxed."""

    item: CatalogueItem
    quantity: int
    unit_price: Decimal
    address: int = 0
    discounts: tuple[Discount, ...] = ()
    wrapping: Decimal = ZERO
    kind: str = "physical"
    parent: int | None = None

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class ShipTo:
    """One shipping address with its own cost. `base_cost` is before free shipping."""

    method: str
    cost: Decimal
    base_cost: Decimal
    handling: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Buyer:
    customer_id: int
    first_name: str
    last_name: str
    email: str
    company: str = ""


@dataclass(slots=True)
class Draft:
    """An order before it has documents."""

    id: int
    market: Market
    buyer: Buyer
    placed_s: int
    lines: list[Line]
    ship_to: list[ShipTo]
    fee: Decimal = ZERO
    coupons: list[Doc] = field(default_factory=list[Doc])
    store_currency: str = "USD"
    display_currency: str = ""

    @property
    def basis(self) -> Basis:
        return Basis(self.market.currency, self.market.inclusive)

    def rates(self, class_id: int) -> tuple[TaxRate, ...]:
        return self.market.rates[class_id]


def documents(draft: Draft, numbers: Numbers) -> Doc:
    """The whole snapshot of a fresh order, unpaid: status 0, no transactions, no refunds."""
    address_ids = [numbers("address") for _ in draft.ship_to]
    line_ids = [numbers("line") for _ in draft.lines]
    taxes: list[Doc] = []
    tax_row = _TaxRows(draft.id, numbers, taxes)
    products = [
        _line_document(draft, line, line_ids, index, address_ids, tax_row) for index, line in enumerate(draft.lines)
    ]
    addresses = [
        _address_document(draft, ship_to, address_ids[index], products, tax_row)
        for index, ship_to in enumerate(draft.ship_to)
    ]
    fees = [_fee_document(draft, numbers)] if draft.fee else []
    totals = order_totals(products, addresses, fees, draft.coupons, draft.basis)
    return {
        "order": _order_document(draft, products, totals),
        "products": products,
        "shipping_addresses": addresses,
        "coupons": draft.coupons,
        "taxes": taxes,
        "fees": fees,
        "transactions": [],
        "refunds": [],
    }


@dataclass(frozen=True, slots=True)
class _TaxRows:
    order_id: int
    numbers: Numbers
    rows: list[Doc]

    def add(
        self, rates: Sequence[TaxRate], net: Decimal, tax: Decimal, address: int, kind: str, line: int | None
    ) -> None:
        for rate, amount in zip(rates, row_amounts(net, tax, rates), strict=True):
            self.rows.append(
                {
                    "id": self.numbers("tax_row"),
                    "order_id": self.order_id,
                    "order_address_id": address,
                    "tax_rate_id": 0,
                    "sales_tax_id": "",
                    "tax_class_id": rate.tax_class_id,
                    "name": rate.name,
                    "class": rate.tax_class,
                    "rate": f"{rate.rate:.4f}",
                    "priority": 1,
                    "priority_amount": money4(amount),
                    "line_amount": money4(amount),
                    "order_pickup_method_id": 0,
                    "order_product_id": None if line is None else str(line),
                    "line_item_type": kind,
                }
            )


def _line_document(
    draft: Draft, line: Line, line_ids: Sequence[int], index: int, address_ids: Sequence[int], tax_rows: _TaxRows
) -> Doc:
    gift = line.kind == "giftcertificate"
    rates = () if gift else draft.rates(line.item.tax_class_id)
    off = sum((d.amount for d in line.discounts), ZERO)
    figures = line_figures(line.unit_price, line.quantity, off, rates, draft.basis)
    shipped = line.kind == "physical" or gift
    address = address_ids[line.address] if shipped and address_ids else 0
    line_id = line_ids[index]
    tax = dec(figures["total_tax"])
    if rates and line.total:
        net = line.total - off - tax if draft.basis.inclusive else line.total - off
        tax_rows.add(rates, net, tax, address, "item", line_id)
    wrapping = split_charge(line.wrapping, factor(rates), draft.basis) if line.wrapping else NOTHING
    if wrapping.tax:
        tax_rows.add(rates, wrapping.ex_tax, wrapping.tax, address, "gift-wrapping", line_id)
    return {
        "id": line_id,
        "order_id": draft.id,
        "product_id": line.item.id,
        "variant_id": 0 if gift else line.item.id + 5000,
        "order_pickup_method_id": 0,
        "order_address_id": address,
        "name": line.item.name,
        "name_customer": line.item.name,
        "name_merchant": line.item.name,
        "sku": line.item.sku,
        "upc": "",
        "type": line.kind,
        **figures,
        "quantity": line.quantity,
        "quantity_shipped": 0,
        "quantity_refunded": 0,
        "is_refunded": False,
        "refund_amount": "0.0000",
        "return_id": 0,
        "base_cost_price": "0.0000",
        "cost_price_ex_tax": "0.0000",
        "cost_price_inc_tax": "0.0000",
        "cost_price_tax": "0.0000",
        "weight": "0.5000",
        "width": "0.0000",
        "height": "0.0000",
        "depth": "0.0000",
        "wrapping_id": 1 if line.wrapping else 0,
        "wrapping_name": "Ribbon" if line.wrapping else "",
        "wrapping_message": "",
        "base_wrapping_cost": money4(line.wrapping),
        **charge_fields("wrapping_cost", wrapping),
        "event_name": None,
        "event_date": "",
        "fixed_shipping_cost": "0.0000",
        "ebay_item_id": "",
        "ebay_transaction_id": "",
        "option_set_id": None,
        "parent_order_product_id": None if line.parent is None else line_ids[line.parent],
        "is_bundled_product": line.parent is not None,
        "bin_picking_number": "",
        "external_id": None,
        "brand": line.item.brand,
        "categories": list(line.item.categories),
        "gift_certificate_id": line_id + 9000 if gift else None,
        "applied_discounts": [
            {"id": d.id, "amount": money4(d.amount), "name": d.name, "code": d.code, "target": d.target}
            for d in line.discounts
        ],
        "product_options": [],
        "configurable_fields": [],
    }


def _address_document(draft: Draft, ship_to: ShipTo, address_id: int, products: list[Doc], rows: _TaxRows) -> Doc:
    rates = draft.rates(STANDARD) if draft.market.shipping_taxed else ()
    shipping, handling = _charge(ship_to.cost, rates, draft), _charge(ship_to.handling, rates, draft)
    for charge, kind in ((shipping, "shipping"), (handling, "handling")):
        if charge.tax:
            rows.add(rates, charge.ex_tax, charge.tax, address_id, kind, None)
    return {
        "id": address_id,
        "order_id": draft.id,
        **_person(draft),
        "items_total": sum(p["quantity"] for p in products if p["order_address_id"] == address_id),
        "items_shipped": 0,
        "shipping_method": ship_to.method,
        "base_cost": money4(ship_to.base_cost),
        **charge_fields("cost", shipping),
        "cost_tax_class_id": STANDARD,
        "base_handling_cost": money4(ship_to.handling),
        **charge_fields("handling_cost", handling),
        "handling_cost_tax_class_id": STANDARD,
        "shipping_zone_id": 1,
        "shipping_zone_name": draft.market.country,
        "form_fields": [],
    }


def _charge(amount: Decimal, rates: Sequence[TaxRate], draft: Draft) -> Split:
    return split_charge(amount, factor(rates), draft.basis) if amount else NOTHING


def _fee_document(draft: Draft, numbers: Numbers) -> Doc:
    return {
        "id": numbers("fee"),
        "type": "custom_fee",
        "display_name_customer": "Insurance",
        "display_name_merchant": "Insurance",
        "source": "AA",
        "base_cost": money4(draft.fee),
        **charge_fields("cost", replace(NOTHING, ex_tax=draft.fee, inc_tax=draft.fee)),
        "tax_class_id": None,
    }


def _person(draft: Draft) -> Doc:
    market, buyer = draft.market, draft.buyer
    return {
        "first_name": buyer.first_name,
        "last_name": buyer.last_name,
        "company": buyer.company,
        "street_1": "1 Main Street",
        "street_2": "",
        "city": market.city,
        "state": market.state,
        "zip": market.zip,
        "country": market.country,
        "country_iso2": market.country_iso2,
        "phone": "",
        "email": buyer.email,
    }


def _order_document(draft: Draft, products: list[Doc], totals: Doc) -> Doc:
    market = draft.market
    display = draft.display_currency or market.currency
    placed = rfc2822(draft.placed_s)
    digital = all(p["type"] == "digital" for p in products)
    return {
        "id": draft.id,
        "customer_id": draft.buyer.customer_id,
        "date_created": placed,
        "date_modified": placed,
        "date_shipped": "",
        "status_id": 0,
        "status": LABELS[0],
        "custom_status": LABELS[0],
        "cart_id": None,
        **totals,
        "shipping_cost_tax_class_id": STANDARD,
        "handling_cost_tax_class_id": STANDARD,
        "wrapping_cost_tax_class_id": STANDARD,
        "is_tax_inclusive_pricing": market.inclusive,
        "store_credit_amount": "0.0000",
        "gift_certificate_amount": "0.0000",
        "refunded_amount": "0.0000",
        "payment_method": "",
        "payment_provider_id": None,
        "payment_status": "",
        "items_total": sum(p["quantity"] for p in products),
        "items_shipped": 0,
        "order_is_digital": digital,
        "shipping_address_count": len(draft.ship_to),
        "currency_id": 1,
        "currency_code": display,
        "currency_exchange_rate": "1.0000000000" if display == market.currency else "0.9100000000",
        "default_currency_id": 1,
        "default_currency_code": market.currency,
        "store_default_currency_code": draft.store_currency,
        "store_default_to_transactional_exchange_rate": market.rate_to_store,
        "billing_address": {**_person(draft), "form_fields": []},
        "customer_locale": "en",
        "customer_message": "",
        "staff_notes": "",
        "channel_id": 1,
        "order_source": "www",
        "external_source": None,
        "external_id": None,
        "external_merchant_id": None,
        "external_order_id": "",
        "ebay_order_id": "0",
        "tax_provider_id": "BasicTaxProvider",
        "is_deleted": False,
        "is_email_opt_in": False,
        "ip_address": "203.0.113.7",
        "ip_address_v6": "",
        "geoip_country": market.country,
        "geoip_country_iso2": market.country_iso2,
        "credit_card_type": None,
    }
