"""How the store says that something happened: twice, late, never, in the wrong order, or because of ourselves."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from tests.crash import books
from tests.e2e.scene import no_polls
from tests.scenarios.playing import Acts, Play, alone, together

CREATED, UPDATED, PAID = "store/order/created", "store/order/updated", "store/order/transaction/created"
DAY_S = 86_400


def _deliver(play: Play, scope: str, order: int, **more: object) -> None:
    data = {"order_id": str(order)} if scope == PAID else {"type": "order", "id": order}
    assert play.deliver(play.event(scope, data, **more)) == (200, b"")


def _attempts(play: Play, order: int) -> int:
    """Requests that were licensed for documents of this order."""
    sql = f"SELECT coalesce(sum(attempt), 0)::int AS n FROM postings WHERE flow = 'orders' AND record_key = '{order}'"
    return int(play.query(sql)[0]["n"])


def _reads(play: Play, order: int) -> int:
    return len(play.query(f"SELECT 1 FROM audit WHERE kind = 'read' AND flow = 'orders' AND key = '{order}'"))


@together("same webhook twice at once", "heard")
def same_webhook_twice_at_once(play: Play) -> Acts:
    order = play.sell("paid", "guest")
    body = play.event(CREATED, {"type": "order", "id": order})
    headers = play.signed(body, id="msg_twice")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: play.deliver(body, headers), range(16)))
    assert set(answers) == {(200, b"")}
    [stored] = play.query("SELECT count(*)::int AS n FROM webhooks WHERE delivery_key LIKE '%msg_twice%'")
    assert stored["n"] == 1
    yield
    assert play.record(order)["status"] == "synced"
    assert sorted(name[3] for name in play.entries(order)) == ["O", "P"]
    assert _attempts(play, order) == 2
    assert _reads(play, order) <= 2  # with the first poll of all


@together("paid before created", "heard")
def paid_before_created(play: Play) -> Acts:
    """The payment is announced while the order still reads as an unfinished checkout; `created` comes last of all."""
    order = play.sell("paid", "guest")
    whole = play.snapshot(order)
    unpaid = {**whole["order"], "status_id": 0, "status": "Incomplete", "payment_status": ""}
    play.put({**whole, "order": unpaid, "transactions": []})
    _deliver(play, PAID, order)
    yield
    record = play.record(order)
    assert (record["status"], record["reason"].split(":")[0]) == ("excluded", "incomplete")
    assert play.entries(order) == {}
    play.put(whole)
    _deliver(play, UPDATED, order)
    yield
    assert sorted(name[3] for name in play.entries(order)) == ["O", "P"]
    seq = play.record(order)["seq"]
    _deliver(play, CREATED, order)
    yield
    assert play.record(order)["status"] == "synced"
    assert play.record(order)["done_seq"] == seq + 1
    assert _attempts(play, order) == 2, "something was posted for an event that was overtaken"


@together("webhook after 48–72 h", "heard")
def webhook_after_48_to_72_h(play: Play) -> Acts:
    """What it announces is long past: what the order is now gets posted, and a cancelled one not at all."""
    edited, cancelled, known = play.sell("paid", "guest", "several"), play.sell("authorised_only"), play.sell("paid")
    play.take_one_away(edited)
    play.act(edited, "refund", amount="1.00")
    play.act(cancelled, "cancel")
    old = int(time.time()) - 3 * DAY_S
    for order in (edited, cancelled, known):
        _deliver(play, CREATED, order, created_at=old)
    yield
    assert sorted(play.entries(edited)) == sorted(
        [f"S1-O{edited}", *(name for name in play.entries(edited) if name[3] in "PRM")]
    )
    assert play.sums(play.entry(edited, "O"))["receivable"] == play.head(edited)["total_inc_tax"]
    record = play.record(cancelled)
    assert (record["status"], record["reason"].split(":")[0]) == ("excluded", "cancelled_before_posting")
    attempts = _attempts(play, known)
    _deliver(play, CREATED, known, created_at=old)  # and once more, under another name
    yield
    assert sorted(name[3] for name in play.entries(known)) == ["O", "P"]
    assert _attempts(play, known) == attempts


@alone("webhook lost for a day")
def webhook_lost_for_a_day(play: Play) -> None:
    """The poll finds it, although a later order came by webhook meanwhile."""
    play.configure(no_polls)
    play.serve()
    books.call(f"{play.store}/clock", {"advance_s": -DAY_S})
    try:
        first = play.place("paid")
        worker = play.worker()
        play.posted(first)  # by the first poll of all: the watermark stands now
        lost = play.place("paid")  # nobody tells us
        books.call(f"{play.store}/clock", {"advance_s": DAY_S})
        later = play.place("paid")
        _deliver(play, CREATED, later)
        play.posted(later)
        assert play.record(lost) == {}
        assert play.documents(lost) == []
        play.command("replay", "us-store", "--flow", "poll:orders", "--", "-")
        play.until(lambda: play.record(lost), worker.said)
        play.posted(lost)
        play.ties()
    finally:
        books.call(f"{play.store}/clock", {"now": _now()})


@alone("poll and webhook together")
def poll_and_webhook_together(play: Play) -> None:
    """Both bring the same orders, at the same time, again and again."""
    play.serve()
    play.worker()
    orders = [play.place("paid") for _ in range(4)]
    for order in orders * 3:
        _deliver(play, UPDATED, order)
    play.posted(*orders)
    for order in orders:
        play.act(order, "touch", fields={"staff_notes": "packed"})
        _deliver(play, UPDATED, order)
    play.rest()
    assert [_attempts(play, order) for order in orders] == [2, 2, 2, 2]
    play.ties()


@alone("our own write echoing back")
def our_own_write_echoing_back(play: Play) -> None:
    """The note at the order moves its stamp and raises webhooks, as at worst it may: that must not go round."""
    play.settings(metafields_bump_modified=True)
    play.serve()

    def listening(content: Any) -> None:
        content["integrations"]["us-store"]["webhook_url"] = f"http://127.0.0.1:{play.port}/hooks/web-store"

    play.configure(listening)
    play.worker()
    play.until(lambda: play.hooks() > 0)
    order = play.place("paid")
    play.posted(order)

    def notes() -> int:
        requests = books.call(f"{play.store}/state/requests")["items"]
        return len([r for r in requests if "metafields" in r["path"] and r["method"] in ("POST", "PUT")])

    play.until(lambda: notes() > 0, lambda: "no note was written")
    play.rest()
    note = play.query(f"SELECT done_at FROM records WHERE flow = 'write_back' AND key = '{order}'")
    read = play.query(f"SELECT at FROM audit WHERE kind = 'read' AND key = '{order}' ORDER BY at DESC LIMIT 1")
    assert read[0]["at"] > note[0]["done_at"], "the store said nothing of our note"
    written, posts, reads = notes(), play.posts(), _reads(play, order)
    play.rest()
    play.rest()
    assert (notes(), play.posts()) == (written, posts), "it goes round"
    assert _reads(play, order) <= reads + 1, "read again and again"  # once: a stamp as young as this is not final
    assert written <= 2
    assert Decimal(play.snapshot(order)["order"]["total_inc_tax"]) == play.head(order)["total_inc_tax"]
    play.ties()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
