"""Places of a connection, held across processes: never more calls at once, nobody starves, nothing is lost."""

import asyncio
import signal
import time
from dataclasses import dataclass
from typing import cast

import pytest
from sqlalchemy import event, text

from ml_connector.connectors.base import Quota
from ml_connector.connectors.errors import Throttled
from ml_connector.engine.database import Database
from ml_connector.engine.limiter import PostgresLimiter
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.services import Shared, limits_of
from ml_connector.engine.vault import Vault
from tests.engine_services.conftest import CallCounter, Spawn, eventually, scalar


async def hold(limiter: PostgresLimiter, until: asyncio.Event, started: asyncio.Event | None = None) -> None:
    async with limiter.slot():
        if started is not None:
            started.set()
        await until.wait()


async def test_no_more_calls_at_once_than_places_in_one_process(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 3)
    now = most = 0

    async def call() -> None:
        nonlocal now, most
        async with limiter.slot():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(call() for _ in range(100)))
    await limiter.close()
    assert most == 3
    assert await scalar(database, "SELECT count(*) FROM limit_leases") == 0


async def test_processes_share_the_places_evenly(spawn: Spawn, counter: CallCounter) -> None:
    children = [await spawn("calls", port=counter.port, at_once=6, places=4, seconds=6.0) for _ in range(2)]
    for child in children:
        assert await child.line() == {"started": True}
    made = [(await child.line())["made"] for child in children]
    assert counter.most <= 4
    assert counter.most == 4
    assert min(made) > 0.45 * max(made), made


async def test_with_more_processes_than_places_each_gets_its_turn(spawn: Spawn, counter: CallCounter) -> None:
    children = [await spawn("calls", port=counter.port, at_once=2, places=1, seconds=9.0) for _ in range(3)]
    for child in children:
        assert await child.line() == {"started": True}
    made = [(await child.line())["made"] for child in children]
    assert counter.most == 1
    assert min(made) > 0.2 * max(made), made


async def test_the_places_of_a_killed_process_come_back(database: Database, spawn: Spawn, counter: CallCounter) -> None:
    counter.lasts_s = 120
    child = await spawn("calls", port=counter.port, at_once=2, places=2)

    async def full() -> bool:
        return counter.open == 2

    await eventually(full)
    assert await scalar(database, "SELECT sum(places) FROM limit_leases") == 2
    await child.kill()
    limiter = PostgresLimiter(database, 1, 2, lease_s=2.0)
    done, started = asyncio.Event(), [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(hold(limiter, done, one)) for one in started]
    async with asyncio.timeout(10):
        for one in started:
            await one.wait()
    done.set()
    await asyncio.gather(*tasks)
    await limiter.close()


async def test_a_process_that_was_stopped_starts_no_call_on_a_lapsed_lease(
    database: Database, spawn: Spawn, counter: CallCounter
) -> None:
    counter.lasts_s = 3.0
    child = await spawn("calls", port=counter.port, at_once=2, places=2, seconds=30.0)

    async def in_two_calls_for_a_while_yet() -> bool:
        fresh = [start for start in counter.starts if start > asyncio.get_running_loop().time() - 2.0]
        return counter.open == len(fresh) == 2

    await eventually(in_two_calls_for_a_while_yet)
    child.process.send_signal(signal.SIGSTOP)
    limiter = PostgresLimiter(database, 1, 2, lease_s=2.0)
    done, started = asyncio.Event(), [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(hold(limiter, done, one)) for one in started]
    async with asyncio.timeout(15):
        for one in started:
            await one.wait()

    async def its_calls_are_answered() -> bool:
        return counter.open == 0

    await eventually(its_calls_are_answered)
    before = counter.total
    child.process.send_signal(signal.SIGCONT)  # it may go on to its next calls at once, if it believes its lease

    async def asks_again() -> bool:
        query = "SELECT count(*) FROM limit_leases WHERE want > 0 AND places = 0"
        return await scalar(database, query) == 1

    await eventually(asks_again)
    assert counter.total == before
    counter.lasts_s = 0.02
    done.set()
    await asyncio.gather(*tasks)
    await limiter.close()

    async def goes_on() -> bool:
        return counter.total > before + 2

    await eventually(goes_on)


async def test_a_call_costs_no_look_at_the_database(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    async with limiter.slot():
        pass
    asked: list[object] = []
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *facts: asked.append(facts[2]))
    began = time.perf_counter()
    for _ in range(2_000):
        async with limiter.slot():
            pass
    lasted_s = time.perf_counter() - began
    assert len(asked) <= 6 * (1 + lasted_s)  # the renewals, once a second
    assert lasted_s / 2_000 < 0.001
    await limiter.close()


