"""A run dies at every point on its way, by SIGKILL, in a process of its own; the next one ends what it began."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document
from tests.conformance.stage import KEY, Stage, child_environment

pytestmark = pytest.mark.crash

POINTS = (
    *("posting.planned.b", "posting.planned.a", "look_up.a", "sending.commit.b", "sending.commit.a"),
    *("send.connected", "send.half_body", "send.body_out", "answer.read", "posted.commit.b", "posted.commit.a"),
    *("doc1.posted.a", "finish.commit.b", "finish.commit.a"),
)
TIMES = (1, 2)
"""At the first document, and once more where the first stands."""
ONCE = ("posting.planned.b", "posting.planned.a", "look_up.a", "finish.commit.b", "finish.commit.a")
"""Passed once in a run, whatever it posts."""


async def die(stage: Stage, database_url: str, wanted: Sequence[Document], rule: str, home: Path) -> bool:
    """Runs these documents in a child that dies by `rule`; False where it never came there and ended in peace."""
    log = home / "deaths"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.conformance.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
        env=child_environment(ML_CONNECTOR_CRASH=f"{rule}:kill", ML_CONNECTOR_CRASH_LOG=str(log)),
    )
    told = {
        "system": stage.listed.system,
        "announced": asdict(stage.erp.announced),
        "database": database_url,
        "key": KEY,
        "documents": [document_to_json(document) for document in wanted],
    }
    said, _ = await child.communicate(json.dumps(told).encode())
    if child.returncode == 0:
        assert not log.exists()
        return False
    assert child.returncode == -signal.SIGKILL, said.decode()
    return log.exists()


@pytest.mark.parametrize("point", POINTS)
async def test_what_a_dead_run_began_is_ended_once(stage: Stage, database_url: str, point: str, tmp_path: Path) -> None:
    wanted = await stage.with_customer()
    for nth in TIMES[:1] if point in ONCE else TIMES:
        await stage.desk.do("DELETE FROM records")
        home = tmp_path / str(nth)
        home.mkdir()
        assert await die(stage, database_url, wanted, f"{point}#1", home), f"{point} was never reached"
        await stage.take_over()
        if nth < len(wanted):  # one more document stands before the next death
            await stage.settled(wanted[:nth])
    await stage.settled(wanted)
    stage.stands_once([stage.plan()[0], *wanted])
