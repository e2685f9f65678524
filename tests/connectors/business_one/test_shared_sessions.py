"""Several processes on one company whose licence permits two sessions: each gets its turn, none is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from ml_connector.connectors.base import Lookup, Outgoing, Posted
from ml_connector.connectors.business_one.connector import B1Connector
from ml_connector.connectors.business_one.login import Session
from ml_connector.connectors.business_one.settings import read_settings
from ml_connector.connectors.errors import Transient, Unauthorized
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault
from tests.connectors.business_one.conftest import settings_of
from tests.connectors.business_one.documents import invoice
from tests.connectors.business_one.erp import Erp
from tests.connectors.shared import TestPermit


@dataclass(frozen=True)
class Known:
    id: int = 1
    name: str = "erp"
    system: str = "business_one"
    concurrency: int | None = 4


@dataclass
class Worker:
    """What one process has: services of its own on the common database."""

    shared: Shared
    connector: B1Connector

    async def close(self) -> None:
        await self.connector.close()
        await self.shared.close()


def worker(database: Database, vault: Vault, erp: Erp, **settings: object) -> Worker:
    shared = Shared(database, vault)
    return Worker(shared, B1Connector(read_settings(settings_of(erp, **settings)), shared.services_for(Known())))


@pytest.fixture
def vault(database: Database) -> Vault:
    return Vault(database, MasterKeys([MasterKey.new()]))


@pytest.fixture
async def two(database: Database, vault: Vault, erp: Erp) -> AsyncIterator[list[Worker]]:
    erp.settings(session_cap=2)
    workers = [worker(database, vault, erp) for _ in range(2)]
    yield workers
    for each in workers:
        await each.close()


async def test_two_workers_stay_within_the_licence(two: list[Worker], erp: Erp) -> None:
    documents = [invoice(f"BC-S1-{number}-I") for number in range(30000, 30008)]
    answers = await asyncio.gather(
        *(two[place % 2].connector.post([Outgoing(document)], TestPermit()) for place, document in enumerate(documents))
    )
    assert all(isinstance(result, Posted) for (result,) in answers)
    found = await asyncio.gather(*(each.connector.find([Lookup(d) for d in documents]) for each in two))
    assert all(len(each) == len(documents) for each in found)
    assert len(erp.state("sessions")) <= 2
    assert erp.requests("Login") == 2


async def test_a_worker_that_leaves_logs_out_of_what_it_opened(database: Database, vault: Vault, erp: Erp) -> None:
    first = worker(database, vault, erp)
    await first.connector.accounts()
    assert len(erp.state("sessions")) == 1
    await first.close()
    assert erp.state("sessions") == []


async def test_a_wrong_password_is_tried_once_by_all_of_them(database: Database, vault: Vault, erp: Erp) -> None:
    workers = [worker(database, vault, erp, company="SBO_STORE") for _ in range(3)]
    for each in workers:
        wrong = settings_of(erp)
        credentials = {"user": wrong.credentials["user"], "password": "wrong"}
        services = each.shared.services_for(Known())
        await each.connector.close()
        each.connector = B1Connector(
            read_settings(type(wrong)("erp", wrong.base_url, wrong.settings, credentials, sandbox=True)), services
        )
        with pytest.raises(Unauthorized):
            await each.connector.accounts()
    assert erp.requests("Login") == 1
    assert next(user["failures"] for user in erp.state("users") if user["name"] == "mlc_integration") == 1
    for each in workers:
        await each.close()


async def test_a_session_of_another_company_is_never_used(database: Database, vault: Vault, erp: Erp) -> None:
    """The connection's company was changed: what the pool still holds belongs to the books of before."""
    before = worker(database, vault, erp)
    await before.connector.accounts()
    after = worker(database, vault, erp, company="SBO_STORE_TEST")
    with pytest.raises(Transient, match="login to company SBO_STORE_TEST"):
        await after.connector.accounts()
    with pytest.raises(Transient, match="login to company SBO_STORE_TEST"):
        await after.connector.post([Outgoing(invoice("BC-S1-30099-I"))], TestPermit())
    assert erp.carrying("Invoices", "BC-S1-30099-I") == []
    for each in (before, after):
        await each.close()


def test_a_session_of_another_release_can_be_read() -> None:
    kept = Session("one", ".node1", "v1", 1000190, 30, "books")
    assert Session.parse(kept.text()) == kept
    assert Session.parse('{"id": "one", "from": "next year"}') == Session("one")
