"""One PostgreSQL: connections, transactions, notifications, JSON without floats.

Two ways to run SQL, and no third: `connect()` is autocommit, for single statements that keep their invariant by
themselves; `transaction()` is READ COMMITTED, for what must commit together. Both wait for the disk
(`synchronous_commit=on`): a row that says "about to send" must not be lost (`docs/exactly-once.md`, 3.4).
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier
from sqlalchemy import TextClause, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import PoolResetState

IDLE_IN_TRANSACTION_S = 10
"""A process that stands still in the midst of a transaction keeps its locks; after this the server takes them away.

Below a lease, for others must be able to take its work over by then. No transaction of ours waits for anything but
the database.
"""
_CONNECT_TIMEOUT_S = 10
_DEAD_LINE_S = 20
"""How long sent bytes may stay unacknowledged before the line to the server counts as dead."""


def parse_json(data: str | bytes) -> Any:
    """JSON as Python values; numbers with a fraction are `Decimal`, never float. Bytes are UTF-8."""
    return _DECODER.decode(data if isinstance(data, str) else data.decode())


def dump_json(value: object) -> str:
    """Canonical JSON: keys sorted, no blanks, `Decimal` as a string (its digits are kept)."""
    return _ENCODER.encode(value)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in stored JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal)
_ENCODER = json.JSONEncoder(default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def database_url(url: str | URL) -> URL:
    """`postgres://`, `postgresql://` or a URL of SQLAlchemy, as the URL of the driver that we use."""
    parsed = make_url(str(url).replace("postgres://", "postgresql://", 1) if isinstance(url, str) else url)
    if parsed.get_backend_name() != "postgresql":
        raise ValueError(
            f"the database must be PostgreSQL, not {parsed.get_backend_name()}: set DATABASE_URL to a postgresql:// URL"
        )
    return parsed.set(drivername="postgresql+psycopg")


TROUBLE: tuple[type[Exception], ...] = (DBAPIError, PoolTimeout, OSError)
"""What a statement can raise: the server's refusal or absence, no free connection in time, the network."""


def is_outage(error: BaseException) -> bool:
    """Whether the server was away (connection lost, refused, shutting down), as opposed to a statement it refused."""
    if isinstance(error, PoolTimeout):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_outage(error.orig))
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        # 08 connection, 53 out of resources, 57P0x shutting down or starting, 25006 read only (an old primary),
        # 25P03 the server has ended this session because it stood still in a transaction
        return state.startswith(("08", "53", "57P")) or state in ("25006", "25P03")
    return isinstance(error, OSError)


def is_contention(error: BaseException) -> bool:
    """Whether a statement lost against another one (lock time-out, deadlock): the same again may succeed."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return is_contention(error.orig)
    return isinstance(error, psycopg.Error) and error.sqlstate in ("40001", "40P01", "55P03")


async def rows_of(connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, object]) -> list[Any]:
    """The rows of one of the few statements that run for every order, by the driver alone.

    As `connection.execute(statement, parameters)`, with the same errors and the same values, in half of its time: the
    statement is known and its parameters are what the driver takes. A list must stand in a `CAST(:name AS type[])`: it
    goes out as the array's text.
    """
    told = {name: array_text(value) if isinstance(value, list) else value for name, value in parameters.items()}  # pyright: ignore[reportUnknownArgumentType]
    return await _driven(connection, _written(statement), told)


async def rows_by_kept_plan(
    connection: AsyncConnection, statement: TextClause, parameters: Mapping[str, object]
) -> list[Any]:
    """As `rows_of`, by the one plan that the server keeps for all values: for a statement whose plan must be the same
    whatever the tables hold. Otherwise the server compares estimates, and may plan it anew each time for nothing.

    On a connection in autocommit: the setting holds for the transaction, which is this round trip.
    """
    return await _driven(connection, _written(statement), parameters, after=_KEPT_PLAN)


_KEPT_PLAN = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true)"


def array_text(values: Sequence[object]) -> str:
    """A list of plain values as PostgreSQL reads an array of one dimension.

    The driver looks for what to escape with a pattern and finds a hundred quotes in each document; and it gives a list
    without a value another type than the same list with one, so that the server knows neither statement yet.
    """
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case bool():
            return "t" if value else "f"
        case int() | float():
            return str(value)
        case datetime():
            return f'"{value.isoformat()}"'
        case _:
            raise TypeError(f"{type(value).__name__} has no place in an array")


@lru_cache(maxsize=256)
def _written(statement: TextClause) -> str:
    """The statement with the driver's placeholders. Statements are constants of modules."""
    return str(statement.compile(dialect=PGDialect_psycopg()))


