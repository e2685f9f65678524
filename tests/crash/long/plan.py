"""What is going to happen, drawn from the seed: how each worker ends, which calls go wrong, how long a stop lasts.

The seed decides what is tried. Where the processes are by then is up to the machine, so a second run with the same
seed meets other moments.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ml_connector.connectors.base import Timing

TIMING = Timing(p_s=3.0, t_s=2.0, l_s=2.0, v_s=1.0, s_s=0.0)
"""Longer than in the stories: a busy machine must not hold up the sandbox past T + L, which would break the ERP's
promise and prove nothing about us."""
LOOKUP_LAG_S = 0.4  # below V
LEASE_S = 3.0
WORKERS = 3

At = Literal["often", "sometimes"]

# Where a worker can be struck, and how often it comes by. Left out: points of `serve` and `config apply`, and those
# that only a refusal of the ERP leads to; the stories strike there.
POINTS: Mapping[str, At] = {
    **dict.fromkeys(
        ("claim.commit.b", "claim.commit.a", "source.read.a", "plan.a", "posting.planned.b", "posting.planned.a",
         "look_up.a", "sending.commit.b", "sending.commit.a", "batch.cas.a", "send.connected", "send.half_body",
         "send.body_out", "answer.read", "posted.commit.b", "batch.answer.half", "posted.commit.a", "doc1.posted.a",
         "finish.commit.b", "finish.commit.a"),
        "often",
    ),
    **dict.fromkeys(
        ("resolve.look_up.b", "resolve.look_up.a", "resolve.commit.b", "resolve.commit.a", "uncertain.commit.b",
         "uncertain.commit.a", "unsent.commit.b", "unsent.commit.a", "reversal.posted.a", "count.b", "count.a",
         "login.a", "session.store.b", "renew.b", "sweep.commit.b", "sweep.commit.a", "watermark.commit.b",
         "watermark.commit.a", "fail.commit.b"),
        "sometimes",
    ),
}  # fmt: skip
_NTH = {"often": (3, 24), "sometimes": (1, 3)}


@dataclass(frozen=True, slots=True)
class Strike:
    """How a worker is struck: at the `nth` passing of `point`, or where it happens to be once it has lived `life_s`.

    `stop_s`: how long it stands still, None for a kill. `past`: what it stood still for, in words.
    """

    point: str
    nth: int
    life_s: float
    stop_s: float | None = None
    past: str = ""
    watchdog: bool = True

    @property
    def rule(self) -> str:
        """As in `ML_CONNECTOR_CRASH`; empty for a random moment."""
        if not self.point:
            return ""
        return f"{self.point}#{self.nth}:{'kill' if self.stop_s is None else 'stop'}"


FIRST: Sequence[Strike] = (
    Strike("send.body_out", 2, 20.0),
    Strike("posted.commit.b", 1, 20.0, LEASE_S + 1.0, "the lease", watchdog=False),
)
"""How the first workers end, whatever the seed: one kill and one stop with documents under way."""


def allowed(finished: int) -> int:
    """Strikes at random moments so far, for so many orders finished: work that dies must come to an end in between,
    for what died runs alone afterwards (R7). Strikes at points come with the work by themselves."""
    return 2 + finished // 25


def next_strike(draw: random.Random) -> Strike:
    life_s = draw.uniform(5.0, 14.0)
    point = draw.choice(list(POINTS)) if draw.random() < 0.7 else ""
    nth = draw.randint(*_NTH[POINTS[point]]) if point else 0
    if draw.random() < 0.6:
        return Strike(point, nth, life_s, watchdog=draw.random() < 0.7)
    watchdog = draw.random() < 0.6
    for past, stop_s, chance in (("the lease", LEASE_S, 0.5), ("P", TIMING.p_s + 1.5, 0.5), ("P and H", TIMING.h_s, 1)):
        if draw.random() < chance:
            return Strike(point, nth, life_s, stop_s + draw.uniform(0.5, 2.0), past, watchdog)
    raise AssertionError("the last chance is 1")


WRITES = "journalentrycreate|A_BusinessPartner"


def faults(system: str) -> list[dict[str, Any]]:
    """5 % of all calls lose their answer, 5 % are throttled, with and without a time to come again; the ERP commits
    some postings late.

    Few of the ERP's throttles are silent: it states no quota, so each of these halves the rate of all workers, which
    takes a minute to come back, as it must. The store states its quota.
    """
    silent: dict[str, Any] = {"rate": 0.025}
    told: dict[str, Any] = {"rate": 0.025}
    reset: dict[str, Any] = {"retry_after": "none", "headers": {"X-Rate-Limit-Time-Reset-Ms": "300"}}
    if system == "erp":
        silent, told, reset = {"rate": 0.01, "times": 5}, {"rate": 0.05}, {"retry_after": 1}
    late = {
        "fault": "late_commit",
        "match": {"method": "POST", "path": WRITES, "rate": 0.01},
        "args": {"commit_after_s": 1.5, "answer_after_s": 0.05},
    }
    return [
        {"fault": "reset_after_commit", "match": {"rate": 0.05}},
        {"fault": "throttle", "match": silent, "args": {"retry_after": "none"}},
        {"fault": "throttle", "match": told, "args": reset},
        *([late] if system == "erp" else []),
    ]


FAULT_WORDS = {
    "reset_after_commit": "response lost",
    "throttle": "throttled",
    "late_commit": "committed late, connection reset",
}
