"""The stories of the crash tests: what is placed, what goes wrong, where a process dies, and what must be true then.

Every story ends with `Case.check`: one document per reference, amounts equal, nothing missing, nothing uncertain.
"""

import signal
import socket
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_connector.flows.write_back import LATE_S
from tests.crash import books
from tests.crash.processes import Process, until
from tests.crash.stage import LATE_COMMIT, LEASE_S, POST, TIMING, Case

Rule = Mapping[str, Any]
LOOK_UP = {"method": "GET", "path": "API_OPLACCTGDOCITEMCUBE_SRV"}


@dataclass(frozen=True, slots=True)
class Story:
    """`points`: those of `crash.POINTS` at which a process of this story ends or stands still."""

    name: str
    play: Callable[[Case], None]
    points: tuple[str, ...] = ()


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
        self.case.act(self.on_account, "cancel")
        self.case.take_one_away(self.several)
        self.case.act(self.paid, "refund", amount="1.00")


def late(nth: int) -> Rule:
    """The nth posting request is committed late."""
    return {**LATE_COMMIT, "match": {**POST, "nth": nth}}


def at_post(fault: str, nth: int | list[int] = 1, **args: Any) -> Rule:
    return {"fault": fault, "match": {**POST, "nth": nth}, "args": args}


# ------------------------------------------------------------------ killed once


def killed(
    point: str,
    which: str = "",
    *,
    faults: Sequence[Rule] = (late(3),),
    store_faults: Sequence[Rule] = (),
    after_edits: bool = False,
    about: str = "",
) -> Story:
    """A worker dies at `point`; the merchant edits; a clean worker takes over.

    `which` selects among the times that the point is reached (`#nth`, `@key`). `after_edits`: it lies on the way of a
    change to what is posted already, so the first worker sees the edits as well.
    """

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(*faults)
        case.fault(*store_faults, system="store")
        victim = case.worker(f"{point}{which}:kill")
        if after_edits:
            case.settled()
            shop.edit()
        victim.died_at(point)
        if not after_edits:
            shop.edit()
        case.worker()
        case.check()

    return Story(f"{point}{which}{'-' if about else ''}{about}", play, (point,))


def unsent(point: str) -> Story:
    """Stopped before the first byte for longer than P: nothing is sent, and the process dies saying so."""

    def play(case: Case) -> None:
        Shop.open(case)
        victim = case.worker(f"sending.commit.a#2:stop;{point}:kill", watchdog=False)
        victim.stopped_at("sending.commit.a")
        case.passes(TIMING.p_s + 0.2)
        sent_before = case.posts()
        victim.go_on()
        victim.died_at(point)
        assert case.posts() == sent_before, "a byte left after P"
        case.worker()
        case.check()

    return Story(point, play, (point,))


def swept(point: str) -> Story:
    """One worker dies with documents under way, the next while it takes them over."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(late(2))
        case.worker("send.body_out#2:kill").died_at("send.body_out")
        case.worker(f"{point}:kill").died_at(point)
        shop.edit()
        case.worker()
        case.check()

    return Story(point, play, (point,))


def renewing() -> Story:
    """Dies while it renews the lease of a run that is under way."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        slow = {
            "fault": "slow",
            "match": {"method": "GET", "path": "/v2/orders", "times": 6},
            "args": {"delay_s": LEASE_S},
        }
        case.fault(slow, system="store")
        victim = case.worker("renew.b@(^| )orders( |$):kill")
        victim.died_at("renew.b")
        assert case.query("SELECT 1 FROM runs WHERE flow = 'orders'"), "no run of orders was being renewed"
        shop.edit()
        case.worker()
        case.check()

    return Story("renew.b", play, ("renew.b",))