async def _driven(
    connection: AsyncConnection,
    statement: str,
    parameters: Mapping[str, object] | None = None,
    *,
    after: str | None = None,
) -> Any:
    """`after`: a statement that goes before this one, in the same round trip and transaction."""
    lent = connection.sync_connection
    assert lent is not None
    driver: Any = lent.connection.driver_connection
    try:
        cursor = driver.cursor(row_factory=namedtuple_row)
        if after is not None:
            async with driver.pipeline():
                await driver.cursor().execute(after)
                await cursor.execute(statement, parameters, prepare=True)
        else:
            await cursor.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        if driver.closed:  # the pool learns it in its own way: this raises, and invalidates what is lost
            await connection.exec_driver_sql("SELECT 1")
        raise DBAPIError.instance(statement, None, error, psycopg.Error, hide_parameters=True) from error


def _is_idle(connection: AsyncConnection) -> bool:
    lent = connection.sync_connection
    if lent is None or lent.closed or lent.invalidated:
        return False
    driver: Any = lent.connection.driver_connection
    return driver.info.transaction_status is TransactionStatus.IDLE


def _leave_clean(connection: Any, _record: object, state: PoolResetState) -> None:
    """A connection goes back to the pool idle, or not at all: raising here makes the pool close it."""
    if not state.terminate_only and connection.info.transaction_status is not TransactionStatus.IDLE:
        raise RuntimeError("the connection was left in the midst of a statement or a transaction")


class Database:
    """The pool of one process. `url` as in `DATABASE_URL`; `application` is shown in `pg_stat_activity`."""

    def __init__(self, url: str | URL, *, application: str = "ml-connector", pool_size: int = 10) -> None:
        self.url = database_url(url)
        options = {
            "synchronous_commit": "on",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S}s",
            "default_transaction_isolation": "read\\ committed",
            "timezone": "UTC",
            "jit": "off",
        }
        self._connect_args: dict[str, Any] = {
            "application_name": f"{application} {socket.gethostname()}:{os.getpid()}"[:63],
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "keepalives_idle": _DEAD_LINE_S,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": _DEAD_LINE_S * 1000,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        }
        self.engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=30,
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,  # `_leave_clean` does it, and costs nothing where there is nothing to do
            hide_parameters=True,  # an error's text must not carry what was written
            connect_args=self._connect_args,
            json_serializer=dump_json,
            json_deserializer=parse_json,
        )
        event.listen(self.engine.sync_engine, "reset", _leave_clean)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncConnection]:
        """A connection on which every statement commits by itself."""
        connection = await self.engine.connect()
        try:
            yield connection
        finally:
            if _is_idle(connection):  # goes back without a word to the server, so nothing can come between
                await connection.close()
            else:
                await asyncio.shield(asyncio.create_task(connection.close()))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncConnection]:
        """One READ COMMITTED transaction: commits at the end of the block, rolls back when it raises.

        The connections of the pool are in autocommit, for a change of that mode and back would cost every statement as
        much as the statement itself.
        """
        async with self.connect() as connection:
            await _driven(connection, "BEGIN")
            try:
                yield connection
            except BaseException:
                with suppress(SQLAlchemyError):  # the connection is lost then, and the transaction with it
                    await _driven(connection, "ROLLBACK")
                raise
            await _driven(connection, "COMMIT")

    @asynccontextmanager
    async def listen(self, channel: str) -> AsyncGenerator[AsyncIterator[str]]:
        """The payloads of a NOTIFY channel, on a connection of its own. A hint only: some may be missed."""
        dsn = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = await psycopg.AsyncConnection[Any].connect(dsn, autocommit=True, **self._connect_args)
        try:
            await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))

            async def payloads() -> AsyncIterator[str]:
                async for notification in connection.notifies():
                    yield notification.payload

            yield payloads()
        finally:
            await connection.close()

    async def close(self) -> None:
        await self.engine.dispose()


__all__ = [
    "AsyncConnection",
    "Database",
    "database_url",
    "dump_json",
    "is_contention",
    "is_outage",
    "parse_json",
    "rows_of",
]
