"""What a person sees while it runs: a bar on a terminal, a line now and then elsewhere. On standard error, so that
the last line of standard output is the verdict."""

import sys
import time
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the run is. `phase` in a word or two."""

    phase: str
    orders: int
    placed: int
    finished: int
    kills: int
    stops: int
    open_recoveries: int

    @property
    def words(self) -> str:
        return (
            f"{self.phase}: {self.placed} placed, {self.finished} finished, {self.kills} kills, {self.stops} stops, "
            f"{self.open_recoveries} recovering"
        )


class Show:
    """A context manager; `tell` as often as you like."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._progress: Progress | None = None
        self._started = time.monotonic()
        self._told = float("-inf")

    def __enter__(self) -> "Show":
        if self._console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._console)
            self._progress.start()
            self._progress.add_task("starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(f"[dim]{time.monotonic() - self._started:6.1f} s[/]  {text}")

    def tell(self, standing: Standing) -> None:
        """Where the run is now."""
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(task, total=standing.orders, completed=standing.finished, description=standing.words)
        elif time.monotonic() - self._told >= LINE_EVERY_S:
            self._told = time.monotonic()
            self.say(standing.words)