def releasing(point: str) -> Story:
    """`config apply` dies while it saves the mapping that held orders wait for."""

    def play(case: Case) -> None:
        stage = case.stage
        complete = stage.write(stage.content)
        gap = stage.without(("mapping", "payment_methods"))
        case.run("config", "apply", str(gap)).finished()
        Shop.open(case)
        case.worker()
        held = "SELECT key FROM records WHERE flow = 'orders' AND hold_kind = 'unmapped'"
        until(lambda: len(case.query(held)) == 3, lambda: f"held: {case.query(held)}")
        case.run("config", "apply", str(complete), crash_at=f"{point}:kill").died_at(point)
        if point.endswith(".b"):
            assert len(case.query(held)) == 3, "half a release"
            case.run("config", "apply", str(complete)).finished()
        case.check()

    return Story(point, play, (point,))


def heard(point: str) -> Story:
    """The webhook intake dies with a delivery in its hands; a new one and a worker make up for it."""

    def play(case: Case) -> None:
        stage = case.stage
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        file = stage.with_webhook(f"http://127.0.0.1:{port}/hooks/web-store")
        case.run("config", "apply", str(file)).finished()
        registering = case.worker()
        until(lambda: case.hooks() > 0, lambda: f"no hooks: {registering.said()}")
        registering.stop()
        intake = case.run("serve", "--port", str(port), crash_at=f"{point}:kill")
        until(lambda: listens(port), intake.said)
        shop = Shop.open(case)
        intake.died_at(point)
        marks = case.query("SELECT key FROM records WHERE flow = 'orders'")
        assert bool(marks) == (point != "intake.commit.b"), f"marked: {marks}"
        case.run("serve", "--port", str(port))
        case.worker()
        case.settled()
        shop.edit()
        case.check()

    return Story(point, play, (point,))


def listens(port: int) -> bool:
    """Whether the intake answers on this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def early_look(point: str = "") -> Story:
    """The ERP commits after somebody has looked and found nothing: absence before H must not be believed.

    With `point` the look is that of the worker which takes over, else the early look of the one that was cut off.
    """

    def play(case: Case) -> None:
        commit_after_s, t_and_l_s = 8.5, 9.0  # after the look of who takes over, and after the early look at 5 s
        case.run("config", "apply", str(case.stage.with_timing(l_s=t_and_l_s - TIMING.t_s))).finished()
        shop = Shop.open(case)
        case.fault(at_post("late_commit", 1, commit_after_s=commit_after_s, answer_after_s=0.05 if not point else 60))

        def looks() -> int:
            return len(books.call(f"{case.erp}/state/requests?path=CUBE")["items"])

        first = case.worker(f"{point}:kill" if point else "")
        until(lambda: case.posts() == 2, lambda: f"{case.posts()} posts")  # the customer, and the one that comes late
        if point:
            first.died_at(point.partition("#")[0])
        before = looks()
        if point:
            case.worker()
        until(lambda: looks() > before, lambda: "nobody looked early")
        assert not books.documents_in(case.erp), "the ERP has committed before anybody looked"
        shop.edit()
        case.check()

    return Story(f"early-look{'-' if point else ''}{point}", play, (point.partition("#")[0],) if point else ())


# ------------------------------------------------------------------ stopped, then continued

WATCHED = ("sending.commit.a", "send.connected", "send.half_body", "send.body_out", "answer.read")
"""Points at which a posting of the process is `sending`, so that the watchdog is armed."""


def stopped(point: str, which: str, *, watchdog: bool) -> Story:
    """A worker stands still past lease, P and H while another takes over, then goes on.

    With the watchdog it dies before its next instruction; without, the check of P and the compare-and-set suffice.
    """

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(late(3))
        sleeper = case.worker(f"{point}{which}:stop", watchdog=watchdog)
        sleeper.stopped_at(point)
        [fenced] = case.query("SELECT token FROM runs WHERE flow = 'orders'")
        case.passes(LEASE_S)
        case.worker()
        case.settled()  # which takes H at least, where something was `sending`
        case.passes(TIMING.h_s)
        sleeper.go_on()
        if watchdog and (point in WATCHED or not sleeper.lives_on(2 * LEASE_S)):
            sleeper.ended_by(signal.SIGALRM)  # at other points only for another document of the same process
        else:
            case.runs_on(sleeper)
        if not watchdog and point == "answer.read":  # R4: what a fenced run was told is evidence, and nothing else
            told = (
                f"SELECT 1 FROM audit WHERE token = {fenced['token']} AND kind = 'call' AND data ->> 'method' = 'POST'"
            )
            until(lambda: bool(case.query(told)), lambda: "the answer that reached the fenced run is not in the audit")
        shop.edit()
        case.check()

    return Story(f"{point}{which}-{'watchdog' if watchdog else 'no-watchdog'}", play, (point,))


# ------------------------------------------------------------------ the target's own faults, several workers


def lost_note() -> Story:
    """P9: the answer to a note in the store is lost. It is written again when the lost one can come no more."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(
            {"fault": "reset_after_commit", "match": {"method": "POST", "path": "/metafields", "nth": 1}},
            system="store",
        )
        case.worker()
        again = (
            "SELECT key, extract(epoch FROM run_at - now()) AS s FROM records"
            " WHERE flow = 'write_back' AND attempts = 1 AND NOT wakes AND run_at > now()"
        )
        until(lambda: bool(case.query(again)), lambda: f"{case.query('SELECT * FROM records')}")
        [waiting] = case.query(again)
        assert waiting["s"] > LATE_S - 5, "an older note could land on a newer one"
        shop.edit()
        until(lambda: not case.complaints(), lambda: f"{case.complaints()}")
        assert [row["key"] for row in case.query(again)] == [waiting["key"]], "a mark cut the wait"

    return Story("lost-note", play)


