"""Session tokens: fetched once, shared by every process, sealed by the vault.

Who renews a token holds a lease in its row, not a database lock: a fetch may take as long as the other system likes,
and a lock would pin a connection of the pool (and a transaction) for that time. A process that dies during its fetch
leaves a lease that lapses by itself. The others look at the row a few times a second until the token is there.

A token in use is kept in memory, so that a call costs no look at the database; a token that a system no longer takes
is dropped by whoever was told so, which compares: a token that another process has renewed meanwhile stays.
"""

import asyncio
import contextlib
import hmac
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.connectors.base import Token, Trace
from ml_connector.engine.database import Database
from ml_connector.engine.vault import Sealed, Vault, VaultError

LEASE_S = 5.0
"""So long after the last sign of life of a fetching process another one may try."""

FETCH_MAX_S = 60.0
"""A fetch is given up after this. Who fetches renews its lease, so a slow login is no reason for a second one."""

FAILED_PAUSE_S = 1.0
"""After a fetch that failed nobody else tries for that long: wrong credentials must not lock an account."""

_LOOK_S = 0.1


class TokenTimeout(VaultError):
    """No process has brought a token in time."""


READ = text(
    """
    SELECT version, master, wrapped, sealed, fetched_at, expires_at FROM tokens
     WHERE connection = :connection AND name = :name
    """
)

LEASE = text(
    """
    INSERT INTO tokens AS t (connection, name, fetcher, fetching_until)
    VALUES (:connection, :name, :fetcher, statement_timestamp() + :lease_s * interval '1 second')
    ON CONFLICT (connection, name) DO UPDATE SET fetcher = excluded.fetcher, fetching_until = excluded.fetching_until
     WHERE t.version = :version AND (t.fetching_until IS NULL OR t.fetching_until < statement_timestamp())
    RETURNING version
    """
)
"""One fetcher at a time, and none for a version that the caller has not seen."""

RENEW = text(
    """
    UPDATE tokens SET fetching_until = statement_timestamp() + :lease_s * interval '1 second'
     WHERE connection = :connection AND name = :name AND fetcher = :fetcher
    """
)

STORE = text(
    """
    UPDATE tokens SET version = version + 1, master = :master, wrapped = :wrapped, sealed = :sealed,
           fetched_at = :fetched_at, expires_at = :expires_at, fetcher = NULL, fetching_until = NULL
     WHERE connection = :connection AND name = :name AND fetcher = :fetcher AND version = :version
    RETURNING version
    """
)

GIVE_UP = text(
    """
    UPDATE tokens SET fetcher = NULL, fetching_until = statement_timestamp() + :pause_s * interval '1 second'
     WHERE connection = :connection AND name = :name AND fetcher = :fetcher
    """
)

DROP = text(
    """
    UPDATE tokens SET version = version + 1, master = NULL, wrapped = NULL, sealed = NULL,
           fetched_at = NULL, expires_at = NULL
     WHERE connection = :connection AND name = :name AND version = :version
    """
)


FORGET = text(
    """
    UPDATE tokens SET version = version + 1, master = NULL, wrapped = NULL, sealed = NULL,
           fetched_at = NULL, expires_at = NULL
     WHERE connection = :connection AND sealed IS NOT NULL
    """
)


async def forget_tokens(sql: AsyncConnection, connection: int) -> None:
    """The credentials changed, in the same transaction: the next call shows at once whether they are right."""
    await sql.execute(FORGET, {"connection": connection})


async def _no_trace(point: str) -> None:
    """Nothing observes."""


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Token
    fetched_at: datetime

    def valid(self, for_s: float) -> bool:
        """A token that lives shortly is good for half its life, or it would be fetched for every call."""
        need = min(timedelta(seconds=for_s), (self.token.expires_at - self.fetched_at) / 2)
        return self.token.expires_at > datetime.now(UTC) + need


