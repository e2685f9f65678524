"""What must I decide? Held records by reason, with the money that waits, and the fix."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ml_connector.config.entry import SETTERS
from ml_connector.connectors.base import Connector, LedgerAccount, LedgerDimension, ReadsChart
from ml_connector.connectors.errors import ConnectorError
from ml_connector.desk import decide, wording
from ml_connector.desk.decide import LOOK_S, Look, Undecided, Verdict
from ml_connector.desk.record import Paper, paper_of
from ml_connector.desk.records import Listed, listed
from ml_connector.domain.documents import Kind
from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Name, Posting, State
from ml_connector.engine.status import OpenPostings, open_postings
from ml_connector.engine.views import counts, record_list
from ml_connector.engine.views.counts import Hold
from ml_connector.engine.views.record_list import Filter
from ml_connector.flows.runtime import Runtime

CHART_S = 900.0
"""How long a chart of accounts that was read is shown before it is read again."""

FAILED_S = 60.0
"""How long it is not asked for again where it could not be read."""

OPTIONS = 12
FROM_THE_CHART = frozenset({"payment_method", "account", "revenue", "tax_account"})
"""Kinds whose value is an account of the ERP's chart."""

ENDS_BY_ITSELF = frozenset({"awaiting_capture", "status_held"})
ABOUT_A_DOCUMENT = frozenset({"posting_held", "reversed_in_erp"})
"""Holds that end when a person says what is true of a document."""


@dataclass(frozen=True, slots=True)
class Group:
    """Held records that wait for the same thing. `name` is in the address."""

    hold: Hold
    title: str
    todo: str
    verb: str

    @property
    def name(self) -> str:
        return f"{self.hold.integration}:{self.hold.kind}:{self.hold.key}"

    @property
    def href(self) -> str:
        return wording.hold_href(self.hold.integration, self.hold.kind, self.hold.key)

    @property
    def missing(self) -> tuple[str, str]:
        """Kind and key of what the mapping lacks; empty for other holds."""
        kind, _, key = self.hold.key.partition("|")
        return (kind, key) if self.hold.kind == "unmapped" else ("", "")

    @property
    def is_about_a_document(self) -> bool:
        return self.hold.kind in ABOUT_A_DOCUMENT

    @property
    def can_be_chosen(self) -> bool:
        """One value settles it."""
        return self.missing[0] in SETTERS


@dataclass(frozen=True, slots=True)
class Holds:
    """All groups, those with most money first; what waits by itself; the chosen one with its records."""

    groups: Sequence[Group]
    open: Sequence[OpenPostings]
    chosen: Group | None
    records: Sequence[Listed]

    @property
    def count(self) -> int:
        return sum(group.hold.count for group in self.groups)

    @property
    def sums(self) -> Mapping[str, Decimal]:
        total: dict[str, Decimal] = {}
        for group in self.groups:
            for currency, value in group.hold.sums.items():
                total[currency] = total.get(currency, Decimal(0)) + value
        return total

    @property
    def oldest(self) -> datetime | None:
        return min((group.hold.since for group in self.groups), default=None)


async def read(database: Database, erps: Mapping[int, str], chosen: str) -> Holds:
    """`erps`: integration -> what its ERP is called, of those that the page is about."""
    async with database.connect() as sql:
        found = [hold for hold in await counts.holds(sql, list(erps)) if ":" not in hold.flow]
        found.sort(key=lambda hold: hold.kind in ENDS_BY_ITSELF)  # first what a person must decide, by money
        groups = [_group(hold, erps[hold.integration]) for hold in found]
        mine = next((group for group in groups if group.name == chosen), None)
        if mine is None and not chosen and groups:
            mine = groups[0]
        rows: Sequence[Listed] = ()
        if mine is not None:
            hold = mine.hold
            page = await record_list.page(sql, Filter((hold.integration,), hold.flow, "held", hold.kind, hold.key))
            rows = [listed(row, erps[hold.integration]) for row in page.rows]
    unknown = [each for each in await open_postings(database) if each.integration in erps]
    return Holds(groups, unknown, mine, rows)


def _group(hold: Hold, erp: str) -> Group:
    return Group(
        hold,
        wording.title(hold.kind, hold.key, erp),
        wording.todo(hold.kind, erp),
        wording.verb(hold.kind, hold.key),
    )


