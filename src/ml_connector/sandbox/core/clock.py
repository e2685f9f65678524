"""The time that a stand-in lives in: wall time, scaled and advanced from outside.

Quotas, retry schedules, token and session expiry read it. The delays of faults do not: those are wall seconds,
because the client on the other side of the wire lives in wall time.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """Virtual time. It starts at wall time and runs at ``scale`` virtual seconds a wall second."""

    def __init__(self) -> None:
        self._scale = 1.0
        self._virtual_base_s = time.time()
        self._wall_base_s = time.monotonic()
        self._changed = asyncio.Event()

    @property
    def scale(self) -> float:
        return self._scale

    def time_s(self) -> float:
        """Virtual seconds since the epoch."""
        return self._virtual_base_s + (time.monotonic() - self._wall_base_s) * self._scale

    def now(self) -> datetime:
        """Virtual time, aware, in UTC."""
        return datetime.fromtimestamp(self.time_s(), UTC)

    def advance(self, seconds: float) -> None:
        """Jump; negative values go back, as after a time correction."""
        self._rebase(self.time_s() + seconds, self._scale)

    def set_scale(self, scale: float) -> None:
        if scale <= 0:
            raise ValueError(f"a clock's scale is above zero, got {scale}")
        self._rebase(self.time_s(), scale)

    def set_now(self, moment: datetime) -> None:
        self._rebase(moment.timestamp(), self._scale)

    async def sleep(self, seconds: float) -> None:
        """Wait virtual seconds; a jump or a new scale takes effect at once."""
        deadline_s = self.time_s() + seconds
        while (left_s := deadline_s - self.time_s()) > 0:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), left_s / self._scale)
            except TimeoutError:
                continue

    def _rebase(self, virtual_s: float, scale: float) -> None:
        self._virtual_base_s, self._wall_base_s, self._scale = virtual_s, time.monotonic(), scale
        self._changed.set()
        self._changed = asyncio.Event()
