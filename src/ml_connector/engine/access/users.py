"""Users: made, listed, given a role, disabled. There is always an administrator who can sign in, once there was one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.domain.access import Role
from ml_connector.engine.access import attempts
from ml_connector.engine.access.values import AccessRefused, checked_name, folded
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database


@dataclass(frozen=True, slots=True)
class User:
    """One row of `users`. `single`: signs in by single sign-on; `second_factor`: a code is asked for as well."""

    id: int
    name: str
    role: Role
    password: str | None
    single: bool
    second_factor: bool
    disabled_at: datetime | None
    seen_at: datetime | None
    created_at: datetime
    locale: str
    zone: str
    theme: str

    @property
    def state(self) -> str:
        """In one word: `active`, `invited` (has chosen no password yet) or `disabled`."""
        if self.disabled_at is not None:
            return "disabled"
        return "active" if self.password or self.single else "invited"


_COLUMNS = (
    "person AS id, name, role, password, issuer IS NOT NULL AS single, totp_at IS NOT NULL AS second_factor,"
    " disabled_at, seen_at, created_at, locale, zone, theme"
)
BY_NAME = text(f"SELECT {_COLUMNS} FROM users WHERE name = :name")  # noqa: S608 - a constant
BY_ID = text(f"SELECT {_COLUMNS} FROM users WHERE person = :id")  # noqa: S608 - a constant
ALL = text(f"SELECT {_COLUMNS} FROM users ORDER BY disabled_at IS NOT NULL, name")  # noqa: S608 - a constant
ANY = text("SELECT EXISTS (SELECT FROM users)")

ADD = text("INSERT INTO users (name, role, password) VALUES (:name, :role, :password) RETURNING person")

ADMINISTRATORS = text(
    "SELECT person FROM users WHERE role = 'administrator' AND disabled_at IS NULL"
    " AND num_nonnulls(password, issuer) > 0 ORDER BY person FOR UPDATE"
)
"""Who can sign in as one; somebody who was only invited cannot. Locked, so that two do not disable each other at once.
"""

SET_ROLE = text("UPDATE users SET role = :role WHERE person = :id")
DISABLE = text("UPDATE users SET disabled_at = statement_timestamp() WHERE person = :id AND disabled_at IS NULL")
ENABLE = text("UPDATE users SET disabled_at = NULL WHERE person = :id AND disabled_at IS NOT NULL")
SET_PASSWORD = text("UPDATE users SET password = :password WHERE person = :id")
HASHED_ANEW = text("UPDATE users SET password = :password WHERE person = :id AND password = :before")
"""The same password in today's form, unless another one was set in the meantime."""

STANDS = text(
    "UPDATE users SET seen_at = statement_timestamp()"
    " WHERE person = :id AND disabled_at IS NULL AND password IS NOT DISTINCT FROM :password"
)
"""Whether what somebody has proved still holds; a new password, and disabling, wait until we are done, or we for it."""
SET_SHOWN = text("UPDATE users SET locale = :locale, zone = :zone, theme = :theme WHERE person = :id")
END_SESSIONS = text("DELETE FROM user_sessions WHERE person = :id AND digest <> :but")
REVOKE_TOKENS = text(
    "UPDATE api_tokens SET revoked_at = statement_timestamp() WHERE person = :id AND revoked_at IS NULL"
)
END_LINKS = text("DELETE FROM user_links WHERE person = :id")


async def record(sql: AsyncConnection, action: str, **facts: Any) -> None:
    """An entry of the audit about access, in the caller's transaction. Who did it comes from the actor."""
    await append(sql, [entry("access", data={"action": action, **facts})])


def _user(row: Mapping[str, Any]) -> User:
    facts: dict[str, Any] = {**row, "role": Role(row["role"])}
    return User(**facts)


async def any_user(db: Database) -> bool:
    """Whether there is a user at all, disabled ones included."""
    async with db.connect() as sql:
        return bool((await sql.execute(ANY)).scalar())


async def find(db: Database, name: str) -> User | None:
    """The user of that name."""
    async with db.connect() as sql:
        row = (await sql.execute(BY_NAME, {"name": folded(name)})).mappings().one_or_none()
    return _user(dict(row)) if row else None


