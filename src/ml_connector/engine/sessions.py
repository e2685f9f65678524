"""Sessions of systems that allow few, one call at a time in each: leased across processes, sealed by the vault.

A session is leased for one call. The lease is a row with an end by the database's clock; the holder renews it while its
call lasts. Whoever takes a place raises its version, and everything that a holder writes names the version that it took
(the fence). A process that dies gives its session back when the lease lapses; one that was stopped finds its lease over
by its own clock, which began before the database's, and starts no call any more (`check`).

Who waits takes its turn by a ticket: a process with much to do must not starve the others. One process logs in at a
time; a refused login stops all logins for a while, because wrong passwords lock a user.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.base import Trace
from ml_connector.connectors.errors import NotSent, Throttled, Transient, Unauthorized
from ml_connector.engine.database import Database
from ml_connector.engine.sessions_sql import (
    DISCARD,
    DOOR,
    ENSURE,
    FORGET,
    FORGIVE,
    FORGIVE_ALL,
    GIVE_BACK,
    LEAVE_DOOR,
    REFUSED,
    RENEW,
    RENEW_DOOR,
    STORE,
    TAKE,
    TAKE_OWN,
    WAIT,
    WAITED,
)
from ml_connector.engine.vault import Sealed, Vault

LEASE_S = 10.0
"""So long after the last sign of life of its holder a session goes to another."""

WAIT_MAX_S = 120.0
OPEN_MAX_S = 120.0
REFUSED_S = 300.0
"""No login for that long after one was refused."""

FAILED_PAUSE_S = 1.0
_LOOK_S = 0.05
_TICKET_S = 2.0


async def forget_sessions(sql: AsyncConnection, connection: int) -> None:
    """The credentials changed, in the same transaction: the next call logs in with the new ones."""
    await sql.execute(FORGET, {"connection": connection})
    await sql.execute(FORGIVE_ALL, {"connection": connection})


async def _no_trace(point: str) -> None:
    """Nothing observes."""


class _Lease:
    """One place of a pool, ours until the lease ends. `good_until`: of our monotonic clock."""

    def __init__(self, pool: "PostgresSessions", name: str, row: Any, value: str | None, good_until: float) -> None:
        self._pool = pool
        self.name = name
        self.place: int = row.place
        self.version: int = row.version
        self.good_until = good_until
        self.opener = ""
        self.open: Callable[[], Awaitable[str]] | None = None
        self.current = value
        self.stored = value
        self.unused_s: float = row.unused_s or 0.0

    @property
    def value(self) -> str:
        assert self.current is not None
        return self.current

    def check(self) -> None:
        if time.monotonic() >= self.good_until:
            raise NotSent(f"the lease of session {self.name}/{self.place} has lapsed: this process stood still")

    def keep(self, value: str) -> None:
        self.current = value

    async def renew(self) -> None:
        assert self.open is not None
        await self._pool.reopen(self, self.open)


class PostgresSessions:
    """The `SessionPool` of one connection in one process."""

    def __init__(
        self, db: Database, vault: Vault, connection: int, *, lease_s: float = LEASE_S, trace: Trace = _no_trace
    ) -> None:
        self._db = db
        self._vault = vault
        self._connection = connection
        self._lease_s = lease_s
        self._trace = trace
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._numbers = count()
        self._turns: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._made: set[tuple[str, int]] = set()

    # ------------------------------------------------------------------ the protocol

    @asynccontextmanager
    async def lease(self, name: str, size: int, open: Callable[[], Awaitable[str]]) -> AsyncGenerator[_Lease]:
        """See `SessionPool`. Raises also `SQLAlchemyError`, `WrongKey`."""
        if size < 1:
            raise ValueError(f"a pool of {size} sessions: at least one must be allowed")
        # In one process the first come is served first; its tasks ask the database one for each place.
        async with self._turns.setdefault((name, size), asyncio.Semaphore(size)):
            lease = await self._take(name, size)
            lease.open = open
            renewing = asyncio.create_task(self._renew_for_ever(lease), name="session lease")
            try:
                if lease.current is None:
                    await self.reopen(lease, open)
                yield lease
            finally:
                renewing.cancel()
                with suppress(SQLAlchemyError, OSError):  # the lease lapses by itself
                    await self._give_back(lease)

    async def forgive(self, name: str) -> None:
        async with self._db.connect() as sql:
            await sql.execute(FORGIVE, self._pool_row(name))

    async def end(self, name: str, close: Callable[[str], Awaitable[None]]) -> None:
        while True:
            began = time.monotonic()
            parameters = {**self._pool_row(name), "holder": self._holder, "lease_s": self._lease_s}
            async with self._db.connect() as sql:
                row = (await sql.execute(TAKE_OWN, parameters)).one_or_none()
            if row is None:
                return
            lease = self._leased(name, row, began)
            renewing = asyncio.create_task(self._renew_for_ever(lease), name="session lease")
            try:
                await close(lease.value)
            finally:
                renewing.cancel()
                lease.current = None
                await self._give_back(lease)

    # ------------------------------------------------------------------ places

    async def _take(self, name: str, size: int) -> _Lease:
        waiter = f"{self._holder}:{next(self._numbers)}"
        parameters = {
            **self._pool_row(name), "size": size, "waiter": waiter, "holder": self._holder, "lease_s": self._lease_s,
        }  # fmt: skip
        deadline = time.monotonic() + WAIT_MAX_S
        if (name, size) not in self._made:
            async with self._db.connect() as sql:
                await sql.execute(ENSURE, parameters)
            self._made.add((name, size))
        waits = False
        try:
            while True:
                began = time.monotonic()
                async with self._db.connect() as sql:
                    row = (await sql.execute(TAKE, parameters)).one_or_none()
                    if row is None:
                        await sql.execute(WAIT, {**parameters, "ticket_s": _TICKET_S})
                        waits = True
                if row is not None:
                    return self._leased(name, row, began)
                if began > deadline:
                    raise Throttled(
                        f"all {size} sessions of connection {self._connection} were busy for {WAIT_MAX_S:.0f} s: the "
                        "call was not made",
                        retry_after_s=5.0,
                    )
                await asyncio.sleep(_LOOK_S)
        finally:
            if waits:
                with suppress(SQLAlchemyError, OSError):  # the ticket stops counting by itself
                    async with self._db.connect() as sql:
                        await sql.execute(WAITED, parameters)

    def _leased(self, name: str, row: Any, began: float) -> _Lease:
        value = None
        if row.sealed is not None:
            sealed = Sealed(row.master, row.wrapped, row.sealed)
            value = self._vault.open(self._connection, _secret_name(name, row.place), sealed)
        return _Lease(self, name, row, value, began + self._lease_s)

    async def _renew_for_ever(self, lease: _Lease) -> None:
        """A renewal that fails lets the lease lapse: `check` then says so."""
        while True:
            await asyncio.sleep(self._lease_s / 4)
            began = time.monotonic()
            with suppress(SQLAlchemyError, OSError):
                async with self._db.connect() as sql:
                    row = {**self._row(lease), "holder": self._holder, "lease_s": self._lease_s}
                    renewed = await sql.execute(RENEW, row)
                    if lease.opener:
                        await sql.execute(RENEW_DOOR, {**self._door(lease), "lease_s": self._lease_s})
                lease.good_until = began + self._lease_s if renewed.rowcount == 1 else float("-inf")

    async def _give_back(self, lease: _Lease) -> None:
        if lease.current is not None and lease.current != lease.stored:
            await self._store(lease, lease.current, opened=False)
        async with self._db.connect() as sql:
            if lease.current is None:
                await sql.execute(DISCARD, self._row(lease))
            await sql.execute(GIVE_BACK, self._row(lease))

    # ------------------------------------------------------------------ opening

    async def reopen(self, lease: _Lease, open: Callable[[], Awaitable[str]]) -> None:
        """A new session in the place of `lease`. Raises what `open` raises, `Transient` when the place was lost."""
        lease.current = None
        await self._enter(lease)
        pause_s, refused = 0.0, None
        try:
            async with asyncio.timeout(OPEN_MAX_S):
                value = await open()
            await self._trace("login.a")
            stored = await self._store(lease, value, opened=True)
        except Unauthorized as error:
            refused = str(error)
            raise
        except TimeoutError as error:
            pause_s = FAILED_PAUSE_S
            raise Transient(f"no session was opened within {OPEN_MAX_S:.0f} s") from error
        except BaseException:
            pause_s = FAILED_PAUSE_S
            raise
        finally:
            await self._leave(lease, pause_s, refused)
        if not stored:
            raise Transient("the login took so long that another process has taken the place over")
        lease.unused_s = 0.0

    async def _enter(self, lease: _Lease) -> None:
        lease.opener = f"{self._holder}:{lease.place}:{lease.version}"
        deadline = time.monotonic() + WAIT_MAX_S
        while True:
            async with self._db.connect() as sql:
                entered = await sql.execute(DOOR, {**self._door(lease), "lease_s": self._lease_s})
                if entered.rowcount == 1:
                    return
                refused = (await sql.execute(REFUSED, self._pool_row(lease.name))).scalar()
            if refused is not None:
                lease.opener = ""
                raise Unauthorized(
                    f"no login is tried for {REFUSED_S / 60:.0f} minutes after one was refused, or the user gets "
                    f"locked: {refused}"
                )
            if time.monotonic() > deadline:
                lease.opener = ""
                raise Transient("another process has been logging in all the time; see its calls in the audit")
            await asyncio.sleep(_LOOK_S)

    async def _leave(self, lease: _Lease, pause_s: float, refused: str | None) -> None:
        facts = {"pause_s": pause_s, "refused": refused, "refused_s": REFUSED_S if refused is not None else 0.0}
        with suppress(SQLAlchemyError, OSError):  # the next one may enter when it lapses
            async with self._db.connect() as sql:
                await sql.execute(LEAVE_DOOR, {**self._door(lease), **facts})
        lease.opener = ""

    async def _store(self, lease: _Lease, value: str, *, opened: bool) -> bool:
        name = _secret_name(lease.name, lease.place)
        async with self._db.transaction() as sql:
            sealed = self._vault.seal(await self._vault.current(sql), self._connection, name, value)
            await self._trace("session.store.b")
            stored = await sql.execute(
                STORE,
                {
                    **self._row(lease), "opened_by": self._holder if opened else None, "master": sealed.master,
                    "wrapped": sealed.wrapped, "sealed": sealed.sealed,
                },
            )  # fmt: skip
        if stored.rowcount != 1:
            return False
        lease.current = lease.stored = value
        return True

    # ------------------------------------------------------------------ parameters

    def _pool_row(self, name: str) -> dict[str, object]:
        return {"connection": self._connection, "name": name}

    def _row(self, lease: _Lease) -> dict[str, object]:
        return {**self._pool_row(lease.name), "place": lease.place, "version": lease.version}

    def _door(self, lease: _Lease) -> dict[str, object]:
        return {**self._pool_row(lease.name), "opener": lease.opener}


def _secret_name(name: str, place: int) -> str:
    return f"session:{name}/{place}"
