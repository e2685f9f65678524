"""What the tests of this folder run in processes of their own: `python process.py <job> <database url> <json>`.

A "call" is a TCP connection to the port of the test, which counts them; it lasts until the test closes it.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_connector.connectors.base import Token
from ml_connector.connectors.errors import NotSent, Unreachable
from ml_connector.engine.audit import Audit
from ml_connector.engine.breaker import Breakers, Rules
from ml_connector.engine.database import Database
from ml_connector.engine.limiter import PostgresLimiter
from ml_connector.engine.master_keys import MasterKey, MasterKeys, parse_keys
from ml_connector.engine.records import Lane
from ml_connector.engine.sessions import PostgresSessions
from ml_connector.engine.tokens import PostgresTokens
from ml_connector.engine.vault import Vault


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


async def call(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await reader.read()
    finally:
        writer.close()


async def token(db: Database, port: int, keys: str, lease_s: float = 60.0) -> None:
    """Gets the token "session", fetching it from `port` if this process is the one to do it."""

    async def fetch() -> Token:
        return Token((await call(port)).decode(), datetime.now(UTC) + timedelta(hours=1))

    tokens = PostgresTokens(db, Vault(db, MasterKeys(parse_keys(keys))), 1, lease_s=lease_s)
    say(token=(await tokens.get("session", fetch)).value)


async def calls(db: Database, port: int, at_once: int, places: int, lease_s: float = 2.0, seconds: float = 3.0) -> None:
    """Calls as fast as the limiter lets it, from `at_once` tasks."""
    limiter = PostgresLimiter(db, 1, places, lease_s=lease_s)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    made = 0

    async def work() -> None:
        nonlocal made
        while loop.time() < until:
            async with limiter.slot():
                await call(port)
                made += 1

    say(started=True)
    await asyncio.gather(*(work() for _ in range(at_once)))
    await limiter.close()
    say(made=made)


async def session(db: Database, port: int, keys: str, size: int = 1, lease_s: float = 2.0, then: str = "") -> None:
    """Leases a session, opened by a call to `port`, and says so. `then`: ends ("") or holds it until told otherwise;
    `check`: asks whether it is still its own whenever a line comes in."""

    async def open() -> str:
        return (await call(port)).decode()

    pool = PostgresSessions(db, Vault(db, MasterKeys(parse_keys(keys))), 1, lease_s=lease_s)
    async with pool.lease("erp", size, open) as lease:
        say(session=lease.value, place=lease.place)
        while then and await asyncio.to_thread(sys.stdin.readline):
            try:
                lease.check()
                say(ours=True)
            except NotSent:
                say(ours=False)


async def sessions(db: Database, port: int, keys: str, size: int, at_once: int, seconds: float = 2.0) -> None:
    """Uses sessions as fast as it gets them, one call to `port` in each lease."""
    pool = PostgresSessions(db, Vault(db, MasterKeys(parse_keys(keys))), 1, lease_s=2.0)
    until = asyncio.get_running_loop().time() + seconds
    used: list[int] = []

    async def open() -> str:
        return os.urandom(8).hex()

    async def work() -> None:
        while asyncio.get_running_loop().time() < until:
            async with pool.lease("erp", size, open) as lease:
                await call(port)
                used.append(lease.place)

    say(started=True)
    await asyncio.gather(*(work() for _ in range(at_once)))
    say(made=len(used), places=sorted(set(used)))


async def rotate(db: Database, keys: str, new: str) -> None:
    say(wrapped=await Vault(db, MasterKeys(parse_keys(keys))).rotate(MasterKey.of(base64.b64decode(new))))


async def probe(db: Database, integration: int) -> None:
    """Asks for ever whether the lane may be claimed, and says so once."""
    breakers = Breakers(db, rules=Rules(refresh_s=0.05))
    say(may=await breakers.may_claim(Lane(integration, "orders")))
    while not await breakers.may_claim(Lane(integration, "orders")):
        await asyncio.sleep(0.02)
    say(claimed=True)


async def fail(db: Database, times: int) -> None:
    breaker = Breakers(db).of(1)
    for _ in range(times):
        await breaker.failure(Unreachable("no route"))
    say(failed=times)


async def record(db: Database, entries: int) -> None:
    """Records entries and says after every hundredth that they are flushed; then waits to be killed."""
    audit = Audit(db)
    for number in range(entries):
        audit.record("read", integration=1, flow="orders", key=str(number))
        if number % 100 == 99:
            await audit.flush()
            say(flushed=number + 1)
        await asyncio.sleep(0)
    await asyncio.Event().wait()


JOBS: dict[str, Callable[..., Awaitable[None]]] = {
    job.__name__: job for job in (token, calls, session, sessions, rotate, probe, fail, record)
}


async def main(job: str, url: str, arguments: dict[str, Any]) -> None:
    db = Database(url, application=f"test-{job}")
    try:
        await JOBS[job](db, **arguments)
    finally:
        await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
