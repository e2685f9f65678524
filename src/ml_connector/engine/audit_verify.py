"""Verifying the audit: is every row as it was sealed, is none missing, was none put in, is the chain whole?

Seal by seal in order, so that memory stays flat however long the chain is: the server answers with one hash for a
segment, and rows are looked at one by one only where that is not the sealed one. Rows that retention removed are not
there to be looked at: their seals still bind the chain, and only old rows, from its beginning, may be gone.
"""

import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import text

from ml_connector.engine import audit_chain
from ml_connector.engine.audit_chain import AT, FIRST, LEAF, SEGMENT, Head, Seal
from ml_connector.engine.database import Database
from ml_connector.engine.retention import DAYS_MIN

Kind = Literal["altered", "missing", "inserted", "seal", "gap", "resealed", "truncated", "removed", "copy"]

COMPARE = text(f"""
SELECT count(*)::int AS rows, sha256(coalesce(string_agg(leaf, ''::bytea ORDER BY id), ''::bytea)) AS root
  FROM ({SEGMENT}) part
""")  # noqa: S608 - our own columns

LOOK = text(f"SELECT id, at, leaf FROM ({SEGMENT}) part ORDER BY id")  # noqa: S608 - our own columns

LEAVES = text("""
SELECT leaves, removed_at FROM audit_seals WHERE integration = :integration AND number = :number
""")

BELOW = text(f"""
SELECT a.id, {AT} AS at FROM audit a WHERE a.integration = :integration AND a.id <= :upto ORDER BY a.id LIMIT 1
""")  # noqa: S608 - our own columns

REMOVED = text("""
SELECT data ->> 'through_seal' AS through, data ->> 'proof' AS proof FROM audit
 WHERE integration = :integration AND kind = 'retention' AND jsonb_exists(data, 'through_seal')
   AND kind <> ALL ('{call,heard,read,planned,sent,stored,synced,retry,stock}'::text[])
 ORDER BY id DESC LIMIT 20000
""")
"""Newest first: the last one that retention wrote tells of everything that it took."""

UNSEALED = text(f"""
SELECT count(*)::int AS rows, min(at) AS since
  FROM (SELECT {AT} AS at FROM audit a WHERE a.integration = :integration AND a.id > :after
         ORDER BY a.id LIMIT 100000) open
""")  # noqa: S608 - our own columns


