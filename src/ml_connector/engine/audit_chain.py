"""The audit chained: rows are sealed in segments after they are committed, and each seal is bound to the one before.

Writers do not take part: an entry stays one INSERT without a lock. A seal covers all rows of an integration with
`after_id < id <= upto_id` and keeps ID, time and hash of each (its leaves), so that a verification can name the row.

    row     SHA-256 of the row as a JSON array, by the server (`ROW`)
    leaf    ID, time in microseconds, hash of the row: 8 + 8 + 32 bytes
    root    SHA-256 of the leaves in the order of their IDs
    hash    SHA-256 of the seal's facts, its root and the hash before (`hash_of`)
    mac     HMAC-SHA-256 of the hash, by a key in the vault: who may write to the database alone cannot seal anew

**Nothing comes late.** IDs are given before their transaction commits, so a row may appear below one that is there
already. Whoever has been given an ID holds a lock of the INSERT on the table until its end: `horizon` notes the last
ID given, then who holds that lock, and waits until all of those are gone. Whatever appears below it afterwards was
put there by another way than the product's, and shows as inserted.

The sealer remembers its last seal in `watermarks` too, and goes on from there: seals that were taken from the end
leave a gap in the numbers. Who can rewrite all of that, and has the vault's key, is found by a copy of the seals that
is kept elsewhere (`ml-connector audit seals`; every seal is a line in the log as well).
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import text

from ml_connector.engine import watermarks
from ml_connector.engine.database import Database, dump_json
from ml_connector.engine.vault import UnknownSecret, Vault

log = structlog.get_logger()

NAME: Final = "system:seal"
SEGMENT_ROWS = 2_000
LEAF = 48
FIRST: Final = bytes(32)
"""What the first seal is bound to."""

BELOW_ALL: Final = -(2**63)
"""Where the first seal begins: below every ID, also those that no product ever gives."""

KEY: Final = "audit-seal"
INSTALLATION: Final = 0
_PATIENCE_S = 15.0
"""Longer than a transaction of ours may stand still (`IDLE_IN_TRANSACTION_S`)."""
_LOOK_EVERY_S = 0.05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def within_reach(column: str) -> str:
    """A time as every program can read it: PostgreSQL knows `infinity` and years that nothing else does, and one such
    row, which no product writes, must not keep all others from being sealed and compared."""
    return f"least(greatest({column}, '0001-01-02 00:00+00'::timestamptz), '9999-12-30 00:00+00'::timestamptz)"


AT: Final = within_reach("a.at")
_MICROSECONDS: Final = f"(extract(epoch FROM {AT}) * 1000000)::bigint"

ROW: Final = f"""
sha256(convert_to(jsonb_build_array(a.id, a.integration, {_MICROSECONDS}, a.correlation,
  a.kind, a.connection, a.flow, a.key, a.refs, a.token, a.who, a.data)::text, 'UTF8'))
"""
ROW_LEAF: Final = f"int8send(a.id) || int8send({_MICROSECONDS}) || {ROW}"

SEGMENT: Final = f"""
SELECT a.id, {AT} AS at, {ROW_LEAF} AS leaf FROM audit a
 WHERE a.integration = :integration AND a.id > :after AND a.id <= :upto ORDER BY a.id LIMIT :rows
"""  # noqa: S608 - our own columns

FOLD = text(f"""
WITH part AS MATERIALIZED ({SEGMENT}),
     first AS (SELECT at FROM part ORDER BY id LIMIT 1),
     cut AS (SELECT min(part.id) AS id FROM part, first
              WHERE part.at NOT BETWEEN first.at - interval '1 day' AND first.at + interval '1 day')
SELECT count(*)::int AS rows, max(id) AS last_id, min(at) AS first_at, max(at) AS last_at,
       string_agg(leaf, ''::bytea ORDER BY id) AS leaves, (SELECT count(*) FROM part)::int AS seen,
       statement_timestamp() AS sealed_at
  FROM part WHERE id < coalesce((SELECT id FROM cut), 9223372036854775807)
""")  # noqa: S608 - our own columns
"""The next segment. It ends where the time of the rows moves by more than a day, for retention takes it as a whole."""

GIVEN = text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_id_seq")

WRITERS = text("""
SELECT l.virtualtransaction FROM pg_locks l JOIN pg_database d ON d.oid = l.database
 WHERE d.datname = current_database() AND l.locktype = 'relation' AND l.relation = 'audit'::regclass
   AND l.mode = 'RowExclusiveLock' AND l.granted
""")

LAST = text("""
SELECT number, upto_id, hash FROM audit_seals WHERE integration = :integration ORDER BY number DESC LIMIT 1
""")

ADD = text("""
INSERT INTO audit_seals (integration, number, after_id, upto_id, rows, first_at, last_at, sealed_at, root, previous,
                         hash, mac, leaves)
