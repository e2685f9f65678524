"""The values of postings: what is planned, what a row says, what was sent, answered, found and counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.engine import Row


class State(StrEnum):
    """`void`: a person says that this generation is not live in the target (deleted or reversed there by hand)."""

    PLANNED = "planned"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    POSTED = "posted"
    CHECKED = "checked"
    REJECTED = "rejected"
    HELD = "held"
    VOID = "void"


OPEN = frozenset({State.SENDING, State.UNCERTAIN})
LIVE = frozenset({State.POSTED, State.CHECKED})


class Step(StrEnum):
    """What a posting does to the target. `UPDATE` changes a document in place and is a posting of its own (P8): master
    data under its own reference, a sales order under the next generation of its name, which it gets with the content.
    """

    CREATE = "create"
    REVERSE = "reverse"
    UPDATE = "update"


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """Which posting. The reference is without generation."""

    reference: str
    generation: int = 1

    @property
    def written(self) -> str:
        """As the target has it: the generation is a suffix from the second on."""
        return self.reference if self.generation == 1 else f"{self.reference}-{self.generation}"


@dataclass(frozen=True, slots=True)
class Fence:
    """The run under whose token something is written."""

    integration: int
    token: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A document that must exist. `fingerprint` of its content: amounts, accounts, parties; not dates or texts.

    `content`, plain JSON: the document as planned, later as sent. `before`, for an update: the content that it
    replaces. `reverses`: the document that a reversal undoes, or that an update gives the name of this posting.
    """

    name: Name
    connection: int
    flow: str
    record_key: str
    kind: str
    fingerprint: str
    content: Mapping[str, Any]
    step: Step = Step.CREATE
    reverses: Name | None = None
    before: Mapping[str, Any] | None = None
    source_digest: str | None = None
    mapping_version: int | None = None
    policy_version: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """A row as read at `read_at` (the database's clock), which is before the look-up that it licenses.

    Times in UTC. `resolve_at`: absence counts from a look-up that starts then. `sent_fingerprints`: of every attempt.
    """

    name: Name
    integration: int
    connection: int
    flow: str
    record_key: str
    kind: str
    step: Step
    reverses: Name | None
    state: State
    version: int
    attempt: int
    sent_at: datetime | None
    resolve_at: datetime | None
    fingerprint: str
    sent_fingerprints: tuple[str, ...]
    content: Mapping[str, Any]
    before: Mapping[str, Any] | None
    stored: Mapping[str, Any] | None
    number: str | None
    source_digest: str | None
    mapping_version: int | None
    policy_version: int | None
    adopted: bool
    error: str | None
    posted_at: datetime | None
    checked_at: datetime | None
    count_at: datetime | None
    read_at: datetime

    @property
    def absence_counts(self) -> bool:
        """Whether a look-up that starts now, after the row was read, proves absence."""
        return self.resolve_at is None or self.resolve_at <= self.read_at

    @property
    def shown(self) -> str:
        """The number that people see in the target; its key, where it has no other."""
        return str((self.stored or {}).get("shown") or self.number or "")

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_entry(self) -> bool:
        """A document under its own name: made, or an earlier one that this request has given the name."""
        return self.step is Step.CREATE or self.replaces

    @property
    def replaces(self) -> bool:
        """An update that takes over the name of a document, which does not stand under its old one any more."""
        return self.step is Step.UPDATE and self.reverses is not None

    @property
    def has_replaced(self) -> bool:
        """Such an update, and the target has shown it: whatever became of it, the earlier name is gone."""
        return self.replaces and self.number is not None and self.state in (*LIVE, State.HELD, State.VOID)


@dataclass(frozen=True, slots=True)
class Sent:
    """The licence to send one document: `attempt` names the answer that may be recorded."""

    name: Name
    attempt: int
    version: int
    sent_at: datetime
    resolve_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt. `state`: POSTED, REJECTED, UNCERTAIN, or PLANNED when no byte left.

    `number`: the target's key. `stored`: what the target says it stored.
    """

    sent: Sent
    state: State
    number: str | None = None
    stored: Mapping[str, Any] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A look-up that found documents. `state`: POSTED to adopt, HELD for a person (mismatch, or two of them).

    `fingerprint` and `stored`: of what was found (P6). `ours`: we sent that content; else it is `adopted` and never
    amended or reversed automatically.
    """

    posting: Posting
    state: State
    number: str | None = None
    stored: Mapping[str, Any] | None = None
    fingerprint: str | None = None
    ours: bool = True
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The count after posting (P11): how many documents carry the reference. One is right."""

    posting: Posting
    count: int
    error: str | None = None


# ------------------------------------------------------------------ rows


def as_inserted(planned: Planned, integration: int, row: Any) -> Posting:
    """The row as `PLAN` has just written it."""
    return Posting(
        name=planned.name,
        integration=integration,
        connection=planned.connection,
        flow=planned.flow,
        record_key=planned.record_key,
        kind=planned.kind,
        step=planned.step,
        reverses=planned.reverses,
        state=State.PLANNED,
        version=row.version,
        attempt=0,
        sent_at=None,
        resolve_at=None,
        fingerprint=planned.fingerprint,
        sent_fingerprints=(),
        content=planned.content,
        before=planned.before,
        stored=None,
        number=None,
        source_digest=planned.source_digest,
        mapping_version=planned.mapping_version,
        policy_version=planned.policy_version,
        adopted=False,
        error=None,
        posted_at=None,
        checked_at=None,
        count_at=None,
        read_at=row.read_at,
    )


def from_row(row: Row[Any]) -> Posting:
    """A row of `postings` with its `read_at`."""
    reverses = None if row.reverses_reference is None else Name(row.reverses_reference, row.reverses_generation)
    return Posting(
        name=Name(row.reference, row.generation),
        integration=row.integration,
        connection=row.connection,
        flow=row.flow,
        record_key=row.record_key,
        kind=row.kind,
        step=Step(row.step),
        reverses=reverses,
        state=State(row.state),
        version=row.version,
        attempt=row.attempt,
        sent_at=row.sent_at,
        resolve_at=row.resolve_at,
        fingerprint=row.fingerprint,
        sent_fingerprints=tuple(row.sent_fingerprints),
        content=row.content,
        before=row.before,
        stored=row.stored,
        number=row.number,
        source_digest=row.source_digest,
        mapping_version=row.mapping_version,
        policy_version=row.policy_version,
        adopted=row.adopted,
        error=row.error,
        posted_at=row.posted_at,
        checked_at=row.checked_at,
        count_at=row.count_at,
        read_at=row.read_at,
    )
