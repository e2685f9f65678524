"""Periodic work is records too: a poll, a health check, a reconciliation has a row with its next time.

A flow ends such a run with `Done(next_in_s=...)`. `ensure` makes the row, and arms it again where nothing would ever
run it (a flow that ended without a next time); it never shortens a back-off and never wakes a hold or a dead record.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.records import Lane

KEY = "-"
"""The key of a periodic record of which there is one per lane."""

_ENSURE = text("""
INSERT INTO records AS r (integration, flow, key, run_at)
VALUES (:integration, :flow, :key, statement_timestamp() + :first_in_s * interval '1 second')
ON CONFLICT (integration, flow, key) DO UPDATE SET run_at = excluded.run_at, status = 'waiting'
 WHERE r.token IS NULL AND r.run_at IS NULL AND r.status NOT IN ('held', 'dead')
RETURNING key
""")

_DROP = text("""
DELETE FROM records WHERE integration = :integration AND flow = :flow AND key = :key AND token IS NULL RETURNING key
""")


async def ensure(connection: AsyncConnection, lane: Lane, *, key: str = KEY, first_in_s: float = 0.0) -> bool:
    """True where the record was made, or armed because nothing would have run it."""
    parameters = {"integration": lane.integration, "flow": lane.flow, "key": key, "first_in_s": float(first_in_s)}
    return (await connection.execute(_ENSURE, parameters)).first() is not None


async def drop(connection: AsyncConnection, lane: Lane, *, key: str = KEY) -> bool:
    """The schedule is gone. False while it runs: ask again."""
    parameters = {"integration": lane.integration, "flow": lane.flow, "key": key}
    return (await connection.execute(_DROP, parameters)).first() is not None
