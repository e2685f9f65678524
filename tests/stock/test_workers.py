"""A worker that was stopped must not put an old figure over a newer one."""

import signal

import pytest

from tests.stock.scene import StockScene


def _stopped(scene: StockScene, crash_at: str, *, watchdog: bool) -> None:
    """The first worker stands still with 20 in its hand; the ERP sells, a second one says 4; the first wakes up."""
    scene.shelves(PLATE=10)
    scene.warehouse(PLATE=20)
    scene.configure()
    point = crash_at.partition("@")[0]
    first = scene.worker(f"{crash_at}:stop", watchdog=watchdog)
    first.stopped_at(point)
    scene.warehouse(PLATE=4)
    scene.worker()
    scene.shows(PLATE=4)
    scene.at_rest("PLATE")
    first.go_on()
    if watchdog and point != "plan.a":
        first.ended_by(signal.SIGALRM)
    else:
        first.stop()
    assert scene.on_hand()["PLATE"] == 4
    assert scene.applied("PLATE") == [4]


def test_a_worker_that_lost_its_run_writes_nothing(scene: StockScene) -> None:
    _stopped(scene, "plan.a@stock", watchdog=True)


@pytest.mark.parametrize("watchdog", [True, False])
def test_a_worker_that_stood_still_after_opening_the_write_sends_no_byte(scene: StockScene, watchdog: bool) -> None:
    _stopped(scene, "sending.commit.a@stock", watchdog=watchdog)


def test_a_killed_worker_leaves_its_skus_to_another_one(scene: StockScene) -> None:
    scene.shelves(PLATE=10)
    scene.warehouse(PLATE=20)
    scene.configure()
    scene.worker("sending.commit.a@stock:kill").died_at("sending.commit.a")
    scene.worker()
    scene.shows(PLATE=20)
    scene.at_rest("PLATE")
    assert scene.applied("PLATE") == [20]
