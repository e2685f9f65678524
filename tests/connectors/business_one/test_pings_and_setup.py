"""What an administrator is told, and what one command makes with his consent."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from ml_connector.connectors.base import Check, Lookup, Outgoing, Posted, Settings
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.business_one.settings import read_settings
from ml_connector.domain.documents import Kind
from ml_connector.sandbox.process import SandboxProcess
from tests.connectors.business_one.conftest import connect, settings_of
from tests.connectors.business_one.documents import invoice
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit


async def told(erp: Erp, **settings: object) -> Sequence[Check]:
    connector = connect(erp, LocalServices(), **settings)
    try:
        return await connector.ping()
    finally:
        await connector.close()


def failed(checks: Sequence[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks if check.needed and not check.ok}


async def test_all_is_well(erp: Erp) -> None:
    checks = await told(erp)
    assert failed(checks) == {}
    assert all(check.fix for check in checks if not check.ok)
    names = {check.name for check in checks}
    assert {
        "login",
        "version",
        "user fields",
        "accuracy",
        "branch",
        "open periods",
        "duplicate guard",
        "clock",
    } <= names


async def test_a_wrong_password_is_said_and_nothing_else_is_tried(erp: Erp) -> None:
    credentials = {"user": erp.announced.credentials["user"], "password": "wrong"}
    settings = settings_of(erp)
    wrong = Settings("erp", settings.base_url, settings.settings, credentials, sandbox=True)
    connector = B1Connector(read_settings(wrong), LocalServices())
    (only,) = await connector.ping()
    assert (only.name, only.ok, only.kind) == ("login", False, "credentials")
    assert "locked" in only.fix
    await connector.close()


async def test_an_unknown_company_is_said(erp: Erp) -> None:
    (only,) = await told(erp, company="SBO_NOWHERE")
    assert not only.ok
    assert "company" in only.fix


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        ({"freight_code": 99}, "freight", "99"),
        ({"charge_item": "NOTHING"}, "charge item", "NOTHING"),
        ({"branch": 77}, "branch", "77"),
        ({"series": {Kind.SALES_INVOICE.value: 4711}}, "series", "4711"),
    ],
)
async def test_a_wrong_setting_is_named(erp: Erp, settings: dict[str, object], name: str, words: str) -> None:
    check = failed(await told(erp, **settings))[name]
    assert words in check.message
    assert check.fix


async def test_an_old_server_and_coarse_prices_are_named(erp: Erp) -> None:
    erp.settings(version="920110", prefixes=[1], price_accuracy=2)
    checks = {check.name: check for check in await told(erp)}
    assert not checks["version"].ok
    assert not checks["accuracy"].ok


async def test_a_period_that_is_over_is_named(erp: Erp) -> None:
    checks = {check.name: check for check in await told(erp, open_from=date(2020, 1, 1), open_to=date(2020, 12, 31))}
    assert not checks["open periods"].ok


async def test_the_guard_says_whether_it_is_on(erp: Erp) -> None:
    off = {check.name: check for check in await told(erp)}["duplicate guard"]
    on = {check.name: check for check in await told(erp, claims=True)}["duplicate guard"]
    assert (off.ok, off.needed, on.ok) == (False, False, True)


# ------------------------------------------------------------------ user fields


@pytest.fixture
async def bare(erp: Erp) -> AsyncIterator[B1Connector]:
    """A company that nobody has prepared."""
    connector = connect(erp, LocalServices(), claims=True)
    for row in erp.state("UserFieldsMD"):
        if row["Name"].startswith("MLC_"):
            key = f"UserFieldsMD(TableName='{row['TableName']}',FieldID={row['FieldID']})"
            part = await connector._client.write("DELETE", key, permit=TestPermit())
            assert part.status < 400, part.body
    erp.call("POST", "/restart", {})
    yield connector
    await connector.close()


async def test_what_is_missing_is_shown_made_with_consent_and_there_after_a_restart(
    bare: B1Connector, erp: Erp
) -> None:
    before = await bare.plan_setup()
    missing = [step for step in before if not step.done]
    assert {step.name for step in missing} >= {"field OINV.U_MLC_REF", "field OCRD.U_MLC_EXTID"}
    assert [row for row in erp.state("UserFieldsMD") if row["Name"].startswith("MLC_")] == []  # looking makes nothing
    assert "user fields" in failed(await bare.ping())

    made = await bare.set_up(before)
    assert all(step.done for step in made)
    assert any("restart" in step.after for step in made)
    assert all(step.done for step in await bare.plan_setup())
    assert "Invoices: find and post Invoices" in failed(await bare.ping())  # not seen before the restart

    erp.call("POST", "/restart", {})
    assert failed(await bare.ping()) == {}
    (result,) = await bare.post([Outgoing(invoice())], TestPermit())
    assert isinstance(result, Posted)
    assert await bare.set_up(made) == made


# ------------------------------------------------------------------ certificates


async def test_a_self_signed_certificate_is_trusted_by_its_file_alone(tmp_path: Path) -> None:
    with SandboxProcess(["business_one"], options=["--tls", str(tmp_path)]) as process:
        erp = Erp(process.systems["business_one"])
        assert erp.announced.base_url.startswith("https://")
        refused = await told(erp)
        assert "certificate" in refused[0].message
        assert "ca_file" in refused[0].message
        connector = connect(erp, LocalServices(), tls={"ca_file": erp.announced.ca_file})
        (result,) = await connector.post([Outgoing(invoice())], TestPermit())
        assert isinstance(result, Posted)
        assert await connector.find([Lookup(invoice())])
        await connector.close()
