"""The stand-in seen from outside: its control API over HTTP."""

import json
import ssl
import urllib.request
from typing import Any

from ml_connector.sandbox.process import Announced

ACCOUNTS = ("410000", "411000", "419100", "113100", "469000", "41000000", "41100000")
CUSTOMERS = ("100177", {"number": "100900", "one_time": True})
TAX_CODES = ("O1", "O0", "I1", "CX")


class Erp:
    def __init__(self, announced: Announced) -> None:
        self.announced = announced
        self._context = ssl.create_default_context(cafile=announced.ca_file) if announced.ca_file else None

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.announced.control_url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
            return json.loads(answer.read() or b"null")

    def reset(self) -> None:
        self._call("POST", "/reset", {})
        self._call("DELETE", "/faults")
        self.seed(
            gl_accounts=list(ACCOUNTS),
            customers=list(CUSTOMERS),
            tax_codes=list(TAX_CODES),
            profit_centers=["YB110", {"number": "OLD", "valid_to": "2020-12-31"}],
            cost_centers=["CC1"],
        )

    def seed(self, **what: object) -> Any:
        return self._call("POST", "/seed", what)

    def fault(self, fault: str, *, path: str = "journalentry", method: str = "POST", **args: Any) -> None:
        """The next matching request meets `fault`."""
        rule = {
            "system": "s4hana",
            "match": {"method": method, "path": path, "nth": 1, "times": 1},
            "fault": fault,
            "args": args,
        }
        self._call("POST", "/faults", rule)

    def state(self, kind: str, query: str = "") -> list[dict[str, Any]]:
        return self._call("GET", f"/state/{kind}{query}")["items"]

    def entries(self) -> list[dict[str, Any]]:
        return self.state("journal_entries")

    def requests(self, path: str = "") -> list[dict[str, Any]]:
        return [request for request in self.state("requests") if path in request["path"]]

    def withdraw(self, scenario: str) -> None:
        """The administrator deletes the arrangement of `scenario`."""
        (settings,) = self.state("settings")
        self.seed(settings={"scenarios": [each for each in settings["scenarios"] if each != scenario]})

    def partners(self) -> list[dict[str, Any]]:
        """Those that carry an external ID."""
        return [row for row in self.state("business_partners") if row.get("BusinessPartnerIDByExtSystem")]

    def command(self, path: str, body: object = None) -> Any:
        return self._call("POST", path, body or {})
