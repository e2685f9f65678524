"""The store generator: any number of realistic orders from a seed, whose numbers tie exactly as the store's do."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ml_connector.sandbox.bigcommerce.basket import Recipe, fill
from ml_connector.sandbox.bigcommerce.drafting import Buyer, Numbers, documents
from ml_connector.sandbox.bigcommerce.outcomes import OUTCOMES, Case
from ml_connector.sandbox.bigcommerce.vocabulary import FIRST_NAMES, LAST_NAMES, MARKETS

Doc = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mix:
    """How often what occurs: weights of kinds and markets, probabilities (0..1) of features."""

    kinds: Mapping[str, float] = field(default_factory=lambda: dict(_KINDS))
    markets: Mapping[str, float] = field(default_factory=lambda: dict(_MARKETS))
    features: Mapping[str, float] = field(default_factory=lambda: dict(_FEATURES))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Mix":
        """The default mix with what is given in its place. Raises ValueError for a name that does not exist."""
        known = {"kinds": OUTCOMES, "markets": MARKETS, "features": _FEATURES}
        for part, values in given.items():
            if part not in known:
                raise ValueError(f"a profile has kinds, markets and features, not {part!r}")
            if unknown := set(values) - set(known[part]):
                raise ValueError(f"no {part} {', '.join(sorted(unknown))}; there are {', '.join(sorted(known[part]))}")
        weights = {part: {k: float(v) for k, v in given[part].items()} for part in given}
        features = {**_FEATURES, **weights.get("features", {})}
        return cls(weights.get("kinds") or dict(_KINDS), weights.get("markets") or dict(_MARKETS), features)

    def draw(self, draw: random.Random) -> Recipe:
        kind = draw.choices(list(self.kinds), list(self.kinds.values()))[0]
        market = draw.choices(list(self.markets), list(self.markets.values()))[0]
        features = {name for name, chance in self.features.items() if draw.random() < chance}
        return fitting(Recipe(kind, market, frozenset(features)))


_KINDS = {
    "paid": 50, "shipped": 8, "two_providers": 2, "authorised_only": 3, "capture_failed": 1, "partly_captured": 3,
    "two_captures": 3, "cancelled": 2, "bank_paid": 3, "on_account": 2, "incomplete": 2, "declined": 1,
    "gift_redeemed": 2, "store_credit": 2, "three_tenders": 1, "refund_quantity": 5, "refund_shipping": 2,
    "refund_amount": 2, "refund_restocking": 2, "refund_several": 2, "refund_full": 2, "refund_credit": 1,
    "refund_declined": 1,
}  # fmt: skip
_MARKETS = {"us_tx": 40, "us_ca": 10, "de": 25, "jp": 8, "kw": 7, "ca_on": 10}
_FEATURES = {
    "guest": 0.3, "promotion": 0.12, "manual_discount": 0.03, "percent_coupon": 0.1, "fixed_coupon": 0.05,
    "item_coupon": 0.04, "promotion_coupon": 0.03, "third_off": 0.02, "shipping_coupon": 0.05,
    "free_shipping_coupon": 0.04, "multi_address": 0.05, "handling": 0.1, "wrapping": 0.08, "fee": 0.05, "bundle": 0.04,
    "gift_certificate": 0.03, "digital": 0.02, "display_currency": 0.05, "long": 0.01, "several": 0.2, "free": 0.01,
}  # fmt: skip
_COUPONS = (
    "percent_coupon", "fixed_coupon", "item_coupon", "promotion_coupon", "third_off", "shipping_coupon",
    "free_shipping_coupon",
)  # fmt: skip
_REFUNDS_SHIPPING = ("refund_shipping", "refund_several", "refund_full")


def fitting(recipe: Recipe) -> Recipe:
    """The recipe without features that exclude each other or its kind."""
    features = set(recipe.features)
    if "free" in features:
        features -= {*_COUPONS, "promotion", "manual_discount", "handling", "wrapping", "fee", "gift_certificate"}
    for extra in [c for c in _COUPONS if c in features][1:]:
        features.discard(extra)
    if "digital" in features:
        features -= {"multi_address", "bundle", "gift_certificate", "wrapping", "free_shipping_coupon", "long"}
    if "long" in features:
        features.discard("third_off")  # fractions on many lines add up to more than a rounding
    if recipe.kind == "refund_shipping":
        features -= {"digital", "free_shipping_coupon"}
    if recipe.kind in _REFUNDS_SHIPPING:
        features.discard("shipping_coupon")  # shipping below its own cost could not be paid back whole
    if recipe.kind.startswith("refund") or recipe.kind not in ("paid", "shipped"):
        features.discard("free")  # there is no money to authorise, split or pay back
    if recipe.kind in ("store_credit", "three_tenders", "refund_credit", "on_account"):
        features.discard("guest")
    return Recipe(recipe.kind, recipe.market, frozenset(features), recipe.tag)


def buyers(seed: int, count: int, first_id: int) -> list[Buyer]:
    """Registered customers."""
    draw = random.Random(f"{seed}/customers")
    people = [(draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)) for _ in range(count)]
    return [
        Buyer(first_id + i, first, last, f"{first}.{last}.{first_id + i}@buyers.example".lower())
        for i, (first, last) in enumerate(people)
    ]


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes order snapshots. The order at an index depends on the seed and that index alone (ids apart)."""

    seed: int
    people: Sequence[Buyer]
    numbers: Numbers
    until_s: int
    store_currency: str = "USD"

    def order(self, index: int, recipe: Recipe, placed_s: int) -> Doc:
        draw = random.Random(f"{self.seed}/{index}/{recipe.kind}/{recipe.market}")
        draft = fill(recipe, draw, self.numbers("order"), placed_s, self.people, self.store_currency)
        case = Case(documents(draft, self.numbers), recipe.market, draw, self.numbers, placed_s, self.until_s)
        OUTCOMES[recipe.kind](case)
        return case.documents

    def mixed(self, count: int, mix: Mix, start_s: int, spread_s: int) -> Iterator[tuple[Recipe, int]]:
        """Recipes drawn from the mix, with the moments at which they are placed, in order of time."""
        draw = random.Random(f"{self.seed}/recipes")
        step = spread_s / max(count, 1)
        for index in range(count):
            placed_s = start_s + int(step * index + draw.random() * step)
            yield mix.draw(random.Random(f"{self.seed}/recipe/{index}")), placed_s
