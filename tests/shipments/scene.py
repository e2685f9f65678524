"""A store and a Business One whose warehouse ships, and the product between them, as a person runs it."""

import copy
import json
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import ml_connector.config
from ml_connector.cli.demo_erps import ERPS
from tests.crash import books
from tests.crash.processes import Process
from tests.e2e.scene import Scene, World

TIMING = {"p_s": 2.0, "t_s": 1.0, "l_s": 1.0, "v_s": 0.3, "s_s": 0.0}
"""Of the store's shipments: H is 4.3 s."""
WORKER = ("worker", "--lease", "2", "--sweep", "0.3", "--poll", "0.2", "--count", "1")
INTEGRATION = "us-store"
SHIPMENT_POST = {"method": "POST", "path": "shipments$"}


class ShippingWorld(World):
    """The flow `shipments` is switched on; invoices are reserve invoices, which the warehouse delivers."""

    system = "business_one"
    example = Path(ml_connector.config.__file__).with_name("store-to-business-one.yaml")
    login = ERPS["business_one"].environment

    def _configuration(self, webhook_url: str) -> Any:
        content: Any = YAML().load(self.example.read_text())
        store, ledger = content["connections"]["web-store"], content["connections"]["ledger"]
        store |= {"base_url": self.store.base_url, "sandbox": True, "concurrency": 16, "timing": dict(TIMING)}
        store["settings"]["store_hash"] = self.store.credentials["store_hash"]
        times = {"p_s": 2.0, "t_s": 3.0, "l_s": 1.0, "v_s": 0.1, "s_s": 0.0}
        ledger |= {"base_url": self.erp.base_url, "sandbox": True, "concurrency": 16, "timing": times}
        ledger["settings"] |= {"company": self.erp.credentials["company_db"], "reserve_invoice": True}
        integration = content["integrations"][INTEGRATION]
        integration["webhook_url"] = webhook_url
        integration["flows"] = {
            "orders": {"enabled": True, "poll_s": 1, "overlap_s": 600},
            "shipments": {"enabled": True, "poll_s": 1, "overlap_s": 600},
        }
        integration["policy"]["posting.cut_over"] = "2020-01-01"
        integration["mapping"]["carriers"] = {"1": "ups", "Express": "dhl-express"}
        return content

    def master_data(self) -> dict[str, Any]:
        mapping = self.content["integrations"][INTEGRATION]["mapping"]
        return dict(ERPS["business_one"].seed(mapping))


