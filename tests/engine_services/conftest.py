"""Other processes, and a server that counts the calls that are open at once."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.vault import Vault


@dataclass
class Child:
    process: asyncio.subprocess.Process

    async def line(self) -> dict[str, Any]:
        """The next thing that it says; fails if it ends instead."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            line = await self.process.stdout.readline()
        if not line:
            raise AssertionError((await self.process.stderr.read()).decode())
        return json.loads(line)

    async def tell(self) -> None:
        """A line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


Spawn = Callable[..., Awaitable[Child]]


@pytest.fixture
async def spawn(database_url: str) -> AsyncIterator[Spawn]:
    children: list[Child] = []

    async def start(job: str, **arguments: object) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("process.py")), job, database_url, json.dumps(arguments),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        children.append(Child(process))
        return children[-1]

    yield start
    for child in children:
        with suppress(ProcessLookupError):
            child.process.kill()
        await child.process.wait()


@dataclass
class CallCounter:
    """A server. Each call is open for `lasts_s` and is answered with "answer-<number>"."""

    lasts_s: float = 0.02
    port: int = 0
    total: int = 0
    open: int = 0
    most: int = 0
    starts: list[float] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.total += 1
        number = self.total
        self.open += 1
        self.most = max(self.most, self.open)
        self.starts.append(asyncio.get_running_loop().time())
        try:
            gone = asyncio.create_task(reader.read())
            await asyncio.wait([gone], timeout=self.lasts_s)  # a killed caller ends its call
            gone.cancel()
            writer.write(f"answer-{number}".encode())
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def counter() -> AsyncIterator[CallCounter]:
    counter = CallCounter()
    server = await asyncio.start_server(counter.handle, "127.0.0.1", 0)
    counter.port = server.sockets[0].getsockname()[1]
    yield counter
    server.close()


@pytest.fixture
def master() -> MasterKey:
    return MasterKey.new()


@pytest.fixture
def vault(database: Database, master: MasterKey) -> Vault:
    return Vault(database, MasterKeys([master]))


async def eventually(condition: Callable[[], Awaitable[bool]], *, within_s: float = 20) -> None:
    """Returns once `condition` holds; fails if it does not in time."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.02)


async def scalar(database: Database, statement: str) -> Any:
    async with database.connect() as sql:
        return (await sql.exec_driver_sql(statement)).scalar()
