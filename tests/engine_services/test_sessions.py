"""Leased sessions: never more than allowed, never two holders, nothing lost with a process that dies or stops."""

import asyncio
import base64
import signal

import pytest

from ml_connector.connectors.errors import NotSent, Transient, Unauthorized
from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey
from ml_connector.engine.sessions import PostgresSessions, forget_sessions
from ml_connector.engine.sessions_sql import RENEW
from ml_connector.engine.vault import Vault
from tests.engine_services.conftest import CallCounter, Spawn, eventually, scalar


class Logins:
    def __init__(self, refuse: Exception | None = None) -> None:
        self.given = 0
        self.refuse = refuse

    async def open(self) -> str:
        self.given += 1
        if self.refuse is not None:
            raise self.refuse
        return f"session-{self.given}"


def written(key: MasterKey) -> str:
    return base64.b64encode(key.material).decode()


async def test_a_session_is_opened_once_and_used_again(database: Database, vault: Vault) -> None:
    logins = Logins()
    one, other = PostgresSessions(database, vault, 1), PostgresSessions(database, vault, 1)
    async with one.lease("erp", 2, logins.open) as lease:
        assert lease.value == "session-1"
    async with other.lease("erp", 2, logins.open) as lease:
        assert lease.value == "session-1"
        assert lease.unused_s >= 0
    assert logins.given == 1


async def test_two_leases_at_once_are_two_sessions_and_a_third_waits(database: Database, vault: Vault) -> None:
    logins, pool, third = Logins(), PostgresSessions(database, vault, 1), PostgresSessions(database, vault, 1)
    got = asyncio.Event()

    async def wait() -> str:
        async with third.lease("erp", 2, logins.open) as lease:
            got.set()
            return lease.value

    async with pool.lease("erp", 2, logins.open) as a:
        async with pool.lease("erp", 2, logins.open) as b:
            assert {a.value, b.value} == {"session-1", "session-2"}
            waiting = asyncio.create_task(wait())

            async def queued() -> bool:
                return await scalar(database, "SELECT count(*) FROM session_waits") == 1

            await eventually(queued)
            assert not got.is_set()
        assert await waiting == "session-2"
    assert logins.given == 2
    assert await scalar(database, "SELECT count(*) FROM session_waits") == 0


async def test_who_waits_comes_before_who_comes_again(database: Database, vault: Vault) -> None:
    logins, busy, patient = Logins(), PostgresSessions(database, vault, 1), PostgresSessions(database, vault, 1)
    order: list[str] = []

    async def wait() -> None:
        async with patient.lease("erp", 1, logins.open):
            order.append("patient")

    async def queued() -> bool:
        return await scalar(database, "SELECT count(*) FROM session_waits") == 1

    async with busy.lease("erp", 1, logins.open):
        waiting = asyncio.create_task(wait())
        await eventually(queued)
    async with busy.lease("erp", 1, logins.open):
        order.append("busy")
    await waiting
    assert order == ["patient", "busy"]


async def test_a_dead_session_is_replaced_in_its_place(database: Database, vault: Vault) -> None:
    logins, pool = Logins(), PostgresSessions(database, vault, 1)
    async with pool.lease("erp", 1, logins.open) as lease:
        await lease.renew()
        assert lease.value == "session-2"
    async with pool.lease("erp", 1, logins.open) as lease:
        assert lease.value == "session-2"


async def test_what_the_other_side_moved_is_kept(database: Database, vault: Vault) -> None:
    logins, pool = Logins(), PostgresSessions(database, vault, 1)
    async with pool.lease("erp", 1, logins.open) as lease:
        lease.keep("session-1 on node 2")
    async with pool.lease("erp", 1, logins.open) as lease:
        assert lease.value == "session-1 on node 2"


async def test_sessions_are_sealed_and_survive_a_rotation(database: Database, vault: Vault) -> None:
    logins, pool = Logins(), PostgresSessions(database, vault, 1)
    async with pool.lease("erp", 1, logins.open):
        pass
    assert "session-1" not in await scalar(database, "SELECT sessions::text || encode(sealed, 'escape') FROM sessions")
    assert await vault.rotate(MasterKey.new()) == 1
    async with pool.lease("erp", 1, logins.open) as lease:
        assert lease.value == "session-1"


async def test_a_refused_login_stops_all_logins_until_a_person_asks(database: Database, vault: Vault) -> None:
    logins = Logins(Unauthorized("wrong password"))
    for _ in range(3):
        with pytest.raises(Unauthorized, match="wrong password"):
            async with PostgresSessions(database, vault, 1).lease("erp", 2, logins.open):
                pass
    assert logins.given == 1
    pool = PostgresSessions(database, vault, 1)
    await pool.forgive("erp")
    logins.refuse = None
    async with pool.lease("erp", 2, logins.open) as lease:
        assert lease.value == "session-2"


