"""What an order can be held for: each reason is named to the person who can act, and its end posts exactly once."""

from decimal import Decimal
from typing import Any

from tests.crash import books
from tests.e2e.scene import Scene, audit


def _without_gateways(content: Any) -> None:
    mapping = content["integrations"]["us-store"]["mapping"]
    mapping["payment_methods"] = [method for method in mapping["payment_methods"] if "offline" in method]


def _put_broken(scene: Scene, good: int) -> tuple[Decimal, Decimal]:
    """The order once more as `good + 50`, its total 5.00 too high; what it says and what its parts add up to."""
    order = scene.snapshot(good)["order"]
    with_tax, without = (Decimal(order[name]) for name in ("total_inc_tax", "total_ex_tax"))
    scene.copy(good, number=good + 50, total_inc_tax=str(with_tax + 5), total_ex_tax=str(without + 5))
    return with_tax + 5, with_tax


def test_a_gap_in_the_mapping_holds_and_its_entry_releases_exactly_those(scene: Scene) -> None:
    def without(content: Any) -> None:
        _without_gateways(content)
        content["integrations"]["us-store"]["policy"]["posting.held_statuses"] = [12, 11]

    scene.configure(without)
    waits_for_status = scene.place("paid")  # status 11: held by the policy, whatever the mapping says
    scene.worker()
    assert scene.held(waits_for_status).kind == "status_held"
    scene.configure(_without_gateways)
    gap = [scene.place("paid"), scene.place("paid", market="de")]
    for hold in scene.all_held(*gap).values():
        assert hold.kind == "unmapped"
        assert hold.key.startswith("payment_method|")
        assert f"the mapping has no entry for payment_method '{hold.key.split('|', 1)[1]}' in " in hold.message
    said = scene.configure()
    released = sorted(key for group in said["released"] for key in group["keys"])
    assert set(map(str, gap)) <= set(released)
    scene.posted(waits_for_status, *gap)
    scene.check()


def test_only_what_waits_for_the_entry_is_released(scene: Scene) -> None:
    scene.configure(_without_gateways)
    order = scene.place("paid")
    scene.worker()
    scene.held(order)
    _put_broken(scene, order)
    assert scene.held(order + 50).kind == "totals_mismatch"
    said = scene.configure()
    assert [(group["flow"], group["keys"]) for group in said["released"]] == [("orders", [str(order)])]
    scene.posted(order)
    assert scene.held(order + 50).kind == "totals_mismatch"
    assert scene.documents(order + 50) == []


def test_totals_that_do_not_add_up_are_shown_with_both_sums(scene: Scene) -> None:
    good = scene.place("paid")
    said, sums = _put_broken(scene, good)
    scene.worker()
    hold = scene.held(good + 50)
    assert hold.kind == "totals_mismatch"
    for figure in (said, sums):
        assert f"{figure:.2f}" in hold.message, hold.message
    told = [row["data"] for row in audit(scene, key=str(good + 50)) if "store_total" in row["data"]]
    assert [(Decimal(facts["store_total"]), Decimal(facts["computed_total"])) for facts in told[:1]] == [(said, sums)]
    scene.posted(good)
    assert scene.documents(good + 50) == []
    # the merchant corrects the order: nobody has to release anything
    scene.copy(good, number=good + 50)
    scene.posted(good + 50)


def test_a_currency_without_clearing_account_is_a_named_gap(scene: Scene) -> None:
    def dollars_only(content: Any) -> None:
        for method in content["integrations"]["us-store"]["mapping"]["payment_methods"]:
            method["currency"] = "USD"

    scene.configure(dollars_only)
    dollars, euros = scene.place("paid"), scene.place("paid", market="de")
    scene.worker()
    scene.posted(dollars)
    hold = scene.held(euros)
    assert (hold.kind, hold.key.split("|")[0]) == ("unmapped", "payment_method")
    assert "EUR" in hold.message, hold.message
    scene.configure()
    scene.posted(euros)
    scene.check()


def test_a_closed_period_holds_and_the_release_posts_once(scene: Scene) -> None:
    books.call(f"{scene.erp}/seed", {"open_from": "2037-01-01", "open_to": "2037-12-31"})
    orders = [scene.place("paid"), scene.place("on_account", guest=False)]
    scene.worker()
    for hold in scene.all_held(*orders).values():
        assert hold.kind == "closed_period"
        assert "F5/201" in hold.message or "period" in hold.message.lower(), hold.message
    assert books.documents_in(scene.erp) == []
    books.call(f"{scene.erp}/seed", {"open_from": "2020-01-01", "open_to": "2039-12-31"})
    said = scene.command("release", "us-store", "closed_period", "--json").json
    assert said["count"] == 2
    scene.posted(*orders)
    scene.check()


def test_a_refusal_of_the_erp_is_shown_in_its_own_words(scene: Scene) -> None:
    scene.fault({"fault": "number_range_exhausted", "match": {"method": "POST", "path": "journalentrycreate"}})
    order = scene.place("paid")
    scene.worker()
    hold = scene.held(order)
    assert hold.kind == "rejected"
    assert "number range" in hold.message.lower(), hold.message
    assert hold.key == f"S1-O{order}"
    scene.clear_faults()
    scene.command("release", "us-store", "rejected", "--json")
    scene.posted(order)
    scene.check()


def test_an_account_that_the_erp_does_not_know_is_found_before_anything_is_sent(scene: Scene) -> None:
    def unknown_account(content: Any) -> None:
        content["integrations"]["us-store"]["mapping"]["accounts"]["shipping_income"] = "49999999"

    scene.configure(unknown_account)
    order = scene.place("paid")
    scene.worker()
    hold = scene.held(order)
    assert hold.kind == "master_data"
    assert "49999999" in hold.message
    assert [entry["path"] for entry in books.posts_in(scene.erp) if "journalentry" in entry["path"]] == []
    scene.configure()
    scene.posted(order)
    scene.check()
