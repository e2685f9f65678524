"""Links that let somebody choose a password, once: for the first administrator, a new user, a forgotten password."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from ml_connector.domain.access import Role
from ml_connector.engine.access import users
from ml_connector.engine.access.passwords import Passwords, check_password
from ml_connector.engine.access.users import User, record
from ml_connector.engine.access.values import AccessRefused, checked_name, digest, fresh
from ml_connector.engine.actor import acting
from ml_connector.engine.database import Database

LIFE = timedelta(hours=24)

ADD = text(
    """
    INSERT INTO user_links (digest, person, expires_at)
    VALUES (:digest, :person, statement_timestamp() + :life_s * interval '1 second')
    """
)

FIND = text(
    """
    SELECT l.person, u.name FROM user_links l LEFT JOIN users u USING (person)
     WHERE l.digest = :digest AND l.expires_at > statement_timestamp() AND u.disabled_at IS NULL
    """
)

USE = text("DELETE FROM user_links WHERE digest = :digest RETURNING person")
END_FIRST = text("DELETE FROM user_links WHERE person IS NULL")
END_OLD = text("DELETE FROM user_links WHERE expires_at < statement_timestamp()")
ALONE = text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
"""Of two first administrators at once, the second finds the first."""


@dataclass(frozen=True, slots=True)
class Link:
    """Whose password the link sets. `name` is empty for the first administrator, who chooses one."""

    name: str

    @property
    def first(self) -> bool:
        return not self.name


async def first_link(db: Database) -> str:
    """A link for the first administrator; empty when there are users already."""
    if await users.any_user(db):
        return ""
    async with db.transaction() as sql:
        value = fresh()
        await sql.execute(END_OLD)
        await sql.execute(ADD, {"digest": digest(value), "person": None, "life_s": LIFE.total_seconds()})
        await record(sql, "first_link_made")
    return value


async def make_link(db: Database, user: User) -> str:
    """A link for a user; those made before end. Raises `AccessRefused`."""
    if user.disabled_at is not None:
        raise AccessRefused(f"{user.name} is disabled: enable them first.")
    if user.single:
        raise AccessRefused(f"{user.name} signs in by single sign-on and has no password here.")
    async with db.transaction() as sql:
        value = fresh()
        await sql.execute(END_OLD)
        await sql.execute(users.END_LINKS, {"id": user.id})
        await sql.execute(ADD, {"digest": digest(value), "person": user.id, "life_s": LIFE.total_seconds()})
        await record(sql, "link_made", user=user.name)
    return value


async def find_link(db: Database, value: str) -> Link | None:
    """What the link is for; None where it is over, used or was never one."""
    async with db.connect() as sql:
        row = (await sql.execute(FIND, {"digest": digest(value)})).one_or_none()
    if row is None or (row.person is None and await users.any_user(db)):
        return None
    return Link(row.name or "")


async def use_link(db: Database, passwords: Passwords, value: str, password: str, name: str = "") -> User:
    """Sets the password, or makes the first administrator `name`. The link is used up, sessions of before end.

    Raises `AccessRefused`; the link stays good then, unless it was none.
    """
    link = await find_link(db, value)
    if link is None:
        raise AccessRefused(OVER)
    of = checked_name(name) if link.first else link.name
    check_password(password, of)
    hashed = await passwords.hash(password)
    with acting(f"user:{of}"):
        async with db.transaction() as sql:
            await sql.execute(ALONE)
            used = (await sql.execute(USE, {"digest": digest(value)})).one_or_none()
            if used is None:
                raise AccessRefused(OVER)
            if used.person is None:
                if (await sql.execute(users.ANY)).scalar():
                    raise AccessRefused(OVER)
                id = await users.insert(sql, of, Role.administrator, hashed)
                await sql.execute(END_FIRST)
                await record(sql, "first_administrator", user=of)
            else:
                id = used.person
                await users.set_password(sql, await users.within(sql, id), hashed)
    user = await users.by_id(db, id)
    assert user is not None
    return user


OVER = "This link is over or was used already: ask your administrator for another, or run `ml-connector user link`."
