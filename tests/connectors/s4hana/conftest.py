"""The S/4HANA stand-in as a separate process, one for the module's tests, reset before each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ml_connector.connectors.base import Settings
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.connectors.s4hana.settings import read_settings
from ml_connector.sandbox.process import SandboxProcess
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["s4hana"]) as process:
        yield process


@pytest.fixture
def erp(sandbox: SandboxProcess) -> Erp:
    erp = Erp(sandbox.systems["s4hana"])
    erp.reset()
    return erp


@pytest.fixture
def services() -> LocalServices:
    return LocalServices()


@pytest.fixture
async def connector(erp: Erp, services: LocalServices) -> AsyncIterator[S4Connector]:
    connector = connect(erp, services)
    yield connector
    await connector.close()


def connect(erp: Erp, services: LocalServices, **settings: object) -> S4Connector:
    """A connector to the stand-in; `settings` beside company code and login."""
    return S4Connector(read_settings(settings_of(erp, **settings)), services)


def settings_of(erp: Erp, **settings: object) -> Settings:
    given: dict[str, object] = {
        "company_code": "1710",
        "created_by_user": "BCCONNECT",
        "token_url": erp.announced.token_url,
        "customer_reconciliation_account": "12100000",
        "timing": {"t_s": 5, "l_s": 1, "p_s": 2},
    }
    return Settings("ledger", erp.announced.base_url, given | settings, dict(erp.announced.credentials), sandbox=True)
