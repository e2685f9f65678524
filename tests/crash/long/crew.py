"""The workers: struck at points and moments that the seed draws, continued after a stop, replaced when gone."""

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.crash.long.plan import FIRST, LEASE_S, WORKERS, Strike, allowed, next_strike
from tests.crash.long.recovery import Recovery
from tests.crash.long.scene import WORKER, LongCase
from tests.crash.processes import Process

MOMENT = "a random moment"
AFTER_ALL = (LEASE_S + 1.0, "the lease")
"""A worker that was stopped at a random moment passes the point of its own rule after all."""
INTAKE_LIVES = 10
"""The webhook intake is killed once for so many strikes at workers."""


@dataclass(slots=True)
class Life:
    """One worker. `strike` None: it is left in peace. `until`: when its life is over; None before it has begun to work
    (a busy machine takes long to start a process). `continue_at`: it stands still until then."""

    process: Process
    strike: Strike | None
    until: float | None = None
    continue_at: float | None = None
    struck: bool = False


@dataclass(slots=True)
class Crew:
    """`peace()` ends the strikes; what stands still then is continued in its time."""

    case: LongCase
    recovery: Recovery
    draw: random.Random
    kills: Counter[str] = field(default_factory=Counter[str])
    stops: Counter[str] = field(default_factory=Counter[str])
    past: Counter[str] = field(default_factory=Counter[str])
    alarms: int = 0
    """Stopped processes that the watchdog ended when they went on."""
    ended: list[str] = field(default_factory=list[str])
    """Last words of workers that ended by themselves: loud, and replaced."""
    intake_kills: int = 0
    _lives: list[Life] = field(default_factory=list[Life])
    _born: int = 0
    _at_war: bool = True
    _intake: Process | None = None

    @property
    def strikes(self) -> int:
        return self.kills.total() + self.stops.total()

    @property
    def running(self) -> int:
        return sum(life.process.running for life in self._lives)

    def peace(self) -> None:
        self._at_war = False

    def tick(self, finished: int) -> None:
        """Strikes, continues, replaces; does not wait. `finished`: orders so far."""
        self._look_after_intake()
        for life in list(self._lives):
            if not life.process.running:
                self._gone(life)
                self._lives.remove(life)
            elif life.continue_at is not None:
                if time.time() >= life.continue_at:
                    life.continue_at = None
                    os.kill(life.process.pid, signal.SIGCONT)
            elif _stands_still(life.process):
                self._stopped(life, life.process.reached()[-1])
            elif life.strike is not None and self._at_war:
                if life.until is None and "worker.started" in life.process.said():
                    life.until = time.time() + life.strike.life_s
                elif life.until is not None and time.time() >= life.until and self.strikes < allowed(finished):
                    self._strike_now(life, life.strike)
        while len(self._lives) < WORKERS:
            self._lives.append(self._new())

    def close(self) -> None:
        """For the end of a run, whatever they are doing."""
        for process in [*(life.process for life in self._lives), *([self._intake] if self._intake else [])]:
            process.kill()

    # -------------------------------------------------------------- births and deaths

    def _new(self) -> Life:
        strike = None
        if self._at_war:
            strike = FIRST[self._born] if self._born < len(FIRST) else next_strike(self.draw)
        self._born += 1
        quiet = () if strike is None or strike.watchdog else ("--no-watchdog",)
        process = self.case.start(*WORKER, *quiet, crash_at=strike.rule if strike else "")
        return Life(process, strike)

    def _gone(self, life: Life) -> None:
        status = life.process.status
        if status == -signal.SIGKILL and not life.struck:
            self._killed(life, life.process.reached()[-1], life.process.reached_at())
        elif status == -signal.SIGALRM and life.struck:
            self.alarms += 1
        elif status != -signal.SIGKILL:
            self.ended.append(f"status {status}: {life.process.said()}")

    def _strike_now(self, life: Life, strike: Strike) -> None:
        """A random moment: the point of its rule was not passed in time, or it has none."""
        if strike.stop_s is None:
            os.kill(life.process.pid, signal.SIGKILL)
            self._killed(life, MOMENT, time.time())
        else:
            os.kill(life.process.pid, signal.SIGSTOP)
            self._stopped(life, MOMENT)

    def _killed(self, life: Life, where: str, at: float) -> None:
        life.struck = True
        self.kills[where] += 1
        self.recovery.struck(life.process.pid, at)

    def _stopped(self, life: Life, where: str) -> None:
        at = time.time()
        stop_s, past = AFTER_ALL if life.strike is None or life.strike.stop_s is None else (
            life.strike.stop_s, life.strike.past
        )  # fmt: skip
        life.struck, life.continue_at = True, at + stop_s
        self.stops[where] += 1
        self.past[past] += 1
        self.recovery.struck(life.process.pid, at)
        # What survives the stop is struck again later, somewhere else.
        life.strike = replace(next_strike(self.draw), point="", nth=0)
        life.until = life.continue_at + life.strike.life_s

    # -------------------------------------------------------------- the webhook intake

    def _look_after_intake(self) -> None:
        if self._intake is not None and not self._intake.running:
            self._intake = None
        elif self._intake is not None and self._at_war and self.strikes >= INTAKE_LIVES * (self.intake_kills + 1):
            self._intake.kill()
            self._intake = None
            self.intake_kills += 1
        if self._intake is None:
            self._intake = self.case.serve()


def _stands_still(process: Process) -> bool:
    try:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return False
