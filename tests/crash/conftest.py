"""Stories are told side by side, each on a stage of its own: they wait for time to pass far more than they compute."""

import os
import queue
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.crash.stage import Case, Stage
from tests.crash.stories import Story

STAGES = int(os.environ.get("ML_CONNECTOR_CRASH_STAGES", "4"))


class Theatre:
    """Plays the selected stories on a few stages at once; a test waits for the ending of its own."""

    def __init__(self, url: URL, home: Path, selected: list[Story]) -> None:
        self._home = home
        self._stages: queue.Queue[Stage] = queue.Queue()
        self._made: list[Stage] = []
        for number in range(min(STAGES, len(selected))):
            place = home / f"stage-{number}"
            place.mkdir()
            self._made.append(Stage(url, TEMPLATE, place))
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
        stage = self._stages.get()
        home = Path(tempfile.mkdtemp(prefix=f"{story.name.replace('/', '_')[:40]}-", dir=self._home))
        try:
            case = Case(stage, home)
            try:
                story.play(case)
            finally:
                case.close()
        finally:
            self._stages.put(stage)


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
