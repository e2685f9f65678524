"""How a periodic record stands: when it runs next, whether it runs now, why it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.periodic import KEY

_STANDING = text("""
SELECT integration, run_at, token IS NOT NULL AS running, status, coalesce(last_error, reason, '') AS message
  FROM records WHERE integration = ANY(CAST(:integrations AS int[])) AND flow = :flow AND key = :key
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """`next_at` None: it runs now, or nothing will run it. `status`: of the record; `message`: what stopped it last."""

    next_at: datetime | None
    running: bool
    status: str
    message: str


async def standing(sql: AsyncConnection, flow: str, integrations: Sequence[int]) -> Mapping[int, Standing]:
    """By integration; one that has no such record is not in it."""
    rows = await sql.execute(_STANDING, {"integrations": list(integrations), "flow": flow, "key": KEY})
    return {row.integration: Standing(row.run_at, row.running, row.status, row.message) for row in rows}