VALUES (:integration, :number, :after_id, :upto_id, :rows, :first_at, :last_at, :sealed_at, :root, :previous,
        :hash, :mac, :leaves)
ON CONFLICT DO NOTHING RETURNING number
""")

# A skip scan of the primary key: as many steps as there are integrations.
CHAINS = text("""
WITH RECURSIVE rows AS (
  (SELECT integration FROM audit ORDER BY integration LIMIT 1)
  UNION ALL
  SELECT (SELECT a.integration FROM audit a WHERE a.integration > rows.integration ORDER BY a.integration LIMIT 1)
    FROM rows WHERE rows.integration IS NOT NULL),
sealed AS (
  (SELECT integration FROM audit_seals ORDER BY integration LIMIT 1)
  UNION ALL
  SELECT (SELECT s.integration FROM audit_seals s WHERE s.integration > sealed.integration
           ORDER BY s.integration LIMIT 1)
    FROM sealed WHERE sealed.integration IS NOT NULL)
SELECT integration FROM rows WHERE integration IS NOT NULL
 UNION SELECT integration FROM sealed WHERE integration IS NOT NULL
 UNION SELECT integration FROM watermarks WHERE flow = 'system:seal' AND jsonb_exists(value, 'head') ORDER BY 1
""")
"""Also those of which nothing is left but the sealer's note: that is how a chain looks that was taken away whole."""

