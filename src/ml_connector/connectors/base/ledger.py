"""Finding and posting documents, and the master data of the ledger that they need."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol, Self, runtime_checkable

from ml_connector.domain.documents import Document, Kind
from ml_connector.domain.policy import OpenPeriods


@dataclass(frozen=True, slots=True)
class Timing:
    """The assumptions on which exactly-once rests, in seconds (`docs/exactly-once.md`).

    `p_s` first byte after `sending` at most; `t_s` hard end of our request; `l_s` the target may still commit that
    long after `t_s`; `v_s` a committed document is visible to the look-up; `s_s` largest step of the database clock.
    """

    p_s: float = 10.0
    t_s: float = 180.0
    l_s: float = 480.0
    v_s: float = 0.0
    s_s: float = 5.0

    @property
    def h_s(self) -> float:
        """A look-up that starts that long after `sent_at` and finds nothing proves absence."""
        return self.p_s + self.t_s + self.l_s + self.v_s + self.s_s


class Permit(Protocol):
    """The licence to send one write. The transport asks for it when the connection stands, before the first byte."""

    async def arm(self) -> None:
        """Commits `sending` for every document of the write, at most once. Raises `NotSent` if that was refused."""
        ...

    def check(self) -> None:
        """Raises `NotSent` when more than P has gone since the arming began. Called right before bytes are written,
        also before a replay after a renewed session."""
        ...

    def again(self) -> "Permit":
        """For the next write of the same document, after the one before was answered (create, then release): armed
        when its own connection stands, and P and H count anew from there. `NotSent` of it says nothing of the first."""
        ...


class FreePermit:
    """For writes that are safe to repeat (absolute values, hooks, sessions): always granted."""

    async def arm(self) -> None:
        return None

    def check(self) -> None:
        return None

    def again(self) -> Self:
        return self


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which document is asked for. `all_generations`: also `<base>-2`, `<base>-3`, ... of the same base reference."""

    document: Document
    all_generations: bool = False


ROUNDING = "rounding"

DocumentState = Literal["posted", "closed", "blocked", "reversed", "unfinished", "awaiting_approval", "made_by_hand"]
"""What a stored document is to the books: `posted` stands; `closed` stands, and nothing can be changed any more;
`blocked`: master data that is there and cannot be used; `unfinished`: made and not booked (draft, on hold, parked);
`awaiting_approval`: not booked until somebody in the ERP agrees; `made_by_hand`: somebody else's, which a person is
asked about before it counts as ours."""

STANDS: frozenset[DocumentState] = frozenset({"posted", "closed", "blocked"})
"""States of what is in the books; a blocked customer is there."""


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as the target stores it. `amount`: debit positive. Fields that the target does not give are empty.

    `item`: the ERP's item, or `ROUNDING` on the line that rounds the document, where it has no account to show.
    """

    account: str
    amount: Decimal
    tax_code: str = ""
    profit_center: str = ""
    cost_center: str = ""
    customer: str = ""
    item: str = ""
    quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as the target stores it. `number` is the target's canonical key, e.g. `0100000008/1710/2026`; `shown`
    the number that people see there, where it is another.

    `lines` are those that the read service has (tax items may carry no account). An itemised document is shown as the
    entry that it makes: its items, freight and charges on their accounts, tax by its code, and the customer's line with
    the total, so that a tie-out reads every kind of document the same way. Where `state` is none of those that stand,
    `fields["advice"]` may say what a person can do.
    """

    reference: str
    number: str
    currency: str = ""
    posting_date: date | None = None
    document_date: date | None = None
    lines: tuple[StoredLine, ...] = ()
    reversed_by: str = ""
    reverses: str = ""
    created_by: str = ""
    state: DocumentState = "posted"
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A document that stands in the target, under its number there, as it was posted."""

    number: str
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A document to post. `earlier`: by reference, the documents of ours that it reverses, applies to or adjusts.

    `standing`: the same document, `unfinished`, as an earlier attempt of ours has left it: it is finished, and nothing
    is made. Only a ledger that `Finishes` is given one.
    """

    document: Document
    earlier: Mapping[str, Earlier] = field(default_factory=dict[str, Earlier])
    standing: StoredDocument | None = None

    def number_of(self, reference: str) -> str:
        """The target's key of a document that this one names; empty where it is none of ours."""
        earlier = self.earlier.get(reference)
        return earlier.number if earlier is not None else ""


