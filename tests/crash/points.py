"""Which stories are told: the fast cut in `make test`, the whole product of points and faults in `make crash-points`.

`test_every_point_has_its_story` holds both against `crash.POINTS`.
"""

import os
from collections.abc import Iterator

from tests.crash.crossings import CROSSINGS, MEANWHILE, late
from tests.crash.doors import INTAKES, RELEASES, heard, releasing
from tests.crash.servers import moved, recovered, restored, server_killed
from tests.crash.stage import LEASE_S, TIMING
from tests.crash.stories import (
    Story,
    committed,
    crowd,
    early_look,
    killed,
    lost_note,
    stopped,
    stories_of,
    tampered,
    twice,
    unsent,
)
from tests.crash.ways import WAYS, Way

LONG = bool(os.environ.get("ML_CONNECTOR_CRASH_LONG"))

ELSEWHERE: dict[str, str] = {
    "again.commit.b": "of a document in two writes: tests/conformance/test_unfinished.py",
    "again.commit.a": "of a document in two writes: tests/conformance/test_unfinished.py",
    "approve.commit.b": "of a plan that is applied: tests/web/test_plan_page.py",
    "approve.commit.a": "of a plan that is applied: tests/web/test_plan_page.py",
    "tie_out.commit.b": "of the nightly reconciliation: tests/reconcile/test_nightly.py",
    "tie_out.commit.a": "of the nightly reconciliation: tests/reconcile/test_nightly.py",
}
"""Points that no story reaches, each with the reason."""

# ------------------------------------------------------------------ the fast cut

CROSSED = {
    "claim.commit.a": "throttle",
    "plan.a": "stale-look-up",
    "look_up.a": "session-loss",
    "send.connected": "lost-answer",
    "send.half_body": "reset-before",
    "answer.read": "half-answer",
    "posted.commit.a": "late-commit",
    "batch.cas.a": "error-after-commit",
    "doc1.posted.a": "throttle-blind",
    "finish.commit.a": "no-answer",
}
"""Where the fast cut crosses a death with a fault of the target, so that each fault happens beside one."""

UNSENT = ("unsent.commit.b", "unsent.commit.a")
KILLED = (
    *(killed(point, crossing=CROSSED.get(point, "")) for point in WAYS if point not in UNSENT),
    killed(Way("sending.commit.a")),
    killed(Way("answer.read")),
    *map(unsent, UNSENT),
    *map(releasing, RELEASES),
    *map(heard, INTAKES),
)
STOPPED = (
    *(stopped(point, watchdog=True) for point in ("sending.commit.a", "send.body_out", "look_up.a")),
    *(
        stopped(point, watchdog=False)
        for point in ("sending.commit.a", "send.connected", "send.half_body", "send.body_out", "answer.read")
    ),
)
PAIRS = (
    twice("sending.commit.a#2", "resolve.commit.a"),
    twice("send.body_out#2", "sweep.commit.a", meanwhile="edit"),
    twice("send.body_out#2", "resolve.look_up.a", meanwhile="cancel"),
    twice("posted.commit.b#2", "claim.commit.a@^1", meanwhile="refund"),
    twice("answer.read#2", "sending.commit.a", meanwhile="mapping"),
)
SERVER_KILLED = ("claim.commit.a@^1", "sending.commit.a#2", "posted.commit.b#2", "finish.commit.b@^1")
"""The server's own story at: claim, sending, posted, finish."""
OTHERS = (
    committed("reset_after_commit"),
    committed("late_commit", commit_after_s=0.8, answer_after_s=0.05),
    crowd("crowd", "send.body_out#2", "posted.commit.b"),
    early_look(),
    early_look("send.body_out#2"),
    lost_note(),
    tampered(),
    restored(),
    recovered(),
    *(server_killed(rule) for rule in SERVER_KILLED),
)
FAST = (*OTHERS, *STOPPED, *PAIRS, *KILLED)  # the longest first: they end while the short ones are told

# ------------------------------------------------------------------ the whole product

AGAIN = tuple(
    Way(point, f"#{nth}", leads=(late(2), late(5)))
    for point in (
        "posting.planned.b", "posting.planned.a", "look_up.a", "sending.commit.b", "sending.commit.a", "send.connected",
        "send.half_body", "send.body_out", "answer.read", "posted.commit.b", "posted.commit.a", "doc1.posted.a",
    )
    for nth in (1, 2, 3, 4)
)  # fmt: skip
"""The same points met again and again, with other documents under way."""

FIRST = ("sending.commit.a#2", "send.half_body#2", "send.body_out#2", "answer.read#2", "posted.commit.b#2")
SECOND = (
    *("sweep.commit.b", "sweep.commit.a", "claim.commit.b@:orders$", "claim.commit.a@^1"),
    *("resolve.look_up.b", "resolve.look_up.a", "resolve.commit.b", "resolve.commit.a"),
    *("source.read.a", "plan.a", "look_up.a", "sending.commit.b", "sending.commit.a", "send.connected"),
    *("send.half_body", "send.body_out", "answer.read", "posted.commit.b", "posted.commit.a", "finish.commit.b@^1"),
)


def _whole() -> Iterator[Story]:
    for way in WAYS.values():
        for crossing in CROSSINGS:
            yield killed(way, crossing=crossing)
        for watchdog in (True, False):
            yield stopped(way, watchdog=watchdog)
        yield killed(way, takers=2, about="two-takers")
    for crossing in CROSSINGS:
        for point in ("sending.commit.a", "send.body_out", "answer.read", "posted.commit.b", "look_up.a"):
            for watchdog in (True, False):
                yield stopped(point, watchdog=watchdog, crossing=crossing)
        for point in RELEASES:
            yield releasing(point, crossing=crossing)
        for point in INTAKES:
            yield heard(point, crossing=crossing)
        yield twice("send.body_out#2", "resolve.commit.a", crossing=crossing)
    yield from (releasing(point, stop=True) for point in RELEASES)
    yield from (heard(point, stop=True) for point in INTAKES)
    yield from (killed(way, about="again") for way in AGAIN)
    for first in FIRST:
        for second in SECOND:
            for meanwhile in MEANWHILE:
                yield twice(first, second, meanwhile=meanwhile)
    for fault in ("half_body", "error_after_commit", "hang", "truncated_json"):
        yield committed(fault)
    for rule in ("uncertain.commit.a", "resolve.look_up.a", "resolve.commit.a"):
        yield early_look(rule)
    yield moved()
    yield crowd("crowd-of-two", "send.body_out#2")
    yield crowd("crowd-of-three", "sending.commit.a#2", "posted.commit.b", "posted.commit.a")
    for way in WAYS.values():
        if not (way.after or way.after_edits):
            yield server_killed(way)
    for rule in SERVER_KILLED:
        yield server_killed(rule, away_s=LEASE_S + TIMING.h_s)
        yield server_killed(rule, workers=3)


def _part(stories: tuple[Story, ...]) -> tuple[Story, ...]:
    """`ML_CONNECTOR_CRASH_PART=3/40`: every fortieth story from the third on, so that parts are told in turn."""
    number, _, of = os.environ.get("ML_CONNECTOR_CRASH_PART", "1/1").partition("/")
    return stories[int(number) - 1 :: int(of)]


STORIES: tuple[Story, ...] = _part(stories_of(FAST, tuple(_whole()))) if LONG else FAST