class ShippingScene(Scene):
    """One test."""

    def worker(self, crash_at: str = "", *, watchdog: bool = True) -> Process:
        return self.run(*WORKER, *(() if watchdog else ("--no-watchdog",)), crash_at=crash_at)

    def changed(self, **policy: object) -> None:
        """The policy from now on; `__` stands for the dot."""
        content = copy.deepcopy(self.stage.content)
        written = {name.replace("__", "."): value for name, value in policy.items()}
        content["integrations"][INTEGRATION]["policy"].update(written)
        self.run("config", "apply", str(self.stage.write(content))).finished()

    # -------------------------------------------------------------- orders that stand in the ERP

    def invoiced(self, orders: int = 1, **features: Any) -> list[int]:
        """Paid orders, each with its invoice; somebody must be there to post them."""
        first = self.place("paid", orders=orders, **features)
        made = list(range(first, first + orders))
        self.until(lambda: all(self.invoice(order) for order in made), lambda: str(self.rows("orders")), s=120)
        return made

    def invoice(self, order: int) -> int:
        """Its `DocEntry`; 0 while there is none."""
        where = (
            f"flow = 'orders' AND record_key = '{order}' AND kind = 'sales_invoice' AND state IN ('posted', 'checked')"
        )
        found = self.query(f"SELECT number FROM postings WHERE {where} ORDER BY generation DESC")
        return int(found[0]["number"].partition("/")[2]) if found else 0

    def lines(self, order: int) -> list[dict[str, Any]]:
        """Of the store's order."""
        return self.snapshot(order)["products"]

    # -------------------------------------------------------------- the warehouse

    def deliver(
        self, order: int, *, tracking: str = "", way: int = 1, quantities: Mapping[int, int] | None = None
    ) -> str:
        """The warehouse delivers from the order's invoice. The key of its delivery note."""
        body = {
            "to": "DeliveryNotes",
            "fields": {"TrackingNumber": tracking, "TransportationCode": way},
            "quantities": {str(line): count for line, count in (quantities or {}).items()},
        }
        made = books.call(f"{self.erp}/documents/Invoices/{self.invoice(order)}/copy", body)
        return f"DeliveryNotes/{made['DocEntry']}"

    def foreign_delivery(self, order: int) -> str:
        """Somebody enters a delivery of his own and copies the reference of the order's invoice into it."""
        invoice = self.invoice(order)
        row = next(each for each in books.call(f"{self.erp}/state/Invoices")["items"] if each["DocEntry"] == invoice)
        login = self.stage.erp.credentials
        given = {"CompanyDB": login["company_db"], "UserName": login["user"], "Password": login["password"]}
        session = self._service_layer("Login", given)["SessionId"]
        body = {
            "CardCode": row["CardCode"],
            "DocDueDate": row["DocDueDate"],
            "U_MLC_REF": row["U_MLC_REF"],
            "TrackingNumber": "X-1",
            "DocumentLines": [{"ItemCode": row["DocumentLines"][0]["ItemCode"], "Quantity": 1}],
        }
        made = self._service_layer("DeliveryNotes", body, session)
        return f"DeliveryNotes/{made['DocEntry']}"

    def _service_layer(self, path: str, body: object, session: str = "") -> Any:
        headers = {"Content-Type": "application/json", "Cookie": f"B1SESSION={session}"}
        address = f"{self.stage.erp.base_url}/b1s/v2/{path}"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def edit(self, key: str, **fields: object) -> None:
        """Somebody changes a document in the ERP."""
        books.call(f"{self.erp}/documents/{key}/edit", fields)

    def cancel(self, key: str) -> None:
        books.call(f"{self.erp}/documents/{key}/cancel", {})

    # -------------------------------------------------------------- what the store has

    def shipments(self, order: int) -> list[dict[str, Any]]:
        return self.snapshot(order)["shipments"]

    def status_of(self, order: int) -> int:
        return int(self.snapshot(order)["order"]["status_id"])

    def by_hand(self, order: int, **fields: object) -> None:
        """Somebody ships all that is left in the store's control panel."""
        self.act(order, "ship", **fields)

    def shipped(self, *orders: int, times: int = 1) -> None:
        """Waits until each order has so many shipments, and nothing is open."""

        def done() -> bool:
            return all(len(self.shipments(order)) >= times for order in orders) and not self.unknown()

        self.until(done, lambda: f"{[self.shipments(o) for o in orders]} {self.rows('shipments')}", s=120)
        assert {order: len(self.shipments(order)) for order in orders} == dict.fromkeys(orders, times)

    def unknown(self) -> list[str]:
        """What is on its way, or may be."""
        found = self.query("SELECT reference FROM postings WHERE state IN ('sending', 'uncertain')")
        return [row["reference"] for row in found]

    # -------------------------------------------------------------- what we know

    def rows(self, flow: str) -> Mapping[str, dict[str, Any]]:
        where = f"flow = '{flow}'"
        found = self.query(f"SELECT key, status, hold_kind, hold_key, reason, last_error FROM records WHERE {where}")
        return {row["key"]: row for row in found}

    def note(self, key: str) -> dict[str, Any]:
        return dict(self.rows("shipments").get(key, {}))

    def rests(self, key: str, status: str) -> dict[str, Any]:
        """Waits until the note's record has this status."""
        self.until(lambda: self.note(key).get("status") == status, lambda: str(self.rows("shipments")), s=120)
        return self.note(key)

    def becomes(self, value: Callable[[], object], wanted: object) -> None:
        self.until(lambda: value() == wanted, lambda: f"{value()} {self.rows('shipments')}", s=120)

    def sent(self) -> int:
        """Shipments that the store was asked to make."""
        rows = books.call(f"{self.store}/state/requests")["items"]
        return sum(1 for row in rows if row["method"] == "POST" and row["path"].endswith("/shipments"))
