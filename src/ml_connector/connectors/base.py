"""The contract between connectors and everybody else: canonical types in, canonical types out.

A system's package declares one `System`. `System.connect` gives an object that has the capabilities (protocols
below) that the system offers; whoever needs one asks with `isinstance` (they are runtime checkable).

What has to be shared between processes (tokens, limits, breaker, audit) is declared here as small protocols and
implemented in `engine/` on PostgreSQL.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

from ml_connector.domain.customers import Customer
from ml_connector.domain.documents import Document
from ml_connector.domain.orders import OrderSnapshot

# ------------------------------------------------------------------ time


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


# ------------------------------------------------------------------ shared services (implemented in engine/)


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that opens a session. `expires_at` in UTC."""

    value: str
    expires_at: datetime


class TokenStore(Protocol):
    """Tokens fetched once and shared by all processes, encrypted at rest."""

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, min_valid_s: float = 60) -> Token:
        """The stored token if it is valid for `min_valid_s` more, else the result of one `fetch` for all processes."""
        ...

    async def drop(self, name: str, token: Token) -> None:
        """Forget `token` if it is still the stored one (another process may have renewed it)."""
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """What a system said about its own limits: requests left of `limit` until `reset_s` seconds from now."""

    limit: int
    left: int
    reset_s: float


Priority = Literal["orders", "catalogue", "background"]

_background: ContextVar[bool] = ContextVar("background", default=False)


@contextmanager
def in_background() -> Generator[None]:
    """Every call that is made within goes after orders and catalogue, whatever priority its caller asks for."""
    before = _background.set(True)
    try:
        yield
    finally:
        _background.reset(before)


def effective(priority: Priority) -> Priority:
    """The priority of a call that is made here and now."""
    return "background" if _background.get() else priority


class Limiter(Protocol):
    """Concurrency and pace of one connection, held across processes."""

    def slot(self, priority: Priority = "orders") -> AbstractAsyncContextManager[None]:
        """Waits until a call may start; holds one of the connection's places until left."""
        ...

    async def observe(self, quota: Quota | None = None, *, throttled_for_s: float | None = None) -> None:
        """Feeds the pace: the quota of an answer, or that the system asked to wait."""
        ...


class Breaker(Protocol):
    """One circuit breaker per connection, seen by everyone."""

    async def success(self) -> None: ...

    async def failure(self, error: Exception) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request to another system, as the audit keeps it (headers and bodies redacted by the caller of the sink)."""

    method: str
    url: str
    status: int | None
    duration_s: float
    request_id: str = ""
    error: str = ""
    request_body: str = ""
    response_body: str = ""
    references: tuple[str, ...] = ()


class CallSink(Protocol):
    """Where every call is written down, with the correlation ID of the run that made it."""

    async def call(self, call: Call) -> None: ...


async def _no_trace(point: str) -> None:
    """Nothing observes."""


Trace = Callable[[str], Awaitable[None]]
"""Called at the named points of a write: `send.connected`, `send.half_body`, `send.body_out`, `answer.read`, `login.a`,
`session.store.b`. Tests kill the process there."""


class Services:
    """What a connector shares with other processes. One per connection."""

    def __init__(
        self,
        *,
        tokens: TokenStore,
        limiter: Limiter,
        breaker: Breaker,
        calls: CallSink,
        trace: Trace = _no_trace,
    ) -> None:
        self.tokens = tokens
        self.limiter = limiter
        self.breaker = breaker
        self.calls = calls
        self.trace = trace


class Permit(Protocol):
    """The licence to send one write. The transport asks for it when the connection stands, before the first byte."""

    async def arm(self) -> None:
        """Commits `sending` for every document of the write, at most once. Raises `NotSent` if that was refused."""
        ...

    def check(self) -> None:
        """Raises `NotSent` when more than P has gone since the arming began. Called right before bytes are written,
        also before a replay after a renewed session."""
        ...


class FreePermit:
    """For writes that are safe to repeat (absolute values, hooks, sessions): always granted."""

    async def arm(self) -> None:
        return None

    def check(self) -> None:
        return None


# ------------------------------------------------------------------ health


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of a ping, in words that the system's administrator can act on.

    `kind`: `connection`, `credentials`, `right`, `guard`, `clock`, `setting`. `needed` false: nice to have.
    """

    name: str
    ok: bool
    message: str
    fix: str = ""
    kind: str = "connection"
    needed: bool = True


