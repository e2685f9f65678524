"""Deleting what is old: audit entries and stored webhooks, a few thousand rows at a time, each batch by itself.

Postings and records are never deleted: they are the proof that nothing is booked twice.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from ml_connector.engine.audit import append, entry
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


_DELETE: Final = """
WITH old AS (SELECT {key} FROM {table}
              WHERE integration = :integration AND {at} < statement_timestamp() - :days * interval '1 day'
              ORDER BY {at} LIMIT :batch FOR UPDATE SKIP LOCKED)
DELETE FROM {table} t USING old WHERE t.integration = :integration AND t.id = old.id
"""
"""Through the index on (integration, time); what another sweep has locked is left to it."""

DELETE_AUDIT = text(_DELETE.format(table="audit", key="id", at="at"))
DELETE_WEBHOOKS = text(_DELETE.format(table="webhooks", key="id", at="received_at"))

INTEGRATIONS = text("SELECT 0 UNION SELECT integration FROM integrations ORDER BY 1")


async def sweep(
    db: Database, retention: Retention, *, integration: int | None = None, batch: int = 5_000, pause_s: float = 0.05
) -> Mapping[str, int]:
    """Deletes what is older than `retention` says, of one integration or of all; how many rows of what.

    A periodic job: interrupted it goes on next time. Between batches it lets others work.
    """
    async with db.connect() as sql:
        known = [integration] if integration is not None else list((await sql.execute(INTEGRATIONS)).scalars())
    deleted = {"audit": 0, "webhooks": 0}
    jobs = (("audit", DELETE_AUDIT, retention.audit_days), ("webhooks", DELETE_WEBHOOKS, retention.webhook_days))
    for of in known:
        for table, statement, days in jobs:
            while True:
                async with db.connect() as sql:
                    gone = (await sql.execute(statement, {"integration": of, "days": days, "batch": batch})).rowcount
                deleted[table] += gone
                if gone < batch:
                    break
                await asyncio.sleep(pause_s)
    if any(deleted.values()):
        async with db.transaction() as sql:
            await append(sql, [entry("retention", integration=integration or 0, data=deleted)])
    return deleted
