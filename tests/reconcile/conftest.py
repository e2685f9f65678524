"""One sandbox store and ERP for the tests that run the whole product."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.e2e.scene import Scene, World


@pytest.fixture(scope="module")
def world(postgres: URL) -> Iterator[World]:
    home = Path(tempfile.mkdtemp(prefix="mlc-reconcile-"))
    world = World(postgres, TEMPLATE, home)
    yield world
    world.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def scene(world: World, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(world, tmp_path)
    yield scene
    scene.close()