async def test_a_cancelled_waiter_takes_no_place_with_it(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 1)
    done, started = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hold(limiter, done, started))
    await started.wait()
    waiting = [asyncio.create_task(hold(limiter, done)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting[:3]:
        task.cancel()
    done.set()
    # One is cancelled in the very moment in which it gets its place.
    await first
    waiting[3].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(5), limiter.slot():
        pass
    await limiter.close()


async def test_orders_go_before_the_catalogue_and_whoever_waited_long_goes_first(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 1)
    order: list[str] = []
    done, started = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(hold(limiter, done, started))
    await started.wait()

    async def call(priority: str) -> None:
        async with limiter.slot(priority):  # type: ignore[arg-type]
            order.append(priority)

    tasks: list[asyncio.Task[None]] = []
    for priority in ("background", "catalogue", "orders", "orders"):
        tasks.append(asyncio.create_task(call(priority)))
        await asyncio.sleep(0)
    limiter._waiters[0].rank -= 60  # as if the background work had waited for a minute
    done.set()
    await asyncio.gather(first, *tasks)
    assert order == ["background", "orders", "orders", "catalogue"]
    await limiter.close()


async def test_a_call_inside_a_call_needs_no_second_place(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 1)
    async with asyncio.timeout(5), limiter.slot(), limiter.slot():
        pass
    await limiter.close()


# ---------------------------------------------------------------------- pace


async def test_a_pause_that_one_process_was_told_holds_for_the_other(database: Database) -> None:
    told, other = PostgresLimiter(database, 1, 4), PostgresLimiter(database, 1, 4)
    async with told.slot():
        await told.observe(throttled_for_s=1.5)
    began = time.monotonic()
    async with asyncio.timeout(10), other.slot():
        pass
    assert time.monotonic() - began > 1.0
    await told.close()
    await other.close()


async def test_a_long_pause_is_not_waited_for_inside_a_run(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    await limiter.observe(throttled_for_s=300)
    with pytest.raises(Throttled) as caught:
        async with limiter.slot():
            pass
    assert caught.value.retry_after_s == pytest.approx(300, abs=2)
    other = PostgresLimiter(database, 1, 4)
    with pytest.raises(Throttled):
        async with other.slot():
            pass
    await limiter.close()
    await other.close()


async def test_a_silent_throttle_halves_the_rate_for_everybody_once(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    for _ in range(20):
        async with limiter.slot():
            pass
    for _ in range(4):
        await limiter.observe()
    assert limiter.pace.rate is not None
    assert limiter.pace.rate.base == pytest.approx(10, rel=0.3)
    assert await scalar(database, "SELECT rate FROM limits") == pytest.approx(limiter.pace.rate.base, rel=0.3)
    other = PostgresLimiter(database, 1, 4)
    async with asyncio.timeout(10), other.slot():
        pass
    assert other.pace.rate is not None
    await limiter.close()
    await other.close()


async def test_a_throttle_that_says_when_to_come_again_does_not_halve_the_rate(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    async with limiter.slot():
        pass
    await limiter.observe(throttled_for_s=0.1)
    assert limiter.pace.rate is None
    assert await scalar(database, "SELECT rate FROM limits") is None
    await limiter.close()


async def test_a_quota_that_runs_low_keeps_the_catalogue_back_and_lets_orders_go(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    async with limiter.slot():
        await limiter.observe(Quota(limit=100, left=24, reset_s=30))
    with pytest.raises(Throttled):
        async with limiter.slot("catalogue"):
            pass
    async with asyncio.timeout(1), limiter.slot("orders"):
        pass
    await limiter.close()


async def test_a_quota_is_kept_for_the_other_processes_and_the_console(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    async with limiter.slot():
        await limiter.observe(Quota(limit=100, left=24, reset_s=30))

    async def kept() -> bool:
        return await scalar(database, "SELECT quota->>'left' FROM limits") == "24"

    await eventually(kept)
    other = PostgresLimiter(database, 1, 4)
    async with asyncio.timeout(5), other.slot("orders"):
        pass
    with pytest.raises(Throttled):
        async with other.slot("catalogue"):
            pass
    await limiter.close()
    await other.close()


async def test_an_idle_process_keeps_no_place(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    async with limiter.slot():
        pass
    assert await scalar(database, "SELECT count(*) FROM limit_leases") == 1

    async def gone() -> bool:
        return await scalar(database, "SELECT count(*) FROM limit_leases") == 0

    await eventually(gone, within_s=8)
    async with asyncio.timeout(5), limiter.slot():
        pass
    await limiter.close()


async def test_a_database_that_fails_is_told_to_the_caller_and_works_again_after(database: Database) -> None:
    limiter = PostgresLimiter(database, 1, 4)
    async with database.connect() as sql:
        await sql.execute(text("ALTER TABLE limit_leases RENAME TO away"))
        with pytest.raises(Exception, match="limit_leases"):
            async with limiter.slot():
                pass
        await sql.execute(text("ALTER TABLE away RENAME TO limit_leases"))
    async with asyncio.timeout(5), limiter.slot():
        pass
    await limiter.close()


@dataclass(frozen=True)
class _Known:
    concurrency: int | None = None
    id: int = 1
    name: str = "erp"
    system: str = "next"


@dataclass(frozen=True)
class _Declared:
    concurrency: int | None = 3
    calls_per_minute: int | None = 50


async def test_a_connection_has_the_limits_that_its_system_declares(database: Database) -> None:
    shared = Shared(database, Vault(database, MasterKeys([MasterKey.new()])), limits=lambda system: _Declared())
    limiter = cast("PostgresLimiter", shared.services_for(_Known()).limiter)
    assert (limiter.places, limiter.pace.per_minute) == (3, 50)
    assert cast("PostgresLimiter", shared.services_for(_Known(concurrency=2)).limiter).places == 2
    await shared.close()
    assert limits_of("nobody has it").calls_per_minute is None
