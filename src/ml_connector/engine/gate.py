"""The send gate: nothing is sent for H after an event that may have lost commits (`docs/exactly-once.md`, 3.4).

A failover to a standby that lagged, or a restored backup, may have lost the row that says "about to send"; the request
itself is out. So the row `cluster` names the server that our commits went to (system identifier and timeline). The
statement that opens a posting for sending compares it with the server it runs on, in the same snapshot, and `observe`
records a change as `lost_at`: from then on marks, reads and look-ups go on, sends wait for H. What the comparison
cannot see (a disk snapshot or a dump put back on the same server) the operator declares.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import Database

_OBSERVE = text("""
WITH now AS (
  SELECT s.system_identifier::text AS system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline
    FROM pg_control_system() s)
INSERT INTO cluster AS c (system_identifier, timeline, lost_at, why)
SELECT system_identifier, timeline, statement_timestamp(), 'the record of the server was missing' FROM now
ON CONFLICT (one) DO UPDATE SET
  system_identifier = excluded.system_identifier, timeline = excluded.timeline, lost_at = statement_timestamp(),
  why = CASE WHEN c.system_identifier <> excluded.system_identifier
             THEN 'another server: was ' || c.system_identifier || ', is ' || excluded.system_identifier
             ELSE 'failover: timeline was ' || c.timeline || ', is ' || excluded.timeline END
  WHERE (c.system_identifier, c.timeline) <> (excluded.system_identifier, excluded.timeline)
RETURNING why
""")

_SAME = text("""
SELECT c.system_identifier = s.system_identifier::text
       AND c.timeline = substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS same
  FROM cluster c, pg_control_system() s
""")

_DECLARE = text("""
UPDATE cluster SET lost_at = statement_timestamp(), why = :why RETURNING lost_at
""")

_ALLOWED_AT = text("""
SELECT c.lost_at + :h_s * interval '1 second' AS allowed_at, c.why FROM cluster c
 WHERE c.lost_at + :h_s * interval '1 second' > statement_timestamp()
""")


@dataclass(frozen=True, slots=True)
class Closed:
    """Sends wait until `until` (database clock), because of `why`."""

    until: datetime
    why: str


async def observe(database: Database) -> str | None:
    """Compares the server with the stored one; a change closes the gate. Returns what changed, or None."""
    async with database.connect() as connection:
        if (await connection.execute(_SAME)).scalar() is True:
            return None
        return (await connection.execute(_OBSERVE)).scalar()


async def declare_restored(connection: AsyncConnection, why: str) -> datetime:
    """The operator says that commits may be lost: a backup was put back. Closes the gate from now."""
    return (await connection.execute(_DECLARE, {"why": why})).scalar_one()


async def closed_until(database: Database, h_s: float) -> Closed | None:
    """For a connection with the horizon `h_s`: until when nothing may be sent; None when sends are allowed."""
    async with database.connect() as connection:
        row = (await connection.execute(_ALLOWED_AT, {"h_s": h_s})).first()
    return Closed(row.allowed_at, row.why or "") if row else None