@runtime_checkable
class Pings(Protocol):
    async def ping(self) -> Sequence[Check]:
        """Every check, never raising for what a check can say."""
        ...


# ------------------------------------------------------------------ ledger: find and post documents


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which document is asked for. `all_generations`: also `<base>-2`, `<base>-3`, ... of the same base reference."""

    document: Document
    all_generations: bool = False


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as the target stores it. `amount`: debit positive. Fields that the target does not give are empty."""

    account: str
    amount: Decimal
    tax_code: str = ""
    profit_center: str = ""
    cost_center: str = ""
    customer: str = ""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as the target stores it. `number` is the target's canonical key, e.g. `0100000008/1710/2026`.

    `lines` are those that the read service has (tax items may carry no account). `state`: posted, draft, ...
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
    state: str = "posted"
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A document to post. `reverses_number`: the target's key of the document that a reversal undoes."""

    document: Document
    reverses_number: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """The target says: done, as `number`."""

    number: str
    warnings: tuple[str, ...] = ()


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
class ListsDocuments(Protocol):
    """For counting and tie-out: every document of ours in a window of posting dates."""

    def documents_between(self, first: date, last: date, prefix: str) -> AsyncIterator[StoredDocument]: ...


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


# ------------------------------------------------------------------ store


@dataclass(frozen=True, slots=True)
class Change:
    """One source thing that may have changed. `stamp` is the source's own, where it gives one."""

    key: str
    stamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes of one page, and the watermark that is safe to keep once they are marked."""

    changes: tuple[Change, ...]
    watermark: datetime | None


@runtime_checkable
class ReadsOrders(Protocol):
    async def orders(self, keys: Sequence[str]) -> Mapping[str, OrderSnapshot]:
        """Complete snapshots; a key that the store does not know is absent from the result."""
        ...

    def changed_orders(self, since: datetime) -> AsyncIterator[ChangePage]:
        """Orders changed at or after `since`, refunds included, oldest first."""
        ...

    def orders_created(self, first: datetime, last: datetime) -> AsyncIterator[ChangePage]:
        """Orders created in a window: backfill and completeness."""
        ...


@runtime_checkable
class KnowsItself(Protocol):
    """For days: a window of dates begins and ends at the store's midnight."""

    async def time_zone(self) -> str:
        """The store's own time zone, an IANA name."""
        ...


@runtime_checkable
class ReadsCustomers(Protocol):
    async def customers(self, keys: Sequence[str]) -> Mapping[str, Customer]: ...

    def changed_customers(self, since: datetime) -> AsyncIterator[ChangePage]: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook. `id` is equal for redeliveries of one event. `marks`: (flow, key, stamp)."""

    id: str
    scope: str
    marks: tuple[tuple[str, str, datetime | None], ...]


@runtime_checkable
class ReceivesWebhooks(Protocol):
    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Checks the delivery by the scheme that the connection declares. Raises `Forged`."""
        ...

    async def ensure_hooks(self, destination: str) -> Sequence[str]:
        """Makes our hooks exist and active at `destination`; says in words what was changed."""
        ...


@runtime_checkable
class WritesBack(Protocol):
    async def note_documents(self, order_key: str, numbers: Mapping[str, str]) -> None:
        """Keeps reference -> ERP document number beside the order in the store. Absolute, safe to repeat."""
        ...


# ------------------------------------------------------------------ systems


@dataclass(frozen=True, slots=True)
class Field:
    """One setting or credential of a connection, enough for a form, a schema and a documentation row."""

    name: str
    title: str
    help: str = ""
    secret: bool = False
    required: bool = True
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    type: Literal["text", "integer", "boolean", "date"] = "text"


class Connector(Protocol):
    """A live connection. It has the capabilities of its system besides these."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """A connection's settings and credentials, both checked against the system's fields. `sandbox` permits plain HTTP,
    loopback addresses and shortened timing."""

    name: str
    base_url: str
    settings: Mapping[str, object]
    credentials: Mapping[str, str]
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """What a system's package declares; found through the entry point group `ml_connector.systems`."""

    name: str
    title: str
    side: Literal["store", "erp"]
    fields: tuple[Field, ...]
    connect: Callable[[Settings, Services], Connector]
    style: Literal["journal", "sales", ""] = ""
    reference_form: Literal["short", "long", ""] = ""
