"""Who did what to what: the audit as it is searched on a page, each row in a sentence, and whether its chain holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ml_connector.desk import wording
from ml_connector.desk.payloads import HIDDEN, laid_out, without_mail
from ml_connector.engine import audit_queries
from ml_connector.engine.actor import NOBODY, WORKER
from ml_connector.engine.audit import KINDS, append, entry
from ml_connector.engine.audit_queries import Question, Row
from ml_connector.engine.database import Database, dump_json
from ml_connector.engine.views import seals
from ml_connector.engine.views.seals import Chain

PAGE = 50
BODIES: Final = ("request_body", "response_body", "start")
"""Facts that hold what was sent and answered (`start`: of an entry that was too long)."""

_WORDS_AT_MOST = 160
_SENTENCES: Final[Mapping[str, str]] = {
    "access": "action", "alert": "title", "excluded": "reason", "held": "error", "heard": "reason", "retry": "error",
    "dead": "error", "rejected": "error", "released": "kind", "replayed": "why", "stored": "number",
    "explained": "explained",
}  # fmt: skip
"""Kind -> the fact that says most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The form as it was filled in; empty: not asked for. `record`: an order's number, or `flow:key`. `since` and
    `until`: days, both included."""

    who: str = ""
    kind: str = ""
    record: str = ""
    reference: str = ""
    correlation: str = ""
    since: str = ""
    until: str = ""

    @property
    def anything(self) -> bool:
        return any((self.who, self.kind, self.record, self.reference, self.correlation, self.since, self.until))


@dataclass(frozen=True, slots=True)
class Line:
    """A row with what a page says of it. `record`: what it is called, and `href` its page; empty without one."""

    row: Row
    title: str
    words: str
    record: str
    href: str
    facts: str
    bodies: bool


@dataclass(frozen=True, slots=True)
class Found:
    """`after`: the cursor of the next page, None at the end."""

    lines: Sequence[Line]
    after: int | None


def question(asked: Asked, integration: int | None, zone: ZoneInfo) -> Question:
    """What the form asks for; a day that is none is as if it were not there."""
    flow, _, key = asked.record.rpartition(":")
    since, until = _day(asked.since), _day(asked.until)
    return Question(
        integration=integration,
        flow=(flow or "orders") if key else None,
        key=key or None,
        reference=asked.reference or None,
        correlation=asked.correlation or None,
        kinds=(asked.kind,) if asked.kind in KINDS else (),
        who=who_of(asked.who) or None,
        since=_midnight(since, zone) if since else None,
        until=_midnight(until + timedelta(days=1), zone) if until else None,
    )


def who_of(typed: str) -> str:
    """As the audit writes it: a bare name is a user's."""
    known = not typed or ":" in typed or typed in (WORKER, NOBODY)
    return typed if known else f"user:{typed.casefold()}"


async def find(database: Database, asked: Question, *, after: int | None = None) -> Found:
    """Newest first."""
    page = await audit_queries.page(database, asked, after=after, limit=PAGE)
    return Found([_line(row) for row in page.rows], page.next)


async def one(database: Database, integration: int, id: int) -> Line | None:
    """The row of that number."""
    row = await audit_queries.one(database, integration, id)
    return _line(row) if row else None


def bodies(row: Row, *, reveal: bool) -> Mapping[str, str]:
    """What was sent and answered, laid out; hidden where it is not to be revealed."""
    return {
        name: laid_out(str(row.data[name])) if reveal else HIDDEN for name in BODIES if row.data.get(name)
    }  # fmt: skip


def without_personal(row: Row) -> Row:
    """The row as somebody may have it who may not see personal data."""
    return replace(
        row, data={name: HIDDEN if name in BODIES else _plain(name, value) for name, value in row.data.items()}
    )


async def note_look(database: Database, integration: int, told: Mapping[str, Any]) -> None:
    """That somebody has looked at personal data is a row itself."""
    async with database.transaction() as sql:
        await append(sql, [entry("personal", integration=integration, data=dict(told))])


async def chains(database: Database, integrations: Sequence[int]) -> list[Chain]:
    """Of each integration (0: what belongs to none), as far as the worker has sealed and compared."""
    async with database.connect() as sql:
        return [each for each in await seals.chains(sql, integrations) if each.number or each.found]


def sentence(row: Row) -> str:
    """What happened, in one line."""
    data = row.data
    if row.kind == "call":
        url = urlsplit(str(data.get("url", "")))
        status = data.get("status")
        answer = f" answered {status}" if status else f": {data.get('error') or 'no answer'}"
        return _short(f"{data.get('method', '')} {url.netloc}{url.path}{answer}")
    told = data.get(_SENTENCES.get(row.kind, ""))
    if isinstance(told, str | int) and told != "":
        rest = data.get("user") or data.get("name") if row.kind == "access" else ""
        return _short(f"{str(told).replace('_', ' ')}{f', {rest}' if rest else ''}")
    plain = {name: value for name, value in data.items() if isinstance(value, str | int | float) and value != ""}
    return _short(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in plain.items() if name not in BODIES))


def _line(row: Row) -> Line:
    facts = {name: _plain(name, value) for name, value in row.data.items() if name not in BODIES}
    has_record = row.flow is not None and row.key is not None and ":" not in row.flow
    return Line(
        row,
        KINDS.get(row.kind, ""),
        sentence(row),
        wording.called(row.flow or "", row.key or "") if has_record else (row.flow or "").removeprefix("system:"),
        wording.record_href(row.integration, row.flow or "", row.key or "") if has_record else "",
        laid_out(dump_json(facts)) if facts else "",
        len(facts) < len(row.data),
    )


def _plain(name: str, value: Any) -> Any:
    return without_mail(str(value)) if name == "url" else value


def _short(words: str) -> str:
    return words if len(words) <= _WORDS_AT_MOST else f"{words[: _WORDS_AT_MOST - 1]}…"


def _day(written: str) -> date | None:
    """None as well for what is before or beyond all that is recorded: neighbours of such a day cannot be named."""
    try:
        day = date.fromisoformat(written) if written else None
    except ValueError:
        return None
    return day if day is not None and 1970 <= day.year <= 2200 else None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
