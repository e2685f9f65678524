"""A record's steps as a person reads them: what one run read of one system is one line, its calls folded beneath."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ml_connector.desk.record import Step
from ml_connector.desk.sides import system_title


@dataclass(frozen=True, slots=True)
class Line:
    """`calls`: what is folded into the step, newest first; empty where it stands for itself."""

    step: Step
    calls: Sequence[Step] = ()


def folded(steps: Sequence[Step]) -> list[Line]:
    """In the order of `steps`. Only answered reads are folded: what was sent, and what went wrong, is seen."""
    lines: list[Line] = []
    for which, group in groupby(steps, _reading):
        found = list(group)
        if which is None or len(found) == 1:
            lines += [Line(step) for step in found]
            continue
        spent = sum(step.seconds or 0.0 for step in found)
        words = f"{len(found)} calls, each answered"
        title = f"Read from {system_title(which[1])}"
        lines.append(Line(replace(found[0], title=title, words=words, seconds=spent, payload=None), found))
    return lines


def _reading(step: Step) -> tuple[str, str] | None:
    """Correlation and system of a call that only read, and was answered."""
    call = step.payload
    if call is None or call.method not in ("GET", "HEAD") or step.state != "synced":
        return None
    return step.correlation, call.system
