"""`GET /audit`: who did what to what."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import audit
from ml_connector.domain.access import Right
from ml_connector.engine import audit_queries
from ml_connector.engine.audit_queries import Question, Row
from ml_connector.web.access import Forbidden
from ml_connector.web.api.parts import Looks, Scope, api_of
from ml_connector.web.api.problems import bad_cursor
from ml_connector.web.api.shapes import PAGE, Cursor, Limit, Moment, Typed

router = APIRouter(tags=["audit"])
_DIGITS = 18


class AuditRow(BaseModel):
    """Something that happened."""

    id: int = Field(description="Grows with time.", examples=[48213])
    at: datetime
    integration: str = Field(description="Empty: of none.", examples=["eu"])
    kind: str = Field(examples=["stored"])
    words: str = Field(description="In one line.", examples=["0100004711"])
    who: str = Field(examples=["worker"], description="`worker`, `user:name`, `token:name` or `cli:name`.")
    flow: str | None = Field(examples=["orders"])
    key: str | None = Field(examples=["1042"])
    references: list[str] = Field(examples=[["S1-O1042"]])
    correlation: str = Field(description="The same for everything that one run did.")
    data: dict[str, Any] = Field(description="Facts of that kind; personal data are hidden unless `reveal` is asked.")
    seal: int | None = Field(description="Number of the seal that covers the row; none yet for what is new.")


class AuditPage(BaseModel):
    """Newest first. `next`: send it as `after`; none at the end."""

    rows: list[AuditRow]
    next: str | None


@router.get("/audit", operation_id="audit")
async def show(
    request: Request,
    person: Looks,
    integration: Typed = "",
    who: Typed = "",
    kind: Typed = "",
    flow: Typed = "",
    key: Typed = "",
    reference: Typed = "",
    correlation: Typed = "",
    since: Annotated[Moment | None, Query(description="This moment or later.")] = None,
    until: Annotated[Moment | None, Query(description="Before this moment.")] = None,
    reveal: Annotated[
        bool, Query(description="With what was sent and answered; needs the role operator, and is kept.")
    ] = False,
    after: Cursor = "",
    limit: Limit = PAGE,
) -> AuditPage:
    """Every call and action; everything that is given must hold. With integration, flow and key: a record's whole
    story."""
    api = api_of(request)
    if reveal and not person.may(Right.personal):
        raise Forbidden(Right.personal, person)
    scope = await api.scope(integration)
    one = scope.ids[0] if integration else None
    asked = Question(
        integration=one, flow=flow or None, key=key or None, reference=reference or None,
        correlation=correlation or None, kinds=(kind,) if kind else (), who=audit.who_of(who) or None, since=since,
        until=until,
    )  # fmt: skip
    page = await audit_queries.page(api.database, asked, after=_place(after), limit=limit)
    if reveal:
        await audit.note_look(api.database, one or 0, {"where": "api", "rows": [row.id for row in page.rows]})
    rows = page.rows if reveal else [audit.without_personal(row) for row in page.rows]
    return AuditPage(rows=[_shown(row, scope) for row in rows], next=str(page.next) if page.next is not None else None)


def _place(after: str) -> int | None:
    if not after:
        return None
    if not (after.isascii() and after.isdecimal() and len(after) <= _DIGITS):
        raise bad_cursor()
    return int(after)


def _shown(row: Row, scope: Scope) -> AuditRow:
    return AuditRow(
        id=row.id,
        at=row.at,
        integration=scope.names.get(row.integration, ""),
        kind=row.kind,
        words=audit.sentence(row),
        who=row.who,
        flow=row.flow,
        key=row.key,
        references=list(row.refs),
        correlation=row.correlation,
        data=dict(row.data),
        seal=row.seal,
    )
