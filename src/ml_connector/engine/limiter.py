"""Concurrency and pace of one connection, held across processes.

A connection has a number of places. A process leases some of them for a few seconds in `limit_leases` and shares them
among its calls in memory, so a call costs no look at the database. It renews once a second and tells how many it could
use; places are dealt out evenly (max-min fair), what does not divide goes round by turns, so that nobody starves also
where there are more processes than places. A process that dies leaves a lease that lapses. A process that was stopped
starts no call on a lapsed lease.

Inside a process a call waits by priority with ageing: orders go before catalogue before background work, and whoever
has waited long enough goes first. `pace.py` says how fast.
"""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.exc import SQLAlchemyError

from ml_connector.connectors.base import Priority, Quota
from ml_connector.connectors.errors import Throttled
from ml_connector.engine.database import Database
from ml_connector.engine.pace import PAUSE_MAX_S, SILENT_PAUSE_S, Pace, Rate

HEAD_START_S: Final[dict[Priority, float]] = {"orders": 0.0, "catalogue": 5.0, "background": 20.0}
"""So much longer a call must have waited to go before one of orders."""

LEASE_S = 6.0
WAIT_MAX_S = 15.0
"""A longer pause than that is not waited for inside a run: `Throttled` says when to come again."""

PLACE_WAIT_MAX_S = 120.0

_SYNC_S = 1.0
_CONTESTED_S = 0.25
_HUNGRY_S = 0.1
_IDLE_S = 3.0
_TURN_S = 2

ENSURE = text("INSERT INTO limits (connection) VALUES (:connection) ON CONFLICT DO NOTHING")

LOCK = text(
    f"""
    SELECT greatest(0, extract(epoch FROM paused_until - statement_timestamp()))::float8 AS paused_s, rate,
           extract(epoch FROM statement_timestamp() - rate_at)::float8 AS rate_age_s, quota,
           extract(epoch FROM statement_timestamp() - quota_at)::float8 AS quota_age_s,
           floor(extract(epoch FROM statement_timestamp()) / {_TURN_S})::bigint AS turn
      FROM limits WHERE connection = :connection FOR UPDATE
    """  # noqa: S608 - our own constant
)
"""Who deals out places holds this row."""

LAPSE = text("DELETE FROM limit_leases WHERE connection = :connection AND expires_at < statement_timestamp()")

OTHERS = text("SELECT holder, places, want FROM limit_leases WHERE connection = :connection AND holder <> :holder")

HOLD = text(
    """
    INSERT INTO limit_leases AS l (connection, holder, places, want, expires_at)
    VALUES (:connection, :holder, :places, :want, statement_timestamp() + :lease_s * interval '1 second')
    ON CONFLICT (connection, holder) DO UPDATE SET
      places = excluded.places, want = excluded.want, expires_at = excluded.expires_at
    """
)

LEAVE = text("DELETE FROM limit_leases WHERE connection = :connection AND holder = :holder")

QUOTA = text(
    """
    UPDATE limits SET quota = CAST(:quota AS jsonb),
           quota_at = statement_timestamp() - :age_s * interval '1 second'
     WHERE connection = :connection
    """
)

PAUSE = text(
    """
    INSERT INTO limits AS l (connection, paused_until)
    VALUES (:connection, statement_timestamp() + :for_s * interval '1 second')
    ON CONFLICT (connection) DO UPDATE SET paused_until = greatest(l.paused_until, excluded.paused_until)
    """
)

HALVE = text(
    """
    UPDATE limits SET rate = :rate, rate_at = statement_timestamp()
     WHERE connection = :connection AND (rate_at IS NULL OR rate_at < statement_timestamp() - interval '1 second')
    """
)
"""Calls that were refused together halve the rate once."""


