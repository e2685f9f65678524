"""How far the chains of the audit are sealed, and what the look that goes round and round has found so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import audit_chain, watermarks

ENOUGH = 10_000
"""Seals whose rows are counted; a longer chain has more rows than what is said."""

_LAST = text("""
SELECT number, sealed_at FROM audit_seals WHERE integration = :integration ORDER BY number DESC LIMIT 1
""")
_ROWS = text("""
SELECT count(*) AS seals, coalesce(sum(rows), 0)::bigint AS rows
  FROM (SELECT rows FROM audit_seals WHERE integration = :integration ORDER BY number DESC LIMIT :limit) last
""")


@dataclass(frozen=True, slots=True)
class Chain:
    """One integration's chain (0: what belongs to none). `number` 0: nothing is sealed yet. `rows`: through that seal,
    at least (`more`). `round_at`: when every seal had been compared with its rows once more; None: not yet. `found`:
    what was wrong, empty where nothing was."""

    integration: int
    number: int
    sealed_at: datetime | None
    rows: int
    more: bool
    round_at: datetime | None
    found: str

    @property
    def state(self) -> str:
        """`broken`, `unbroken`, `sealed` (and not compared yet), or `new`."""
        if self.found:
            return "broken"
        return "new" if not self.number else "unbroken" if self.round_at else "sealed"


async def chains(sql: AsyncConnection, integrations: Sequence[int]) -> list[Chain]:
    """In the order asked for."""
    return [await _chain(sql, each) for each in integrations]


async def _chain(sql: AsyncConnection, integration: int) -> Chain:
    last = (await sql.execute(_LAST, {"integration": integration})).one_or_none()
    counted = (await sql.execute(_ROWS, {"integration": integration, "limit": ENOUGH})).one()
    seen: dict[str, Any] = await watermarks.noted(sql, integration, audit_chain.NAME, "seen") or {}
    # What this round has found counts at once, not when the round ends.
    found: dict[str, Any] = seen.get("found") or seen.get("this_round") or {}
    ended = seen.get("round")
    return Chain(
        integration,
        last.number if last else 0,
        last.sealed_at if last else None,
        counted.rows,
        last is not None and last.number > counted.seals,
        datetime.fromisoformat(ended) if ended else None,
        str(found.get("message", "")),
    )
