"""`GET /records/{integration}/{flow}/{key}`: what happened, why, and what next?"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import amounts, record, wording
from ml_connector.desk.amounts import Amounts
from ml_connector.desk.record import Paper, Step, Story
from ml_connector.domain.access import Right
from ml_connector.engine.actor import actor
from ml_connector.engine.audit import append, entry
from ml_connector.web.access import Forbidden
from ml_connector.web.api.parts import Looks, api_of
from ml_connector.web.api.problems import Refusal
from ml_connector.web.api.records import RecordShown, shown
from ml_connector.web.api.shapes import Amount, FlowName, Name, amount

router = APIRouter(prefix="/records", tags=["records"])


class WhyShown(BaseModel):
    """What a person must know first."""

    title: str = Field(examples=["Payment method “Later&Co” has no account in SAP S/4HANA"])
    wanted: str = Field(examples=["Book order 1042 in SAP S/4HANA."])
    answered: str
    todo: str = Field(description="What to do next.")


class LineShown(BaseModel):
    """A line of a document, on one side."""

    account: str = Field(examples=["11001000"], description="Account or item.")
    text: str
    debit: Amount | None
    credit: Amount | None


class PaperShown(BaseModel):
    """A document, as it was planned or sent."""

    title: str = Field(examples=["Journal entry"])
    kind: str = Field(examples=["order"])
    reference: str = Field(examples=["S1-O1042"])
    number: str = Field(examples=["0100004711"], description="The ERP's own; empty while it has none.")
    state: str = Field(examples=["synced"], description="`waiting`, `uncertain`, `synced` or `held`.")
    words: str = Field(examples=["read back, amounts equal"])
    amount: Amount | None
    decided_by: str = Field(examples=["mapping 3, policy 1"])
    lines: list[LineShown]


class CallShown(BaseModel):
    """What was asked of the other side. Bodies hide personal data unless `reveal` is asked."""

    method: str = Field(examples=["POST"])
    url: str
    status: str = Field(examples=["201"], description="Empty: no answer.")
    seconds: float | None
    request_id: str
    request: str
    answer: str


class StepShown(BaseModel):
    """Something that happened; `id` is its row of the audit."""

    id: int
    at: datetime
    title: str = Field(examples=["Stored"])
    words: str = Field(examples=["S1-O1042 is 0100004711"])
    who: str = Field(examples=["worker"])
    correlation: str
    call: CallShown | None


class AmountLine(BaseModel):
    """A line of the money of an order, in three books."""

    label: str = Field(examples=["Goods"])
    store: str | None = Field(examples=["61.50"], description="As the store says it; null: it tells none.")
    plan: str | None = Field(examples=["61.50"], description="As it was planned.")
    erp: str | None = Field(examples=["61.50"], description="As it was read back; null: `words` say why.")
    words: str = Field(examples=["not posted"])
    difference: str | None = Field(examples=["0.00"], description="The ERP's less the store's.")


class AmountsShown(BaseModel):
    """The money of an order, line by line: amounts without tax but for the total, payments and refunds."""

    currency: str = Field(examples=["EUR"])
    lines: list[AmountLine]


class RecordStory(BaseModel):
    """Everything about one record. `why`: none where nothing hinders it. Steps are newest first; with `more`, the audit
    has the rest."""

    record: RecordShown
    why: WhyShown | None
    documents: list[PaperShown]
    amounts: AmountsShown | None = Field(description="Of orders.")
    steps: list[StepShown]
    more: bool
    excluded_by: str = Field(description="Who left it out; empty: nobody.")


@router.get("/{integration}/{flow}/{key:path}", operation_id="record")
async def show(
    request: Request,
    person: Looks,
    integration: Annotated[Name, Path()],
    flow: Annotated[FlowName, Path()],
    key: Annotated[Name, Path()],
    reveal: Annotated[bool, Query(description="With personal data; needs the role operator, and is kept.")] = False,
) -> RecordStory:
    """What happened, why, and what next?"""
    api = api_of(request)
    if reveal and not person.may(Right.personal):
        raise Forbidden(Right.personal, person)
    scope = await api.scope(integration)
    (one,) = scope.ids
    story = await record.read(api.database, one, flow, key, scope.erps[one], reveal=reveal)
    if story is None:
        raise Refusal(404, f"Nobody has heard of {wording.called(flow, key)}.")
    if reveal:
        async with api.database.transaction() as sql:
            await append(sql, [entry("personal", integration=one, flow=flow, key=key, data={"by": actor.get()})])
    money = await amounts.read(api.database, one, key) if flow == "orders" else None
    return _story(story, integration, money)


def _story(story: Story, integration: str, money: Amounts | None) -> RecordStory:
    why = story.why
    return RecordStory(
        record=shown(story.listed, integration),
        why=WhyShown(title=why.title, wanted=why.wanted, answered=why.answered, todo=why.todo) if why else None,
        documents=[_paper(each) for each in story.papers],
        amounts=_amounts(money) if money else None,
        steps=[_step(each) for each in story.steps],
        more=story.more,
        excluded_by=story.excluded_by,
    )


def _amounts(money: Amounts) -> AmountsShown:
    def told(amount: Decimal | None) -> str | None:
        return None if amount is None else f"{amount:f}"

    lines = [
        AmountLine(
            label=row.label, store=told(row.store), plan=told(row.plan), erp=told(row.erp), words=row.words,
            difference=told(row.difference),
        )
        for row in money.rows
    ]  # fmt: skip
    return AmountsShown(currency=money.currency, lines=lines)


def _paper(paper: Paper) -> PaperShown:
    return PaperShown(
        title=paper.title,
        kind=paper.kind,
        reference=paper.reference,
        number=paper.number,
        state=paper.state,
        words=paper.words,
        amount=amount(paper.amount, paper.currency),
        decided_by=paper.decided_by,
        lines=[
            LineShown(
                account=account, text=text, debit=amount(debit, paper.currency), credit=amount(credit, paper.currency)
            )
            for account, text, debit, credit in paper.lines
        ],
    )


def _step(step: Step) -> StepShown:
    call = step.payload
    return StepShown(
        id=step.id,
        at=step.at,
        title=step.title,
        words=step.words,
        who=step.who,
        correlation=step.correlation,
        call=CallShown(
            method=call.method,
            url=call.url,
            status=call.status,
            seconds=call.seconds,
            request_id=call.request_id,
            request=call.request,
            answer=call.answer,
        )
        if call
        else None,
    )
