"""`/reconciliation`: does it tie? Days as they were compared last, what differs, and why a person says it does."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import actions, reconciliation
from ml_connector.desk.reconciliation import Books
from ml_connector.reconcile.causes import ABOUT
from ml_connector.reconcile.explained import Finding
from ml_connector.web.api.parts import Decides, Looks, api_of
from ml_connector.web.api.problems import Refusal, wrong_field
from ml_connector.web.api.shapes import Amount, Name, Typed, Words, amount

router = APIRouter(prefix="/reconciliation", tags=["reconciliation"])
Line = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$", examples=["5f0c2a9be41d7c3380aa91f2"])]


class ExplanationShown(BaseModel):
    """Why it differs, as a person has said."""

    why: str = Field(examples=["booked by hand before we were connected"])
    by: str = Field(examples=["user:dana"])
    at: datetime


class FindingShown(BaseModel):
    """Something that does not tie, or not yet (`open`). `name` is the same each night."""

    name: str = Field(examples=["5f0c2a9be41d7c3380aa91f2"])
    cause: str = Field(examples=["deleted"])
    words: str = Field(examples=["posted, and gone from the ERP"])
    text: str
    next_step: str
    order: str = Field(examples=["1042"], description="Empty: of no order.")
    reference: str = Field(examples=["S1-O1042"])
    numbers: list[str]
    store: Amount | None
    erp: Amount | None
    open: bool = Field(description="Only not posted yet, for a known reason.")
    explained: ExplanationShown | None


class DayShown(BaseModel):
    """One day of the store in one currency."""

    day: date
    state: str = Field(
        examples=["differs"],
        description="`ties`, `open` (some not posted yet), `explained` (all that differs is) or `differs`.",
    )
    store: Amount | None
    held: Amount | None
    left_out: Amount | None
    on_its_way: Amount | None
    erp: Amount | None
    difference: Amount | None
    findings: list[FindingShown]


class BooksShown(BaseModel):
    """One integration in one month and currency."""

    integration: str = Field(examples=["eu"])
    read_at: datetime | None = Field(description="When both sides were read last; null: not yet.")
    currency: str = Field(examples=["EUR"])
    currencies: list[str]
    differing: int = Field(description="Days that differ, less those that are explained.")
    days: list[DayShown] = Field(description="Newest first.")
    undated: list[FindingShown] = Field(description="Of no day of the window.")


class ReconciliationShown(BaseModel):
    """Every integration that is asked for."""

    books: list[BooksShown]


class Explain(BaseModel):
    """Why a difference is as it is."""

    integration: Name = Field(examples=["eu"])
    line: Line = Field(description="`name` of the finding.")
    why: Words = Field(examples=["booked by hand before we were connected"], description="Three words at least.")


class TakeBack(BaseModel):
    """The difference is open again."""

    integration: Name = Field(examples=["eu"])
    line: Line = Field(description="`name` of the finding.")


class TakenBack(BaseModel):
    """False: nobody had explained it."""

    done: bool


@router.get("", operation_id="reconciliation")
async def show(
    request: Request, person: Looks, integration: Typed = "", month: Typed = "", currency: Typed = ""
) -> ReconciliationShown:
    """Does it tie? `month` as in `2026-11`, else the last that was compared; `currency`, else that with most money."""
    api = api_of(request)
    scope = await api.scope(integration)
    books = await reconciliation.read(api.database, scope.integrations, month=month, currency=currency)
    return ReconciliationShown(books=[_books(each) for each in books])


@router.post("/explain", operation_id="explain")
async def explain(request: Request, body: Explain, person: Decides) -> FindingShown:
    """Closes a difference as long as its amounts stay as they are. Nothing is booked or changed by it."""
    api = api_of(request)
    one = await api.one(body.integration)
    if len(body.why.split()) < actions.WORDS_OF_A_REASON:
        raise wrong_field("why", f"Say why, in {actions.WORDS_OF_A_REASON} words at least.")
    try:
        found = await reconciliation.explain(api.database, one.id, body.line, body.why)
    except actions.Refused as error:
        raise Refusal(404, str(error)) from error
    return _finding(found)


@router.post("/unexplain", operation_id="unexplain")
async def unexplain(request: Request, body: TakeBack, person: Decides) -> TakenBack:
    """The difference is open again."""
    api = api_of(request)
    one = await api.one(body.integration)
    return TakenBack(done=await reconciliation.unexplain(api.database, one.id, body.line))


def _books(books: Books) -> BooksShown:
    code = books.currency
    return BooksShown(
        integration=books.integration.name,
        read_at=books.read_at,
        currency=code,
        currencies=list(books.currencies),
        differing=len(books.differing),
        days=[
            DayShown(
                day=line.day.day,
                state=line.state,
                store=amount(line.sums.store, code),
                held=amount(line.held, code),
                left_out=amount(line.left_out, code),
                on_its_way=amount(line.moving, code),
                erp=amount(line.sums.erp, code),
                difference=amount(line.sums.difference, code),
                findings=[_finding(each) for each in line.findings],
            )
            for line in books.lines
            if line.day.day is not None
        ],
        undated=[_finding(each) for each in books.undated],
    )


def _finding(found: Finding) -> FindingShown:
    each, said = found.difference, found.said
    return FindingShown(
        name=found.name,
        cause=str(each.cause),
        words=ABOUT[each.cause].words,
        text=each.text,
        next_step=ABOUT[each.cause].next_step,
        order=str(each.order_id or ""),
        reference=each.reference,
        numbers=list(each.numbers),
        store=amount(each.store, each.currency),
        erp=amount(each.erp, each.currency),
        open=each.open,
        explained=ExplanationShown(why=said.why, by=said.by, at=said.at) if said else None,
    )
