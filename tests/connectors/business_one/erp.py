"""The stand-in seen from outside: its control API over HTTP."""

import json
import ssl
import urllib.request
from typing import Any

from ml_connector.sandbox.process import Announced


class Erp:
    def __init__(self, announced: Announced) -> None:
        self.announced = announced
        self._context = ssl.create_default_context(cafile=announced.ca_file) if announced.ca_file else None

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.announced.control_url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:
            return json.loads(answer.read() or b"null")

    def reset(self) -> None:
        self.call("DELETE", "/faults")
        self.call("POST", "/reset", {})

    def settings(self, **settings: object) -> None:
        self.call("POST", "/seed", {"settings": settings})

    def fault(self, fault: str, path: str, *, method: str = "POST", **args: Any) -> None:
        """The next matching request meets `fault`."""
        match = {"method": method, "path": path, "nth": 1, "times": 1}
        self.call("POST", "/faults", {"system": "business_one", "match": match, "fault": fault, "args": args})

    def state(self, kind: str) -> list[dict[str, Any]]:
        return self.call("GET", f"/state/{kind}")["items"]

    def carrying(self, entity_set: str, reference: str) -> list[dict[str, Any]]:
        return [row for row in self.state(entity_set) if row.get("U_MLC_REF") == reference]

    def requests(self, path: str, method: str = "POST") -> int:
        return sum(path in each["path"] and each["method"] == method for each in self.state("requests"))
