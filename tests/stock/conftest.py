"""One sandbox store and ERP for these tests; each test has empty ones and a database of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.stock.scene import StockScene, StockWorld


@pytest.fixture(scope="session")
def stock_world(postgres: URL) -> Iterator[StockWorld]:
    home = Path(tempfile.mkdtemp(prefix="mlc-stock-"))
    world = StockWorld(postgres, TEMPLATE, home)
    yield world
    world.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def scene(stock_world: StockWorld, tmp_path: Path) -> Iterator[StockScene]:
    scene = StockScene(stock_world, tmp_path)
    yield scene
    scene.close()
