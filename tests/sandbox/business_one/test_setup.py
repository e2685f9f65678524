"""User fields, tables and keys; master data written; patches."""

from __future__ import annotations

from typing import Any

import pytest

from .client import ServiceLayer, document, error_code, error_text, line

FIELD = {
    "TableName": "OINV",
    "Name": "MLC_NEW",
    "Type": "db_Alpha",
    "SubType": "st_None",
    "Size": 20,
    "Description": "x",
}


def partner(**more: Any) -> dict[str, Any]:
    return {"CardCode": "W1", "CardName": "Dana Wolf", "CardType": "C", "GroupCode": 104, "Currency": "##", **more}


def test_field_is_used_only_after_the_restart_and_on_all_documents(b1: ServiceLayer) -> None:
    made = b1.made("UserFieldsMD", FIELD)
    assert made["TableName"] == "OINV"
    key = f"UserFieldsMD(TableName='OINV',FieldID={made['FieldID']})"
    assert b1.get(key)["Name"] == "MLC_NEW"
    assert error_code(b1.post("UserFieldsMD", {**FIELD, "TableName": "ORDR"})) == -2035
    refused = b1.post("Orders", document(U_MLC_NEW="x"))
    assert (refused.status_code, error_text(refused)) == (400, "Property 'U_MLC_NEW' of 'Document' is invalid")
    assert b1.call("GET", "Orders?$filter=U_MLC_NEW eq 'x'").status_code == 400
    b1.control("POST", "/restart")
    assert b1.made("Orders", document(U_MLC_NEW="x"))["U_MLC_NEW"] == "x"
    assert b1.made("Invoices", document(U_MLC_NEW="y"))["U_MLC_NEW"] == "y"
    assert error_code(b1.post("Orders", document(U_MLC_NEW="x" * 21))) == -1004
    assert b1.post("IncomingPayments", {"U_MLC_NEW": "x"}).status_code == 400


def test_field_can_be_unknown_to_one_node(b1: ServiceLayer) -> None:
    b1.control("POST", "/hide", {"table": "OINV", "field": "U_MLC_REF", "node": 1})
    b1.cookies["ROUTEID"] = ".node1"
    assert b1.post("Orders", document(U_MLC_REF="x")).status_code == 400
    b1.cookies["ROUTEID"] = ".node2"
    assert b1.post("Orders", document(U_MLC_REF="x")).status_code == 201
    answer = b1.post("Orders", document(U_MLC_REF="x"), fault="udf_missing")
    assert error_text(answer) == "Property 'U_MLC_REF' of 'Document' is invalid"


def test_table_with_its_rows_and_keys(b1: ServiceLayer) -> None:
    made = b1.made("UserTablesMD", {"TableName": "mlc_more", "TableDescription": "More", "TableType": "bott_NoObject"})
    assert made["TableName"] == "MLC_MORE"
    b1.made("UserFieldsMD", {"TableName": "@MLC_MORE", "Name": "RefHash", "Size": 40, "Description": "Hash"})
    unknown = b1.post("U_MLC_MORE", {"Code": "1", "Name": "1"})
    assert (unknown.status_code, error_code(unknown)) == (400, -1002)
    b1.control("POST", "/restart")
    key = {"KeyName": "IX_0", "Unique": "tYES", "UserKeysMD_Elements": [{"ColumnAlias": "RefHash"}]}
    assert b1.made("UserKeysMD", {"TableName": "@MLC_MORE", **key})["KeyIndex"] == 1
    assert error_code(b1.post("UserKeysMD", {"TableName": "OINV", **key})) == -2028
    b1.made("U_MLC_MORE", {"Code": "1", "Name": "1", "U_RefHash": "a"})
    for code, hashed in (("1", "b"), ("2", "a")):
        answer = b1.post("U_MLC_MORE", {"Code": code, "Name": code, "U_RefHash": hashed})
        assert (answer.status_code, error_code(answer)) == (400, -2035)
    assert error_code(b1.post("U_MLC_MORE", {"Name": "x"})) == -1
    assert b1.get("U_MLC_MORE('1')")["U_RefHash"] == "a"
    assert b1.call("DELETE", "U_MLC_MORE('1')").status_code == 204
    assert b1.post("UserTablesMD", {"TableName": "X" * 20, "TableDescription": "x"}).status_code == 400


