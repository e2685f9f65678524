"""Mapping and policy as a person is about to save them: one draft for each person and integration.

A draft is nobody's truth: no run reads it. Saving it is an edit of the configuration as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import dump_json

Json = Mapping[str, Any]

_READ = text("""
SELECT mapping, mapping_version, policy, policy_version, changed_at FROM drafts
 WHERE integration = :integration AND person = :person
""")

# Of the person, not of the row: the first change of two that are made at once finds none.
_LOCK = text("SELECT pg_advisory_xact_lock(:integration, hashtext(:person))")

_KEEP = text("""
INSERT INTO drafts (integration, person, mapping, mapping_version, policy, policy_version)
VALUES (:integration, :person, CAST(:mapping AS jsonb), :mapping_version, CAST(:policy AS jsonb), :policy_version)
ON CONFLICT (integration, person) DO UPDATE
   SET mapping = excluded.mapping, mapping_version = excluded.mapping_version, policy = excluded.policy,
       policy_version = excluded.policy_version, changed_at = statement_timestamp()
""")

_DISCARD = text("DELETE FROM drafts WHERE integration = :integration AND person = :person")


@dataclass(frozen=True, slots=True)
class Draft:
    """`mapping`, `policy`: whole, in the shape of the configuration file. The versions are those that it was begun
    from."""

    mapping: Json
    mapping_version: int
    policy: Json
    policy_version: int
    changed_at: datetime | None = None


async def read(sql: AsyncConnection, integration: int, person: str, *, locked: bool = False) -> Draft | None:
    """The draft of `person`; `locked`: nobody else changes it until the transaction ends."""
    of = {"integration": integration, "person": person}
    if locked:
        await sql.execute(_LOCK, of)
    row = (await sql.execute(_READ, of)).one_or_none()
    return Draft(*row) if row is not None else None


async def keep(sql: AsyncConnection, integration: int, person: str, draft: Draft) -> None:
    """Takes the place of the person's draft."""
    parameters = {
        "integration": integration,
        "person": person,
        "mapping": dump_json(dict(draft.mapping)),
        "mapping_version": draft.mapping_version,
        "policy": dump_json(dict(draft.policy)),
        "policy_version": draft.policy_version,
    }
    await sql.execute(_KEEP, parameters)


async def discard(sql: AsyncConnection, integration: int, person: str) -> None:
    """Nothing of it is left."""
    await sql.execute(_DISCARD, {"integration": integration, "person": person})
