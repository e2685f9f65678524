"""Wrong credentials, addresses and certificates: said in words that help, and every order waits for the repair."""

import copy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.crash import books
from tests.e2e.scene import Scene, World


def _connection(content: Any, name: str) -> Any:
    return content["connections"][name]


def _held_by_connection(scene: Scene, *orders: int) -> str:
    """The one message that all of them were told."""
    holds = scene.all_held(*orders).values()
    assert {hold.kind for hold in holds} == {"connection"}
    [message] = {hold.message for hold in holds}
    return message


def test_wrong_store_credentials_are_named_and_nothing_is_lost(scene: Scene) -> None:
    orders = [scene.place("paid"), scene.place("paid", market="de")]
    scene.configure(BC_ACCESS_TOKEN="wrong-store-token")
    said = scene.command("ping", "web-store", "--json", status=1).json
    [told] = said["connections"]
    failed = " ".join(f"{check['message']} {check['fix']}" for check in told["checks"] if not check["ok"])
    assert "token" in failed.lower(), failed
    scene.command("sync", "us-store", *map(str, orders))
    scene.worker()
    message = _held_by_connection(scene, *orders)
    assert "the store does not accept the access token for this store hash" in message
    assert "401" in message
    assert "wrong-store-token" not in message
    assert scene.posts() == 0
    scene.configure(BC_ACCESS_TOKEN=str(scene.stage.store.credentials["access_token"]))
    scene.posted(*orders)
    scene.check()


def test_wrong_erp_client_is_named_and_nothing_is_lost(scene: Scene) -> None:
    order = scene.place("paid")
    scene.configure(S4_CLIENT_SECRET="wrong-client-secret")
    scene.worker()
    message = _held_by_connection(scene, order)
    assert "no token for the client" in message
    assert "wrong-client-secret" not in message
    [access] = books.call(f"{scene.erp}/state/access")["items"]
    assert not access["user_locked"], "the user was locked by trying again and again"
    scene.configure(S4_CLIENT_SECRET=str(scene.stage.erp.credentials["client_secret"]))
    scene.posted(order)
    scene.check()


def test_a_wrong_password_does_not_lock_the_user(scene: Scene) -> None:
    """SAP locks a user after a few wrong passwords: many orders, one try."""

    def basic(content: Any) -> None:
        ledger = _connection(content, "ledger")
        ledger["settings"]["auth"] = "basic"
        ledger["credentials"] = {"user": {"env": "S4_USER"}, "password": {"env": "S4_PASSWORD"}}

    credentials = scene.stage.erp.credentials
    orders = [scene.place("paid", market=market) for market in ("us_tx", "us_ca", "de", "jp", "kw", "ca_on")]
    orders.append(scene.place("on_account", guest=False))
    scene.configure(basic, S4_USER=str(credentials["client_id"]), S4_PASSWORD="not-the-password")
    scene.worker()
    holds = scene.all_held(*orders).values()
    assert all(hold.kind == "connection" and "password" in hold.message for hold in holds), holds
    [access] = books.call(f"{scene.erp}/state/access")["items"]
    assert not access["user_locked"]
    refused = [r for r in books.call(f"{scene.erp}/state/requests")["items"] if r["status"] == 401]
    assert 1 <= len(refused) < 5, f"{len(refused)} tries with a wrong password"
    scene.configure(basic, S4_PASSWORD=str(credentials["client_secret"]))
    scene.posted(*orders)


@pytest.mark.parametrize(
    ("name", "address", "words"),
    [
        ("web-store", "http://127.0.0.1:9", "127.0.0.1"),
        ("ledger", "http://127.0.0.1:9", "127.0.0.1"),
        ("web-store", "{erp}", ""),
        ("ledger", "{store}", ""),
    ],
    ids=["store nobody listens", "erp nobody listens", "store is something else", "erp is something else"],
)
def test_a_wrong_address_is_named_and_nothing_is_lost(scene: Scene, name: str, address: str, words: str) -> None:
    where = address.format(erp=scene.stage.erp.base_url, store=scene.stage.store.base_url)
    order = scene.place("paid")
    scene.configure(lambda content: _connection(content, name).update(base_url=where))
    said = scene.command("ping", name, "--json", status=None)
    assert said.status in (1, 3), said
    assert words in said.out
    scene.command("sync", "us-store", str(order))
    scene.worker()
    scene.until(lambda: scene.record(order).get("last_error") or scene.record(order).get("status") == "held")
    record = scene.record(order)
    assert record["status"] in ("waiting", "running", "held"), record
    assert scene.documents(order) == []
    scene.configure()
    scene.posted(order)
    scene.check()


