"""The nightly reconciliation by a real worker: it marks what a run mends, holds what it cannot, and loses nothing."""

import signal
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Run
from ml_connector.reconcile.nightly import slice_of, until
from ml_connector.reconcile.stream import Cursor, reconcile
from tests.e2e.scene import WORKER, Scene
from tests.reconcile.memory import FIRST, LAST, Memory, World, an_order
from tests.reconcile.shop import Shop

PAID = {"paid": 1.0}
RUN_NOW = ("replay", "us-store", "-", "--flow", "system:reconcile")


def last_night(scene: Scene) -> Any:
    """The result of the last reconciliation."""
    found = scene.query("SELECT value -> 'last' AS night FROM watermarks WHERE flow = 'system:reconcile'")
    return found[0]["night"] if found else None


def held_by_hand(scene: Scene) -> set[str]:
    rows = scene.query("SELECT key FROM records WHERE flow = 'orders' AND hold_kind = 'posting_held'")
    return {row["key"] for row in rows}


@pytest.mark.timeout(900)
def test_a_night_holds_what_was_touched_and_brings_in_what_nobody_heard_of(scene: Scene) -> None:
    shop = Shop(scene)
    deleted, reversed_, shifted = shop.trade(3, kinds=PAID)
    worker = scene.worker()
    shop.settled()
    scene.until(lambda: scene.query("SELECT 1 FROM records WHERE flow = 'system:reconcile'"))
    shop.deed(shop.live(deleted), "delete")
    shop.reverse_by_hand(shop.live(reversed_))
    shop.deed(shop.live(shifted), "shift", amount="-0.01")
    [unheard] = shop.trade(1, kinds=PAID, seed=8)
    touched = {str(deleted), str(reversed_), str(shifted)}
    worker.stop()

    # Killed between the holds and the marks: neither is there, and nothing is lost.
    killed = scene.run(*WORKER, crash_at="tie_out.commit.b:kill")
    scene.command(*RUN_NOW)
    killed.died_at("tie_out.commit.b", signal.SIGKILL)
    assert scene.query("SELECT 1 FROM postings WHERE state = 'held'") == []
    assert last_night(scene) is None

    scene.worker()
    scene.until(lambda: last_night(scene) is not None, lambda: str(scene.query("SELECT * FROM records")), s=90)
    night = last_night(scene)
    assert not night["ties"]
    assert (night["held"], night["orders"]) == (3, 4)
    scene.until(lambda: held_by_hand(scene) == touched, lambda: str(scene.holds()))
    said = scene.status()
    assert (said["reconciled"][0]["ties"], said["reconciled"][0]["held"]) == (False, 3)
    told = {key: words for group in said["held"] for key, words in zip(group["keys"], group["messages"], strict=True)}
    assert "is no longer there" in told[str(deleted)]
    assert "was reversed in the ERP" in told[str(reversed_)]
    scene.posted(unheard)


async def test_a_day_whose_lists_take_longer_than_a_slice_is_compared_all_the_same() -> None:
    world = World()
    for number in range(1, 4):
        world.trade(an_order(number, days=number))
    cursor, run = Cursor.of(FIRST, LAST), Run(Lane(1, "system:reconcile"), 1, 0, 30.0, ())
    for _ in range(20):
        if await reconcile(Memory(world), world.rules(), cursor, enough=slice_of(cursor, run, -1.0)):
            break
    assert (cursor.totals.orders, cursor.totals.ties) == (3, True)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 4, 7, 30, tzinfo=UTC), 1.5),
        (datetime(2026, 3, 4, 9, 0, tzinfo=UTC), 24),
        (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), 24),  # three o'clock in a night that lost an hour has just struck
        (datetime(2026, 3, 7, 9, 0, tzinfo=UTC), 23),
        (datetime(2026, 10, 31, 8, 0, tzinfo=UTC), 25),
    ],
)
def test_the_hour_is_the_stores(now: datetime, hours: float) -> None:
    assert until(now, 3, ZoneInfo("America/Chicago")) == hours * 3600
