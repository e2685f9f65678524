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
from typing import Any, cast

import aiohttp
import psycopg
from psycopg.sql import SQL, Identifier
from ruamel.yaml import YAML
from sqlalchemy.engine import URL

from ml_connector.cli.demo_erps import ERPS, DemoErp
from ml_connector.engine.embedded import EmbeddedPostgres
from ml_connector.engine.migrations import migrate
from ml_connector.sandbox.process import Announced, SandboxProcess

TEMPLATE = "bench_template"
STORE, ERP, INTEGRATION = "web-store", "ledger", "us-store"
TIMING = {"p_s": 2.0, "t_s": 10.0, "l_s": 2.0, "v_s": 0.2, "s_s": 0.0}
NEVER_S = 86_400
WAIT_S = 120.0
MORE_TAX_CODES = ("H1", "I1", "J1", "J2", "K1")
PLENTY = 1_000_000
"""Pieces of everything in the ERP's warehouse."""


@dataclass(frozen=True, slots=True)
class World:
    """What all rows share. `server`: the PostgreSQL, by TCP."""

    home: Path
    server: URL
    store: Announced
    erp: Announced
    mapping: Mapping[str, Any]
    environment: Mapping[str, str]
    kind: DemoErp

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
        seed = dict(self.kind.seed(self.mapping))
        if "tax_codes" in seed:
            seed["tax_codes"] = sorted({*cast("list[str]", seed["tax_codes"]), *MORE_TAX_CODES})
        await control(self.erp, "seed", seed)
        if self.kind.stock is not None:  # a document takes goods out, and none may go below zero
            warehouses = {str(each): 1 for each in self.mapping["warehouses"]}
            items = await self.kind.stock.available(self.erp.control_url, warehouses)
            stock = {item: dict.fromkeys(warehouses, str(PLENTY)) for item in items}
            await control(self.erp, "seed", {"stock": stock})

    async def slow(self, latency_s: float) -> None:
        """Every call of both systems waits so long before it is served."""
        if latency_s > 0:
            for system in (self.store, self.erp):
                await control(system, "faults", {"fault": "slow", "match": {"rate": 1}, "args": {"delay_s": latency_s}})


@asynccontextmanager
async def world(system: str = "s4hana") -> AsyncGenerator[World]:
    """All of it, with this ERP, in a directory of its own that is gone afterwards."""
    kind = ERPS[system]
    home = _directory()
    postgres = EmbeddedPostgres(home / "postgres", database=TEMPLATE)
    try:
        await asyncio.to_thread(postgres.start)
        with SandboxProcess(["bigcommerce", system], log=home / "sandbox.log") as sandbox:
            store, erp = sandbox.systems["bigcommerce"], sandbox.systems[system]
            content = _configuration(store, erp, kind)
            with (home / "configuration.yaml").open("w") as stream:
                YAML().dump(content, stream)
            made = World(
                home, postgres.url(tcp=True), store, erp,
                content["integrations"][INTEGRATION]["mapping"], _environment(store, erp, kind), kind,
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


def _environment(store: Announced, erp: Announced, kind: DemoErp) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ML_CONNECTOR_KEY_FILE")}
    return {
        **kept,
        "ML_CONNECTOR_KEY": base64.b64encode(os.urandom(32)).decode(),
        "BC_ACCESS_TOKEN": str(store.credentials["access_token"]),
        "BC_CLIENT_ID": str(store.credentials["client_id"]),
        "BC_CLIENT_SECRET": str(store.credentials["client_secret"]),
        "BC_WEBHOOK_SECRET": secrets.token_urlsafe(24),
        **{name: str(erp.credentials[credential]) for name, credential in kind.environment.items()},
    }


def _configuration(store: Announced, erp: Announced, kind: DemoErp) -> Any:
    """The example configuration, pointed at the sandbox; nothing is polled and no webhook is registered by itself."""
    content: Any = YAML().load((files("ml_connector.config") / kind.example).read_text())
    content["connections"][STORE] |= {"base_url": store.base_url, "sandbox": True}
    content["connections"][STORE]["settings"]["store_hash"] = store.credentials["store_hash"]
    content["connections"][ERP] |= {"base_url": erp.base_url, "sandbox": True, "timing": TIMING}
    content["connections"][ERP]["settings"] |= kind.settings(erp)
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
    if kind.is_sales:
        # An ERP that computes tax itself, line by line, comes 6 to 9 cents off the store's total on about two of a
        # thousand orders, those of dozens of lines: more than a book-keeper lets pass, who then decides about them.
        # Here every order has to be posted.
        integration["policy"]["rounding.tolerance_minor"] = 50
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
