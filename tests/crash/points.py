"""Which story takes a process to which point; `test_every_point_has_its_story` holds it against `crash.POINTS`."""

import os

from tests.crash.stories import (
    LOOK_UP,
    Story,
    at_post,
    committed,
    crowd,
    early_look,
    heard,
    killed,
    late,
    lost_note,
    releasing,
    renewing,
    stopped,
    swept,
    tampered,
    twice,
    unsent,
)

LONG = bool(os.environ.get("ML_CONNECTOR_CRASH_LONG"))

ELSEWHERE: dict[str, str] = {}
"""Points that no story reaches, each with the reason. Nothing is left out today."""

# The first document of a story is the customer that two orders share (#1), then come journal entries, several to a
# request (#2). The edits after the crash ask for reversals, reposts, refunds and money out.
KILLED = (
    killed("claim.commit.b", "@:orders$"),
    killed("claim.commit.a", "@^1"),
    killed("source.read.a"),
    killed("plan.a"),
    killed("posting.planned.b"),
    killed("posting.planned.a", "#2"),
    killed("look_up.a", "#2"),
    killed("sending.commit.b", "#2"),
    killed("sending.commit.a"),
    killed("sending.commit.a", "#2"),
    killed("send.connected", "#2"),
    killed("send.half_body", "#2"),
    killed("send.body_out", "#2"),
    killed("send.body_out", "#2", faults=(late(1),), about="late"),
    killed("answer.read"),
    killed("answer.read", "#2"),
    killed("posted.commit.b", "#2"),
    killed("posted.commit.a", "#2"),
    killed("doc1.posted.a", "#3"),
    killed("batch.cas.a"),
    killed("batch.answer.half"),
    killed("uncertain.commit.b", faults=(at_post("reset_after_commit"), late(3))),
    killed("uncertain.commit.a", faults=(late(1), late(3))),
    killed("rejected.commit.b", faults=(at_post("closed_period"), late(3))),
    killed("rejected.commit.a", faults=(at_post("closed_period"), late(3))),
    killed("hold.commit.b", faults=(at_post("closed_period", [1, 2, 3]), late(5))),  # with its batch, then each alone
    killed("fail.commit.b", faults=({"fault": "html_503", "match": {**LOOK_UP, "times": 4}}, late(3))),
    killed("resolve.look_up.b", faults=(late(1),)),
    killed("resolve.look_up.a", faults=(late(1),)),
    killed("resolve.commit.b", faults=(at_post("reset_before"), late(3))),
    killed("resolve.commit.a", faults=(late(1),)),
    killed("reversal.posted.a", after_edits=True),
    killed("count.b"),
    killed("count.a"),
    killed("login.a"),
    killed("session.store.b"),
    killed("finish.commit.b", "@^1"),
    killed("finish.commit.a", "@^1"),
    killed("watermark.commit.b"),
    killed("watermark.commit.a"),
    unsent("unsent.commit.b"),
    unsent("unsent.commit.a"),
    swept("sweep.commit.b"),
    swept("sweep.commit.a"),
    renewing(),
    releasing("release.commit.b"),
    releasing("release.commit.a"),
    heard("intake.commit.b"),
    heard("intake.commit.a"),
    heard("notify.a"),
)

STOPPED = (
    stopped("sending.commit.a", "#2", watchdog=True),
    stopped("send.body_out", "#2", watchdog=True),
    stopped("look_up.a", "#2", watchdog=True),
    stopped("sending.commit.a", "#2", watchdog=False),
    stopped("send.connected", "#2", watchdog=False),
    stopped("send.half_body", "#2", watchdog=False),
    stopped("send.body_out", "#2", watchdog=False),
    stopped("answer.read", "#2", watchdog=False),
)

OTHERS = (
    committed("reset_after_commit"),
    committed("late_commit", commit_after_s=0.8, answer_after_s=0.05),
    twice("sending.commit.a#2", "resolve.commit.a"),
    crowd(),
    early_look(),
    early_look("send.body_out#2"),
    lost_note(),
    tampered(),
)

# The longer version (`make crash`): the same points met again and again, with other documents under way.
MORE = (
    "posting.planned.b", "posting.planned.a", "look_up.a", "sending.commit.b", "sending.commit.a", "send.connected",
    "send.half_body", "send.body_out", "answer.read", "posted.commit.b", "posted.commit.a", "doc1.posted.a",
)  # fmt: skip
LONGER = (
    *(killed(point, f"#{nth}", faults=(late(2), late(5)), about="long") for point in MORE for nth in (1, 2, 3, 4)),
    *(
        killed(point, "#2", faults=(at_post(fault), at_post(fault, 3)), about=fault)
        for point in ("look_up.a", "uncertain.commit.a", "resolve.look_up.a", "resolve.commit.a", "finish.commit.b")
        for fault in ("reset_after_commit", "half_body", "error_after_commit", "hang")
        if not point.startswith("finish")
    ),
    *(stopped(point, "#2", watchdog=True) for point in ("send.connected", "send.half_body", "answer.read")),
    *(stopped(point, "#2", watchdog=False) for point in ("look_up.a", "sending.commit.b", "posted.commit.b")),
    *(committed(fault) for fault in ("half_body", "error_after_commit", "hang")),
    *(
        twice(first, second)
        for first in ("send.body_out#2", "posted.commit.b#2")
        for second in (
            "claim.commit.a#3",
            "resolve.look_up.a",
            "resolve.commit.b",
            "sending.commit.a",
            "sweep.commit.a",
        )
    ),
)

STORIES: tuple[Story, ...] = (*KILLED, *STOPPED, *OTHERS, *(LONGER if LONG else ()))