def test_company_without_set_up_and_user_without_rights(b1: ServiceLayer) -> None:
    b1.seed(prepared=False)
    assert b1.post("Orders", document(U_MLC_REF="x")).status_code == 400
    assert error_code(b1.call("GET", "U_MLC_CLAIM")) == -1002
    b1.seed(prepared=True)
    assert b1.post("Orders", document(U_MLC_REF="x")).status_code == 201
    b1.seed(users=[{"name": "clerk", "password": "p", "may_manage": False}])
    b1.login(UserName="clerk", Password="p")
    assert error_code(b1.post("UserFieldsMD", FIELD)) == -5002
    assert error_code(b1.post("SQLQueries", {"SqlCode": "a", "SqlText": "select T0.ItemCode from OITM T0"})) == 804


def test_partner_is_created_once(b1: ServiceLayer) -> None:
    address = {"AddressName": "BILL", "AddressType": "bo_BillTo", "Street": "Rosenweg 4", "Country": "DE"}
    made = b1.made("BusinessPartners", partner(U_MLC_EXTID="s:cust:1", BPAddresses=[address]))
    assert made["CardType"] == "cCustomer"
    assert (made["BPAddresses"][0]["BPCode"], made["BPAddresses"][0]["RowNum"]) == ("W1", 0)
    again = b1.post("BusinessPartners", partner())
    assert (again.status_code, error_code(again)) == (400, -10)
    assert error_text(again).startswith("1320000140 - Business partner code 'W1' already assigned")
    twice = partner(CardCode="W2", ContactEmployees=[{"Name": "Dana"}, {"Name": "Dana"}])
    assert error_code(b1.post("BusinessPartners", twice)) == -2035
    twice = partner(CardCode="W2", BPAddresses=[address, address])
    assert error_code(b1.post("BusinessPartners", twice)) == -2035
    assert (
        b1.get("BusinessPartners?$filter=CardType eq 'C' and U_MLC_EXTID eq 's:cust:1'")["value"][0]["CardCode"] == "W1"
    )
    for wrong in ({"GroupCode": 9}, {"Currency": "XXX"}, {"CardCode": "X" * 16}, {"CardCode": None}):
        assert b1.post("BusinessPartners", partner(**{"CardCode": "W3", **wrong})).status_code == 400, wrong
    assert b1.made("BusinessPartners", partner(CardCode=None, Series=10))["CardCode"] == "C00001"


def test_patch_merges_lines_by_key_and_adds_the_rest(b1: ServiceLayer) -> None:
    both = [{"AddressName": kind, "AddressType": kind, "Street": "Old"} for kind in ("bo_BillTo", "bo_ShipTo")]
    b1.made("BusinessPartners", partner(BPAddresses=both))
    full = {"BPCode": "W1", "RowNum": 0, "AddressType": "bo_BillTo", "Street": "New"}

    def streets() -> list[str]:
        return [each["Street"] for each in b1.get("BusinessPartners('W1')")["BPAddresses"]]

    assert b1.patch("BusinessPartners('W1')", {"BPAddresses": [full]}).status_code == 204
    assert streets() == ["New", "Old"]
    # without the whole key a second row
    loose = {"AddressName": "third", "RowNum": 0, "Street": "Third"}
    assert b1.patch("BusinessPartners('W1')", {"BPAddresses": [loose]}).status_code == 204
    assert streets() == ["New", "Old", "Third"]
    answer = b1.patch("BusinessPartners('W1')", {"BPAddresses": [full]}, B1S_ReplaceCollectionsOnPatch="true")
    assert (answer.status_code, streets()) == (204, ["New"])
    # an object where a list is expected, and what is read-only: silently ignored
    assert b1.patch("BusinessPartners('W1')", {"BPAddresses": {"Street": "x"}, "CurrentAccountBalance": 5}).ok
    told = b1.get("BusinessPartners('W1')")
    assert (streets(), told["CurrentAccountBalance"], told["CardCode"]) == (["New"], 0, "W1")
    assert b1.post("BusinessPartners('W1')", {"CardName": "Z"}, headers={"X-HTTP-Method-Override": "PATCH"}).ok
    assert b1.get("BusinessPartners('W1')")["CardName"] == "Z"