async def test_a_login_that_fails_otherwise_is_tried_again(database: Database, vault: Vault) -> None:
    logins, pool = Logins(Transient("starting up")), PostgresSessions(database, vault, 1)
    with pytest.raises(Transient, match="starting up"):
        async with pool.lease("erp", 1, logins.open):
            pass
    logins.refuse = None
    async with pool.lease("erp", 1, logins.open) as lease:
        assert lease.value == "session-2"


async def test_changed_credentials_forget_sessions_and_refusals(database: Database, vault: Vault) -> None:
    logins, pool = Logins(), PostgresSessions(database, vault, 1, lease_s=1.0)
    async with pool.lease("erp", 1, logins.open), database.transaction() as sql:
        await forget_sessions(sql, 1)
    async with pool.lease("erp", 1, logins.open) as lease:
        assert lease.value == "session-2"


async def test_a_process_ends_the_sessions_that_it_opened_and_no_other(database: Database, vault: Vault) -> None:
    ended: list[str] = []

    async def close(value: str) -> None:
        ended.append(value)

    logins = Logins()
    one, other = PostgresSessions(database, vault, 1), PostgresSessions(database, vault, 1)
    async with one.lease("erp", 2, logins.open), other.lease("erp", 2, logins.open):
        pass
    await one.end("erp", close)
    assert ended == ["session-1"]
    async with other.lease("erp", 2, logins.open) as lease:
        assert lease.value == "session-2"


async def test_a_killed_holder_gives_its_session_back_when_its_lease_lapses(
    spawn: Spawn, counter: CallCounter, master: MasterKey
) -> None:
    first = await spawn("session", port=counter.port, keys=written(master), then="hold")
    assert await first.line() == {"session": "answer-1", "place": 0}
    second = await spawn("session", port=counter.port, keys=written(master))
    await first.kill()
    assert await second.line() == {"session": "answer-1", "place": 0}
    assert counter.total == 1


async def test_a_stopped_holder_starts_no_call_once_its_session_is_anothers(
    spawn: Spawn, counter: CallCounter, master: MasterKey
) -> None:
    first = await spawn("session", port=counter.port, keys=written(master), then="check", lease_s=1.0)
    await first.line()
    await first.tell()
    assert await first.line() == {"ours": True}
    first.process.send_signal(signal.SIGSTOP)
    second = await spawn("session", port=counter.port, keys=written(master), then="check", lease_s=1.0)
    assert await second.line() == {"session": "answer-1", "place": 0}
    first.process.send_signal(signal.SIGCONT)
    await first.tell()
    assert await first.line() == {"ours": False}
    await second.tell()
    assert await second.line() == {"ours": True}


async def test_a_process_that_dies_in_its_login_is_followed_by_another(
    spawn: Spawn, counter: CallCounter, master: MasterKey
) -> None:
    counter.lasts_s = 60
    first = await spawn("session", port=counter.port, keys=written(master))

    async def logging_in() -> bool:
        return counter.open == 1

    await eventually(logging_in)
    second = await spawn("session", port=counter.port, keys=written(master))
    await first.kill()
    counter.lasts_s = 0.01
    assert (await second.line())["session"] == "answer-2"


async def test_busy_workers_share_the_sessions_and_none_starves(
    spawn: Spawn, counter: CallCounter, master: MasterKey
) -> None:
    """Each call is one session in use: the server sees never more than two at once."""
    counter.lasts_s = 0.01
    children = [
        await spawn("sessions", port=counter.port, keys=written(master), size=2, at_once=3, seconds=3.0)
        for _ in range(2)
    ]
    said = [(await child.line(), await child.line())[1] for child in children]
    assert counter.most <= 2
    assert {place for each in said for place in each["places"]} <= {0, 1}
    assert all(each["made"] > 0 for each in said)


async def test_a_lost_lease_is_noticed(database: Database, vault: Vault) -> None:
    """The check can fail: without it the test above could not."""
    pool = PostgresSessions(database, vault, 1, lease_s=1.0)
    async with pool.lease("erp", 1, Logins().open) as lease:
        async with database.transaction() as sql:
            await forget_sessions(sql, 1)

        async def noticed() -> bool:
            try:
                lease.check()
            except NotSent:
                return True
            return False

        await eventually(noticed)


async def test_a_renewal_that_comes_late_does_not_lease_what_was_given_back(database: Database, vault: Vault) -> None:
    """It was on its way when the call ended: nobody would hold the session, and nobody get it."""
    pool = PostgresSessions(database, vault, 1)
    async with pool.lease("erp", 1, Logins().open) as lease:
        late = {**pool._row(lease), "holder": pool._holder, "lease_s": 10.0}  # pyright: ignore[reportPrivateUsage]
    async with database.connect() as sql:
        assert (await sql.execute(RENEW, late)).rowcount == 0
    assert await scalar(database, "SELECT count(*) FROM sessions WHERE leased_until IS NOT NULL") == 0
