"""The Business One stand-in as a separate process, one for the session's tests, reset before each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ml_connector.connectors.base import Settings
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.business_one.settings import read_settings
from ml_connector.sandbox.process import SandboxProcess
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import LocalServices


@pytest.fixture(scope="session")
def b1_sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["business_one"]) as process:
        yield process


@pytest.fixture
def erp(b1_sandbox: SandboxProcess) -> Erp:
    erp = Erp(b1_sandbox.systems["business_one"])
    erp.reset()
    return erp


@pytest.fixture
def services() -> LocalServices:
    return LocalServices()


@pytest.fixture
async def connector(erp: Erp, services: LocalServices) -> AsyncIterator[B1Connector]:
    connector = connect(erp, services)
    yield connector
    await connector.close()


def settings_of(erp: Erp, **settings: object) -> Settings:
    given: dict[str, object] = {
        "company": erp.announced.credentials["company_db"],
        "freight_code": 1,
        "charge_item": "ADJUSTMENT",
        "timing": {"t_s": 5, "l_s": 1, "p_s": 2},
    }
    credentials = {name: erp.announced.credentials[name] for name in ("user", "password")}
    return Settings("erp", erp.announced.base_url, given | settings, credentials, sandbox=True)


def connect(erp: Erp, services: LocalServices, **settings: object) -> B1Connector:
    """A connector to the stand-in; `settings` beside company and login."""
    return B1Connector(read_settings(settings_of(erp, **settings)), services)