def test_open_order_is_changed_line_by_line(b1: ServiceLayer) -> None:
    order = b1.made("Orders", document(line("PLATE", "2"), line("LAMP", "1")))["DocEntry"]
    change = {"DocumentLines": [{"LineNum": 0, "Quantity": 5}, line("MUG-BLUE", "1")], "Comments": "more"}
    assert b1.patch(f"Orders({order})", change).status_code == 204
    told = b1.get(f"Orders({order})")
    assert [(each["LineNum"], each["ItemCode"], each["Quantity"]) for each in told["DocumentLines"]] == [
        (0, "PLATE", 5),
        (1, "LAMP", 1),
        (2, "MUG-BLUE", 1),
    ]
    assert told["DocTotal"] == 75.79
    assert [b1.stock(item)[1] for item in ("PLATE", "LAMP", "MUG-BLUE")] == [5, 1, 1]
    only = {"DocumentLines": [{"LineNum": 0}]}
    assert b1.patch(f"Orders({order})", only, B1S_ReplaceCollectionsOnPatch="true").status_code == 204
    assert [b1.stock(item)[1] for item in ("PLATE", "LAMP", "MUG-BLUE")] == [5, 0, 0]


def test_posted_invoice_changes_its_texts_alone(b1: ServiceLayer) -> None:
    entry = b1.made("Invoices", document())["DocEntry"]
    change = {"Comments": "seen", "U_MLC_REF": "s:9", "DocTotal": 1, "DocumentLines": [{"LineNum": 0, "Quantity": 9}]}
    assert b1.patch(f"Invoices({entry})", change).status_code == 204
    told = b1.get(f"Invoices({entry})")
    assert (told["Comments"], told["U_MLC_REF"], told["DocTotal"]) == ("seen", "s:9", 21.65)
    assert told["DocumentLines"][0]["Quantity"] == 2


def test_items_and_other_master_data(b1: ServiceLayer) -> None:
    made = b1.made("Items", {"ItemCode": "NEW", "ItemName": "New", "ItemPrices": [{"PriceList": 1, "Price": 5}]})
    assert [each["WarehouseCode"] for each in made["ItemWarehouseInfoCollection"]] == ["01", "02"]
    again = b1.post("Items", {"ItemCode": "NEW"})
    assert (error_code(again), error_text(again)) == (-10, "Item code 'NEW' already exists")
    assert error_code(b1.post("Warehouses", {"WarehouseCode": "01", "WarehouseName": "x"})) == -2035
    assert b1.made("AdditionalExpenses", {"Name": "More"})["ExpensCode"] == 5
    assert error_code(b1.post("VatGroups", {"Code": "X1"})) == -5006
    assert b1.call("DELETE", "Items('NEW')").status_code == 204
    b1.made("Invoices", document())
    assert error_code(b1.call("DELETE", "Items('PLATE')")) == -5002
    assert error_code(b1.call("DELETE", "BusinessPartners('WEB-GUEST')")) == -5002


def test_no_content_is_answered_where_it_is_preferred(b1: ServiceLayer) -> None:
    answer = b1.post("Orders", document(), headers={"Prefer": "return-no-content"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Location"].endswith("/b1s/v2/Orders(1)")
    assert answer.headers["Preference-Applied"] == "return-no-content"


def test_location_of_a_key_with_marks_in_it_can_be_followed(b1: ServiceLayer) -> None:
    answer = b1.post("U_MLC_CLAIM", {"Code": "ä/1 'x'", "Name": "x"})
    assert b1.get(answer.headers["Location"])["Code"] == "ä/1 'x'"


def test_half_a_character_is_refused(b1: ServiceLayer) -> None:
    body = b'{"Code":"a","Name":"\\ud800"}'
    assert b1.call("POST", "U_MLC_CLAIM", data=body).status_code == 400


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
def test_bodies_that_are_no_object(b1: ServiceLayer, body: bytes) -> None:
    assert b1.call("POST", "Orders", data=body).status_code == 400


def test_generated_items_for_large_companies(b1: ServiceLayer) -> None:
    b1.seed(generate_items={"count": 300, "prefix": "G-", "in_stock": 7})
    assert b1.stock("G-000299") == (7, 0)
    b1.seed(stock={"G-000299": {"02": 4}}, settings={"page_size": 50})
    assert b1.stock("G-000299", "02") == (4, 0)
    seen: list[str] = []
    while True:
        last = seen[-1] if seen else ""
        rows = b1.get(f"Items?$select=ItemCode&$filter=ItemCode gt '{last}'&$orderby=ItemCode")["value"]
        if not rows:
            break
        seen += [each["ItemCode"] for each in rows]
    assert len(seen) == len(set(seen)) == 300 + 24
