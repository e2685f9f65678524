"""The command line as a person or a script meets it: a process of its own, its output and its exit status."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.config.examples import ENVIRONMENT
from tests.crash.nursery import nursery

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
PROGRAM = (sys.executable, "-m", "ml_connector.cli.main")


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything, on one line, so that words are found wherever lines are broken."""
        return " ".join(f"{self.out} {self.err}".split())


@dataclass(frozen=True)
class Program:
    """`ml-connector` on one database."""

    environment: Mapping[str, str]

    async def run(self, *arguments: str, **extra: str) -> Ran:
        """Forked from a process that has loaded the program, which is quicker than a new Python."""
        if (forked := nursery()) is None:
            return await self.run_anew(*arguments, **extra)
        with tempfile.TemporaryDirectory(prefix="mlc-cli-") as home:
            out, err = Path(home, "out"), Path(home, "err")
            child = await asyncio.to_thread(forked.start, arguments, {**self.environment, **extra}, out, err)
            try:
                status = await asyncio.to_thread(child.wait, 120)
            finally:
                child.kill()
            return _ran(status, out.read_bytes(), err.read_bytes())

    async def run_anew(self, *arguments: str, **extra: str) -> Ran:
        """By an interpreter of its own, as a shell starts it."""
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, *arguments, env={**self.environment, **extra}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        return _ran(process.returncode or 0, out, err)


def _ran(status: int, out: bytes, err: bytes) -> Ran:
    assert b"Traceback" not in err + out, (err + out).decode()
    return Ran(status, out.decode(), err.decode())


def program(database_url: str, **extra: str) -> Program:
    """With the example's secrets in the environment, as a shell or a service manager would give them."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return Program(
        {**kept, "DATABASE_URL": database_url, "ML_CONNECTOR_KEY": KEY, "COLUMNS": "200", **ENVIRONMENT, **extra}
    )


@asynccontextmanager
async def running(
    given: Program, log: Path, *arguments: str, **extra: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A command that stays, ended with SIGTERM at the end of the block if it still runs."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, *arguments, env={**given.environment, **extra}, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 40)
            except TimeoutError:
                process.kill()
                await process.wait()


async def until_up(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Waits until the served application answers."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as client:
        while True:
            assert process.returncode is None, log.read_text()
            try:
                async with client.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
