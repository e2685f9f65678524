"""Stories are told side by side, each on a stage of its own: they wait for time to pass far more than they compute."""

import os
import queue
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.crash.nursery import nursery
from tests.crash.stage import Case, Stage
from tests.crash.stories import Story

STAGES = int(os.environ.get("ML_CONNECTOR_CRASH_STAGES", "6"))


class Theatre:
    """Plays the selected stories on a few stages at once; a test waits for the ending of its own."""

    def __init__(self, url: URL, home: Path, selected: list[Story]) -> None:
        self._home = home
        self._stages: queue.Queue[Stage] = queue.Queue()
        self._made: list[Stage] = []
        for number in range(min(STAGES, len(selected))):
            place = home / f"stage-{number}"
            place.mkdir()
            self._made.append(Stage(url, TEMPLATE, place, nursery=nursery()))
            self._stages.put(self._made[-1])
        self._pool = ThreadPoolExecutor(max(1, len(self._made)))
        self._endings: dict[str, Future[None]] = {s.name: self._pool.submit(self._play, s) for s in selected}

    def ending(self, story: Story) -> None:
        """Waits for it; raises what went wrong."""
        self._endings[story.name].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for stage in self._made:
            stage.close()

    def _play(self, story: Story) -> None:
        """A story that does not come to its end is told once more, for a machine may stand still for longer than the
        short times of a sandbox allow. One that has booked something twice is not: that is never the machine."""
        stage = self._stages.get()
        began = time.monotonic()
        try:
            try:
                self._tell(story, stage)
            except Doubled:
                raise
            except Exception as wrong:  # noqa: BLE001 - raised where it happens again
                AGAIN[story.name] = str(wrong).partition("\n")[0]
                self._tell(story, stage)
        finally:
            TOLD[story.name] = time.monotonic() - began
            self._stages.put(stage)

    def _tell(self, story: Story, stage: Stage) -> None:
        home = Path(tempfile.mkdtemp(prefix=f"{story.name.replace('/', '_')[:40]}-", dir=self._home))
        case = Case(stage, home)
        try:
            story.play(case)
        except Exception as wrong:
            if doubled := case.doubled():
                raise Doubled("\n".join(doubled)) from wrong
            raise
        finally:
            case.close()


class Doubled(AssertionError):
    """A document is in the ERP more than once."""


TOLD: dict[str, float] = {}
"""Stories that have ended, with the seconds that each took on its stage."""
AGAIN: dict[str, str] = {}
"""Stories that were told once more, with what went wrong at first."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not TOLD:
        return
    slowest = sorted(TOLD, key=TOLD.__getitem__, reverse=True)[:10]
    terminalreporter.section("crash stories")
    terminalreporter.line(f"{len(TOLD)} stories on {STAGES} stages, {sum(TOLD.values()):.0f} s in all; the slowest:")
    for name in slowest:
        terminalreporter.line(f"{TOLD[name]:6.1f} s  {name}")
    for name, wrong in AGAIN.items():
        terminalreporter.line(f"told once more: {name}, which at first said: {wrong}")


@pytest.fixture(scope="session")
def theatre(postgres: URL, request: pytest.FixtureRequest) -> Iterator[Theatre]:
    selected: dict[str, Story] = {}
    for item in request.session.items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and isinstance(story := callspec.params.get("story"), Story):
            selected[story.name] = story
    home = Path(tempfile.mkdtemp(prefix="mlc-crash-"))
    theatre = Theatre(postgres, home, list(selected.values()))
    yield theatre
    theatre.close()
    shutil.rmtree(home, ignore_errors=True)
