"""Tokens of the API: shown once, kept as a digest, with a role not above their maker's and an end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ml_connector.domain.access import Person, Role, level
from ml_connector.engine.access.users import record
from ml_connector.engine.access.values import AccessRefused, checked_name, digest, fresh
from ml_connector.engine.database import Database

PREFIX = "mlc_"
DAYS = 90
MOST_DAYS = 366
_TOUCH_S = 60

ADD = text(
    """
    INSERT INTO api_tokens (name, person, role, digest, start, expires_at)
    VALUES (:name, :person, :role, :digest, :start, statement_timestamp() + :days * interval '1 day')
    """
)

FIND = text(
    """
    SELECT t.token, t.name, t.role, u.role AS makers, u.locale, u.zone,
           coalesce(t.used_at < statement_timestamp() - :touch_s * interval '1 second', true) AS stale
      FROM api_tokens t JOIN users u USING (person)
     WHERE t.digest = :digest AND t.revoked_at IS NULL AND t.expires_at > statement_timestamp()
       AND u.disabled_at IS NULL
    """
)

TOUCH = text("UPDATE api_tokens SET used_at = statement_timestamp() WHERE token = :token")

ALL = text(
    """
    SELECT t.name, u.name AS maker, t.role, t.start, t.created_at, t.expires_at, t.used_at, t.revoked_at,
           t.revoked_at IS NULL AND t.expires_at > statement_timestamp() AND u.disabled_at IS NULL AS valid
      FROM api_tokens t JOIN users u USING (person)
     WHERE CAST(:person AS int) IS NULL OR t.person = :person ORDER BY t.name
    """
)

REVOKE = text(
    """
    UPDATE api_tokens SET revoked_at = statement_timestamp()
     WHERE name = :name AND revoked_at IS NULL AND (CAST(:person AS int) IS NULL OR person = :person)
    """
)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without what makes it one. `start`: its first characters. `valid`: it lets somebody in now."""

    name: str
    maker: str
    role: Role
    start: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    valid: bool


async def make_token(db: Database, maker: Person, name: str, role: Role, days: int = DAYS) -> str:
    """The token, to be shown once. Raises `AccessRefused`."""
    plain = checked_name(name)
    if level(role) > level(maker.role):
        raise AccessRefused(f"A token may not do more than its maker: {maker.name} is {maker.role}, not {role}.")
    if not 1 <= days <= MOST_DAYS:
        raise AccessRefused(f"A token is good for 1 to {MOST_DAYS} days.")
    value = PREFIX + fresh()
    try:
        async with db.transaction() as sql:
            await sql.execute(
                ADD,
                {
                    "name": plain, "person": maker.id, "role": str(role), "digest": digest(value),
                    "start": value[: len(PREFIX) + 4], "days": days,
                },
            )  # fmt: skip
            await record(sql, "token_made", name=plain, role=str(role), days=days, maker=maker.name)
    except IntegrityError:
        raise AccessRefused(
            f"There is, or was, a token {plain} already: choose another name, the audit tells tokens apart by it."
        ) from None
    return value


async def person_of_token(db: Database, value: str) -> Person | None:
    """Who the token stands for: the lesser of its role and its maker's. None where it is unknown, over or revoked."""
    if not value.startswith(PREFIX):
        return None
    async with db.connect() as sql:
        row = (await sql.execute(FIND, {"digest": digest(value), "touch_s": _TOUCH_S})).one_or_none()
        if row is None:
            return None
        if row.stale:
            await sql.execute(TOUCH, {"token": row.token})
    role = min(Role(row.role), Role(row.makers), key=level)
    return Person(row.token, row.name, role, "token", row.locale, row.zone)


async def tokens(db: Database, person: int | None = None) -> Sequence[ApiToken]:
    """All tokens, or those of one person, by name."""
    async with db.connect() as sql:
        rows = (await sql.execute(ALL, {"person": person})).mappings().all()
    return [_token(dict(row)) for row in rows]


def _token(row: Mapping[str, Any]) -> ApiToken:
    facts: dict[str, Any] = {**row, "role": Role(row["role"])}
    return ApiToken(**facts)


async def revoke(db: Database, name: str, person: int | None = None) -> None:
    """Ends a token, of `person` where given, from the next request on. Raises `AccessRefused`."""
    async with db.transaction() as sql:
        if not (await sql.execute(REVOKE, {"name": checked_name(name), "person": person})).rowcount:
            raise AccessRefused(f"There is no token {name} that could be revoked.")
        await record(sql, "token_revoked", name=checked_name(name))
