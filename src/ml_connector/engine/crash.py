"""Named crash points: the places where tests kill or stop a real process (`docs/exactly-once.md`, section 4).

A point does nothing unless the environment says so:

    ML_CONNECTOR_CRASH="<point>[#nth][@key-regex]:kill|stop|exit[;...]"
    ML_CONNECTOR_CRASH_LOG=/path

`kill` is SIGKILL, `stop` is SIGSTOP (the process goes on after SIGCONT), `exit` ends with status 70 and no clean-up.
`#nth`: at the nth time that the point is reached with a matching key (1 is the first, and the default). `@key-regex`:
only for a key in which the expression is found. What happened is appended to the log before it happens, as a line of
JSON, so that a test knows that the process died there and nowhere else.
"""

import json
import os
import re
import signal
import time
from dataclasses import dataclass
from typing import Literal

_VARIABLE = "ML_CONNECTOR_CRASH"
_LOG_VARIABLE = "ML_CONNECTOR_CRASH_LOG"
EXIT_STATUS = 70

POINTS = frozenset(
    {
        *("intake.commit.b", "intake.commit.a", "notify.a"),
        *("claim.commit.b", "claim.commit.a"),
        *("resolve.look_up.b", "resolve.look_up.a", "resolve.commit.b", "resolve.commit.a"),
        *("source.read.a", "plan.a"),
        *("posting.planned.b", "posting.planned.a", "look_up.a", "sending.commit.b", "sending.commit.a"),
        *("again.commit.b", "again.commit.a"),
        *("send.connected", "send.half_body", "send.body_out", "answer.read"),
        *("posted.commit.b", "posted.commit.a", "rejected.commit.b", "rejected.commit.a"),
        *("uncertain.commit.b", "uncertain.commit.a", "unsent.commit.b", "unsent.commit.a"),
        *("batch.cas.a", "batch.answer.half", "doc1.posted.a", "reversal.posted.a"),
        *("count.b", "count.a", "login.a", "session.store.b"),
        *("finish.commit.b", "finish.commit.a", "hold.commit.b", "fail.commit.b"),
        *("release.commit.b", "release.commit.a", "renew.b", "sweep.commit.b", "sweep.commit.a"),
        *("approve.commit.b", "approve.commit.a"),
        *("watermark.commit.b", "watermark.commit.a", "tie_out.commit.b", "tie_out.commit.a"),
    }
)
"""Every point. `erp.committed` (the target has committed, its answer is not out) lies in the sandbox, as a fault."""

_RULE = re.compile(r"(?P<point>[a-z_0-9.]+)(#(?P<nth>\d+))?(@(?P<key>.+?))?:(?P<action>kill|stop|exit)")


@dataclass(slots=True)
class _Rule:
    point: str
    nth: int
    key: re.Pattern[str] | None
    action: Literal["kill", "stop", "exit"]
    seen: int = 0

    def fires(self, key: str) -> bool:
        if self.key is not None and not self.key.search(key):
            return False
        self.seen += 1
        return self.seen == self.nth


def parse(text: str) -> dict[str, list[_Rule]]:
    """The rules by point. Raises ValueError for a rule or a point that does not exist: a test must not pass by typo."""
    rules: dict[str, list[_Rule]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _RULE.fullmatch(part)
        if match is None:
            raise ValueError(f"{_VARIABLE}: {part!r} is not <point>[#nth][@key-regex]:kill|stop|exit")
        point = match["point"]
        if point not in POINTS:
            raise ValueError(f"{_VARIABLE}: there is no point {point!r}")
        pattern = re.compile(match["key"]) if match["key"] else None
        action = match["action"]
        assert action in ("kill", "stop", "exit")
        rules.setdefault(point, []).append(_Rule(point, int(match["nth"] or 1), pattern, action))
    return rules


_rules = parse(os.environ.get(_VARIABLE, ""))


async def point(name: str, key: str = "") -> None:
    """This place has been reached, by the record or batch `key`. Awaitable, so that it fits the connectors' `Trace`."""
    if _rules:
        here(name, key)


def here(name: str, key: str = "") -> None:
    """The same for code that is not asynchronous."""
    for rule in _rules.get(name, ()):
        if rule.fires(key):
            _act(rule, key)


def _act(rule: _Rule, key: str) -> None:
    _log({"point": rule.point, "key": key, "action": rule.action, "pid": os.getpid(), "at": time.time()})
    if rule.action == "exit":
        os._exit(EXIT_STATUS)
    os.kill(os.getpid(), signal.SIGKILL if rule.action == "kill" else signal.SIGSTOP)


def _log(entry: dict[str, object]) -> None:
    path = os.environ.get(_LOG_VARIABLE)
    if not path:
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, (json.dumps(entry) + "\n").encode())
        os.fsync(fd)
    finally:
        os.close(fd)
