"""`/records`: where is order 1042? And what a person, or their program, does to records."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, field_validator
from starlette.requests import Request

from ml_connector.desk import actions, records
from ml_connector.desk.records import Listed
from ml_connector.engine.views.record_list import ENOUGH, GATHERED, Filter
from ml_connector.web.api.parts import Decides, Looks, api_of
from ml_connector.web.api.problems import Refusal, bad_cursor
from ml_connector.web.api.shapes import (
    PAGE,
    Amount,
    Cursor,
    FlowName,
    Keys,
    Limit,
    Moment,
    Name,
    Typed,
    Words,
    amount,
)

router = APIRouter(prefix="/records", tags=["records"])
Status = Literal["running", "waiting", "held", "uncertain", "dead", "excluded", "synced"]


class DocumentShown(BaseModel):
    """What stands, or may stand, in the ERP."""

    reference: str = Field(examples=["S1-O1042"], description="By which it is found there.")
    kind: str = Field(examples=["order"])
    state: str = Field(examples=["posted"])
    number: str = Field(examples=["0100004711"], description="The ERP's own; empty while it has none.")
    generation: int = Field(examples=[0])


class RecordShown(BaseModel):
    """A record of a list."""

    integration: str = Field(examples=["eu"])
    flow: str = Field(examples=["orders"])
    key: str = Field(examples=["1042"])
    title: str = Field(examples=["1042"], description="As people call it.")
    status: str = Field(examples=["held"], description="`uncertain`: an answer of the ERP is missing; it is looked up.")
    words: str = Field(examples=["Payment method “Later&Co” has no account in SAP S/4HANA"])
    hold_kind: str = Field(examples=["unmapped"], description="Why it is held; empty where it is not.")
    hold_key: str = Field(examples=["payment_method|Later&Co"])
    message: str = Field(description="Its last words, in full.")
    party: str = Field(examples=["Moreau & Fils"], description="Customer or company.")
    total: Amount | None
    heard_at: datetime
    placed_at: datetime | None
    done_at: datetime | None
    next_at: datetime | None = Field(description="When it is tried next.")
    attempts: int
    documents: list[DocumentShown]


class RecordPage(BaseModel):
    """Newest first. `next`: send it as `after`; none at the end."""

    records: list[RecordShown]
    next: str | None
    counts: dict[str, int] = Field(
        examples=[{"held": 3, "synced": 9800}],
        description="By status, whatever `status`, `reason`, `about` and `currency` ask for; "
        f"above {ENOUGH}, of a search {GATHERED}: more.",
    )
    capped: bool = Field(description=f"More than {GATHERED} match the search; these are some of them.")


@router.get("", operation_id="records")
async def find(
    request: Request,
    person: Looks,
    integration: Typed = "",
    flow: Typed = "",
    status: Annotated[Status | None, Query()] = None,
    reason: Annotated[Typed, Query(description="A hold's kind.", examples=["unmapped"])] = "",
    about: Annotated[Typed | None, Query(description="With `reason`: the hold's key.")] = None,
    q: Annotated[Typed, Query(description="Number, customer, SKU, document, reference or correlation.")] = "",
    since: Annotated[Moment | None, Query(description="Heard of then or later.")] = None,
    currency: Typed = "",
    after: Cursor = "",
    limit: Limit = PAGE,
) -> RecordPage:
    """Where is order 1042? Everything that is given must hold."""
    api = api_of(request)
    scope = await api.scope(integration)
    asked = Filter(
        scope.ids, flow=flow, status=status or "", reason=reason, about=about, asked=q.strip(), since=since,
        currency=currency,
    )  # fmt: skip
    try:
        found = await records.find(api.database, asked, scope.erps, after=after, limit=limit)
    except ValueError as error:
        raise bad_cursor() from error
    return RecordPage(
        records=[shown(each, scope.names[each.row.integration]) for each in found.rows],
        next=found.after or None,
        counts=dict(found.counts.by_status),
        capped=found.capped,
    )


def shown(listed: Listed, integration: str) -> RecordShown:
    """A row of a list as the API tells it."""
    row = listed.row
    return RecordShown(
        integration=integration,
        flow=row.flow,
        key=row.key,
        title=row.title,
        status=row.shown,
        words=listed.words,
        hold_kind=row.hold_kind,
        hold_key=row.hold_key,
        message=row.message,
        party=row.party,
        total=amount(row.total, row.currency),
        heard_at=row.heard_at,
        placed_at=row.placed_at,
        done_at=row.done_at,
        next_at=row.next_at,
        attempts=row.attempts,
        documents=[
            DocumentShown(
                reference=each.reference,
                kind=each.kind,
                state=each.state,
                number=each.number,
                generation=each.generation,
            )
            for each in row.documents
        ],
    )


# ------------------------------------------------------------------ what is done to them


class Replay(BaseModel):
    """Records that run again."""

    integration: Name = Field(examples=["eu"])
    flow: FlowName = "orders"
    keys: Keys
    why: Words = Field(default="", examples=["account was opened"])
    repost: bool = Field(
        default=False,
        description="Posted orders are compared with the current mapping and amended where it makes something else.",
    )


class ReleaseRecords(BaseModel):
    """Held records that run again, whatever they wait for; `POST /holds/release` names a reason instead."""

    integration: Name = Field(examples=["eu"])
    flow: FlowName = "orders"
    keys: Keys
    why: Words = Field(default="", examples=["the account is open again"])


class Exclude(BaseModel):
    """Orders that are left out until somebody takes that back."""

    integration: Name = Field(examples=["eu"])
    keys: Keys
    why: Words = Field(
        examples=["test order of the shop"],
        description="Three words at least. It stays in the audit, and with the order.",
        json_schema_extra={"pattern": r"\S+\s+\S+\s+\S+"},
    )

    @field_validator("why")
    @classmethod
    def _says_why(cls, why: str) -> str:
        if len(why.split()) < actions.WORDS_OF_A_REASON:
            raise ValueError(f"Say why, in {actions.WORDS_OF_A_REASON} words at least.")
        return why


class Include(BaseModel):
    """Orders that were left out and count again."""

    integration: Name = Field(examples=["eu"])
    keys: Keys
    why: Words = Field(default="", examples=["was a real order"])


class Marked(BaseModel):
    """What became of the keys."""

    done: list[str] = Field(examples=[["1042"]], description="They run again now.")
    unknown: list[str] = Field(examples=[["9999"]], description="Nobody has heard of them, or nothing was to be done.")
    refused: dict[str, str] = Field(description="Key -> why it was left alone.")


@router.post("/replay", operation_id="replay")
async def replay(request: Request, body: Replay, person: Decides) -> Marked:
    """These records run again, whatever their status. Nothing is booked twice: a run looks for what exists before it
    sends."""
    api = api_of(request)
    one = await api.one(body.integration)
    try:
        marked = await actions.replay(
            api.database, one.id, body.flow, body.keys, why=body.why, repost=body.repost
        )  # fmt: skip
    except actions.Refused as error:
        raise Refusal(409, str(error)) from error
    return _marked(marked, body.keys)


@router.post("/release", operation_id="release_records")
async def release(request: Request, body: ReleaseRecords, person: Decides) -> Marked:
    """These records are held no more: they run again now, and are held again if the reason still stands. What is not
    held is left alone; 409 where nothing was."""
    api = api_of(request)
    one = await api.one(body.integration)
    released = await actions.release_records(api.database, one.id, body.flow, body.keys, why=body.why)
    return _marked(released, body.keys)


@router.post("/exclude", operation_id="exclude")
async def exclude(request: Request, body: Exclude, person: Decides) -> Marked:
    """These orders are left out. One of which something stands in the ERP is refused; 409 where all are."""
    api = api_of(request)
    one = await api.one(body.integration)
    try:
        marked = await actions.exclude(api.database, one.id, body.keys, why=body.why)
    except actions.Refused as error:
        raise Refusal(409, str(error)) from error
    return _marked(marked, body.keys)


@router.post("/include", operation_id="include")
async def include(request: Request, body: Include, person: Decides) -> Marked:
    """What was left out counts again."""
    api = api_of(request)
    one = await api.one(body.integration)
    return _marked(await actions.include(api.database, one.id, body.keys, why=body.why), body.keys)


def _marked(marked: actions.Marked, keys: Sequence[str]) -> Marked:
    if marked.refused and len(marked.refused) == len(set(keys)):
        words = "; ".join(list(marked.refused.values())[:3])
        raise Refusal(409, f"Nothing was changed. {words}.", refused=dict(marked.refused))
    return Marked(done=list(marked.done), unknown=list(marked.unknown), refused=dict(marked.refused))
