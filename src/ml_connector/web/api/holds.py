"""`/holds`: what must I decide? Held records by reason, and what ends a hold."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.config.entry import SETTERS, NotSaved, save_entry
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import actions, wording
from ml_connector.desk.decide import Undecided, UnknownDocument, Verdict, decide
from ml_connector.engine.actor import actor
from ml_connector.engine.records import Lane
from ml_connector.engine.views import counts
from ml_connector.engine.views.counts import Hold
from ml_connector.web.api.parts import Decides, Looks, Maps, Scope, api_of
from ml_connector.web.api.problems import Refusal, wrong_field
from ml_connector.web.api.shapes import KEYS_AT_ONCE, Amount, Name, Typed, Words, amounts

router = APIRouter(prefix="/holds", tags=["holds"])
HoldKey = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$", examples=["payment_method|Later&Co"])]


class HoldShown(BaseModel):
    """Records that wait for the same thing."""

    integration: str = Field(examples=["eu"])
    flow: str = Field(examples=["orders"])
    kind: str = Field(examples=["unmapped"])
    key: str = Field(examples=["payment_method|Later&Co"], description="What of that kind; empty where there is one.")
    title: str = Field(examples=["Payment method “Later&Co” has no account in SAP S/4HANA"])
    todo: str = Field(description="Who does what.", examples=["Choose it below. The orders go as soon as you save."])
    count: int = Field(examples=[14])
    amounts: list[Amount] = Field(description="Totals of the records, by currency.")
    since: datetime = Field(description="When the first of them was heard of.")
    first: str = Field(description="Key of the record that has waited longest.", examples=["1042"])
    message: str = Field(description="What that record was told.")
    settled_by_entry: bool = Field(description="One value settles it: `POST /holds/entry` with this `key`.")


class HoldsShown(BaseModel):
    """All, those with most money first. The records of one: `GET /records?status=held&reason={kind}&about={key}`."""

    holds: list[HoldShown]


class Release(BaseModel):
    """Holds of one kind."""

    integration: Name = Field(examples=["eu"])
    kind: Name = Field(examples=["master_data"])
    keys: Annotated[list[HoldKey], Field(min_length=1, max_length=KEYS_AT_ONCE)] | None = Field(
        default=None, description="These alone; left out: all of the kind.", examples=[["item SKU-7"]]
    )


class LaneReleased(BaseModel):
    """Records of one flow."""

    flow: str = Field(examples=["orders"])
    keys: list[str] = Field(examples=[["1042", "1043"]])


class Released(BaseModel):
    """What runs again now; what still has its reason is held again in a moment."""

    count: int = Field(examples=[2])
    released: list[LaneReleased]


class Entry(BaseModel):
    """One entry of the mapping."""

    integration: Name = Field(examples=["eu"])
    key: HoldKey = Field(description="The hold's key: what is missing.")
    value: Name = Field(description="An account, item or customer, as the ERP calls it.", examples=["11001000"])


class Saved(Released):
    """The mapping's new version, and what runs again with it."""

    version: int = Field(examples=[7])


class Decision(BaseModel):
    """What a person found in the ERP."""

    integration: Name = Field(examples=["eu"])
    reference: Name = Field(description="The document as the ERP has it.", examples=["S1-O1042", "S1-O1042-2"])
    verdict: Verdict = Field(
        description="`right`: it is right as it is. `gone`: deleted or reversed by hand. `retry`: it is tried again."
    )
    why: Words = Field(default="", description="For the audit.", examples=["reversed by mistake"])
    force: bool = Field(
        default=False, description="With `right`: although the ERP does not show exactly one live document."
    )


class DecisionTaken(BaseModel):
    """What follows. The record runs again."""

    reference: str = Field(examples=["S1-O1042"])
    flow: str = Field(examples=["orders"])
    key: str = Field(examples=["1042"])
    said: str = Field(examples=["it is tried again, after a look-up as always"])


@router.get("", operation_id="holds")
async def find(request: Request, person: Looks, integration: Typed = "") -> HoldsShown:
    """What must be decided, by reason and money."""
    api = api_of(request)
    scope = await api.scope(integration)
    async with api.database.connect() as sql:
        found = await counts.holds(sql, list(scope.ids))
    return HoldsShown(holds=[_shown(each, scope) for each in found if ":" not in each.flow])


@router.post("/release", operation_id="release")
async def release(request: Request, body: Release, person: Decides) -> Released:
    """The records run again now, and are held again if the reason still stands."""
    api = api_of(request)
    one = await api.one(body.integration)
    released = await actions.release(api.database, one.id, body.kind, body.keys)
    return Released(count=sum(map(len, released.values())), released=_lanes(released))


@router.post("/entry", operation_id="entry")
async def entry(request: Request, body: Entry, person: Maps) -> Saved:
    """A new version of the mapping with that one value; exactly what waited for it runs again."""
    api = api_of(request)
    one = await api.one(body.integration)
    try:
        saved = await save_entry(api.database, api.runtime.vault, one, body.key, body.value, author=actor.get())
    except NotSaved as error:
        raise wrong_field("value", str(error)) from error
    return Saved(version=saved.version, count=saved.count, released=_lanes(saved.released))


@router.post("/decide", operation_id="decide")
async def say(request: Request, body: Decision, person: Decides) -> DecisionTaken:
    """What is true of a held document; the ERP is asked first. 409: it shows something else, or could not be asked."""
    api = api_of(request)
    one = await api.one(body.integration)
    try:
        done = await decide(api.runtime, one.id, body.reference, body.verdict, why=body.why, force=body.force)
    except UnknownDocument as error:
        raise Refusal(404, str(error)) from error
    except Undecided as error:
        raise Refusal(409, str(error)) from error
    except ConnectorError as error:
        raise Refusal(409, f"The ERP could not be asked, so nothing was decided: {error}") from error
    return DecisionTaken(reference=done.reference, flow=done.flow, key=done.record, said=done.said)


def _lanes(released: Mapping[Lane, Sequence[str]]) -> list[LaneReleased]:
    return [LaneReleased(flow=lane.flow, keys=sorted(keys)) for lane, keys in released.items()]


def _shown(hold: Hold, scope: Scope) -> HoldShown:
    erp = scope.erps[hold.integration]
    return HoldShown(
        integration=scope.names[hold.integration],
        flow=hold.flow,
        kind=hold.kind,
        key=hold.key,
        title=wording.title(hold.kind, hold.key, erp),
        todo=wording.todo(hold.kind, erp),
        count=hold.count,
        amounts=amounts(hold.sums),
        since=hold.since,
        first=hold.first,
        message=hold.message,
        settled_by_entry=hold.kind == "unmapped" and hold.key.partition("|")[0] in SETTERS,
    )
