"""One sandbox store and ERP for these tests; each test has empty ones and a database of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.crash.nursery import Nursery
from tests.shipments.scene import ShippingScene, ShippingWorld


@pytest.fixture(scope="session")
def shipping_world(postgres: URL) -> Iterator[ShippingWorld]:
    home = Path(tempfile.mkdtemp(prefix="mlc-ship-"))
    nursery = Nursery()
    world = ShippingWorld(postgres, TEMPLATE, home, nursery=nursery)
    yield world
    world.close()
    nursery.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def scene(shipping_world: ShippingWorld, tmp_path: Path) -> Iterator[ShippingScene]:
    scene = ShippingScene(shipping_world, tmp_path)
    yield scene
    scene.close()
