"""Scenarios are played on a few worlds at once: they wait far more than they compute."""

import os
import queue
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import TEMPLATE
from tests.scenarios.playing import GROUPS, Play, Scenario, Town, play_together

WORLDS = int(os.environ.get("ML_CONNECTOR_SCENARIO_WORLDS", "3"))


class Theatre:
    """Plays the selected scenarios; a test waits for the ending of its own."""

    def __init__(self, url: URL, home: Path, selected: list[Scenario]) -> None:
        self._url, self._home = url, home
        self._worlds: queue.Queue[Town | None] = queue.Queue()
        self._made: list[Town] = []
        for _ in range(WORLDS):
            self._worlds.put(None)  # made by who needs it first
        self._pool = ThreadPoolExecutor(WORLDS)
        self._endings: dict[str, Future[Mapping[str, Exception | None]]] = {}
        for group in GROUPS:  # the longest first
            if told := [scenario for scenario in selected if scenario.group == group]:
                ending = self._submit(lambda play, g=group, t=told: play_together(play, g, t))
                self._endings |= {scenario.name: ending for scenario in told} | {group: ending}
        for scenario in selected:
            if not scenario.group:
                self._endings[scenario.name] = self._submit(lambda play, s=scenario: s.told(play) or {})

    def ending(self, name: str) -> None:
        """Waits for it; raises what went wrong."""
        if name in self._endings and (wrong := self._endings[name].result().get(name)):
            raise wrong

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for world in self._made:
            world.close()

    def _submit(self, told: Callable[[Play], Mapping[str, Exception | None]]) -> Future[Mapping[str, Exception | None]]:
        return self._pool.submit(self._play, told)

    def _play(self, told: Callable[[Play], Mapping[str, Exception | None]]) -> Mapping[str, Exception | None]:
        world = self._worlds.get()
        try:
            if world is None:
                world = Town(self._url, TEMPLATE, Path(tempfile.mkdtemp(prefix="world-", dir=self._home)))
                self._made.append(world)
            ending = self._tell(told, world)
            return self._tell(told, world, last=True) or {} if ending is None else ending
        finally:
            self._worlds.put(world)

    def _tell(
        self, told: Callable[[Play], Mapping[str, Exception | None]], world: Town, *, last: bool = False
    ) -> Mapping[str, Exception | None] | None:
        """None: it went wrong, for a machine may stand still for too long, and is told once more. What has booked
        something twice is not: that is never the machine."""
        play = Play(world, Path(tempfile.mkdtemp(prefix="play-", dir=self._home)))
        try:
            ending = told(play)
        except Exception:
            if last or play.doubled():
                raise
            return None
        else:
            return None if any(ending.values()) and not last and not play.doubled() else ending
        finally:
            play.close()


@pytest.fixture(scope="session")
def theatre(postgres: URL, request: pytest.FixtureRequest) -> Iterator[Theatre]:
    selected: dict[str, Scenario] = {}
    for item in request.session.items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and isinstance(scenario := callspec.params.get("scenario"), Scenario):
            selected[scenario.name] = scenario
    home = Path(tempfile.mkdtemp(prefix="mlc-scenarios-"))
    home.chmod(0o711)
    theatre = Theatre(postgres, home, list(selected.values()))
    yield theatre
    theatre.close()
    shutil.rmtree(home, ignore_errors=True)
