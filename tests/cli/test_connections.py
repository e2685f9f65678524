"""Commands that reach out: right and wrong credentials, addresses, certificates, told so that a person can act."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ml_connector.sandbox.process import Announced, SandboxProcess
from tests.cli.program import Program, Ran, program
from tests.config.examples import ENVIRONMENT, data


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["bigcommerce", "s4hana"]) as running:
        yield running


@pytest.fixture(scope="module")
def tls_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("tls")
    with SandboxProcess(["bigcommerce", "s4hana"], options=["--tls", str(folder)]) as running:
        yield running


def configuration(running: SandboxProcess, folder: Path, **changes: Any) -> Path:
    """The example, pointed at the sandbox. `changes`: replace keys of the store's connection."""
    content = data()
    store, ledger = running.systems["bigcommerce"], running.systems["s4hana"]
    web_store, erp = content["connections"]["web-store"], content["connections"]["ledger"]
    web_store |= {"base_url": store.base_url, "sandbox": True}
    web_store["settings"]["store_hash"] = store.credentials["store_hash"]
    erp |= {"base_url": ledger.base_url, "sandbox": True}
    erp["settings"] |= {"token_url": ledger.token_url, "open_from": "2020-01-01", "open_to": "2039-12-31"}
    if store.ca_file:
        for connection in (web_store, erp):
            connection["tls"] = {"ca_file": store.ca_file}
    web_store |= changes
    content["integrations"]["us-store"]["policy"]["posting.cut_over"] = "2020-01-01"
    file = folder / "configuration.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(content, stream)
    return file


def secrets_of(running: SandboxProcess) -> dict[str, str]:
    store: Announced = running.systems["bigcommerce"]
    ledger: Announced = running.systems["s4hana"]
    return {
        "BC_ACCESS_TOKEN": str(store.credentials["access_token"]),
        "BC_CLIENT_ID": str(store.credentials["client_id"]),
        "BC_CLIENT_SECRET": str(store.credentials["client_secret"]),
        "S4_CLIENT_ID": str(ledger.credentials["client_id"]),
        "S4_CLIENT_SECRET": str(ledger.credentials["client_secret"]),
    }


async def applied(database_url: str, running: SandboxProcess, folder: Path, **changes: Any) -> Program:
    cli = program(database_url, **secrets_of(running))
    ran = await cli.run("config", "apply", str(configuration(running, folder, **changes)))
    assert ran.status == 0, ran.said
    return cli


def checks(ran: Ran, connection: str) -> dict[str, bool]:
    (found,) = [each for each in ran.json["connections"] if each["connection"] == connection]
    return {check["name"]: check["ok"] for check in found["checks"]}


async def test_both_systems_answer(database_url: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    cli = await applied(database_url, sandbox, tmp_path)
    ran = await cli.run("ping", "web-store", "--json")
    assert ran.status == 0, ran.said
    assert checks(ran, "web-store")["token and store hash"]
    assert checks(await cli.run("ping", "ledger", "--json"), "ledger")["login"]


async def test_wrong_credentials(database_url: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    cli = program(database_url, **{**secrets_of(sandbox), "BC_ACCESS_TOKEN": "wrong-token-123"})
    await cli.run("config", "apply", str(configuration(sandbox, tmp_path)))
    ran = await cli.run("ping", "web-store")
    assert ran.status == 1
    assert "FAIL token and store hash" in ran.said
    assert "Copy access token and store hash" in ran.said
    assert "wrong-token-123" not in ran.said


async def test_a_wrong_erp_secret(database_url: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    cli = program(database_url, **{**secrets_of(sandbox), "S4_CLIENT_SECRET": "wrong-secret-123"})
    await cli.run("config", "apply", str(configuration(sandbox, tmp_path)))
    ran = await cli.run("ping", "ledger")
    assert ran.status in (1, 3)
    assert "FAIL login" in ran.said
    assert "wrong-secret-123" not in ran.said


async def test_a_wrong_base_url(database_url: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    cli = await applied(database_url, sandbox, tmp_path, base_url="http://127.0.0.1:1")
    for arguments in (
        ("ping", "web-store"),
        ("plan", "us-store", "100"),
        ("sync", "us-store", "--since", "2026-01-01"),
    ):
        ran = await cli.run(*arguments)
        assert ran.status == 3, ran.said
        assert "127.0.0.1" in ran.said


async def test_plain_loopback_outside_a_sandbox_is_refused(
    database_url: str, tls_sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """The configuration may say https, the address still leads into our own machine."""
    cli = await applied(database_url, tls_sandbox, tmp_path, sandbox=False)
    ran = await cli.run("ping", "web-store")
    assert ran.status in (1, 3)
    assert "FAIL" in ran.said


async def test_tls_with_the_right_authority(database_url: str, tls_sandbox: SandboxProcess, tmp_path: Path) -> None:
    cli = await applied(database_url, tls_sandbox, tmp_path)
    assert (await cli.run("ping", "web-store")).status == 0


async def test_tls_of_an_authority_that_nobody_named(
    database_url: str, tls_sandbox: SandboxProcess, tmp_path: Path
) -> None:
    cli = await applied(database_url, tls_sandbox, tmp_path, tls={})
    for arguments in (("ping", "web-store"), ("plan", "us-store", "100")):
        ran = await cli.run(*arguments)
        assert ran.status == 3, ran.said
        assert "authority" in ran.said


async def test_an_order_that_the_store_does_not_know(
    database_url: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    cli = await applied(database_url, sandbox, tmp_path)
    ran = await cli.run("plan", "us-store", "99999999")
    assert ran.status == 1
    assert "The store does not know this order" in ran.said


async def test_no_secret_is_on_a_command_line_or_in_what_is_said(
    database_url: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    cli = await applied(database_url, sandbox, tmp_path)
    said = ""
    for arguments in (("ping", "--json"), ("audit", "--export"), ("status", "--json"), ("config", "export")):
        said += (await cli.run(*arguments)).said
    secrets = {**ENVIRONMENT, **secrets_of(sandbox)}
    assert "sandbox1" in said  # what was asked for is there
    assert [name for name, value in secrets.items() if not name.endswith("CLIENT_ID") and value in said] == []
