"""Prometheus metrics. What is true of the whole installation is read from the database at the scrape, so that any
process can answer for all; what happens in a process (calls, outcomes, intake) is counted there.

Labels are names of a small set (systems, connections, flows, kinds of outcome), never keys or references.
"""

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from ml_connector.connectors.base import Call
from ml_connector.engine.database import Database
from ml_connector.engine.registry import read_integrations
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

CHAINS = text(
    """
    SELECT w.integration, w.value #>> '{head,number}' AS number, w.value #>> '{seen,found,kind}' AS found,
           extract(epoch FROM s.sealed_at)::float8 AS sealed_at
      FROM watermarks w LEFT JOIN audit_seals s
        ON s.integration = w.integration AND s.number = CAST(w.value #>> '{head,number}' AS bigint)
     WHERE w.flow = 'system:seal'
    """
)

ALERTS = text(
    "SELECT integration, rule, state, count(*) AS n FROM alert_states WHERE state <> 'recovered' GROUP BY 1, 2, 3"
)

CHECKS = text("SELECT integration, value -> 'last' AS last FROM watermarks WHERE flow = 'system:check'")

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
        self._budget = Gauge(
            "ml_connector_latency_budget_seconds", "Within which a change of the flow is to be done", flow, registry=new
        )
        self._sealed = Gauge(
            "ml_connector_audit_seal_number", "Number of the last seal of the audit", ("integration",), registry=new
        )
        self._sealed_at = Gauge(
            "ml_connector_audit_sealed_timestamp_seconds", "When it was made", ("integration",), registry=new
        )
        self._broken = Gauge(
            "ml_connector_audit_broken",
            "1 if a row of the audit is not as it was sealed",
            ("integration",),
            registry=new,
        )
        self._alerts = Gauge(
            "ml_connector_alerts", "What is wrong now, by rule", ("integration", "rule", "state"), registry=new
        )
        self._check_ok = Gauge(
            "ml_connector_check_ok", "1 if the last synthetic check came through", ("integration",), registry=new
        )
        self._check_s = Gauge("ml_connector_check_seconds", "How long it took", ("integration",), registry=new)
        self._check_at = Gauge("ml_connector_check_timestamp_seconds", "When it began", ("integration",), registry=new)
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
        self._runs = Histogram(
            "ml_connector_run_seconds", "Runs of a batch of records, by flow", flow, buckets=_BUCKETS, registry=new
        )
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

    def run(self, integration: str, flow: str, duration_s: float) -> None:
        """A run of a batch."""
        self._runs.labels(integration, flow).observe(duration_s)

    def intake(self, connection: str, outcome: str) -> None:
        """A webhook delivery: `accepted`, `repeated`, `forged`, `oversized`, `malformed`."""
        self._intake.labels(connection, outcome).inc()

    # ------------------------------------------------------------------ what is

    async def try_refresh(self, db: Database, *, within_s: float) -> None:
        """As `refresh`; without the database, what this process knows and `ml_connector_database_up 0`."""
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            async with asyncio.timeout(within_s):
                await self.refresh(db)

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
            chains = (await sql.execute(CHAINS)).all()
            wrong = (await sql.execute(ALERTS)).all()
            checks = (await sql.execute(CHECKS)).all()
            configured = await read_integrations(sql)
        lanes = await depths(db)
        for gauge in (self._records, self._due, self._lag, self._done, self._open, self._breaker, self._paused):
            gauge.clear()
        for gauge in (self._ties, self._tied_at, self._off):
            gauge.clear()
        more = (self._budget, self._sealed, self._sealed_at, self._broken, self._alerts)
        for gauge in (*more, self._check_ok, self._check_s, self._check_at):
            gauge.clear()
        for integration in configured:
            for flow, settings in integration.flows.items() if integration.active else ():
                if settings.enabled:
                    self._budget.labels(integration.name, flow).set(integration.latency_budget_s(flow))
        for chain in chains:
            name = names.get(chain.integration, "none")
            self._sealed.labels(name).set(int(chain.number or 0))
            self._broken.labels(name).set(int(chain.found is not None))
            if chain.sealed_at is not None:
                self._sealed_at.labels(name).set(chain.sealed_at)
        for row in wrong:
            self._alerts.labels(names.get(row.integration, "none"), row.rule, row.state).set(row.n)
        for row in checks:
            if row.last:
                name = names.get(row.integration, str(row.integration))
                self._check_ok.labels(name).set(int(row.last["ok"]))
                self._check_s.labels(name).set(row.last["took_ms"] / 1000)
                self._check_at.labels(name).set(datetime.fromisoformat(row.last["at"]).timestamp())
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
