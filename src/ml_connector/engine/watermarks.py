"""How far a poll has come, by (integration, flow). It moves forward only, with the marks of what was found."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_READ = text("SELECT value ->> 'since' FROM watermarks WHERE integration = :integration AND flow = :flow")

_SAVE = text("""
INSERT INTO watermarks (integration, flow, value)
VALUES (:integration, :flow, jsonb_build_object('since', CAST(:since AS text)))
ON CONFLICT (integration, flow) DO UPDATE SET value = excluded.value, changed_at = statement_timestamp()
 WHERE watermarks.value ->> 'since' < excluded.value ->> 'since'
""")


async def read(connection: AsyncConnection, integration: int, flow: str) -> datetime | None:
    """Everything up to there has been marked; None before the first poll."""
    kept = (await connection.execute(_READ, {"integration": integration, "flow": flow})).scalar()
    return datetime.fromisoformat(kept) if kept else None


async def save(connection: AsyncConnection, integration: int, flow: str, since: datetime) -> None:
    """In the transaction of the marks, after `runs.fence`. An earlier moment than the one kept changes nothing."""
    parameters = {"integration": integration, "flow": flow, "since": _text(since)}
    await connection.execute(_SAVE, parameters)


def _text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds: texts that compare like the moments they name."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
