"""Row 1: webhook intake of `ml-connector serve` against a bare endpoint with one INSERT."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable

import aiohttp
import psycopg

from bench.load import Load, send_all
from bench.rows import Row, median_rows, percentile
from bench.world import STORE, World, free_port, until

TARGET = 0.7
ORDERS = 2_000
WARM_UP = 300
DATABASE = "bench_intake"


async def rows(
    world: World, *, deliveries: int, rounds: int, connections: int, say: Callable[[str], None]
) -> list[Row]:
    """`deliveries` per side and round; the sides take turns."""
    ours: list[Load] = []
    bare: list[Load] = []
    url = world.database(DATABASE)
    our_port, bare_port = free_port(), free_port()
    async with (
        world.process("serve", url, "ml_connector.cli.main", "serve", "--port", str(our_port)),
        world.process("bare", url, "bench.bare_endpoint", str(bare_port)),
    ):
        for port in (our_port, bare_port):
            await until(lambda port=port: ready(port), f"nothing answers on port {port}")
            await send_all(port, messages(world, WARM_UP), connections=connections)
        sides = [(our_port, ours), (bare_port, bare)]
        for number in range(rounds):
            for port, loads in sides if number % 2 == 0 else reversed(sides):
                loads.append(await send_all(port, messages(world, deliveries), connections=connections))
            say(f"intake, round {number + 1}: ours {ours[-1].rate:,.0f}/s, bare endpoint {bare[-1].rate:,.0f}/s")
    _verify(url, WARM_UP + rounds * deliveries)
    world.drop(DATABASE)
    ratios = [our.rate / its.rate for our, its in zip(ours, bare, strict=True)]
    return [
        *median_rows("webhook intake: rate over a bare endpoint", ratios, "ratio", TARGET, "higher"),
        *_figures("ours", ours),
        *_figures("bare endpoint", bare),
    ]


def _figures(side: str, loads: list[Load]) -> list[Row]:
    latencies = [latency for load in loads for latency in load.latencies_s]
    rates = sorted(load.rate for load in loads)
    return [
        Row(f"webhook intake, {side}: rate", round(rates[len(rates) // 2], 1), "deliveries/s", better="higher"),
        Row(f"webhook intake, {side}: p50", round(percentile(latencies, 0.5) * 1000, 2), "ms"),
        Row(f"webhook intake, {side}: p99", round(percentile(latencies, 0.99) * 1000, 2), "ms"),
    ]


def messages(world: World, count: int) -> list[bytes]:
    """Complete requests, each a delivery of its own, signed as the store signs them, about orders of a busy store."""
    return [message(world, 100 + number % ORDERS, f"msg_{uuid.uuid4().hex}") for number in range(count)]


def message(world: World, order: int, id: str, *, path: str = STORE) -> bytes:
    """The complete request of one delivery, signed now."""
    secret = world.environment["BC_CLIENT_SECRET"].encode()
    stamp = str(int(time.time()))
    body = json.dumps(
        {
            "scope": "store/order/updated",
            "store_id": "1025646",
            "data": {"type": "order", "id": order},
            "hash": hashlib.sha1(id.encode()).hexdigest(),
            "created_at": int(stamp),
            "producer": f"stores/{world.store.credentials['store_hash']}",
        }
    ).encode()
    digest = hmac.digest(secret, b".".join((id.encode(), stamp.encode(), body)), hashlib.sha256)
    head = [
        f"POST /hooks/{path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Ml-Connector-Secret: {world.environment['BC_WEBHOOK_SECRET']}",
        f"webhook-id: {id}",
        f"webhook-timestamp: {stamp}",
        f"webhook-signature: v1,{base64.b64encode(digest).decode()}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def ready(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def _verify(url: str, deliveries: int) -> None:
    """Both sides have stored every delivery, and ours has marked every order: a fast answer alone proves nothing."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM webhooks), (SELECT count(*) FROM bare_deliveries),"
            " (SELECT count(*) FROM records WHERE flow = 'orders')"
        ).fetchone()
    wanted = (deliveries, deliveries, min(ORDERS, deliveries))
    if found is None or found[:2] != wanted[:2] or found[2] < min(ORDERS, WARM_UP):
        raise RuntimeError(f"stored and marked {found}, delivered {wanted}")
