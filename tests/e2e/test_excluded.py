"""A person leaves an order out: nothing of it is booked, the tie-out knows, and it can be taken back."""

from datetime import timedelta

from tests.e2e.scene import Scene
from tests.reconcile.shop import yesterday

WHY = "test order of the shop"


def test_an_order_that_is_left_out_is_not_booked_until_that_is_taken_back(scene: Scene) -> None:
    scene.configure(_held)
    order = scene.place("paid")
    scene.worker()
    assert scene.held(order).kind == "status_held"
    scene.command("exclude", "us-store", str(order), "--why", WHY)
    scene.until(lambda: not scene.status()["held"])
    scene.configure()  # nothing holds it any more: only the person's word keeps it out
    other = scene.place("paid")
    scene.posted(other)
    assert scene.documents(order) == []
    said = scene.command("reconcile", "--from", str(yesterday() - timedelta(days=2)), "--json", status=None).json
    told = said["integrations"][0]
    assert [each["cause"] for each in told["open"] if each["order_id"] == order] == ["left_out"]
    assert [each for each in told["differences"] if each["order_id"] == order] == []
    scene.command("exclude", "us-store", str(order), "--undo")
    scene.posted(order)
    scene.check()


def test_what_is_booked_cannot_be_left_out(scene: Scene) -> None:
    scene.configure()
    order = scene.place("paid")
    scene.worker()
    scene.posted(order)
    said = scene.command("exclude", "us-store", str(order), "--why", WHY, "--json", status=1).json
    assert list(said["refused"]) == [str(order)]
    assert "is in the ERP" in said["refused"][str(order)]
    scene.check()


def test_a_reason_is_asked_for(scene: Scene) -> None:
    scene.configure()
    said = scene.command("exclude", "us-store", "1", "--why", "no", status=None)
    assert "3 words" in said.problems


def _held(content: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
    content["integrations"]["us-store"]["policy"]["posting.held_statuses"] = [12, 11]
