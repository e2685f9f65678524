"""Rows: stock of the ERP into the store. 1 % of all SKUs change; then all are recounted under the store's quota."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from ruamel.yaml import YAML

from bench.rows import Row
from bench.world import INTEGRATION, NEVER_S, STORE, World, control
from ml_connector.connectors.bigcommerce.inventory import READ_AT_ONCE, WRITTEN_AT_ONCE, filters

SEEDED_AT_ONCE = 20_000
QUOTA, WINDOW_S = 15, 3.0
"""The rate of the Standard plan (150 requests in 30 s), in windows so short that even these few calls meet it."""

BACKGROUND = 0.5
"""The part of the quota that background work gets; the rest is kept for orders."""

OVER_BOUND = 1.5
"""A recount over its bound: one read of the ERP, and its calls to the store at that part of the quota."""

TIMING = {"p_s": 2.0, "t_s": 20.0, "l_s": 1.0, "v_s": 0.5, "s_s": 0.0}
PATIENCE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """`changed` of `skus`."""

    skus: int = 100_000
    changed: int = 1_000


async def rows(world: World, sizes: Sizes, *, say: Callable[[str], None]) -> list[Row]:
    await world.reset()
    names = [f"SKU-{number:06}" for number in range(sizes.skus)]
    await _stocked(world, names, 5)
    say(f"stock: {sizes.skus:,} SKUs on both sides")
    url = world.database("bench_stock")
    await world.apply(_configuration(world), url)
    lease = ("--poll", "0.2", "--sweep", "1")
    try:
        async with world.process("stock", url, "ml_connector.cli.main", "worker", *lease):
            desk = _Desk(world, url)
            started = time.monotonic()
            await desk.until("SELECT count(*) = %s FROM records WHERE flow = 'stock' AND status = 'synced'", sizes.skus)
            first_s = time.monotonic() - started
            say(f"stock: every SKU looked at once in {first_s:.0f} s")
            found = await _changes(world, desk, sizes, names)
            say(f"stock: {sizes.changed:,} changes in {found['seconds']:.0f} s")
            count = await _recount(world, desk, found["scan_s"])
            say(f"stock: recount in {count['seconds']:.1f} s; its bound is {count['bound_s']:.1f} s")
    finally:
        world.drop("bench_stock")
    name = f"stock, {sizes.changed:,} of {sizes.skus:,} SKUs change"
    again = "stock, recount of every SKU"
    least = _least(ERPS[world.kind.system], sizes, names)
    return [
        *(Row(f"{name}: {kind}", found[kind], "calls", float(least[kind])) for kind in least),
        Row(f"{name}: seconds", round(found["seconds"], 1), "s"),
        Row(f"{again}: store reads", count["store reads"], "calls", float(sizes.skus // READ_AT_ONCE + 1)),
        Row(f"{again}: time over its bound by the quota", count["ratio"], "ratio", OVER_BOUND),
        Row(f"{again}: time", round(count["seconds"], 1), "s"),
        Row(f"{again}: differences found", count["drifted"], "SKUs"),
        Row(f"stock, first look at {sizes.skus:,} SKUs", round(first_s, 1), "s"),
    ]


@dataclass(frozen=True, slots=True)
class Erp:
    """How an ERP tells its stock: `paths` of the calls, `page` rows in one, of `sets`. `warehouse`: that feeds the
    store. `counts`: says how many rows there are; else a full last page is known as the last by the empty one after."""

    paths: tuple[str, ...]
    page: int
    sets: int
    warehouse: str
    counts: bool


ERPS: Mapping[str, Erp] = {
    "s4hana": Erp(("API_MATERIAL_STOCK_SRV", "API_PRODUCT_SRV"), 5_000, 2, "1710", True),
    "business_one": Erp(("/Items",), 200, 1, "01", False),
}


def _least(erp: Erp, sizes: Sizes, names: Sequence[str]) -> Mapping[str, int]:
    """What the systems' batch sizes ask for: one scan, what has changed read and written, and read once more."""
    changed = len(filters(_changed(sizes, names)))
    return {
        "ERP reads": erp.sets * -(-(sizes.skus if erp.counts else sizes.skus + 1) // erp.page),
        "store reads": 2 * changed,
        "store writes": -(-sizes.changed // WRITTEN_AT_ONCE),
    }


def _changed(sizes: Sizes, names: Sequence[str]) -> list[str]:
    """Spread over all of them."""
    return list(names[:: sizes.skus // sizes.changed])


async def _changes(world: World, desk: "_Desk", sizes: Sizes, names: Sequence[str]) -> dict[str, Any]:
    """The ERP sells; one scan finds it; everything is written and seen in the store."""
    await _material(world, dict.fromkeys(_changed(sizes, names), 4))
    before = await desk.calls()
    started = time.monotonic()
    await desk.ask_for("poll:stock")
    await desk.until(
        "SELECT count(*) = %s FROM stock WHERE sent IS NULL AND (store ->> '1')::int = 4 AND settles_at IS NOT NULL",
        sizes.changed,
    )
    seconds = time.monotonic() - started
    await desk.until(
        "SELECT count(*) = %s FROM records WHERE flow = 'poll:stock' AND token IS NULL AND done_seq = seq", 1
    )
    scan_s = time.monotonic() - started
    after = await desk.calls()
    return {kind: after[kind] - before[kind] for kind in after} | {"seconds": seconds, "scan_s": scan_s}


async def _recount(world: World, desk: "_Desk", scan_s: float) -> dict[str, Any]:
    """At the rate of the Standard plan."""
    await control(world.store, "settings", {"quota": QUOTA, "quota_window_s": WINDOW_S})
    before = await desk.calls()
    started = time.monotonic()
    await desk.ask_for("recount:stock")
    await desk.until("SELECT count(*) = %s FROM watermarks WHERE flow = 'stock' AND value ? 'recount'", 1)
    seconds = time.monotonic() - started
    after = await desk.calls()
    reads = after["store reads"] - before["store reads"]
    bound_s = scan_s + reads / QUOTA * WINDOW_S / BACKGROUND
    return {
        "store reads": reads,
        "seconds": seconds,
        "bound_s": bound_s,
        "ratio": round(seconds / bound_s, 2),
        "drifted": await desk.one(
            "SELECT (value -> 'recount' ->> 'drifted')::int FROM watermarks WHERE flow = 'stock'"
        ),
    }


class _Desk:
    """What the bench asks of the database and of the stand-ins' logs."""

    def __init__(self, world: World, url: str) -> None:
        self._world, self._url = world, url

    async def one(self, statement: str, *parameters: object) -> Any:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            row = await (await connection.execute(statement, parameters or None)).fetchone()  # type: ignore[arg-type]
            return row[0] if row else None

    async def until(self, statement: str, *parameters: object) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not await self.one(statement, *parameters):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never: {statement}")
            await asyncio.sleep(0.2)

    async def ask_for(self, flow: str) -> None:
        """The periodic record of a flow runs now."""
        await self.one(
            "UPDATE records SET seq = seq + 1, run_at = now(), status = 'waiting' WHERE flow = %s RETURNING 1", flow
        )

    async def calls(self) -> dict[str, int]:
        """Calls about stock that both stand-ins have answered so far."""
        store = (await control(self._world.store, "state/requests?limit=1000000"))["items"]
        erp = (await control(self._world.erp, "state/requests?limit=1000000"))["items"]
        shelf = [row for row in store if "/inventory/" in row["path"] and "/locations" not in row["path"]]
        services = ERPS[self._world.kind.system].paths
        return {
            "ERP reads": sum(1 for row in erp if any(name in row["path"] for name in services)),
            "store reads": sum(1 for row in shelf if row["method"] == "GET"),
            "store writes": sum(1 for row in shelf if row["method"] != "GET"),
        }


async def _stocked(world: World, names: Sequence[str], count: int) -> None:
    if world.kind.system == "s4hana":
        await _material(world, dict.fromkeys(names, count))
    else:  # of the same names
        items = {"count": len(names), "prefix": "SKU-", "in_stock": count}
        await control(world.erp, "seed", {"generate_items": items})
    for part in _parts(dict.fromkeys(names, count)):
        await control(world.store, "inventory", {"items": [{"sku": sku, "quantity": many} for sku, many in part]})


async def _material(world: World, quantities: Mapping[str, int]) -> None:
    warehouse = ERPS[world.kind.system].warehouse
    for part in _parts(quantities):
        if world.kind.system == "s4hana":
            rows = [{"material": sku, "quantity": count} for sku, count in part]
            await control(world.erp, "stock", {"materials": rows})
        else:
            await control(world.erp, "seed", {"stock": {sku: {warehouse: count} for sku, count in part}})


def _parts(quantities: Mapping[str, int]) -> list[list[tuple[str, int]]]:
    listed = list(quantities.items())
    return [listed[start : start + SEEDED_AT_ONCE] for start in range(0, len(listed), SEEDED_AT_ONCE)]


def _configuration(world: World) -> Path:
    """The bench's configuration with the flow `stock`, which is asked for by hand after its first scan."""
    content: Any = YAML().load((world.home / "configuration.yaml").read_text())
    content["connections"][STORE]["timing"] = TIMING
    integration = content["integrations"][INTEGRATION]
    integration["flows"]["stock"] = {"enabled": True, "poll_s": NEVER_S, "overlap_s": 600}
    warehouse = ERPS[world.kind.system].warehouse
    integration["mapping"] |= {"warehouses": {warehouse: 1}, "items_match": "sku"}
    file = world.home / "stock.yaml"
    with file.open("w") as stream:
        YAML().dump(content, stream)
    return file
