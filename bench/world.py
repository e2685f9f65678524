"""Everything that a bench needs around it: PostgreSQL, the sandbox, a configured database, processes of the product."""

import asyncio
import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from psycopg.sql import SQL, Identifier
from ruamel.yaml import YAML
from sqlalchemy.engine import URL

from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate
from ml_connector.sandbox.process import Announced, SandboxProcess

TEMPLATE = "bench_template"
STORE, ERP, INTEGRATION = "web-store", "ledger", "us-store"
TIMING = {"p_s": 2.0, "t_s": 10.0, "l_s": 2.0, "v_s": 0.2, "s_s": 0.0}
NEVER_S = 86_400
WAIT_S = 120.0
MORE_TAX_CODES = ("H1", "I1", "J1", "J2", "K1")


@dataclass(frozen=True, slots=True)
class World:
    """What all rows share. `server`: the PostgreSQL, by TCP."""

    home: Path
    server: URL
    store: Announced
    erp: Announced
    mapping: Mapping[str, Any]
    environment: Mapping[str, str]

    # ------------------------------------------------------------------ databases

    def database(self, name: str, *, template: str = TEMPLATE) -> str:
        """A fresh database with the bench's configuration, as `DATABASE_URL` takes it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        return self.url(name)

    def drop(self, name: str) -> None:
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def url(self, name: str) -> str:
        return self.server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL(statement).format(*(Identifier(name) for name in names)))

    # ------------------------------------------------------------------ processes

    @asynccontextmanager
    async def process(
        self, name: str, database_url: str, *arguments: str
    ) -> AsyncGenerator[asyncio.subprocess.Process]:
        """A Python process with the bench's environment; ended by SIGTERM. Its output goes to `{name}.log`."""
        with (self.home / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *arguments,
                env={**self.environment, "DATABASE_URL": database_url}, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
            if process.returncode is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: {self.words_of(name)}")
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), 40)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def apply(self, configuration: Path, database_url: str) -> None:
        """Raises `RuntimeError` with what `config apply` said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ml_connector.cli.main", "config", "apply", str(configuration),
            env={**self.environment, "DATABASE_URL": database_url},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"the configuration cannot be applied: {said.decode()}")

    def words_of(self, name: str) -> str:
        """The end of a process's log."""
        return (self.home / f"{name}.log").read_text()[-2000:]

    # ------------------------------------------------------------------ sandbox

    async def reset(self) -> None:
        """An empty store; an ERP without documents that knows what the mapping names."""
        for system in (self.store, self.erp):
            await control(system, "reset", {})
        accounts = {str(number) for role, number in self.mapping["accounts"].items() if role != "receivable"}
        for table in ("taxes", "payment_methods", "revenue_rules"):
            accounts |= {str(row["account"]) for row in self.mapping[table]}
        codes = {str(row["tax_code"]) for row in self.mapping["taxes"]} | {str(self.mapping["untaxed_code"])}
        rules = [row.get("dimension", {}) for row in self.mapping["revenue_rules"]]
        centers = {str(r["profit_center"]) for r in [*rules, self.mapping["default_dimension"]] if "profit_center" in r}
        seed = {
            "gl_accounts": sorted(accounts),
            "tax_codes": sorted(codes | set(MORE_TAX_CODES)),
            "profit_centers": sorted(centers),
            "customers": [{"number": str(self.mapping["customers"]["one_time"]), "one_time": True}],
        }
        await control(self.erp, "seed", seed)

    async def slow(self, latency_s: float) -> None:
        """Every call of both systems waits so long before it is served."""
        if latency_s > 0:
            for system in (self.store, self.erp):
                await control(system, "faults", {"fault": "slow", "match": {"rate": 1}, "args": {"delay_s": latency_s}})


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    """All of it, in a directory of its own that is gone afterwards."""
    home = _directory()
    postgres = EmbeddedPostgres(home / "postgres", database=TEMPLATE)
    try:
        await asyncio.to_thread(postgres.start)
        with SandboxProcess(["bigcommerce", "s4hana"], log=home / "sandbox.log") as sandbox:
            store, erp = sandbox.systems["bigcommerce"], sandbox.systems["s4hana"]
            content = _configuration(store, erp)
            with (home / "configuration.yaml").open("w") as stream:
                YAML().dump(content, stream)
            made = World(
                home, postgres.url(tcp=True), store, erp,
                content["integrations"][INTEGRATION]["mapping"], _environment(store, erp),
            )  # fmt: skip
            await asyncio.to_thread(migrate, made.url(TEMPLATE))
            await made.apply(made.home / "configuration.yaml", made.url(TEMPLATE))
            yield made
    finally:
        await asyncio.to_thread(postgres.release)
        shutil.rmtree(home, ignore_errors=True)


def _directory() -> Path:
    """The embedded server runs as another user where the bench runs as root, and must be able to pass."""
    home = Path(tempfile.mkdtemp(prefix="mlc-bench-"))
    home.chmod(0o711)
    return home


def _environment(store: Announced, erp: Announced) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ML_CONNECTOR_KEY_FILE")}
    return {
        **kept,
        "ML_CONNECTOR_KEY": base64.b64encode(os.urandom(32)).decode(),
        "BC_ACCESS_TOKEN": str(store.credentials["access_token"]),
        "BC_CLIENT_ID": str(store.credentials["client_id"]),
        "BC_CLIENT_SECRET": str(store.credentials["client_secret"]),
        "BC_WEBHOOK_SECRET": secrets.token_urlsafe(24),
        "S4_CLIENT_ID": str(erp.credentials["client_id"]),
        "S4_CLIENT_SECRET": str(erp.credentials["client_secret"]),
    }


def _configuration(store: Announced, erp: Announced) -> Any:
    """The example configuration, pointed at the sandbox; nothing is polled and no webhook is registered by itself."""
    content: Any = YAML().load((files("ml_connector.config") / "store-to-s4hana.yaml").read_text())
    content["connections"][STORE] |= {"base_url": store.base_url, "sandbox": True}
    content["connections"][STORE]["settings"]["store_hash"] = store.credentials["store_hash"]
    content["connections"][ERP] |= {"base_url": erp.base_url, "sandbox": True, "timing": TIMING}
    content["connections"][ERP]["settings"]["token_url"] = erp.token_url
    for name in ("open_from", "open_to"):
        content["connections"][ERP]["settings"].pop(name, None)
    integration = content["integrations"][INTEGRATION]
    integration.pop("webhook_url")
    integration["flows"] = {
        "orders": {"enabled": True, "poll_s": NEVER_S, "overlap_s": 600},
        "customers": {"enabled": False},  # new customers are created with their orders; their own flow is another one
    }
    integration["reconcile"] = {"enabled": False}  # whatever the hour is
    integration["policy"]["posting.cut_over"] = "2020-01-01"
    return content


async def control(system: Announced, what: str, body: object | None = None) -> Any:
    """POST (with `body`) or GET on the control interface of a stand-in."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3_600)) as session:
        method = "GET" if body is None else "POST"
        async with session.request(method, f"{system.control_url}/{what}", json=body) as answer:
            told = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {what}: {answer.status} {told.decode()}")
            return json.loads(told)


async def until(condition: Callable[[], Awaitable[bool]], otherwise: str, *, every_s: float = 0.1) -> None:
    """Waits for `condition`. Raises `TimeoutError` with `otherwise` after two minutes."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} within {WAIT_S:g} s")
        await asyncio.sleep(every_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
