"""``$batch``: order, atomic change sets, the claim row, and the layout of both versions."""

from __future__ import annotations

import json
import re

from .client import ServiceLayer, change_set, document, error_code, operation, statuses

BATCH = {"Content-Type": "multipart/mixed;boundary=batch_a1"}


def claim(reference: str, content_id: str = "1") -> str:
    return operation("POST", "U_MLC_CLAIM", json.dumps({"Code": reference, "Name": reference}), content_id)


def invoice(content_id: str = "2", **more: object) -> str:
    return operation("POST", "Invoices", json.dumps(document(**more)), content_id)


def test_claim_and_document_commit_together_and_once(b1: ServiceLayer) -> None:
    first = b1.batch(change_set(claim("s:1:inv"), invoice(U_MLC_REF="s:1:inv")))
    assert (first.status_code, statuses(first)) == (200, [201, 201])
    again = b1.batch(change_set(claim("s:1:inv"), invoice(U_MLC_REF="s:1:inv")))
    assert (again.status_code, statuses(again)) == (200, [400])
    assert '"code":"-2035"' in again.text
    assert "changesetresponse" not in again.text
    assert len(b1.state("Invoices")) == 1
    assert len(b1.state("U_MLC_CLAIM")) == 1


def test_refused_document_takes_its_claim_along(b1: ServiceLayer) -> None:
    before = b1.stock("PLATE")
    answer = b1.batch(change_set(claim("s:1:inv"), invoice(CardCode="NOBODY")))
    assert statuses(answer) == [400]
    assert '"innererror":{"context":null,"trace":null}' in answer.text
    assert b1.state("U_MLC_CLAIM") == []
    swapped = b1.batch(change_set(invoice("1"), claim("s:1:inv", "2"), claim("s:1:inv", "3")))
    assert statuses(swapped) == [400]
    assert b1.state("Invoices") == []
    assert b1.stock("PLATE") == before
    assert b1.get("BusinessPartners('WEB-GUEST')")["CurrentAccountBalance"] == 0


def test_parts_run_in_order_and_stop_at_the_first_failure(b1: ServiceLayer) -> None:
    answer = b1.batch(
        operation("POST", "Orders", json.dumps(document())),
        operation("GET", "Orders(9)"),
        operation("POST", "Orders", json.dumps(document())),
    )
    assert statuses(answer) == [201, 404]
    assert len(b1.state("Orders")) == 1


def test_get_sees_what_came_before(b1: ServiceLayer) -> None:
    answer = b1.batch(change_set(claim("a")), operation("GET", "U_MLC_CLAIM('a')?$select=Code"))
    assert statuses(answer) == [201, 200]
    assert '"Code":"a"' in answer.text


def test_content_id_in_addresses_never_in_bodies(b1: ServiceLayer) -> None:
    answer = b1.batch(
        change_set(
            operation("POST", "Orders", json.dumps(document()), "1"),
            operation("PATCH", "$1", '{"Comments":"later"}', "2"),
            operation("POST", "$1/Cancel", "", "3"),
        )
    )
    assert statuses(answer) == [201, 204, 204]
    (order,) = b1.state("Orders")
    assert (order["Comments"], order["Cancelled"]) == ("later", "tYES")
    paid = '{"CardCode":"WEB-GUEST","PaymentInvoices":[{"DocEntry":"$1","SumApplied":1}]}'
    assert statuses(b1.batch(change_set(invoice("1"), operation("POST", "IncomingPayments", paid, "2")))) == [400]
    assert b1.state("Invoices") == []


def test_layout_of_both_versions(b1: ServiceLayer) -> None:
    parts = (change_set(claim("a"), claim("b", "2")), operation("GET", "U_MLC_CLAIM"))
    new = b1.batch(*parts)
    assert re.match(r"multipart/mixed;boundary=batchresponse_[0-9a-f-]{36}$", new.headers["Content-Type"])
    assert re.search(
        r"Content-Type: multipart/mixed;boundary=changesetresponse_[0-9a-f-]{36}\r\n\r\n--change", new.text
    )
    assert "Content-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\nHTTP/1.1 201 Created" in new.text
    assert "OData-Version: 4.0" in new.text
    old = b1.at(1).batch(*(part.replace('"a"', '"c"').replace('"b"', '"d"') for part in parts))
    assert old.status_code == 202
    assert "HTTP/1.1 201 Created\r\nContent-ID: 1\r\nDataServiceVersion: 3.0" in old.text


def test_malformed_batches(b1: ServiceLayer) -> None:
    whole = f"--batch_a1\r\n{change_set(claim('a'))}\r\n--batch_a1--\r\n"
    wrong = (
        whole.replace("--batch_a1--", ""),
        whole.replace("\r\n", "\n"),
        f"--batch_a1\r\n{change_set(operation('GET', 'Orders', '', '1'))}\r\n--batch_a1--\r\n",
        f"--batch_a1\r\n{change_set(claim('a', ''))}\r\n--batch_a1--\r\n",
        f"--batch_a1\r\n{change_set(claim('a'), claim('b'))}\r\n--batch_a1--\r\n",
        # one empty line is not enough for a GET
        "--batch_a1\r\nContent-Type: application/http\r\n\r\nGET /b1s/v2/Orders HTTP/1.1\r\n\r\n--batch_a1--\r\n",
        "",
    )
    for text in wrong:
        answer = b1.call("POST", "$batch", data=text.encode(), headers=BATCH)
        assert (answer.status_code, error_code(answer)) == (400, -1000), text
        assert answer.json()["error"]["message"] == "Incomplete Batch Request Body!"
    assert b1.state("U_MLC_CLAIM") == []


def test_session_lost_between_the_operations(b1: ServiceLayer) -> None:
    answer = b1.batch(
        change_set(claim("a"), invoice(U_MLC_REF="a")), headers={"X-Sandbox-Fault": "session_lost;part=2"}
    )
    assert (answer.status_code, statuses(answer)) == (200, [401])
    assert b1.state("U_MLC_CLAIM") == []
    assert error_code(b1.call("GET", "Orders")) == 301
    b1.login()
    answer = b1.batch(
        operation("POST", "Orders", json.dumps(document())),
        operation("POST", "Orders", json.dumps(document())),
        headers={"X-Sandbox-Fault": "session_lost;part=2"},
    )
    assert statuses(answer) == [201, 401]
    assert len(b1.state("Orders")) == 1


def test_batches_can_be_forbidden(b1: ServiceLayer) -> None:
    b1.settings(batch_allowed=False)
    assert b1.batch(change_set(claim("a"))).status_code == 403
