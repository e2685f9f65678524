"""What a seeded shopper puts into the basket: lines, discounts, addresses, charges. Everything is drawn from one
`random.Random`, so that a seed and an index always give the same order."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.bigcommerce.drafting import Buyer, Discount, Draft, Line, ShipTo
from ml_connector.sandbox.bigcommerce.money import ZERO, four, money4, to_minor
from ml_connector.sandbox.bigcommerce.vocabulary import (
    BUNDLE_CHILDREN,
    BUNDLE_PARENT,
    ITEMS,
    MARKETS,
    PROMOTION,
    SHIPPING_METHODS,
    CatalogueItem,
    Market,
)

Doc = dict[str, Any]
LONG_ORDER_LINES = 55
# Three rates leave fractions on every tax row; the store's rows then miss its total by up to half a minor unit a line.
JURISDICTION_LINES = 3
_BY_SKU = {item.sku: item for item in ITEMS}
_GIFT = CatalogueItem(0, "", "Gift certificate", Decimal(50), "", ())


@dataclass(frozen=True, slots=True)
class Recipe:
    """One order to make: what becomes of it (`kind`, see `outcomes`), where, and what is special about it."""

    kind: str
    market: str
    features: frozenset[str] = frozenset()
    tag: str = ""


def fill(
    recipe: Recipe, draw: random.Random, order_id: int, placed_s: int, buyers: Sequence[Buyer], store_currency: str
) -> Draft:
    """The draft of an order for the recipe."""
    market, features = MARKETS[recipe.market], recipe.features
    buyer = _guest(draw) if "guest" in features or not buyers else draw.choice(buyers)
    addresses = 2 if "multi_address" in features else 1
    lines = _lines(draw, market, features, addresses)
    ship_to = [] if all(line.kind == "digital" for line in lines) else _ship_to(draw, market, features, addresses)
    draft = Draft(order_id, market, buyer, placed_s, lines, ship_to, store_currency=store_currency)
    if "fee" in features:
        draft.fee = _price(Decimal("4.00"), market)
    if "display_currency" in features:
        draft.display_currency = "EUR" if market.currency != "EUR" else "USD"
    for feature, give in _DISCOUNTS.items():
        if feature in features:
            give(draft, draw)
    return draft


def _guest(draw: random.Random) -> Buyer:
    number = draw.randrange(10_000)
    return Buyer(0, "Guest", f"Visitor{number}", f"guest{number}@shop.example")


def _price(store_price: Decimal, market: Market) -> Decimal:
    return max((store_price * market.price_factor / market.step).quantize(Decimal(1)) * market.step, market.step)


def _lines(draw: random.Random, market: Market, features: frozenset[str], addresses: int) -> list[Line]:
    physical = [item for item in ITEMS if item.kind == "physical" and item.sku != BUNDLE_PARENT]
    many_rates = any(len(rates) > 1 for rates in market.rates.values())
    if "digital" in features:
        chosen = [_BY_SKU["EBOOK-1"]]
    elif "long" in features and not many_rates:
        chosen = [draw.choice(physical) for _ in range(LONG_ORDER_LINES)]
    else:
        chosen = draw.sample(physical, max(addresses, draw.randint(1, JURISDICTION_LINES if many_rates else 4)))
    lines = [
        Line(item, draw.randint(1, 4), _price(item.price, market), address=index % addresses, kind=item.kind)
        for index, item in enumerate(chosen)
    ]
    if "several" in features:
        lines[0] = replace(lines[0], quantity=3)
    if "wrapping" in features and not many_rates:
        lines[0] = replace(lines[0], wrapping=_price(Decimal("3.00"), market))
    if "bundle" in features:
        lines.append(Line(_BY_SKU[BUNDLE_PARENT], 1, _price(_BY_SKU[BUNDLE_PARENT].price, market)))
        parent = len(lines) - 1
        lines += [Line(_BY_SKU[sku], 1, ZERO, parent=parent) for sku in BUNDLE_CHILDREN]
    if "gift_certificate" in features:
        lines.append(Line(_GIFT, 1, _price(_GIFT.price, market), kind="giftcertificate"))
    return lines


def _ship_to(draw: random.Random, market: Market, features: frozenset[str], addresses: int) -> list[ShipTo]:
    free = "free_shipping_coupon" in features or "free" in features
    result: list[ShipTo] = []
    for index in range(addresses):
        method = draw.choice(SHIPPING_METHODS)
        base = _price(Decimal("7.50") if method == "Ground" else Decimal("14.90"), market)
        handling = _price(Decimal("2.00"), market) if "handling" in features and index == 0 else ZERO
        result.append(ShipTo(method, ZERO if free else base, base, handling))
    return result


def _left(line: Line) -> Decimal:
    return line.total - sum((d.amount for d in line.discounts), ZERO)


def _discountable(draft: Draft) -> list[int]:
    return [i for i, line in enumerate(draft.lines) if line.kind != "giftcertificate" and line.total > 0]


def _take(draft: Draft, index: int, discount: Discount) -> None:
    if discount.amount > 0:
        line = draft.lines[index]
        draft.lines[index] = replace(line, discounts=(*line.discounts, discount))


def _coupon(draft: Draft, code: str, kind: int, amount: Decimal, discount: Decimal) -> None:
    number = kind + 11
    draft.coupons.append(
        {
            "id": number,
            "coupon_id": number,
            "order_id": draft.id,
            "code": code,
            "amount": money4(amount),
            "type": kind,
            "discount": money4(discount),
        }
    )


def _percent_off(draft: Draft, percent: Decimal, code: str, kind: int, *, fractions: bool) -> None:
    given = ZERO
    for index in _discountable(draft):
        exact = _left(draft.lines[index]) * percent / 100
        amount = four(exact) if fractions else to_minor(exact, draft.market.currency)
        _take(draft, index, Discount("total-coupon", code, amount, "order", code))
        given += amount
    _coupon(draft, code, kind, percent, given)


def _percent_coupon(draft: Draft, draw: random.Random) -> None:
    _percent_off(draft, Decimal(draw.choice((5, 10, 15))), "WELCOME", 1, fractions=False)


def _third_off(draft: Draft, draw: random.Random) -> None:
    # Amounts below a minor unit, as the store keeps them; only in markets that enter prices without tax.
    _percent_off(draft, Decimal("33.33"), "THIRD", 1, fractions=not draft.market.inclusive)


def _promotion_coupon(draft: Draft, draw: random.Random) -> None:
    _percent_off(draft, Decimal(12), "CLUB12", 5, fractions=False)


def _everything_off(draft: Draft, draw: random.Random) -> None:
    _percent_off(draft, Decimal(100), "GIVEAWAY", 1, fractions=False)


def _fixed_coupon(draft: Draft, draw: random.Random) -> None:
    targets = _discountable(draft)
    whole = sum((_left(draft.lines[i]) for i in targets), ZERO)
    amount = min(_price(Decimal("10.00"), draft.market), to_minor(whole / 2, draft.market.currency))
    upto = given = ZERO
    for index in targets:
        upto += _left(draft.lines[index])
        share = to_minor(amount * upto / whole, draft.market.currency) - given
        _take(draft, index, Discount("total-coupon", "TENOFF", share, "order", "TENOFF"))
        given += share
    _coupon(draft, "TENOFF", 2, amount, amount)


def _item_coupon(draft: Draft, draw: random.Random) -> None:
    index = _discountable(draft)[0]
    line = draft.lines[index]
    each = min(_price(Decimal("1.50"), draft.market), line.unit_price)
    amount = min(each * line.quantity, _left(line))
    _take(draft, index, Discount("coupon", "ONEFIFTY", amount, "product", "ONEFIFTY"))
    _coupon(draft, "ONEFIFTY", 0, each, amount)


def _shipping_coupon(draft: Draft, draw: random.Random) -> None:
    # Only where shipping bears no tax: what the store does with the tax on it is not documented.
    cost = sum((s.cost for s in draft.ship_to), ZERO)
    if not draft.market.shipping_taxed and cost > 0:
        amount = min(_price(Decimal("5.00"), draft.market), cost)
        _coupon(draft, "SHIP5", 3, amount, amount)


def _free_shipping_coupon(draft: Draft, draw: random.Random) -> None:
    _coupon(draft, "FREESHIP", 4, ZERO, ZERO)


def _promotion(draft: Draft, draw: random.Random) -> None:
    index = draw.choice(_discountable(draft))
    amount = to_minor(_left(draft.lines[index]) / 10, draft.market.currency)
    _take(draft, index, Discount("auto-promotion", PROMOTION, amount, "product"))


def _manual_discount(draft: Draft, draw: random.Random) -> None:
    index = _discountable(draft)[0]
    amount = min(_price(Decimal("2.00"), draft.market), _left(draft.lines[index]))
    _take(draft, index, Discount("manual-discount", "Manual Discount", amount, "order"))


_DISCOUNTS = {
    "promotion": _promotion,
    "manual_discount": _manual_discount,
    "item_coupon": _item_coupon,
    "percent_coupon": _percent_coupon,
    "promotion_coupon": _promotion_coupon,
    "fixed_coupon": _fixed_coupon,
    "third_off": _third_off,
    "shipping_coupon": _shipping_coupon,
    "free_shipping_coupon": _free_shipping_coupon,
    "free": _everything_off,
}
