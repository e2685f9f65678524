"""Stories of the other programs: the intake that hears of orders, and `config apply` that ends holds."""

import socket
import urllib.request

from tests.crash.crossings import CROSSINGS, Crossing, Shop
from tests.crash.processes import Process, until
from tests.crash.stage import LEASE_S, TIMING, Case
from tests.crash.stories import CROSSED_ATTEMPTS, Story

HELD = "SELECT key FROM records WHERE flow = 'orders' AND hold_kind = 'unmapped'"
RELEASES = ("release.commit.b", "release.commit.a")
INTAKES = ("intake.commit.b", "intake.commit.a", "notify.a")


def releasing(point: str, *, stop: bool = False, crossing: str = "") -> Story:
    """`config apply` dies, or stands still, while it saves the mapping that held orders wait for."""
    fault = CROSSINGS[crossing] if crossing else Crossing("none")

    def play(case: Case) -> None:
        stage = case.stage
        complete = stage.write(stage.content)
        fault.prepare(case)
        case.run("config", "apply", str(stage.without(("mapping", "payment_methods")))).finished()
        Shop.open(case)
        case.worker()
        until(lambda: len(case.query(HELD)) == 3, lambda: f"held: {case.query(HELD)}")
        saving = case.run("config", "apply", str(complete), crash_at=f"{point}:{'stop' if stop else 'kill'}")
        if stop:
            saving.stopped_at(point)
            case.passes(LEASE_S + TIMING.h_s)
        else:
            saving.died_at(point)
        fault.after(case)
        if point.endswith(".b"):
            assert len(case.query(HELD)) == 3, "half a release"
        if stop:
            saving.go_on()
            until(lambda: not saving.running, saving.said)
        case.run("config", "apply", str(complete)).finished()
        case.check(at_most=CROSSED_ATTEMPTS)
        assert not crossing or not case.idle_faults(), f"never happened: {case.idle_faults()}"

    return Story(_name(point, stop, crossing), play, (point,))


def heard(point: str, *, stop: bool = False, crossing: str = "") -> Story:
    """The webhook intake dies, or stands still, with a delivery in its hands; a new one and a worker make up for it."""
    fault = CROSSINGS[crossing] if crossing else Crossing("none")

    def play(case: Case) -> None:
        stage = case.stage
        port = _free_port()
        file = stage.with_webhook(f"http://127.0.0.1:{port}/hooks/web-store")
        case.run("config", "apply", str(file)).finished()
        registering = case.worker()
        until(lambda: case.hooks() > 0, lambda: f"no hooks: {registering.said()}")
        registering.stop()
        intake = _serve(case, port, crash_at=f"{point}:{'stop' if stop else 'kill'}")
        shop = Shop.open(case)
        fault.prepare(case)
        if stop:
            intake.stopped_at(point)
            case.passes(LEASE_S + TIMING.h_s)
        else:
            intake.died_at(point)
            marks = case.query("SELECT key FROM records WHERE flow = 'orders'")
            assert bool(marks) == (point != "intake.commit.b"), f"marked: {marks}"
        fault.after(case)
        if stop:
            intake.go_on()
            case.runs_on(intake)
        else:
            _serve(case, port)
        case.worker()
        case.settled()
        shop.edit()
        case.check(at_most=CROSSED_ATTEMPTS)
        assert not crossing or not case.idle_faults(), f"never happened: {case.idle_faults()}"

    return Story(_name(point, stop, crossing), play, (point,))


def _name(point: str, stop: bool, crossing: str) -> str:
    return "-".join(filter(None, (point, "stopped" if stop else "", crossing)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serve(case: Case, port: int, *, crash_at: str = "") -> Process:
    process = case.run("serve", "--port", str(port), crash_at=crash_at)
    until(lambda: _listens(port), process.said)
    return process


def _listens(port: int) -> bool:
    """Whether the intake answers on this port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
