"""`ml-connector setup`: shows what is missing and changes nothing; makes it with consent, and says what is next."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ml_connector.sandbox.process import SandboxProcess
from tests.cli.program import Program, program
from tests.connectors.business_one.conftest import connect
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit

FIELD = "field OCRD.U_MLC_EXTID"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["business_one"]) as running:
        yield running


@pytest.fixture
def erp(sandbox: SandboxProcess) -> Erp:
    erp = Erp(sandbox.systems["business_one"])
    erp.reset()
    return erp


async def configured(database_url: str, erp: Erp, folder: Path) -> Program:
    """One connection, to a company that has all user fields but one."""
    connector = connect(erp, LocalServices())
    (row,) = [row for row in erp.state("UserFieldsMD") if row["TableName"] == "OCRD" and row["Name"] == "MLC_EXTID"]
    path = f"UserFieldsMD(TableName='OCRD',FieldID={row['FieldID']})"
    assert (await connector._client.write("DELETE", path, permit=TestPermit())).status < 400
    await connector.close()
    content = {
        "version": 1,
        "connections": {
            "erp": {
                "system": "business_one",
                "base_url": erp.announced.base_url,
                "sandbox": True,
                "settings": {"company": erp.announced.credentials["company_db"], "freight": {"shipping_income": 1}},
                "credentials": {"user": {"env": "B1_USER"}, "password": {"env": "B1_PASSWORD"}},
            }
        },
    }
    file = folder / "configuration.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(content, stream)
    credentials = erp.announced.credentials
    cli = program(database_url, B1_USER=credentials["user"], B1_PASSWORD=credentials["password"])
    ran = await cli.run("config", "apply", str(file))
    assert ran.status == 0, ran.said
    return cli


async def test_shown_then_made_then_complete(database_url: str, erp: Erp, tmp_path: Path) -> None:
    cli = await configured(database_url, erp, tmp_path)
    before = len(erp.state("UserFieldsMD"))

    shown = await cli.run("setup", "erp", "--json")
    assert shown.status == 1
    assert (shown.json["applied"], shown.json["complete"]) == (False, False)
    assert [step["name"] for step in shown.json["steps"] if not step["done"]] == [FIELD]
    assert len(erp.state("UserFieldsMD")) == before
    said = await cli.run("setup", "erp")
    assert "Nothing was changed" in said.said

    made = await cli.run("setup", "erp", "--apply")
    assert made.status == 0, made.said
    assert "restart the Service Layer" in made.said
    assert len(erp.state("UserFieldsMD")) == before + 1

    erp.call("POST", "/restart", {})
    again = await cli.run("setup", "erp", "--apply", "--json")
    assert (again.status, again.json["complete"]) == (0, True)
    assert len(erp.state("UserFieldsMD")) == before + 1
    assert (await cli.run("setup", "erp", "--all", "--json")).json["steps"][-1]["name"] == "table MLC_CLAIM"


async def test_a_setting_that_is_no_table_is_said(database_url: str, erp: Erp, tmp_path: Path) -> None:
    cli = await configured(database_url, erp, tmp_path)
    file = tmp_path / "configuration.yaml"
    file.write_text(file.read_text().replace("freight: {shipping_income: 1}", "freight: 1"))
    ran = await cli.run("config", "check", str(file))
    assert ran.status == 2
    assert "must be a table" in ran.said


async def test_an_unknown_connection_is_said(database_url: str, erp: Erp, tmp_path: Path) -> None:
    cli = await configured(database_url, erp, tmp_path)
    ran = await cli.run("setup", "nothing")
    assert ran.status == 2
    assert "nothing" in ran.said
