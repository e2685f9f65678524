"""How often somebody may try: by account and by address, counted in the database, so that it holds over processes.

A try is counted before it is checked, so that many at once gain nothing, and forgiven when it was right.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.access.values import folded

TOLD = 5
"""Who tries this often while an account is locked is no longer told that the password was right: the words "locked
until" must not become a way to try passwords."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`free` tries within `window_s`; the last locks for `first_s`, each later one for twice as long, up to
    `longest_s`."""

    free: int
    window_s: float
    first_s: float
    longest_s: float


ACCOUNT = Limit(free=5, window_s=86_400, first_s=60, longest_s=900)
ADDRESS = Limit(free=30, window_s=600, first_s=600, longest_s=600)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of a bucket, with this try counted. `within`: the how-manieth try since it was locked; 0: it is not locked."""

    tries: int
    within: int
    locked_until: datetime | None


COUNT = text(
    """
    INSERT INTO user_attempts AS a (bucket, tries) VALUES (:bucket, 1)
    ON CONFLICT (bucket) DO UPDATE SET
      tries = CASE WHEN a.locked_until > statement_timestamp() THEN a.tries
                   WHEN a.since < statement_timestamp() - :window_s * interval '1 second' THEN 1
                   ELSE a.tries + 1 END,
      within = CASE WHEN a.locked_until > statement_timestamp() THEN a.within + 1 ELSE 0 END,
      since = CASE WHEN a.locked_until > statement_timestamp() THEN a.since
                   WHEN a.since < statement_timestamp() - :window_s * interval '1 second' THEN statement_timestamp()
                   ELSE a.since END,
      locked_until = CASE WHEN a.locked_until > statement_timestamp() THEN a.locked_until
                          WHEN a.since < statement_timestamp() - :window_s * interval '1 second' THEN NULL
                          WHEN a.tries + 1 >= :free THEN statement_timestamp()
                               + least(:longest_s, :first_s * 2 ^ least(a.tries + 1 - :free, 20)) * interval '1 second'
                          END
    RETURNING tries, within, locked_until
    """
)
"""One statement, so that no two tries are both the last free one."""

FORGIVE = text(
    """
    UPDATE user_attempts SET tries = greatest(tries - 1, 0),
           locked_until = CASE WHEN tries - 1 >= :free THEN locked_until END
     WHERE bucket = :bucket
    """
)

FORGET = text("DELETE FROM user_attempts WHERE bucket = :bucket")

FORGET_OLD = text(
    "DELETE FROM user_attempts WHERE since < statement_timestamp() - interval '2 days'"
    " AND (locked_until IS NULL OR locked_until < statement_timestamp())"
)


def account(name: str) -> str:
    """The bucket of a name, whether or not there is such a user; not the name itself, which may be a password that was
    typed into the wrong field."""
    return f"account:{hashlib.sha256(folded(name).encode('utf-8', 'replace')).hexdigest()[:32]}"


def address(of: str) -> str:
    """The bucket of an address; of IPv6 the network that one customer gets."""
    try:
        ip = ipaddress.ip_address(of.split("%", 1)[0])
    except ValueError:
        return "address:?"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return f"address:{ip.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((int(ip) >> 64 << 64, 64))}"
    return f"address:{ip}"


async def count(sql: AsyncConnection, bucket: str, limit: Limit) -> Standing:
    """One more try, counted."""
    given = {
        "bucket": bucket, "free": limit.free, "window_s": limit.window_s, "first_s": limit.first_s,
        "longest_s": limit.longest_s,
    }  # fmt: skip
    row = (await sql.execute(COUNT, given)).one()
    return Standing(row.tries, row.within, row.locked_until)


async def forgive(sql: AsyncConnection, bucket: str, limit: Limit) -> None:
    """The try was right: it does not count against its address."""
    await sql.execute(FORGIVE, {"bucket": bucket, "free": limit.free})


async def forget(sql: AsyncConnection, bucket: str) -> None:
    """Nothing stands against the account any more. Old buckets go with it."""
    await sql.execute(FORGET, {"bucket": bucket})
    await sql.execute(FORGET_OLD)
