"""Each fault, and what is in the books after it."""

from __future__ import annotations

import threading
import time

import pytest
import requests

from .client import ServiceLayer, change_set, document, error_code, error_text, operation, wait_for


@pytest.mark.parametrize(
    ("fault", "status", "kind", "committed"),
    [
        ("gateway_timeout_after_commit", 504, "text/html", 1),
        ("empty_500_after_commit", 500, None, 1),
        ("bad_gateway", 502, "text/html", 0),
        ("proxy_400", 400, "text/html", 0),
        ("html_503", 503, "text/html", 0),
    ],
)
def test_answers_that_tell_nothing(b1: ServiceLayer, fault: str, status: int, kind: str | None, committed: int) -> None:
    answer = b1.post("Invoices", document(U_MLC_REF="a"), fault=fault)
    assert answer.status_code == status
    if kind is None:
        assert answer.content == b""
    else:
        assert answer.headers["Content-Type"].startswith(kind)
    assert len(b1.state("Invoices", "?reference=a")) == committed


@pytest.mark.parametrize("fault", ["reset_after_commit", "half_body", "truncated_json"])
def test_answers_that_break_after_the_commit(b1: ServiceLayer, fault: str) -> None:
    with pytest.raises(requests.RequestException):
        b1.post("Invoices", document(U_MLC_REF="a"), fault=fault).json()
    assert len(b1.state("Invoices", "?reference=a")) == 1


def test_batch_commits_then_the_balancer_gives_up(b1: ServiceLayer) -> None:
    claim = operation("POST", "U_MLC_CLAIM", '{"Code":"a","Name":"a"}', "1")
    answer = b1.batch(change_set(claim), headers={"X-Sandbox-Fault": "gateway_timeout_after_commit"})
    assert answer.status_code == 504
    assert len(b1.state("U_MLC_CLAIM")) == 1


def test_smaller_key_commits_after_a_larger_one(b1: ServiceLayer) -> None:
    b1.fault("late_smaller_entry", match={"body": "late"}, commit_after_s="cleared")
    with pytest.raises(requests.RequestException):
        b1.post("Invoices", document(U_MLC_REF="late"))
    assert b1.made("Invoices", document(U_MLC_REF="soon"))["DocEntry"] == 2
    assert [each["DocEntry"] for each in b1.state("Invoices")] == [2]
    b1.control("DELETE", "/faults")
    wait_for(lambda: len(b1.state("Invoices")) == 2)
    assert [(each["DocEntry"], each["U_MLC_REF"]) for each in b1.state("Invoices")] == [(1, "late"), (2, "soon")]


def test_session_is_lost_before_a_write_and_between_pages(b1: ServiceLayer) -> None:
    answer = b1.post("Invoices", document(), fault="session_lost")
    assert (answer.status_code, error_code(answer)) == (401, 301)
    assert b1.state("Invoices") == []
    b1.login()
    for _ in range(3):
        b1.made("Orders", document())
    b1.fault("session_lost", match={"query": r"\$skip"})
    first = b1.get("Orders", Prefer="odata.maxpagesize=2")
    second = b1.call("GET", b1.told.base_url + first["@odata.nextLink"])
    assert (second.status_code, error_code(second)) == (401, 301)


def test_node_switch_gives_a_new_route(b1: ServiceLayer) -> None:
    before = b1.cookies["ROUTEID"]
    answer = b1.call("GET", "Orders", headers={"X-Sandbox-Fault": "node_switch"})
    assert answer.status_code == 200
    b1.keep_cookies(answer)
    assert b1.cookies["ROUTEID"] != before


def test_login_faults(b1: ServiceLayer) -> None:
    b1.fault("sld_flap", match={"path": "/Login$"})
    assert error_code(b1.login()) == -304
    assert b1.login().status_code == 200
    b1.fault("session_cap", match={"path": "/Login$"})
    assert b1.login().status_code == 500
    b1.fault("slow_login", match={"path": "/Login$"}, delay_s=0.2)
    started = time.monotonic()
    assert b1.login().status_code == 200
    assert time.monotonic() - started >= 0.2


def test_total_is_one_cent_off(b1: ServiceLayer) -> None:
    made = b1.post("Invoices", document(), fault="total_off").json()
    assert (made["DocTotal"], made["VatSum"]) == (21.66, 1.66)
    made = b1.post("Invoices", document(DocCurrency="EUR"), fault="total_off;by=-0.01").json()
    assert made["DocTotalFc"] == 21.64


@pytest.mark.parametrize(
    ("fault", "status", "code", "words"),
    [
        ("closed_period", 400, -10, "locked"),
        ("item_frozen", 400, -10, "inactive"),
        ("stock_refused", 400, -10, "negative inventory"),
        ("veto", 400, -1116, "(1000)"),
        ("approval", 400, -2028, "No matching records"),
    ],
)
def test_business_says_no(b1: ServiceLayer, fault: str, status: int, code: int, words: str) -> None:
    answer = b1.post("Invoices", document(), fault=fault)
    assert (answer.status_code, error_code(answer)) == (status, code)
    assert words in error_text(answer)
    assert b1.state("Invoices") == []


def test_conflicts(b1: ServiceLayer) -> None:
    b1.made("Orders", document())
    assert b1.patch("Orders(1)", {"Comments": "x"}, X_Sandbox_Fault="row_conflict").status_code == 400
    answer = b1.patch("Orders(1)", {"Comments": "x"}, X_Sandbox_Fault="etag_conflict")
    assert (answer.status_code, error_code(answer)) == (412, -2039)


def test_errors_in_another_language(b1: ServiceLayer) -> None:
    answer = b1.call("GET", "Orders(9)", headers={"X-Sandbox-Fault": "other_language"})
    assert (error_code(answer), error_text(answer)) == (-2028, "Keine passenden Datensätze gefunden (ODBC -2028)")
    b1.login(Language="9")
    assert "Ausgeführt" not in error_text(b1.post("Orders", document(CardCode=None)))
    assert "Vorgang" in error_text(b1.post("Orders", document(CardCode=None)))
    b1.login(Language="3")
    assert error_text(b1.post("Orders", document(CardCode=None))).startswith("Specify")


def test_daylight_saving_ends_and_an_hour_comes_twice(b1: ServiceLayer) -> None:
    told: list[str] = []
    for moment in ("2026-11-01T06:30:00+00:00", "2026-11-01T07:30:00+00:00"):
        with b1.standing(moment):
            told.append(b1.made("Orders", document())["UpdateTime"])
    assert told == ["01:30:00", "01:30:00"]


def test_login_storm_is_counted(b1: ServiceLayer) -> None:
    threads = [threading.Thread(target=ServiceLayer(b1.told).login) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(b1.state("sessions")) == 6
    assert len(b1.control("GET", "/state/requests?path=Login")["items"]) == 6
