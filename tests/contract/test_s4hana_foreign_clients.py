"""Clients that others wrote work against the S/4HANA stand-in: zeep for SOAP, pyodata for OData V2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyodata
import pytest
import requests
import zeep
from pyodata.v2.model import Config, PolicyFatal
from zeep.transports import Transport

from ml_connector.sandbox.process import Announced, SandboxProcess

pytestmark = pytest.mark.contract

SOAP_PATH = "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"
ODATA = "/sap/opu/odata/sap/"


@pytest.fixture(scope="module")
def told() -> Iterator[Announced]:
    with SandboxProcess(["s4hana"]) as process:
        yield process.systems["s4hana"]


@pytest.fixture
def http(told: Announced) -> requests.Session:
    session = requests.Session()
    session.auth = (str(told.credentials["user"]), str(told.credentials["password"]))
    session.headers["Accept-Language"] = "en"
    return session


@pytest.fixture(params=["JOURNALENTRYCREATEREQUESTCONFI.2020.wsdl", "JOURNALENTRYCREATEREQUESTCONFI.2024.wsdl"])
def wsdl(request: pytest.FixtureRequest) -> Path:
    folder = os.environ.get("ML_CONNECTOR_SPECS")
    if not folder:
        pytest.skip("ML_CONNECTOR_SPECS is not set: it names the folder with the vendors' contracts")
    return Path(folder) / "s4hana" / request.param


def amount(value: str) -> dict[str, Any]:
    return {"_value_1": Decimal(value), "currencyCode": "USD"}


def journal_entry(reference: str, account: str) -> dict[str, Any]:
    header = {"ID": {"_value_1": reference}, "CreationDateTime": datetime(2026, 1, 31, 10, tzinfo=UTC)}
    return {
        "MessageHeader": header,
        "JournalEntry": {
            "OriginalReferenceDocumentType": "BKPFF",
            "BusinessTransactionType": "RFBU",
            "AccountingDocumentType": "DR",
            "DocumentReferenceID": reference,
            "CreatedByUser": "ZEEP",
            "CompanyCode": "1710",
            "DocumentDate": date(2026, 1, 31),
            "PostingDate": date(2026, 1, 31),
            "Item": [
                {
                    "GLAccount": {"_value_1": account},
                    "AmountInTransactionCurrency": amount("-100.00"),
                    "Tax": {"TaxCode": {"_value_1": "O1"}},
                }
            ],
            "DebtorItem": [
                {
                    "ReferenceDocumentItem": "2",
                    "Debtor": "17100001",
                    "AmountInTransactionCurrency": amount("108.25"),
                }
            ],
            "ProductTaxItem": [
                {
                    "TaxCode": {"_value_1": "O1"},
                    "TaxItemClassification": "MWS",
                    "AmountInTransactionCurrency": amount("-8.25"),
                    "TaxBaseAmountInTransCrcy": amount("-100.00"),
                }
            ],
        },
    }


def test_zeep_posts_and_reads_the_confirmation(told: Announced, http: requests.Session, wsdl: Path) -> None:
    release = {"settings": {"release": "2020" if "2020" in wsdl.name else "2024"}}
    assert requests.post(f"{told.control_url}/seed", json=release, timeout=5).ok
    client = zeep.Client(str(wsdl), transport=Transport(session=http))
    address = told.base_url + SOAP_PATH
    for binding in client.wsdl.bindings:
        service = client.create_service(binding, address)
        reference = f"Z-{wsdl.stem[-4:]}-{binding.rpartition('_')[2][-2:]}".upper()
        answer = service.JournalEntryCreateRequestConfirmation_In(
            MessageHeader={"CreationDateTime": datetime(2026, 1, 31, 10, tzinfo=UTC)},
            JournalEntryCreateRequest=[journal_entry(reference, "41000000"), journal_entry(reference, "41009999")],
        )
        posted, refused = answer.JournalEntryCreateConfirmation
        assert posted.Log.MaximumLogItemSeverityCode == "1"
        assert posted.JournalEntryCreateConfirmation.AccountingDocument.startswith("18")
        assert posted.MessageHeader.ReferenceID["_value_1"] == reference
        assert refused.Log.MaximumLogItemSeverityCode == "3"
        assert [item.TypeID for item in refused.Log.Item] == ["609(RW)", "507(F5)"]
        assert refused.JournalEntryCreateConfirmation.FiscalYear == "0000"
        stored = requests.get(f"{told.control_url}/state/journal_entries?reference={reference}", timeout=5).json()
        assert stored["count"] == 1
        assert stored["items"][0]["ignored_elements"] == []


def test_zeep_raises_the_fault_of_a_broken_request(told: Announced, http: requests.Session, wsdl: Path) -> None:
    client = zeep.Client(str(wsdl), transport=Transport(session=http))
    for binding in client.wsdl.bindings:
        service = client.create_service(binding, told.base_url + SOAP_PATH)
        entry = journal_entry("Z-FAULT", "41000000")
        entry["JournalEntry"]["CreatedByUser"] = "THIRTEENCHARS"
        with pytest.raises(zeep.exceptions.Fault, match="conversion of"):
            service.JournalEntryCreateRequestConfirmation_In(
                MessageHeader={"CreationDateTime": datetime(2026, 1, 31, 10, tzinfo=UTC)},
                JournalEntryCreateRequest=[entry],
            )


def odata_client(told: Announced, http: requests.Session, service: str) -> Any:
    config = Config(default_error_policy=PolicyFatal())
    return pyodata.Client(f"{told.base_url}{ODATA}{service}/", http, config=config)


def test_pyodata_reads_the_item_cube(told: Announced, http: requests.Session) -> None:
    lines = (
        '<Item><GLAccount>41000000</GLAccount><AmountInTransactionCurrency currencyCode="USD">-5.00'
        "</AmountInTransactionCurrency></Item><Item><GLAccount>11310000</GLAccount>"
        '<AmountInTransactionCurrency currencyCode="USD">5.00</AmountInTransactionCurrency></Item>'
    )
    stamp = "<CreationDateTime>2026-01-31T10:00:00Z</CreationDateTime>"
    head = (
        "<OriginalReferenceDocumentType>BKPFF</OriginalReferenceDocumentType>"
        "<BusinessTransactionType>RFBU</BusinessTransactionType><AccountingDocumentType>SA</AccountingDocumentType>"
        "<DocumentReferenceID>PYO-1</DocumentReferenceID><CreatedByUser>PYODATA</CreatedByUser>"
        "<CompanyCode>1710</CompanyCode><DocumentDate>2026-01-31</DocumentDate><PostingDate>2026-01-31</PostingDate>"
    )
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<s:JournalEntryBulkCreateRequest xmlns:s="http://sap.com/xi/SAPSCORE/SFIN">'
        f"<MessageHeader>{stamp}</MessageHeader><JournalEntryCreateRequest><MessageHeader>{stamp}</MessageHeader>"
        f"<JournalEntry>{head}{lines}</JournalEntry></JournalEntryCreateRequest>"
        "</s:JournalEntryBulkCreateRequest></e:Body></e:Envelope>"
    )
    assert http.post(told.base_url + SOAP_PATH, data=body, headers={"Content-Type": "text/xml"}).ok
    cube = odata_client(told, http, "API_OPLACCTGDOCITEMCUBE_SRV").entity_sets.A_OperationalAcctgDocItemCube
    query = cube.get_entities().filter("DocumentReferenceID eq 'PYO-1'").order_by("AccountingDocumentItem")
    rows = query.select("AccountingDocument,AmountInTransactionCurrency,PostingDate,GLAccount").execute()
    assert [(row.GLAccount, Decimal(row.AmountInTransactionCurrency)) for row in rows] == [
        ("41000000", Decimal("-5.00")),
        ("11310000", Decimal("5.00")),
    ]
    assert rows[0].PostingDate.date() == date(2026, 1, 31)
    assert cube.get_entities().count().filter("DocumentReferenceID eq 'PYO-1'").execute() == 2


def test_pyodata_creates_and_changes_a_business_partner(told: Announced, http: requests.Session) -> None:
    client = odata_client(told, http, "API_BUSINESS_PARTNER")
    root = f"{told.base_url}{ODATA}API_BUSINESS_PARTNER/"
    http.headers["X-CSRF-Token"] = http.head(root, headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
    made = (
        client.entity_sets.A_BusinessPartner.create_entity()
        .set(
            BusinessPartnerCategory="1",
            BusinessPartnerGrouping="BP02",
            LastName="Foreign",
            BusinessPartnerIDByExtSystem="pyo-1",
            to_BusinessPartnerRole=[{"BusinessPartnerRole": "FLCU00"}],
        )
        .execute()
    )
    assert made.BusinessPartnerIDByExtSystem == "PYO-1"
    assert made.Customer == made.BusinessPartner
    client.entity_sets.A_BusinessPartner.update_entity(BusinessPartner=made.BusinessPartner).set(
        LastName="Changed"
    ).execute()
    read = client.entity_sets.A_BusinessPartner.get_entity(made.BusinessPartner).execute()
    assert (read.LastName, read.BusinessPartnerFullName) == ("Changed", "Changed")
    with pytest.raises(pyodata.exceptions.HttpError):
        client.entity_sets.A_BusinessPartner.create_entity().set(BusinessPartnerCategory="9").execute()