@dataclass(frozen=True, slots=True)
class Say:
    """A verdict that can be given. `follows`: what it does; `why_not`: why the ERP's own books bar it now."""

    verdict: Verdict
    title: str
    follows: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A document that waits for a person: as it was sent, and as it is there. `look` None: `unread` says why it could
    not be read."""

    paper: Paper
    error: str
    home: str
    look: Look | None
    unread: str
    says: Sequence[Say]


@dataclass(frozen=True, slots=True)
class Papers:
    """All that a hold of a document is about; mostly one."""

    held: Sequence[Held]


_TITLES: Mapping[Verdict, str] = {
    Verdict.RIGHT: "It is right as it is there",
    Verdict.GONE: "It is gone: deleted or reversed there",
    Verdict.RETRY: "Try it again",
}


async def papers(runtime: Runtime, integration: int, reference: str) -> Papers:
    """The documents under `reference` that a hold is about, each looked at in the ERP now, for `LOOK_S` at most."""
    rows = await decide.held_under(runtime.database, integration, reference)
    return Papers([await _held(runtime, row) for row in rows])


async def _held(runtime: Runtime, posting: Posting) -> Held:
    look, unread = None, ""
    try:
        async with asyncio.timeout(LOOK_S):
            look = await decide.look(runtime, posting)
    except TimeoutError:
        unread = f"no answer within {LOOK_S:.0f} s"
    except (ConnectorError, LookupError, ValueError) as error:
        unread = str(error)
    home = "store" if posting.kind == Kind.SHIPMENT.value else "ERP"
    return Held(paper_of(posting), posting.error or "", home, look, unread, _says(posting, look))


def _says(posting: Posting, look: Look | None) -> list[Say]:
    """The three, each with what follows from it. Whatever is shown here, `decide` asks the ERP once more."""
    written = posting.name.written
    again = postings.decided_gone(posting) is State.PLANNED
    nextone = Name(posting.name.reference, posting.name.generation + 1).written
    follows = {
        Verdict.RIGHT: f"What stands there counts as {written} from now on, and is never changed by itself.",
        Verdict.GONE: f"{written} is sent again, after a look-up." if again
        else f"The next run books it anew as {nextone}. While a live document stood there it would be booked twice, so "
        "that is refused.",
        Verdict.RETRY: f"{written} is looked up again and sent only if it is not there. If the same thing still stands "
        "there, it is held again.",
    }  # fmt: skip
    barred = {verdict: decide.refusal(look, verdict) for verdict in Verdict} if look is not None else {}
    return [Say(each, _TITLES[each], follows[each], _said(barred.get(each))) for each in Verdict]


def _said(refused: Undecided | None) -> str:
    return str(refused).replace("`", "“", 1).replace("`", "”", 1) if refused is not None else ""


@dataclass(frozen=True, slots=True)
class Option:
    """A value that can be chosen. `why_not`: in words, where it cannot."""

    value: str
    name: str
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A list that was read, or why it could not be."""

    read_at: float
    values: Sequence[Any] = ()
    failed: ConnectorError | None = None

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.read_at

    @property
    def stands(self) -> bool:
        return self.age_s <= (FAILED_S if self.failed else CHART_S)


@dataclass(slots=True)
class Charts:
    """Charts of accounts and dimensions as this process has read them, by connection."""

    _read: dict[tuple[int, str], _Entry]
    _reading: dict[tuple[int, str], asyncio.Lock]

    @classmethod
    def none(cls) -> "Charts":
        return cls({}, {})

    async def options(self, connection: int, connector: Connector, asked: str) -> tuple[list[Option], int, float]:
        """Accounts that fit what was typed, how many there are at all, and how many seconds ago they were read. Raises
        `ConnectorError`."""
        accounts, age_s = await self.accounts(connection, connector)
        options = [Option(each.number, each.name, "blocked" if each.blocked else "") for each in accounts]
        return _fitting(options, asked), len(accounts), age_s

    async def dimensions(
        self, connection: int, connector: Connector, kind: str, asked: str
    ) -> tuple[list[Option], int, float]:
        """The same of `profit_center` or `cost_center`."""

        async def read() -> Sequence[LedgerDimension]:
            return await connector.dimensions() if isinstance(connector, ReadsChart) else ()

        found, age_s = await self._known(connection, "dimensions", read)
        mine = [Option(each.key, each.name, "blocked" if each.blocked else "") for each in found if each.kind == kind]
        return _fitting(mine, asked), len(mine), age_s

    async def accounts(self, connection: int, connector: Connector) -> tuple[Sequence[LedgerAccount], float]:
        """All accounts, and how many seconds ago they were read. Raises `ConnectorError`; what failed is not asked
        again at once."""

        async def read() -> Sequence[LedgerAccount]:
            return await connector.accounts() if isinstance(connector, ReadsChart) else ()

        return await self._known(connection, "accounts", read)

    async def _known(
        self, connection: int, what: str, read: Callable[[], Awaitable[Sequence[Any]]]
    ) -> tuple[Sequence[Any], float]:
        of = connection, what
        async with self._reading.setdefault(of, asyncio.Lock()):
            known = self._read.get(of)
            if known is None or not known.stands:
                try:
                    known = _Entry(time.monotonic(), await read())
                except ConnectorError as error:
                    known = _Entry(time.monotonic(), failed=error)
                self._read[of] = known
        if known.failed is not None:
            raise known.failed
        return known.values, known.age_s


def _fitting(options: Sequence[Option], asked: str) -> list[Option]:
    words = asked.casefold().split()
    fitting = [each for each in options if all(word in f"{each.value} {each.name}".casefold() for word in words)]
    return sorted(fitting, key=lambda option: (bool(option.why_not), option.value))[:OPTIONS]
