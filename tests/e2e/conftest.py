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


@pytest.fixture(scope="session", autouse=True)
def demos(request: pytest.FixtureRequest) -> Iterator[Demos | None]:
    """Runs of the demo beside the other tests: they mostly wait, and so do those."""
    if not any("demos" in getattr(item, "fixturenames", ()) for item in request.session.items if _asks(item)):
        yield None
        return
    homes = [Path(tempfile.mkdtemp(prefix="mlc-demo-")) for _ in range(3)]
    for home in homes:
        home.chmod(0o711)
    demos = Demos(*homes)
    yield demos
    demos.close()
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)


def _asks(item: pytest.Item) -> bool:
    return item.path.name == "test_demo.py"


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
