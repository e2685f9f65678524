"""What people at the ERP do meanwhile: approve, copy, edit, cancel, move stock; and approvals by rule."""

from __future__ import annotations

from .client import ServiceLayer, document, error_code, line, transfer

RULE = {"entity_set": "Invoices", "min_total": "20"}


def test_approval_leaves_a_draft_and_answers_an_error(b1: ServiceLayer) -> None:
    b1.settings(approvals=[RULE])
    answer = b1.post("Invoices", document(U_MLC_REF="s:1:inv"))
    assert (answer.status_code, error_code(answer)) == (400, -2028)
    assert b1.state("Invoices") == []
    assert b1.stock("PLATE") == (5000, 0)
    (draft,) = b1.get("Drafts?$filter=U_MLC_REF eq 's:1:inv'")["value"]
    assert (draft["DocObjectCode"], draft["AuthorizationStatus"]) == ("oInvoices", "dasPending")
    made = b1.control("POST", f"/documents/Drafts/{draft['DocEntry']}/approve")
    assert (made["U_MLC_REF"], made["DocTotal"], made["DraftKey"]) == ("s:1:inv", "21.65", draft["DocEntry"])
    draft = b1.get(f"Drafts({draft['DocEntry']})")
    assert (draft["AuthorizationStatus"], draft["DocumentStatus"]) == ("dasGenerated", "bost_Close")
    assert b1.stock("PLATE") == (4998, 0)
    b1.made("Invoices", document(line(quantity="1")))  # below the rule's total


def test_draft_is_rejected(b1: ServiceLayer) -> None:
    assert error_code(b1.post("Orders", document(U_MLC_REF="a"), fault="approval")) == -2028
    b1.control("POST", "/documents/Drafts/1/reject")
    assert b1.get("Drafts(1)")["AuthorizationStatus"] == "dasRejected"
    assert error_code(b1.post("DraftsService_SaveDraftToDocument", {"Document": {"DocEntry": 1}})) == -5002


def test_own_draft_is_turned_into_a_document(b1: ServiceLayer) -> None:
    made = b1.made("Drafts", document(DocObjectCode="oOrders", U_MLC_REF="a"))
    assert b1.stock("PLATE") == (5000, 0)
    saved = b1.post("DraftsService_SaveDraftToDocument", {"Document": {"DocEntry": made["DocEntry"]}})
    assert saved.status_code == 204
    assert [each["U_MLC_REF"] for each in b1.state("Orders")] == ["a"]
    assert b1.state("Drafts") == []
    again = b1.made("Drafts", document(DocObjectCode="oOrders"))
    assert b1.call("DELETE", f"Drafts({again['DocEntry']})").status_code == 204


def test_copy_to_carries_the_reference_along(b1: ServiceLayer) -> None:
    freight = [{"ExpenseCode": 1, "LineTotal": "5", "VatGroup": "X0"}]
    order = b1.made("Orders", document(U_MLC_REF="s:1:ord", NumAtCard="1", DocumentAdditionalExpenses=freight))[
        "DocEntry"
    ]
    partly = b1.control("POST", f"/documents/Orders/{order}/copy", {"to": "DeliveryNotes", "quantities": {"0": 1}})
    assert partly["U_MLC_REF"] == "s:1:ord"
    assert b1.stock("PLATE") == (4999, 1)
    rest = b1.control("POST", f"/documents/Orders/{order}/copy", {"to": "Invoices", "fields": {"Comments": "by hand"}})
    assert (rest["U_MLC_REF"], rest["NumAtCard"], rest["Comments"]) == ("s:1:ord", "1", "by hand")
    assert b1.get(f"Orders({order})")["DocumentStatus"] == "bost_Close"
    assert b1.get("Invoices?$filter=U_MLC_REF eq 's:1:ord'")["value"][0]["DocTotal"] == 15.83


def test_a_person_cancels_edits_shifts_and_deletes(b1: ServiceLayer) -> None:
    entry = b1.made("Invoices", document(U_MLC_REF="a"))["DocEntry"]
    b1.control("POST", f"/documents/Invoices/{entry}/edit", {"Comments": "mine"})
    b1.control("POST", f"/documents/Invoices/{entry}/overwrite", {"U_MLC_REF": "b"})
    b1.control("POST", f"/documents/Invoices/{entry}/shift", {"amount": "0.01"})
    told = b1.get(f"Invoices({entry})")
    assert (told["Comments"], told["U_MLC_REF"], told["DocTotal"], told["VatSum"]) == ("mine", "b", 21.66, 1.66)
    counter = b1.control("POST", f"/documents/Invoices/{entry}/cancel")
    assert counter["CancelStatus"] == "csCancellation"
    refused = b1.control("POST", f"/documents/Invoices/{entry}/cancel", ok=False)
    assert refused["code"] == -5002
    paid = b1.made("IncomingPayments", transfer(None, "5"))["DocEntry"]
    assert b1.control("POST", f"/documents/IncomingPayments/{paid}/cancel")["Cancelled"] == "tYES"
    b1.control("POST", f"/documents/IncomingPayments/{paid}/delete")
    assert b1.state("IncomingPayments") == []
    order = b1.made("Orders", document())["DocEntry"]
    b1.control("POST", f"/documents/Orders/{order}/close")
    b1.control("POST", f"/documents/Orders/{order}/reopen")
    assert b1.get(f"Orders({order})")["DocumentStatus"] == "bost_Open"


