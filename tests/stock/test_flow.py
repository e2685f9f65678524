"""Stock of the ERP in the store: what is written, when, and never again what an order has taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.stock.scene import StockScene


def test_the_erps_stock_comes_into_the_store_and_only_what_differs_is_written(scene: StockScene) -> None:
    scene.shelves(PLATE=1, LAMP=5, CHAIR=9)
    scene.warehouse(PLATE="12.5", LAMP=5, TEA=3)
    scene.configure()
    scene.worker()
    scene.shows(PLATE=12, LAMP=5)
    scene.at_rest("PLATE", "LAMP")
    assert scene.applied("LAMP") == []
    assert scene.on_hand()["CHAIR"] == 9, "the ERP has no such item: its figure stays"
    assert scene.adjustments() == 1

    scene.warehouse(PLATE=0, LAMP=6)
    scene.shows(PLATE=0, LAMP=6)
    scene.at_rest("PLATE", "LAMP")
    assert scene.applied("PLATE") == [12, 0]

    told = {row["sku"]: row for row in scene.said("--all")["skus"]}
    assert told["LAMP"]["wanted"] == told["LAMP"]["store"] == {"1": 6}
    assert told["LAMP"]["age_s"] < 60
    assert "TEA" in scene.sku_rows()
    assert scene.sku_rows()["TEA"]["reason"].startswith("not_in_store")
    [flow] = scene.status()["stock"]
    assert (flow["skus"], flow["stale"], flow["drifted"]) == (2, 0, 0)


def test_what_an_order_has_taken_is_not_offered_again(scene: StockScene) -> None:
    """A journal entry moves no stock in the ERP: its figure does not know the order before the goods leave."""
    scene.shelves(PLATE=10)
    scene.warehouse(PLATE=10)
    scene.configure()
    scene.worker()
    scene.at_rest("PLATE")
    order, pieces = scene.order("PLATE")
    scene.posted(order)
    assert scene.on_hand()["PLATE"] == 10 - pieces
    scene.warehouse(PLATE=14)
    scene.shows(PLATE=14 - pieces)
    scene.at_rest("PLATE")
    assert scene.applied("PLATE") == [14 - pieces]
    scene.act(order, "cancel")
    scene.until(lambda: not scene.query("SELECT 1 FROM stock_reserved WHERE quantity > 0"))
    scene.shows(PLATE=14)


def test_what_was_sold_before_the_flow_was_switched_on_counts(scene: StockScene) -> None:
    def off(content: Any) -> None:
        del content["integrations"]["us-store"]["flows"]["stock"]

    scene.shelves(PLATE=10)
    scene.warehouse(PLATE=14)
    scene.configure(off)
    worker = scene.worker()
    order, pieces = scene.order("PLATE")
    scene.posted(order)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="microseconds")
    long_ago = f"UPDATE watermarks SET value = jsonb_build_object('since', '{later}') WHERE flow = 'orders' RETURNING 1"
    assert scene.query(long_ago), "polls have gone on, and do not see it any more"
    worker.stop()
    scene.configure()
    scene.worker()
    scene.shows(PLATE=14 - pieces)
    scene.at_rest("PLATE")
    assert scene.applied("PLATE") == [14 - pieces]


def test_an_order_that_comes_between_read_and_write_is_not_given_back(scene: StockScene) -> None:
    """Everything is read, then the order comes: it is found right before the figure is raised."""
    scene.shelves(PLATE=10)
    scene.warehouse(PLATE=20)
    scene.configure()
    worker = scene.worker("source.read.a@stock:stop")
    worker.stopped_at("source.read.a")
    _, pieces = scene.order("PLATE")
    assert scene.on_hand()["PLATE"] == 10 - pieces
    worker.go_on()
    scene.shows(PLATE=20 - pieces)
    scene.at_rest("PLATE")
    assert scene.applied("PLATE") == [20 - pieces]


def test_an_order_that_comes_at_the_last_moment_is_taken_off_as_soon_as_it_is_heard_of(scene: StockScene) -> None:
    scene.shelves(PLATE=10)
    scene.warehouse(PLATE=20)
    scene.configure()
    worker = scene.worker("plan.a@stock:stop")
    worker.stopped_at("plan.a")
    _, pieces = scene.order("PLATE")
    worker.go_on()
    scene.shows(PLATE=20 - pieces)
    scene.at_rest("PLATE")
    assert scene.applied("PLATE") == [20, 20 - pieces]


def test_a_lost_write_is_noticed_and_made_again(scene: StockScene) -> None:
    """The store accepts an adjustment, and it never takes effect."""
    scene.shelves(PLATE=1)
    scene.warehouse(PLATE=8)
    scene.fault({"fault": "inventory_lost", "match": {"path": "absolute", "nth": 1, "times": 1}}, system="store")
    scene.configure()
    scene.worker()
    scene.shows(PLATE=8)
    scene.at_rest("PLATE")
    assert scene.adjustments() == 2
    assert scene.idle_faults() == []


def test_a_write_of_unknown_outcome_waits_until_it_can_no_longer_arrive(scene: StockScene) -> None:
    scene.shelves(PLATE=1)
    scene.warehouse(PLATE=8)
    fault = {"fault": "reset_after_commit", "match": {"path": "absolute", "nth": 1, "times": 1}}
    scene.fault(fault, system="store")
    scene.configure()
    scene.worker()
    scene.shows(PLATE=8)
    scene.until(lambda: scene.query("SELECT 1 FROM stock WHERE settles_at > now()"))
    scene.warehouse(PLATE=5)
    scene.shows(PLATE=5)
    scene.at_rest("PLATE")
    assert scene.applied("PLATE") == [8, 5]


def test_an_item_that_the_store_refuses_does_not_stop_the_others(scene: StockScene) -> None:
    skus = {f"S{n}": 1 for n in range(7)}
    scene.shelves(**skus)
    scene.warehouse(**dict.fromkeys(skus, 4))
    scene.refuse("S3")
    scene.configure()
    scene.worker()
    scene.shows(**{sku: 4 for sku in skus if sku != "S3"})
    scene.until(lambda: scene.sku_rows()["S3"]["status"] == "held")
    assert "invalid fields" in scene.sku_rows()["S3"]["last_error"]
    assert scene.on_hand()["S3"] == 1


def test_several_locations_and_the_policy_of_safety(scene: StockScene) -> None:
    scene.shelves(PLATE=0)
    scene.west()
    scene.warehouse(PLATE=9)
    scene.warehouse_west(PLATE=5)

    def change(content: object) -> None:
        scene.with_policy(stock__safety=2)(content)
        scene.map(content, {"1710": 1, "1010/101A": 5})

    scene.configure(change)
    scene.worker()
    scene.until(lambda: scene.levels("PLATE") == {1: 7, 5: 3}, lambda: str(scene.levels("PLATE")), s=120)
    scene.configure(lambda content: scene.map(content, {"1710": 5}))
    scene.until(lambda: scene.levels("PLATE") == {1: 7, 5: 9}, lambda: str(scene.levels("PLATE")), s=120)
