"""Who is signed in, and with which token: the look-up that every request begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.domain.access import Person, Role
from ml_connector.engine.access.users import record
from ml_connector.engine.access.values import digest, fresh
from ml_connector.engine.database import Database

IDLE_S = 8 * 3600
"""A session that nobody uses ends after a working day."""
ABSOLUTE_S = 7 * 86_400
_TOUCH_S = 60

OPEN = text(
    """
    INSERT INTO user_sessions (digest, person, via, address, agent, expires_at)
    VALUES (:digest, :person, :via, :address, :agent, statement_timestamp() + :absolute_s * interval '1 second')
    """
)

FIND = text(
    """
    SELECT u.person, u.name, u.role, u.locale, u.zone, u.theme,
           s.seen_at < statement_timestamp() - :touch_s * interval '1 second' AS stale
      FROM user_sessions s JOIN users u USING (person)
     WHERE s.digest = :digest AND u.disabled_at IS NULL AND s.expires_at > statement_timestamp()
       AND s.seen_at > statement_timestamp() - :idle_s * interval '1 second'
    """
)

TOUCH = text(
    """
    WITH s AS (UPDATE user_sessions SET seen_at = statement_timestamp() WHERE digest = :digest RETURNING person)
    UPDATE users u SET seen_at = statement_timestamp() FROM s WHERE u.person = s.person
    """
)

END = text("DELETE FROM user_sessions WHERE digest = :digest")

END_OLD = text(
    "DELETE FROM user_sessions WHERE expires_at < statement_timestamp()"
    " OR seen_at < statement_timestamp() - :idle_s * interval '1 second'"
)

OF_PERSON = text(
    """
    SELECT digest, via, address, agent, created_at, seen_at, expires_at FROM user_sessions
     WHERE person = :person AND expires_at > statement_timestamp()
       AND seen_at > statement_timestamp() - :idle_s * interval '1 second' ORDER BY seen_at DESC
    """
)

END_OTHERS = text("DELETE FROM user_sessions WHERE person = :person AND digest <> :but")


@dataclass(frozen=True, slots=True)
class Session:
    """Where somebody is signed in, for their own eyes. `here`: the one that asks."""

    via: str
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    here: bool


async def open_session(
    sql: AsyncConnection, person: int, via: str, address: str, agent: str, *, instead_of: str = ""
) -> str:
    """What the cookie holds, new for each sign-in; the one that the browser came with ends."""
    value = fresh()
    if instead_of:
        await sql.execute(END, {"digest": digest(instead_of)})
    await sql.execute(END_OLD, {"idle_s": IDLE_S})
    await sql.execute(
        OPEN,
        {
            "digest": digest(value), "person": person, "via": via, "address": address[:60], "agent": agent[:200],
            "absolute_s": ABSOLUTE_S,
        },
    )  # fmt: skip
    return value


async def person_of_session(db: Database, value: str, *, touch: bool = True) -> Person | None:
    """Who the cookie stands for, with the role that they have now; None where it stands for nobody.

    `touch`: this is a sign of life of theirs; a page that keeps itself current is none.
    """
    key = digest(value)
    async with db.connect() as sql:
        row = (await sql.execute(FIND, {"digest": key, "idle_s": IDLE_S, "touch_s": _TOUCH_S})).one_or_none()
        if row is None:
            return None
        if row.stale and touch:
            await sql.execute(TOUCH, {"digest": key})
    return Person(row.person, row.name, Role(row.role), "session", row.locale, row.zone, row.theme)


async def end_session(db: Database, value: str, person: Person) -> None:
    """Signs out."""
    async with db.transaction() as sql:
        await sql.execute(END, {"digest": digest(value)})
        await record(sql, "signed_out", user=person.name)


async def end_other_sessions(db: Database, person: Person, value: str) -> int:
    """Signs the person out everywhere but here; how many sessions that were."""
    async with db.transaction() as sql:
        gone = (await sql.execute(END_OTHERS, {"person": person.id, "but": digest(value)})).rowcount
        await record(sql, "sessions_ended", user=person.name, count=gone)
    return gone


async def sessions_of(db: Database, person: int, value: str = "") -> Sequence[Session]:
    """Where the person is signed in, the one used last first."""
    here = digest(value)
    async with db.connect() as sql:
        rows = (await sql.execute(OF_PERSON, {"person": person, "idle_s": IDLE_S})).all()
    return [
        Session(r.via, r.address, r.agent, r.created_at, r.seen_at, r.expires_at, bytes(r.digest) == here) for r in rows
    ]
