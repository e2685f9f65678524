"""One record: what happened, why, and what next?"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from ml_connector.desk import payloads, wording
from ml_connector.desk.records import Listed, listed
from ml_connector.desk.sides import system_title
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import ITEMISED, Document, Kind, Role
from ml_connector.engine import audit_queries, postings, wishes
from ml_connector.engine.audit_queries import Question, Row
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Posting, State
from ml_connector.engine.views import record_list

OWED = frozenset(
    {Role.RECEIVABLE, Role.CLEARING, Role.GIFT_CERTIFICATE_LIABILITY, Role.STORE_CREDIT_LIABILITY}
)  # fmt: skip
"""Lines that say what the buyer owes, pays or gets back; the others say for what."""
STEPS = 400
"""Rows of the audit that a page shows; the audit's own page has the rest."""


@dataclass(frozen=True, slots=True)
class Why:
    """The box above everything else. `kind`: the shape of its colour."""

    kind: str
    title: str
    wanted: str = ""
    answered: str = ""
    todo: str = ""
    href: str = ""
    verb: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A document of the record. `state` is one of the words that a page has shapes for; `amount` in `currency`."""

    title: str
    reference: str
    number: str
    state: str
    words: str
    amount: Decimal | None
    currency: str
    lines: Sequence[tuple[str, str, Decimal | None, Decimal | None]]
    decided_by: str
    kind: str
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """A call under a step. `request` and `answer` as the person may see them."""

    system: str
    method: str
    url: str
    status: str
    seconds: float | None
    request_id: str
    request: str
    answer: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: one sentence, newest first."""

    id: int
    at: datetime
    state: str
    title: str
    words: str
    seconds: float | None
    payload: Payload | None
    correlation: str
    who: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that a record's page shows. `others`: calls that its runs made for other records alone."""

    listed: Listed
    why: Why | None
    papers: Sequence[Paper]
    steps: Sequence[Step]
    others: int
    more: bool
    excluded_by: str
    runs: int
    heard: int
    mapping_version: int | None
    policy_version: int | None
    correlation: str

    @property
    def standing(self) -> int:
        return sum(1 for paper in self.papers if paper.state == "synced")


async def read(database: Database, integration: int, flow: str, key: str, erp: str, *, reveal: bool) -> Story | None:
    """None: nobody has heard of it. `reveal`: personal data in payloads are shown."""
    async with database.connect() as sql:
        row = await record_list.one(sql, integration, flow, key)
        if row is None:
            return None
        rows = await postings.of_records(sql, integration, flow, [key])
        asked = await wishes.of_records(sql, integration, flow, [key])
    page = await audit_queries.page(database, Question(integration, flow, key), limit=STEPS)
    mine = sorted(rows.values(), key=lambda posting: (posting.posted_at or posting.read_at, posting.name))
    shown = listed(row, erp)
    names = {posting.name.written for posting in mine} | {posting.name.reference for posting in mine}
    told = [each for each in page.rows if each.kind != "call" or _is_about(each, key, names)]
    newest = max(mine, key=lambda posting: posting.posted_at or posting.read_at, default=None)
    return Story(
        shown,
        why_of(shown, mine, erp),
        [paper_of(posting) for posting in mine if posting.state is not State.VOID],
        [step_of(each, reveal=reveal) for each in told],
        len(page.rows) - len(told),
        page.next is not None,
        asked.excluded.get(key, ""),
        len({each.correlation for each in page.rows if each.correlation and each.token}),
        sum(1 for each in page.rows if each.kind == "heard"),
        newest.mapping_version if newest else None,
        newest.policy_version if newest else None,
        page.rows[0].correlation if page.rows else "",
    )


def _is_about(row: Row, key: str, names: Collection[str]) -> bool:
    """A run works on many records at once: of its calls those count that name this one, in address or body."""
    asked = f"{row.data.get('url', '')} {row.data.get('request_body') or ''}"
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(key)}(?![0-9A-Za-z])", asked) is not None or any(
        name in asked for name in names
    )


def why_of(shown: Listed, papers: Sequence[Posting], erp: str) -> Why | None:
    """What a person must know first; None where the record waits by itself."""
    row = shown.row
    if row.status == "held":
        wanted = f"Book {shown.called[:1].lower()}{shown.called[1:]} in {erp}."
        group = wording.hold_href(row.integration, row.hold_kind, row.hold_key)
        return Why(
            "hold", wording.title(row.hold_kind, row.hold_key, erp), wanted, row.message,
            f"{wording.todo(row.hold_kind, erp)}{_booked(papers)}", group, "Go to the decision",
        )  # fmt: skip
    if row.status == "dead":
        return Why(
            "dead", f"{shown.called} was given up", f"Book it in {erp}.", row.message,
            f"Tell your operator, with the number below; then replay it. Others are not delayed.{_booked(papers)}",
        )  # fmt: skip
    open_one = next((posting for posting in papers if posting.is_open), None)
    if open_one is not None:
        return Why(
            "unsure", f"{erp} did not answer whether {open_one.name.written} was stored",
            f"Post {open_one.name.written}.",
            open_one.error or "No answer came in time.",
            "Nothing. It is looked up again by itself, and not sent again before that shows that it is missing.",
        )  # fmt: skip
    if row.status == "synced" and papers:
        return Why("ok", f"Booked once in {erp}.")
    if row.status == "excluded":
        return Why("out", shown.words)
    return None


def _booked(papers: Sequence[Posting]) -> str:
    never = (State.PLANNED, State.REJECTED, State.VOID)
    booked = [posting for posting in papers if posting.state not in never and posting.kind != Kind.CUSTOMER.value]
    return "" if booked else " Nothing was booked, so nothing has to be undone."


