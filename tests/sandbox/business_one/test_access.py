"""Who may call: log-in, cookies, sessions, nodes, locks, caps."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import requests

from ml_connector.sandbox.process import SandboxProcess

from .client import TIMEOUT_S, ServiceLayer, error_code, error_text, wait_for


def test_login_answers_as_printed(b1: ServiceLayer) -> None:
    answer = b1.login()
    told = answer.json()
    assert told["SessionTimeout"] == 30
    assert told["Version"] == "1000230"
    assert told["@odata.context"].endswith("/b1s/v2/$metadata#B1Sessions/$entity")
    first, second = answer.raw.headers.getlist("Set-Cookie")
    assert first == f"B1SESSION={told['SessionId']};HttpOnly;"
    assert second in ("ROUTEID=.node1; path=/b1s", "ROUTEID=.node2; path=/b1s")
    v1 = b1.at(1)
    assert v1.login().json()["odata.metadata"].endswith("/b1s/v1/$metadata#B1Sessions/@Element")


def test_session_is_missing_expired_or_logged_out(b1: ServiceLayer) -> None:
    stranger = ServiceLayer(b1.told)
    answer = stranger.call("GET", "Orders")
    assert (answer.status_code, error_code(answer)) == (401, 301)
    assert error_text(answer) == "Invalid session or session already timeout."
    b1.control("POST", "/clock", {"advance_s": 29 * 60})
    b1.get("Orders")
    b1.control("POST", "/clock", {"advance_s": 29 * 60})
    b1.get("Orders")  # use extends it
    b1.control("POST", "/clock", {"advance_s": 31 * 60})
    assert error_code(b1.call("GET", "Orders")) == 301
    b1.login()
    assert b1.call("POST", "Logout").status_code == 204
    assert error_code(b1.call("GET", "Orders")) == 301


def test_one_session_serves_both_prefixes_where_its_cookie_is_sent(b1: ServiceLayer) -> None:
    assert b1.at(1).get("Orders")["value"] == b1.get("Orders")["value"] == []


def test_string_variant_of_the_expired_session(b1: ServiceLayer) -> None:
    b1.settings(string_301=True)
    told = ServiceLayer(b1.told, version=1).call("GET", "Orders").json()["error"]
    assert told == {"code": "301", "message": "Invalid session or session already timeout."}


def test_wrong_passwords_lock_the_user(b1: ServiceLayer) -> None:
    codes = [error_code(b1.login(Password="wrong")) for _ in range(6)]
    assert codes == [100000027] * 5 + [100000055]
    assert error_code(b1.login()) == 100000055
    b1.control("POST", "/unlock")
    assert b1.login().status_code == 200


def test_unknown_company_and_session_cap(b1: ServiceLayer) -> None:
    answer = b1.login(CompanyDB="SBO_OTHER")
    assert (answer.status_code, error_code(answer)) == (401, -304)
    b1.control("POST", "/drop_sessions")
    b1.settings(session_cap=2)
    assert [b1.login().status_code for _ in range(3)] == [200, 200, 500]
    b1.control("POST", "/clock", {"advance_s": 31 * 60})
    assert b1.login().status_code == 200


def test_calls_of_one_session_run_one_after_another_and_sessions_side_by_side(b1: ServiceLayer) -> None:
    other = b1.another()
    b1.control("POST", "/cores/hold")
    b1.fault("slow_core", match={"path": "/Orders$"}, hold=True)

    def queue() -> tuple[int, int]:
        (mine,) = (each for each in b1.state("sessions") if each["id"] == b1.cookies["B1SESSION"])
        return mine["calls"], mine["waiting"]

    held, behind = (threading.Thread(target=b1.at(2).call, args=("GET", path)) for path in ("Orders", "Items"))
    held.start()
    wait_for(lambda: queue() == (1, 1))
    behind.start()
    wait_for(lambda: queue() == (1, 2))
    assert other.call("GET", "Items").status_code == 200
    assert queue() == (1, 2)
    b1.control("POST", "/cores/release")
    held.join()
    behind.join()
    assert queue() == (2, 0)


def test_node_dies_and_another_takes_the_session_over(b1: ServiceLayer) -> None:
    route = b1.cookies["ROUTEID"]
    b1.control("POST", f"/nodes/{route[-1]}/kill")
    answer = b1.call("GET", "Orders")
    assert answer.status_code == 200
    b1.keep_cookies(answer)
    assert b1.cookies["ROUTEID"] not in ("", route)
    assert b1.call("GET", "Orders").headers.get("Set-Cookie") is None
    ping = requests.get(f"{b1.told.base_url}/ping/node/{route[-1]}", timeout=TIMEOUT_S)
    assert (ping.status_code, ping.json()) == (503, {"message": "Service Unavailable"})


def test_without_sharing_a_session_lives_on_its_node_alone(b1: ServiceLayer) -> None:
    b1.settings(session_sharing=False)
    b1.get("Orders")
    b1.cookies["ROUTEID"] = {".node1": ".node2", ".node2": ".node1"}[b1.cookies["ROUTEID"]]
    assert error_code(b1.call("GET", "Orders")) == 301


def test_ping_needs_no_session(b1: ServiceLayer) -> None:
    for path, sender in (
        ("/ping/", "load balancer"),
        ("/ping/load-balancer", "load balancer"),
        ("/ping/node/1", "node 1"),
    ):
        told = requests.get(b1.told.base_url + path, timeout=TIMEOUT_S).json()
        assert (told["message"], told["sender"]) == ("pong", sender)
        assert float(told["timestamp"]) > 0


def test_skewed_clock_is_told_by_ping_and_company(b1: ServiceLayer) -> None:
    before = float(requests.get(b1.told.base_url + "/ping/", timeout=TIMEOUT_S).json()["timestamp"])
    b1.settings(clock_skew_s=600)
    after = float(requests.get(b1.told.base_url + "/ping/", timeout=TIMEOUT_S).json()["timestamp"])
    assert after - before >= 600
    assert set(b1.post("CompanyService_GetCurrentServerTime").json()) >= {"CurrentDate", "CurrentTime"}


def test_expect_header_is_answered_500_with_nothing(b1: ServiceLayer) -> None:
    answer = b1.call("POST", "Orders", {}, headers={"Expect": "100-continue"})
    assert (answer.status_code, answer.content) == (500, b"")


def test_prefix_can_be_missing(b1: ServiceLayer) -> None:
    b1.settings(prefixes=[1])
    assert b1.call("GET", "Orders").status_code == 404
    assert b1.at(1).call("GET", "Orders").status_code == 200


def test_over_tls_with_its_own_certificate(tmp_path: Path) -> None:
    with SandboxProcess(["business_one"], options=["--tls", str(tmp_path)]) as process:
        told = process.systems["business_one"]
        assert told.base_url.startswith("https://")
        assert requests.get(told.base_url + "/ping/", verify=str(told.ca_file), timeout=TIMEOUT_S).ok
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(told.base_url + "/ping/", timeout=TIMEOUT_S)
