"""Reads: addresses, options, pages, ETags, the forms of both versions, stored SQL."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from .client import ServiceLayer, document, error_code, line


def orders(b1: ServiceLayer, count: int) -> None:
    for number in range(count):
        b1.made("Orders", document(NumAtCard=f"N{number % 2}", U_MLC_REF=f"s:{number}:ord"))


def entries(answer: Any) -> list[int]:
    return [each["DocEntry"] for each in answer["value"]]


def test_forms_of_both_versions(b1: ServiceLayer) -> None:
    orders(b1, 1)
    old, new = b1.at(1), b1
    for caller, kind, note, etag in (
        (old, "application/json;odata=minimalmetadata;charset=utf-8", "odata.metadata", "odata.etag"),
        (new, "application/json;odata.metadata=minimal;charset=utf-8", "@odata.context", "@odata.etag"),
    ):
        answer = caller.call("GET", "Orders(1)")
        assert answer.headers["Content-Type"] == kind
        assert note in answer.json()
        assert answer.json()[etag] == answer.headers["ETag"]
    assert old.get("Orders(1)?$select=DocDate")["DocDate"] == "2026-03-07"
    assert new.get("Orders(1)?$select=DocDate")["DocDate"] == "2026-03-07T00:00:00Z"
    assert old.get("Orders?$inlinecount=allpages")["odata.count"] == "1"
    assert new.get("Orders?$count=true")["@odata.count"] == 1
    assert old.get("Orders(1)/PickRemark") == {"odata.null": True}
    assert new.get("Orders(1)/PickRemark") == {"@odata.null": True}
    assert old.call("GET", "Orders?$inlinecount=some").status_code == 400
    refused_old, refused_new = old.call("GET", "Orders(9)"), new.call("GET", "Orders(9)")
    assert refused_old.json() == {
        "error": {"code": -2028, "message": {"lang": "en-us", "value": "No matching records found (ODBC -2028)"}}
    }
    assert refused_new.json()["error"]["details"] == [{"code": "", "message": ""}]
    assert refused_new.status_code == 404


def test_addresses(b1: ServiceLayer) -> None:
    orders(b1, 1)
    assert b1.get("Orders(DocEntry=1)")["DocEntry"] == 1
    assert b1.get("Orders(1)/DocEntry")["value"] == 1
    assert b1.call("GET", "Orders(1)/DocEntry/$value").text == "1"
    assert b1.call("GET", "Orders/$count").text == "1"
    b1.made("BusinessPartners", {"CardCode": "O'Neil/1", "CardName": "O'Neil"})
    assert b1.get("BusinessPartners(" + quote("'O''Neil/1'", safe="") + ")")["CardName"] == "O'Neil"
    b1.made("SpecialPrices", {"CardCode": "C10001", "ItemCode": "PLATE", "Price": 1})
    assert b1.get("SpecialPrices(CardCode='C10001',ItemCode='PLATE')")["Price"] == 1
    for wrong in ("Orders('1')", "Orders(1,2)", "BusinessPartners(1)", "Nothing", "Orders(1)/Nothing"):
        assert b1.call("GET", wrong).status_code == 400, wrong


def test_select_takes_columns_and_collections(b1: ServiceLayer) -> None:
    orders(b1, 1)
    (row,) = b1.get("Orders?$select=DocEntry,DocumentLines")["value"]
    assert set(row) == {"@odata.etag", "DocEntry", "DocumentLines"}
    assert error_code(b1.call("GET", "Orders?$select=DocEntry,Other")) == -1000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DocEntry eq 2", [2]),
        ("DocEntry gt 1 and DocEntry le 3", [2, 3]),
        ("(DocEntry eq 1 or DocEntry eq 3) and not (NumAtCard eq 'N1')", [1, 3]),
        ("U_MLC_REF eq 's:1:ord'", [2]),
        ("startswith(U_MLC_REF,'s:2')", [3]),
        ("endswith(U_MLC_REF,':ord') and contains(U_MLC_REF,'1')", [2]),
        ("substringof('s:0',U_MLC_REF)", [1]),
        ("DocumentStatus eq 'O' and CancelStatus eq 'csNo'", [1, 2, 3]),
        ("DocDate eq '2026-03-07T13:00:00' and DocDate lt datetime'2026-03-08'", [1, 2, 3]),
        ("DocDate eq '20260307'", [1, 2, 3]),
        ("Project eq null", [1, 2, 3]),
        ("Project ne null", []),
        ("NumAtCard eq 'n1'", []),
    ],
)
def test_filters(b1: ServiceLayer, text: str, found: list[int]) -> None:
    orders(b1, 3)
    assert entries(b1.get(f"Orders?$filter={quote(text)}")) == found


def test_text_is_compared_by_case_as_the_database_does(b1: ServiceLayer) -> None:
    orders(b1, 2)
    text = "Orders?$filter=NumAtCard eq 'n1'"
    assert entries(b1.get(text, B1S_CaseInsensitive="true")) == [2]
    b1.settings(database="mssql")
    assert entries(b1.get(text)) == [2]


@pytest.mark.parametrize(
    "text",
    [
        "DocEntry in (1,2)",
        "DocEntry add 1 eq 2",
        "length(CardCode) eq 3",
        "tolower(CardCode) eq 'x'",
        "DocumentLines/any(l:l/ItemCode eq 'PLATE')",
        "Other eq 1",
        "DocumentLines eq null",
        "DocEntry eq",
        "DocEntry eq 'x'",
        "DocumentStatus eq 'bost_Never'",
        "(DocEntry eq 1",
    ],
)
def test_filters_that_are_refused(b1: ServiceLayer, text: str) -> None:
    assert b1.call("GET", f"Orders?$filter={quote(text)}").status_code == 400


def test_time_of_a_stamp_counts_by_the_minute(b1: ServiceLayer) -> None:
    with b1.standing("2026-03-07T20:38:45+00:00"):
        orders(b1, 1)
        row = b1.get("Orders(1)?$select=UpdateDate,UpdateTime")
        assert (row["UpdateDate"], row["UpdateTime"]) == ("2026-03-07T00:00:00Z", "14:38:45")  # Chicago
        for text, found in (
            ("UpdateTime eq '14:38:59'", [1]),
            ("UpdateTime ge '143800'", [1]),
            ("UpdateTime gt '14:38'", []),
            ("UpdateTime ge '14:39'", []),
        ):
            assert entries(b1.get(f"Orders?$filter={text}")) == found, text


def test_pages_follow_links_and_the_wanted_size(b1: ServiceLayer) -> None:
    orders(b1, 25)
    first = b1.get("Orders?$filter=DocEntry gt 2&$select=DocEntry")
    assert len(first["value"]) == 20
    assert first["@odata.nextLink"].startswith("/b1s/v2/Orders?$filter=")
    rest = b1.get(b1.told.base_url + first["@odata.nextLink"])
    assert entries(first) + entries(rest) == list(range(3, 26))
    assert "@odata.nextLink" not in rest
    answer = b1.call("GET", "Orders?$select=DocEntry", headers={"Prefer": "odata.maxpagesize=7"})
    assert answer.headers["Preference-Applied"] == "odata.maxpagesize=7"
    assert len(answer.json()["value"]) == 7
    assert len(b1.get("Orders", Prefer="odata.maxpagesize=0")["value"]) == 25
    assert len(b1.get("Orders", B1S_PageSize="5")["value"]) == 5
    some = b1.get("Orders?$top=3&$skip=1&$orderby=DocEntry desc")
    assert entries(some) == [24, 23, 22]
    assert "@odata.nextLink" not in some
    b1.settings(next_link_form="relative", next_link_options=False)
    assert b1.at(1).get("Orders?$filter=DocEntry gt 2")["odata.nextLink"] == "Orders?$skip=20"
    b1.settings(next_link_form="stray")
    assert b1.get("Orders")["@odata.nextLink"] == "Orders?&$skip=20"
    assert entries(b1.get("Orders?&$skip=20")) == [21, 22, 23, 24, 25]


def test_offset_pages_shift_when_rows_go_and_come(b1: ServiceLayer) -> None:
    orders(b1, 6)
    first = b1.get("Orders?$filter=DocumentStatus eq 'O'&$select=DocEntry", Prefer="odata.maxpagesize=3")
    assert b1.post("Orders(1)/Cancel").status_code == 204
    second = b1.get(b1.told.base_url + first["@odata.nextLink"], Prefer="odata.maxpagesize=3")
    assert (entries(first), entries(second)) == ([1, 2, 3], [5, 6])  # 4 was never seen


@pytest.mark.parametrize(("fault", "found"), [("duplicate_row", [3, 4, 5]), ("missing_row", [5, 6])])
def test_rows_twice_or_never_across_pages(b1: ServiceLayer, fault: str, found: list[int]) -> None:
    orders(b1, 6)
    answer = b1.get("Orders?$select=DocEntry&$skip=3", Prefer="odata.maxpagesize=3", X_Sandbox_Fault=fault)
    assert entries(answer) == found


def test_etags_guard_patches_and_actions(b1: ServiceLayer) -> None:
    orders(b1, 1)
    etag = b1.call("GET", "Orders(1)").headers["ETag"]
    assert etag.startswith('W/"')
    assert len(etag) == 44
    assert b1.patch("Orders(1)", {"Comments": "a"}, If_Match=etag).status_code == 204
    stale = b1.patch("Orders(1)", {"Comments": "b"}, If_Match=etag)
    assert (stale.status_code, error_code(stale)) == (412, -2039)
    assert b1.call("POST", "Orders(1)/Cancel", headers={"If-Match": etag}).status_code == 412
    assert b1.patch("Orders(1)", {"Comments": "c"}).status_code == 204
    assert "ETag" not in b1.call("GET", "Warehouses('01')").headers
    assert b1.patch("Orders(1)", {"Comments": "d"}, X_Sandbox_Fault="etag_conflict").status_code == 412


def test_metadata_has_what_the_node_knows(b1: ServiceLayer) -> None:
    for caller, name in ((b1, "Action"), (b1.at(1), "FunctionImport")):
        text = caller.call("GET", "$metadata").text
        root = ElementTree.fromstring(text)
        tags = {each.tag.rpartition("}")[2] for each in root.iter()}
        assert name in tags
        names = {each.get("Name") for each in root.iter()}
        assert {"Document", "U_MLC_REF", "U_MLC_CLAIM", "BoYesNoEnum"} <= names
    assert '<Member Name="tYES" Value="Y"/>' in b1.at(1).call("GET", "$metadata").text
    names = {each["name"] for each in b1.get("")["value"]}
    assert {"Orders", "U_MLC_CLAIM"} <= names


def query(b1: ServiceLayer, code: str, text: str) -> None:
    b1.made("SQLQueries", {"SqlCode": code, "SqlName": code, "SqlText": text})


def test_stock_in_bulk_by_stored_sql(b1: ServiceLayer) -> None:
    text = (
        "select T0.ItemCode, T0.WhsCode, T0.OnHand, T0.IsCommited, T0.OnOrder from OITW T0 "
        "where T0.ItemCode > :k order by T0.ItemCode, T0.WhsCode"
    )
    query(b1, "MLC_STOCK_1", text)
    rows = b1.get("SQLQueries('MLC_STOCK_1')/List?k='PLATE'", Prefer="odata.maxpagesize=4")
    assert rows["value"][0] == {
        "ItemCode": "RESTOCKING",
        "WhsCode": "01",
        "OnHand": 0.0,
        "IsCommited": 0.0,
        "OnOrder": 0.0,
    }
    assert rows["@odata.nextLink"] == "SQLQueries('MLC_STOCK_1')/List?k='PLATE'&$skip=4"
    posted = b1.post("SQLQueries('MLC_STOCK_1')/List", {"ParamList": "k='PLATE'"}).json()
    assert posted["value"][:4] == rows["value"]
    again = b1.post("SQLQueries", {"SqlCode": "MLC_STOCK_1", "SqlText": text})
    assert error_code(again) == -2035
    assert error_code(b1.call("GET", "SQLQueries('NONE')/List")) == -2028
    assert error_code(b1.call("GET", "SQLQueries('MLC_STOCK_1')/List")) == 704


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_by_key_are_the_rows_of_one_run(b1: ServiceLayer, size: int) -> None:
    """A page that is cut by its size never splits or reorders what one key has."""
    text = "select T0.ItemCode, T0.WhsCode from OITW T0 where T0.ItemCode > :k order by T0.ItemCode, T0.WhsCode desc"
    query(b1, "MLC_KEYS", text)
    whole = b1.get("SQLQueries('MLC_KEYS')/List?k=''", Prefer="odata.maxpagesize=1000")["value"]
    assert whole == sorted(whole, key=lambda row: (row["ItemCode"], -int(row["WhsCode"])))
    assert len(whole) == 48
    start = whole[10]["ItemCode"]
    page = b1.get(f"SQLQueries('MLC_KEYS')/List?k='{start}'", Prefer=f"odata.maxpagesize={size}")
    after = [row for row in whole if row["ItemCode"] > start]
    assert page["value"] == after[:size]
    assert ("@odata.nextLink" in page) == (len(after) > size)


def test_duplicates_are_counted_by_stored_sql(b1: ServiceLayer) -> None:
    for reference in ("s:1:inv", "s:1:inv", "s:2:inv"):
        b1.made("Invoices", document(U_MLC_REF=reference))
    query(
        b1,
        "MLC_DUP_1",
        'select T0."U_MLC_REF", count(*) as "n", sum(T0.DocTotal) as total, max(T0.DocDate) as day from OINV T0 '
        "where T0.CANCELED = 'N' and T0.U_MLC_REF is not null group by T0.U_MLC_REF having count(*) > 1",
    )
    told = b1.get("SQLQueries('MLC_DUP_1')/List")["value"]
    assert told == [{"U_MLC_REF": "s:1:inv", "n": 2, "total": 43.3, "day": "20260307"}]
    query(
        b1,
        "MLC_JOIN_1",
        "select T1.DocEntry, T0.ItemCode, T0.Quantity from INV1 T0 inner join OINV T1 on T0.DocEntry = T1.DocEntry "
        "where T1.DocEntry >= :e and T0.BaseType is null order by T1.DocEntry desc",
    )
    told = b1.get("SQLQueries('MLC_JOIN_1')/List?e=2")["value"]
    assert [each["DocEntry"] for each in told] == [3, 2]
    b1.made("U_MLC_CLAIM", {"Code": "a", "Name": "a"})
    query(b1, "MLC_CLAIM_1", "select T0.Code, upper(T0.Name) as big from [@MLC_CLAIM] T0 order by T0.Code")
    assert b1.get("SQLQueries('MLC_CLAIM_1')/List")["value"] == [{"Code": "a", "big": "A"}]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select * from OINV", 701),
        ("select T0.DocEntry, T0.DocEntry from OINV T0", 701),
        ("select count(*) from OINV T0", 701),
        ("select T0.DocEntry + 1 as x from OINV T0", 701),
        ("select T0.DocEntry from OINV T0 where T0.DocEntry in (select 1)", 701),
        ("select year(T0.DocDate) as y from OINV T0", 701),
        ("select T0.DocEntry from OINV T0 limit 5", 701),
        ("delete from OINV", 701),
        ("select T0.Account from JDT1 T0", 702),
        ("select T0.AcctCode from OACT T0", 702),
        ("select T0.Secret from OINV T0", 703),
        ("select T0.CardCode, count(*) as n from OINV T0 group by T0.DocEntry", 701),
    ],
)
def test_sql_that_is_refused(b1: ServiceLayer, text: str, code: int) -> None:
    answer = b1.post("SQLQueries", {"SqlCode": "X", "SqlText": text})
    assert (answer.status_code, error_code(answer)) == (400, code), answer.text


def test_pages_of_stored_sql_without_an_order_are_not_stable_on_hana(b1: ServiceLayer) -> None:
    query(b1, "MLC_NO_ORDER", "select T0.ItemCode, T0.WhsCode from OITW T0")
    pages = [b1.get("SQLQueries('MLC_NO_ORDER')/List?$skip=0")["value"] for _ in range(3)]
    assert pages[0] != pages[1]
    b1.settings(database="mssql")
    pages = [b1.get("SQLQueries('MLC_NO_ORDER')/List?$skip=0")["value"] for _ in range(2)]
    assert pages[0] == pages[1]


def test_company_tells_itself(b1: ServiceLayer) -> None:
    admin = b1.post("CompanyService_GetAdminInfo").json()
    assert (admin["LocalCurrency"], admin["TotalsAccuracy"], admin["DefaultWarehouse"]) == ("USD", 2, "01")
    info = b1.post("CompanyService_GetCompanyInfo").json()
    assert (info["Version"], info["BlockStockNegativeQuantity"]) == (1000230, "tYES")
    rounded = b1.post(
        "CompanyService_RoundDecimal", {"DecimalData": {"Value": 1.005, "Context": "rcSum", "Currency": "EUR"}}
    )
    assert rounded.json()["Value"] == 1.01
    series = b1.post("SeriesService_GetDocumentSeries", {"DocumentTypeParams": {"Document": "13"}}).json()["value"]
    assert [(each["Name"], each["NextNumber"]) for each in series] == [("Primary", 1)]
    b1.made("Invoices", document(line()))
    series = b1.post("SeriesService_GetDocumentSeries", {"DocumentTypeParams": {"Document": "13"}}).json()["value"]
    assert series[0]["NextNumber"] == 2
    assert b1.post("SBOBobService_GetCurrencyRate", {"Currency": "EUR", "Date": "20260307"}).json() == 1.086957
    given = {"Currency": "EUR", "Rate": "1.2", "RateDate": "20260307"}
    assert b1.post("SBOBobService_SetCurrencyRate", given).status_code == 204
    assert b1.post("SBOBobService_GetCurrencyRate", {"Currency": "EUR", "Date": "20260307"}).json() == 1.2
    assert b1.post("SBOBobService_GetLocalCurrency").json()["value"] == "USD"


def test_master_data_for_a_mapping(b1: ServiceLayer) -> None:
    assert {each["Code"] for each in b1.get("Currencies")["value"]} >= {"USD", "EUR", "CAN"}
    vat = b1.get("VatGroups('A19')")
    assert vat["VatGroups_Lines"][0]["Rate"] == 19
    assert b1.get("SalesTaxCodes('O825')")["Rate"] == 8.25
    (row,) = b1.get("ChartOfAccounts?$filter=FormatCode eq '113100'")["value"]
    assert (row["Code"], row["ActiveAccount"]) == ("_SYS00000000261", "tYES")
    assert [each["WarehouseCode"] for each in b1.get("Warehouses")["value"]] == ["01", "02"]
    item = b1.get("Items('MUG-BLUE')?$select=ItemCode,ItemWarehouseInfoCollection")
    assert [each["InStock"] for each in item["ItemWarehouseInfoCollection"]] == [5000, 500]
    assert {each["FactorCode"] for each in b1.get("DistributionRules")["value"]} == {"WEB", "SHOP"}
