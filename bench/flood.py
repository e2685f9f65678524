"""Rows: 20 integrations in one worker, and how long an order of the others takes while one of them floods.

Each integration has a store connection and an ERP connection of its own, so that nothing but the worker and the
database is shared; behind all of them is the one sandbox. A call takes 100 ms, as everywhere where time is compared.
"""

import asyncio
import copy
import statistics
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from bench.rows import Row, percentile
from bench.worker import INTEGRATION, seeded, started
from bench.world import ERP, STORE, World, until
from bench.world import INTEGRATION as NAME
from ml_connector.engine import records
from ml_connector.engine.database import Database
from ml_connector.engine.records import MARK_AT_ONCE, Lane

TARGET = 1.5
DATABASE = "bench_flood"
EVERY_S = 0.6
"""Between two orders of the others: few enough at once that they do not wait for each other."""

DONE = (
    "SELECT count(*) FROM records WHERE flow = 'orders' AND integration <> %s AND status = 'synced' AND key = ANY(%s)"
)
TOOK = """
SELECT extract(epoch FROM done_at - heard_at)::float8 FROM records
 WHERE flow = 'orders' AND integration <> %s AND key = ANY(%s)
"""
STOP = "DELETE FROM records WHERE integration = %s AND flow = 'orders' AND token IS NULL AND run_at IS NOT NULL"
LEFT = """
SELECT count(*) FROM records WHERE integration = %s AND flow = 'orders' AND (token IS NOT NULL OR run_at IS NOT NULL)
"""
BUSY = "SELECT count(*) FROM records WHERE integration = %s AND (token IS NOT NULL OR run_at <= statement_timestamp())"


@dataclass(frozen=True, slots=True)
class Sizes:
    """`flood`: orders that the one has waiting at the beginning of each round; more than it can work off in that."""

    integrations: int = 20
    rounds: int = 2
    flood: int = 1_500


@dataclass(slots=True)
class _Shops:
    """`keys`: orders that nobody has been told of yet."""

    database: Database
    integrations: Sequence[int]
    keys: list[str]

    def take(self, count: int) -> list[str]:
        taken, self.keys = self.keys[:count], self.keys[count:]
        return taken

    async def mark(self, integration: int, keys: Sequence[str]) -> None:
        async with self.database.connect() as connection:
            for first in range(0, len(keys), MARK_AT_ONCE):
                await records.mark(connection, integration, "orders", sorted(keys[first : first + MARK_AT_ONCE]))
            await records.notify(connection, [Lane(integration, "orders")])

    async def number(self, statement: str, *parameters: object) -> int:
        async with self.database.connect() as connection:
            return int((await connection.exec_driver_sql(statement, parameters)).scalar_one())

    async def others(self) -> list[float]:
        """One order of each of the others, one after the other. Seconds from its mark until it was done."""
        quiet = [integration for integration in self.integrations if integration != INTEGRATION]
        keys = self.take(len(quiet))
        for integration, key in zip(quiet, keys, strict=True):
            await self.mark(integration, [key])
            await asyncio.sleep(EVERY_S)

        async def done() -> bool:
            return await self.number(DONE, INTEGRATION, keys) == len(keys)

        await until(done, "the orders of the others are not done")
        async with self.database.connect() as connection:
            return [float(row[0]) for row in await connection.exec_driver_sql(TOOK, (INTEGRATION, keys))]

    async def others_in_a_flood(self, orders: int) -> list[float]:
        """Raises `RuntimeError` when the flood was over before the others were done."""
        await self.mark(INTEGRATION, self.take(orders))
        await asyncio.sleep(2.0)
        took = await self.others()
        if not await self.number(LEFT, INTEGRATION):
            raise RuntimeError(f"a flood of {orders:,} orders was over before the others were done")
        await self.number(f"WITH gone AS ({STOP} RETURNING 1) SELECT count(*) FROM gone", INTEGRATION)

        async def idle() -> bool:
            return not await self.number(BUSY, INTEGRATION)

        await until(idle, "the flood does not end")
        return took


async def rows(world: World, sizes: Sizes, *, latency_s: float, seed: int, say: Callable[[str], None]) -> list[Row]:
    alone: list[float] = []
    flooded: list[float] = []
    async with _shops(world, sizes, latency_s=latency_s, seed=seed) as shops:
        await shops.others()  # tokens, sessions, master data
        for number in range(sizes.rounds):
            alone += await shops.others()
            flooded += await shops.others_in_a_flood(sizes.flood)
            say(
                f"flood, round {number + 1}: the others take {statistics.median(alone):.2f} s alone, "
                f"{statistics.median(flooded):.2f} s beside a flood"
            )
    name = f"{sizes.integrations} integrations, one floods"
    return [
        Row(f"{name}: the others' latency over alone", _ratio(flooded, alone, 0.5), "ratio", TARGET),
        Row(f"{name}: the others' p90 over alone", _ratio(flooded, alone, 0.9), "ratio"),
        Row(f"{name}: the others alone", round(statistics.median(alone), 3), "s (median)"),
        Row(f"{name}: the others in the flood", round(statistics.median(flooded), 3), "s (median)"),
        Row(f"{name}: longest in the flood", round(max(flooded), 3), "s"),
    ]


def _ratio(flooded: Sequence[float], alone: Sequence[float], part: float) -> float:
    return round(percentile(flooded, part) / percentile(alone, part), 3)


@asynccontextmanager
async def _shops(world: World, sizes: Sizes, *, latency_s: float, seed: int) -> AsyncGenerator[_Shops]:
    url = world.database(DATABASE)
    configuration = world.home / "flood.yaml"
    with configuration.open("w") as stream:
        YAML().dump(_configuration(world, sizes.integrations), stream)
    await world.apply(configuration, url)
    await world.reset()
    database = Database(url, application="bench")
    try:
        async with world.process("worker", url, "ml_connector.cli.main", "worker"):
            await until(lambda: started(database), "the worker did not start")
            orders = sizes.rounds * (sizes.flood + 2 * sizes.integrations) + sizes.integrations
            keys = await seeded(world, orders=orders, seed=seed)
            await world.slow(latency_s)
            async with database.connect() as connection:
                found = await connection.exec_driver_sql("SELECT integration FROM integrations ORDER BY 1")
                integrations = [int(row[0]) for row in found]
            yield _Shops(database, integrations, keys)
    finally:
        await database.close()
        world.drop(DATABASE)


def _configuration(world: World, integrations: int) -> Any:
    """The bench's configuration, and copies of its two connections and its integration under names of their own."""
    content: Any = YAML().load((world.home / "configuration.yaml").read_text())
    for number in range(2, integrations + 1):
        for name in (STORE, ERP):
            content["connections"][f"{name}-{number}"] = copy.deepcopy(content["connections"][name])
        shop = copy.deepcopy(content["integrations"][NAME])
        shop |= {"store": f"{STORE}-{number}", "erp": f"{ERP}-{number}"}
        shop["policy"]["reference.tag"] = f"S{number}"
        content["integrations"][f"{NAME}-{number}"] = shop
    return content
