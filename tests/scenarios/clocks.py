"""Clocks that are wrong by minutes: the store's, the ERP's, ours. The database's is the only one that decides."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash import books
from tests.crash.stage import POST
from tests.scenarios.playing import Play, alone

SKEW_S = 420
SKEWED = Path(__file__).with_name("skewed")


@contextmanager
def _put_right(*controls: str) -> Iterator[None]:
    """In the end the clocks of these systems show the time again: the next scenario has the same systems."""
    try:
        yield
    finally:
        for control in controls:
            books.call(f"{control}/clock", {"now": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())})


@alone("clock skew of minutes")
def clock_of_the_store_and_of_the_erp_wrong_by_minutes(play: Play) -> None:
    """The store is minutes ahead, then set right, so that its stamps go back; the ERP is minutes behind."""
    with _put_right(play.store, play.erp):
        books.call(f"{play.store}/clock", {"advance_s": SKEW_S})
        books.call(f"{play.erp}/clock", {"advance_s": -SKEW_S})
        play.fault({"fault": "reset_after_commit", "match": {**POST, "nth": 1}})
        ahead = play.place("paid")
        play.worker()
        play.posted(ahead)
        play.rest()
        # older than what the poll has seen: its overlap is longer than the step
        books.call(f"{play.store}/clock", {"advance_s": -SKEW_S})
        behind = play.place("paid")
        play.posted(behind)
        play.take_one_away(_several(play))
        play.rest()
        play.ties()


def _several(play: Play) -> int:
    order = play.place("paid", several=True)
    play.posted(order)
    play.passes(1.1)
    return order


@alone("clock skew of minutes")
def our_own_clock_wrong_by_minutes(play: Play) -> None:
    """One worker is minutes ahead, one minutes behind; an outcome is unknown, a token is used, an intake listens."""
    path = os.pathsep.join(filter(None, (str(SKEWED), os.environ.get("PYTHONPATH", ""))))
    play.forked = False  # a process learns its clock when its interpreter starts
    play.given = {"PYTHONPATH": path, "TEST_CLOCK_SKEW_S": str(SKEW_S)}
    play.fault({"fault": "reset_after_commit", "match": {**POST, "nth": [1, 3]}})
    play.serve()
    play.worker()
    play.given["TEST_CLOCK_SKEW_S"] = str(-SKEW_S)
    play.worker()
    orders = [play.place("paid") for _ in range(4)]
    body = play.event("store/order/created", {"type": "order", "id": orders[0]})
    # the store's own stamp is minutes from our clock: not believed, and the operator is told which clock to look at
    assert play.deliver(body) == (401, b"")
    play.until(lambda: _told(play), lambda: "nobody was told that a delivery was refused")
    assert "from our clock" in _told(play)
    play.posted(*orders)
    skews = play.query("SELECT extract(epoch FROM at - now()) AS s FROM audit WHERE kind = 'read'")
    assert all(abs(row["s"]) > SKEW_S / 2 for row in skews), "the clocks of the processes were right"
    play.ties()


def _told(play: Play) -> str:
    return " ".join(str(row["data"]) for row in play.query("SELECT data FROM audit WHERE kind = 'intake_refused'"))
