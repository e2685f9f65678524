"""One sandbox store and ERP for all end-to-end tests; each test has an empty store, an empty ERP and a database."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.e2e.demos import Demos
from tests.e2e.scene import Scene, World


@pytest.fixture(scope="session")
def demos() -> Iterator[Demos]:
    """Runs of the demo, side by side: they mostly wait."""
    homes = [Path(tempfile.mkdtemp(prefix="mlc-demo-")) for _ in range(3)]
    for home in homes:
        home.chmod(0o711)
    demos = Demos(*homes)
    yield demos
    demos.close()
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def world(postgres: URL) -> Iterator[World]:
    home = Path(tempfile.mkdtemp(prefix="mlc-e2e-"))
    world = World(postgres, TEMPLATE, home)
    yield world
    world.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(world, tmp_path)
    yield scene
    scene.close()