_STATES: Mapping[State, tuple[str, str]] = {
    State.PLANNED: ("waiting", "not sent yet"),
    State.SENDING: ("uncertain", "sent, no answer yet"),
    State.UNCERTAIN: ("uncertain", "no answer; looked up again"),
    State.POSTED: ("synced", "stands"),
    State.CHECKED: ("synced", "read back, amounts equal"),
    State.REJECTED: ("held", "refused"),
    State.HELD: ("held", "waits for a person"),
}


def paper_of(posting: Posting) -> Paper:
    """A document with its lines, as it was planned or sent."""
    state, words = _STATES.get(posting.state, ("waiting", str(posting.state)))
    try:
        document = document_from_json(posting.content)
    except ValidationError:  # written by another version
        return Paper(
            wording.document(posting.kind), posting.name.written, posting.number or "", state, words, None, "", (), "",
            posting.kind,
        )  # fmt: skip
    decided = f"mapping {posting.mapping_version}, policy {posting.policy_version}" if posting.mapping_version else ""
    return Paper(
        wording.document(posting.kind),
        posting.name.written,
        posting.number or "",
        state,
        "adopted as it was found" if posting.adopted and state == "synced" else words,
        amount_of(document),
        document.currency,
        [
            (
                line.account or (line.itemised.item if line.itemised else ""),
                line.text or str(line.role.value),
                *_sides(line.signed),
            )
            for line in document.lines
        ],
        decided,
        posting.kind,
        document.posting_date,
    )


def amount_of(document: Document) -> Decimal | None:
    """What a document comes to; None for master data."""
    if not document.lines:
        return None
    if document.kind in ITEMISED:
        return document.total
    owed = [line.signed for line in document.lines if line.role in OWED]
    debit = sum((amount for amount in owed if amount > 0), Decimal(0))
    credit = -sum((amount for amount in owed if amount < 0), Decimal(0))
    if document.kind is Kind.ORDER:  # what it sells of certificates is no part of what the buyer pays
        return debit
    return max(debit, credit) or sum((line.signed for line in document.lines if line.signed > 0), Decimal(0))


def _sides(signed: Decimal) -> tuple[Decimal | None, Decimal | None]:
    return (signed, None) if signed >= 0 else (None, -signed)


_TITLES: Mapping[str, tuple[str, str]] = {
    "heard": ("waiting", "Heard"),
    "read": ("running", "Read from the source"),
    "planned": ("running", "Planned"),
    "sent": ("running", "Sent"),
    "stored": ("synced", "Stored"),
    "not_sent": ("waiting", "Not sent"),
    "uncertain": ("uncertain", "No answer"),
    "absent": ("waiting", "Proved not to be there"),
    "rejected": ("held", "Refused"),
    "adopted": ("synced", "Found there already"),
    "held": ("held", "Held"),
    "released": ("waiting", "Released"),
    "excluded": ("excluded", "Left out"),
    "retry": ("waiting", "Tried again later"),
    "dead": ("dead", "Given up"),
    "synced": ("synced", "Done"),
    "replayed": ("waiting", "Marked to run again"),
    "config": ("waiting", "Configuration changed"),
    "stock": ("synced", "Stock written"),
}


def step_of(row: Row, *, reveal: bool) -> Step:
    """One row of the audit as a sentence; a call has its payload beneath."""
    if row.kind == "call":
        payload = _payload(row.data, reveal=reveal)
        state = "synced" if payload.status.startswith("2") else "dead"
        title = f"{payload.method} {urlsplit(payload.url).path}"
        said = (
            f"{system_title(payload.system)} answered {payload.status}"
            if payload.status
            else str(row.data.get("error", ""))
        )
        return Step(row.id, row.at, state, title, said, payload.seconds, payload, row.correlation, row.who)
    state, title = _TITLES.get(row.kind, ("waiting", row.kind.replace("_", " ").capitalize()))
    return Step(row.id, row.at, state, title, _sentence(row), None, None, row.correlation, row.who)


def _sentence(row: Row) -> str:
    data = row.data
    references = ", ".join(row.refs)
    match row.kind:
        case "planned" if "documents" in data:
            documents = data["documents"]
            return (
                f"{len(documents)} document{'' if len(documents) == 1 else 's'}: {', '.join(documents)}"
                if documents
                else "Nothing has to exist"
            )
        case "stored" | "adopted":
            return f"{references} is {data.get('number', 'there')}"
        case "held" | "rejected" | "uncertain" | "not_sent" | "dead" | "retry" | "absent":
            words = data.get("message") or data.get("error") or data.get("why") or ""
            return f"{references}: {words}" if references else str(words)
        case "replayed" | "released":
            why = data.get("why") or data.get("exclude") or data.get("include") or data.get("kind") or ""
            return f"by {data.get('by', row.who)}{f': {why}' if why else ''}"
        case "excluded":
            return str(data.get("reason", ""))
        case "read":
            return f"as it was changed at {data['modified']}" if "modified" in data else ""
        case _:
            return references


def _payload(data: Mapping[str, Any], *, reveal: bool) -> Payload:
    seconds = data.get("duration_s")
    url = str(data.get("url", ""))
    return Payload(
        str(data.get("system", "")),
        str(data.get("method", "")),
        url if reveal else payloads.without_mail(url),
        str(data.get("status") or ""),
        float(seconds) if seconds else None,
        str(data.get("request_id", "")),
        payloads.shown(str(data.get("request_body") or ""), reveal=reveal),
        payloads.shown(str(data.get("response_body") or ""), reveal=reveal),
    )
