"""One sandbox store and ERP for these tests; each test has empty ones and a database of its own."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from ml_connector.engine.database import Database
from ml_connector.sandbox.process import Announced, SandboxProcess
from tests.conftest import TEMPLATE
from tests.shipments.counter import Counter, counter_of
from tests.shipments.scene import ShippingScene, ShippingWorld


@pytest.fixture(scope="session")
def shipping_world(postgres: URL) -> Iterator[ShippingWorld]:
    home = Path(tempfile.mkdtemp(prefix="mlc-ship-"))
    world = ShippingWorld(postgres, TEMPLATE, home)
    yield world
    world.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def scene(shipping_world: ShippingWorld, tmp_path: Path) -> Iterator[ShippingScene]:
    scene = ShippingScene(shipping_world, tmp_path)
    yield scene
    scene.close()


@pytest.fixture(scope="session")
def store_alone() -> Iterator[Announced]:
    with SandboxProcess(["bigcommerce"]) as sandbox:
        yield sandbox.systems["bigcommerce"]


@pytest.fixture
async def counter(store_alone: Announced, database: Database) -> AsyncIterator[Counter]:
    async with counter_of(store_alone, database) as counter:
        yield counter
