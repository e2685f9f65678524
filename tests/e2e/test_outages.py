"""One side or one order is out of order for a while: others go on, nothing is posted twice, nothing is forgotten."""

from tests.crash import books
from tests.e2e.scene import Scene, audit


def _many(scene: Scene, count: int) -> list[int]:
    first = scene.place("paid", orders=count)
    return list(range(first, first + count))


def test_a_malformed_order_does_not_stop_the_others(scene: Scene) -> None:
    good = _many(scene, 4)
    bad: dict[int, dict[str, object]] = {
        901: {"total_inc_tax": "a lot"},
        902: {"date_created": "yesterday"},
    }
    for number, changes in bad.items():
        scene.copy(good[0], number=number, **changes)
    scene.command("sync", "us-store", *map(str, [*good, *bad]))
    scene.worker()
    scene.posted(*good)
    for number, hold in scene.all_held(*bad).items():
        assert any(name in hold.message for name in bad[number]), hold
        assert scene.documents(number) == []
    scene.copy(good[0], number=901)  # the merchant repairs one of them
    scene.posted(901)


def test_transactions_that_cannot_be_read_make_the_order_wait(scene: Scene) -> None:
    order = scene.place("paid")
    scene.fault(
        {"fault": "status", "match": {"path": "/transactions", "times": 1}, "args": {"status": 503}}, system="store"
    )
    scene.worker()
    scene.until(lambda: "503" in (scene.record(order).get("last_error") or ""), lambda: str(scene.record(order)))
    assert scene.documents(order) == []
    scene.posted(order)
    scene.check()  # with its payment: an unread list was not taken for an empty one


def test_the_erp_is_down_for_a_while(scene: Scene) -> None:
    scene.fault({"fault": "html_503", "match": {"path": "/sap"}})
    orders = _many(scene, 8)
    worker = scene.worker()
    scene.until(lambda: scene.query("SELECT 1 FROM breakers WHERE state <> 'closed'"), worker.said)
    opened = [row["data"] for row in audit(scene, kind="breaker") if row["data"]["state"] == "open"]
    assert opened
    assert "503" in opened[0]["error"]
    waiting = {row["status"] for row in scene.query("SELECT status FROM records WHERE flow = 'orders'")}
    assert waiting <= {"waiting", "running"}, waiting
    assert books.documents_in(scene.erp) == []
    scene.clear_faults()
    scene.posted(*orders)
    scene.until(lambda: not scene.query("SELECT 1 FROM breakers WHERE state <> 'closed'"))
    assert (
        books.complaints(
            scene.store,
            scene.erp,
            mapping=scene.stage.mapping,
            policy=scene.stage.policy,
            settings=scene.stage.erp_settings(),
        )
        == []
    )


def test_the_erp_takes_what_it_is_sent_and_never_answers(scene: Scene) -> None:
    """The worst outage: everything is posted, no answer arrives."""
    scene.fault({"fault": "reset_after_commit", "match": {"method": "POST", "path": "journalentrycreate", "times": 3}})
    orders = _many(scene, 6)
    scene.worker()
    scene.posted(*orders)
    scene.check()


def test_the_store_is_down_for_a_while(scene: Scene) -> None:
    orders = _many(scene, 4)
    scene.command("sync", "us-store", *map(str, orders))
    scene.fault({"fault": "html_503", "match": {"path": "/stores/"}}, system="store")
    scene.worker()
    scene.until(lambda: all("503" in (scene.record(order).get("last_error") or "") for order in orders))
    assert {scene.record(order)["status"] for order in orders} <= {"waiting", "running"}
    scene.clear_faults("store")
    scene.posted(*orders)
    scene.check()


def test_a_used_up_quota_paces_and_counts_no_attempt(scene: Scene) -> None:
    orders = _many(scene, 3)
    books.call(f"{scene.store}/settings", {"quota": 30, "quota_window_s": 3})
    books.call(f"{scene.store}/quota", {"requests": 30})
    scene.worker()
    counted: set[int] = set()  # while they wait: a record that is done has forgotten its attempts

    def done() -> bool:
        counted.update(scene.record(order).get("attempts", 0) for order in orders)
        return all(scene.record(order).get("status") == "synced" for order in orders)

    scene.until(done, lambda: str([scene.record(order) for order in orders]))
    assert counted == {0}
    scene.posted(*orders)
    scene.check()
    refused = [r for r in books.call(f"{scene.store}/state/requests")["items"] if r["status"] == 429]
    assert len(refused) <= 12, f"{len(refused)} requests against a used-up quota"
