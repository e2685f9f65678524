"""What ping tells an administrator."""

from dataclasses import replace
from pathlib import Path

import pytest

from ml_connector.connectors.base import Check, Field, Outgoing, Settings
from ml_connector.connectors.s4hana import system
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.connectors.s4hana.settings import DOCUMENT_TYPES, CustomerDefaults, read_settings
from tests.connectors.s4hana.conftest import connect, settings_of
from tests.connectors.s4hana.documents import order
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit


def failed(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks if not check.ok and check.needed}


async def test_everything_in_place(connector: S4Connector, erp: Erp):
    checks = list(await connector.ping())
    assert failed(checks) == {}
    by_name = {check.name: check for check in checks}
    assert by_name["duplicate guard"].kind == "guard"
    assert not by_name["duplicate guard"].ok
    assert by_name["clock"].ok
    assert "USD" in by_name["company code"].message
    assert erp.entries() == []


@pytest.mark.parametrize("scenario", ["SAP_COM_0002", "SAP_COM_0303"])
async def test_missing_scenario_is_named(connector: S4Connector, erp: Erp, scenario: str):
    erp.withdraw(scenario)
    found = failed(list(await connector.ping()))
    assert len(found) == 1
    (check,) = found.values()
    assert scenario in check.name
    assert scenario in check.fix


async def test_wrong_secret(erp: Erp, services: LocalServices):
    right = settings_of(erp)
    credentials = {"client_id": "BCCONNECT", "client_secret": "wrong-secret"}
    connector = S4Connector(
        read_settings(Settings("x", right.base_url, right.settings, credentials, sandbox=True)), services
    )
    (check,) = await connector.ping()
    assert (check.name, check.ok, check.kind) == ("login", False, "credentials")
    assert "invalid_client" in check.message
    assert "wrong-secret" not in f"{check} {services.kept.calls}"
    await connector.close()


async def test_wrong_address(services: LocalServices):
    settings = Settings(
        "x", "https://127.0.0.1:9", {"company_code": "1710", "created_by_user": "A"}, {"client_id": "A"}
    )
    connector = S4Connector(read_settings(settings), services)
    (check,) = await connector.ping()
    assert not check.ok
    assert "allow_private" in check.message
    await connector.close()


async def test_an_address_that_does_not_answer_is_no_missing_right(erp: Erp, services: LocalServices):
    """The token URL is right, the API host is not: one finding about the address, not six about arrangements."""
    settings = replace(settings_of(erp), base_url="http://127.0.0.1:9")
    connector = S4Connector(read_settings(settings), services)
    login, wrong = await connector.ping()
    assert login.ok
    assert (wrong.ok, wrong.kind, wrong.needed) == (False, "connection", True)
    assert "base_url" in wrong.fix
    await connector.close()


async def test_unknown_company_code(erp: Erp, services: LocalServices):
    connector = connect(erp, services, company_code="9999")
    assert "company code" in failed(list(await connector.ping()))
    await connector.close()


async def test_a_look_up_that_sees_nothing_is_told(connector: S4Connector, erp: Erp):
    await connector.post([Outgoing(order())], TestPermit())
    assert {check.name: check.ok for check in await connector.ping()}["look-up sees our documents"]
    (entry,) = erp.entries()
    erp.command(f"/documents/1710/2026/{entry['accounting_document']}/delete")
    assert "look-up sees our documents" in failed(list(await connector.ping()))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("created_by_user", "THIRTEENCHARS"),
        ("company_code", ""),
        ("auth", "magic"),
        ("open_from", "soon"),
        ("journal_version", "1999"),
        ("timing", {"t_s": 1, "l_s": 1}),
    ],
)
def test_wrong_settings_are_named(setting: str, value: object):
    settings = Settings(
        "x", "https://erp.example", {"company_code": "1710", "created_by_user": "A", setting: value}, {}
    )
    with pytest.raises(ValueError, match=setting):
        read_settings(settings)


def test_usual_timing():
    settings = Settings("x", "https://erp.example", {"company_code": "1710", "created_by_user": "A"}, {})
    timing = read_settings(settings).timing
    assert (timing.t_s, timing.l_s, timing.h_s) == (180, 480, 675)


def test_declaration():
    assert (system.name, system.side, system.style, system.reference_form) == ("s4hana", "erp", "journal", "short")
    assert len({field.name for field in system.fields}) == len(system.fields)


@pytest.mark.parametrize("field", system.fields, ids=lambda field: field.name)
def test_every_setting_is_documented(field: Field):
    page = Path(__file__).parents[3] / "docs" / "setup" / "s4hana.md"
    assert f"| `{field.name}`" in page.read_text()


def test_every_setting_that_is_read_is_declared():
    declared = {field.name for field in system.fields}
    assert {f"customer_{name}" for name in CustomerDefaults.__dataclass_fields__} <= declared
    assert {f"document_type_{kind.value}" for kind in DOCUMENT_TYPES} <= declared
