"""Rows: webhook intake while deliveries come when they come, 500 a second, whether earlier ones are answered or not."""

import random
import uuid
from collections.abc import Callable

import psycopg

from bench.intake import message, messages, ready
from bench.load import Load, send_all, send_at
from bench.rows import Row, percentile
from bench.world import World, free_port, until

PER_SECOND = 500
NAME = f"webhook intake, {PER_SECOND} a second"
CONNECTIONS = 64
ORDERS = 2_000
FIRST_ORDER = 10_000
WARM_UP = 500
P50_MS, P99_MS = 50.0, 1_000.0
"""The store gives up after ten seconds and repeats; a tenth of that is far from it."""

DATABASE = "bench_arrivals"
STORED = "SELECT count(*) FROM webhooks WHERE delivery_key = ANY(%s)"
MARKED = "SELECT count(*) FROM records WHERE flow = 'orders' AND key = ANY(%s)"
SIZE = "SELECT pg_total_relation_size('webhooks') / (SELECT count(*) FROM webhooks)"


async def rows(world: World, *, seconds: float, seed: int, say: Callable[[str], None]) -> list[Row]:
    """Arrivals of a Poisson process, each about one of 2,000 orders; for a third of the time at the bare endpoint, to
    see what this machine does with them at this hour."""
    url = world.database(DATABASE)
    port, bare_port = free_port(), free_port()
    draw = random.Random(seed)
    due = _moments(draw, seconds)
    ids = [f"msg_{uuid.UUID(int=draw.getrandbits(128)).hex}" for _ in due]
    orders = [FIRST_ORDER + draw.randrange(ORDERS) for _ in due]
    async with world.process("bare", url, "bench.bare_endpoint", str(bare_port)):
        await until(lambda: ready(bare_port), f"nothing answers on port {bare_port}")
        moments = _moments(draw, seconds / 3)
        bare = await send_at(bare_port, messages(world, len(moments)), moments, connections=CONNECTIONS)
    async with world.process("serve", url, "ml_connector.cli.main", "serve", "--port", str(port)):
        await until(lambda: ready(port), f"nothing answers on port {port}")
        await send_all(port, messages(world, WARM_UP), connections=8)
        requests = [message(world, order, id) for order, id in zip(orders, ids, strict=True)]
        load = await send_at(port, requests, due, connections=CONNECTIONS)
    with psycopg.connect(url) as connection:
        stored = _number(connection, STORED, ids)
        keys = sorted({str(order) for order in orders})
        unmarked = len(keys) - _number(connection, MARKED, keys)
        size = connection.execute(SIZE).fetchone()
    world.drop(DATABASE)
    say(f"intake, {PER_SECOND} a second: {len(load.latencies_s):,} of {len(ids):,} answered, {stored:,} stored")
    assert size is not None
    return [
        *_rows(load, sent=len(ids), stored=stored, unmarked=unmarked),
        Row(f"{NAME}: p50, bare endpoint", _ms(bare, 0.5), "ms"),
        Row(f"{NAME}: p99, bare endpoint", _ms(bare, 0.99), "ms"),
        Row("database: size per stored delivery, until retention", round(float(size[0]) / 1024, 2), "KiB/delivery"),
    ]


def _moments(draw: random.Random, seconds: float) -> list[float]:
    moments: list[float] = []
    at = 0.0
    while (at := at + draw.expovariate(PER_SECOND)) < seconds:
        moments.append(at)
    return moments


def _rows(load: Load, *, sent: int, stored: int, unmarked: int) -> list[Row]:
    lost = sent - min(stored, len(load.latencies_s)) + unmarked
    return [
        Row(f"{NAME}: lost (not answered 200, not stored, order not marked)", lost, "deliveries", 0.0),
        Row(f"{NAME}: p50 from the moment of arrival", _ms(load, 0.5), "ms", P50_MS),
        Row(f"{NAME}: p99 from the moment of arrival", _ms(load, 0.99), "ms", P99_MS),
        Row(f"{NAME}: longest", _ms(load, 1.0), "ms"),
        Row(f"{NAME}: sent", sent, "deliveries", better="higher"),
        Row(f"{NAME}: rate of the answers", round(load.rate, 1), "deliveries/s", better="higher"),
    ]


def _ms(load: Load, part: float) -> float:
    return round(percentile(load.latencies_s, part) * 1000, 2)


def _number(connection: psycopg.Connection, statement: str, values: list[str]) -> int:
    found = connection.execute(statement, (values,)).fetchone()
    assert found is not None
    return int(found[0])