def test_stock_is_moved_in_the_warehouse(b1: ServiceLayer) -> None:
    b1.control("POST", "/stock", {"ItemCode": "PLATE", "WarehouseCode": "02", "by": "-20"})
    b1.control("POST", "/stock", {"ItemCode": "PLATE", "InStock": "7"})
    assert (b1.stock("PLATE"), b1.stock("PLATE", "02")) == ((7, 0), (480, 0))
    b1.control("POST", "/stock", {"ItemCode": "NONE", "by": 1}, ok=False)


def test_documents_are_counted_by_reference(b1: ServiceLayer) -> None:
    for reference in ("a", "b", "a"):
        b1.made("Invoices", document(U_MLC_REF=reference))
    assert [each["DocEntry"] for each in b1.state("Invoices", "?reference=a")] == [1, 3]
    assert [each["DocEntry"] for each in b1.state("Invoices", "?after=1&limit=1")] == [2]
    assert [each["DocEntry"] for each in b1.state("Invoices", "?field=U_MLC_REF&value=b")] == [2]
    assert b1.control("GET", "/state/Invoices")["count"] == 3


def test_reset_goes_back_to_the_start(b1: ServiceLayer) -> None:
    b1.made("Invoices", document())
    b1.settings(page_size=3)
    b1.control("POST", "/reset")
    b1.login()
    assert b1.state("Invoices") == []
    assert b1.made("Invoices", document())["DocNum"] == 1
    assert b1.state("settings")[0]["page_size"] == 20
    b1.control("POST", "/seed", {"nothing": []}, ok=False)
    b1.control("POST", "/seed", {"settings": {"nothing": 1}}, ok=False)


def test_edited_draft_is_approved_as_it_was_edited(b1: ServiceLayer) -> None:
    assert error_code(b1.post("Invoices", document(U_MLC_REF="a"), fault="approval")) == -2028
    b1.control(
        "POST", "/documents/Drafts/1/edit", {"Comments": "seen", "DocumentLines": [{"LineNum": 0, "Quantity": 1}]}
    )
    assert b1.get("Drafts(1)")["DocTotal"] == 10.83
    made = b1.control("POST", "/documents/Drafts/1/approve")
    assert (made["Comments"], made["DocTotal"], made["U_MLC_REF"]) == ("seen", "10.83", "a")


def test_documents_of_all_kinds_by_reference(b1: ServiceLayer) -> None:
    b1.made("BusinessPartners", {"CardCode": "W1", "CardName": "x", "Currency": "##", "U_MLC_EXTID": "s:cust:1"})
    entry = b1.made("Invoices", document(U_MLC_REF="s:1:inv", DocCurrency="CAN"))["DocEntry"]
    b1.made("IncomingPayments", transfer(None, "5", U_MLC_REF="s:1:pay"))
    b1.made("Invoices", document(U_MLC_REF="s:2:inv"))
    b1.control("POST", "/documents/Invoices/2/cancel")
    told = [tuple(each.values()) for each in b1.state("documents")]
    assert told == [
        ("s:cust:1", "W1", "customer", True),
        ("s:1:inv", "1", "invoice", True, "21.65", "CAD"),
        ("s:2:inv", "2", "invoice", False, "21.65", "USD"),
        ("s:2:inv", "3", "invoice", False, "21.65", "USD"),
        ("s:1:pay", "1", "payment", True, "5.00", "USD"),
    ]
    b1.control("POST", "/tamper", {"reference": "s:1:inv", "amount": "0.01"})
    b1.control("POST", "/tamper", {"reference": "s:1:pay", "amount": "-1"})
    assert b1.get(f"Invoices({entry})")["DocTotalFc"] == 21.66
    assert b1.get("IncomingPayments(1)")["TransferSum"] == 4


def test_rights_are_withdrawn(b1: ServiceLayer) -> None:
    for right in (each["name"] for each in b1.state("rights")):
        assert b1.call("GET", right).status_code == 200
        b1.control("POST", "/withdraw", {"right": right})
        answer = b1.call("GET", right)
        assert (answer.status_code, error_code(answer)) == (403, -1)
    assert b1.post("Invoices", document()).status_code == 403
    b1.control("POST", "/lose_sessions")
    assert error_code(b1.call("GET", "Orders")) == 301


def test_balances_follow_a_changed_order(b1: ServiceLayer) -> None:
    def open_orders() -> float:
        return b1.get("BusinessPartners('WEB-GUEST')")["OpenOrdersBalance"]

    order = b1.made("Orders", document())["DocEntry"]
    assert open_orders() == 21.65
    assert b1.patch(f"Orders({order})", {"DocumentLines": [{"LineNum": 0, "Quantity": 4}]}).status_code == 204
    assert open_orders() == 43.3
    b1.control("POST", f"/documents/Orders/{order}/copy", {"to": "DeliveryNotes", "quantities": {"0": 1}})
    assert open_orders() == 32.475
    b1.control("POST", f"/documents/Orders/{order}/close")
    assert open_orders() == 0
