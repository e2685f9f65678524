"""The store generator: every order ties in itself, a seed gives the same store, the demo covers what it promises."""

import itertools
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_connector.sandbox.bigcommerce.demo import DEMO
from ml_connector.sandbox.bigcommerce.generator import Generator, Mix, buyers
from ml_connector.sandbox.bigcommerce.outcomes import OUTCOMES
from ml_connector.sandbox.bigcommerce.vocabulary import MARKETS, vocabulary

from .identity import assert_ties, total

START_S = 1_767_225_600
UNTIL_S = START_S + 400 * 86_400


def generator(seed: int) -> Generator:
    counters: dict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(100))
    return Generator(seed, buyers(seed, 10, 101), lambda kind: next(counters[kind]), UNTIL_S)


def store(seed: int, count: int, mix: Mix | None = None) -> list[dict[str, Any]]:
    made = generator(seed)
    plan = made.mixed(count, mix or Mix(), START_S, 30 * 86_400)
    return [made.order(index, recipe, placed_s) for index, (recipe, placed_s) in enumerate(plan)]


@given(seed=st.integers(0, 2**31), market=st.sampled_from(sorted(MARKETS)), kind=st.sampled_from(sorted(OUTCOMES)))
@settings(max_examples=400, deadline=None)
def test_every_order_ties(seed: int, market: str, kind: str) -> None:
    dense = dict.fromkeys(Mix().features, 0.25)
    mix = Mix.of({"kinds": {kind: 1}, "markets": {market: 1}, "features": dense})
    for snapshot in store(seed, 3, mix):
        assert_ties(snapshot)


def test_the_default_mix_ties() -> None:
    for seed in range(20):
        for snapshot in store(seed, 100):
            assert_ties(snapshot)


def test_a_seed_gives_the_same_store_and_a_longer_one_begins_with_it() -> None:
    assert store(7, 40) == store(7, 40)
    assert store(7, 40) != store(8, 40)
    short, long = store(7, 20), store(7, 40)
    assert [s["order"]["total_inc_tax"] for s in short] == [s["order"]["total_inc_tax"] for s in long[:20]]


def test_an_unknown_name_in_a_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="no kinds free_lunch"):
        Mix.of({"kinds": {"free_lunch": 1}})
    with pytest.raises(ValueError, match="kinds, markets and features"):
        Mix.of({"colours": {}})


def demo() -> list[dict[str, Any]]:
    made = generator(1)
    return [made.order(index, recipe, START_S + index * 3600) for index, recipe in enumerate(DEMO)]


DEMO_HOLDS = {
    "captured": lambda s: s["order"]["payment_status"] == "captured",
    "partly captured": lambda s: Decimal(0) < _captured(s) < Decimal(s["order"]["total_inc_tax"]),
    "authorised only": lambda s: s["order"]["status_id"] == 7 and s["transactions"],
    "refunded in part": lambda s: s["order"]["status_id"] == 14,
    "refunded in full": lambda s: s["order"]["status_id"] == 4,
    "refund declined": lambda s: any(p["is_declined"] for r in s["refunds"] for p in r["payments"]),
    "refund to store credit": lambda s: any(
        p["provider_id"] == "storecredit" for r in s["refunds"] for p in r["payments"]
    ),
    "guest": lambda s: s["order"]["customer_id"] == 0,
    "coupon": lambda s: Decimal(s["order"]["coupon_discount"]) > 0,
    "promotion": lambda s: Decimal(s["order"]["discount_amount"]) > 0,
    "gift certificate sold": lambda s: any(p["type"] == "giftcertificate" for p in s["products"]),
    "gift certificate redeemed": lambda s: Decimal(s["order"]["gift_certificate_amount"]) > 0,
    "store credit": lambda s: Decimal(s["order"]["store_credit_amount"]) > 0,
    "JPY": lambda s: s["order"]["default_currency_code"] == "JPY",
    "KWD": lambda s: s["order"]["default_currency_code"] == "KWD",
    "tax-inclusive EUR": lambda s: (
        s["order"]["is_tax_inclusive_pricing"] and s["order"]["default_currency_code"] == "EUR"
    ),
    "two addresses": lambda s: len(s["shipping_addresses"]) == 2,
    "zero total": lambda s: Decimal(s["order"]["total_inc_tax"]) == 0,
    "more than 50 lines": lambda s: len(s["products"]) > 50,
    "bundle": lambda s: any(p["parent_order_product_id"] for p in s["products"]),
    "fee": lambda s: s["fees"],
    "wrapping": lambda s: Decimal(s["order"]["wrapping_cost_inc_tax"]) > 0,
    "handling": lambda s: Decimal(s["order"]["handling_cost_inc_tax"]) > 0,
    "three jurisdictions": lambda s: len({t["name"] for t in s["taxes"]}) == 3,
    "display currency": lambda s: s["order"]["currency_code"] != s["order"]["default_currency_code"],
    "offline": lambda s: s["order"]["payment_method"] == "Bank Deposit",
}


def _captured(snapshot: dict[str, Any]) -> Decimal:
    good = [t for t in snapshot["transactions"] if t["event"] in ("purchase", "capture") and t["status"] == "ok"]
    return total(good, "amount")


@pytest.mark.parametrize("what", sorted(DEMO_HOLDS))
def test_the_demo_covers(what: str) -> None:
    assert any(DEMO_HOLDS[what](snapshot) for snapshot in demo())


def test_the_demo_ties_and_has_its_later_chapters() -> None:
    snapshots = demo()
    assert len(snapshots) >= 36
    for snapshot in snapshots:
        assert_ties(snapshot)
    assert {recipe.tag for recipe in DEMO} >= {"to_edit", "to_cancel"}


def test_the_vocabulary_names_everything_that_orders_use() -> None:
    known = vocabulary()
    rates = {(t["name"], t["class"], t["rate"]) for t in known["taxes"]}
    methods = {(p["gateway"], p["method"]) for p in known["payment_methods"]}
    skus = {s["sku"] for s in known["skus"]} | {""}
    for snapshot in [*demo(), *store(5, 300)]:
        assert {(t["name"], t["class"], t["rate"]) for t in snapshot["taxes"]} <= rates
        tenders = {(t["gateway"], t["method"]) for t in snapshot["transactions"] if t["gateway"]}
        assert tenders <= methods
        assert {p["sku"] for p in snapshot["products"]} <= skus
        assert snapshot["order"]["default_currency_code"] in known["currencies"]
