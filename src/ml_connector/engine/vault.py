"""Secrets at rest: envelope encryption with AES-256-GCM.

Every secret has a data key of its own; the data key is wrapped by a master key that is never in the database. Owner
and name are authenticated with both, so that no row can be moved to another owner. Rotating the master key wraps the
data keys anew and leaves the secrets as they are: one transaction, whole or not at all, and safe to run again.

The database says which master key is current (by a name derived from the key); a process writes under that key alone,
so a process that has missed a rotation can write nothing that would be lost with the old key.
"""

import hmac
import json
import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import Database
from ml_connector.engine.masking import KnownSecrets, known_secrets
from ml_connector.engine.master_keys import MasterKey, MasterKeys, VaultError

INSTALLATION = 0
"""The owner of secrets that belong to no connection."""

_NONCE = 12


class WrongKey(VaultError):
    """The master key that is needed is not at hand, or what is stored was sealed otherwise."""


class UnknownSecret(VaultError):
    """No secret of that name is stored."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored. `master`: the name of the master key that wraps the data key."""

    master: str
    wrapped: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


CURRENT = text("SELECT master FROM master_keys WHERE state = 'current'")

CURRENT_LOCKED = text("SELECT master FROM master_keys WHERE state = 'current' FOR KEY SHARE")
"""Excludes the rotation (which locks FOR UPDATE) until the writer has committed: nothing is sealed under a key that
is being retired."""

FOUND = text("INSERT INTO master_keys (master, state) VALUES (:master, 'current') ON CONFLICT DO NOTHING")

PUT = text(
    """
    INSERT INTO secrets AS s (connection, name, master, wrapped, sealed)
    VALUES (:connection, :name, :master, :wrapped, :sealed)
    ON CONFLICT (connection, name) DO UPDATE SET
      master = excluded.master, wrapped = excluded.wrapped, sealed = excluded.sealed, changed_at = statement_timestamp()
    """
)

GET = text("SELECT master, wrapped, sealed FROM secrets WHERE connection = :connection AND name = :name")

WRAPPED = text(
    """
    SELECT 'secrets' AS place, connection, name, name AS bound, master, wrapped FROM secrets WHERE master <> :new
    UNION ALL
    SELECT 'tokens', connection, name, 'token:' || name, master, wrapped FROM tokens WHERE master <> :new
    UNION ALL
    SELECT 'sessions', connection, name || '/' || place, 'session:' || name || '/' || place, master, wrapped
      FROM sessions WHERE master <> :new
    ORDER BY place, connection, name
    """
)

REWRAP = {
    "secrets": text(
        "UPDATE secrets SET master = :new, wrapped = :wrapped WHERE connection = :connection AND name = :name"
    ),
    "tokens": text(
        "UPDATE tokens SET master = :new, wrapped = :wrapped WHERE connection = :connection AND name = :name"
    ),
    "sessions": text(
        "UPDATE sessions SET master = :new, wrapped = :wrapped"
        " WHERE connection = :connection AND name || '/' || place = :name"
    ),
}

RETIRE = text(
    """
    UPDATE master_keys SET state = 'retired', since = statement_timestamp() WHERE state = 'current' AND master <> :new
    """
)

MAKE_CURRENT = text(
    """
    INSERT INTO master_keys (master, state) VALUES (:new, 'current')
    ON CONFLICT (master) DO UPDATE SET state = 'current', since = statement_timestamp()
     WHERE master_keys.state <> 'current'
    """
)

LOCK_TABLES = text("LOCK TABLE secrets, tokens, sessions IN SHARE ROW EXCLUSIVE MODE")


