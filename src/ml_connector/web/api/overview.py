"""`GET /overview`: is everything fine?"""

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import overview
from ml_connector.desk.overview import FlowRow, IntegrationRow, Need, Side
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
    state: str = Field(examples=["ok"], description="`ok`, or `open`: its breaker is, nothing is sent to it now.")
    sandbox: bool


class TieOutShown(BaseModel):
    """The last reconciliation."""

    first: date
    last: date
    ties: bool
    differences: int
    amounts: list[Amount] = Field(description="What differs, by currency.")


class IntegrationStands(BaseModel):
    """How an integration stands."""

    integration: str = Field(examples=["eu"])
    state: str = Field(examples=["fine"], description="The worst of it: `dead`, `open`, `held`, `late` or `fine`.")
    store: SideShown
    erp: SideShown
    flows: list[FlowShown]
    tie_out: TieOutShown | None


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
    )


def _side(side: Side) -> SideShown:
    return SideShown(connection=side.name, system=side.title, state=side.state, sandbox=side.sandbox)


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
