"""The sandbox as a child process, for the demo, the benches and the tests: start it, learn its addresses, stop it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

START_TIMEOUT_S = 120.0  # seconds of work on an idle machine; on a busy one they take longer


@dataclass(frozen=True)
class Announced:
    """One stand-in as the child announced it."""

    base_url: str
    control_url: str
    credentials: Mapping[str, Any]
    token_url: str | None = None
    ca_file: str | None = None
    known: Mapping[str, str] = field(default_factory=dict[str, str])


class SandboxProcess:
    """A running sandbox; a context manager.

    Raises ``RuntimeError`` with the child's own words when it does not start.
    """

    def __init__(self, systems: Sequence[str], *, options: Sequence[str] = (), log: Path | None = None) -> None:
        command = [sys.executable, "-m", "ml_connector.sandbox", *systems, "--json", *options]
        self._log = None if log is None else log.open("ab")
        # A group of its own: Ctrl-C at the terminal is for who started it, who may still want to count its state.
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=subprocess.PIPE, stderr=self._log or subprocess.PIPE, process_group=0
        )
        announced = self._first_line()
        self.pid: int = announced["pid"]
        self.systems: dict[str, Announced] = {name: Announced(**told) for name, told in announced["systems"].items()}

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, timeout_s: float = 10.0) -> int:
        """SIGTERM, then SIGKILL after the time-out; the exit status."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._child.kill()
        for stream in (self._child.stdout, self._child.stderr, self._log):
            if stream is not None:
                stream.close()
        return self._child.wait()

    def _first_line(self) -> dict[str, Any]:
        stdout = self._child.stdout
        if stdout is None:
            raise RuntimeError("the sandbox was started without a pipe")
        ready, _, _ = select.select([stdout], [], [], START_TIMEOUT_S)
        line = stdout.readline() if ready else b""
        if not line:
            self._child.kill()
            told = self._child.stderr.read().decode() if self._child.stderr else "see its log"
            raise RuntimeError(f"the sandbox did not start: {told}")
        return json.loads(line)
