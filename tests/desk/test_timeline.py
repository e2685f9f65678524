"""What a run read of one system is one line; what was sent or went wrong stands for itself."""

from datetime import UTC, datetime

from ml_connector.desk.record import Payload, Step
from ml_connector.desk.timeline import folded

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def call(id: int, method: str = "GET", status: str = "200", *, system: str = "bigcommerce", run: str = "r1") -> Step:
    payload = Payload(system, method, f"https://shop.example/v2/orders/{id}", status, 0.5, "", "", "{}")
    state = "synced" if status.startswith("2") else "dead"
    return Step(id, AT, state, f"{method} /v2/orders/{id}", "", 0.5, payload, run, "worker")


def told(id: int) -> Step:
    return Step(id, AT, "running", "Planned", "", None, None, "r1", "worker")


def test_reads_of_one_run_are_one_line_that_adds_up_and_has_them_all() -> None:
    (line,) = folded([call(3), call(2), call(1)])
    assert (line.step.title, line.step.seconds, line.step.payload) == ("Read from BigCommerce", 1.5, None)
    assert line.step.words == "3 calls, each answered"
    assert [each.id for each in line.calls] == [3, 2, 1]


def test_what_was_sent_or_refused_and_what_is_alone_is_seen() -> None:
    steps = [call(6), told(5), call(4, "POST"), call(3), call(2, status="500"), call(1)]
    lines = folded(steps)
    assert [line.step for line in lines] == steps
    assert not any(line.calls for line in lines)


def test_another_system_and_another_run_begin_another_line() -> None:
    lines = folded(
        [call(6), call(5), call(4, system="s4hana"), call(3, system="s4hana"), call(2, run="r0"), call(1, run="r0")]
    )
    assert [(line.step.title, len(line.calls)) for line in lines] == [
        ("Read from BigCommerce", 2), ("Read from SAP S/4HANA", 2), ("Read from BigCommerce", 2),
    ]  # fmt: skip
