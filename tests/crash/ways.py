"""How a process comes to each crash point: what must have happened before, and which time counts."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.crash.crossings import LOOK_UP, Rule, at_post, late
from tests.crash.stage import LEASE_S

SLOW_STORE = {
    "fault": "slow",
    "match": {"method": "GET", "path": "/v2/orders", "times": 6},
    "args": {"delay_s": LEASE_S},
}


@dataclass(frozen=True, slots=True)
class Way:
    """A worker's way to `point`. `which` selects among the times that it is reached (`#nth`, `@key`).

    `leads`, `store`: faults of the ERP and the store without which it is not reached. `after`: it lies in the recovery
    from a death at that rule. `after_edits`: it lies on the way of a change to what is posted already. `over`: the
    faults are over with the crash, for who comes later would be stopped by them for a person.
    """

    point: str
    which: str = ""
    leads: tuple[Rule, ...] = (late(3),)
    store: tuple[Rule, ...] = ()
    after: str = ""
    after_edits: bool = False
    over: bool = False

    @property
    def rule(self) -> str:
        return self.point + self.which


# The first document of a story is the customer that two orders share (#1), then come journal entries, several to a
# request (#2). The edits after the crash ask for reversals, reposts, refunds and money out.
_WAYS = (
    Way("claim.commit.b", "@:orders$"),
    Way("claim.commit.a", "@^1"),
    Way("source.read.a"),
    Way("plan.a"),
    Way("posting.planned.b"),
    Way("posting.planned.a", "#2"),
    Way("look_up.a", "#2"),
    Way("sending.commit.b", "#2"),
    Way("sending.commit.a", "#2"),
    Way("send.connected", "#2"),
    Way("send.half_body", "#2"),
    Way("send.body_out", "#2"),
    Way("answer.read", "#2"),
    Way("posted.commit.b", "#2"),
    Way("posted.commit.a", "#2"),
    Way("doc1.posted.a", "#3"),
    Way("batch.cas.a"),
    Way("batch.answer.half"),
    Way("uncertain.commit.b", leads=(at_post("reset_after_commit"), late(3))),
    Way("uncertain.commit.a", leads=(late(1), late(3))),
    Way("unsent.commit.b", leads=(at_post("throttle", 1, retry_after=1), late(3))),
    Way("unsent.commit.a", leads=(at_post("throttle", 1, retry_after=1), late(3))),
    Way("rejected.commit.b", leads=(at_post("closed_period"), late(3))),
    Way("rejected.commit.a", leads=(at_post("closed_period"), late(3))),
    Way("hold.commit.b", leads=(at_post("closed_period", [1, 2, 3]),), over=True),  # with its batch, then each alone
    Way("fail.commit.b", leads=({"fault": "html_503", "match": {**LOOK_UP, "times": 4}}, late(3))),
    Way("resolve.look_up.b", leads=(late(1),)),
    Way("resolve.look_up.a", leads=(late(1),)),
    Way("resolve.commit.b", leads=(at_post("reset_before"), late(3))),
    Way("resolve.commit.a", leads=(late(1),)),
    Way("reversal.posted.a", after_edits=True),
    Way("count.b"),
    Way("count.a"),
    Way("login.a"),
    Way("session.store.b"),
    Way("finish.commit.b", "@^1"),
    Way("finish.commit.a", "@^1"),
    Way("watermark.commit.b"),
    Way("watermark.commit.a"),
    Way("sweep.commit.b", leads=(late(2),), after="send.body_out#2"),
    Way("sweep.commit.a", leads=(late(2),), after="send.body_out#2"),
    Way("renew.b", "@(^| )orders( |$)", store=(SLOW_STORE,)),
)
WAYS: Mapping[str, Way] = {way.point: way for way in _WAYS}
"""By point: those at which a worker can stand."""
