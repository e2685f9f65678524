"""A store and an ERP with stock, and the product between them, as a person runs it."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.crash import books
from tests.crash.processes import Process
from tests.e2e.scene import Scene, World

TIMING = {"p_s": 2.0, "t_s": 2.0, "l_s": 0.5, "v_s": 0.3, "s_s": 0.0}
"""Of the store's writes: H is 4.8 s."""
WORKER = ("worker", "--lease", "2", "--sweep", "0.3", "--poll", "0.2", "--count", "1")
INTEGRATION = "us-store"


class StockWorld(World):
    """The flow `stock` is switched on; the plant 1710 feeds the default location."""

    def _configuration(self, webhook_url: str) -> Any:
        content = super()._configuration(webhook_url)
        content["connections"]["web-store"]["timing"] = dict(TIMING)
        integration = content["integrations"][INTEGRATION]
        integration["flows"]["stock"] = {"enabled": True, "poll_s": 1, "overlap_s": 600}
        integration["mapping"]["warehouses"] = {"1710": 1}
        integration["mapping"]["items_match"] = "sku"
        return content


class StockScene(Scene):
    """One test. The store keeps stock of what `shelves` names."""

    def worker(self, crash_at: str = "", *, watchdog: bool = True) -> Process:
        return self.run(*WORKER, *(() if watchdog else ("--no-watchdog",)), crash_at=crash_at)

    # -------------------------------------------------------------- both sides

    def shelves(self, **quantities: int) -> None:
        """What the store has on hand now, set by the merchant."""
        items = [{"sku": sku, "quantity": count} for sku, count in quantities.items()]
        books.call(f"{self.store}/inventory", {"items": items})

    def warehouse(self, **quantities: int | str) -> None:
        """What lies in the ERP's plant now."""
        rows = [{"material": sku, "quantity": str(count)} for sku, count in quantities.items()]
        books.call(f"{self.erp}/stock", {"materials": rows})

    def refuse(self, sku: str) -> None:
        """The store refuses every adjustment of this item."""
        books.call(f"{self.store}/inventory", {"items": [{"sku": sku, "refuses": True}]})

    def west(self) -> None:
        """The store has a second location, 5."""
        books.call(f"{self.store}/inventory", {"locations": [{"id": 5, "code": "WEST"}]})

    def warehouse_west(self, **quantities: int) -> None:
        rows = [
            {"material": sku, "quantity": str(count), "plant": "1010", "location": "101A"}
            for sku, count in quantities.items()
        ]
        books.call(f"{self.erp}/stock", {"materials": rows})

    def map(self, content: Any, warehouses: Mapping[str, int]) -> None:
        content["integrations"][INTEGRATION]["mapping"]["warehouses"] = dict(warehouses)

    def levels(self, sku: str) -> dict[int, int]:
        rows = books.call(f"{self.store}/state/inventory?sku={sku}")["items"]
        return {row["location_id"]: row["on_hand"] for row in rows}

    def on_hand(self) -> dict[str, int]:
        return {row["sku"]: row["on_hand"] for row in books.call(f"{self.store}/state/inventory")["items"]}

    def adjustments(self) -> int:
        """Absolute writes that the store was asked for."""
        rows = books.call(f"{self.store}/state/requests")["items"]
        return sum(1 for row in rows if row["path"].endswith("/adjustments/absolute"))

    def applied(self, sku: str) -> list[int]:
        """What was written for this SKU, in order."""
        return [row["quantity"] for row in books.call(f"{self.store}/state/stock_writes?sku={sku}")["items"]]

    def order(self, sku: str) -> tuple[int, int]:
        """A paid order whose first line is of this SKU, placed at the store now: its ID, and how many pieces."""
        pattern = self.place_quietly()
        made = self.snapshot(pattern)
        number = pattern + 1000
        made["order"] |= {"id": number}
        made["products"][0] |= {"sku": sku}
        for place, row in enumerate(made["transactions"]):
            row["id"] = 100_000 + 10 * number + place
        books.call(f"{self.store}/orders/{pattern}/remove", {})
        books.call(f"{self.store}/orders", {"orders": [made], "modified": "now", "webhooks": False})
        return number, int(made["products"][0]["quantity"])

    def place_quietly(self) -> int:
        """An order that nobody hears of before it is taken away again."""
        seed = {
            "orders": 1, "profile": {"kinds": {"paid": 1}, "markets": {"us_tx": 1}}, "customers": 1,
            "webhooks": False, "seed": 7,
        }  # fmt: skip
        return int(books.call(f"{self.store}/seed", seed)["first_id"])

    def settings(self, **settings: object) -> None:
        books.call(f"{self.store}/settings", settings)

    # -------------------------------------------------------------- waiting

    def shows(self, **quantities: int) -> None:
        """Waits until the store has this on hand."""

        def there() -> bool:
            found = self.on_hand()
            return all(found.get(sku) == count for sku, count in quantities.items())

        self.until(there, lambda: f"{self.on_hand()} {self.sku_rows()}", s=120)

    def at_rest(self, *skus: str) -> None:
        """Waits until these SKUs are done, their last write seen in the store."""

        def done() -> bool:
            rows = self.sku_rows()
            return all(rows.get(sku, {}).get("status") == "synced" for sku in skus)

        self.until(done, lambda: str(self.sku_rows()), s=120)

    def sku_rows(self) -> Mapping[str, dict[str, Any]]:
        rows = self.query("SELECT key, status, run_at, seq, reason, last_error FROM records WHERE flow = 'stock'")
        return {row["key"]: row for row in rows}

    def again(self, flow: str) -> None:
        """The periodic record of a flow runs now."""
        self.command("replay", INTEGRATION, "--flow", flow, "--", "-")

    def said(self, *arguments: str) -> Any:
        return self.command("stock", INTEGRATION, *arguments, "--json", status=None).json

    def with_policy(self, **policy: object) -> Callable[[Any], None]:
        def change(content: Any) -> None:
            written = {name.replace("__", "."): value for name, value in policy.items()}
            content["integrations"][INTEGRATION]["policy"].update(written)

        return change
