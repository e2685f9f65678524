"""What the demo starts, it ends: on Ctrl-C, on SIGTERM, and when its terminal is closed. What dies, it starts again.

Its children have process groups of their own, so that a signal of the terminal comes to the demo alone, which ends them
in order.
"""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import Output

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_S = 30.0
SOON_S = 10.0
"""A process that has lived for less has not worked."""

AT_MOST = 3
"""Times in a row that a process may end soon, before the demo gives up."""

DEATHS: Mapping[int, str] = {
    signal.SIGALRM: "it stood still for seconds while a document was on its way, as on a very busy machine",
    signal.SIGKILL: "something killed it; perhaps there was too little memory",
}


@dataclass(slots=True)
class Stop:
    """Whether somebody asked for the end, and by which signal. `watched`: tasks that must not end by themselves."""

    by: signal.Signals | None = None
    watched: list["asyncio.Task[None]"] = field(default_factory=list["asyncio.Task[None]"])
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int:
        """As a shell tells it."""
        return 128 + (self.by or 0)

    @contextmanager
    def on_signals(self) -> Generator[None]:
        """Within the block a signal asks for the end, however often it comes: what runs is ended in order. A terminal
        that `nohup` keeps away stays away."""
        loop = asyncio.get_running_loop()
        heard = [each for each in SIGNALS if not (each == signal.SIGHUP and signal.getsignal(each) == signal.SIG_IGN)]
        for number in heard:
            loop.add_signal_handler(number, self._ask, number)
        try:
            yield
        finally:
            for number in heard:
                loop.remove_signal_handler(number)

    def _ask(self, number: signal.Signals) -> None:
        self.by = self.by or number
        self._asked.set()

    async def or_done(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; None where the end was asked for first. Raises what `work` or a watched task raises."""
        working, asked = asyncio.ensure_future(work), asyncio.ensure_future(self._asked.wait())
        try:
            while not working.done() and not asked.done():
                await asyncio.wait({working, asked, *self.watched}, return_when=asyncio.FIRST_COMPLETED, timeout=1.0)
                for each in self.watched:
                    if each.done():
                        each.result()
            return working.result() if working.done() else None
        finally:
            for each in (working, asked):
                each.cancel()
            await asyncio.gather(working, asked, return_exceptions=True)


def program() -> list[str]:
    return [sys.executable, "-m", "ml_connector.cli.main"]


async def said_by(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Standard output of one command of ours. Raises `CliError` with what it said where it failed."""
    process = await asyncio.create_subprocess_exec(
        *program(), *arguments,
        env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
    )  # fmt: skip
    try:
        said, problems = await process.communicate()
    finally:
        await end(process)
    if process.returncode not in (Exit.FINE, Exit.FOUND):
        raise CliError(f"`ml-connector {' '.join(arguments)}` ended with {process.returncode}: {problems.decode()}")
    return said.decode()


async def keep(out: Output, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Runs a process of ours until cancelled, as a service manager would: one that ends is started again, and it is
    said why. Raises `CliError` where it ends again and again."""
    soon = 0
    while True:
        started = time.monotonic()
        with log.open("ab") as words:
            process = await asyncio.create_subprocess_exec(
                *program(), *arguments, env=dict(environment), stdout=words, stderr=words, process_group=0
            )
        try:
            status = await process.wait()
        finally:
            await end(process)
        soon = soon + 1 if time.monotonic() - started < SOON_S else 0
        if soon >= AT_MOST:
            raise CliError(f"the {name} does not stay up: {_why(status)}.\n{_last_words(log)}", Exit.FOUND)
        out.say(f"The {name} has ended: {_why(status)}. It is started again; nothing is lost by that.", style="yellow")


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL where that is not enough."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


async def ended(task: "asyncio.Task[None]") -> None:
    """Cancels a task and waits for its end, whatever that is."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _why(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    return DEATHS.get(-status, f"ended by {signal.Signals(-status).name}")


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip()
