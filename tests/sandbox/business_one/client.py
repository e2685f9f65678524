"""A hand-written caller of the stand-in: raw requests, cookies by hand, nothing of our connectors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from ml_connector.sandbox.process import Announced

TIMEOUT_S = 60


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


class ServiceLayer:
    def __init__(self, told: Announced, version: int = 2) -> None:
        self.told, self.version = told, version
        self.cookies: dict[str, str] = {}
        self.http = requests.Session()

    def login(self, **changes: Any) -> requests.Response:
        known = self.told.credentials
        given = {"CompanyDB": known["company_db"], "UserName": known["user"], "Password": known["password"], **changes}
        self.cookies = {}
        answer = self.call("POST", "Login", given)
        self.keep_cookies(answer)
        return answer

    def another(self) -> ServiceLayer:
        """One more session of the same user."""
        other = ServiceLayer(self.told, self.version)
        other.login()
        return other

    def at(self, version: int) -> ServiceLayer:
        """The same session at the other prefix."""
        other = ServiceLayer(self.told, version)
        other.cookies = self.cookies
        return other

    def keep_cookies(self, answer: requests.Response) -> None:
        for line in answer.raw.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> requests.Response:
        sent = {"Content-Type": "application/json", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        url = path if path.startswith("http") else f"{self.told.base_url}/b1s/v{self.version}/{path}"
        self.http.cookies.clear()
        return self.http.request(method, url, json=body, data=data, headers=sent, timeout=TIMEOUT_S)

    def get(self, path: str, **headers: str) -> Any:
        answer = self.call("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, *, fault: str = "", **more: Any) -> requests.Response:
        headers = {**more.pop("headers", {}), **({"X-Sandbox-Fault": fault} if fault else {})}
        return self.call("POST", path, body, headers=headers, **more)

    def made(self, path: str, body: Any) -> Any:
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def patch(self, path: str, body: Any, **headers: str) -> requests.Response:
        return self.call("PATCH", path, body, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def batch(self, *parts: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        text = "".join(f"--batch_a1\r\n{part}\r\n" for part in parts) + "--batch_a1--\r\n"
        sent = {"Content-Type": "multipart/mixed;boundary=batch_a1", **(headers or {})}
        return self.call("POST", "$batch", data=text.encode(), headers=sent)

    def control(self, method: str, path: str, body: Any = None, *, ok: bool = True) -> Any:
        answer = requests.request(method, self.told.control_url + path, json=body, timeout=TIMEOUT_S)
        assert answer.ok == ok, answer.text
        return answer.json()

    def state(self, kind: str, query: str = "") -> list[dict[str, Any]]:
        return self.control("GET", f"/state/{kind}{query}")["items"]

    def settings(self, **settings: Any) -> None:
        self.control("POST", "/seed", {"settings": settings})

    def seed(self, **body: Any) -> None:
        self.control("POST", "/seed", body)

    def fault(self, name: str, *, match: dict[str, Any] | None = None, **args: Any) -> None:
        self.control("POST", "/faults", {"fault": name, "match": {"times": 1, **(match or {})}, "args": args})

    @contextmanager
    def standing(self, moment: str) -> Iterator[None]:
        """The stand-in's clock shows this moment and as good as stands; logged in anew."""
        self.control("POST", "/clock", {"now": moment, "scale": 1e-6})
        try:
            self.login()
            yield
        finally:
            self.control("POST", "/clock", {"scale": 1})

    def stock(self, item: str, warehouse: str = "01") -> tuple[float, float]:
        """In stock and committed."""
        (found,) = (
            each for each in self.state("stock") if (each["ItemCode"], each["WarehouseCode"]) == (item, warehouse)
        )
        return float(found["InStock"]), float(found["Committed"])


def line(item: str = "PLATE", quantity: str = "2", **more: Any) -> dict[str, Any]:
    priced = {} if {"Price", "PriceAfterVAT", "LineTotal", "BaseType"} & set(more) else {"UnitPrice": "10"}
    return {"ItemCode": item, "Quantity": quantity, "DiscountPercent": "0", "VatGroup": "O825", **priced, **more}


def document(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "CardCode": "WEB-GUEST",
        "DocDate": "2026-03-07",
        "DocDueDate": "2026-03-09",
        "DocCurrency": "USD",
        "DocumentLines": list(lines) or [line()],
        **more,
    }


def based(entity_type: int, entry: int, number: int = 0, **more: Any) -> dict[str, Any]:
    return {"BaseType": entity_type, "BaseEntry": entry, "BaseLine": number, **more}


def transfer(invoice: int | None, amount: str, **more: Any) -> dict[str, Any]:
    applied = [] if invoice is None else [{"DocEntry": invoice, "InvoiceType": "it_Invoice", "SumApplied": amount}]
    return {
        "DocType": "rCustomer",
        "CardCode": "WEB-GUEST",
        "DocDate": "2026-03-07",
        "DocCurrency": "USD",
        "TransferAccount": "_SYS00000000261",
        "TransferSum": amount,
        "PaymentInvoices": applied,
        **more,
    }


def operation(method: str, path: str, body: str = "", content_id: str = "") -> str:
    """A part of a batch."""
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
    head += f"Content-ID: {content_id}\r\n" if content_id else ""
    kind = "Content-Type: application/json\r\n" if body else ""
    # a GET needs two empty lines after its request line: one more than the delimiter of the next part brings
    return f"{head}\r\n{method} /b1s/v2/{path}\r\n{kind}\r\n{body}"


def change_set(*operations: str) -> str:
    inner = "".join(f"--cs_b2\r\n{each}\r\n" for each in operations)
    return f"Content-Type: multipart/mixed;boundary=cs_b2\r\n\r\n{inner}--cs_b2--"


def statuses(answer: requests.Response) -> list[int]:
    return [int(each) for each in re.findall(r"HTTP/1\.1 (\d{3})", answer.text)]


def error_code(answer: requests.Response) -> int:
    return int(answer.json()["error"]["code"])


def error_text(answer: requests.Response) -> str:
    message = answer.json()["error"]["message"]
    return message if isinstance(message, str) else message["value"]
