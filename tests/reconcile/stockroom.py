"""A store and an ERP with stock, of whichever system, the product between them, and hands that move goods behind it."""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from ruamel.yaml import YAML
from sqlalchemy.engine import make_url

from ml_connector.cli.demo_erps import ERPS
from ml_connector.sandbox.process import SandboxProcess
from tests.cli.program import Program, program
from tests.crash import books
from tests.crash.nursery import nursery
from tests.crash.processes import Process

INTEGRATION = "us-store"
FROM = str(datetime.now(UTC).date() - timedelta(days=1))
"""Of the orders, of which there are none: the fewer days, the better."""
TIMING = {"p_s": 2.0, "t_s": 10.0, "l_s": 1.0, "v_s": 0.3, "s_s": 0.0}
PATIENCE_S = 180.0


@dataclass(slots=True)
class Stockroom:
    """`system`: the ERP. Nothing runs before `open`."""

    system: str
    sandbox: SandboxProcess
    database_url: str
    home: Path
    moved_at: datetime = datetime.min.replace(tzinfo=UTC)
    """When goods moved last in the ERP's warehouse."""

    @property
    def store(self) -> str:
        return self.sandbox.systems["bigcommerce"].control_url

    @property
    def erp(self) -> str:
        return self.sandbox.systems[self.system].control_url

    async def open(self, shelves: Mapping[str, int], warehouse: Mapping[str, int]) -> None:
        """Both sides with this stock, the product configured to bring it from one to the other."""
        self.stock_the_store(shelves)
        self.stock_the_erp(warehouse)
        file = self.home / "configuration.yaml"
        with file.open("w") as stream:
            YAML().dump(self._configuration(), stream)
        ran = await self.cli.run("config", "apply", str(file))
        assert ran.status == 0, ran.said

    # -------------------------------------------------------------- both sides

    def stock_the_store(self, shelves: Mapping[str, int]) -> None:
        """A store that was opened a moment ago, with these SKUs and no others."""
        books.call(f"{self.store}/reset", {})
        self.shelves(**shelves)

    def stock_the_erp(self, warehouse: Mapping[str, int]) -> None:
        books.call(f"{self.erp}/reset", {})
        self.warehouse(**warehouse)

    def shelves(self, **quantities: int) -> None:
        """Set by hand in the store."""
        items = [{"sku": sku, "quantity": count} for sku, count in quantities.items()]
        books.call(f"{self.store}/inventory", {"items": items})

    def warehouse(self, **quantities: int) -> None:
        """What lies in the ERP's warehouse now."""
        self.moved_at = datetime.now(UTC)
        if self.system == "s4hana":
            rows = [{"material": sku, "quantity": str(count)} for sku, count in quantities.items()]
            books.call(f"{self.erp}/stock", {"materials": rows})
            return
        known = {row["ItemCode"] for row in books.call(f"{self.erp}/state/Items")["items"]}
        new = [{"ItemCode": sku, "ItemName": sku, "InventoryItem": "tYES"} for sku in quantities if sku not in known]
        if new:
            books.call(f"{self.erp}/seed", {"Items": new})
        for sku, count in quantities.items():
            books.call(f"{self.erp}/stock", {"ItemCode": sku, "WarehouseCode": "01", "InStock": count})

    def discontinue(self, sku: str) -> None:
        if self.system == "s4hana":
            books.call(f"{self.erp}/stock", {"materials": [{"material": sku, "deleted": True}]})
        else:
            books.call(f"{self.erp}/items/{sku}/freeze", {})

    def on_hand(self) -> dict[str, int]:
        return {row["sku"]: row["on_hand"] for row in books.call(f"{self.store}/state/inventory")["items"]}

    # -------------------------------------------------------------- the product

    @property
    def cli(self) -> Program:
        store, erp = self.sandbox.systems["bigcommerce"], self.sandbox.systems[self.system]
        given = {name: str(erp.credentials[key]) for name, key in ERPS[self.system].environment.items()}
        access = ("access_token", "client_id", "client_secret")
        given |= {f"BC_{name.upper()}": str(store.credentials[name]) for name in access}
        return program(self.database_url, **given)

    @contextmanager
    def worker(self) -> Iterator[Process]:
        options = ("--lease", "5", "--sweep", "0.3", "--poll", "0.2", "--count", "1")
        process = Process(
            f"worker-{uuid.uuid4().hex[:6]}", ("worker", *options), self.cli.environment, self.home, nursery=nursery()
        )
        try:
            yield process
            process.stop()
        finally:
            process.kill()

    async def reconcile(self, *options: str) -> Any:
        """What the command says of stock."""
        ran = await self.cli.run("reconcile", "--from", FROM, "--json", *options)
        assert ran.status in (0, 1), ran.said
        said = ran.json["integrations"][0]
        assert said["differences"] == []
        assert (ran.status == 0) is said["ties"] is said["stock"]["ties"]
        return said["stock"]

    async def settled(self, *but: str) -> None:
        """Waits until nothing is left to do; then every SKU is equal, or is left as it is for one of these causes."""
        deadline = time.monotonic() + PATIENCE_S
        while self._under_way():
            assert time.monotonic() < deadline, self._under_way()
            await asyncio.sleep(0.2)
        said = await self.reconcile()
        assert said["by_state"].keys() <= {"equal", *but}, said

    def _under_way(self) -> list[Any]:
        """SKUs that a run is due for, and whether the ERP is to be scanned for the first time since it was changed."""
        with psycopg.connect(make_url(self.database_url).set(drivername="postgresql").render_as_string(False)) as ours:
            busy = ours.execute(
                "SELECT key, last_error FROM records WHERE flow = 'stock'"
                " AND (token IS NOT NULL OR run_at IS NOT NULL OR done_seq < seq)"
            ).fetchall()
            row = ours.execute("SELECT value ->> 'scanned_at' FROM watermarks WHERE flow = 'stock'").fetchone()
        scanned = datetime.fromisoformat(row[0]) if row and row[0] else None
        return busy if scanned is not None and scanned > self.moved_at else [*busy, "no scan yet"]

    def _configuration(self) -> Any:
        kind = ERPS[self.system]
        content: Any = YAML().load((files("ml_connector.config") / kind.example).read_text())
        store, erp = self.sandbox.systems["bigcommerce"], self.sandbox.systems[self.system]
        web_store, ledger = content["connections"]["web-store"], content["connections"]["ledger"]
        web_store |= {"base_url": store.base_url, "sandbox": True, "timing": TIMING}
        web_store["settings"]["store_hash"] = store.credentials["store_hash"]
        ledger |= {"base_url": erp.base_url, "sandbox": True, "timing": TIMING}
        ledger["settings"] |= kind.settings(erp)
        integration = content["integrations"][INTEGRATION]
        integration.pop("webhook_url")
        quick = {"enabled": True, "poll_s": 1, "overlap_s": 600}
        integration["flows"] = {"orders": quick, "customers": {"enabled": False}, "stock": dict(quick)}
        integration["mapping"] |= {"warehouses": {"1710" if self.system == "s4hana" else "01": 1}}
        integration["mapping"]["items_match"] = "sku"
        return content