class PostgresTokens:
    """The `TokenStore` of one connection."""

    def __init__(
        self, db: Database, vault: Vault, connection: int, *, lease_s: float = LEASE_S, trace: Trace = _no_trace
    ) -> None:
        self._db = db
        self._vault = vault
        self._connection = connection
        self._lease_s = lease_s
        self._trace = trace
        self._process = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, min_valid_s: float = 60) -> Token:
        """The stored token if it is valid for `min_valid_s` more, else the result of one `fetch` for all processes.

        Raises what `fetch` raises, `TokenTimeout`, `WrongKey`.
        """
        if (kept := self._kept.get(name)) is not None and kept.valid(min_valid_s):
            return kept.token
        async with self._locks.setdefault(name, asyncio.Lock()):
            if (kept := self._kept.get(name)) is not None and kept.valid(min_valid_s):
                return kept.token
            kept = self._kept[name] = await self._shared(name, fetch, min_valid_s)
            return kept.token

    async def drop(self, name: str, token: Token) -> None:
        """Forget `token` if it is still the stored one (another process may have renewed it)."""
        if (kept := self._kept.get(name)) is not None and _equal(kept.token, token):
            del self._kept[name]
        version, stored = await self._read(name)
        if stored is not None and _equal(stored.token, token):
            async with self._db.connect() as sql:
                await sql.execute(DROP, {**self._row(name), "version": version})

    async def _shared(self, name: str, fetch: Callable[[], Awaitable[Token]], min_valid_s: float) -> _Kept:
        seen: int | None = None
        deadline = asyncio.get_running_loop().time() + 2 * FETCH_MAX_S
        while True:
            version, stored = await self._read(name)
            # A token that arrived while we waited is the best there is, however short it lives.
            if stored is not None and stored.valid(min_valid_s if seen in (None, version) else 0):
                return stored
            seen = version
            if await self._lease(name, version):
                fetched = await self._fetch(name, fetch, version)
                if fetched is not None:
                    return fetched
            if asyncio.get_running_loop().time() > deadline:
                raise TokenTimeout(
                    f"no process has renewed the session {name!r} of connection {self._connection} within "
                    f"{2 * FETCH_MAX_S:.0f} s: see the calls to its token address in the audit"
                )
            await asyncio.sleep(_LOOK_S)

    async def _fetch(self, name: str, fetch: Callable[[], Awaitable[Token]], version: int) -> _Kept | None:
        """The token, stored; None if the lease was lost meanwhile, so that another's token counts."""
        lease = {**self._row(name), "fetcher": self._process}
        renewing = asyncio.create_task(self._renew_for_ever(lease), name="token lease")
        try:
            async with asyncio.timeout(FETCH_MAX_S):
                token = await fetch()
        except BaseException:
            # Also when cancelled: the next one need not wait for the lease to lapse.
            async with self._db.connect() as sql:
                await sql.execute(GIVE_UP, {**lease, "pause_s": FAILED_PAUSE_S})
            raise
        finally:
            renewing.cancel()
        fetched_at = datetime.now(UTC)
        await self._trace("login.a")
        async with self._db.transaction() as sql:
            sealed = self._vault.seal(await self._vault.current(sql), self._connection, _secret_name(name), token.value)
            await self._trace("session.store.b")
            stored = await sql.execute(
                STORE,
                {
                    **lease, "version": version, "fetched_at": fetched_at, "expires_at": token.expires_at,
                    "master": sealed.master, "wrapped": sealed.wrapped, "sealed": sealed.sealed,
                },
            )  # fmt: skip
            return _Kept(token, fetched_at) if stored.rowcount == 1 else None

    async def _renew_for_ever(self, lease: dict[str, object]) -> None:
        """A renewal that fails costs a second login at worst: what is stored is decided by `STORE`."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            with contextlib.suppress(SQLAlchemyError, OSError):
                async with self._db.connect() as sql:
                    await sql.execute(RENEW, {**lease, "lease_s": self._lease_s})

    async def _read(self, name: str) -> tuple[int, _Kept | None]:
        async with self._db.connect() as sql:
            row = (await sql.execute(READ, self._row(name))).one_or_none()
        if row is None:
            return 0, None
        if row.sealed is None:
            return row.version, None
        value = self._vault.open(self._connection, _secret_name(name), Sealed(row.master, row.wrapped, row.sealed))
        return row.version, _Kept(Token(value, row.expires_at), row.fetched_at)

    async def _lease(self, name: str, version: int) -> bool:
        async with self._db.connect() as sql:
            row = await sql.execute(
                LEASE, {**self._row(name), "fetcher": self._process, "lease_s": self._lease_s, "version": version}
            )
            return row.rowcount == 1

    def _row(self, name: str) -> dict[str, object]:
        return {"connection": self._connection, "name": name}


def _secret_name(name: str) -> str:
    return f"token:{name}"


def _equal(one: Token, other: Token) -> bool:
    return hmac.compare_digest(one.value.encode(), other.value.encode())
