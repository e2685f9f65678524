"""The stand-in of each listed system, one process for the session; a fresh desk for each test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from ml_connector.engine.database import Database
from ml_connector.sandbox.process import Announced, SandboxProcess
from tests.conformance.stage import Stage, staged
from tests.conformance.systems import LISTED, Listed


@pytest.fixture(scope="session")
def stand_ins() -> Iterator[dict[str, Announced]]:
    with ExitStack() as stack:
        names = [listed.system for listed in LISTED]
        yield dict(stack.enter_context(SandboxProcess(names)).systems)


@pytest.fixture(params=LISTED, ids=str)
def listed(request: pytest.FixtureRequest) -> Listed:
    return request.param


@pytest.fixture
async def stage(listed: Listed, stand_ins: dict[str, Announced], database: Database) -> AsyncIterator[Stage]:
    async with staged(listed, stand_ins[listed.system], database) as stage:
        yield stage
