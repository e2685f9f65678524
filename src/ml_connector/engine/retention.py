"""Deleting what is old: audit entries and stored webhooks, a few thousand rows at a time, each batch by itself.

Audit entries go in whole sealed segments, oldest first, and their seals stay (`audit_chain.py`): what is gone can be
told from what was taken. Entries that are not sealed yet are not old.

Postings and records are never deleted: they are the proof that nothing is booked twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import text

from ml_connector.engine.audit import append, entry
from ml_connector.engine.audit_chain import removal_mac
from ml_connector.engine.database import Database

DAYS_MIN = 7
"""Longer than any uncertain write may stay unresolved, whose evidence is in the audit, and than a sender repeats a
delivery, whose key is in the webhooks."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days rows are kept. Raises `ValueError` below `DAYS_MIN`."""

    audit_days: int = 400
    webhook_days: int = 30

    def __post_init__(self) -> None:
        for name, days in (("audit", self.audit_days), ("webhooks", self.webhook_days)):
            if days < DAYS_MIN:
                raise ValueError(f"retention of {name} is {days} days: at least {DAYS_MIN} are needed")


DELETE_WEBHOOKS = text("""
WITH old AS (SELECT id FROM webhooks
              WHERE integration = :integration AND received_at < statement_timestamp() - :days * interval '1 day'
              ORDER BY received_at LIMIT :batch FOR UPDATE SKIP LOCKED)
DELETE FROM webhooks t USING old WHERE t.integration = :integration AND t.id = old.id
""")
"""Through the index on (integration, time); what another sweep has locked is left to it."""

OLDEST_SEALS = text("""
SELECT number, after_id, upto_id, rows,
       least(last_at, sealed_at) < statement_timestamp() - :days * interval '1 day' AS old
  FROM audit_seals WHERE integration = :integration AND removed_at IS NULL
 ORDER BY number LIMIT :segments FOR UPDATE
""")
DELETE_SEALED = text("DELETE FROM audit WHERE integration = :integration AND id > :after AND id <= :upto")
MARK_REMOVED = text("""
UPDATE audit_seals SET removed_at = statement_timestamp(), leaves = NULL
 WHERE integration = :integration AND number BETWEEN :first AND :last AND removed_at IS NULL
""")

INTEGRATIONS = text("SELECT 0 UNION SELECT integration FROM integrations ORDER BY 1")


async def sweep(
    db: Database,
    retention: Retention,
    *,
    integration: int | None = None,
    key: bytes | None = None,
    batch: int = 5_000,
    pause_s: float = 0.05,
) -> Mapping[str, int]:
    """Deletes what is older than `retention` says, of one integration or of all; how many rows of what. `key`: that of
    the seals, by which the entry proves that it was us; without it a verification that has the key finds fault.

    A periodic job: interrupted it goes on next time. Between batches it lets others work.
    """
    async with db.connect() as sql:
        known = [integration] if integration is not None else list((await sql.execute(INTEGRATIONS)).scalars())
    deleted = {"audit": 0, "webhooks": 0}
    for of in known:
        deleted["audit"] += await _sweep_audit(db, of, retention.audit_days, key, batch, pause_s)
        deleted["webhooks"] += await _sweep_webhooks(db, of, retention.webhook_days, batch, pause_s)
    return deleted


async def _sweep_audit(db: Database, integration: int, days: int, key: bytes | None, batch: int, pause_s: float) -> int:
    """Whole sealed segments from the beginning of the chain, with the entry that tells of it. Their seals stay."""
    deleted = 0
    segments = 1
    while True:
        async with db.transaction() as sql:
            parameters = {"integration": integration, "days": days, "segments": segments}
            found = (await sql.execute(OLDEST_SEALS, parameters)).all()
            old = list(takewhile(lambda seal: seal.old, found))
            if not old:
                return deleted
            first, last = old[0], old[-1]
            ids = {"integration": integration, "after": first.after_id, "upto": last.upto_id}
            gone = (await sql.execute(DELETE_SEALED, ids)).rowcount
            numbers = {"integration": integration, "first": first.number, "last": last.number}
            await sql.execute(MARK_REMOVED, numbers)
            facts: dict[str, Any] = {"audit": gone, "through_seal": last.number}
            if key is not None:
                facts["proof"] = removal_mac(key, integration, last.number)
            await append(sql, [entry("retention", integration=integration, data=facts)])
        deleted += gone
        # Segments are as large as their minute was busy: as many at once as the last ones say fit in a batch.
        segments = max(1, min(500, batch * len(old) // max(1, gone)))
        await asyncio.sleep(pause_s)


async def _sweep_webhooks(db: Database, integration: int, days: int, batch: int, pause_s: float) -> int:
    deleted = 0
    while True:
        async with db.connect() as sql:
            parameters = {"integration": integration, "days": days, "batch": batch}
            gone = (await sql.execute(DELETE_WEBHOOKS, parameters)).rowcount
        deleted += gone
        if gone < batch:
            break
        await asyncio.sleep(pause_s)
    if deleted:
        async with db.transaction() as sql:
            await append(sql, [entry("retention", integration=integration, data={"webhooks": deleted})])
    return deleted
