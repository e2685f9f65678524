"""A hand-written caller of the stand-in: raw requests, nothing of our connectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import requests

from ml_connector.sandbox.process import Announced

SOAP_PATH = "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"
ODATA = "/sap/opu/odata/sap"
SOAP_11, SOAP_12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
CUBE = "API_OPLACCTGDOCITEMCUBE_SRV/A_OperationalAcctgDocItemCube"


def amount(name: str, value: str, currency: str = "USD") -> str:
    return f'<{name} currencyCode="{currency}">{value}</{name}>'


def gl(account: str, value: str, *, tax: str = "", currency: str = "USD", inner: str = "", code: str = "") -> str:
    tax_part = f"<Tax><TaxCode>{tax}</TaxCode></Tax>" if tax else ""
    sign = f"<DebitCreditCode>{code}</DebitCreditCode>" if code else ""
    return (
        f"<Item><GLAccount>{account}</GLAccount>{amount('AmountInTransactionCurrency', value, currency)}{sign}"
        f"{tax_part}{inner}</Item>"
    )


def debtor(customer: str, value: str, *, currency: str = "USD", inner: str = "") -> str:
    return (
        f"<DebtorItem><ReferenceDocumentItem>1</ReferenceDocumentItem><Debtor>{customer}</Debtor>"
        f"{amount('AmountInTransactionCurrency', value, currency)}{inner}</DebtorItem>"
    )


def tax(code: str, value: str, base: str, *, currency: str = "USD", classification: str = "MWS") -> str:
    kind = f"<TaxItemClassification>{classification}</TaxItemClassification>" if classification else ""
    return (
        f"<ProductTaxItem><TaxCode>{code}</TaxCode>{kind}{amount('AmountInTransactionCurrency', value, currency)}"
        f"{amount('TaxBaseAmountInTransCrcy', base, currency)}</ProductTaxItem>"
    )


def entry(lines: str, **fields: str) -> str:
    """A journal entry; fields replace, add (before the lines) or with an empty text leave out header elements."""
    header = {
        "OriginalReferenceDocumentType": "BKPFF",
        "BusinessTransactionType": "RFBU",
        "AccountingDocumentType": "DR",
        "DocumentReferenceID": "S1-O1",
        "DocumentHeaderText": "Web order 1",
        "ReversalReason": "",
        "ReversalReferenceDocument": "",
        "DoTaxAmountCheck": "",
        "CreatedByUser": "BCCONNECT",
        "CompanyCode": "1710",
        "DocumentDate": "2026-01-31",
        "PostingDate": "2026-01-31",
        **fields,
    }
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in header.items() if text) + lines


def sale(**fields: str) -> str:
    """100.00 net, 8.25 tax."""
    lines = gl("41000000", "-100.00", tax="O1") + debtor("17100001", "108.25") + tax("O1", "-8.25", "-100.00")
    return entry(lines, **fields)


def envelope(*entries: str, version: str = SOAP_11, message_id: str = "M-1") -> str:
    stamp = "<CreationDateTime>2026-01-31T10:00:00.000Z</CreationDateTime>"
    messages = "".join(
        f"<JournalEntryCreateRequest><MessageHeader><ID>{message_id}-{number}</ID>{stamp}</MessageHeader>"
        f"<JournalEntry>{each}</JournalEntry></JournalEntryCreateRequest>"
        for number, each in enumerate(entries, 1)
    )
    return (
        f'<e:Envelope xmlns:e="{version}" xmlns:s="http://sap.com/xi/SAPSCORE/SFIN"><e:Header/><e:Body>'
        f"<s:JournalEntryBulkCreateRequest><MessageHeader><ID>{message_id}</ID>{stamp}</MessageHeader>{messages}"
        "</s:JournalEntryBulkCreateRequest></e:Body></e:Envelope>"
    )


class Confirmation:
    """What the answer says of one entry."""

    def __init__(self, xml: str) -> None:
        self.document = _first("AccountingDocument", xml)
        self.year = _first("FiscalYear", xml)
        self.reference_id = _first("ReferenceID", xml)
        self.severity = _first("MaximumLogItemSeverityCode", xml)
        self.codes = re.findall(r"<TypeID>(.*?)</TypeID>", xml)
        self.notes = re.findall(r"<Note>(.*?)</Note>", xml)

    @property
    def posted(self) -> bool:
        return self.severity in ("1", "2") and (self.document or "").strip("0 ") != ""


def _first(name: str, xml: str) -> str | None:
    match = re.search(f"<{name}>(.*?)</{name}>", xml)
    return match[1] if match else None


class Sap:
    def __init__(self, told: Announced) -> None:
        self.told = told
        self.auth = (str(told.credentials["user"]), str(told.credentials["password"]))
        self.http = requests.Session()
        self.http.headers.update({"Accept-Language": "en"})

    def soap(
        self, body: str, *, version: str = SOAP_11, headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        kind = "text/xml" if version == SOAP_11 else "application/soap+xml"
        sent = {"Content-Type": f"{kind}; charset=utf-8", **(headers or {})}
        options.setdefault("auth", self.auth)
        return self.http.post(self.told.base_url + SOAP_PATH, data=body.encode(), headers=sent, **options)

    def post(self, *entries: str, headers: Mapping[str, str] | None = None) -> list[Confirmation]:
        answer = self.soap(envelope(*entries), headers=headers)
        assert answer.status_code == 200, answer.text
        return [
            Confirmation(part) for part in re.split(r"<JournalEntryCreateConfirmation><MessageHeader>", answer.text)[1:]
        ]

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, **query: Any) -> requests.Response:
        """``filter='…'`` for ``$filter`` and so on."""
        sent = {"Accept": "application/json", **(headers or {})}
        params = {f"${name}": value for name, value in query.items()}
        return self.http.get(f"{self.told.base_url}{ODATA}/{path}", params=params, headers=sent, auth=self.auth)

    def results(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["d"]["results"]

    def fetch_token(self, service: str = "API_BUSINESS_PARTNER") -> str:
        answer = self.http.head(
            f"{self.told.base_url}{ODATA}/{service}/", headers={"X-CSRF-Token": "Fetch"}, auth=self.auth
        )
        return answer.headers["x-csrf-token"]

    def write(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, token: str = ""
    ) -> requests.Response:
        sent = {"Accept": "application/json", "X-CSRF-Token": token or self.fetch_token(), **(headers or {})}
        url = f"{self.told.base_url}{ODATA}/API_BUSINESS_PARTNER/{path}"
        return self.http.request(method, url, json=body, headers=sent, auth=self.auth)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.told.control_url + path, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def state(self, kind: str, query: str = "") -> list[dict[str, Any]]:
        return self.control("GET", f"/state/{kind}{query}")["items"]

    def settings(self, **settings: Any) -> None:
        self.control("POST", "/seed", {"settings": settings})

    def fault(self, name: str, **args: Any) -> None:
        self.control("POST", "/faults", {"fault": name, "match": {"times": 1}, "args": args})
