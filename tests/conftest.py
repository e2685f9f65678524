"""What all tests share: one embedded PostgreSQL for the session, one fresh database for each test that asks."""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import URL, make_url

from ml_connector.engine.database import Database
from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate

TEMPLATE = "ml_connector_template"

# Machines are shared and slow at times: how long an example takes to draw says nothing about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


PROCESSES = (
    *("bench", "cli", "conformance", "contract", "crash/long", "crash/machines"),
    *("e2e", "engine", "engine_services", "reconcile", "shipments/test_flow", "stock"),
)
"""Folders with tests that start real processes and wait for them."""


LONGEST = (
    *("crash/test_points.py", "e2e/test_demo.py", "crash/long/test_long.py", "scenarios/test_scenarios.py"),
    *("bench", "e2e", "cli/test_commands.py", "stock", "crash/machines", "conformance", "engine", "cli"),
)
"""What begins first where several processes share the suite, so that the last ones to end have little left."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test of real processes that fails is run once more, for a shared machine may stand still at any moment; the
    summary says which (`R`). Crash stories and scenarios decide by themselves: never where something is doubled."""
    for item in items:
        if _place(item).startswith(PROCESSES):
            item.add_marker(pytest.mark.flaky(reruns=1))
    if hasattr(config, "workerinput"):  # xdist hands out whole files, in this order
        items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if _place(item).startswith(name)), 99))


def _place(item: pytest.Item) -> str:
    home = Path(__file__).parent
    return item.path.relative_to(home).as_posix() if item.path.is_relative_to(home) else ""


def _execute(server: URL, statement: str, *names: str) -> None:
    dsn = server.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(statement).format(*(Identifier(name) for name in names)))


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that another user may pass through, as the embedded server needs when the tests run as root."""
    path = Path(tempfile.mkdtemp(prefix="mlc-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """The server of this session, with a migrated template database. ML_CONNECTOR_TEST_SERVER: one that is there."""
    if given := os.environ.get("ML_CONNECTOR_TEST_SERVER"):
        yield make_url(given)
        return
    directory = Path(tempfile.mkdtemp(prefix="mlc-test-"))
    directory.chmod(0o711)
    server = EmbeddedPostgres(directory / "postgres", database=TEMPLATE)
    try:
        server.start()
        # TCP: it does not cross network namespaces, so a test that cuts the line really cuts it.
        url = server.url(tcp=True)
        migrate(url)
        yield url
    finally:
        server.release()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def database_url(postgres: URL) -> Iterator[str]:
    """The URL of a fresh, migrated database, as `DATABASE_URL` would give it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _execute(postgres, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, TEMPLATE)
    yield postgres.set(database=name).render_as_string(hide_password=False)
    if not os.environ.get("ML_CONNECTOR_KEEP_TEST_DATABASES"):
        _execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on a fresh database, with the integration 1."""
    database = Database(database_url, application="test")
    async with database.connect() as connection:
        await connection.exec_driver_sql("INSERT INTO integrations (integration, name) VALUES (1, 'test')")
    yield database
    await database.close()
