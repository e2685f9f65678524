"""What goes wrong beside a crash, as data: the target's own faults, and what people do to an order meanwhile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash import books
from tests.crash.stage import LATE_COMMIT, LOOKUP_LAG_S, POST, Case

Rule = Mapping[str, Any]
LOOK_UP = {"method": "GET", "path": "API_OPLACCTGDOCITEMCUBE_SRV"}
CUSTOMER = {"method": "POST", "path": "/A_BusinessPartner"}
STALE_V_S = 1.2
"""How long a look-up may miss what is posted, in stories about that."""


def at_post(fault: str, nth: int | list[int] = 1, **args: Any) -> Rule:
    """Something happens to the nth posting request."""
    return {"fault": fault, "match": {**POST, "nth": nth}, "args": args}


def late(nth: int | list[int]) -> Rule:
    """The nth posting request is committed late."""
    return {**LATE_COMMIT, "match": {**POST, "nth": nth}}


@dataclass(frozen=True, slots=True)
class Shop:
    """The orders of a story. Together they ask for every kind of document; `edit` later makes every kind of change."""

    case: Case
    paid: int
    refunded: int
    on_account: int
    several: int

    @classmethod
    def open(cls, case: Case) -> "Shop":
        return cls(
            case,
            paid=case.place("paid"),
            refunded=case.place("refund_quantity", guest=False, several=True),
            on_account=case.place("on_account", guest=False),
            several=case.place("paid", several=True),
        )

    def edit(self) -> None:
        """A cancellation (reversal), an edit (reversal and repost), a further refund (with money out)."""
        for meanwhile in ("cancel", "edit", "refund"):
            MEANWHILE[meanwhile](self)


MEANWHILE: Mapping[str, Callable[[Shop], None]] = {
    "nothing": lambda _: None,
    "edit": lambda shop: shop.case.take_one_away(shop.several),
    "cancel": lambda shop: shop.case.act(shop.on_account, "cancel"),
    "refund": lambda shop: shop.case.act(shop.paid, "refund", amount="1.00"),
    "mapping": lambda shop: shop.case.remap(),
}
"""Between a crash and what comes after it. `mapping`: `config apply` with other accounts for what is sold."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Faults of the target (`erp`) and the store around a crash; each must happen, or the story proves nothing.

    `timing`: what the configuration says of the target instead of the usual. `prepare` comes before anything runs,
    `after` right after the crash.
    """

    name: str
    erp: tuple[Rule, ...] = ()
    store: tuple[Rule, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict[str, float])
    after: Callable[[Case], None] = lambda _: None

    def prepare(self, case: Case) -> None:
        if self.timing:
            case.run("config", "apply", str(case.stage.with_timing(**self.timing))).finished()
        case.fault(*self.erp)
        case.fault(*self.store, system="store")


def _end_sessions(case: Case) -> None:
    for deed in ("revoke_tokens", "drop_sessions"):
        books.call(f"{case.erp}/{deed}", {})


BEFORE_AND_AFTER = [1, 3]
"""Requests that are hit: the first mostly belongs to the process that dies, the third to who takes over."""

CROSSINGS = {
    crossing.name: crossing
    for crossing in (
        Crossing("lost-answer", (at_post("reset_after_commit", BEFORE_AND_AFTER),)),
        Crossing("late-commit", (late(BEFORE_AND_AFTER),)),
        Crossing(
            "stale-look-up",
            (
                {"fault": "stale_lookup", "match": LOOK_UP, "args": {"lag_s": STALE_V_S - LOOKUP_LAG_S - 0.2}},
            ),  # beside its usual lag
            timing={"v_s": STALE_V_S},
        ),
        Crossing(
            "throttle",
            (
                at_post("throttle", BEFORE_AND_AFTER, retry_after=1),
                {"fault": "throttle", "match": {**LOOK_UP, "nth": 3}, "args": {"retry_after": 1}},
            ),
            store=({"fault": "throttle", "match": {"path": "/v2/orders", "nth": 3}, "args": {"retry_after": 1}},),
        ),
        Crossing("throttle-blind", (at_post("throttle", BEFORE_AND_AFTER, retry_after="none"),)),
        Crossing(
            "session-loss",
            (
                at_post("unauthorized", BEFORE_AND_AFTER),
                {"fault": "csrf_loss", "match": {**CUSTOMER, "nth": 1}},
            ),
            after=_end_sessions,
        ),
        Crossing("reset-before", (at_post("reset_before", BEFORE_AND_AFTER),)),
        Crossing("half-answer", (at_post("half_body", BEFORE_AND_AFTER),)),
        Crossing("error-after-commit", (at_post("error_after_commit", BEFORE_AND_AFTER),)),
        Crossing("no-answer", (at_post("hang", BEFORE_AND_AFTER),)),
    )
}
"""The faults of the target that every crash point is crossed with. A late commit *after a look-up has said absent* is
`stories.early_look`."""
