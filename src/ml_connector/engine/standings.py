"""How records stand, for a person and for the reconciliation. Reads only; the queue itself is in `records`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.records import Status

_STANDINGS = text("""
SELECT key, status, coalesce(hold_kind, '') AS hold, coalesce(last_error, reason, '') AS why, stamp, heard_at
  FROM records WHERE integration = :integration AND flow = :flow AND key = ANY(CAST(:keys AS text[])) ORDER BY key
""")

_NUMBERED = text("""
SELECT key FROM records
 WHERE integration = :integration AND flow = :flow AND key ~ '^[0-9]{1,18}$'
   AND CASE WHEN key ~ '^[0-9]{1,18}$' THEN key::bigint END BETWEEN :low AND :high
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is told of a record. `hold`: the kind of what it waits for; `why`: its last words; `stamp`: the
    source's own, of what was last read."""

    key: str
    status: Status
    hold: str
    why: str
    stamp: datetime | None
    heard_at: datetime | None


async def standings(connection: AsyncConnection, integration: int, flow: str, keys: Collection[str]) -> list[Standing]:
    """Those of `keys` that are known, by key."""
    parameters = {"integration": integration, "flow": flow, "keys": sorted(set(keys))}
    rows = await connection.execute(_STANDINGS, parameters)
    return [Standing(row.key, Status(row.status), row.hold, row.why, row.stamp, row.heard_at) for row in rows]


async def numbered(connection: AsyncConnection, integration: int, flow: str, low: int, high: int) -> set[int]:
    """Keys that are numbers from `low` to `high`, both included."""
    parameters = {"integration": integration, "flow": flow, "low": low, "high": high}
    return {int(key) for key in (await connection.execute(_NUMBERED, parameters)).scalars()}
