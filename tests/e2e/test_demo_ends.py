"""Whatever ends the demo, nothing of it is left: no process, no server, no data."""

import os
import pty
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from ml_connector.engine.embedded import DEFAULT_DIRECTORY, EmbeddedPostgres
from tests.crash.processes import PROGRAM

pytestmark = pytest.mark.timeout(900)
T = TypeVar("T")
PATIENCE_S = 240.0
PARTS = ("ml_connector.sandbox", "serve", "worker")


class Running:
    """A demo at a terminal of its own, whose other end is ours."""

    def __init__(self, home: Path) -> None:
        self.data = home / "data"
        self._ours, theirs = pty.openpty()
        given = {name: value for name, value in os.environ.items() if not name.startswith("ML_CONNECTOR_")}
        given |= {"ML_CONNECTOR_DATA": str(self.data)}
        self.process = subprocess.Popen(
            [*PROGRAM, "demo", "--once"], env=given, preexec_fn=lambda: os.login_tty(theirs), pass_fds=(theirs,)
        )
        os.close(theirs)
        self._seen: set[psutil.Process] = set()

    def parts(self) -> dict[str, psutil.Process]:
        """Its processes by name, and PostgreSQL, which is nobody's child."""
        found: dict[str, psutil.Process] = {}
        for place in self.data.glob("demo-*"):
            if (pid := EmbeddedPostgres(place / DEFAULT_DIRECTORY.name).pid()) is not None:
                found["postgres"] = psutil.Process(pid)
        for child in psutil.Process(self.process.pid).children(recursive=True):
            found |= {name: child for name in PARTS if name in _command_of(child)}
        self._seen.update(found.values())
        return found

    def all_parts(self) -> dict[str, psutil.Process]:
        """As soon as there are all of them."""

        def all_of_them() -> dict[str, psutil.Process] | None:
            assert self.process.poll() is None, f"the demo has ended: {os.read(self._ours, 65536).decode()}"
            return found if len(found := self.parts()) == len(PARTS) + 1 else None

        return _until(all_of_them)

    def close_terminal(self) -> None:
        os.close(self._ours)
        self._ours = -1

    def end(self) -> None:
        """Kills whatever is left of it: of one that does not end what it started, too."""
        self.process.kill()
        for process in filter(_runs, self._seen):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(60)
        if self._ours >= 0:
            self.close_terminal()


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return []


def _runs(process: psutil.Process) -> bool:
    """Not what only waits for somebody who asks how it ended: PostgreSQL is nobody's child."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(found: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while (told := found()) is None:
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.2)
    return told


@pytest.fixture
def demo() -> Iterator[Running]:
    home = Path(tempfile.mkdtemp(prefix="mlc-demo-ends-"))
    home.chmod(0o711)  # the embedded PostgreSQL may run as another user, who must be able to pass
    running = Running(home)
    yield running
    running.end()
    shutil.rmtree(home, ignore_errors=True)


def _nothing_is_left(demo: Running, parts: Mapping[str, psutil.Process]) -> None:
    assert [name for name, process in parts.items() if _runs(process)] == []
    assert list(demo.data.iterdir()) == []


def test_a_service_manager_ends_it(demo: Running) -> None:
    parts = demo.all_parts()
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    _nothing_is_left(demo, parts)


def test_its_terminal_is_closed(demo: Running) -> None:
    parts = demo.all_parts()
    demo.close_terminal()
    assert demo.process.wait(PATIENCE_S) == 128 + signal.SIGHUP
    _nothing_is_left(demo, parts)


def test_a_worker_that_died_is_started_again_and_ctrl_c_ends_all(demo: Running) -> None:
    before = demo.all_parts()
    before["worker"].send_signal(signal.SIGALRM)  # as the watchdog does to one that stood still
    _until(lambda: None if _runs(before["worker"]) else True)
    after = demo.all_parts()
    assert {name: process.pid for name, process in after.items() if process != before[name]}.keys() == {"worker"}
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(PATIENCE_S) == 128 + signal.SIGINT
    _nothing_is_left(demo, after)
