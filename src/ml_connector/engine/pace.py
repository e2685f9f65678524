"""How fast one connection may be called: the arithmetic, without clock, database or waiting.

Four brakes, the strongest counts. A pause, because the system asked for one. The quota, from the system's own
figures: as it runs low the calls are spread over the time until it is renewed, catalogue before orders, and a part of
it is kept for orders. A rate, halved by every throttle that came without figures and growing slowly since. A ceiling
of calls in a minute, where the system has one that it does not tell.

Times are seconds of any clock that does not step.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from ml_connector.connectors.base import Priority, Quota

PAUSE_MAX_S = 3600.0
"""However long a system asks to wait, it is asked again after an hour."""

SILENT_PAUSE_S = 1.0
RATE_MIN = 0.1
_WINDOW_S = 10.0
_SAME_WINDOW_S = 0.5
_FORGET = 4.0
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """Parts of the quota: calls are spread out once less than `spread` is left; `reserve` is left to others."""

    spread: float
    reserve: float


SHARES: Final[dict[Priority, Share]] = {
    "orders": Share(spread=0.2, reserve=0.0),
    "catalogue": Share(spread=0.5, reserve=0.25),
    "background": Share(spread=0.75, reserve=0.5),
}


@dataclass(frozen=True, slots=True)
class Rate:
    """`base` calls a second at `at`; grows so that it is twice as fast after a minute."""

    base: float
    at: float

    def now(self, now: float) -> float:
        return self.base + max(self.base / 60, 0.02) * max(0.0, now - self.at)

    def over(self, now: float) -> bool:
        """Grown to so much more than what was refused that it no longer says anything."""
        return self.now(now) > _FORGET * self.base


class Pace:
    """The pace of this process. `share`: its part of the connection's calls, more than 0 and at most 1."""

    def __init__(self) -> None:
        self.share = 1.0
        self.paused_until = float("-inf")
        self.rate: Rate | None = None
        self.per_minute: int | None = None
        self.quota: Quota | None = None
        self._left = 0
        self._reset_at = float("-inf")
        self._starts: deque[float] = deque(maxlen=_REMEMBERED)

    # ------------------------------------------------------------------ what happens

    def started(self, now: float) -> None:
        """A call starts."""
        self._starts.append(now)
        self._left -= 1

    def observe(self, quota: Quota, now: float, *, in_flight: int = 0) -> None:
        """An answer's own figures; `in_flight` calls may not be in them yet."""
        left = quota.left - in_flight
        if now < self._reset_at and now + quota.reset_s <= self._reset_at + _SAME_WINDOW_S:
            left = min(left, self._left)  # answers of one window overtake each other
        self.quota = quota
        self._left = left
        self._reset_at = now + quota.reset_s

    def pause(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)

    # ------------------------------------------------------------------ what follows

    def delay(self, priority: Priority, now: float) -> float:
        """Seconds until a call of that priority may start; 0: now."""
        at = max(
            self.paused_until, self._rate_allows(now), self._ceiling_allows(now), self._quota_allows(priority, now)
        )
        return max(0.0, at - now)

    def speed(self, now: float) -> float:
        """Calls a second that the connection gets at present, seen from this process's share of them."""
        recent = [start for start in self._starts if start > now - _WINDOW_S]
        if not recent:
            return RATE_MIN
        return len(recent) / max(1.0, now - recent[0]) / self.share

    def halved(self, now: float) -> float:
        """The rate after a throttle: half of what was allowed, or of what was really done if that is less."""
        speed = self.speed(now)
        allowed = self.rate.now(now) if self.rate is not None else speed
        return max(RATE_MIN, min(allowed, speed) / 2)

    @property
    def _last(self) -> float:
        return self._starts[-1] if self._starts else float("-inf")

    def _rate_allows(self, now: float) -> float:
        if self.rate is not None and self.rate.over(now):
            self.rate = None
        return now if self.rate is None else self._last + 1 / (self.rate.now(now) * self.share)

    def _ceiling_allows(self, now: float) -> float:
        """Never more than this process's share of the declared limit within any minute."""
        if self.per_minute is None:
            return now
        calls = max(1, int(self.per_minute * self.share))
        if calls > _REMEMBERED:
            return self._last + 60 / calls
        return self._starts[-calls] + 60 if len(self._starts) >= calls else now

    def _quota_allows(self, priority: Priority, now: float) -> float:
        if self.quota is None or now >= self._reset_at:
            return now
        share = SHARES[priority]
        if self._left >= share.spread * self.quota.limit:
            return now
        usable = self._left - share.reserve * self.quota.limit
        if usable < 1:
            return self._reset_at
        return self._last + (self._reset_at - now) / usable / self.share
