"""`ml-connector reconcile` over a real worker, store and ERP: each planted fault is found with its cause, none else."""

import csv
import io
from datetime import timedelta

import pytest

from tests.e2e.scene import Scene
from tests.reconcile.shop import Shop, causes, yesterday

PAID = {"paid": 1.0}

pytestmark = pytest.mark.timeout(900)


def test_what_the_worker_did_ties_whatever_the_orders(scene: Scene) -> None:
    shop = Shop(scene)
    orders = shop.trade(30)
    scene.worker()
    shop.settled()
    said = shop.reconcile()
    assert said["differences"] == []
    wrong = [row for row in (*said["rows"], *said["accounts"]) if float(row["difference"])]
    assert said["ties"], wrong
    assert said["orders"]["total"] == len(orders)
    assert sum(said["orders"]["by_state"].values()) == len(orders)
    kinds = {row["kind"] for row in said["rows"]}
    assert {
        "orders",
        "captures",
        "refunds",
        "refund payments",
        "tax",
        "shipping",
        "gift certificates",
        "store credit",
    } <= kinds
    assert all(float(row["difference"]) == 0 for row in said["accounts"])


def test_each_planted_fault_is_found_with_its_cause(scene: Scene) -> None:
    shop = Shop(scene)
    deleted, reversed_, doubled, shifted, edited, removed, *right = shop.trade(8, kinds=PAID)
    worker = scene.worker()
    shop.settled()
    assert shop.reconcile(status=0)["ties"]
    shop.deed(shop.live(deleted), "delete")
    shop.reverse_by_hand(shop.live(reversed_))
    shop.post_by_hand(f"S1-O{doubled}", yesterday())
    shop.deed(shop.live(shifted), "shift", amount="0.01")
    shop.post_by_hand("S1-O999999", yesterday())
    scene.take_one_away(edited)
    scene.act(removed, "remove")
    [unheard] = shop.trade(1, kinds=PAID, seed=8)
    wanted = {
        ("deleted", str(deleted)),
        ("reversed", str(reversed_)),
        ("duplicate", str(doubled)),
        ("amount", str(shifted)),
        ("foreign", "999999"),
        ("edited", str(edited)),
        ("not_in_store", str(removed)),
        ("never_heard", str(unheard)),
    }
    said = shop.reconcile(status=1)
    assert causes(said) == wanted
    assert not said["ties"]
    assert said["marked"] == []
    table = list(csv.DictReader(io.StringIO(scene.command(
        "reconcile", "--from", str(yesterday() - timedelta(days=4)), "--csv", status=1
    ).out)))  # fmt: skip
    assert {row["section"] for row in table} >= {"row", "account", "difference", "orders"}
    assert scene.record(unheard) == {}, "nothing is changed unless it is asked for"
    healed = shop.reconcile("--heal", status=1)
    assert set(healed["marked"]) == {str(edited), str(unheard)}
    scene.posted(unheard, edited)
    shop.settled()
    left = {pair for pair in wanted if pair[0] not in ("edited", "never_heard")}
    assert causes(shop.reconcile(status=1)) == left
    del worker, right
