"""`serve` as a real process: killed between the commit and the answer, it has lost nothing."""

import asyncio
import json
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.cli.program import Program, program, running, until_up
from tests.config.examples import EXAMPLE, SECRETS
from tests.web.serving import body_of, headers_of


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rows(cli: Program, query: str) -> list[Any]:
    url = make_url(cli.environment["DATABASE_URL"]).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()  # pyright: ignore[reportArgumentType, reportCallIssue]


async def deliver(port: int, order: int, id: str) -> int:
    body = body_of(order)
    async with aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{port}/hooks/web-store"
        async with client.post(url, data=body, headers=headers_of(body, id)) as answer:
            return answer.status


@pytest.fixture
async def cli(database_url: str) -> Program:
    given = program(database_url)
    assert (await given.run("config", "apply", str(EXAMPLE))).status == 0
    return given


@pytest.mark.parametrize(("point", "stored"), [("intake.commit.b", 0), ("intake.commit.a", 1), ("notify.a", 1)])
async def test_killed_around_the_commit(cli: Program, tmp_path: Path, point: str, stored: int) -> None:
    """Before the commit nothing is stored and nothing was acknowledged; after it the mark stands, answered or not. The
    sender's repetition is stored once in every case."""
    log, crashes, port = tmp_path / "serve.log", tmp_path / "crashes", free_port()
    armed = {"ML_CONNECTOR_CRASH": f"{point}:kill", "ML_CONNECTOR_CRASH_LOG": str(crashes)}
    async with running(cli, log, "serve", "--port", str(port), **armed) as process:
        await until_up(port, process, log)
        acknowledged = False
        with suppress(aiohttp.ClientError):  # the process may die before it answers
            acknowledged = await deliver(port, 118, "msg_1") == 200
        assert await asyncio.wait_for(process.wait(), 20) == -signal.SIGKILL
    assert json.loads(crashes.read_text())["point"] == point
    assert not acknowledged or stored  # what was acknowledged is on the disk
    assert len(rows(cli, "SELECT 1 FROM webhooks")) == stored
    assert len(rows(cli, "SELECT 1 FROM records WHERE flow = 'orders' AND run_at <= now()")) == stored

    async with running(cli, log, "serve", "--port", str(port)) as process:
        await until_up(port, process, log)
        assert await deliver(port, 118, "msg_1") == 200
    assert rows(cli, "SELECT key, seq FROM records WHERE flow = 'orders'") == [("118", stored + 1)]
    assert rows(cli, "SELECT delivery_key FROM webhooks") == [("msg_1",)]


async def test_it_ends_in_order_and_its_log_holds_no_secret(cli: Program, tmp_path: Path) -> None:
    log, port = tmp_path / "serve.log", free_port()
    async with running(cli, log, "serve", "--port", str(port)) as process:
        await until_up(port, process, log)
        assert await deliver(port, 118, "msg_1") == 200
        assert await deliver(port, 118, "msg_1\udcff".encode("utf-8", "replace").decode()) == 200
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
    told = log.read_text()
    assert "Traceback" not in told
    assert not [secret for secret in SECRETS if secret in told]


async def test_a_port_that_is_taken(cli: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = await cli.run("serve", "--port", str(taken.getsockname()[1]))
    assert ran.status == 2
    assert "choose another --port" in ran.said


async def test_a_worker_stops_in_order(cli: Program, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    async with running(cli, log, "worker") as process:
        async with asyncio.timeout(60):
            while "worker.started" not in log.read_text():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert "Stopped after" in log.read_text()
