"""Signing in by name, password and code: the same answer, and the same work, whatever is wrong."""

from dataclasses import dataclass, replace

from ml_connector.engine.access import attempts, second_factor, users
from ml_connector.engine.access.passwords import Passwords
from ml_connector.engine.access.sessions import open_session
from ml_connector.engine.access.users import User, record
from ml_connector.engine.access.values import Locked, TooMany, Wrong
from ml_connector.engine.actor import NOBODY, acting
from ml_connector.engine.database import Database
from ml_connector.engine.vault import Vault

_RECORDED = 10
"""Wrong tries of one account that the audit gets one by one; then it gets the lock alone."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Where somebody signs in from. `session`: what its cookie holds, if anything."""

    address: str
    agent: str = ""
    session: str = ""


async def sign_in(
    db: Database, vault: Vault, passwords: Passwords, name: str, password: str, code: str, browser: Browser
) -> str:
    """What the new session's cookie holds. Raises `Wrong`, `Locked`, `TooMany`, `Busy`."""
    await may_try(db, browser.address)
    async with db.connect() as sql:
        standing = await attempts.count(sql, attempts.account(name), attempts.ACCOUNT)
    user = await users.find(db, name)
    told = standing.within <= attempts.TOLD
    stored = user.password if user is not None and user.disabled_at is None and told else None
    right = await passwords.verify(stored, password)
    if right and standing.within and standing.locked_until:
        raise Locked(standing.locked_until)
    if user is None or not right or (user.second_factor and not await second_factor.accept(db, vault, user, code)):
        await _note_wrong(db, user, standing, browser)
        raise Wrong
    if stored is not None and passwords.outdated(stored):
        fresh = await passwords.hash(password)
        async with db.connect() as sql:
            anew = {"id": user.id, "password": fresh, "before": stored}
            if (await sql.execute(users.HASHED_ANEW, anew)).rowcount:
                user = replace(user, password=fresh)
    return await let_in(db, user, "password", browser)


async def let_in(db: Database, user: User, via: str, browser: Browser) -> str:
    """A session for somebody who has proved who they are (`via`: `password`, `single`, `link`). Raises `Wrong` where
    that does not hold any more: the password was changed, or the user disabled, while they were signing in."""
    with acting(f"user:{user.name}"):
        async with db.transaction() as sql:
            if not (await sql.execute(users.STANDS, {"id": user.id, "password": user.password})).rowcount:
                raise Wrong
            await attempts.forget(sql, attempts.account(user.name))
            await attempts.forgive(sql, attempts.address(browser.address), attempts.ADDRESS)
            value = await open_session(sql, user.id, via, browser.address, browser.agent, instead_of=browser.session)
            await record(sql, "signed_in", user=user.name, via=via, address=browser.address)
    return value


async def may_try(db: Database, address: str) -> None:
    """Counts a try from `address`; `let_in` forgives it. Raises `TooMany`."""
    async with db.connect() as sql:
        here = await attempts.count(sql, attempts.address(address), attempts.ADDRESS)
    if here.within and here.locked_until:
        raise TooMany(here.locked_until)


async def note_refused(db: Database, address: str, why: str) -> None:
    """In the audit: somebody came back from single sign-on and was not let in."""
    with acting(NOBODY):
        async with db.transaction() as sql:
            await record(sql, "sign_in_refused", via="single", address=address, why=why)


async def _note_wrong(db: Database, user: User | None, standing: attempts.Standing, browser: Browser) -> None:
    """In the audit, with the same work for a name that nobody has: that name is left out, for it may be a password."""
    if standing.within or standing.tries > _RECORDED:
        return
    locked = standing.locked_until
    facts = {"user": user.name if user else None, "address": browser.address, "tries": standing.tries}
    if locked is not None:
        facts["locked_until"] = locked.isoformat()
    with acting(NOBODY):
        async with db.transaction() as sql:
            await record(sql, "locked" if locked else "sign_in_refused", **facts)
