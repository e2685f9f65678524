"""`/plans`: what exactly would be booked? Plans are made, read and applied as in the console."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field, model_validator
from starlette.requests import Request

from ml_connector.desk import plan_papers, plans
from ml_connector.desk.actions import Refused
from ml_connector.desk.plan_papers import Read, Shown
from ml_connector.desk.plans import Asked
from ml_connector.domain.access import Person, Right
from ml_connector.engine.plans import LARGEST, Order, Plan, latest
from ml_connector.web.access import requires
from ml_connector.web.api.parts import Api, Looks, api_of
from ml_connector.web.api.problems import Refusal, bad_cursor
from ml_connector.web.api.shapes import PAGE, Amount, Cursor, Limit, Name, Typed, Words, amount, amounts

router = APIRouter(prefix="/plans", tags=["plans"])
Plans = Annotated[Person, Depends(requires(Right.plan))]
Applies = Annotated[Person, Depends(requires(Right.apply))]
Number = Annotated[str, Field(pattern=r"^[0-9]{1,18}$", examples=["1042"])]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 12, 31), examples=["2026-11-20"])]
Id = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[22])]


class Make(BaseModel):
    """Which orders: their numbers; or days of the store, both included; or a status; or both of these."""

    integration: Name = Field(examples=["eu"])
    orders: list[Number] = Field(default=[], max_length=LARGEST, examples=[["1042", "1043"]])
    by: Literal["ordered", "changed"] = Field(default="ordered", description="With days: which of an order's two.")
    first: Day | None = None
    last: Day | None = None
    status: Literal["waiting", "held", "dead", "excluded", "synced"] | None = None
    backfill: bool = Field(default=False, description="Orders from before the cut-over are planned too.")

    drafted: bool = Field(default=False, description="By your draft of the mapping; such a plan is never applied.")

    @model_validator(mode="after")
    def _says_which(self) -> "Make":
        if not (self.orders or self.first or self.last or self.status):
            raise ValueError("Say which orders: their numbers, days, or a status.")
        return self


class Apply(BaseModel):
    """A note that stays with the plan and in the audit."""

    comment: Words = Field(default="", examples=["agreed with Dana"])


class LineShown(BaseModel):
    """A line. Debit or credit in a journal; quantity, price and amount in a sales document."""

    sign: Literal["", "added", "removed"] = Field(description="Against what the document takes the place of.")
    account: str = Field(examples=["12540000"])
    called: str = Field(examples=["Card clearing"], description="Its name in the ERP, or else what it is for.")
    text: str
    debit: str | None
    credit: str | None
    quantity: str | None
    price: str | None
    amount: str | None


class DocumentShown(BaseModel):
    """A document as it would be sent."""

    act: Literal["create", "update", "reverse", "right"] = Field(description="`right`: it stands, nothing is sent.")
    title: str = Field(examples=["Journal entry"])
    reference: str = Field(examples=["S1-O1042"])
    stands: str = Field(examples=["not in the ERP"])
    posting_date: date
    total: Amount | None
    lines: list[LineShown]


class OrderShown(BaseModel):
    """An order of the plan. `state`, `words`, `result`: once the plan was applied."""

    key: str
    title: str
    total: Amount | None
    outcome: Literal["documents", "held", "excluded", "unknown"]
    code: str = Field(examples=["unmapped"], description="Why it is held or left out.")
    about: str
    message: str
    uncertain: list[str] = Field(description="References whose outcome was not known; they are looked up first.")
    documents: list[DocumentShown]
    state: str = Field(examples=["synced"])
    words: str
    result: Literal["", "booked", "changed", "stopped"]


class PlanShown(BaseModel):
    """A plan without its orders."""

    integration: str = Field(examples=["eu"])
    plan: int = Field(examples=[22])
    asked: str = Field(examples=["Held orders"])
    made_at: datetime
    made_by: str = Field(examples=["user:dana"])
    mapping_version: int
    policy_version: int
    backfill: bool
    drafted: bool
    counts: dict[str, int] = Field(description="Orders, those to post, held, excluded, unknown; documents by act.")
    totals: list[Amount] = Field(description="Of the orders of which something would be posted, by currency.")
    applied_at: datetime | None
    applied_by: str
    comment: str


class PlanRead(PlanShown):
    """A plan with its orders and their documents. `progress`: once it was applied."""

    orders: list[OrderShown]
    progress: str = Field(examples=["21 booked, 2 changed since and were left out"])
    done: bool = Field(description="It was applied, and every order of it has come to rest.")


class PlanPage(BaseModel):
    """Newest first. `next`: send it as `after`; none at the end."""

    plans: list[PlanShown]
    next: str | None


@router.get("", operation_id="plans")
async def find(
    request: Request, person: Looks, integration: Typed = "", after: Cursor = "", limit: Limit = PAGE
) -> PlanPage:
    """The plans that were made."""
    api = api_of(request)
    scope = await api.scope(integration)
    if after and not (after.isascii() and after.isdecimal() and 0 < int(after[:12]) < 2**31):
        raise bad_cursor()
    async with api.database.connect() as sql:
        found = await latest(sql, scope.ids, after=int(after or 0), limit=limit + 1)
    mine = found[:limit]
    shown = [PlanShown(**_facts(each, scope.names[each.integration])) for each in mine]
    return PlanPage(plans=shown, next=str(mine[-1].id) if len(found) > limit else None)


@router.post("", operation_id="make_plan")
async def make(request: Request, body: Make, person: Plans) -> PlanRead:
    """Reads the orders from the store and plans them. Nothing is sent. 409 where the store or the ERP does not answer,
    or where no order is like that."""
    api = api_of(request)
    one = await api.one(body.integration)
    asked = Asked(body.orders, body.by, body.first, body.last, body.status or "", body.backfill, body.drafted)
    try:
        plan = await plans.make(api.runtime, one.id, asked)
    except Refused as error:
        raise Refusal(409, str(error)) from error
    return await _read(api, one.id, one.name, plan)


@router.get("/{integration}/{plan}", operation_id="plan")
async def read(request: Request, integration: Annotated[Name, Path()], plan: Id, person: Looks) -> PlanRead:
    """One plan with its documents, and how it goes on once it was applied."""
    api = api_of(request)
    one = await api.one(integration)
    return await _read(api, one.id, one.name, plan)


@router.post("/{integration}/{plan}/apply", operation_id="apply_plan")
async def apply(
    request: Request, integration: Annotated[Name, Path()], plan: Id, body: Apply, person: Applies
) -> PlanRead:
    """Workers post exactly what the plan shows; an order that has changed since is left out. To apply it again changes
    nothing."""
    api = api_of(request)
    one = await api.one(integration)
    await _read(api, one.id, one.name, plan)
    try:
        await plans.apply(api.database, one, plan, person, comment=body.comment.strip())
    except Refused as error:
        raise Refusal(409, str(error)) from error
    return await _read(api, one.id, one.name, plan)


async def _read(api: Api, integration: int, name: str, plan: int) -> PlanRead:
    found = await plan_papers.read(api.database, integration, plan)
    if found is None:
        raise Refusal(404, f"There is no plan {plan} of {name}.")
    return PlanRead(
        **_facts(found.plan, name),
        orders=_orders(found),
        progress=found.progress.words if found.progress else "",
        done=found.progress is not None and found.progress.done,
    )


def _facts(plan: Plan, integration: str) -> dict[str, Any]:
    return {
        "integration": integration, "plan": plan.id, "asked": plan.asked, "made_at": plan.made_at,
        "made_by": plan.made_by, "mapping_version": plan.mapping_version, "policy_version": plan.policy_version,
        "backfill": plan.backfilled, "drafted": plan.drafted, "counts": dict(plan.counts), "totals": amounts(plan.sums),
        "applied_at": plan.applied_at, "applied_by": plan.applied_by, "comment": plan.comment,
    }  # fmt: skip


def _orders(found: Read) -> list[OrderShown]:
    steps = {step.order.key: step for step in found.progress.steps} if found.progress else {}
    shown: list[OrderShown] = []
    for order in found.orders:
        step = steps.get(order.key)
        shown.append(
            OrderShown(
                key=order.key, title=order.title, total=amount(order.total, order.currency), outcome=order.outcome,
                code=order.code, about=order.about, message=order.message, uncertain=list(order.uncertain),
                documents=_documents(order, found.plan), state=step.state if step else "",
                words=step.words if step else "",
                result=step.result if step else "",
            )
        )  # fmt: skip
    return shown


def _documents(order: Order, plan: Plan) -> list[DocumentShown]:
    papers = [shown for paper in order.papers if (shown := plan_papers.shown(paper, plan.names)) is not None]
    return [
        DocumentShown(
            act=each.act, title=each.title, reference=each.reference, stands=each.stands, posting_date=each.day,
            total=amount(each.total, each.currency), lines=_lines(each),
        )
        for each in papers
    ]  # fmt: skip


def _lines(shown: Shown) -> list[LineShown]:
    return [
        LineShown(
            sign=row.sign, account=row.account, called=row.called, text=row.text,
            **{name: None if (value := getattr(row, name)) is None else f"{value:f}"
               for name in ("debit", "credit", "quantity", "price", "amount")},
        )
        for row in shown.rows
    ]  # fmt: skip
