"""One figure over time: how long a connection's calls take, how late a flow was, how much was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ml_connector.desk import wording
from ml_connector.desk.sides import system_title
from ml_connector.engine import connection_pulse, pulse
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Connection, Integration
from ml_connector.engine.views import counts

SPANS: Final[Mapping[int, str]] = {24: "24 hours", 168: "7 days"}
PARTS: Final[Mapping[int, int]] = {24: 288, 168: 336}
"""Hours -> points: five minutes each, or half an hour."""


@dataclass(frozen=True, slots=True)
class Metric:
    """`unit`: `s`, `ms`, `%`, `calls/s` or empty for a count. `about`: what one point says."""

    name: str
    title: str
    unit: str
    about: str


OF_CONNECTION: Final = (
    Metric("latency", "How long calls take", "ms", "the median of the calls in that time"),
    Metric("slowest", "Slow calls", "ms", "95 of 100 calls were quicker"),
    Metric("calls", "Calls a second", "calls/s", "the mean of that time"),
    Metric("quota", "Quota in use", "%", "the highest of that time, as the system told it"),
)
OF_FLOW: Final = (
    Metric("lag", "Lag", "s", "the age of the oldest change that waited, the highest of that time"),
    Metric("done", "Done per hour", "", "records that were done in that hour, and not again since"),
)


@dataclass(frozen=True, slots=True)
class Trend:
    """Points in time, oldest first; None: nothing is known. `budget`: what a value should stay below."""

    of: str
    metric: Metric
    hours: int
    points: Sequence[tuple[datetime, float | None]]
    budget: float | None = None

    @property
    def values(self) -> Sequence[float | None]:
        return [value for _, value in self.points]

    @property
    def highest(self) -> tuple[datetime, float] | None:
        known = [(at, value) for at, value in self.points if value is not None]
        return max(known, key=lambda point: point[1], default=None)

    @property
    def last(self) -> float | None:
        return next((value for _, value in reversed(self.points) if value is not None), None)


def metric_named(known: Sequence[Metric], name: str) -> Metric:
    """The first where there is none of that name."""
    return next((each for each in known if each.name == name), known[0])


async def of_connection(
    database: Database, integration: Integration, connection: Connection, metric: Metric, hours: int
) -> Trend:
    """Calls that were made for the integration."""
    since, parts = datetime.now(UTC) - timedelta(hours=hours), PARTS[hours]
    async with database.connect() as sql:
        found = await connection_pulse.trend(sql, integration.id, connection.id, since, parts)
    values = [None if each is None else _of(metric, each) for each in found]
    title = f"{connection.name}, {system_title(connection.system)}"
    return Trend(title, metric, hours, _timed(since, hours, values))


async def of_flow(database: Database, integration: Integration, flow: str, metric: Metric, hours: int) -> Trend:
    """A flow of an integration."""
    now, parts = datetime.now(UTC), PARTS[hours]
    title = f"{wording.flow_name(flow)} of {integration.name}"
    async with database.connect() as sql:
        if metric.name == "done":
            since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours - 1)
            done = (await counts.done_by_hour(sql, integration.id, since, hours)).get(flow, [0] * hours)
            return Trend(title, metric, hours, _timed(since, hours, [float(each) for each in done]))
        since = now - timedelta(hours=hours)
        lags = await pulse.lags(sql, integration.id, since, parts)
    values = list(lags[flow].points) if flow in lags else [None] * parts
    return Trend(title, metric, hours, _timed(since, hours, values), float(integration.latency_budget_s(flow)))


def _of(metric: Metric, point: connection_pulse.Point) -> float | None:
    match metric.name:
        case "slowest":
            return point.p95_ms
        case "calls":
            return point.calls_s
        case "quota":
            return None if point.quota_used is None else point.quota_used * 100
        case _:
            return point.median_ms


def _timed(since: datetime, hours: int, values: Sequence[float | None]) -> list[tuple[datetime, float | None]]:
    step = timedelta(hours=hours) / len(values)
    return [(since + step * index, value) for index, value in enumerate(values)]
