"""Session tokens: one fetch for all processes, nothing lost with a process that dies in it."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from ml_connector.connectors.base import Token
from ml_connector.connectors.errors import Unauthorized
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey
from ml_connector.engine.tokens import PostgresTokens
from ml_connector.engine.vault import Vault
from tests.engine_services.conftest import CallCounter, Spawn, eventually, scalar


class Issuer:
    """Gives out tokens that live for `lives_s`, and counts them."""

    def __init__(self, lives_s: float = 3600) -> None:
        self.lives_s = lives_s
        self.given = 0

    async def fetch(self) -> Token:
        self.given += 1
        return Token(f"token-{self.given}", datetime.now(UTC) + timedelta(seconds=self.lives_s))


def written(key: MasterKey) -> str:
    return base64.b64encode(key.material).decode()


async def test_processes_share_one_fetch(
    spawn: Spawn, counter: CallCounter, master: MasterKey, database: Database
) -> None:
    counter.lasts_s = 1.0
    children = [await spawn("token", port=counter.port, keys=written(master)) for _ in range(4)]
    said = [await child.line() for child in children]
    assert said == [{"token": "answer-1"}] * 4
    assert counter.total == 1


async def test_a_process_that_is_killed_in_its_fetch_is_followed_by_another(
    spawn: Spawn, counter: CallCounter, master: MasterKey
) -> None:
    counter.lasts_s = 60
    first = await spawn("token", port=counter.port, keys=written(master), lease_s=2.0)

    async def fetching() -> bool:
        return counter.open == 1

    await eventually(fetching)
    second = await spawn("token", port=counter.port, keys=written(master), lease_s=2.0)
    await first.kill()
    counter.lasts_s = 0.01
    assert await second.line() == {"token": "answer-2"}


async def test_tasks_of_one_process_share_one_fetch(database: Database, vault: Vault) -> None:
    tokens, issuer = PostgresTokens(database, vault, 1), Issuer()
    got = await asyncio.gather(*(tokens.get("session", issuer.fetch) for _ in range(20)))
    assert {token.value for token in got} == {"token-1"}
    assert issuer.given == 1


async def test_the_token_is_sealed_in_the_database(database: Database, vault: Vault) -> None:
    await PostgresTokens(database, vault, 1).get("session", Issuer().fetch)
    assert "token-1" not in await scalar(database, "SELECT tokens::text || encode(sealed, 'escape') FROM tokens")


async def test_a_token_survives_the_rotation_of_the_master_key(database: Database, vault: Vault) -> None:
    issuer = Issuer()
    await PostgresTokens(database, vault, 1).get("session", issuer.fetch)
    assert await vault.rotate(MasterKey.new()) == 1
    assert (await PostgresTokens(database, vault, 1).get("session", issuer.fetch)).value == "token-1"


async def test_drop_forgets_this_token_and_no_newer_one(database: Database, vault: Vault) -> None:
    issuer = Issuer()
    one, other = PostgresTokens(database, vault, 1), PostgresTokens(database, vault, 1)
    old = await one.get("session", issuer.fetch)
    assert await other.get("session", issuer.fetch) == old
    await one.drop("session", old)
    new = await one.get("session", issuer.fetch)
    assert new.value == "token-2"
    await other.drop("session", old)  # told late: the other process has renewed it
    assert await other.get("session", issuer.fetch) == new
    assert issuer.given == 2


async def test_a_token_is_renewed_before_it_lapses(database: Database, vault: Vault) -> None:
    tokens, issuer = PostgresTokens(database, vault, 1), Issuer(lives_s=100)
    await tokens.get("session", issuer.fetch)
    assert (await tokens.get("session", issuer.fetch, min_valid_s=40)).value == "token-1"
    async with database.connect() as sql:
        await sql.exec_driver_sql(
            "UPDATE tokens SET expires_at = now() + interval '30 s', fetched_at = now() - interval '70 s'"
        )
    assert (await PostgresTokens(database, vault, 1).get("session", issuer.fetch, min_valid_s=40)).value == "token-2"


async def test_a_token_that_lives_shortly_is_not_fetched_for_every_call(database: Database, vault: Vault) -> None:
    tokens, issuer = PostgresTokens(database, vault, 1), Issuer(lives_s=30)
    for _ in range(5):
        await tokens.get("session", issuer.fetch, min_valid_s=60)
    await PostgresTokens(database, vault, 1).get("session", issuer.fetch, min_valid_s=60)
    assert issuer.given == 1


async def test_a_fetch_that_fails_says_why_and_does_not_hold_up_the_next_for_its_lease(
    database: Database, vault: Vault
) -> None:
    async def refused() -> Token:
        raise Unauthorized("invalid client")

    issuer = Issuer()
    with pytest.raises(Unauthorized, match="invalid client"):
        await PostgresTokens(database, vault, 1).get("session", refused)
    async with asyncio.timeout(10):
        token = await PostgresTokens(database, vault, 1).get("session", issuer.fetch)
    assert token.value == "token-1"


async def test_a_cancelled_fetch_frees_its_lease(database: Database, vault: Vault) -> None:
    started = asyncio.Event()

    async def hangs() -> Token:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(PostgresTokens(database, vault, 1).get("session", hangs))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        assert (await PostgresTokens(database, vault, 1).get("session", Issuer().fetch)).value == "token-1"


async def test_a_slow_fetch_keeps_its_lease(database: Database, vault: Vault) -> None:
    issuer, begun, may_end = Issuer(), asyncio.Event(), asyncio.Event()

    async def slow() -> Token:
        begun.set()
        await may_end.wait()
        return await issuer.fetch()

    one, other = (PostgresTokens(database, vault, 1, lease_s=0.5) for _ in range(2))
    first = asyncio.create_task(one.get("session", slow))
    await begun.wait()
    second = asyncio.create_task(other.get("session", issuer.fetch))
    await asyncio.wait([second], timeout=1.5)  # three leases long
    assert issuer.given == 0, "a second login beside a slow one"
    may_end.set()
    assert await first == await second
    assert issuer.given == 1