def tampered() -> Story:
    """The count itself: what a stranger books twice, deletes or changes in the ERP is seen by it."""

    def play(case: Case) -> None:
        Shop.open(case)
        case.worker()
        case.check()
        victim = next(d for d in books.documents_in(case.erp) if d.reference == "S1-O100")
        number, company, year = victim.number.split("/")
        books.call(f"{case.erp}/documents/{company}/{year}/{number}/delete", {})
        found = " ".join(case.complaints())
        assert "no live document for O100" in found
        assert "0 live documents for S1-O100" in found
        assert "USD differs" in found

    return Story("tampered", play)


def committed(fault: str, **args: Any) -> Story:
    """`erp.committed`: the ERP has the documents and its answer never arrives; nobody dies."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(at_post(fault, 1, **args), at_post(fault, 3, **args))
        case.worker()
        case.settled()
        assert case.query("SELECT 1 FROM postings WHERE recount_at IS NOT NULL"), "no outcome was ever unknown"
        shop.edit()
        case.check()

    return Story(f"erp.committed-{fault}", play)


def crowd() -> Story:
    """Three workers and a crowd of orders; one worker after the other dies, others go on."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.place("paid", guest=False, orders=6)
        case.place("paid", market="de", orders=6)
        case.fault(late(2), at_post("reset_after_commit", 4))
        first = case.worker("send.body_out#2:kill")
        second = case.worker("posted.commit.b:kill")
        first.died_at("send.body_out")
        third = case.worker()
        second.died_at("posted.commit.b")
        shop.edit()
        fourth = case.worker()
        case.check()
        third.stop()
        fourth.stop()

    return Story("crowd", play, ("send.body_out", "posted.commit.b"))


def twice(first: str, second: str) -> Story:
    """A second crash during the recovery from the first."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(late(2))
        victims: list[Process] = []
        for rule in (first, second):
            victims.append(case.worker(f"{rule}:kill"))
            victims[-1].died_at(rule.partition("#")[0])
        shop.edit()
        case.worker()
        case.check()

    return Story(f"{first}-then-{second}", play, tuple(rule.partition("#")[0] for rule in (first, second)))
