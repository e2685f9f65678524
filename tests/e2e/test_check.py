"""The synthetic check: a test order comes through a test pair, and says where it does not."""

from typing import Any

from tests.e2e.scene import Scene


def checked(content: Any) -> None:
    content["integrations"]["us-store"]["check"] = {"enabled": True, "within_s": 60, "every_s": 3600}


def unpayable(content: Any) -> None:
    checked(content)
    content["integrations"]["us-store"]["check"]["payment_method"] = "Pebbles"


def test_a_test_order_comes_through_and_a_broken_way_is_named(scene: Scene) -> None:
    scene.configure(checked)
    worker = scene.worker()
    said = scene.command("check", "us-store", "--json", status=None)
    assert said.status == 0, said
    result = said.json
    assert result["ok"]
    assert [step["name"] for step in result["steps"]][:3] == ["order", "heard", "document"]
    order = int(result["order"])
    assert len(scene.documents(order)) == 1
    placed = scene.snapshot(order)["order"]
    assert placed["billing_address"]["last_name"] == "Check"
    assert "Test order" in placed["staff_notes"]
    assert scene.command("check", "us-store", "--last", "--json").json["order"] == result["order"]

    scene.configure(unpayable)
    failed = scene.command("check", "us-store", "--json", status=1).json
    assert not failed["ok"]
    assert failed["steps"][-1]["name"] == "document"
    assert "held" in failed["steps"][-1]["error"]
    assert scene.documents(int(failed["order"])) == []
    worker.stop()