class Vault:
    """Secrets of connections. `secrets`: told every value that passes, so that logs and audit can mask it."""

    def __init__(self, db: Database, keys: MasterKeys, *, secrets: KnownSecrets = known_secrets) -> None:
        self._db = db
        self._keys = keys
        self.secrets = secrets

    def __repr__(self) -> str:
        return f"Vault({self._keys!r})"

    # ------------------------------------------------------------------ secrets

    async def put(self, connection: int, name: str, value: str, *, on: AsyncConnection | None = None) -> None:
        """Stores `value`, in the caller's transaction `on` where given. Raises `WrongKey`."""
        async with self._transaction(on) as sql:
            sealed = self.seal(await self.current(sql), connection, name, value)
            await sql.execute(
                PUT,
                {
                    "connection": connection, "name": name,
                    "master": sealed.master, "wrapped": sealed.wrapped, "sealed": sealed.sealed,
                },
            )  # fmt: skip

    async def get(self, connection: int, name: str, *, on: AsyncConnection | None = None) -> str:
        """The secret. Raises `UnknownSecret`, `WrongKey`."""
        async with self._connection(on) as sql:
            row = (await sql.execute(GET, {"connection": connection, "name": name})).one_or_none()
        if row is None:
            raise UnknownSecret(
                f"no secret {name!r} is stored for connection {connection}: apply the configuration again"
            )
        return self.open(connection, name, Sealed(row.master, row.wrapped, row.sealed))

    async def all(self, connection: int, *, on: AsyncConnection | None = None) -> dict[str, str]:
        """Every secret of a connection by name. Raises `WrongKey`."""
        statement = text(
            "SELECT name, master, wrapped, sealed FROM secrets WHERE connection = :connection ORDER BY name"
        )
        async with self._connection(on) as sql:
            rows = (await sql.execute(statement, {"connection": connection})).all()
        return {row.name: self.open(connection, row.name, Sealed(row.master, row.wrapped, row.sealed)) for row in rows}

    async def names(self, connection: int, *, on: AsyncConnection | None = None) -> Sequence[str]:
        """Which secrets a connection has; needs no key."""
        statement = text("SELECT name FROM secrets WHERE connection = :connection ORDER BY name")
        async with self._connection(on) as sql:
            return list((await sql.execute(statement, {"connection": connection})).scalars())

    async def same(self, connection: int, name: str, value: str, *, on: AsyncConnection | None = None) -> bool:
        """Whether `value` is what is stored, compared in constant time; false when nothing is stored."""
        self.secrets.add(value)
        try:
            stored = await self.get(connection, name, on=on)
        except UnknownSecret:
            return False
        return hmac.compare_digest(stored.encode(), value.encode())

    async def delete(self, connection: int, name: str, *, on: AsyncConnection | None = None) -> bool:
        """Forgets the secret; whether there was one."""
        statement = text("DELETE FROM secrets WHERE connection = :connection AND name = :name")
        async with self._connection(on) as sql:
            return (await sql.execute(statement, {"connection": connection, "name": name})).rowcount == 1

    # ------------------------------------------------------------------ envelope

    async def current(self, sql: AsyncConnection) -> MasterKey:
        """The master key to write under, held current until the transaction of `sql` ends. Raises `WrongKey`."""
        name = (await sql.execute(CURRENT_LOCKED)).scalar()
        if name is None:
            await sql.execute(FOUND, {"master": self._keys.first.name})
            name = (await sql.execute(CURRENT_LOCKED)).scalar_one()
        return self._key(name)

    async def check(self) -> None:
        """Raises `WrongKey` if this process cannot read what is stored. For the start of a process and `ping`."""
        async with self._db.connect() as sql:
            name = (await sql.execute(CURRENT)).scalar()
            if name is not None:
                self._key(name)

    def seal(self, master: MasterKey, connection: int, name: str, value: str) -> Sealed:
        """`value` under a fresh data key."""
        self.secrets.add(value)
        data_key = AESGCM.generate_key(256)
        wrapped = _encrypt(master.material, data_key, _bound("wrap", connection, name))
        return Sealed(master.name, wrapped, _encrypt(data_key, value.encode(), _bound("seal", connection, name)))

    def open(self, connection: int, name: str, sealed: Sealed) -> str:
        """The value. Raises `WrongKey`."""
        data_key = self._unwrap(connection, name, sealed.master, sealed.wrapped)
        try:
            value = _decrypt(data_key, sealed.sealed, _bound("seal", connection, name)).decode()
        except InvalidTag:
            raise WrongKey(_altered(connection, name)) from None
        self.secrets.add(value)
        return value

    # ------------------------------------------------------------------ rotation

    async def rotate(self, new: MasterKey) -> int:
        """Wraps every data key by `new`, which becomes the current master key; how many were wrapped.

        One transaction: interrupted, nothing has changed and it can be run again; run again after it committed, it
        finds nothing to do. Every process needs both keys from before the rotation until after it. Raises `WrongKey`.
        """
        self._keys.add(new)
        async with self._db.transaction() as sql:
            await sql.execute(text("SELECT master FROM master_keys ORDER BY master FOR UPDATE"))
            await sql.execute(LOCK_TABLES)
            rows = (await sql.execute(WRAPPED, {"new": new.name})).all()
            for row in rows:
                data_key = self._unwrap(row.connection, row.bound, row.master, row.wrapped)
                wrapped = _encrypt(new.material, data_key, _bound("wrap", row.connection, row.bound))
                await sql.execute(
                    REWRAP[row.place],
                    {"new": new.name, "wrapped": wrapped, "connection": row.connection, "name": row.name},
                )
            await sql.execute(RETIRE, {"new": new.name})
            await sql.execute(MAKE_CURRENT, {"new": new.name})
        return len(rows)

    async def rotate_key(self) -> int:
        """`rotate` to the next master key of this installation; how many data keys were wrapped.

        A key file gets a new key, and loses the old one once nothing is wrapped by it. Keys in the environment are the
        operator's: the new one comes first in `ML_CONNECTOR_KEY`, the old one behind it. Raises `VaultError`.
        """
        async with self._db.connect() as sql:
            current = (await sql.execute(CURRENT)).scalar() or self._keys.first.name
        self._key(current)
        new = self._keys.next_after(current)
        wrapped = await self.rotate(new)
        self._keys.retire_all_but(new)
        return wrapped

    # ------------------------------------------------------------------ parts

    def _key(self, name: str) -> MasterKey:
        key = self._keys.get(name)
        if key is None:
            raise WrongKey(
                f"the secrets in this database are encrypted with master key {name}, and this process has "
                f"{', '.join(self._keys.names)}: {self._keys.advice}"
            )
        return key

    def _unwrap(self, connection: int, name: str, master: str, wrapped: bytes) -> bytes:
        try:
            return _decrypt(self._key(master).material, wrapped, _bound("wrap", connection, name))
        except InvalidTag:
            raise WrongKey(_altered(connection, name)) from None

    def _connection(self, on: AsyncConnection | None) -> AbstractAsyncContextManager[AsyncConnection]:
        return nullcontext(on) if on is not None else self._db.connect()

    def _transaction(self, on: AsyncConnection | None) -> AbstractAsyncContextManager[AsyncConnection]:
        return nullcontext(on) if on is not None else self._db.transaction()


def _bound(use: str, connection: int, name: str) -> bytes:
    """What a ciphertext is bound to: it opens for this use, owner and name alone."""
    return json.dumps(["ml-connector", 1, use, connection, name]).encode()


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    return AESGCM(key).decrypt(bytes(sealed[:_NONCE]), bytes(sealed[_NONCE:]), bound)


def _altered(connection: int, name: str) -> str:
    return (
        f"the secret {name!r} of connection {connection} does not open: the stored row was altered or moved; "
        "store the secret again"
    )
