"""Processes without the wait for their imports: one process has loaded the program, and forks a child per command.

A child is a process of its own, as one that was started by hand: own PID, own log, own connections, own crash rules; it
is killed and stopped from outside and its wait status is what the kernel says. It only saves a second or two of
imports, of which the suite would pay a thousand. `ML_CONNECTOR_CRASH_FRESH=1` starts an interpreter each.
"""

import contextlib
import gc
import importlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from ml_connector.cli.main import COMMANDS
from ml_connector.connectors.systems import systems

FRESH = bool(os.environ.get("ML_CONNECTOR_CRASH_FRESH"))
"""Every process is started by itself, not forked from one that has loaded the program."""


@cache
def nursery() -> "Nursery | None":
    """The one of this session of tests, made when it is first asked for; None: every process is started by itself."""
    return None if FRESH else Nursery()


class Born:
    """A child of the nursery, with the part of `subprocess.Popen` that a `Process` uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired([str(self.pid)], timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def end(self, returncode: int) -> None:
        self.returncode = returncode
        self._ended.set()


class Nursery:
    """May be used by several threads. When it closes, or its owner dies, its children are killed."""

    def __init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        self._asking = threading.Lock()
        self._answered = threading.Condition()
        self._newborn: Born | None = None
        self._children: dict[int, Born] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, problems: Path | None = None
    ) -> Born:
        """Runs a command of ours. Its output goes to `log`, and so do its errors unless they go to `problems`."""
        outputs = [str(log), str(problems or log)]
        request = {"arguments": [*arguments], "environment": {**environment}, "outputs": outputs}
        with self._asking:
            assert self._mother.stdin is not None
            self._mother.stdin.write(json.dumps(request) + "\n")
            self._mother.stdin.flush()
            with self._answered:
                if not self._answered.wait_for(lambda: self._newborn is not None, 120):
                    raise RuntimeError("the nursery does not answer")
                born, self._newborn = self._newborn, None
        assert born is not None
        return born

    def close(self) -> None:
        assert self._mother.stdin is not None
        self._mother.stdin.close()
        self._mother.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._mother.stdout is not None
        for line in self._mother.stdout:
            told = json.loads(line)
            if "born" in told:
                with self._answered:
                    self._newborn = self._children[told["born"]] = Born(told["born"])
                    self._answered.notify_all()
            else:
                self._children.pop(told["ended"]).end(told["status"])
        for child in self._children.values():  # the mother is gone, and she takes her children with her
            child.end(-signal.SIGKILL)


def _serve() -> None:
    """The mother: a fork per line of the input, a line of output per birth and per death."""
    for command in COMMANDS.values():
        importlib.import_module(f"ml_connector.cli.{command.module}")
    systems()
    gc.collect()
    gc.freeze()  # children share these pages for as long as nobody touches them
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(mouth)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: set[int] = set()
    waiting = b""
    while True:
        ready, _, _ = select.select([0, ear], [], [])
        if ear in ready:
            os.read(ear, 4096)
            _report_ends(children)
        if 0 in ready:
            piece = os.read(0, 1 << 16)
            if not piece:
                break
            *lines, waiting = (waiting + piece).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    _live(json.loads(line), [ear, mouth])
                children.add(pid)
                _say({"born": pid})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _report_ends(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        children.discard(pid)
        _say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _say(told: Mapping[str, Any]) -> None:
    os.write(1, (json.dumps(told) + "\n").encode())


def _live(request: Mapping[str, Any], inherited: Sequence[int]) -> NoReturn:
    """In the child: as if it had been started by itself."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        for fd in inherited:
            os.close(fd)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for target, output in enumerate(request["outputs"], start=1):
            os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), target)
        os.environ.clear()
        os.environ.update(request["environment"])
        random.seed()
        importlib.reload(importlib.import_module("ml_connector.engine.crash"))  # reads its rules when it is loaded
        importlib.import_module("ml_connector.cli.main").main(request["arguments"])
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter does at its end
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
