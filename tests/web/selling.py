"""The application in a process of its own, with the sandbox's store and ERP behind it: for what reads and posts."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from ml_connector.engine.database import Database
from ml_connector.engine.master_keys import MasterKey, MasterKeys
from ml_connector.engine.services import Shared
from ml_connector.engine.vault import Vault
from tests.crash.processes import Process
from tests.e2e.conftest import world as world
from tests.e2e.scene import Scene, World
from tests.web.serving import Served


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(world, tmp_path)
    yield scene
    scene.close()


def still(content: Any) -> None:
    """Nothing comes by itself: orders are told by tests."""
    for flow in content["integrations"]["us-store"]["flows"].values():
        flow["poll_s"] = 3600


def serve(scene: Scene, crash_at: str = "") -> Process:
    """The application at `scene.port`, the same port again after a death."""
    if not scene.port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            scene.port = int(probe.getsockname()[1])
    process = scene.run("serve", "--port", str(scene.port), crash_at=crash_at)
    scene.until(lambda: _answers(scene), process.said)
    return process


def _answers(scene: Scene) -> bool:
    try:
        return scene.request("GET", "/healthz")[0] == 200
    except OSError:
        return False


@pytest.fixture
async def parts(scene: Scene) -> AsyncIterator[Served]:
    """Nobody serves yet: see `serve`."""
    scene.configure(still)
    database = Database(scene.environment()["DATABASE_URL"])
    vault = Vault(database, MasterKeys([MasterKey.new()]))
    shared = Shared(database, vault)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        scene.port = int(probe.getsockname()[1])
    async with aiohttp.ClientSession() as client:
        yield Served(f"http://127.0.0.1:{scene.port}", client, database, shared, FastAPI(), vault)
    await shared.close()
    await database.close()


@pytest.fixture
async def served(scene: Scene, parts: Served) -> Served:
    serve(scene)
    return parts
