"""What is kept of deliveries that were not accepted: a count each, and an audit row now and then.

Whoever sends forgeries must not be able to fill the audit; the row says how many there were since the last one.
"""

import time
from dataclasses import dataclass

from ml_connector.engine.audit import Audit
from ml_connector.engine.metrics import Metrics

EVERY_S = 60.0
"""At most one audit row of a kind and connection in that time."""


@dataclass(slots=True)
class _Told:
    at: float
    unsaid: int = 0


class Refusals:
    def __init__(self, audit: Audit, metrics: Metrics) -> None:
        self._audit = audit
        self._metrics = metrics
        self._told: dict[tuple[int, str], _Told] = {}

    def refuse(self, connection: int, name: str, outcome: str, reason: str, sender: str) -> None:
        """`connection` 0 and `name` `unknown` where the address names none. `sender`: the peer of the socket."""
        self._metrics.intake(name, outcome)
        told = self._told.get((connection, outcome))
        now = time.monotonic()
        if told is not None and now - told.at < EVERY_S:
            told.unsaid += 1
            return
        since = told.unsaid if told is not None else 0
        self._told[connection, outcome] = _Told(now)
        self._audit.record(
            "intake_refused",
            connection=connection or None,
            data={"outcome": outcome, "reason": reason[:300], "sender": sender, "others_since_last_row": since},
        )