@dataclass(frozen=True, slots=True)
class Posted:
    """The target says: done, as `number`, its own key. `shown`: the number that people see, where it is another."""

    number: str
    warnings: tuple[str, ...] = ()
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The target says: no, with its own messages. Nothing was written. `transient`: a lock, worth trying again."""

    message: str
    code: str = ""
    transient: bool = False
    hold: str = ""  # a hold code that says more than `rejected`, e.g. closed_period


@dataclass(frozen=True, slots=True)
class Unknown:
    """The target's answer does not say whether this document exists."""

    message: str


PostResult = Posted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document would be refused, found in the master data before it is sent.

    `kind`/`key` name the missing mapping or master record (e.g. `gl_account`, `0041000000`).
    """

    kind: str
    key: str
    message: str


@runtime_checkable
class Ledger(Protocol):
    """Find and post documents. Shared by journal and sales style."""

    @property
    def timing(self) -> Timing: ...

    @property
    def batch_size(self) -> int:
        """How many documents one post call may carry; 1 where the target has no batch."""
        ...

    @property
    def lookup_size(self) -> int:
        """How many references one look-up call may ask for."""
        ...

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        """Per reference, what the master data (cached) says against it. Empty: nothing."""
        ...

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        """Per asked reference, every document of ours under it (with `all_generations`: under any generation), also
        drafts and cancelled ones. An absent key or empty list means: absent at the start of this call."""
        ...

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        """One call that posts all of `outgoing`, judged one by one, in order.

        Raises `NotSent`, `Unreachable`, `Throttled`, `Transient`, `Unauthorized`, `Rejected` only when nothing was
        written, `Uncertain` when the whole call's outcome is unknown."""
        ...

    def differences(self, sent: Document, stored: StoredDocument) -> Sequence[str]:
        """In words, where `stored` is not what `sent` says (amounts, accounts, parties). Empty: it is."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """For ledgers whose documents are made first and booked by a second write (hold and release, draft and post).

    An attempt that ended between the two leaves a document `unfinished`. Once nothing of the attempt can arrive any
    more, and what stands is what was sent, the next run sends it with `Outgoing.standing`. To finish what is finished
    must be refused by the system, or change nothing.
    """

    @property
    def finishes(self) -> frozenset[Kind]: ...


@runtime_checkable
class ListsDocuments(Protocol):
    """For counting and tie-out: every document of ours in a window of posting dates."""

    def documents_between(self, first: date, last: date, prefix: str) -> AsyncIterator[StoredDocument]: ...


@runtime_checkable
class ReadsPeriods(Protocol):
    """The ERP's own posting periods. Nothing rests on them but which day a document is planned for: a period that was
    closed since is told by the refusal, which holds."""

    async def open_periods(self, max_age_s: float) -> OpenPeriods | None:
        """As they were at most `max_age_s` ago. None: the target does not tell them (no right, no such service).
        Raises `Unreachable`, `Throttled`, `Transient`, `Unauthorized`."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    number: str
    name: str
    balance_sheet: bool
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class LedgerDimension:
    """`kind`: profit_center, cost_center. Valid on the days `valid_from` to `valid_to`, both included."""

    kind: str
    key: str
    name: str
    valid_from: date | None = None
    valid_to: date | None = None
    blocked: bool = False


@runtime_checkable
class ReadsChart(Protocol):
    """The ERP's real chart of accounts and dimensions, read and cached."""

    async def accounts(self) -> Sequence[LedgerAccount]: ...

    async def dimensions(self) -> Sequence[LedgerDimension]: ...
