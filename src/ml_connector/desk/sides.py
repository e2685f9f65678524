"""How a connection does, beside its name: whether it answers, lets us in, is paced; its calls, quota and times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ml_connector.connectors.systems import UnknownSystem, find_system
from ml_connector.engine.breaker import State as BreakerState
from ml_connector.engine.checks import Result
from ml_connector.engine.connection_pulse import Recent
from ml_connector.engine.registry import Connection
from ml_connector.engine.views.counts import Hold

PACED_FROM = 0.8
"""From that part of a quota on calls are spread out, and pages say so."""

STEPS: Mapping[str, str] = {
    "order": "order", "heard": "hearing of it", "document": "document", "post-back": "post-back", "stock": "stock",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Side:
    """A connection as a row's head shows it. `state`: ok, paced, open, unauthorised; `since`: when that began, where it
    is known; `waiting`: records that wait for it alone. `calls_s`, `median_ms`, `quota_used` (0 to 1): of the last
    minutes, None where nothing is known."""

    id: int
    name: str
    title: str
    state: str
    words: str
    sandbox: bool
    since: datetime | None = None
    waiting: int = 0
    calls_s: float | None = None
    median_ms: float | None = None
    quota_used: float | None = None

    @property
    def wants_somebody(self) -> bool:
        return self.state in ("open", "unauthorised")


def side(
    connection: Connection, breaker: BreakerState | None, recent: Recent | None, refused: Sequence[Hold] = ()
) -> Side:
    """`refused`: holds for want of an access to it."""
    quota = recent.quota_used if recent is not None else None
    state, words, since = "ok", "", None
    waiting = sum(each.count for each in refused if ":" not in each.flow)
    if refused:
        state, words = "unauthorised", "lets us in no more"
        since = min(each.since for each in refused)
    elif breaker is not None and breaker.state != "closed":
        state, words, since = "open", "does not answer", breaker.since
    elif quota is not None and quota >= PACED_FROM:
        state, words = "paced", "paced"
    return Side(
        connection.id,
        connection.name,
        system_title(connection.system),
        state,
        words,
        connection.sandbox,
        since,
        waiting,
        recent.calls_s if recent is not None else None,
        recent.median_ms if recent is not None else None,
        quota,
    )


def refused(holds: Sequence[Hold], connection: int) -> list[Hold]:
    """Holds because that connection lets us in no more."""
    return [each for each in holds if each.kind == "connection" and each.key == str(connection)]


def system_title(system: str) -> str:
    """`SAP S/4HANA`, or the name as it is configured where it is not installed."""
    try:
        return find_system(system).title
    except UnknownSystem:
        return system


def checked(result: Result) -> str:
    """What a synthetic check found, without when: `Test pair: order, document and stock came through`."""
    if not result.ok:
        return f"Test pair: it stopped at the {STEPS.get(result.failed_step, result.failed_step)}: {result.error}"
    steps = [STEPS.get(step.name, step.name) for step in result.steps if step.name != "heard"]
    listed = " and ".join(filter(None, (", ".join(steps[:-1]), steps[-1]))) if steps else "everything"
    return f"Test pair: {listed} came through"
