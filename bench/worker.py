"""A real `ml-connector worker` process and N orders: from marks to synced."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.recording import Made, now, recorded
from bench.world import WAIT_S, World, control, until
from ml_connector.engine import records
from ml_connector.engine.database import Database
from ml_connector.engine.records import Lane

# Orders that must reach the ledger: nothing that waits for a capture, nothing that is excluded.
PROFILE = {
    "kinds": {
        "paid": 50, "shipped": 8, "two_providers": 2, "two_captures": 3, "bank_paid": 3, "on_account": 2,
        "gift_redeemed": 2, "store_credit": 2, "refund_quantity": 5, "refund_shipping": 2, "refund_amount": 2,
        "refund_full": 2,
    }
}  # fmt: skip
INTEGRATION = 1
WORK = ["orders", "write_back"]
COUNT = Lane(INTEGRATION, "system:count")

MANY = 1_000
DONE = "SELECT count(*) FROM records WHERE flow = 'orders' AND done_at IS NOT NULL"
BUSY = "SELECT count(*) FROM records WHERE flow = ANY(%s) AND (token IS NOT NULL OR run_at IS NOT NULL)"
ENDED = "SELECT max(done_at) FROM records WHERE flow = ANY(%s)"
WRONG = "SELECT flow, key, status, hold_kind, reason FROM records WHERE flow = ANY(%s) AND status <> 'synced' LIMIT 5"
NEW = """
SELECT count(*) FROM records
 WHERE flow <> ALL(%s) AND done_at IS NULL AND (token IS NOT NULL OR run_at <= statement_timestamp())
"""
SCHEDULED = "SELECT count(*) FROM records WHERE flow <> ALL(%s)"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of some orders. `seconds`: from the marks to the last record that is synced, write-back included."""

    orders: int
    seconds: float
    calls: Sequence[Made]


@dataclass(frozen=True, slots=True)
class Bench:
    """A worker that idles beside a seeded store. `keys`: the orders of that store. `pid`: of the worker."""

    world: World
    url: str
    database: Database
    keys: Sequence[str]
    pid: int

    async def work_off(self, keys: Sequence[str], *, within_s: float = WAIT_S) -> float:
        """Marks `keys` and waits until all that follows from them is done. Seconds, by the database's clock.

        Raises `TimeoutError` when that takes longer than `within_s`, `RuntimeError` when a record is not synced.
        """
        marked: datetime | None = None
        for first in range(0, len(keys), records.MARK_AT_ONCE):
            async with self.database.transaction() as connection:
                now: datetime = (await connection.exec_driver_sql("SELECT clock_timestamp()")).scalar_one()
                marked = marked or now
                some = sorted(keys[first : first + records.MARK_AT_ONCE])
                await records.mark(connection, INTEGRATION, "orders", some)
        assert marked is not None
        async with self.database.connect() as connection:
            await records.notify(connection, [Lane(INTEGRATION, "orders")])
        await self._idle(0.02 if len(keys) == 1 else 0.1 if len(keys) < MANY else 0.5, within_s)
        async with self.database.connect() as connection:
            ended: datetime = (await connection.exec_driver_sql(ENDED, (WORK,))).scalar_one()
            wrong = (await connection.exec_driver_sql(WRONG, (WORK,))).all()
        if wrong:
            raise RuntimeError(f"not every record is synced: {wrong}")
        return (ended - marked).total_seconds()

    async def sample(self, keys: Sequence[str]) -> Sample:
        """`work_off`, and what was called meanwhile."""
        since = await now(self.world)
        seconds = await self.work_off(keys)
        return Sample(len(keys), seconds, await recorded(self.world, self.url, since))

    async def count_after(self) -> Sequence[Made]:
        """Lets the worker count what it posted (P11 of `docs/exactly-once.md`), and returns the calls for it."""
        await asyncio.sleep(1.0)  # past V
        since = await now(self.world)
        async with self.database.connect() as connection:
            done: datetime = (await connection.exec_driver_sql(ENDED, (["system:count"],))).scalar_one()
            await records.mark(connection, INTEGRATION, COUNT.flow, ["-"])
            await records.notify(connection, [COUNT])

        async def counted() -> bool:
            async with self.database.connect() as connection:
                return (await connection.exec_driver_sql(ENDED, (["system:count"],))).scalar_one() > done

        await until(counted, "the posted documents were not counted")
        return await recorded(self.world, self.url, since)

    async def done(self) -> int:
        """Orders that have been brought to an end."""
        async with self.database.connect() as connection:
            return int((await connection.exec_driver_sql(DONE)).scalar_one())

    async def _idle(self, every_s: float, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while True:
            async with self.database.connect() as connection:
                if not (await connection.exec_driver_sql(BUSY, (WORK,))).scalar_one():
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the work is not done within {within_s:g} s")
            await asyncio.sleep(every_s)


@asynccontextmanager
async def bench(world: World, *, orders: int, seed: int, latency_s: float = 0.0) -> AsyncGenerator[Bench]:
    """Fresh database, fresh ERP, a worker that has started; then a store of `orders` orders that nobody told it of."""
    name = f"bench_{seed}"
    url = world.database(name)
    await world.reset()
    database = Database(url, application="bench")
    try:
        async with world.process("worker", url, "ml_connector.cli.main", "worker") as worker:
            await until(lambda: started(database), "the worker did not start")
            keys = await seeded(world, orders=orders, seed=seed)
            await world.slow(latency_s)
            yield Bench(world, url, database, keys, worker.pid)
    finally:
        await database.close()
        world.drop(name)


async def seeded(world: World, *, orders: int, seed: int, start: str = "") -> list[str]:
    """The same orders for the same seed in a store that was reset; placed in three days up to now, or from `start`."""
    body: dict[str, Any] = {
        "orders": orders,
        "seed": seed,
        "customers": max(1, orders // 2),
        "spread_days": 3,
        "webhooks": False,
        "profile": PROFILE,
        **({"start": start} if start else {}),
    }
    await control(world.store, "seed", body)
    return [str(id) for id in (await control(world.store, "state/order_ids"))["items"]]


async def started(database: Database) -> bool:
    """Its periodic records exist, and each that was due has run once: the polls have seen an empty store."""
    async with database.connect() as connection:
        new = (await connection.exec_driver_sql(NEW, (WORK,))).scalar_one()
        return not new and bool((await connection.exec_driver_sql(SCHEDULED, (WORK,))).scalar_one())
