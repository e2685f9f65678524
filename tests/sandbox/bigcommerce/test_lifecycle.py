"""Whatever is done to an order in whatever order, its numbers tie, and no more goes out than came in."""

import copy
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_connector.sandbox.bigcommerce import editing, lifecycle, refunding
from ml_connector.sandbox.bigcommerce.api_store import store_profile
from ml_connector.sandbox.bigcommerce.basket import Recipe
from ml_connector.sandbox.bigcommerce.errors import ApiError
from ml_connector.sandbox.bigcommerce.generator import Generator, Mix, buyers, fitting
from ml_connector.sandbox.bigcommerce.payments import captured, due
from ml_connector.sandbox.bigcommerce.state import Store, StoredOrder
from ml_connector.sandbox.bigcommerce.vocabulary import MARKETS
from ml_connector.sandbox.core.clock import Clock

from .identity import assert_ties

FEATURES = sorted(Mix().features)
ACTIONS = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 3), st.integers(1, 6)),
    st.tuples(st.just("refund_line"), st.integers(0, 3), st.integers(1, 2)),
    st.tuples(st.just("refund_amount"), st.integers(0, 0), st.integers(1, 50)),
    st.tuples(st.just("decline"), st.integers(0, 3), st.integers(1, 1)),
    st.tuples(st.just("capture"), st.integers(0, 0), st.integers(1, 100)),
    st.tuples(st.just("void"), st.integers(0, 0), st.integers(0, 0)),
    st.tuples(st.just("cancel"), st.integers(0, 0), st.integers(0, 0)),
)


def placed(market: str, kind: str, features: set[str], seed: int) -> tuple[Store, StoredOrder]:
    store = Store(Clock(), "h", "http://store.example", store_profile("h", "http://store.example"))
    made = Generator(seed, buyers(seed, 3, 101), store.number, 2**31)
    recipe = fitting(Recipe(kind, market, frozenset(features - {"long"})))
    return store, store.add_order(made.order(0, recipe, 1_767_225_600))


def act(store: Store, stored: StoredOrder, action: tuple[str, int, int]) -> None:
    name, index, amount = action
    line = stored.products[index % len(stored.products)]
    item: dict[str, Any] = {"item_type": "PRODUCT", "item_id": line["id"], "quantity": amount}
    if name == "edit":
        editing.change_quantity(store, stored, line["id"], amount)
    elif name == "capture":
        share = refunding.to_minor(due(stored.order) * amount / 100, stored.currency)
        lifecycle.capture(store, stored, share)
    elif name == "void":
        lifecycle.void(store, stored)
    elif name == "cancel":
        lifecycle.cancel(store, stored)
    else:
        if name == "refund_amount":
            item = {"item_type": "ORDER", "item_id": stored.id, "amount": Decimal(amount)}
        sums = refunding.figures(stored, [item])
        payments = refunding.alternatives(stored, sums.total)[0]
        lifecycle.create_refund(store, stored, sums, payments, decline=name == "decline")


def attempt(store: Store, stored: StoredOrder, action: tuple[str, int, int]) -> ApiError | None:
    try:
        act(store, stored, action)
    except ApiError as refused:
        return refused
    return None


@given(
    market=st.sampled_from(sorted(MARKETS)),
    kind=st.sampled_from(["paid", "authorised_only", "on_account", "gift_redeemed"]),
    features=st.sets(st.sampled_from(FEATURES), max_size=4),
    seed=st.integers(0, 10_000),
    actions=st.lists(ACTIONS, min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_of_actions_ties(
    market: str, kind: str, features: set[str], seed: int, actions: list[tuple[str, int, int]]
) -> None:
    store, stored = placed(market, kind, features, seed)
    for action in actions:
        before = copy.deepcopy(stored.snapshot())
        refused = attempt(store, stored, action)
        if refused is not None and action[0] != "cancel":
            assert refused.status in (404, 422)
            assert stored.snapshot() == before
    snapshot = stored.snapshot()
    if not stored.refunds or not any(a[0] == "edit" for a in actions):
        assert_ties(snapshot)
    sent_back = sum(Decimal(t["amount"]) for t in stored.transactions if t["event"] == "refund" and t["status"] == "ok")
    assert sent_back <= captured(stored)
    assert len({t["id"] for t in stored.transactions}) == len(stored.transactions)
    assert len({r["id"] for r in stored.refunds}) == len(stored.refunds)