def deal(total: int, wants: Mapping[str, int], turn: int) -> dict[str, int]:
    """`total` places for holders that could use `wants`: nobody gets more than wanted, and nobody has two more than
    somebody who wants more. What does not divide goes round with `turn`."""
    given = dict.fromkeys(wants, 0)
    left = total
    while left > 0:
        hungry = sorted(holder for holder in wants if given[holder] < wants[holder])
        if not hungry:
            break
        each = max(1, min(left // len(hungry), min(wants[holder] - given[holder] for holder in hungry)))
        first = turn % len(hungry)
        for holder in (hungry[first:] + hungry[:first])[:left]:
            given[holder] += each
            left -= each
    return given


@dataclass(eq=False, slots=True)
class _Waiter:
    priority: Priority
    rank: float
    future: asyncio.Future[None]


class PostgresLimiter:
    """The `Limiter` of one connection in one process. `places`: calls at once over all processes."""

    def __init__(self, db: Database, connection: int, places: int, *, lease_s: float = LEASE_S) -> None:
        if places < 1:
            raise ValueError(
                f"connection {connection} has {places} places: at least one call at a time must be allowed"
            )
        self._db = db
        self._connection = connection
        self.places = places
        self._lease_s = lease_s
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self.pace = Pace()
        self._granted = 0
        self._good_until = float("-inf")
        self._in_use = 0
        self._peak = 0
        self._told = 0
        self._used_at = float("-inf")
        self._interval_s = _SYNC_S
        self._quota_at = float("-inf")
        self._quota_written = float("-inf")
        self._waiters: list[_Waiter] = []
        self._inside: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ the protocol

    @asynccontextmanager
    async def slot(self, priority: Priority = "orders") -> AsyncGenerator[None]:
        """Waits until a call may start; holds one of the connection's places until left.

        A call inside a call of the same task (a login in the midst of it) needs no second place. Raises `Throttled`
        rather than waiting for very long, `SQLAlchemyError` when no place can be leased.
        """
        task = asyncio.current_task()
        if task is None or task in self._inside:
            yield
            return
        if not self._start(priority):
            await self._wait(priority)
        self._inside.add(task)
        try:
            yield
        finally:
            self._inside.discard(task)
            self._release()

    async def observe(self, quota: Quota | None = None, *, throttled_for_s: float | None = None) -> None:
        """Feeds the pace: the quota of an answer, or that the system asked to wait; neither: it throttled silently."""
        now = time.monotonic()
        if quota is not None:
            self.pace.observe(quota, now, in_flight=max(0, self._in_use - 1))
            self._quota_at = now
        if throttled_for_s is None and quota is not None:
            return
        for_s = min(PAUSE_MAX_S, SILENT_PAUSE_S if throttled_for_s is None else max(0.0, throttled_for_s))
        self.pace.pause(now + for_s)
        # Figures of any kind say when to come again; only a throttle without any makes us guess.
        silent = throttled_for_s is None and self.pace.quota is None
        rate = self.pace.halved(now) if silent else None
        if rate is not None and (self.pace.rate is None or now - self.pace.rate.at > 1.0):
            self.pace.rate = Rate(rate, now)
        with suppress(SQLAlchemyError, OSError):  # the others learn by a throttle of their own
            async with self._db.transaction() as sql:
                await sql.execute(PAUSE, {"connection": self._connection, "for_s": for_s})
                if rate is not None:
                    await sql.execute(HALVE, {"connection": self._connection, "rate": rate})

    async def close(self) -> None:
        """Gives the places back."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._good_until > time.monotonic():
            with suppress(SQLAlchemyError, OSError):  # the lease lapses by itself
                await self._leave()

    # ------------------------------------------------------------------ places in memory

    def _start(self, priority: Priority) -> bool:
        """Takes a place if one is free, nobody waits and the pace allows."""
        now = time.monotonic()
        if self._waiters or not self._free(now) or self.pace.delay(priority, now) > 0:
            return False
        self._take(now)
        return True

    def _free(self, now: float) -> bool:
        return self._in_use < self._granted and now < self._good_until

    def _take(self, now: float) -> None:
        self._in_use += 1
        self._peak = max(self._peak, self._in_use)
        self._used_at = now
        self.pace.started(now)

    def _release(self) -> None:
        self._in_use -= 1
        self._used_at = time.monotonic()
        if self._in_use >= self._granted:
            self._wake.set()  # more than our part: somebody waits for this place
        self._pump()

    async def _wait(self, priority: Priority) -> None:
        now = time.monotonic()
        if (delay := self.pace.delay(priority, now)) > WAIT_MAX_S:
            raise self._throttled(delay)
        loop = asyncio.get_running_loop()
        waiter = _Waiter(priority, now + HEAD_START_S[priority], loop.create_future())
        self._waiters.append(waiter)
        self._peak = max(self._peak, self._in_use + len(self._waiters))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._keep_lease(), name=f"places of connection {self._connection}")
        demand = self._in_use + len(self._waiters)
        if now >= self._good_until or (demand > self._told and self._granted < self.places):
            self._wake.set()
        self._pump()
        try:
            async with asyncio.timeout(PLACE_WAIT_MAX_S):
                await waiter.future
        except BaseException as error:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self._release()  # the place came together with the cancellation
            if isinstance(error, TimeoutError):
                raise self._throttled(PLACE_WAIT_MAX_S) from None
            raise

    def _pump(self) -> None:
        """Lets those in who may start now; sets a timer for those whom the pace holds back."""
        now = time.monotonic()
        while self._waiters and self._free(now):
            priorities: set[Priority] = {one.priority for one in self._waiters}
            delays = {each: self.pace.delay(each, now) for each in priorities}
            ready = [one for one in self._waiters if delays[one.priority] == 0]
            if not ready:
                self._pump_in(min(delays.values()))
                for one in [one for one in self._waiters if delays[one.priority] > WAIT_MAX_S]:
                    self._waiters.remove(one)
                    one.future.set_exception(self._throttled(delays[one.priority]))
                return
            waiter = min(ready, key=lambda one: one.rank)
            self._waiters.remove(waiter)
            if not waiter.future.done():
                self._take(now)
                waiter.future.set_result(None)

    def _pump_in(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._pump)

    def _throttled(self, delay_s: float) -> Throttled:
        return Throttled(
            f"connection {self._connection} is at its limit for {delay_s:.0f} s more: the call was not made",
            retry_after_s=delay_s,
        )

    # ------------------------------------------------------------------ places in the database

    async def _keep_lease(self) -> None:
        """Renews the lease while there are calls; ends when there were none for a while."""
        while True:
            self._wake.clear()
            try:
                await self._sync()
            except (SQLAlchemyError, OSError) as error:
                for waiter in self._waiters:
                    if not waiter.future.done():
                        waiter.future.set_exception(error)
                self._waiters.clear()
                if self._in_use == 0:
                    return
            self._pump()
            idle_s = time.monotonic() - self._used_at
            if self._in_use == 0 and not self._waiters and idle_s > _IDLE_S:
                self._granted = 0
                self._good_until = float("-inf")
                with suppress(SQLAlchemyError, OSError):  # the lease lapses by itself
                    await self._leave()
                if not self._waiters:
                    return
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()

    async def _sync(self) -> None:
        """Tells what this process could use, and learns what it gets and how fast the connection may go."""
        began = time.monotonic()
        async with self._db.transaction() as sql:
            limits = (await sql.execute(LOCK, {"connection": self._connection})).one_or_none()
            if limits is None:
                await sql.execute(ENSURE, {"connection": self._connection})
                limits = (await sql.execute(LOCK, {"connection": self._connection})).one()
            await sql.execute(LAPSE, {"connection": self._connection})
            others = (await sql.execute(OTHERS, {"connection": self._connection, "holder": self._holder})).all()
            want = min(self.places, max(self._peak, self._in_use + len(self._waiters), 1))
            self._peak = self._in_use + len(self._waiters)
            if others:
                wants = {row.holder: row.want for row in others} | {self._holder: want}
                target = deal(self.places, wants, limits.turn)[self._holder]
                free = self.places - sum(row.places for row in others)
                granted = max(0, min(target, free))
            else:
                granted = target = max(want, self.places - 1)  # one stays free, so that a newcomer starts at once
            held = max(granted, self._in_use)
            await sql.execute(
                HOLD,
                {
                    "connection": self._connection, "holder": self._holder, "places": held, "want": want,
                    "lease_s": self._lease_s,
                },
            )  # fmt: skip
            if self._quota_at > self._quota_written and self.pace.quota is not None:
                await sql.execute(QUOTA, self._quota_row(self.pace.quota, began))
                self._quota_written = self._quota_at
        self._told = want
        self._granted = granted
        self._good_until = began + self._lease_s
        self._learn(limits, began)
        everybody = held + sum(row.places for row in others)
        self.pace.share = max(held, 1) / max(everybody, 1)
        self._interval_s = self._next_sync(want, contested=any(row.want > row.places for row in others))

    def _next_sync(self, want: int, *, contested: bool) -> float:
        if self._granted < want and self._granted < self.places:
            return _HUNGRY_S
        return _CONTESTED_S if contested else _SYNC_S

    def _learn(self, limits: Row[Any], now: float) -> None:
        """What other processes were told."""
        if limits.paused_s:
            self.pace.pause(now + limits.paused_s)
        if limits.rate is not None:
            rate = Rate(limits.rate, now - limits.rate_age_s)
            self.pace.rate = None if rate.over(now) else rate
        if limits.quota is not None and now - limits.quota_age_s > self._quota_at:
            quota = limits.quota
            left = float(quota["reset_s"]) - limits.quota_age_s
            if left > 0:
                self.pace.observe(Quota(int(quota["limit"]), int(quota["left"]), left), now, in_flight=self._in_use)

    def _quota_row(self, quota: Quota, now: float) -> dict[str, object]:
        figures = {"limit": quota.limit, "left": quota.left, "reset_s": quota.reset_s}
        return {"connection": self._connection, "quota": json.dumps(figures), "age_s": now - self._quota_at}

    async def _leave(self) -> None:
        async with self._db.connect() as sql:
            await sql.execute(LEAVE, {"connection": self._connection, "holder": self._holder})
