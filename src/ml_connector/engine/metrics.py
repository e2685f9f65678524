"""Prometheus metrics. What is true of the whole installation is read from the database at the scrape, so that any
process can answer for all; what happens in a process (calls, outcomes, intake) is counted there.

Labels are names of a small set (systems, connections, flows, kinds of outcome), never keys or references.
"""

import time
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import text

from ml_connector.connectors.base import Call
from ml_connector.engine.database import Database
from ml_connector.engine.status import depths

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_READ_AT_MOST_EVERY_S = 5.0
_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)
_BREAKER: Final = {"closed": 0, "half_open": 1, "open": 2}

CONNECTIONS = text(
    """
    SELECT c.name, coalesce(b.state, 'closed') AS breaker, l.quota, l.paused_until > statement_timestamp() AS paused
      FROM connections c LEFT JOIN breakers b USING (connection) LEFT JOIN limits l USING (connection)
    """
)

INTEGRATIONS = text("SELECT integration, name FROM integrations")

TIE_OUTS = text("SELECT integration, value -> 'last' AS last FROM watermarks WHERE flow = 'system:reconcile'")

OPEN_POSTINGS = text(
    """
    SELECT integration, state, count(*) AS n FROM postings WHERE state IN ('sending', 'uncertain')
     GROUP BY integration, state
    """
)


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        new = self.registry
        flow = ("integration", "flow")
        self._records = Gauge(
            "ml_connector_records",
            "Records by status; held and dead ones need a person",
            (*flow, "status"),
            registry=new,
        )
        self._due = Gauge("ml_connector_records_due", "Records that could run now (depth)", flow, registry=new)
        self._lag = Gauge(
            "ml_connector_lag_seconds", "Time since the oldest unfinished record was heard of", flow, registry=new
        )
        self._done = Gauge(
            "ml_connector_last_success_timestamp_seconds", "When a record was last done", flow, registry=new
        )
        self._open = Gauge(
            "ml_connector_postings_open",
            "Documents whose outcome is not known yet",
            ("integration", "state"),
            registry=new,
        )
        self._breaker = Gauge(
            "ml_connector_breaker_state", "0 closed, 1 probing, 2 open", ("connection",), registry=new
        )
        self._ties = Gauge(
            "ml_connector_tie_out_ties", "1 if the last nightly reconciliation tied", ("integration",), registry=new
        )
        self._tied_at = Gauge(
            "ml_connector_tie_out_timestamp_seconds", "When it began", ("integration",), registry=new
        )  # fmt: skip
        self._off = Gauge(
            "ml_connector_tie_out_difference",
            "Sum of absolute differences between store and ERP",
            ("integration", "currency"),
            registry=new,
        )
        self._paused = Gauge(
            "ml_connector_connection_paused", "1 while the system asked to wait", ("connection",), registry=new
        )
        self._quota_left = Gauge("ml_connector_quota_left", "Calls left, as last told", ("connection",), registry=new)
        self._quota_limit = Gauge("ml_connector_quota_limit", "Calls per window", ("connection",), registry=new)
        self._up = Gauge("ml_connector_database_up", "1 if the last scrape could read the database", registry=new)
        self._calls = Histogram(
            "ml_connector_call_seconds",
            "Calls to other systems; status 0: no answer",
            ("system", "connection", "status"),
            buckets=_BUCKETS,
            registry=new,
        )
        self._outcomes = Counter("ml_connector_outcomes", "How runs of records ended", (*flow, "outcome"), registry=new)
        self._intake = Counter(
            "ml_connector_intake", "Webhook deliveries: accepted, or why not", ("connection", "outcome"), registry=new
        )
        self._read_at = float("-inf")

    # ------------------------------------------------------------------ what happens

    def call(self, system: str, connection: str, call: Call) -> None:
        """A call to another system."""
        self._calls.labels(system, connection, str(call.status or 0)).observe(call.duration_s)

    def outcome(self, integration: str, flow: str, outcome: str) -> None:
        """How a record's run ended: `synced`, `held`, `retry`, `again`, `dead`, `excluded`."""
        self._outcomes.labels(integration, flow, outcome).inc()

    def intake(self, connection: str, outcome: str) -> None:
        """A webhook delivery: `accepted`, `repeated`, `forged`, `oversized`, `malformed`."""
        self._intake.labels(connection, outcome).inc()

    # ------------------------------------------------------------------ what is

    async def refresh(self, db: Database) -> None:
        """Reads what the database knows, at most every few seconds. Raises `SQLAlchemyError`."""
        if time.monotonic() - self._read_at < _READ_AT_MOST_EVERY_S:
            return
        self._read_at = time.monotonic()
        self._up.set(0)
        async with db.connect() as sql:
            names = {row.integration: row.name for row in await sql.execute(INTEGRATIONS)}
            connections = (await sql.execute(CONNECTIONS)).all()
            postings = (await sql.execute(OPEN_POSTINGS)).all()
            nights = (await sql.execute(TIE_OUTS)).all()
        lanes = await depths(db)
        for gauge in (self._records, self._due, self._lag, self._done, self._open, self._breaker, self._paused):
            gauge.clear()
        for gauge in (self._ties, self._tied_at, self._off):
            gauge.clear()
        for night in nights:
            if night.last:
                name = names.get(night.integration, str(night.integration))
                self._ties.labels(name).set(int(night.last["ties"]))
                self._tied_at.labels(name).set(datetime.fromisoformat(night.last["at"]).timestamp())
                for currency, amount in night.last["by_currency"].items():
                    self._off.labels(name, currency).set(float(amount))
        for lane in lanes:
            name = names.get(lane.integration, str(lane.integration))
            for status, count in lane.by_status.items():
                self._records.labels(name, lane.flow, status).set(count)
            self._due.labels(name, lane.flow).set(lane.due)
            self._lag.labels(name, lane.flow).set(lane.lag_s)
            if lane.last_done_at is not None:
                self._done.labels(name, lane.flow).set(lane.last_done_at.timestamp())
        for row in postings:
            self._open.labels(names.get(row.integration, str(row.integration)), row.state).set(row.n)
        for row in connections:
            self._breaker.labels(row.name).set(_BREAKER[row.breaker])
            self._paused.labels(row.name).set(int(bool(row.paused)))
            if row.quota is not None:
                self._quota_left.labels(row.name).set(int(row.quota["left"]))
                self._quota_limit.labels(row.name).set(int(row.quota["limit"]))
        self._up.set(1)

    def render(self) -> bytes:
        """The text format, `CONTENT_TYPE`."""
        return generate_latest(self.registry)


metrics = Metrics()
"""Of this process."""
