"""What a comparison is given and what it says: one order's facts on three sides, the rules, and the findings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import Document
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.engine.postings import Posting
from ml_connector.engine.records import Status
from ml_connector.reconcile.causes import ABOUT, Cause
from ml_connector.reconcile.expected import Expected
from ml_connector.reconcile.measures import Measures

Differs = Callable[[Document, StoredDocument], Sequence[str]]

TOUCHED = frozenset({"posting_held", "reversed_in_erp"})
"""Holds that say that the books were touched: what is missing there is missing."""


@dataclass(frozen=True, slots=True)
class Known:
    """Our record of an order. `done`: no mark is left to work on. `stamp`: the store's own, of what was last read."""

    status: Status
    hold: str = ""
    message: str = ""
    stamp: datetime | None = None
    heard_at: datetime | None = None
    done: bool = True


@dataclass(frozen=True, slots=True)
class Owner:
    """The order whose document it is, and the ERP's numbers of all generations that are known to be ours."""

    order: int
    numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is compared. `first` to `last`: days of the window, both included; None: everything. `ours` false: two
    sides only, store and ERP. `now` in UTC; what is younger than `lag_s` may be on its way, and a document that we
    posted less than `visible_s` ago need not be seen yet. `differs`: where the ERP holds something else than we sent,
    as its connector says it. `form`: of the references. `sales_document`: what an order becomes where the ERP takes
    itemised documents (policy `sales.document`); empty where it is a journal entry."""

    policy: Policy
    tables: Tables
    now: datetime
    first: date | None = None
    last: date | None = None
    ours: bool = True
    lag_s: float = 3600.0
    visible_s: float = 60.0
    differs: Differs | None = None
    form: str = "short"
    sales_document: str = ""

    @property
    def is_sales(self) -> bool:
        return self.sales_document != ""

    def covers(self, day: date | None) -> bool:
        if day is None:
            return True
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def is_fresh(self, moment: datetime | None) -> bool:
        return self.ours and moment is not None and self.now - moment < timedelta(seconds=self.lag_s)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is known of one order. `snapshot` None: the store does not have it."""

    order_id: int
    snapshot: OrderSnapshot | None
    record: Known | None = None
    postings: tuple[Posting, ...] = ()
    stored: tuple[StoredDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not tie, or not yet (`open`): which order and document, by how much, the cause in words."""

    cause: Cause
    order_id: int | None
    reference: str
    store: Decimal
    erp: Decimal
    currency: str
    text: str
    ours: Decimal = ZERO
    day: date | None = None
    kind: str = ""
    numbers: tuple[str, ...] = ()
    touched: bool = False  # a document of ours is not in the ERP as we sent it

    @property
    def open(self) -> bool:
        return ABOUT[self.cause].open

    @property
    def amount(self) -> Decimal:
        return self.erp - self.store


@dataclass(frozen=True, slots=True)
class Entry:
    """What one thing adds to a row of the tie-out. `open`: what of `store` is not in the ERP yet, with a reason."""

    day: date | None
    currency: str
    kind: str
    store: Decimal
    open: Decimal
    ours: Decimal
    erp: Decimal
    documents: int = 0


@dataclass(frozen=True, slots=True)
class AccountEntry:
    day: date | None
    currency: str
    account: str
    ours: Decimal
    erp: Decimal


@dataclass(slots=True)
class Compared:
    """`state`: posted, waiting, held, excluded, dead, never_heard, not_in_store; `reason` of it."""

    order_id: int
    state: str = ""
    reason: str = ""
    documents: int = 0
    entries: list[Entry] = field(default_factory=list[Entry])
    accounts: list[AccountEntry] = field(default_factory=list[AccountEntry])
    differences: list[Difference] = field(default_factory=list[Difference])


@dataclass(slots=True)
class Thing:
    """One name: what the store expects under it, our postings of all generations, the ERP's documents."""

    kind: str
    id: str
    expected: Expected | None = None
    postings: list[Posting] = field(default_factory=list[Posting])
    live: list[StoredDocument] = field(default_factory=list[StoredDocument])
    reversed: list[StoredDocument] = field(default_factory=list[StoredDocument])


@dataclass(frozen=True, slots=True)
class About:
    """One thing with its figures on all sides."""

    thing: Thing
    name: str
    store: Measures
    ours: Measures
    erp: Measures
    currency: str
    day: date | None
