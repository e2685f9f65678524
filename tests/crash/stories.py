"""The stories of the crash tests: what is placed, what goes wrong, where a process dies, and what must be true then.

Every story ends with `Case.check`: one document per reference, amounts equal, nothing missing, nothing uncertain.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ml_connector.flows.write_back import LATE_S
from tests.crash import books
from tests.crash.crossings import CROSSINGS, MEANWHILE, Crossing, Shop, at_post, late
from tests.crash.processes import Process, until
from tests.crash.stage import LEASE_S, TIMING, WORKER, Case
from tests.crash.ways import WAYS, Way

CROSSED_ATTEMPTS = 7
"""At one document, where faults are added to a crash: each fault may cost one, and each death."""


@dataclass(frozen=True, slots=True)
class Story:
    """`points`: those of `crash.POINTS` at which a process of this story ends or stands still."""

    name: str
    play: Callable[[Case], None]
    points: tuple[str, ...] = ()


def point_of(rule: str) -> str:
    return rule.partition("#")[0].partition("@")[0]


# ------------------------------------------------------------------ killed once


def killed(way: Way | str, *, crossing: str = "", takers: int = 1, about: str = "") -> Story:
    """A worker dies on this way; the merchant edits; clean workers take over.

    `crossing`: the fault of the target that happens around the death.
    """
    way = WAYS[way] if isinstance(way, str) else way
    fault = CROSSINGS[crossing] if crossing else Crossing("none")

    def play(case: Case) -> None:
        victim, shop = _on_the_way(case, way, "kill", fault)
        victim.died_at(way.point)
        _afterwards(case, way, fault)
        if not way.after_edits:
            shop.edit()
        for _ in range(takers):
            case.worker()
        _check(case, crossed=bool(crossing))

    return Story("-".join(filter(None, (way.rule, about, crossing))), play, _points(way))


def _on_the_way(case: Case, way: Way, deed: str, fault: Crossing, *, watchdog: bool = True) -> tuple[Process, Shop]:
    """The process that is going to die or to stand still, and the orders it works on."""
    shop = Shop.open(case)
    fault.prepare(case)
    case.fault(*way.leads)
    case.fault(*way.store, system="store")
    if way.after:
        case.worker(f"{way.after}:kill").died_at(point_of(way.after))
    victim = case.worker(f"{way.rule}:{deed}", watchdog=watchdog)
    if way.after_edits:
        case.settled()
        shop.edit()
    return victim, shop


def _afterwards(case: Case, way: Way, fault: Crossing) -> None:
    if way.over:
        case.clear_faults()
        case.fault(*fault.erp)
    fault.after(case)


def _points(*ways: Way) -> tuple[str, ...]:
    return tuple(point_of(rule) for way in ways for rule in (way.after, way.rule) if rule)


def _check(case: Case, *, crossed: bool) -> None:
    case.check(at_most=CROSSED_ATTEMPTS if crossed else 4)
    assert not crossed or not case.idle_faults(), f"never happened: {case.idle_faults()}"


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


# ------------------------------------------------------------------ stopped, then continued

WATCHED = ("sending.commit.a", "batch.cas.a", "send.connected", "send.half_body", "send.body_out", "answer.read")
"""Points at which a posting of the process is `sending`, so that the watchdog is armed."""


def stopped(way: Way | str, *, watchdog: bool, crossing: str = "") -> Story:
    """A worker stands still past lease, P and H while another takes over, then goes on.

    With the watchdog it dies before its next instruction; without, the check of P and the compare-and-set suffice.
    """
    way = WAYS[way] if isinstance(way, str) else way
    fault = CROSSINGS[crossing] if crossing else Crossing("none")

    def play(case: Case) -> None:
        sleeper, shop = _on_the_way(case, way, "stop", fault, watchdog=watchdog)
        sleeper.stopped_at(way.point)
        fenced = [row["token"] for row in case.query("SELECT token FROM runs WHERE flow = 'orders'")]
        case.passes(LEASE_S)
        _afterwards(case, way, fault)
        case.worker()
        case.settled()  # which takes H at least, where something was `sending`
        case.passes(TIMING.h_s)
        sleeper.go_on()
        if watchdog and (way.point in WATCHED or not sleeper.lives_on(2 * LEASE_S)):
            sleeper.ended_by(signal.SIGALRM)  # at other points only for another document of the same process
        else:
            case.runs_on(sleeper)
        if not watchdog and way.point == "answer.read":  # R4: what a fenced run was told is evidence, nothing else
            told = (
                "SELECT 1 FROM audit WHERE kind = 'call' AND data ->> 'method' = 'POST'"
                f" AND token IN ({', '.join(map(str, fenced))})"
            )
            until(lambda: bool(case.query(told)), lambda: "the answer that reached the fenced run is not in the audit")
        if not way.after_edits:
            shop.edit()
        _check(case, crossed=bool(crossing))

    name = f"{way.rule}-{'watchdog' if watchdog else 'no-watchdog'}"
    return Story(name + (f"-{crossing}" if crossing else ""), play, _points(way))


# ------------------------------------------------------------------ pairs, crowds


def twice(first: str, second: str, *, meanwhile: str = "nothing", crossing: str = "") -> Story:
    """A second crash during the recovery from the first, and what a person does between them."""
    fault = CROSSINGS[crossing] if crossing else Crossing("none")

    def play(case: Case) -> None:
        shop = Shop.open(case)
        fault.prepare(case)
        case.fault(late(2))
        case.worker(f"{first}:kill").died_at(point_of(first))
        fault.after(case)
        MEANWHILE[meanwhile](shop)
        case.worker(f"{second}:kill").died_at(point_of(second))
        case.worker()
        case.settled()
        shop.case.act(shop.refunded, "refund", amount="1.00")
        _check(case, crossed=bool(crossing))

    name = "-".join(filter(None, (f"{first}-then-{second}", "" if meanwhile == "nothing" else meanwhile, crossing)))
    return Story(name, play, (point_of(first), point_of(second)))


def crowd(name: str, *rules: str) -> Story:
    """Several workers and a crowd of orders; one worker after the other dies, others go on."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.place("paid", guest=False, orders=6)
        case.place("paid", market="de", orders=6)
        case.fault(late(2), at_post("reset_after_commit", 4))
        patient = (*WORKER, "--lease", "6")  # several deaths by us leave no room for a lease that lapses by itself (R7)
        victims = [(rule, case.run(*patient, crash_at=f"{rule}:kill")) for rule in rules]
        others: list[Process] = []
        for rule, victim in victims:
            victim.died_at(point_of(rule))
            others.append(case.run(*patient))
        shop.edit()
        case.check()
        for other in others:
            other.stop()

    return Story(name, play, tuple(point_of(rule) for rule in rules))


