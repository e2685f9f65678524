"""Row 3: API calls per order, catching up and one by one, by kind, beside the least that the APIs allow.

`docs/performance.md` derives the least; here it is computed from the calls of the same run, so that both sides are
about the same orders.
"""

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from bench import calls_business_one as business_one
from bench.recording import Made
from bench.rows import Row
from bench.shape import Shape, store_reads_catching_up, store_reads_one_by_one
from bench.worker import Bench, bench
from bench.world import World

KINDS = ("store reads", "ERP look-ups", "ERP posts", "write-back")
ONCE = ("store", "token", "session", "master data")
"""Once for a process, or for a quarter of an hour: they do not grow with orders."""

REFERENCES_PER_ADDRESS = 12
ENTRIES_PER_POST = 20
_ORDER_PART = re.compile(r"/orders/(\d+)/")


async def rows(world: World, *, orders: int, single_orders: int, seed: int, say: Callable[[str], None]) -> list[Row]:
    """Two workers: one catches up on `orders`, one is told of `single_orders`, each when the one before is synced."""
    async with bench(world, orders=orders, seed=seed) as made:
        caught_up = await made.sample(made.keys)
        shape = await _shape(made, caught_up.calls)
        counted = await made.count_after()
    say(f"calls, catching up: {len(caught_up.calls)} for {orders} orders, and {len(counted)} to count what was posted")
    async with bench(world, orders=single_orders, seed=seed) as made:
        singles = [await made.sample([key]) for key in made.keys]
        calls = [call for sample in singles for call in sample.calls]
        single_shape = await _shape(made, calls)
    say(f"calls, one by one: {len(calls)} for {single_orders} orders")
    seconds = [sample.seconds for sample in singles]
    catching_up, one_by_one = LEAST[world.kind.system]
    return [
        *_rows("catching up", caught_up.calls, shape, catching_up(shape)),
        Row("calls after catching up: count by reference", _per(len(counted), orders), "calls/order"),
        *_rows("one by one", calls, single_shape, one_by_one(single_shape)),
        Row("one order alone: mark to synced with its note", round(statistics.median(seconds), 3), "s (median)"),
    ]


def least_catching_up(shape: Shape) -> dict[str, float]:
    """Calls in all."""
    return {
        "store reads": store_reads_catching_up(shape),
        "ERP look-ups": math.ceil(shape.entries / REFERENCES_PER_ADDRESS)
        + math.ceil(shape.customers / ENTRIES_PER_POST),
        "ERP posts": sum(math.ceil(entries / ENTRIES_PER_POST) for entries in shape.waves) + shape.customers,
        "write-back": shape.orders,
    }


def least_one_by_one(shape: Shape) -> dict[str, float]:
    """Calls in all. Nothing is shared: an order is read, read again, and looked up by itself; its entries are posted in
    their order, each when the one before it stands."""
    return {
        "store reads": store_reads_one_by_one(shape),
        "ERP look-ups": shape.orders + shape.customers,
        "ERP posts": shape.entries + shape.customers,
        "write-back": shape.orders,
    }


Least = Callable[[Shape], dict[str, float]]
LEAST: Mapping[str, tuple[Least, Least]] = {
    "s4hana": (least_catching_up, least_one_by_one),
    "business_one": (business_one.least_catching_up, business_one.least_one_by_one),
}
"""By ERP: catching up, one by one."""


def _rows(way: str, calls: Sequence[Made], shape: Shape, least: dict[str, float]) -> list[Row]:
    found = Counter(bucket(call) for call in calls)
    made = [
        Row(
            f"calls per order, {way}: {kind}",
            _per(found[kind], shape.orders),
            "calls/order",
            _per(least[kind], shape.orders),
        )
        for kind in KINDS
    ]
    total = _per(sum(found[kind] for kind in KINDS), shape.orders)
    return [
        *made,
        Row(f"calls per order, {way}: all four", total, "calls/order", _per(sum(least.values()), shape.orders)),
        Row(f"calls in all, {way}: tokens, sessions, master data", found["once"], "calls"),
    ]


def bucket(call: Made) -> str:
    """One of `KINDS`, or `once`."""
    if call.kind in ONCE:
        return "once"
    if call.flow == "write_back":
        return "write-back"
    if call.side == "store":
        return "store reads"
    return "ERP posts" if call.kind == "post" else "ERP look-ups"


async def _shape(made: Bench, calls: Sequence[Made]) -> Shape:
    """From the postings that the worker left, and from the coupons that it read."""
    plans: defaultdict[str, dict[str, int]] = defaultdict(dict)
    async with made.database.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT record_key, kind, count(*) FROM postings WHERE flow = 'orders' AND kind <> 'customer' GROUP BY 1, 2"
        )
        for key, kind, count in found:
            plans[key][kind] = int(count)
        per_order = [sum(plan.values()) for plan in plans.values()]
        customers = int(
            (
                await connection.exec_driver_sql(
                    "SELECT count(*) FROM postings WHERE flow = 'orders' AND kind = 'customer'"
                )
            ).scalar_one()
        )
    discounted = {
        part.group(1) for call in calls if "/coupons" in call.target and (part := _ORDER_PART.search(call.target))
    }
    waves = [sum(1 for entries in per_order if entries > place) for place in range(max(per_order, default=0))]
    return Shape(len(made.keys), len(discounted), customers, waves, list(plans.values()))


def _per(count: float, orders: int) -> float:
    return round(count / orders, 3)
