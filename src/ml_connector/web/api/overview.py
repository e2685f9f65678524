"""`GET /overview`: is everything fine?"""

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import overview
from ml_connector.desk.overview import FlowRow, IntegrationRow, Need
from ml_connector.desk.sides import Side, checked
from ml_connector.engine.checks import Result
from ml_connector.reconcile.results import TieOutResult
from ml_connector.web.api.parts import Looks, api_of
from ml_connector.web.api.shapes import Amount, Typed, amounts

router = APIRouter(tags=["overview"])


class NeedShown(BaseModel):
    """Something that a person must do."""

    state: str = Field(examples=["held"], description="`held` or `dead`.")
    fact: str = Field(examples=["14 orders wait."])
    words: str = Field(examples=["Payment method “Later&Co” has no account in SAP S/4HANA."])
    amounts: list[Amount]
    page: str = Field(description="Path of the console's page about it.", examples=["/records/1/orders/1042"])


class FlowShown(BaseModel):
    """How a flow of an integration stands."""

    flow: str = Field(examples=["orders"])
    waiting: int
    held: int
    dead: int
    lag_s: float = Field(description="Age of the oldest change that waits for us, in seconds.", examples=[1.5])
    budget_s: float = Field(description="How old it may be, in seconds.", examples=[120.0])
    late: bool
    done_today: int
    last_done: datetime | None


class SideShown(BaseModel):
    """A connection of an integration."""

    connection: str = Field(examples=["web-store"])
    system: str = Field(examples=["SAP S/4HANA Cloud"])
    state: str = Field(
        examples=["ok"],
        description="`ok`; `paced`: near its quota; `open`: it does not answer, nothing is sent now; `unauthorised`: "
        "it lets us in no more.",
    )
    since: datetime | None = Field(description="When that began; none where it is `ok` or not known.")
    waiting: int = Field(description="Records that wait because it lets us in no more.")
    calls_per_s: float | None = Field(description="Of the last minutes; none where no worker has run.")
    median_ms: float | None
    quota_used: float | None = Field(description="0 to 1; none where the system tells none.", examples=[0.42])
    sandbox: bool


class TieOutShown(BaseModel):
    """The last reconciliation."""

    first: date
    last: date
    ties: bool
    differences: int
    amounts: list[Amount] = Field(description="What differs, by currency.")


class CheckShown(BaseModel):
    """The last synthetic check."""

    at: datetime
    ok: bool
    took_s: float
    words: str = Field(examples=["Test pair: order, document, post-back and stock came through"])


class IntegrationStands(BaseModel):
    """How an integration stands."""

    integration: str = Field(examples=["eu"])
    state: str = Field(
        examples=["fine"], description="The worst: `dead`, `open` (a connection), `held`, `late` or `fine`."
    )
    store: SideShown
    erp: SideShown
    flows: list[FlowShown]
    tie_out: TieOutShown | None
    check: CheckShown | None


class OverviewShown(BaseModel):
    """Everything at one moment."""

    at: datetime
    needs: list[NeedShown] = Field(description="What a person must do, those with most money first.")
    integrations: list[IntegrationStands]
    orders_today: int = Field(description="Orders of which something was booked today.")
    booked_today: list[Amount]
    waiting: int
    oldest_s: float = Field(description="Age of the oldest change that waits, in seconds.")
    held: int
    held_amounts: list[Amount]
    median_s: float | None = Field(description="Of today's orders, from being heard of to booked, in seconds.")
    p95_s: float | None


@router.get("/overview", operation_id="overview")
async def show(request: Request, person: Looks, integration: Typed = "") -> OverviewShown:
    """Is everything fine? Of all integrations, or of one."""
    api = api_of(request)
    await api.scope(integration)
    found = await overview.read(api.database, api.registry, integration)
    figures = found.figures
    return OverviewShown(
        at=found.at,
        needs=[_need(each) for each in (*found.needs, *found.rest)],
        integrations=[_integration(each) for each in found.rows],
        orders_today=figures.orders,
        booked_today=amounts({currency: total for currency, (_, total) in figures.posted.items()}),
        waiting=figures.waiting,
        oldest_s=figures.oldest_s,
        held=figures.held,
        held_amounts=amounts(figures.held_sums),
        median_s=figures.median_s,
        p95_s=figures.p95_s,
    )


def _need(need: Need) -> NeedShown:
    return NeedShown(
        state=need.state, fact=need.fact, words=need.words, amounts=amounts(need.sums), page=need.href
    )  # fmt: skip


def _integration(row: IntegrationRow) -> IntegrationStands:
    return IntegrationStands(
        integration=row.integration.name,
        state=row.worst,
        store=_side(row.store),
        erp=_side(row.erp),
        flows=[_flow(each) for each in row.flows],
        tie_out=_tie_out(row.tie_out) if row.tie_out else None,
        check=_check(row.check) if row.check else None,
    )


def _check(found: Result) -> CheckShown:
    return CheckShown(at=found.at, ok=found.ok, took_s=found.took_s, words=checked(found))


def _side(side: Side) -> SideShown:
    return SideShown(
        connection=side.name,
        system=side.title,
        state=side.state,
        since=side.since,
        waiting=side.waiting,
        calls_per_s=side.calls_s,
        median_ms=side.median_ms,
        quota_used=side.quota_used,
        sandbox=side.sandbox,
    )


def _flow(row: FlowRow) -> FlowShown:
    return FlowShown(
        flow=row.flow,
        waiting=row.standing.waiting,
        held=row.standing.held,
        dead=row.standing.dead,
        lag_s=row.standing.lag_s,
        budget_s=row.budget_s,
        late=row.late,
        done_today=row.today,
        last_done=row.last_done,
    )


def _tie_out(tie: TieOutResult) -> TieOutShown:
    return TieOutShown(
        first=tie.first, last=tie.last, ties=tie.ties, differences=tie.differences, amounts=amounts(tie.by_currency)
    )
