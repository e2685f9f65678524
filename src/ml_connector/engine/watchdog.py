"""Makes P true for a process that was stopped: it dies before it runs its next instruction.

A worker that is paused (SIGSTOP, a frozen machine) between the commit of `sending` and its first byte would wake up
after another worker has proved absence and posted. While a posting is `sending`, a real-time interval timer with its
default action runs, shorter than P, and the event loop re-arms it: a process that could not run its loop for that
long is ended by the kernel. What is left over is a virtual machine frozen with its clock; only a guard in the target
closes that (`docs/exactly-once.md`, 3.1).
"""

import asyncio
import signal

SHORTEST_P_S = 2.0
"""A shorter P would kill healthy workers on a busy machine."""

_PART_OF_P = 0.75
_REARMS = 6


class Watchdog:
    """One per process, for it owns ITIMER_REAL. Several sends may be armed at once; the shortest P counts.

    `enabled` false switches it off (settings; processes whose SIGALRM belongs to somebody else). The check of P and
    the compare-and-set then carry the guarantee alone.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._armed = 0
        self._timer_s = 0.0
        self._next: asyncio.TimerHandle | None = None

    @property
    def armed(self) -> bool:
        return self._armed > 0

    def arm(self, p_s: float) -> None:
        """From now until `disarm`, this process dies if its event loop stands still for three quarters of `p_s`."""
        if not self._enabled:
            return
        if p_s < SHORTEST_P_S:
            raise ValueError(f"P is {p_s:g} s; with the watchdog on it must be {SHORTEST_P_S:g} s at least")
        timer_s = p_s * _PART_OF_P
        self._timer_s = min(self._timer_s, timer_s) if self._armed else timer_s
        self._armed += 1
        self._rearm()

    def disarm(self) -> None:
        """One send is over. The timer stops with the last one."""
        if not self._enabled or not self._armed:
            return
        self._armed -= 1
        if not self._armed:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _rearm(self) -> None:
        if self._next is not None:
            self._next.cancel()
        signal.setitimer(signal.ITIMER_REAL, self._timer_s)
        self._next = asyncio.get_running_loop().call_later(self._timer_s / _REARMS, self._rearm)
