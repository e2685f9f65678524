"""Users who come by single sign-on: known by issuer and subject, never by a name, which may be given to others."""

from sqlalchemy import text

from ml_connector.domain.access import Role
from ml_connector.engine.access import users
from ml_connector.engine.access.users import User, record
from ml_connector.engine.access.values import AccessRefused, checked_name
from ml_connector.engine.actor import acting
from ml_connector.engine.database import Database

FIND = text("SELECT person FROM users WHERE issuer = :issuer AND subject = :subject FOR UPDATE")
CALL = text("UPDATE users SET issuer = :issuer, subject = :subject WHERE person = :person")


async def single_user(db: Database, issuer: str, subject: str, name: str, role: Role) -> User:
    """The user behind issuer and subject, made at the first sign-in; the role is what the provider says each time.

    Raises `AccessRefused` for somebody who is disabled here, and for a name that a user with a password has already:
    otherwise whoever may choose a name at the provider could become anybody here.
    """
    async with db.transaction() as sql:
        known = (await sql.execute(FIND, {"issuer": issuer, "subject": subject})).scalar()
        if known is None:
            with acting(f"user:{checked_name(name)}"):
                id = await users.insert(sql, name, role, None)
                await sql.execute(CALL, {"issuer": issuer, "subject": subject, "person": id})
                await record(sql, "user_added", user=checked_name(name), role=str(role), via="single")
            return await users.within(sql, id)
        user = await users.within(sql, known)
        if user.disabled_at is not None:
            raise AccessRefused(f"{user.name} is disabled here: ask your administrator.")
        if user.role is not role:
            await sql.execute(users.SET_ROLE, {"id": user.id, "role": str(role)})
            with acting(f"user:{user.name}"):
                await record(sql, "role_changed", user=user.name, before=user.role, after=str(role), via="single")
        return await users.within(sql, known)
