"""The second factor: codes that change every half minute (TOTP, RFC 6238), and recovery codes for who lost the device.

The secret is sealed in the vault. A code is taken once: what was taken last is compared and set in one statement.
"""

import base64
import hmac
import secrets
import time
from collections.abc import Sequence

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import text

from ml_connector.engine.access.users import User, record
from ml_connector.engine.access.values import AccessRefused, digest
from ml_connector.engine.database import Database
from ml_connector.engine.vault import INSTALLATION, UnknownSecret, Vault

STEP_S = 30
DIGITS = 6
EARLIER_LATER = 1
"""Steps by which a device's clock may be wrong."""
RECOVERY_CODES = 10
ISSUER = "ml-connector"

TAKE = text(
    """
    UPDATE users SET totp_step = :step
     WHERE person = :person AND totp_at IS NOT NULL AND (totp_step IS NULL OR totp_step < :step)
    """
)

SWITCH_ON = text(
    "UPDATE users SET totp_at = statement_timestamp(), totp_step = :step WHERE person = :person AND totp_at IS NULL"
)
SWITCH_OFF = text("UPDATE users SET totp_at = NULL, totp_step = NULL WHERE person = :person")
ADD_RECOVERY = text("INSERT INTO user_recovery (person, digest) VALUES (:person, :digest)")
USE_RECOVERY = text("DELETE FROM user_recovery WHERE person = :person AND digest = :digest")
END_RECOVERY = text("DELETE FROM user_recovery WHERE person = :person")
LEFT = text("SELECT count(*) FROM user_recovery WHERE person = :person")


class NotBegun(AccessRefused):
    """There is no new secret whose code could be confirmed."""


async def enrol(db: Database, vault: Vault, user: User) -> str:
    """The address of a new secret for the person's device (`otpauth://`); nothing is asked for before `confirm`.

    Asked again before it is confirmed, it is the same secret.
    """
    if user.second_factor:
        raise AccessRefused("The second factor is switched on already; switch it off first.")
    async with db.transaction() as sql:
        try:
            secret = await vault.get(INSTALLATION, _new(user.id), on=sql)
        except UnknownSecret:
            secret = base64.b32encode(secrets.token_bytes(20)).decode()
            await vault.put(INSTALLATION, _new(user.id), secret, on=sql)
    return _totp(secret).get_provisioning_uri(user.name, ISSUER)


def secret_of(address: str) -> str:
    """The secret of an `otpauth://` address, for who cannot take a picture of it."""
    return address.partition("secret=")[2].partition("&")[0]


async def confirm(db: Database, vault: Vault, user: User, code: str) -> Sequence[str]:
    """Switches it on, if the device shows what it should; the recovery codes, to be shown once.

    Raises `AccessRefused`.
    """
    async with db.transaction() as sql:
        try:
            secret = await vault.get(INSTALLATION, _new(user.id), on=sql)
        except UnknownSecret:
            raise NotBegun("Begin with your password, scan the picture, then type what the device shows.") from None
        step = _step_of(secret, code)
        if step is None:
            raise AccessRefused("This is not the code that the device should show: look at its clock, and try again.")
        if not (await sql.execute(SWITCH_ON, {"person": user.id, "step": step})).rowcount:
            raise NotBegun("The second factor is switched on already.")
        await vault.put(INSTALLATION, _name(user.id), secret, on=sql)
        await vault.delete(INSTALLATION, _new(user.id), on=sql)
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        await sql.execute(END_RECOVERY, {"person": user.id})
        await sql.execute(ADD_RECOVERY, [{"person": user.id, "digest": digest(_plain(each))} for each in codes])
        await record(sql, "second_factor_on", user=user.name)
    return codes


async def switch_off(db: Database, vault: Vault, user: User) -> None:
    """A password alone is enough again."""
    async with db.transaction() as sql:
        await sql.execute(SWITCH_OFF, {"person": user.id})
        await sql.execute(END_RECOVERY, {"person": user.id})
        await vault.delete(INSTALLATION, _name(user.id), on=sql)
        await record(sql, "second_factor_off", user=user.name)


async def accept(db: Database, vault: Vault, user: User, code: str) -> bool:
    """Whether `code` is one that the device shows now, or a recovery code, and was not used before. It is used now."""
    plain = _plain(code)
    if len(plain) == DIGITS and plain.isascii() and plain.isdecimal():
        async with db.connect() as sql:
            step = _step_of(await vault.get(INSTALLATION, _name(user.id), on=sql), plain)
            return step is not None and (await sql.execute(TAKE, {"person": user.id, "step": step})).rowcount == 1
    async with db.transaction() as sql:
        used = (await sql.execute(USE_RECOVERY, {"person": user.id, "digest": digest(plain)})).rowcount == 1
        if used:
            left = (await sql.execute(LEFT, {"person": user.id})).scalar_one()
            await record(sql, "recovery_code_used", user=user.name, left=left)
    return used


async def recovery_left(db: Database, person: int) -> int:
    """How many recovery codes are not used yet."""
    async with db.connect() as sql:
        return int((await sql.execute(LEFT, {"person": person})).scalar_one())


def _name(person: int) -> str:
    return f"second factor/{person}"


def _new(person: int) -> str:
    return f"second factor/{person}/new"


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_S)  # noqa: S303 - what devices speak (RFC 6238)


def _step_of(secret: str, code: str) -> int | None:
    """The time step whose code it is, the latest first; each is compared, so that the time says nothing."""
    totp, now, given = _totp(secret), int(time.time()), _plain(code).encode("utf-8", "replace")
    found: int | None = None
    for step in range(now // STEP_S - EARLIER_LATER, now // STEP_S + EARLIER_LATER + 1):
        if hmac.compare_digest(totp.generate(step * STEP_S), given):
            found = step
    return found


def _recovery_code() -> str:
    plain = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def _plain(code: str) -> str:
    """Without what people put between characters."""
    return "".join(each for each in code.casefold() if each.isalnum())
