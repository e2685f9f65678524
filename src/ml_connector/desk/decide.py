"""What is true of a document that the engine will not judge by itself: a person says it, and the ERP is asked first.

Exactly once hangs on it: `gone` frees the next generation, so it is refused while a live document stands, and while the
ERP need not show yet what was posted. Nothing here is fenced by a run; the row's version is (P2): who decides on what
has changed meanwhile is refused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from ml_connector.connectors.base import STANDS, Lookup, StoredDocument
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document
from ml_connector.domain.money import ZERO
from ml_connector.engine import crash, postings, records
from ml_connector.engine.actor import actor
from ml_connector.engine.audit import append, entry
from ml_connector.engine.database import Database
from ml_connector.engine.evidence import unseen_for_s, words_of
from ml_connector.engine.postings import Posting, State, Step
from ml_connector.engine.records import Lane
from ml_connector.flows.runtime import Runtime
from ml_connector.reconcile.measures import as_stored, sums_by_account

LOOK_S: Final = 15.0
"""How long a page waits for the ERP to show what it has."""


class Verdict(StrEnum):
    """What the person found in the ERP."""

    RIGHT = "right"
    GONE = "gone"
    RETRY = "retry"


STATES: Final = {Verdict.RIGHT: State.POSTED, Verdict.GONE: State.VOID, Verdict.RETRY: State.PLANNED}
SAID: Final = {
    Verdict.RIGHT: "what the ERP has is right as it is; it is taken and never changed by itself",
    Verdict.GONE: "it is not live in the ERP; the next run may post the next generation",
    Verdict.RETRY: "it is tried again, after a look-up as always",
}
MADE_AGAIN: Final = {
    Step.REVERSE: "the reversal is not in the ERP; what it undid is live there, and it is sent again after a look-up",
    Step.CREATE: "it is not there, and is created again after a look-up",
}


class Undecided(Exception):
    """The verdict is not taken, and nothing has changed; the message says why and what to do. `shown`: the ERP shows
    something else. `forcible`: who knows better than the look-up may insist."""

    def __init__(self, message: str, *, shown: bool = False, forcible: bool = False) -> None:
        super().__init__(message)
        self.shown = shown
        self.forcible = forcible


class UnknownDocument(Undecided):
    """Nothing of ours has that reference."""


@dataclass(frozen=True, slots=True)
class Look:
    """A document as we know it, and what the ERP shows under its reference now, as it was asked for. `unseen_s`: for so
    long the ERP need not show what was posted a moment ago, and nothing there proves nothing. `differences`: in words,
    where the one live document is not what we sent. `sums`: by account, what we planned and what is live there."""

    posting: Posting
    document: Document
    stored: Sequence[StoredDocument]
    unseen_s: float
    differences: Sequence[str] = ()
    sums: Sequence[tuple[str, Decimal, Decimal]] = ()

    @property
    def live(self) -> Sequence[StoredDocument]:
        """What is not reversed, in whatever state it is."""
        return [each for each in self.stored if not each.reversed_by]

    @property
    def written(self) -> str:
        return self.posting.name.written


@dataclass(frozen=True, slots=True)
class Decided:
    """What was taken. `record` of `flow` runs again; `said`: what follows, in words."""

    reference: str
    flow: str
    record: str
    said: str


async def look(runtime: Runtime, posting: Posting) -> Look:
    """Asks the system that the document stands in. Raises `ConnectorError`."""
    context = await runtime.context(posting.integration, None)
    document = document_from_json(posting.content)
    ledger = context.target_of(posting.connection).ledger
    found = (await ledger.find([Lookup(document)])).get(document.reference, ())
    stored = [each for each in found if each.reference == document.reference]
    made = Look(posting, document, stored, unseen_for_s(posting, ledger.timing))
    if len(made.live) != 1:
        return made
    planned, there = sums_by_account(as_stored(document, context.mapping)), sums_by_account(made.live[0])
    sums = [(name, planned.get(name, ZERO), there.get(name, ZERO)) for name in sorted({*planned, *there})]
    return replace(made, differences=ledger.differences(document, made.live[0]), sums=sums)


def refusal(found: Look, verdict: Verdict) -> Undecided | None:
    """Why the verdict cannot be taken by what the ERP shows; None: nothing speaks against it."""
    written, live = found.written, found.live
    if verdict is Verdict.GONE:
        if found.unseen_s > 0:
            return Undecided(
                f"{written} was posted a moment ago, and the ERP need not show it yet: that it shows nothing would "
                f"prove nothing. Say it again in {math.ceil(found.unseen_s)} s.",
                shown=True,
            )
        if live:
            return Undecided(
                f"{written} is not gone: the ERP shows it as {_named(live)}, not reversed. Posting the next generation "
                "would book it twice. If it is wrong, reverse it in the ERP first; if it is right and held, say "
                "`right`.",
                shown=True,
            )
    if verdict is Verdict.RIGHT and not (len(live) == 1 and live[0].state in STANDS):
        if len(live) == 1:
            return Undecided(
                f"{written} is not right as it is: the ERP shows it as {_named(live)}, and nothing of it is booked. "
                "Make a posted document of it in the ERP, or delete it, then say `retry`.",
                shown=True,
                forcible=True,
            )
        shown = f"{len(live)} live documents ({_named(live)})" if live else "no live document"
        return Undecided(
            f"{written} is not right as it is: the ERP shows {shown} under this reference. Say `gone` for what was "
            "deleted or reversed there, or leave one of two.",
            shown=True,
            forcible=True,
        )
    return None


async def decide(
    runtime: Runtime, integration: int, reference: str, verdict: Verdict, *, why: str = "", force: bool = False
) -> Decided:
    """Takes the verdict on the document that the ERP has as `reference`, after looking at it there; in the name of the
    actor. `force`: with `right`, although the ERP does not show exactly one live document. Its record runs again.
    Raises `Undecided`, and `ConnectorError` where the ERP had to be asked and did not answer."""
    posting = await named(runtime.database, integration, reference)
    number: str | None = None
    if verdict is not Verdict.RETRY:
        number = await _asked(runtime, posting, verdict, force=force)
    state, said = STATES[verdict], SAID[verdict]
    if verdict is Verdict.GONE and postings.decided_gone(posting) is State.PLANNED:
        state, said = State.PLANNED, MADE_AGAIN[posting.step]
    written = posting.name.written
    async with runtime.database.transaction() as connection:
        if not await postings.decide(connection, posting, state, why=f"{actor.get()}: {why or said}", number=number):
            raise Undecided(
                f"{written} is {posting.state}; '{verdict}' does not apply to it. Held, refused and posted documents "
                "can be decided; one whose outcome is unknown is looked up by itself."
            )
        await records.raise_epoch(connection, integration)
        await records.release(connection, integration, "posting_held", [posting.name.reference])
        await records.replay(connection, integration, posting.flow, [posting.record_key])
        facts = {"verdict": str(verdict), "was": str(posting.state), "why": why, "by": actor.get()}
        if verdict is Verdict.RIGHT and number is None:
            facts["forced"] = "although the ERP did not show exactly one live document"
        audited = entry("released", integration, None, posting.flow, posting.record_key, [written], facts)
        await append(connection, [audited])
        await crash.point("release.commit.b", written)
    await crash.point("release.commit.a", written)
    async with runtime.database.connect() as connection:
        await records.notify(connection, [Lane(integration, posting.flow)])
    return Decided(written, posting.flow, posting.record_key, said)


async def _asked(runtime: Runtime, posting: Posting, verdict: Verdict, *, force: bool) -> str | None:
    """The number under which the ERP shows what is right: it may not be the one that we posted. None: nothing to take
    over, or it was insisted on. Raises like `decide`."""
    forced = force and verdict is Verdict.RIGHT
    try:
        found = await look(runtime, posting)
    except ConnectorError:
        if forced:
            return None
        raise
    refused = refusal(found, verdict)
    if refused is not None and not forced:
        raise refused
    return found.live[0].number if verdict is Verdict.RIGHT and refused is None else None


async def named(database: Database, integration: int, reference: str) -> Posting:
    """The document that the ERP has as `reference`, its generation included. Raises `UnknownDocument`."""
    written = reference.strip().upper()
    base, _, suffix = written.rpartition("-")
    names = [(written, 1), *([(base, int(suffix))] if suffix.isdecimal() and 1 < int(suffix) < 10_000 else [])]
    async with database.connect() as connection:
        rows = await postings.read(connection, integration, [name for name, _ in names])
    for name, row in rows.items():
        if (name.reference, name.generation) in names:
            return row
    raise UnknownDocument(f"No document {written} is known.")


async def held_under(database: Database, integration: int, reference: str) -> Sequence[Posting]:
    """The documents that a hold of this reference (without generation) is about: those that wait for a person, or the
    youngest where none does any more."""
    async with database.connect() as connection:
        rows: Mapping[postings.Name, Posting] = await postings.read(connection, integration, [reference])
    ordered = [rows[name] for name in sorted(rows)]
    return [row for row in ordered if row.state is State.HELD] or ordered[-1:]


def _named(documents: Sequence[StoredDocument]) -> str:
    return ", ".join(
        each.number + (f" (as {words_of(each.state)})" if each.state not in STANDS else "") for each in documents
    )
