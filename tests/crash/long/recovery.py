"""How long it takes until the work of a struck process is done by somebody else."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.crash.long.scene import LongCase

_LOOK_EVERY_S = 0.5


@dataclass(slots=True)
class Wound:
    """What a process had in its hands when it was struck. `at`: seconds of the epoch."""

    at: float
    tokens: list[int]
    flows: list[str]
    keys: list[str]


@dataclass(slots=True)
class Recovery:
    """From the strike to the moment when every record that the process had is finished, by whomever; seconds, looked
    at twice a second. A process that had nothing in its hands does not count."""

    case: LongCase
    times_s: list[float] = field(default_factory=list[float])
    idle: int = 0
    _open: list[Wound] = field(default_factory=list[Wound])
    _looked: float = 0.0

    def struck(self, pid: int, at: float) -> None:
        rows = self.case.query(
            "SELECT r.token, r.flow, k.key FROM runs r, unnest(r.keys) AS k(key)"
            " WHERE split_part(r.worker, ':', 2) = %(pid)s AND r.flow IN ('orders', 'customers')",
            {"pid": str(pid)},
        )
        self._note(at, rows)

    def server_killed(self, at: float) -> None:
        """Everything that was under way counts."""
        rows = self.case.query(
            "SELECT r.token, r.flow, k.key FROM runs r, unnest(r.keys) AS k(key)"
            " WHERE r.flow IN ('orders', 'customers')"
        )
        self._note(at, rows)

    def look(self) -> None:
        """Closes what is healed."""
        if time.monotonic() - self._looked < _LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        still: list[Wound] = []
        for wound in self._open:
            if self._healed(wound):
                self.times_s.append(time.time() - wound.at)
            else:
                still.append(wound)
        self._open = still

    @property
    def open(self) -> int:
        return len(self._open)

    def figures(self) -> dict[str, float | int]:
        """Median, 95th percentile and worst, in seconds; `of`: how many."""
        return {"of": len(self.times_s), **{name: round(value, 1) for name, value in _spread(self.times_s).items()}}

    def _note(self, at: float, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            self.idle += 1
            return
        self._open.append(
            Wound(at, sorted({row["token"] for row in rows}), [r["flow"] for r in rows], [r["key"] for r in rows])
        )

    def _healed(self, wound: Wound) -> bool:
        [row] = self.case.query(
            "SELECT count(*)::int AS n FROM unnest(%(flows)s::text[], %(keys)s::text[]) AS w(flow, key)"
            " JOIN records r USING (flow, key)"
            " WHERE r.token = ANY(%(tokens)s) OR (r.status NOT IN ('held', 'dead')"
            "   AND (r.done_at IS NULL OR r.done_at < to_timestamp(%(at)s)))",
            {"flows": wound.flows, "keys": wound.keys, "tokens": wound.tokens, "at": wound.at},
        )
        return row["n"] == 0


def _spread(times_s: Sequence[float]) -> dict[str, float]:
    if not times_s:
        return {"median_s": 0.0, "p95_s": 0.0, "worst_s": 0.0}
    ordered = sorted(times_s)
    return {
        "median_s": statistics.median(ordered),
        "p95_s": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "worst_s": ordered[-1],
    }