async def by_id(db: Database, id: int) -> User | None:
    async with db.connect() as sql:
        row = (await sql.execute(BY_ID, {"id": id})).mappings().one_or_none()
    return _user(dict(row)) if row else None


async def within(sql: AsyncConnection, id: int) -> User:
    """The user with that number, in the caller's transaction."""
    return _user(dict((await sql.execute(BY_ID, {"id": id})).mappings().one()))


async def known(db: Database, name: str) -> User:
    """The user of that name. Raises `AccessRefused`."""
    user = await find(db, name)
    if user is None:
        raise AccessRefused(f"There is no user {folded(name)}: `ml-connector user list` shows them all.")
    return user


async def all_users(db: Database) -> Sequence[User]:
    """All users, disabled ones last."""
    async with db.connect() as sql:
        return [_user(dict(row)) for row in (await sql.execute(ALL)).mappings()]


async def add(db: Database, name: str, role: Role) -> User:
    """A user without a password, who gets a link to choose one. Raises `AccessRefused`."""
    async with db.transaction() as sql:
        id = await insert(sql, name, role, None)
        await record(sql, "user_added", user=folded(name), role=str(role))
        return await within(sql, id)


async def insert(sql: AsyncConnection, name: str, role: Role, password: str | None) -> int:
    """A row of `users` in the caller's transaction. Raises `AccessRefused` where the name is taken or none."""
    plain = checked_name(name)
    try:
        return int((await sql.execute(ADD, {"name": plain, "role": str(role), "password": password})).scalar_one())
    except IntegrityError:
        raise AccessRefused(f"There is a user {plain} already.") from None


async def set_role(db: Database, user: User, role: Role) -> None:
    """Holds from the next request on. Raises `AccessRefused` for the last administrator."""
    async with db.transaction() as sql:
        if role is not Role.administrator:
            await _not_the_last(sql, user)
        await sql.execute(SET_ROLE, {"id": user.id, "role": str(role)})
        await record(sql, "role_changed", user=user.name, before=str(user.role), after=str(role))


async def disable(db: Database, user: User) -> None:
    """Ends sessions, links and tokens too. Raises `AccessRefused` for the last administrator."""
    async with db.transaction() as sql:
        await _not_the_last(sql, user)
        await sql.execute(DISABLE, {"id": user.id})
        await sql.execute(END_SESSIONS, {"id": user.id, "but": b""})
        await sql.execute(END_LINKS, {"id": user.id})
        await sql.execute(REVOKE_TOKENS, {"id": user.id})
        await record(sql, "user_disabled", user=user.name)


async def enable(db: Database, user: User) -> None:
    """May sign in again; tokens stay revoked."""
    async with db.transaction() as sql:
        await sql.execute(ENABLE, {"id": user.id})
        await record(sql, "user_enabled", user=user.name)


async def set_password(sql: AsyncConnection, user: User, hashed: str, *, keep: bytes = b"") -> None:
    """The user's password, in the caller's transaction: every session ends but the one with the digest `keep`."""
    await sql.execute(SET_PASSWORD, {"id": user.id, "password": hashed})
    await sql.execute(END_SESSIONS, {"id": user.id, "but": keep})
    await sql.execute(END_LINKS, {"id": user.id})
    await attempts.forget(sql, attempts.account(user.name))
    await record(sql, "password_changed", user=user.name)


async def set_shown(db: Database, id: int, *, locale: str, zone: str, theme: str) -> None:
    """How pages are shown to the user; `""` leaves it to the browser."""
    async with db.connect() as sql:
        await sql.execute(SET_SHOWN, {"id": id, "locale": locale, "zone": zone, "theme": theme})


async def _not_the_last(sql: AsyncConnection, user: User) -> None:
    others = set((await sql.execute(ADMINISTRATORS)).scalars()) - {user.id}
    if not others and (await within(sql, user.id)).role is Role.administrator:
        raise AccessRefused(
            f"{user.name} is the only administrator who can sign in: make somebody else one first, who has a password."
        )