SEALS = text(f"""
SELECT integration, number, after_id, upto_id, rows, {within_reach("first_at")} AS first_at,
       {within_reach("last_at")} AS last_at, {within_reach("sealed_at")} AS sealed_at, root, previous, hash, mac,
       CASE WHEN removed_at IS NOT NULL THEN {within_reach("removed_at")} END AS removed_at
  FROM audit_seals WHERE integration = :integration AND number > :after ORDER BY number LIMIT :limit
""")  # noqa: S608 - our own columns

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Seal:
    """Of `rows` rows of an integration, `after_id` excluded, `upto_id` included. Times in UTC, by the database's clock
    (`sealed_at`) and by the writers' (`first_at`, `last_at`). `removed_at`: when retention took its rows."""

    integration: int
    number: int
    after_id: int
    upto_id: int
    rows: int
    first_at: datetime
    last_at: datetime
    sealed_at: datetime
    root: bytes
    previous: bytes
    hash: bytes
    mac: bytes
    removed_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """What a copy elsewhere needs, to compare later and to follow the chain by itself."""
        return {
            "integration": self.integration, "number": self.number, "after_id": self.after_id, "upto_id": self.upto_id,
            "rows": self.rows, "first_at": self.first_at.isoformat(), "last_at": self.last_at.isoformat(),
            "sealed_at": self.sealed_at.isoformat(), "root": self.root.hex(), "previous": self.previous.hex(),
            "hash": self.hash.hex(), "removed_at": self.removed_at.isoformat() if self.removed_at else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain goes on. `hash`: of the last seal."""

    number: int = 0
    upto_id: int = BELOW_ALL
    hash: bytes = FIRST


def microseconds(moment: datetime) -> int:
    """Since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """The opposite of `microseconds`."""
    return _EPOCH + timedelta(microseconds=microseconds)


def hash_of(seal: Seal) -> bytes:
    """What `seal.hash` must be."""
    facts = [
        "ml-connector audit seal", 1, seal.integration, seal.number, seal.after_id, seal.upto_id, seal.rows,
        microseconds(seal.first_at), microseconds(seal.last_at), microseconds(seal.sealed_at),
        seal.root.hex(), seal.previous.hex(),
    ]  # fmt: skip
    return hashlib.sha256(dump_json(facts).encode()).digest()


def mac_of(key: bytes, seal_hash: bytes) -> bytes:
    """What `seal.mac` must be."""
    return hmac.digest(key, seal_hash, "sha256")


def removal_mac(key: bytes, integration: int, through: int) -> str:
    """Proves that retention took the rows through that seal, and nobody in its name."""
    return hmac.digest(key, dump_json(["ml-connector audit removal", 1, integration, through]).encode(), "sha256").hex()


# ---------------------------------------------------------------------- sealing


async def sealing_key(db: Database, vault: Vault) -> bytes:
    """The key of this installation, made by the first who asks. Raises `WrongKey`."""
    known = await known_key(vault)
    if known is not None:
        return known
    async with db.transaction() as sql:
        await sql.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": KEY})
        try:
            return bytes.fromhex(await vault.get(INSTALLATION, KEY, on=sql))
        except UnknownSecret:
            made = secrets.token_bytes(32)
            await vault.put(INSTALLATION, KEY, made.hex(), on=sql)
            return made


async def known_key(vault: Vault) -> bytes | None:
    """The key of this installation; None: nothing was sealed yet, or the key was deleted. Raises `WrongKey`."""
    try:
        return bytes.fromhex(await vault.get(INSTALLATION, KEY))
    except UnknownSecret:
        return None


async def chains(db: Database) -> list[int]:
    """Every integration that has, or had, rows or seals; 0 among them."""
    async with db.connect() as sql:
        return list((await sql.execute(CHAINS)).scalars())


async def horizon(db: Database, *, patience_s: float = _PATIENCE_S) -> int | None:
    """An ID below which no row is still on its way; None where a writer did not end in time."""
    async with db.connect() as sql:
        given = (await sql.execute(GIVEN)).scalar_one()
        writing = set((await sql.execute(WRITERS)).scalars())
        deadline = time.monotonic() + patience_s
        while writing:
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(_LOOK_EVERY_S)
            writing &= set((await sql.execute(WRITERS)).scalars())
    return given


async def seal(db: Database, key: bytes, integration: int, upto: int, *, rows: int = SEGMENT_ROWS) -> int:
    """Seals what is not sealed yet, through the horizon `upto`; how many rows. Two at once do no harm: one of them
    writes each seal."""
    sealed = 0
    while True:
        made = await _seal_next(db, key, integration, upto, rows)
        if made is None:
            return sealed
        sealed += made.rows
        log.info("audit.sealed", integration=integration, seal=made.number, rows=made.rows, hash=made.hash.hex())


async def seal_all(db: Database, vault: Vault, *, only: int | None = None) -> int:
    """Seals every chain, or one, as far as nothing is on its way; how many rows. Raises `WrongKey`."""
    upto = await horizon(db)
    if upto is None:
        return 0
    key = await sealing_key(db, vault)
    return sum([await seal(db, key, each, upto) for each in (await chains(db) if only is None else [only])])


async def head(db: Database, integration: int) -> Head:
    """The end of the chain as the sealer remembers it; as the table shows it where nothing is remembered."""
    async with db.connect() as sql:
        kept = await watermarks.noted(sql, integration, NAME, "head")
        last = (await sql.execute(LAST, {"integration": integration})).one_or_none()
    if kept is not None:
        with suppress(TypeError, KeyError, ValueError):  # spoilt: as if it were not there
            return Head(int(kept["number"]), int(kept["upto_id"]), bytes.fromhex(kept["hash"]))
    return Head(last.number, last.upto_id, bytes(last.hash)) if last is not None else Head()


async def _seal_next(db: Database, key: bytes, integration: int, upto: int, rows: int) -> Seal | None:
    end = await head(db, integration)
    async with db.connect() as sql:
        parameters = {"integration": integration, "after": end.upto_id, "upto": upto, "rows": rows}
        found = (await sql.execute(FOLD, parameters)).one()
    if not found.rows:
        return None
    whole = found.rows == found.seen < rows
    root = hashlib.sha256(found.leaves).digest()
    draft = Seal(
        integration, end.number + 1, end.upto_id, upto if whole else found.last_id, found.rows, found.first_at,
        found.last_at, found.sealed_at, root, end.hash, b"", b"",
    )  # fmt: skip
    made = hash_of(draft)
    values: dict[str, Any] = {
        name: getattr(draft, name)
        for name in ("number", "after_id", "upto_id", "rows", "first_at", "last_at", "sealed_at", "root", "previous")
    }
    async with db.transaction() as sql:
        row = await sql.execute(
            ADD,
            {**values, "integration": integration, "hash": made, "mac": mac_of(key, made), "leaves": found.leaves},
        )
        if row.first() is None:
            return None  # somebody else seals too
        note = {"number": draft.number, "upto_id": draft.upto_id, "hash": made.hex()}
        await watermarks.note(sql, integration, NAME, {"head": note})
    return replace(draft, hash=made, mac=mac_of(key, made))


# ---------------------------------------------------------------------- reading


async def seals(db: Database, integration: int, *, after: int = 0) -> AsyncIterator[Seal]:
    """Every seal with a higher number than `after`, in order, in short reads."""
    while True:
        async with db.connect() as sql:
            found = (
                (await sql.execute(SEALS, {"integration": integration, "after": after, "limit": _PAGE}))
                .mappings()
                .all()
            )
        for row in found:
            yield seal_from(row)
        if len(found) < _PAGE:
            return
        after = found[-1]["number"]


def seal_from(row: Mapping[Any, Any]) -> Seal:
    """A row of `SEALS`."""
    facts: dict[str, Any] = {**row}
    for name in ("root", "previous", "hash", "mac"):
        facts[name] = bytes(facts[name])
    return Seal(**facts)
