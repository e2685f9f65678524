"""What most commands need: the database that `DATABASE_URL` names (embedded when unset), the vault and the registry."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from ml_connector.cli.exits import CliError
from ml_connector.engine.database import Database, database_url
from ml_connector.engine.embedded import DEFAULT_DIRECTORY, EmbeddedPostgres
from ml_connector.engine.master_keys import MasterKeys, master_keys
from ml_connector.engine.migrations import head, migrate, revision
from ml_connector.engine.registry import Registry
from ml_connector.engine.vault import Vault

DATA = "ML_CONNECTOR_DATA"
"""Directory of the embedded PostgreSQL and, beside it, of the master key. Default: `.ml-connector` here."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One process's hold on the installation."""

    url: URL
    database: Database
    vault: Vault
    registry: Registry


def data_directory() -> Path:
    """Where the embedded server and the master key lie."""
    return Path(os.environ.get(DATA) or DEFAULT_DIRECTORY.parent).absolute()


def installation_keys() -> MasterKeys:
    """The master keys; with the embedded database one is made beside it. Raises `VaultError`."""
    own = None if os.environ.get("DATABASE_URL") else data_directory() / "master.key"
    return master_keys(os.environ, own_file=own)


@asynccontextmanager
async def server() -> AsyncGenerator[tuple[URL, bool]]:
    """The database's address, and whether it is embedded; an embedded server runs while the block does."""
    given = os.environ.get("DATABASE_URL", "").strip()
    if given:
        yield _address(given), False
        return
    embedded = EmbeddedPostgres(data_directory() / DEFAULT_DIRECTORY.name)
    await asyncio.to_thread(embedded.start)
    keeping = asyncio.create_task(embedded.keep_running(), name="embedded server")
    try:
        yield embedded.url(), True
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await asyncio.to_thread(embedded.release)


@asynccontextmanager
async def opened(application: str = "cli", *, pool_size: int = 5) -> AsyncGenerator[Opened]:
    """Everything open, the schema current. An embedded database is brought up to date here; an external one is the
    operator's to migrate (`ml-connector migrate`). Raises `CliError`, and what the parts raise."""
    async with server() as (url, embedded):
        if embedded:
            await asyncio.to_thread(migrate, url)
        database = Database(url, application=f"ml-connector {application}", pool_size=pool_size)
        try:
            if not embedded:
                await _require_current(database)
            yield Opened(url, database, Vault(database, installation_keys()), Registry(database))
        finally:
            await database.close()


def _address(given: str) -> URL:
    try:
        return database_url(given)
    except (ValueError, ArgumentError) as error:
        words = str(error) if "DATABASE_URL" in str(error) else "it cannot be read"  # others repeat what was given
        raise CliError(
            f"DATABASE_URL is no database address: {words}. Use postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None


async def _require_current(database: Database) -> None:
    async with database.connect() as connection:
        found, wanted = await connection.run_sync(revision), head()
    if found != wanted:
        state = f"is at {found}" if found else "was never set up"
        raise CliError(
            f"The database {state}, this program needs {wanted}: stop older processes and run `ml-connector migrate`."
        )
