"""OData V2 reads: envelope, filters, pages, errors, master data, the look-up of journal entries."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
import requests

from .client import CUBE, ODATA, Sap, debtor, entry, envelope, gl, sale

ACCOUNTS = "API_GLACCOUNTINCHARTOFACCOUNTS_SRV/A_GLAccountInChartOfAccounts"


def many(sap: Sap, count: int) -> None:
    lines = gl("41000000", "-1.00") + gl("11310000", "1.00")
    sap.post(*(entry(lines, DocumentReferenceID=f"S1-O{number:03}") for number in range(count)))


def references(sap: Sap, filter_text: str) -> set[str]:
    return {row["DocumentReferenceID"] for row in sap.results(CUBE, filter=filter_text, select="DocumentReferenceID")}


def test_an_item_looks_as_the_service_writes_it(sap: Sap) -> None:
    sap.post(sale())
    (row,) = sap.results(CUBE, filter="DocumentReferenceID eq 'S1-O1' and AccountingDocumentItem eq '002'")
    uri = row["__metadata"]["uri"]
    assert uri.endswith(
        "(CompanyCode='1710',FiscalYear='2026',AccountingDocument='1800000000',AccountingDocumentItem='2')"
    )
    assert row["__metadata"]["type"] == "API_OPLACCTGDOCITEMCUBE_SRV.A_OperationalAcctgDocItemCubeType"
    assert row["PostingDate"] == "/Date(1769817600000)/"
    assert (row["AmountInTransactionCurrency"], row["Customer"], row["GLAccount"]) == ("108.25", "17100001", "12100000")
    assert (row["AccountingDocumentItem"], row["DebitCreditCode"], row["IsReversed"]) == ("2", "S", False)
    assert row["AccountingDocCreatedByUser"] == "BCCONNECT"
    assert row["ClearingDate"] is None
    alone = requests.get(uri, headers={"Accept": "application/json"}, auth=sap.auth, timeout=5).json()["d"]
    assert alone["DocumentReferenceID"] == "S1-O1"


def test_tax_items_carry_no_account(sap: Sap) -> None:
    sap.post(sale())
    (row,) = sap.results(CUBE, filter="DocumentReferenceID eq 'S1-O1' and AccountingDocumentItemType eq 'T'")
    assert (row["GLAccount"], row["TaxCode"], row["TaxBaseAmountInTransCrcy"]) == ("", "O1", "-100.00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DocumentReferenceID eq 'S1-O001'", {"S1-O001"}),
        ("DocumentReferenceID eq 's1-o001'", {"S1-O001"}),
        ("DocumentReferenceID eq 'S1-O001' or DocumentReferenceID eq 'S1-O003'", {"S1-O001", "S1-O003"}),
        ("CompanyCode eq '1710' and (DocumentReferenceID eq 'S1-O001' or DocumentReferenceID eq 'S1-O002')", 2),
        ("not (DocumentReferenceID eq 'S1-O001')", 3),
        ("DocumentReferenceID ne 'S1-O001'", 3),
        ("startswith(DocumentReferenceID,'S1-O00') and DocumentReferenceID gt 'S1-O002'", {"S1-O003"}),
        ("DocumentReferenceID eq 'S1-O001' or startswith(DocumentReferenceID,'S1-O00')", 4),
        ("startswith(DocumentReferenceID,'S1-') and DocumentReferenceID eq 'S1-O001'", {"S1-O001"}),
        ("startswith(DocumentReferenceID,'S1-O00') and startswith(DocumentReferenceID,'S1-O003')", {"S1-O003"}),
        ("startswith(DocumentReferenceID,'S2-')", 0),
        ("endswith(DocumentReferenceID,'3') eq true", {"S1-O003"}),
        ("substringof('O00',DocumentReferenceID)", 4),
        ("substringof('O00',DocumentReferenceID) eq false", 0),
        ("AmountInTransactionCurrency gt 0.5m and AmountInTransactionCurrency le 1m", 4),
        ("AmountInTransactionCurrency lt -1", 0),
        ("PostingDate eq datetime'2026-01-31T00:00:00'", 4),
        ("PostingDate ge datetime'2026-02-01T00:00:00'", 0),
        ("AccountingDocument eq '1800000002'", {"S1-O002"}),
        ("GLAccount eq '41000000' and GLAccount eq '0041000000'", 4),
        ("IsReversed eq false and ClearingDate eq null", 4),
        ("DocumentReferenceID eq 'it''s' or DocumentReferenceID eq 'S1-O000'", {"S1-O000"}),
        ("CompanyCode eq '1710' and CompanyCode eq '1010'", 0),
    ],
)
def test_filters(sap: Sap, text: str, expected: set[str] | int) -> None:
    many(sap, 4)
    found = references(sap, text)
    assert (len(found) if isinstance(expected, int) else found) == expected


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("filter", "Colour eq 'red'"),
        ("filter", "CompanyCode eq 1710"),
        ("filter", "CompanyCode = '1710'"),
        ("filter", "CompanyCode eq '1710' and"),
        ("filter", "(CompanyCode eq '1710'"),
        ("filter", "contains(CompanyCode,'1')"),
        ("filter", "PostingDate eq '2026-01-31'"),
        ("filter", "PostingDate eq datetime'yesterday'"),
        ("select", "CompanyCode,Colour"),
        ("orderby", "Colour"),
        ("orderby", "CompanyCode upwards"),
        ("expand", "to_Colour"),
        ("top", "many"),
        ("inlinecount", "some"),
        ("count", "true"),
    ],
)
def test_what_the_service_does_not_know_is_a_400(sap: Sap, option: str, text: str) -> None:
    answer = sap.get(CUBE, **{option: text})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]["value"]
    assert error["innererror"]["application"]["service_id"] == "API_OPLACCTGDOCITEMCUBE_SRV"


def test_pages_follow_the_next_link(sap: Sap) -> None:
    many(sap, 6)
    sap.settings(page_cap=5)
    query = {"filter": "CompanyCode eq '1710'", "orderby": "AccountingDocument desc", "inlinecount": "allpages"}
    first = sap.get(CUBE, **query, top="11").json()["d"]
    assert (len(first["results"]), first["__count"]) == (5, "12")
    seen, link = first["results"], first["__next"]
    while link:
        assert "$skiptoken=" in link
        page = requests.get(link, headers={"Accept": "application/json"}, auth=sap.auth, timeout=5).json()["d"]
        seen += page["results"]
        link = page.get("__next")
    keys = [(row["AccountingDocument"], row["AccountingDocumentItem"]) for row in seen]
    assert len(keys) == len(set(keys)) == 11
    assert [key[0] for key in keys] == sorted((key[0] for key in keys), reverse=True)


def test_services_of_the_newer_kind_give_100_rows(sap: Sap) -> None:
    sap.control("POST", "/seed", {"gl_accounts": [str(50_000_000 + number) for number in range(150)]})
    assert len(sap.results(ACCOUNTS)) > 150
    sap.settings(page_without_top=100)
    assert len(sap.results(ACCOUNTS)) == 100
    assert len(sap.results(ACCOUNTS, top="140")) == 140


def test_skip_top_and_count(sap: Sap) -> None:
    many(sap, 3)
    rows = sap.results(
        CUBE, orderby="AccountingDocument,AccountingDocumentItem", skip="1", top="2", select="AccountingDocument"
    )
    assert [row["AccountingDocument"] for row in rows] == ["1800000000", "1800000001"]
    counted = sap.get(f"{CUBE}/$count", filter="DocumentReferenceID eq 'S1-O001'")
    assert (counted.text, counted.headers["Content-Type"]) == ("2", "text/plain;charset=utf-8")


def test_the_next_link_can_name_another_host(sap: Sap) -> None:
    many(sap, 3)
    sap.settings(page_cap=2)
    sap.fault("next_link_host", host="erp.internal.example:44300")
    link = sap.get(CUBE).json()["d"]["__next"]
    parts = urlsplit(link)
    assert parts.netloc == "erp.internal.example:44300"
    assert parts.path == f"{ODATA}/{CUBE}"


def test_a_posted_document_is_visible_at_once_or_after_the_lag(sap: Sap) -> None:
    sap.post(sale())
    assert references(sap, "DocumentReferenceID eq 'S1-O1'") == {"S1-O1"}
    sap.control("POST", "/seed", {"lookup_lag_s": 0.3})
    sap.post(sale(DocumentReferenceID="S1-O2"))
    assert references(sap, "DocumentReferenceID eq 'S1-O2'") == set()
    deadline = time.monotonic() + 5
    while references(sap, "DocumentReferenceID eq 'S1-O2'") == set():
        assert time.monotonic() < deadline
    assert len(sap.state("journal_entries")) == 2


def test_a_stale_look_up_misses_what_is_fresh(sap: Sap) -> None:
    sap.post(sale())
    sap.fault("stale_lookup", lag_s=60)
    assert references(sap, "DocumentReferenceID eq 'S1-O1'") == set()
    assert references(sap, "DocumentReferenceID eq 'S1-O1'") == {"S1-O1"}


def test_a_late_commit_appears_after_the_look_up(sap: Sap) -> None:
    sap.fault("late_commit", answer_after_s=0.05, commit_after_s=0.6)
    with pytest.raises(requests.exceptions.ConnectionError):
        sap.soap(envelope(sale()))
    assert references(sap, "DocumentReferenceID eq 'S1-O1'") == set()
    deadline = time.monotonic() + 5
    while not references(sap, "DocumentReferenceID eq 'S1-O1'"):
        assert time.monotonic() < deadline


def test_json_has_to_be_asked_for(sap: Sap) -> None:
    assert sap.get(CUBE, headers={"Accept": "*/*"}).status_code == 406
    assert sap.get(CUBE, headers={"Accept": "*/*"}, format="json").status_code == 200


def test_keys_that_do_not_fit(sap: Sap) -> None:
    assert sap.get("API_COMPANYCODE_SRV/A_CompanyCode('1710')").json()["d"]["Currency"] == "USD"
    assert sap.get("API_COMPANYCODE_SRV/A_CompanyCode('9999')").status_code == 404
    assert sap.get("API_COMPANYCODE_SRV/A_Nothing").status_code == 404
    assert sap.get(f"{ACCOUNTS}('YCOA')").status_code == 400
    account = sap.get(f"{ACCOUNTS}(ChartOfAccounts='YCOA',GLAccount='0012100000')").json()["d"]
    assert account["GLAccount"] == "12100000"
    assert account["to_Text"]["__deferred"]["uri"].endswith("/to_Text")


def test_errors_come_in_xml_when_the_gateway_is_like_that(sap: Sap) -> None:
    answer = sap.get("API_COMPANYCODE_SRV/A_CompanyCode('9999')", headers={"X-Sandbox-Fault": "xml_error"})
    assert answer.status_code == 404
    assert "application/xml" in answer.headers["Content-Type"]
    assert "<code>/IWBEP/CM_MGW_RT/020</code>" in answer.text


def test_chart_of_accounts_with_texts(sap: Sap) -> None:
    (row,) = sap.results(ACCOUNTS, filter="ChartOfAccounts eq 'YCOA' and GLAccount eq '41000000'", expand="to_Text")
    texts = {text["Language"]: text["GLAccountName"] for text in row["to_Text"]["results"]}
    assert texts == {"EN": "Revenue domestic", "DE": "Revenue domestic"}
    assert (row["IsProfitLossAccount"], row["AccountIsBlockedForPosting"]) == (True, False)


def test_centers_are_read_with_their_validity(sap: Sap) -> None:
    seed = {"cost_centers": [{"number": "CC-1", "companies": ["1710"], "valid_to": "2026-06-30", "blocked": True}]}
    sap.control("POST", "/seed", seed)
    (row,) = sap.results("API_COSTCENTER_SRV/A_CostCenter", filter="CostCenter eq 'CC-1'")
    assert (row["CompanyCode"], row["IsBlkdForPrimaryCostsPosting"]) == ("1710", "X")
    assert row["ValidityEndDate"] == "/Date(1782777600000)/"
    centers = {row["ProfitCenter"] for row in sap.results("API_PROFITCENTER_SRV/A_ProfitCenter")}
    assert "YB110" in centers
    open_end = sap.results("API_PROFITCENTER_SRV/A_ProfitCenter", filter="ProfitCenter eq 'YB110'")[0][
        "ValidityEndDate"
    ]
    assert open_end == "/Date(253402214400000)/"


def test_ledger_sets_cannot_be_written(sap: Sap) -> None:
    token = sap.fetch_token("API_COMPANYCODE_SRV")
    url = f"{sap.told.base_url}{ODATA}/API_COMPANYCODE_SRV/A_CompanyCode"
    answer = sap.http.post(url, json={}, headers={"X-CSRF-Token": token, "Accept": "application/json"}, auth=sap.auth)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "/IWBEP/CM_MGW_RT/021")


def test_html_of_the_web_tier(sap: Sap) -> None:
    answer = sap.get(CUBE, headers={"X-Sandbox-Fault": "html_503"})
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (503, "text/html")


def test_customer_lines_name_customer_and_control_account(sap: Sap) -> None:
    sap.post(entry(gl("11310000", "-5.00") + debtor("17100001", "5.00"), AccountingDocumentType="DZ"))
    (row,) = sap.results(CUBE, filter="Customer eq '17100001'", select="Customer,GLAccount,PostingKey,IsCleared")
    assert (row["GLAccount"], row["PostingKey"], row["IsCleared"]) == ("12100000", "01", False)
