"""Who may call: OAuth, basic, certificates, scenarios, lock-out, CSRF."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from ml_connector.sandbox.process import SandboxProcess

from .client import CUBE, ODATA, SOAP_PATH, Sap, envelope, sale


def fetch_oauth(sap: Sap, **changes: str) -> requests.Response:
    form = {"grant_type": "client_credentials", **changes}
    return requests.post(str(sap.told.token_url), data=form, auth=sap.auth, timeout=5)


def read_with(sap: Sap, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return requests.get(f"{sap.told.base_url}{ODATA}/{CUBE}", headers=headers, timeout=5)


def test_token_is_given_for_the_clients_secret_and_expires(sap: Sap) -> None:
    told = fetch_oauth(sap).json()
    assert told["expires_in"] == "3600"
    assert read_with(sap, told["access_token"]).status_code == 200
    sap.control("POST", "/clock", {"advance_s": 3601})
    assert read_with(sap, told["access_token"]).status_code == 401


def test_token_lifetime_can_be_a_number_and_can_lie(sap: Sap) -> None:
    sap.settings(expires_in_form="number", token_skew_s=3000)
    told = fetch_oauth(sap).json()
    assert told["expires_in"] == 3600
    sap.control("POST", "/clock", {"advance_s": 700})
    assert read_with(sap, told["access_token"]).status_code == 401


def test_wrong_secret_is_invalid_client(sap: Sap) -> None:
    answer = requests.post(
        str(sap.told.token_url), data={"grant_type": "client_credentials"}, auth=("BCCONNECT", "x"), timeout=5
    )
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert fetch_oauth(sap, grant_type="password").json() == {"error": "unsupported_grant_type"}


def test_revoked_tokens_are_refused(sap: Sap) -> None:
    token = fetch_oauth(sap).json()["access_token"]
    sap.control("POST", "/revoke_tokens")
    assert read_with(sap, token).status_code == 401


def test_wrong_passwords_lock_the_user(sap: Sap) -> None:
    for _ in range(5):
        answer = sap.soap(envelope(sale()), auth=("BCCONNECT", "wrong"))
        assert answer.status_code == 401
        assert "text/html" in answer.headers["Content-Type"]
    assert sap.soap(envelope(sale())).status_code == 401
    assert sap.state("access")[0]["user_locked"] is True


@pytest.mark.parametrize(
    ("scenario", "path"),
    [
        ("SAP_COM_0303", CUBE),
        ("SAP_COM_0008", "API_BUSINESS_PARTNER/A_BusinessPartner"),
    ],
)
def test_service_of_a_scenario_that_is_not_arranged(sap: Sap, scenario: str, path: str) -> None:
    others = {"SAP_COM_0002", "SAP_COM_0008", "SAP_COM_0303", "SAP_COM_0087"} - {scenario}
    sap.settings(scenarios=sorted(others))
    answer = sap.get(path)
    assert answer.status_code == 403
    assert "x-csrf-token" not in answer.headers
    assert answer.json()["error"]["code"].startswith("/IWFND/")


def test_posting_without_its_scenario_is_no_soap_fault(sap: Sap) -> None:
    sap.settings(scenarios=["SAP_COM_0303"])
    answer = sap.soap(envelope(sale()))
    assert answer.status_code == 403
    assert "Envelope" not in answer.text


@pytest.mark.parametrize("scenario", ["SAP_COM_0087", "SAP_COM_0084"])
def test_either_scenario_opens_the_master_data(sap: Sap, scenario: str) -> None:
    sap.settings(scenarios=[scenario])
    assert sap.get("API_COMPANYCODE_SRV/A_CompanyCode").status_code == 200


def test_unknown_service_is_404(sap: Sap) -> None:
    assert sap.get("API_NOTHING_SRV/A_Nothing").status_code == 404


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_csrf_token_comes_with_cookies_and_is_bound_to_them(sap: Sap, method: str) -> None:
    url = f"{sap.told.base_url}{ODATA}/API_BUSINESS_PARTNER/"
    fetched = requests.request(method, url, headers={"X-CSRF-Token": "Fetch"}, auth=sap.auth, timeout=5)
    token = fetched.headers["x-csrf-token"]
    assert {"SAP_SESSIONID_SBX_100", "sap-usercontext"} == set(fetched.cookies.keys())
    headers = {"X-CSRF-Token": token, "Accept": "application/json"}
    without = requests.post(url + "A_BusinessPartner", json={}, headers=headers, auth=sap.auth, timeout=5)
    assert without.status_code == 403
    assert without.headers["x-csrf-token"] == "Required"
    assert without.headers["Content-Type"].startswith("text/plain")
    assert without.content == b"CSRF token validation failed"
    with_cookies = requests.post(
        url + "A_BusinessPartner", json={}, headers=headers, auth=sap.auth, cookies=fetched.cookies, timeout=5
    )
    assert with_cookies.status_code == 400


def test_session_ends_when_idle(sap: Sap) -> None:
    token = sap.fetch_token()
    sap.control("POST", "/clock", {"advance_s": 1801})
    assert sap.write("POST", "A_BusinessPartner", {}, token=token).status_code == 403
    assert sap.write("POST", "A_BusinessPartner", {}, token=sap.fetch_token()).status_code == 400


def test_csrf_loss_and_missing_authorization_can_be_told_apart(sap: Sap) -> None:
    token = sap.fetch_token()
    lost = sap.write("POST", "A_BusinessPartner", {}, token=token, headers={"X-Sandbox-Fault": "csrf_loss"})
    assert (lost.status_code, lost.headers["x-csrf-token"]) == (403, "Required")
    denied = sap.write("POST", "A_BusinessPartner", {}, headers={"X-Sandbox-Fault": "not_authorized"})
    assert denied.status_code == 403
    assert "x-csrf-token" not in denied.headers


def test_soap_needs_no_csrf_token(sap: Sap) -> None:
    assert requests.post(
        sap.told.base_url + SOAP_PATH,
        data=envelope(sale()),
        headers={"Content-Type": "text/xml"},
        auth=sap.auth,
        timeout=5,
    ).ok


def test_client_certificate_over_tls(tmp_path: Path) -> None:
    with SandboxProcess(["s4hana"], options=["--tls", str(tmp_path)]) as process:
        told = process.systems["s4hana"]
        assert told.base_url.startswith("https://")
        certificate = (str(told.credentials["client_certificate"]), str(told.credentials["client_key"]))
        url = f"{told.base_url}{ODATA}/API_COMPANYCODE_SRV/A_CompanyCode?$format=json"
        known = requests.get(url, verify=str(told.ca_file), cert=certificate, timeout=5)
        unknown = requests.get(url, verify=str(told.ca_file), timeout=5)
        assert (known.status_code, unknown.status_code) == (200, 401)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=5)
