"""Sends documents whose absence was proved, and records what became of each attempt.

A definite answer is recorded as it is. Anything else is *uncertain*: never repeated here, only looked up by a later
run. An answer that reaches a run which was taken over changes nothing and is kept as evidence (R4).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ml_connector.connectors.base import (
    Earlier,
    Ledger,
    Outgoing,
    Posted,
    PostResult,
    Refused,
    StoredDocument,
    Unknown,
)
from ml_connector.connectors.errors import (
    Conflict,
    ConnectorError,
    NotSent,
    Rejected,
    Throttled,
    Transient,
    Unauthorized,
    Uncertain,
    Unreachable,
)
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine import crash, gate, postings
from ml_connector.engine.database import Database
from ml_connector.engine.outcomes import EARLY_LOOKS_S, Changed, Failed, Stands, Stop, Stopped, Waits, next_look_s
from ml_connector.engine.permit import SendPermit
from ml_connector.engine.postings import Answer, Fence, Name, Posting, Sent, State
from ml_connector.engine.watchdog import Watchdog

Story = Callable[[str, str, str, Mapping[str, object]], None]
"""Tells the audit what happened to a record: kind, record key, reference, facts."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A document to send. `row` as read before the look-up; `earlier`: the documents of ours that it names; `standing`:
    what an attempt of ours has made of it and not booked.

    `refused_before`: the target has refused it, maybe in company; it goes alone.
    """

    row: Posting
    document: Document
    earlier: Mapping[str, Earlier]
    standing: StoredDocument | None = None
    refused_before: bool = False

    @property
    def name(self) -> Name:
        return self.row.name

    @property
    def goes_alone(self) -> bool:
        return self.document.kind is Kind.CUSTOMER or self.refused_before or self.standing is not None


GATE_LOOK_S = 60.0
"""While the send gate is closed, a record looks again after that many seconds at most."""

_NOTHING_WRITTEN = (Throttled, Transient, Unauthorized, Rejected, Conflict)


class Sender:
    """`probing`: the connection was down and this run finds out whether it is back."""

    def __init__(
        self,
        database: Database,
        fence: Fence,
        ledger: Ledger,
        watchdog: Watchdog,
        story: Story,
        *,
        probing: bool = False,
    ) -> None:
        self._database = database
        self._fence = fence
        self._ledger = ledger
        self._watchdog = watchdog
        self._probing = probing
        self.story = story

    async def send(self, parcels: Sequence[Parcel]) -> dict[Name, Stands | Stop]:
        """All parcels, in as few calls as the target's batch size allows; the calls go out side by side.

        Some go alone, because a batch shares one fate. A customer: targets take no batches of customers, and one that
        another run creates at this moment must not stop those beside it. One that was refused before: if it is
        the one that a target chokes on, its neighbours must not be refused with it again and again. Everything, while
        the connection is being probed.
        """
        size = 1 if self._probing else max(1, self._ledger.batch_size)
        alone = [[parcel] for parcel in parcels if parcel.goes_alone]
        others = [parcel for parcel in parcels if not parcel.goes_alone]
        batches = alone + [others[start : start + size] for start in range(0, len(others), size)]
        results = await _all([self._one_call(batch) for batch in batches])
        return {name: result for batch in results for name, result in batch.items()}

    async def _one_call(self, parcels: Sequence[Parcel]) -> dict[Name, Stands | Stop]:
        permit = SendPermit(
            self._database, self._fence, [parcel.row for parcel in parcels], self._ledger.timing, self._watchdog
        )
        try:
            outgoing = [Outgoing(parcel.document, parcel.earlier, parcel.standing) for parcel in parcels]
            answers = await self._ledger.post(outgoing, permit)
        except NotSent as error:
            if permit.further:
                return await self._settle(parcels, permit, [Unknown(str(error))] * len(parcels))
            return await self._not_sent(parcels, permit, error)
        except Uncertain as error:
            return await self._settle(parcels, permit, [Unknown(str(error))] * len(parcels))
        except Unreachable as error:
            if permit.sent:  # the contract says that it came before the permit: believe the worse
                return await self._settle(parcels, permit, [Unknown(str(error))] * len(parcels))
            return {parcel.name: Failed(error) for parcel in parcels}
        except _NOTHING_WRITTEN as error:
            if permit.further and not isinstance(error, Rejected):  # at once free again is only what left no trace
                return await self._settle(parcels, permit, [Unknown(str(error))] * len(parcels))
            return await self._nothing_written(parcels, permit, error)
        finally:
            permit.close()
        return await self._settle(parcels, permit, answers)

    async def _not_sent(
        self, parcels: Sequence[Parcel], permit: SendPermit, error: NotSent
    ) -> dict[Name, Stands | Stop]:
        """No byte left: the posting is free again at once. If even that is refused, it is left to the horizon."""
        if permit.sent:
            await crash.point("unsent.commit.b")
            freed = [Answer(sent, State.PLANNED, error=str(error)) for sent in permit.sent]
            await postings.answer(self._database, self._fence, freed, self._ledger.timing)
            await crash.point("unsent.commit.a")
        for row in (parcel.row for parcel in parcels):
            self.story("not_sent", row.record_key, row.name.written, {"why": str(error)})
        closed = await gate.closed_until(self._database, self._ledger.timing.h_s)
        if closed is not None:
            wait_s = min(GATE_LOOK_S, max(1.0, (closed.until - datetime.now(UTC)).total_seconds()))
            why = f"nothing is sent until {closed.until:%Y-%m-%d %H:%M:%S} UTC: {closed.why}"
            return {parcel.name: Waits("", wait_s, why) for parcel in parcels}
        if len(parcels) > 1 and not permit.sent:
            # The permit is for all or none: one document that another run has moved must not stop the others.
            results = [await self._one_call([parcel]) for parcel in parcels]
            return {name: result for each in results for name, result in each.items()}
        if permit.sent:
            return {parcel.name: Changed(str(error)) for parcel in parcels}
        return {parcel.name: await self._why_refused(parcel.row, error) for parcel in parcels}

    async def _why_refused(self, row: Posting, error: NotSent) -> Stop:
        """An earlier generation that is in doubt, or before a person, stands in the way of the next (P7, P8)."""
        async with self._database.connect() as connection:
            rows = await postings.read(connection, self._fence.integration, [row.name.reference])
        for earlier in (rows[name] for name in sorted(rows) if name.generation < row.name.generation):
            if earlier.is_open:
                return Waits(earlier.name.reference, next_look_s(earlier))
            if earlier.state is State.HELD:
                message = earlier.error or f"a person must look at {earlier.name.written} in the ERP"
                return Stopped("posting_held", earlier.name.reference, message)
            if row.is_entry and earlier.state in (State.PLANNED, State.REJECTED):
                # After a restore: a later generation was adopted, and of this one there was no trace.
                message = (
                    f"{earlier.name.written} was never posted as far as our records know, and a later generation was: "
                    f"look for it in the ERP, then decide on {earlier.name.written}"
                )
                return Stopped("posting_held", earlier.name.reference, message)
            if earlier.state is State.VOID and not earlier.absence_counts:
                why = f"{earlier.name.written} is gone, but a request for it may still arrive"
                return Waits("", next_look_s(earlier), why)
        return Changed(str(error))

    async def _nothing_written(
        self, parcels: Sequence[Parcel], permit: SendPermit, error: ConnectorError
    ) -> dict[Name, Stands | Stop]:
        """The target answered for the whole call that it wrote nothing. Authoritative for this attempt only (P10).

        A content that it refuses is `rejected`; a call that it did not take (quota, rights, maintenance) says nothing
        about the content, and the posting is free again.
        """
        state = State.REJECTED if isinstance(error, Rejected) else State.PLANNED
        if permit.sent:
            point = "rejected" if state is State.REJECTED else "unsent"
            answered = [Answer(sent, state, error=str(error)) for sent in permit.sent]
            await crash.point(f"{point}.commit.b")
            await postings.answer(self._database, self._fence, answered, self._ledger.timing)
            await crash.point(f"{point}.commit.a")
        for row in (parcel.row for parcel in parcels):
            kind = "rejected" if state is State.REJECTED else "not_sent"
            self.story(kind, row.record_key, row.name.written, {"error": str(error)})
        if isinstance(error, Rejected) and len(parcels) > 1:
            return {parcel.name: Changed(f"refused as a batch, each is sent alone next: {error}") for parcel in parcels}
        if isinstance(error, Rejected):
            return {parcel.name: Stopped("rejected", parcel.name.reference, str(error)) for parcel in parcels}
        if isinstance(error, Conflict):
            return {parcel.name: Changed(str(error)) for parcel in parcels}
        return {parcel.name: Failed(error) for parcel in parcels}

    async def _settle(
        self, parcels: Sequence[Parcel], permit: SendPermit, answers: Sequence[PostResult]
    ) -> dict[Name, Stands | Stop]:
        """Records one answer per document. What has no answer is uncertain."""
        by_name: Mapping[Name, Sent] = {sent.name: sent for sent in permit.sent}
        padded = [*answers, *[Unknown("the answer does not name this document")] * (len(parcels) - len(answers))]
        together = _refused_together(answers)
        settled: dict[Name, Stands | Stop] = {}
        recorded: list[Answer] = []
        for parcel, result in zip(parcels, padded, strict=False):
            row, document = parcel.row, parcel.document
            sent = by_name.get(row.name)
            if sent is None and isinstance(result, Refused):  # before a byte left: the posting is as it was
                self.story("rejected", row.record_key, row.name.written, {"error": result.message})
                settled[row.name] = _refused(result, document)
                continue
            if sent is None:
                settled[row.name] = Changed("the posting was never opened for sending")
                continue
            answer, outcome = _judged(sent, result, document, self._ledger.timing.h_s)
            recorded.append(answer)
            settled[row.name] = Changed(f"refused with its batch, sent alone next: {together}") if together else outcome
        written = await self._record(recorded)
        for row in (parcel.row for parcel in parcels):
            answer = next((a for a in recorded if a.sent.name == row.name), None)
            if answer is None:
                continue
            fenced = answer.sent.name not in written
            facts = {
                "state": str(answer.state),
                "number": answer.number,
                "error": answer.error,
                "attempt": answer.sent.attempt,
            }
            self.story("fenced" if fenced else _STORY[answer.state], row.record_key, row.name.written, facts)
            if fenced:
                settled[row.name] = Changed("another run has taken over")
        return settled

    async def _record(self, answers: Sequence[Answer]) -> set[Name]:
        """In two halves when there are several: a crash between them leaves each document to its own look-up."""
        states = {answer.state for answer in answers}
        for state in states:
            await crash.point(f"{state}.commit.b")
        half = (len(answers) + 1) // 2
        written = await postings.answer(self._database, self._fence, answers[:half], self._ledger.timing)
        if answers[half:]:
            await crash.point("batch.answer.half")
            written |= await postings.answer(self._database, self._fence, answers[half:], self._ledger.timing)
        for state in states:
            await crash.point(f"{state}.commit.a")
        return written


_STORY = {State.POSTED: "stored", State.REJECTED: "rejected", State.UNCERTAIN: "uncertain"}


def _refused_together(answers: Sequence[PostResult]) -> str:
    """The one message with which a whole batch was refused; empty where each document has an answer of its own."""
    messages = {answer.message if isinstance(answer, Refused) else "" for answer in answers}
    return messages.pop() if len(answers) > 1 and len(messages) == 1 else ""


def _judged(sent: Sent, result: PostResult, document: Document, horizon_s: float) -> tuple[Answer, Stands | Stop]:
    reference = sent.name.reference
    if isinstance(result, Posted):
        told = {"warnings": list(result.warnings), "shown": result.shown}
        stored = {name: value for name, value in told.items() if value} or None
        return Answer(sent, State.POSTED, number=result.number, stored=stored), Stands(result.number)
    if isinstance(result, Refused):
        return Answer(sent, State.REJECTED, error=result.message), _refused(result, document)
    return Answer(sent, State.UNCERTAIN, error=result.message), Waits(reference, min(EARLY_LOOKS_S[0], horizon_s))


def _refused(result: Refused, document: Document) -> Stop:
    if result.transient:
        return Failed(Transient(result.message, code=result.code))
    return Stopped(result.hold or "rejected", document.reference, result.message)


async def _all(calls: Sequence[Awaitable[dict[Name, Stands | Stop]]]) -> list[dict[Name, Stands | Stop]]:
    """All calls to their end, even if one raises: each has bytes on the way whose outcome must be recorded."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
