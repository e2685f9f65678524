"""What one action has released, and how far each of those records is by now."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

AT_MOST = 5_000

_RELEASED = text("""
SELECT a.integration, a.flow, a.key, r.status, coalesce(r.hold_kind, '') AS hold_kind,
       coalesce(r.hold_key, '') AS hold_key, coalesce(l.title, a.key) AS title, coalesce(l.party, '') AS party, l.total,
       coalesce(l.currency, '') AS currency
  FROM (SELECT DISTINCT integration, flow, key FROM audit
         WHERE correlation = :action AND kind IN ('released', 'replayed') AND key IS NOT NULL
           AND integration = ANY(CAST(:integrations AS int[])) LIMIT :at_most) a
  JOIN records r USING (integration, flow, key) LEFT JOIN labels l USING (integration, flow, key)
 ORDER BY a.integration, a.flow, length(a.key), a.key
""")


@dataclass(frozen=True, slots=True)
class Released:
    """A record that was released, as it stands now."""

    integration: int
    flow: str
    key: str
    status: str
    hold_kind: str
    hold_key: str
    title: str
    party: str
    total: Decimal | None
    currency: str


async def of_action(connection: AsyncConnection, action: str, integrations: list[int]) -> list[Released]:
    """`action`: the correlation of its rows in the audit."""
    parameters = {"action": action, "integrations": integrations, "at_most": AT_MOST}
    return [Released(**row) for row in (await connection.execute(_RELEASED, parameters)).mappings()]
