"""How far a poll has come, by (integration, flow). It moves forward only, with the marks of what was found.

Other periodic flows keep notes in the same row: how far they are, and what came out last.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.database import dump_json

_READ = text("SELECT value ->> 'since' FROM watermarks WHERE integration = :integration AND flow = :flow")

_SAVE = text("""
INSERT INTO watermarks (integration, flow, value)
VALUES (:integration, :flow, jsonb_build_object('since', CAST(:since AS text)))
ON CONFLICT (integration, flow) DO UPDATE SET value = excluded.value, changed_at = statement_timestamp()
 WHERE watermarks.value ->> 'since' < excluded.value ->> 'since'
""")

_NOTED = text("SELECT value -> CAST(:name AS text) FROM watermarks WHERE integration = :integration AND flow = :flow")

_NOTED_BY_ALL = text("""
SELECT integration, value -> CAST(:name AS text) AS note
  FROM watermarks WHERE flow = :flow AND jsonb_exists(value, CAST(:name AS text))
""")

_NOTE = text("""
INSERT INTO watermarks (integration, flow, value) VALUES (:integration, :flow, CAST(:value AS jsonb))
ON CONFLICT (integration, flow) DO UPDATE SET value = watermarks.value || excluded.value,
  changed_at = statement_timestamp()
""")


async def read(connection: AsyncConnection, integration: int, flow: str) -> datetime | None:
    """Everything up to there has been marked; None before the first poll."""
    kept = (await connection.execute(_READ, {"integration": integration, "flow": flow})).scalar()
    return datetime.fromisoformat(kept) if kept else None


async def save(connection: AsyncConnection, integration: int, flow: str, since: datetime) -> None:
    """In the transaction of the marks, after `runs.fence`. An earlier moment than the one kept changes nothing."""
    parameters = {"integration": integration, "flow": flow, "since": _text(since)}
    await connection.execute(_SAVE, parameters)


async def noted(connection: AsyncConnection, integration: int, flow: str, name: str) -> Any:
    """The note as JSON; None where there is none."""
    parameters = {"integration": integration, "flow": flow, "name": name}
    return (await connection.execute(_NOTED, parameters)).scalar()


async def noted_by_all(connection: AsyncConnection, flow: str, name: str) -> dict[int, Any]:
    """That note of every integration which has one."""
    rows = await connection.execute(_NOTED_BY_ALL, {"flow": flow, "name": name})
    return {row.integration: row.note for row in rows}


async def note(connection: AsyncConnection, integration: int, flow: str, notes: Mapping[str, Any]) -> None:
    """Keeps these notes, by name; others of the flow stay."""
    await connection.execute(_NOTE, {"integration": integration, "flow": flow, "value": dump_json(dict(notes))})


def _text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds: texts that compare like the moments they name."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
