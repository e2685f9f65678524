"""Figures that are too old, the nightly recount, and what a person is shown."""

from tests.crash import books
from tests.stock.scene import StockScene

OLD = "UPDATE stock SET read_at = read_at - interval '2 hours' RETURNING sku"
SEEN = "UPDATE stock_seen SET seen_at = seen_at - interval '2 hours' RETURNING item"
SCANNED = "DELETE FROM watermarks WHERE flow = 'stock' RETURNING flow"


def _erp_away(scene: StockScene) -> None:
    """The ERP answers no question about stock any more, and two hours go by."""
    match = {"path": "API_(MATERIAL_STOCK|PRODUCT)_SRV", "rate": 1}
    books.call(f"{scene.erp}/faults", [{"fault": "status", "match": match, "args": {"status": 503}}])
    scene.until(lambda: scene.query("SELECT 1 FROM records WHERE flow = 'poll:stock' AND attempts > 0"))
    scene.query(SCANNED)
    scene.query(SEEN)
    assert scene.query(OLD)


def _started(scene: StockScene, oversell: str) -> None:
    scene.shelves(PLATE=1, LAMP=1)
    scene.warehouse(PLATE=8, LAMP=6)
    scene.configure(scene.with_policy(stock__oversell=oversell))
    scene.worker()
    scene.shows(PLATE=8, LAMP=6)
    scene.at_rest("PLATE", "LAMP")
    _erp_away(scene)
    scene.again("system:stock")


def test_old_figures_are_told_and_the_store_goes_on_selling(scene: StockScene) -> None:
    _started(scene, "alert")
    scene.until(lambda: scene.said()["summary"]["stale"] == 2, lambda: str(scene.said()))
    assert scene.on_hand() == {"PLATE": 8, "LAMP": 6}
    assert {row["stale"] for row in scene.said()["skus"]} == {"found"}
    scene.clear_faults()
    scene.until(lambda: scene.query("SELECT 1 FROM watermarks WHERE flow = 'stock' AND value ? 'scanned_at'"))
    scene.again("system:stock")
    scene.until(lambda: scene.said()["summary"]["stale"] == 0, lambda: str(scene.said()))


def test_by_policy_nothing_is_offered_until_the_erp_answers(scene: StockScene) -> None:
    _started(scene, "floor_to_zero")
    scene.shows(PLATE=0, LAMP=0)
    scene.until(lambda: {row["stale"] for row in scene.said()["skus"]} == {"floored"}, lambda: str(scene.said()))
    scene.clear_faults()
    scene.shows(PLATE=8, LAMP=6)
    scene.until(lambda: scene.said()["summary"]["stale"] == 0, lambda: str(scene.said()))


def test_by_policy_a_person_says_when_figures_are_right_again(scene: StockScene) -> None:
    _started(scene, "hold")
    scene.warehouse(PLATE=3)
    scene.clear_faults()
    scene.until(lambda: scene.sku_rows()["PLATE"]["status"] == "held", lambda: str(scene.sku_rows()))
    assert scene.on_hand()["PLATE"] == 8
    [group] = [each for each in scene.status()["held"] if each["kind"] == "stale_stock"]
    assert group["count"] == 2
    scene.command("release", "us-store", "stale_stock")
    scene.shows(PLATE=3, LAMP=6)
    scene.at_rest("PLATE", "LAMP")


def test_a_recount_finds_what_moved_behind_our_back_and_puts_it_right(scene: StockScene) -> None:
    scene.shelves(PLATE=1, LAMP=1, CHAIR=4)
    scene.warehouse(PLATE=8, LAMP=6)
    scene.configure()
    scene.worker()
    scene.shows(PLATE=8, LAMP=6)
    scene.at_rest("PLATE", "LAMP")
    scene.shelves(PLATE=50)
    scene.said("--recount")
    scene.until(lambda: (scene.said()["summary"] or {}).get("recount"), lambda: str(scene.said()), s=120)
    found = scene.said()["summary"]["recount"]
    counts = {name: found[name] for name in ("skus", "drifted", "pieces", "not_in_erp", "unmapped", "first")}
    assert counts == {"skus": 3, "drifted": 1, "pieces": 42, "not_in_erp": 1, "unmapped": 0, "first": ["PLATE"]}
    scene.shows(PLATE=8)
    scene.at_rest("PLATE")
    scene.until(lambda: scene.said()["summary"]["drifted"] == 0, lambda: str(scene.said()))
    assert scene.command("stock", "us-store").out.startswith("2 SKUs; oldest figure")


def test_a_sku_without_an_item_is_held_until_it_is_mapped(scene: StockScene) -> None:
    scene.shelves(PLATE=1)
    scene.warehouse(**{"731": 8})

    def unmatched(content: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
        content["integrations"]["us-store"]["mapping"]["items_match"] = ""

    scene.configure(unmatched)
    scene.worker()
    scene.said("--recount")
    unmapped = "SELECT 1 FROM watermarks WHERE flow = 'stock' AND value -> 'recount' ->> 'unmapped' = '1'"
    scene.until(lambda: scene.query(unmapped), s=120)

    def mapped(content: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
        content["integrations"]["us-store"]["mapping"]["items"] = {"PLATE": "731"}

    scene.configure(mapped)
    scene.shows(PLATE=8)
