"""`audit verify` and `audit seals` on what a real worker has sealed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from sqlalchemy.engine import make_url

from tests.cli.program import Program, program, running, until_up
from tests.cli.test_serve import free_port
from tests.config.examples import EXAMPLE


def sql(cli: Program, statement: str) -> list[Any]:
    url = make_url(cli.environment["DATABASE_URL"]).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]
        return done.fetchall() if done.description else []


async def test_a_worker_seals_and_verify_names_the_row_that_was_altered(database_url: str, tmp_path: Path) -> None:
    cli = program(database_url)
    assert (await cli.run("config", "apply", str(EXAMPLE))).status == 0
    assert "nothing is sealed yet" in (await cli.run("audit", "verify")).said
    port = free_port()
    told = ("worker", "--poll", "0.1", "--metrics", f"127.0.0.1:{port}")
    async with running(cli, tmp_path / "worker.log", *told) as process, asyncio.timeout(60):
        await until_up(port, process, tmp_path / "worker.log")
        while not sql(cli, "SELECT 1 FROM audit_seals s JOIN audit a USING (integration) WHERE a.kind = 'config'"):
            await asyncio.sleep(0.1)
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/metrics") as answer:
            shown = await answer.text()
        assert "ml_connector_database_up 1.0" in shown
        assert 'ml_connector_latency_budget_seconds{flow="orders",integration="us-store"} 120.0' in shown
    assert "audit.sealed" in (tmp_path / "worker.log").read_text()

    shown = await cli.run("audit", "verify")
    assert shown.status == 0
    assert "unbroken through seal" in shown.said
    copy = tmp_path / "seals.jsonl"
    copy.write_text((await cli.run("audit", "seals", "--json")).out)
    assert json.loads(copy.read_text().splitlines()[0])["number"] == 1
    assert (await cli.run("audit", "verify", "--against", str(copy))).status == 0

    sql(cli, "UPDATE secrets SET name = 'taken away' WHERE name = 'audit-seal'")
    unknown = await cli.run("audit", "verify")
    assert (unknown.status, "has no sealing key" in unknown.said) == (1, True), "anybody could have made these seals"
    sql(cli, "UPDATE secrets SET name = 'audit-seal' WHERE name = 'taken away'")

    ((row, who),) = sql(
        cli,
        "SELECT a.id, a.who FROM audit a JOIN audit_seals s ON s.integration = a.integration"
        " AND a.id > s.after_id AND a.id <= s.upto_id WHERE a.kind = 'config' ORDER BY a.id LIMIT 1",
    )
    assert who.startswith("cli:")
    sql(cli, f"UPDATE audit SET who = 'user:nobody' WHERE id = {row}")
    found = await cli.run("audit", "verify", "--json")
    assert found.status == 1
    (finding,) = [finding for chain in found.json["chains"] for finding in chain["findings"]]
    assert (finding["kind"], finding["row"]) == ("altered", row)
    assert f"row {row} of " in (await cli.run("audit", "verify")).said

    copy.write_text("not a list")
    wrong = await cli.run("audit", "verify", "--against", str(copy))
    assert wrong.status == 2
    assert "is no list of seals" in wrong.said