def test_the_same_books_by_another_name_of_the_host_are_seen_before_anything_is_posted(scene: Scene) -> None:
    """Under one tag the second integration would take the documents of the first for its own."""
    first = scene.place("paid")
    scene.configure()
    worker = scene.worker()
    scene.posted(first)
    worker.stop()

    def twice(content: Any) -> None:
        ledger = copy.deepcopy(_connection(content, "ledger"))
        ledger["base_url"] = ledger["base_url"].replace("127.0.0.1", "localhost")
        content["connections"]["ledger-2"] = ledger
        content["integrations"]["again"] = copy.deepcopy(content["integrations"]["us-store"]) | {"erp": "ledger-2"}

    scene.configure(twice)
    said = scene.command("ping", "ledger", "--json").json  # the documents are there: SAP tells its name by one
    assert any("the system calls them" in check["message"] for check in said["connections"][0]["checks"]), said
    said = scene.command("ping", "ledger-2", "--json", status=1).json
    assert any("the same books" in check["message"] for check in said["connections"][0]["checks"] if not check["ok"])
    before = scene.posts()
    scene.worker()
    scene.command("sync", "again", str(first))
    held = f"SELECT * FROM records WHERE flow = 'orders' AND key = '{first}' AND hold_kind = 'connection'"
    scene.until(lambda: scene.query(held))
    assert scene.posts() == before


# ------------------------------------------------------------------ TLS


def test_tls_is_refused_without_the_authority_and_works_with_it(
    postgres: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store and an ERP with certificates of a private authority that nobody here trusts."""
    tls = tmp_path / "tls"
    world = World(postgres, TEMPLATE, tmp_path, options=["--tls", str(tls)])
    # for this process's own calls of the control API; the program's processes have the environment of before
    monkeypatch.setenv("SSL_CERT_FILE", str(world.erp.ca_file))
    scene = Scene(world, tmp_path)
    try:
        _refused_then_trusted(scene, str(world.erp.ca_file))
        _logged_in_by_certificate(scene, tls)
    finally:
        scene.close()
        world.close()


def _refused_then_trusted(scene: Scene, ca_file: str) -> None:
    assert scene.stage.erp.base_url.startswith("https://")
    order = scene.place("paid")
    said = scene.command("ping", "--json", status=3)
    for told in said.json["connections"]:
        message = " ".join(check["message"] for check in told["checks"] if not check["ok"])
        assert "certificate" in message.lower(), message
    scene.command("sync", "us-store", str(order))
    scene.worker()
    scene.until(lambda: "certificate" in (scene.record(order).get("last_error") or "").lower())
    assert [r for r in books.call(f"{scene.erp}/state/requests")["items"] if r["path"].startswith("/sap")] == []

    def trusting(content: Any) -> None:
        for name in ("web-store", "ledger"):
            _connection(content, name)["tls"] = {"ca_file": ca_file}

    scene.configure(trusting)
    scene.posted(order)
    scene.check()
    scene.command("ping", "--json")


def _logged_in_by_certificate(scene: Scene, tls: Path) -> None:
    def with_certificate(content: Any) -> None:
        ca_file = {"ca_file": str(tls / "ca.pem")}
        pair = {"certificate_file": str(tls / "client.pem"), "key_file": str(tls / "client.key")}
        ledger = _connection(content, "ledger")
        _connection(content, "web-store")["tls"] = ca_file
        ledger["tls"] = {**ca_file, **pair}
        ledger["settings"]["auth"] = "certificate"
        ledger["settings"].pop("token_url", None)
        ledger.pop("credentials", None)

    scene.configure(with_certificate)
    known = len(books.call(f"{scene.erp}/state/requests")["items"])
    order = scene.place("paid")
    scene.posted(order)
    paths = {entry["path"] for entry in books.call(f"{scene.erp}/state/requests")["items"][known:]}
    assert not any("token" in path for path in paths), paths
