"""Is everything fine? What needs a person, five figures, and one row for each flow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.desk import formats, reconciliation, wording
from ml_connector.desk.sides import Side, refused, side, system_title
from ml_connector.engine import checks, connection_pulse, pulse
from ml_connector.engine.breaker import State as BreakerState
from ml_connector.engine.breaker import all_states
from ml_connector.engine.checks import Result
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Connection, Integration, Registry
from ml_connector.engine.views import counts, notes
from ml_connector.engine.views.counts import Hold, Standing
from ml_connector.reconcile.results import TieOutResult

__all__ = ["HOURS", "Overview", "Side", "midnight", "read", "system_title"]

HOURS = 24
POINTS = 36
NEEDS = 5


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a person must do. `state`: held or dead. `fact` in bold, `words` after it. `href`: where."""

    state: str
    fact: str
    words: str
    sums: Mapping[str, Decimal]
    verb: str
    href: str


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow of one integration. `budget_s`: how old the oldest waiting change may be."""

    flow: str
    standing: Standing
    budget_s: float
    today: int
    hours: Sequence[int]
    lag: pulse.Line
    last_done: datetime | None

    @property
    def late(self) -> bool:
        return self.standing.lag_s > self.budget_s


@dataclass(frozen=True, slots=True)
class IntegrationRow:
    integration: Integration
    store: Side
    erp: Side
    flows: Sequence[FlowRow]
    tie_out: TieOutResult | None
    zone: str
    check: Result | None = None

    @property
    def held(self) -> int:
        return sum(row.standing.held for row in self.flows)

    @property
    def dead(self) -> int:
        return sum(row.standing.dead for row in self.flows)

    @property
    def worst(self) -> str:
        """The state of the head: dead, waiting for a connection (open), held, late, or fine."""
        if self.dead:
            return "dead"
        if self.store.wants_somebody or self.erp.wants_somebody:
            return "open"
        return "held" if self.held else "late" if any(row.late for row in self.flows) else "fine"


@dataclass(frozen=True, slots=True)
class Figures:
    """`posted`: currency -> orders booked today and their totals. `median_s`, `p95_s`: of orders, from being heard of
    to booked. `held_sums` by currency. `tied_through`: the last day up to which everything ties."""

    posted: Mapping[str, tuple[int, Decimal]]
    median_s: float | None
    p95_s: float | None
    budget_s: float
    waiting: int
    oldest_s: float
    held: int
    held_sums: Mapping[str, Decimal]
    reasons: int
    tied: TieOutResult | None
    last_booked: datetime | None

    @property
    def orders(self) -> int:
        return sum(count for count, _ in self.posted.values())


@dataclass(frozen=True, slots=True)
class Overview:
    rows: Sequence[IntegrationRow]
    needs: Sequence[Need]
    rest: Sequence[Need]
    figures: Figures
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def rest_sums(self) -> Mapping[str, Decimal]:
        return added(need.sums for need in self.rest)

    @property
    def late(self) -> Sequence[tuple[str, FlowRow]]:
        return [(row.integration.name, flow) for row in self.rows for flow in row.flows if flow.late]

    @property
    def open_sides(self) -> Sequence[Side]:
        """Connections that do not answer or let us in no more; those first, for they do not mend themselves."""
        found = [side for row in self.rows for side in (row.store, row.erp) if side.wants_somebody]
        return sorted(found, key=lambda side: side.state != "unauthorised")


async def read(database: Database, registry: Registry, only: str = "") -> Overview:
    """Of all active integrations, or of the one named `only`."""
    integrations = [each for each in await registry.integrations() if only in ("", each.name)]
    connections = {each.id: each for each in await registry.connections()}
    ids = [each.id for each in integrations]
    ties = {each.integration: each for each in await reconciliation.standing(database)}
    async with database.connect() as sql:
        standing = await counts.standing(sql, ids)
        held = await counts.holds(sql, ids)
        dead = await counts.dead(sql, ids)
        breakers = await all_states(sql)
        zones = await notes.zones(sql)
        rows = [
            await _row(sql, each, connections, standing, breakers, held, ties.get(each.id), zones.get(each.id, "UTC"))
            for each in integrations
        ]
        figures = await _figures(sql, rows, held, standing)
    needs = _needs(rows, held, dead)
    return Overview(rows, needs[:NEEDS], needs[NEEDS:], figures)


async def _row(
    sql: AsyncConnection,
    integration: Integration,
    connections: Mapping[int, Connection],
    standing: Mapping[tuple[int, str], Standing],
    breakers: Mapping[int, BreakerState],
    held: Sequence[Hold],
    tie: TieOutResult | None,
    zone: str,
) -> IntegrationRow:
    now = datetime.now(UTC)
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    flows = [name for name, settings in integration.flows.items() if settings.enabled]
    hours = await counts.done_by_hour(sql, integration.id, since, HOURS)
    today = await counts.today(sql, integration.id, midnight(zone, now))
    lags = await pulse.lags(sql, integration.id, now - timedelta(hours=HOURS), POINTS)
    last = await counts.last_done(sql, integration.id, flows, now - timedelta(days=30))
    recent = await connection_pulse.recent(sql, integration.id)
    check = await checks.last(sql, integration.id)
    mine = [each for each in held if each.integration == integration.id]

    def side_of(id: int) -> Side:
        return side(connections[id], breakers.get(id), recent.get(id), refused(mine, id))

    return IntegrationRow(
        integration,
        side_of(integration.store),
        side_of(integration.erp),
        [
            FlowRow(
                flow,
                standing.get((integration.id, flow), Standing()),
                float(integration.latency_budget_s(flow)),
                today[flow].done if flow in today else 0,
                hours.get(flow, [0] * HOURS),
                lags.get(flow, pulse.Line((None,) * POINTS)),
                last.get(flow),
            )
            for flow in flows
        ],
        tie,
        zone,
        check,
    )


async def _figures(
    sql: AsyncConnection,
    rows: Sequence[IntegrationRow],
    held: Sequence[Hold],
    standing: Mapping[tuple[int, str], Standing],
) -> Figures:
    posted: dict[str, tuple[int, Decimal]] = {}
    medians: list[counts.Today] = []
    for row in rows:
        begun = midnight(row.zone, datetime.now(UTC))
        for currency, (count, total) in (await counts.posted(sql, row.integration.id, begun)).items():
            before = posted.get(currency, (0, Decimal(0)))
            posted[currency] = (before[0] + count, before[1] + total)
        medians += [
            today for flow, today in (await counts.today(sql, row.integration.id, begun)).items() if flow == "orders"
        ]
    busiest = max(medians, key=lambda each: each.done, default=None)
    mine = [each for each in held if ":" not in each.flow]
    return Figures(
        posted,
        busiest.median_s if busiest else None,
        busiest.p95_s if busiest else None,
        min((float(row.integration.latency_budget_s("orders")) for row in rows), default=0.0),
        sum(each.waiting for (_, flow), each in standing.items() if ":" not in flow),
        max((each.lag_s for (_, flow), each in standing.items() if ":" not in flow), default=0.0),
        sum(each.count for each in mine),
        added(each.sums for each in mine),
        len({(each.integration, each.kind, each.key) for each in mine}),
        min((row.tie_out for row in rows if row.tie_out), key=lambda tie: tie.last, default=None),
        max(
            (flow.last_done for row in rows for flow in row.flows if flow.flow == "orders" and flow.last_done),
            default=None,
        ),
    )


def _needs(rows: Sequence[IntegrationRow], held: Sequence[Hold], dead: Sequence[counts.Dead]) -> list[Need]:
    """What must be done by a person: those with most money first; what we gave up and what does not tie among them."""
    by_id = {row.integration.id: row for row in rows}
    found: list[Need] = []
    for hold in held:
        erp = by_id[hold.integration].erp.title
        things = f"{formats.grouped(hold.count)} {wording.thing(hold.flow, hold.count)}"
        wait = "waits" if hold.count == 1 else "wait"
        found.append(
            Need(
                "held",
                f"{things} {wait}.",
                f"{wording.title(hold.kind, hold.key, erp)}.",
                hold.sums,
                wording.verb(hold.kind, hold.key),
                wording.hold_href(hold.integration, hold.kind, hold.key),
            )
        )
    found += [
        Need(
            "dead",
            f"{wording.called(each.flow, each.title)} was given up.",
            each.message,
            {each.currency: each.total} if each.currency and each.total is not None else {},
            "Open",
            wording.record_href(each.integration, each.flow, each.key),
        )
        for each in dead
    ]
    for row in rows:
        tie = row.tie_out
        if tie is not None and not tie.ties:
            count = f"{tie.differences} difference{'s' if tie.differences != 1 else ''}"
            found.append(
                Need(
                    "dead",
                    f"{formats.month_day(tie.first)} to {formats.month_day(tie.last)} does not tie.",
                    f"{count} between {row.store.title} and {row.erp.title}.",
                    {currency: value for currency, value in tie.by_currency.items() if value},
                    "Look at it",
                    f"/reconciliation?integration={row.integration.name}",
                )
            )
    return sorted(found, key=lambda need: -max((abs(value) for value in need.sums.values()), default=Decimal(0)))


def midnight(zone: str, now: datetime) -> datetime:
    """When the day of the store began."""
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        where = ZoneInfo("UTC")
    return now.astimezone(where).replace(hour=0, minute=0, second=0, microsecond=0)


def added(many: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Sums by currency, never across."""
    total: dict[str, Decimal] = {}
    for sums in many:
        for currency, value in sums.items():
            total[currency] = total.get(currency, Decimal(0)) + value
    return total
