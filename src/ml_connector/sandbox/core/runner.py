"""Serve one or more stand-ins in this process, each on its own port, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ml_connector.sandbox.core.app import build_application
from ml_connector.sandbox.core.clock import Clock
from ml_connector.sandbox.core.control import CONTROL_PREFIX
from ml_connector.sandbox.core.faults import FaultBook, Rule
from ml_connector.sandbox.core.requestlog import RequestLog
from ml_connector.sandbox.core.system import Creator, Environment, System
from ml_connector.sandbox.core.tls import TlsMaterial, make_tls

SYSTEMS = ("bigcommerce", "s4hana", "business_one")
SHUTDOWN_S = 0.5
TRIAL: dict[str, Any] = {
    "kinds": {"paid": 30, "shipped": 5, "authorised_only": 2, "bank_paid": 2, "refund_amount": 2, "incomplete": 1},
    "markets": {"us_tx": 30, "de": 10},
    "features": dict.fromkeys(("gift_certificate", "fee", "multi_address", "bundle", "display_currency"), 0),
}
"""Orders of a shop that somebody tries the product with: two countries, everyday cases."""


class SandboxError(Exception):
    """The sandbox cannot be served as asked; the message says why."""


@dataclass(frozen=True)
class Running:
    system: System
    environment: Environment
    book: FaultBook
    runner: web.AppRunner

    def announced(self) -> dict[str, Any]:
        base_url, tls = self.environment.base_url, self.environment.tls
        return {
            "base_url": base_url,
            "token_url": None if self.system.token_path is None else base_url + self.system.token_path,
            "credentials": dict(self.system.credentials),
            "control_url": base_url + CONTROL_PREFIX,
            "ca_file": None if tls is None else str(tls.ca_file),
            "known": dict(self.system.known),
        }


async def start_system(name: str, *, host: str, port: int, tls: TlsMaterial | None, seed: int) -> Running:
    """Bind and serve one stand-in. Raises ``SandboxError`` for an unknown name or a port that is taken."""
    if name not in SYSTEMS:
        raise SandboxError(f"no stand-in for {name!r}; there are {', '.join(SYSTEMS)}")
    create: Creator = importlib.import_module(f"ml_connector.sandbox.{name}").create
    listener = _listen(name, host, port)
    bound_port = cast("int", listener.getsockname()[1])
    environment = Environment(
        clock=Clock(),
        requests=RequestLog(),
        seed=seed,
        base_url=f"{'http' if tls is None else 'https'}://{host}:{bound_port}",
        tls=tls,
    )
    system = create(environment)
    application, book = build_application(system, environment)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=None if tls is None else tls.server_context()).start()
    await system.start()
    return Running(system, environment, book, runner)


async def stop_system(running: Running) -> None:
    await running.system.stop()
    await running.environment.cancel_tasks()
    await running.runner.cleanup()


def read_faults(path: Path) -> list[Rule]:
    """A faults file: a list of rules, each with its system, as JSON or YAML. Raises ``SandboxError``."""
    try:
        loaded: Any = YAML(typ="safe").load(path.read_text(encoding="utf-8"))  # pyright: ignore[reportUnknownMemberType]
    except (OSError, YAMLError) as error:
        raise SandboxError(f"the faults file {path} cannot be read: {error}") from error
    if not isinstance(loaded, list):
        raise SandboxError(f"the faults file {path} holds no list of rules")
    rules: list[Rule] = []
    for index, item in enumerate(cast("list[Any]", loaded)):
        try:
            rules.append(Rule.model_validate(item))
        except ValueError as error:
            raise SandboxError(f"rule {index} of {path}: {error}") from error
    return rules


async def serve_until_stopped(
    names: Sequence[str],
    *,
    host: str,
    ports: Mapping[str, int],
    tls_dir: Path | None,
    faults_file: Path | None,
    json_output: bool,
    seed: int,
    orders: int = 0,
) -> None:
    rules = [] if faults_file is None else read_faults(faults_file)
    if strange := {rule.system for rule in rules} - {None, *names}:
        raise SandboxError(f"the faults file names systems that are not served: {', '.join(map(str, strange))}")
    tls = None if tls_dir is None else make_tls(tls_dir, host)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    running: list[Running] = []
    try:
        for name in names:
            running.append(await start_system(name, host=host, port=ports.get(name, 0), tls=tls, seed=seed))
        for each in running:
            _add_rules(each, rules)
            if orders and each.system.name == "bigcommerce":
                await each.system.seed({"orders": orders, "seed": seed, "spread_days": 7, "profile": TRIAL})
        _announce(running, json_output=json_output)
        await stopped.wait()
    finally:
        await asyncio.gather(*(stop_system(each) for each in running))


def _add_rules(running: Running, rules: Sequence[Rule]) -> None:
    for rule in rules:
        if rule.system in (None, running.system.name):
            try:
                running.book.add(rule)
            except ValueError as error:
                raise SandboxError(str(error)) from error


def _announce(running: Sequence[Running], *, json_output: bool) -> None:
    systems = {each.system.name: each.announced() for each in running}
    if json_output:
        sys.stdout.write(json.dumps({"systems": systems, "pid": os.getpid()}) + "\n")
    else:
        for name, told in systems.items():
            sys.stdout.write(f"{name}: {told['base_url']}  control: {told['control_url']}\n")
            for key, value in {**told["credentials"], **told["known"]}.items():
                sys.stdout.write(f"  {key.replace('_', ' ')}: {value}\n")
        sys.stdout.write("Serving until interrupted.\n")
    sys.stdout.flush()


def _listen(name: str, host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SandboxError(f"{name} cannot listen on {host}:{port}: {error.strerror}") from error
    listener.listen(1024)
    listener.setblocking(False)
    return listener
