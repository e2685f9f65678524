"""Our own program as real processes, with a crash point, and the proof of where each one ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ml_connector.engine import crash
from tests.crash.nursery import Born, Nursery

PATIENCE_S = 180.0
PROGRAM = [sys.executable, "-m", "ml_connector.cli.main"]


def until(condition: Callable[[], bool], otherwise: Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Waits for `condition`; after `patience_s` fails with the words of `otherwise`."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience_s:g} s: {otherwise()}")
        time.sleep(0.1)


class Process:
    """One command of ours. `crash_at`: rules as in `ML_CONNECTOR_CRASH`. `nursery`: forked there, which is quicker.
    `through`: a command that becomes ours, e.g. `ip netns exec`."""

    def __init__(
        self,
        name: str,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        home: Path,
        crash_at: str = "",
        *,
        nursery: Nursery | None = None,
        through: tuple[str, ...] = (),
    ) -> None:
        crash.parse(crash_at)  # a rule with a typing error would be a test that cannot fail
        self.name = name
        self._crash_log, self._log = home / f"{name}.crash", home / f"{name}.log"
        given = {**environment, "ML_CONNECTOR_CRASH": crash_at, "ML_CONNECTOR_CRASH_LOG": str(self._crash_log)}
        self._child: subprocess.Popen[bytes] | Born
        if nursery is not None:
            self._child = nursery.start(arguments, given, self._log)
            return
        with self._log.open("ab") as log:
            # A group of its own: Ctrl-C at the terminal is for who started it, and who started it ends it.
            self._child = subprocess.Popen(
                [*through, *PROGRAM, *arguments], env=given, stdout=log, stderr=log, process_group=0
            )

    # -------------------------------------------------------------- how it ended

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    @property
    def status(self) -> int | None:
        """How it ended: the exit status, or minus the signal; None while it runs."""
        return self._child.poll()

    def died_at(self, point: str, by: signal.Signals = signal.SIGKILL) -> None:
        """Waits for the end: by this signal (the wait status says so), at this point (the crash log says so)."""
        self._ended()
        assert self._child.returncode == -by, f"ended with {self._child.returncode}, not by {by.name}: {self.said()}"
        assert self.reached()[-1:] == [point], f"died at {self.reached()}, not at {point}"

    def stopped_at(self, point: str) -> None:
        """Waits until the process stands still (SIGSTOP) at this point."""
        until(lambda: self._stands_still() or not self.running, lambda: f"{self.name} never reached {point}")
        assert self.running, f"ended with {self._child.returncode}: {self.said()}"
        assert self.reached()[-1:] == [point], f"stopped at {self.reached()}, not at {point}"

    def go_on(self) -> None:
        self._child.send_signal(signal.SIGCONT)

    def ended_by(self, by: signal.Signals) -> None:
        self._ended()
        assert self._child.returncode == -by, f"ended with {self._child.returncode}, not by {by.name}: {self.said()}"

    def lives_on(self, seconds: float) -> bool:
        """Whether it still runs after that time."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def finished(self) -> None:
        """Waits for an end with status 0."""
        self._ended()
        assert self._child.returncode == 0, f"ended with {self._child.returncode}: {self.said()}"

    def stop(self) -> None:
        """SIGTERM; must end with status 0, as a worker that hands its work back does."""
        self._child.send_signal(signal.SIGTERM)
        self.finished()

    def kill(self) -> None:
        """For the end of a test, whatever the process is doing."""
        if self.running:
            self._child.kill()
        self._child.wait()

    def reached(self) -> list[str]:
        """Points at which a rule fired, in order."""
        return [line["point"] for line in self._fired()]

    def reached_at(self) -> float:
        """When a rule fired last, in seconds of the epoch."""
        return float(self._fired()[-1]["at"])

    def _fired(self) -> list[dict[str, Any]]:
        if not self._crash_log.exists():
            return []
        lines: list[dict[str, Any]] = [json.loads(line) for line in self._crash_log.read_text().splitlines()]
        assert all(line["pid"] == self._child.pid for line in lines), "another process has written this crash log"
        return lines

    def said(self) -> str:
        """The end of its log, for the message of a failed test."""
        if not self._log.exists():  # a child of the nursery opens it by itself
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])

    def _ended(self) -> None:
        until(lambda: not self.running, lambda: f"{self.name} still runs; reached {self.reached()}: {self.said()}")

    def _stands_still(self) -> bool:
        try:
            state = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        return state == "T" and os.getpid() != self._child.pid
