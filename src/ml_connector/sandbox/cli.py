"""``python -m ml_connector.sandbox`` and the function behind ``ml-connector sandbox``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ml_connector.sandbox.core.runner import SYSTEMS, SandboxError, serve_until_stopped


def serve(
    systems: Sequence[str],
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    tls_dir: Path | None = None,
    faults_file: Path | None = None,
    json_output: bool = False,
    seed: int = 1,
    orders: int = 0,
) -> int:
    """Serve stand-ins until SIGTERM or SIGINT; the exit status is 0 then, 2 when they cannot be served as asked.

    With ``json_output`` the first line on standard output is
    ``{"systems": {name: {"base_url", "token_url", "credentials", "control_url", "ca_file", "known"}}, "pid"}``.
    """
    work = serve_until_stopped(
        systems,
        host=host,
        ports=ports or {},
        tls_dir=tls_dir,
        faults_file=faults_file,
        json_output=json_output,
        seed=seed,
        orders=orders,
    )
    try:
        asyncio.run(work)
    except SandboxError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


def run(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="ml-connector sandbox", description="Serve stand-ins of the systems.")
    parser.add_argument("systems", nargs="+", choices=SYSTEMS, metavar="SYSTEM", help=", ".join(SYSTEMS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", action="append", default=[], metavar="NAME=PORT", type=_port)
    parser.add_argument("--tls", type=Path, metavar="DIR", help="make certificates here and serve TLS")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="fault rules, JSON or YAML")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=0, metavar="N", help="orders that the store has at first")
    parser.add_argument("--json", action="store_true", help="announce on one line of JSON")
    options = parser.parse_args(arguments)
    return serve(
        options.systems,
        host=options.host,
        ports=dict(options.port),
        tls_dir=options.tls,
        faults_file=options.faults,
        json_output=options.json,
        seed=options.seed,
        orders=options.orders,
    )


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in SYSTEMS or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PORT")
    return name, int(number)