# ------------------------------------------------------------------ the target's own faults


FOR_LONG_S = 30.0
"""L of an ERP whose late commit comes when the story says so: not even a busy machine is slower than this."""


def early_look(point: str = "") -> Story:
    """The ERP commits after somebody has looked and found nothing: absence before H must not be believed.

    With `point` the look is that of the worker which takes over, else the early look of the one that was cut off.
    """

    def play(case: Case) -> None:
        case.run("config", "apply", str(case.stage.with_timing(l_s=FOR_LONG_S))).finished()
        shop = Shop.open(case)
        answered = 0.05 if not point else 3600
        case.fault(at_post("late_commit", 1, commit_after_s="cleared", answer_after_s=answered))

        def looks() -> int:
            """Look-ups that were answered."""
            found = books.call(f"{case.erp}/state/requests?path=CUBE")["items"]
            return sum(each["status"] == 200 for each in found)

        first = case.worker(f"{point}:kill" if point else "")
        if point:
            first.died_at(point_of(point))
        until(lambda: case.posts() == 2, lambda: f"{case.posts()} posts")  # the customer, and the one that is late
        before = looks()
        if point:
            case.worker()
        until(lambda: looks() > before, lambda: "nobody looked early")
        assert not books.documents_in(case.erp), "the ERP has committed before anybody looked"
        case.clear_faults()
        until(lambda: bool(books.documents_in(case.erp)), lambda: "the ERP has not committed")
        shop.edit()
        case.check()

    return Story(f"early-look{'-' if point else ''}{point}", play, (point_of(point),) if point else ())


def committed(fault: str, **args: object) -> Story:
    """`erp.committed`: the ERP has the documents and its answer never arrives; nobody dies."""

    def play(case: Case) -> None:
        shop = Shop.open(case)
        case.fault(at_post(fault, 1, **args), at_post(fault, 3, **args))
        case.worker()
        case.settled()
        unknown = "SELECT 1 FROM audit WHERE kind = 'uncertain'"
        until(lambda: bool(case.query(unknown)), lambda: "no outcome was ever unknown")
        shop.edit()
        case.check()

    return Story(f"erp.committed-{fault}", play)


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
        assert "no live document for S1-O100" in found
        assert "0 live documents for S1-O100" in found
        assert "USD differs" in found

    return Story("tampered", play)


def stories_of(*groups: Sequence[Story]) -> tuple[Story, ...]:
    """All of them; one that several groups tell is told once."""
    return tuple({story.name: story for group in groups for story in group}.values())
