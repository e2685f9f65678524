"""`python -m bench` works from end to end, and says what it measured in the form that others read."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bench.calls import least_catching_up, least_one_by_one
from bench.latency import covered
from bench.load import send_at
from bench.recording import Made, kind_of
from bench.rows import Row, median_rows
from bench.shape import Shape

from bench import calls_business_one as business_one

ROOT = Path(__file__).parents[2]
TARGETS = {
    "webhook intake: rate over a bare endpoint": (0.7, "higher"),
    "order pipeline, 0 ms: over a bare loop": (1.3, "lower"),
    "order pipeline, 100 ms: over a bare loop": (1.15, "lower"),
    "webhook to posted, 100 ms: over the sum of its calls": (1.15, "lower"),
    "3 integrations, one floods: the others' latency over alone": (1.5, "lower"),
    "console, 3,000 records: newest, p95": (200.0, "lower"),
    "console, 3,000 over 1,000 records: newest": (3.0, "lower"),
    "catching up under the Standard quota: the quota's time over ours": (0.9, "higher"),
    "worker memory: at the end over after the warm-up": (1.1, "lower"),
    "reconcile, streaming: processor time per order": (4.0, "lower"),
    "reconcile, streaming: peak memory": (200.0, "lower"),
    "stock, 3 of 300 SKUs change: ERP reads": (2.0, "lower"),
    "stock, 3 of 300 SKUs change: store reads": (2.0, "lower"),
    "stock, 3 of 300 SKUs change: store writes": (1.0, "lower"),
    "stock, recount of every SKU: store reads": (1.0, "lower"),
    "database: size per order": (60.0, "lower"),
    "database: size per order after retention": (15.0, "lower"),
}
NONE_LOST = "webhook intake, 500 a second: lost (not answered 200, not stored, order not marked)"


@pytest.mark.timeout(900)
def test_a_tiny_run_fills_every_row(tmp_path: Path) -> None:
    by_name = _measured(tmp_path / "results.json")
    for name, (target, better) in TARGETS.items():
        assert (by_name[name]["target"], by_name[name]["better"]) == (target, better)
        assert by_name[name]["value"] > 0
        wanted = by_name[name]["value"] >= target if better == "higher" else by_name[name]["value"] <= target
        assert by_name[name]["holds"] is wanted
    assert (by_name[NONE_LOST]["value"], by_name[NONE_LOST]["target"]) == (0, 0)
    _no_less_than_the_least(by_name)


@pytest.mark.timeout(900)
def test_the_same_rows_with_another_erp_stand_beside_the_first_ones(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    first = {"row": "calls per order", "value": 1.0, "unit": "", "target": None, "better": "lower", "holds": True}
    out.write_text(json.dumps([first]))
    options = ("--erp", "business_one", "--only", "calls", "--only", "pipeline", "--only", "stock")
    rows = _measured(out, *options)
    assert rows.pop("calls per order") == first
    assert all(name.startswith("SAP Business One: ") for name in rows)
    by_name = {name.removeprefix("SAP Business One: "): row for name, row in rows.items()}
    _no_less_than_the_least(by_name)
    for name in ("order pipeline, 0 ms: over a bare loop", "order pipeline, 100 ms: over a bare loop"):
        assert by_name[name]["value"] > 0
        assert by_name[name]["target"] == TARGETS[name][0]
    for name in (each for each in TARGETS if each.startswith("stock, 3")):
        assert 0 < by_name[name]["target"] <= by_name[name]["value"], name


def _measured(out: Path, *options: str) -> dict[str, Any]:
    """A tiny run; what it wrote, by row."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--tiny", "--out", str(out), *options],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=880, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text())
    assert all(set(row) == {"row", "value", "unit", "target", "better", "holds"} for row in rows)
    by_name = {row["row"]: row for row in rows}
    assert len(by_name) == len(rows)
    return by_name


def _no_less_than_the_least(by_name: Mapping[str, Any]) -> None:
    """Less would mean that the least is wrong."""
    for way in ("catching up", "one by one"):
        for kind in ("store reads", "ERP look-ups", "ERP posts", "write-back", "all four"):
            row = by_name[f"calls per order, {way}: {kind}"]
            assert 0 < row["target"] <= row["value"], row


def test_the_least_that_business_one_allows() -> None:
    """100 orders in two batches, 10 of them discounted: an invoice and a payment each, 30 with a second payment."""
    plans = [{"sales_invoice": 1, "payment": 2 if number < 30 else 1} for number in range(100)]
    shape = Shape(orders=100, discounted=10, customers=25, waves=(100, 100, 30), plans=plans)
    assert business_one.least_catching_up(shape) == {
        "store reads": 2 * 2 + 1 + 2 * 100 + 10,
        "ERP look-ups": 5 + 7 + 5 + 2,
        "ERP posts": 230 + 25,
        "write-back": 100,
    }
    assert business_one.least_one_by_one(shape) == {
        "store reads": 5 * 100 + 10,
        "ERP look-ups": 300 + 25,
        "ERP posts": 230 + 25,
        "write-back": 100,
    }


def test_the_least_is_what_the_apis_allow() -> None:
    """100 orders in two batches, 10 of them discounted, 30 with a second entry; 25 customers."""
    shape = Shape(orders=100, discounted=10, customers=25, waves=(100, 30))
    assert least_catching_up(shape) == {
        "store reads": 2 * 2 + 1 + 2 * 100 + 10,
        "ERP look-ups": 11 + 2,
        "ERP posts": 5 + 2 + 25,
        "write-back": 100,
    }
    assert least_one_by_one(shape) == {
        "store reads": 5 * 100 + 10,
        "ERP look-ups": 125,
        "ERP posts": 155,
        "write-back": 100,
    }


def test_a_call_that_no_rule_knows_is_an_error() -> None:
    assert kind_of("store", "GET", "/stores/x/v2/orders/1/taxes") == "parts"
    with pytest.raises(LookupError):
        kind_of("store", "DELETE", "/stores/x/v3/hooks/1")


def test_rows_hold_against_their_target() -> None:
    ratio, lowest, highest = median_rows("x", [1.5, 1.2, 1.25], "ratio", 1.3, "lower")
    assert (ratio.value, ratio.holds, lowest.value, highest.value) == (1.25, True, 1.2, 1.5)
    assert not Row("x", 0.6, "ratio", 0.7, "higher").holds
    assert Row("for information", 9.0, "ms").holds


async def test_what_arrives_while_the_server_is_busy_waits_from_its_own_moment() -> None:
    """One connection and three arrivals at once: the second and third wait for those before them, and that counts."""
    answers = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.1)
            answers += 1
            status = b"503 Service Unavailable" if answers == 3 else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")
            if answers == 3:
                break

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        load = await send_at(port, [b"GET / HTTP/1.1\r\n\r\n"] * 3, [0.0, 0.0, 0.0], connections=1)
    first, second = load.latencies_s
    assert first >= 0.1
    assert second >= 0.2


def test_time_with_a_call_under_way_counts_overlapping_calls_once() -> None:
    def call(start_s: float, end_s: float) -> Made:
        return Made("store", "orders", 1, start_s, end_s, "GET", "/", 200, (), "parts", "")

    assert covered([call(5.0, 6.0), call(1.0, 3.0), call(2.0, 2.5), call(2.0, 4.0)]) == 4.0