@dataclass(frozen=True, slots=True)
class Finding:
    """One break. `row` and `at` where a row is to be named; `seal` is the seal that shows it."""

    kind: Kind
    integration: int
    seal: int
    message: str
    row: int | None = None
    at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "integration": self.integration, "seal": self.seal, "row": self.row,
            "at": self.at.isoformat() if self.at else None, "message": self.message,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one integration's chain. `through`: the last seal before the first finding, None: not even the first holds.

    `rows`: that were compared and are right; `removed`: rows that retention took, `removed_through` the seal.
    `unsealed`: rows after the last seal (counted to 100,000), `unsealed_since` the time of the oldest.
    """

    integration: int
    seals: int
    rows: int
    removed: int
    removed_through: int
    through: Seal | None
    unsealed: int
    unsealed_since: datetime | None
    findings: tuple[Finding, ...]
    signed: bool

    @property
    def unbroken(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        return {
            "integration": self.integration, "unbroken": self.unbroken, "seals": self.seals, "rows": self.rows,
            "through": self.through.as_json() if self.through else None, "removed_by_retention": self.removed,
            "removed_through": self.removed_through, "unsealed": self.unsealed,
            "unsealed_since": self.unsealed_since.isoformat() if self.unsealed_since else None,
            "signatures_checked": self.signed, "findings": [each.as_json() for each in self.findings],
        }  # fmt: skip


Progress = Callable[[Seal], None]


async def verify(
    db: Database,
    integration: int,
    *,
    key: bytes | None = None,
    copy: Mapping[int, str] | None = None,
    limit: int = 10,
    progress: Progress | None = None,
) -> Verdict:
    """Walks the whole chain. `key`: of the vault, None leaves signatures unchecked. `copy`: number -> hash (hex) of
    seals that were kept elsewhere. Ends after `limit` findings."""
    known = dict(copy or {})
    end = await audit_chain.head(db, integration)
    walk = _Walk(db, integration, key)
    findings: list[Finding] = []
    through: Seal | None = None
    last = Head()
    seals = rows = 0
    async for seal in audit_chain.seals(db, integration):
        found = [each async for each in walk.check(seal, last, end, known.pop(seal.number, None))]
        findings += found
        last = Head(seal.number, seal.upto_id, seal.hash)
        seals += 1
        rows += seal.rows if not found and seal.removed_at is None else 0
        if not findings:
            through = seal
        if len(findings) >= limit:
            break
        if progress is not None:
            progress(seal)
    else:
        findings += await walk.end(last, end, known)
    async with db.connect() as sql:
        unsealed = (await sql.execute(UNSEALED, {"integration": integration, "after": last.upto_id})).one()
    return Verdict(
        integration, seals, rows, walk.removed, walk.removed_through, through, unsealed.rows, unsealed.since,
        tuple(findings[:limit]), key is not None,
    )  # fmt: skip


async def look_on(
    db: Database, integration: int, key: bytes, *, after: int, for_s: float
) -> tuple[int, Finding | None]:
    """A part of the same walk, from behind seal `after`, for about `for_s` seconds or to the first finding: the number
    of the last seal that was looked at (0: the end was reached) and the finding."""
    until = time.monotonic() + for_s
    end = await audit_chain.head(db, integration)
    walk = _Walk(db, integration, key)
    last = Head()
    async for seal in audit_chain.seals(db, integration, after=max(after - 1, 0)):
        if after and seal.number == after:
            last = Head(seal.number, seal.upto_id, seal.hash)
            continue
        if after and not last.number:
            return 0, None  # the seal where we stopped is gone: a whole round tells
        async for finding in walk.check(seal, last, end, None):
            return 0 if seal.number >= end.number else seal.number, finding
        last = Head(seal.number, seal.upto_id, seal.hash)
        if time.monotonic() > until:
            return last.number, None
    for finding in await walk.end(last, end, {}):
        return 0, finding
    return 0, None


class _Walk:
    """What a verification carries from seal to seal."""

    def __init__(self, db: Database, integration: int, key: bytes | None) -> None:
        self._db = db
        self._integration = integration
        self._key = key
        self._kept = False  # a seal whose rows are still there was passed: retention starts at the beginning
        self._removed_upto = 0
        self.removed = 0
        self.removed_through = 0

    async def check(self, seal: Seal, last: Head, end: Head, known: str | None) -> AsyncIterator[Finding]:
        """Everything that is wrong with one seal and its rows. `end`: of the chain, as the sealer remembers it."""
        if seal.number != last.number + 1:
            yield self._of(
                seal, "gap", f"seals {last.number + 1} to {seal.number - 1} are gone, and what they covered with them"
            )
        elif seal.previous != (last.hash if last.number else FIRST) or seal.after_id != last.upto_id:
            yield self._of(
                seal, "gap", f"seal {seal.number} was made after another seal {last.number} than the one there"
            )
        if audit_chain.hash_of(seal) != seal.hash:
            yield self._of(seal, "seal", f"seal {seal.number} was altered: its facts do not give its hash")
        elif self._key is not None and audit_chain.mac_of(self._key, seal.hash) != seal.mac:
            yield self._of(
                seal, "resealed", f"seal {seal.number} was not made by this installation: its signature is wrong"
            )
        if known is not None and known != seal.hash.hex():
            yield self._of(seal, "copy", f"seal {seal.number} is not the one in the copy: {known} there")
        if seal.removed_at is None:
            async for finding in self._rows(seal):
                yield finding
        else:
            async for finding in self._removed(seal):
                yield finding
        if seal.number == end.number and (seal.hash, seal.upto_id) != (end.hash, end.upto_id):
            message = f"seal {seal.number} is another one than was made ({end.hash.hex()}, through row {end.upto_id})"
            yield self._of(seal, "truncated", message)

    async def end(self, last: Head, end: Head, known: Mapping[int, str]) -> list[Finding]:
        """What is wrong after the last seal."""
        found: list[Finding] = []
        if end.number > last.number:
            found.append(
                Finding(
                    "truncated", self._integration, end.number,
                    f"the chain ends with seal {last.number}, and seal {end.number} was made ({end.hash.hex()})",
                )
            )  # fmt: skip
        for number in sorted(known):
            found.append(
                Finding("copy", self._integration, number, f"seal {number} of the copy is not there ({known[number]})")
            )
        if self.removed_through:
            async with self._db.connect() as sql:
                told = self._told((await sql.execute(REMOVED, {"integration": self._integration})).all())
                late = (
                    await sql.execute(BELOW, {"integration": self._integration, "upto": self._removed_upto})
                ).one_or_none()
            if told < self.removed_through:
                message = (
                    f"rows through seal {self.removed_through} are gone, and retention tells of "
                    f"{f'seal {told} at most' if told else 'none'}"
                )
                found.append(Finding("removed", self._integration, self.removed_through, message))
            if late is not None:
                message = f"row {late.id} of {late.at:%Y-%m-%d %H:%M:%S} was put in where retention had removed all"
                found.append(Finding("inserted", self._integration, self.removed_through, message, late.id, late.at))
        return found

    def _told(self, rows: Sequence[Any]) -> int:
        """Through which seal retention says that it took rows. With the key: said by itself, for anybody who may write
        to the database may write such a row."""
        for row in rows:
            through = int(row.through) if re.fullmatch("[0-9]{1,18}", row.through or "") else 0
            if not through:
                continue
            if self._key is None:
                return through
            wanted = audit_chain.removal_mac(self._key, self._integration, through)
            if hmac.compare_digest(wanted.encode(), (row.proof or "").encode()):
                return through
        return 0

    async def _removed(self, seal: Seal) -> AsyncIterator[Finding]:
        assert seal.removed_at is not None
        self.removed += seal.rows
        self.removed_through = seal.number
        if not self._kept:
            self._removed_upto = seal.upto_id
        # A row is no younger than its seal, whatever its writer's clock said; and nothing was removed tomorrow.
        removed_at = min(seal.removed_at, datetime.now(UTC))
        if self._kept or min(seal.last_at, seal.sealed_at) > removed_at - timedelta(days=DAYS_MIN):
            yield self._of(
                seal,
                "removed",
                f"the rows of seal {seal.number} are marked as removed, and retention would have kept them",
            )

    async def _rows(self, seal: Seal) -> AsyncIterator[Finding]:
        self._kept = True
        segment = {
            "integration": seal.integration, "after": seal.after_id, "upto": seal.upto_id, "rows": seal.rows + 1,
        }  # fmt: skip
        async with self._db.connect() as sql:
            found = (await sql.execute(COMPARE, segment)).one()
            if bytes(found.root) == seal.root:
                return
            kept = (await sql.execute(LEAVES, {"integration": seal.integration, "number": seal.number})).one_or_none()
            there = (await sql.execute(LOOK, segment)).all()
        if kept is None or kept.removed_at is not None:
            return  # retention came by in the meantime
        leaves = bytes(kept.leaves or b"")
        if hashlib.sha256(leaves).digest() != seal.root:
            message = f"a row of seal {seal.number} was altered, and so was the list that would name it"
            yield self._of(seal, "seal", message)
            return
        finding = _first_difference(seal, leaves, [(row.id, row.at, bytes(row.leaf)) for row in there])
        if finding is not None:
            yield finding

    def _of(self, seal: Seal, kind: Kind, message: str) -> Finding:
        return Finding(kind, seal.integration, seal.number, message, at=seal.sealed_at)


def _first_difference(seal: Seal, leaves: bytes, there: list[tuple[int, datetime, bytes]]) -> Finding | None:
    """By ID: both lists are sorted, so the first place where they part is the first row that is not as it was."""
    sealed = [leaves[start : start + LEAF] for start in range(0, len(leaves), LEAF)]
    for place in range(max(len(sealed), len(there))):
        was = sealed[place] if place < len(sealed) else None
        row = there[place] if place < len(there) else None
        if was is not None and row is not None and was == row[2]:
            continue
        was_id = int.from_bytes(was[:8], "big", signed=True) if was is not None else None
        if row is not None and (was_id is None or row[0] < was_id):
            message = f"row {row[0]} of {row[1]:%Y-%m-%d %H:%M:%S} was put in after seal {seal.number} was made"
            return Finding("inserted", seal.integration, seal.number, message, row[0], row[1])
        assert was is not None
        at = audit_chain.moment(int.from_bytes(was[8:16], "big", signed=True))
        if row is None or row[0] != was_id:
            message = f"row {was_id} of {at:%Y-%m-%d %H:%M:%S} is gone: seal {seal.number} has it"
            return Finding("missing", seal.integration, seal.number, message, was_id, at)
        message = f"row {was_id} of {at:%Y-%m-%d %H:%M:%S} was altered: it does not match seal {seal.number}"
        return Finding("altered", seal.integration, seal.number, message, was_id, at)
    return None
