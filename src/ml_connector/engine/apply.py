"""Makes documents true in the target, each exactly once (`docs/exactly-once.md`, section "one document").

All documents of a batch are looked up together. Then its records move in waves: the first document of each, then the
second, each wave in as few posts as the target allows. Within a record the order of the plan is kept: a document is
not sent before the one in front of it is posted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ml_connector.connectors.base import Earlier, Ledger, Lookup, StoredDocument, Timing
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine import crash, postings
from ml_connector.engine.database import Database
from ml_connector.engine.evidence import Judgement, judge, unfinished, unseen
from ml_connector.engine.outcomes import Applied, Changed, Failed, Result, Stands, Stop, Stopped, Waits, next_look_s
from ml_connector.engine.postings import Name, Planned, Posting, State, Step
from ml_connector.engine.recovery import adopt_generations
from ml_connector.engine.rows import (
    Work,
    base_of,
    differs,
    is_first,
    name_of,
    planned_from,
    problem_of,
    standing,
    stands_alone,
)
from ml_connector.engine.runs import Fenced, Run
from ml_connector.engine.send import Parcel, Sender


@dataclass(frozen=True, slots=True)
class Target:
    """Where documents go: a connection, and what exactly-once assumes of it."""

    connection: int
    ledger: Ledger

    @property
    def timing(self) -> Timing:
        return self.ledger.timing


@dataclass(slots=True)
class _Progress:
    work: Work
    left: list[Document] = field(default_factory=list[Document])
    numbers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class _Prepared:
    """What one look-up told of all documents of a batch. `ready`: may be sent; the rest has its verdict.

    `standing`: what an attempt of ours has made and not booked: it is finished.
    """

    documents: dict[Name, Document] = field(default_factory=dict[Name, Document])
    verdicts: dict[Name, Stands | Stop] = field(default_factory=dict[Name, "Stands | Stop"])
    ready: dict[Name, Posting] = field(default_factory=dict[Name, Posting])
    standing: dict[Name, StoredDocument] = field(default_factory=dict[Name, StoredDocument])


_NOT_OF_CONTENT = ("posting_held", "reversed_in_erp")
"""Holds that say something of a row, whatever was planned for it."""


class Applier:
    """Applies plans for one run, under its token."""

    def __init__(self, database: Database, run: Run, target: Target, sender: Sender) -> None:
        self._database = database
        self._run = run
        self._fence = run.fence
        self._flow = run.flow
        self._target = target
        self._sender = sender
        self._refused: set[Name] = set()
        self._shared: set[Name] = set()

    # -------------------------------------------------------------- unknown outcomes first (P1)

    async def resolve(self, keys: Sequence[str]) -> dict[str, Stop]:
        """Looks up every open posting of these records. Returns the records that cannot go on yet.

        From our own rows alone, before the source is read: also for records that are cancelled, excluded or gone.
        Resolving never sends.
        """
        async with self._database.connect() as connection:
            opened = await postings.open_postings(connection, self._fence.integration, self._flow, keys)
        settled = await self._look_again(opened)
        return {
            posting.record_key: outcome
            for posting in opened
            if isinstance(outcome := settled[posting.name], Waits | Stopped | Failed)
        }

    async def _look_again(self, opened: Sequence[Posting]) -> dict[Name, Stands | Stop]:
        """What a look-up shows of open postings. `Changed`: it was proved absent and may be sent again."""
        if not opened:
            return {}
        await crash.point("resolve.look_up.b")
        documents = {posting.name: document_from_json(posting.content) for posting in opened}
        stored = await self._find([Lookup(documents[posting.name]) for posting in opened])
        await crash.point("resolve.look_up.a")
        settled: dict[Name, Stands | Stop] = {}
        judged: list[tuple[Posting, Judgement]] = []
        gone: list[Posting] = []
        for posting in opened:
            document = documents[posting.name]
            found = stored.get(document.reference, ())
            half = unfinished(posting, document, found, self._target.ledger)
            judgement = judge(posting, document, found, self._target.ledger) if half is None else None
            if judgement is not None:
                judged.append((posting, judgement))
            elif posting.absence_counts:
                gone.append(posting)
                never = "never arrived" if half is None else f"stands unfinished as {half.number}"
                settled[posting.name] = Changed(f"{posting.name.written} {never}")
            else:
                settled[posting.name] = Waits(posting.name.reference, next_look_s(posting))
        if gone and (blind := await self._unseen()) is not None:
            settled |= {posting.name: Failed(blind) for posting in gone}
            gone = []
        await crash.point("resolve.commit.b")
        await self._record(judged)
        await postings.absent(self._database, self._fence, gone)
        await crash.point("resolve.commit.a")
        for posting in gone:
            self._sender.story("absent", posting.record_key, posting.name.written, {"attempt": posting.attempt})
        for posting, judgement in judged:
            if judgement.state is State.HELD:
                settled[posting.name] = Stopped("posting_held", posting.name.reference, judgement.error)
            else:
                settled[posting.name] = Stands(judgement.number)
        return settled

    # -------------------------------------------------------------- plans

    async def apply(self, work: Sequence[Work]) -> dict[str, Result]:
        """Per record: `Applied` with the target's numbers, or what stopped it; nothing for what is handed back.

        Everything is looked up once, before anything is sent: a row that changes meanwhile loses its licence to be
        sent (P2). Then the documents go out in waves.
        """
        results: dict[str, Result] = {}
        active = {item.key: _Progress(item, [d for d in item.documents if not d.already]) for item in work}
        prepared = await self._prepare(active.values())
        while active:
            for key, progress in list(active.items()):
                if not progress.left:
                    results[key] = Applied(progress.numbers)
                    del active[key]
            if self._run.stopping:  # the document at hand is finished; the rest belongs to another worker
                return results
            wave = {key: progress.left[0] for key, progress in active.items()}
            await self._send(prepared, {name_of(document) for document in wave.values()})
            for key, document in wave.items():
                outcome = _own(prepared, document)
                if isinstance(outcome, Stands):
                    active[key].numbers[document.reference] = outcome.number
                    del active[key].left[0]
                    await crash.point("doc1.posted.a" if document.kind is not Kind.REVERSAL else "reversal.posted.a")
                else:
                    results[key] = outcome
                    del active[key]
        return results

    async def _prepare(self, all_progress: Iterable[_Progress]) -> _Prepared:
        """Rows as `planned`, one look-up, the master data's word: what stands, what may be sent, what is stopped."""
        prepared = _Prepared()
        planned: dict[Name, Planned] = {}
        for progress in all_progress:
            for document in progress.left:
                name = name_of(document)
                if name not in planned:  # two records may share a customer: one drives it
                    prepared.documents[name] = document
                    planned[name] = planned_from(
                        document, connection=self._target.connection, flow=self._flow, work=progress.work
                    )
        if not planned:
            return prepared
        await crash.point("posting.planned.b")
        rows = await self._rows(planned)
        await crash.point("posting.planned.a")
        for name in self._shared:
            prepared.documents[name] = document_from_json(rows[name].content)
        wanted: list[Posting] = []
        for name, row in rows.items():
            verdict = standing(row, planned[name])
            if verdict is None:
                wanted.append(row)
            else:
                prepared.verdicts[name] = verdict
        # P4: an open posting of another record, e.g. a shared customer, is driven by all who need it: that record may
        # be parked, and nobody else would ever look.
        overdue = [row for row in rows.values() if row.is_open and row.absence_counts]
        prepared.verdicts |= await self._look_again(overdue)
        if wanted:
            absent = await self._look_up(wanted, planned, prepared)
            await self._check(absent, prepared)
        return prepared

    async def _look_up(
        self, rows: Sequence[Posting], planned: Mapping[Name, Planned], prepared: _Prepared
    ) -> list[Posting]:
        """Adopts or holds what the target has. Returns what it does not have."""
        documents = prepared.documents
        gone = await self._declared_gone(rows)
        lookups = [Lookup(documents[row.name], all_generations=is_first(row)) for row in rows]
        stored = await self._find(lookups + [Lookup(document_from_json(posting.content)) for posting in gone])
        await crash.point("look_up.a")
        risen = {
            posting.name.reference: f"{document.number} stands under {posting.name.written}, which was declared gone: "
            "reverse it in the ERP, then replay the record"
            for posting in gone
            for document in stored.get(posting.name.written, ())
            if document.reference == posting.name.written and not document.reversed_by
        }
        absent: list[Posting] = []
        judged: list[tuple[Posting, Judgement]] = []
        for row in rows:
            document = documents[row.name]
            found = stored.get(document.reference, ())
            others = [s for s in found if s.reference != document.reference] or [s for s in found if s.reversed_by]
            if others and is_first(row):
                target = self._target
                held = await adopt_generations(
                    self._database, self._fence, target.ledger, target.timing, planned[row.name], document, found
                )
                unknown = "the target holds documents of this reference that our records do not know"
                prepared.verdicts[row.name] = (
                    Changed(unknown)
                    if held is None
                    else Stopped("posting_held", row.name.reference, held.error or unknown)
                )
            elif (half := unfinished(row, document, found, self._target.ledger)) is not None:
                prepared.standing[row.name] = half
                absent.append(row)
            elif (judgement := judge(row, document, found, self._target.ledger)) is not None:
                judged.append((row, judgement))
            elif row.name.generation > 1 and (why := risen.get(row.name.reference)):
                prepared.verdicts[row.name] = Stopped("posting_held", row.name.reference, why)
            else:
                absent.append(row)
        absent = await self._seen_absent(absent, bool(gone), prepared)
        written = await self._record(judged)
        for row, judgement in judged:
            if row.name not in written:
                prepared.verdicts[row.name] = Changed("another run has settled the document")
            elif judgement.state is State.HELD:
                prepared.verdicts[row.name] = Stopped("posting_held", row.name.reference, judgement.error)
            else:
                prepared.verdicts[row.name] = Stands(judgement.number)
        return absent

    async def _seen_absent(self, absent: list[Posting], gone: bool, prepared: _Prepared) -> list[Posting]:
        """Without what the target had once, in this generation or in one declared `gone`, while the look-up is blind:
        that it does not show it now may be for want of a right, and the document still stand there (V)."""
        doubtful = {
            row.name for row in absent if row.number or row.posted_at or (gone and row.name.generation > 1)
        }  # fmt: skip
        if doubtful:
            blind = await self._unseen()
            if blind is not None:
                prepared.verdicts |= {name: Failed(blind) for name in doubtful}
                return [row for row in absent if row.name not in doubtful]
        return absent

    async def _unseen(self) -> ConnectorError | None:
        target = self._target
        return await unseen(self._database, self._fence.integration, target.connection, target.ledger)

    async def _declared_gone(self, rows: Sequence[Posting]) -> list[Posting]:
        """Earlier generations of these that a person has declared gone. What was gone then may have arrived since: a
        request of ours that was still on its way when somebody else's document was taken away (P7)."""
        names = [row.name.reference for row in rows if row.name.generation > 1 and stands_alone(row)]
        if not names:
            return []
        async with self._database.connect() as connection:
            known = await postings.read(connection, self._fence.integration, names)
        return [known[name] for name in sorted(known) if known[name].state is State.VOID]

    async def _check(self, rows: Sequence[Posting], prepared: _Prepared) -> None:
        """What the master data has something against is stopped before a byte of it is sent."""
        if not rows:
            return
        problems = await self._target.ledger.check([prepared.documents[row.name] for row in rows])
        for row in rows:
            against = problems.get(prepared.documents[row.name].reference, ())
            if against:
                prepared.verdicts[row.name] = problem_of(against)
            else:
                prepared.ready[row.name] = row

    async def _send(self, prepared: _Prepared, wave: Iterable[Name]) -> None:
        """Sends those of the wave that may be sent; afterwards every name of it has a verdict."""
        ready = [prepared.ready.pop(name) for name in sorted(wave) if name in prepared.ready]
        if ready:
            earlier = await self._earlier([prepared.documents[row.name] for row in ready])
            parcels = [
                Parcel(
                    row,
                    prepared.documents[row.name],
                    earlier,
                    prepared.standing.get(row.name),
                    refused_before=row.name in self._refused,
                )
                for row in ready
            ]
            prepared.verdicts |= await self._sender.send(parcels)

    async def _earlier(self, documents: Sequence[Document]) -> dict[str, Earlier]:
        """By reference, the documents of ours that these reverse, apply to or adjust. What is not live any more can
        be reversed at most: no money is put on an invoice that is gone."""
        named = {written for document in documents for written in document.names}
        reversed_ = {document.reverses for document in documents}
        if not named:
            return {}
        async with self._database.connect() as connection:
            rows = await postings.read(connection, self._fence.integration, [*named, *map(base_of, named)])
        return {
            name.written: Earlier(row.number, document_from_json(row.content))
            for name, row in rows.items()
            if name.written in named and row.number and (row.state in postings.LIVE or name.written in reversed_)
        }

    async def _rows(self, planned: Mapping[Name, Planned]) -> dict[Name, Posting]:
        """The rows of these documents as they stand, with the plan's content where nothing is in flight (P5)."""
        rows = await postings.plan(self._database, self._fence, list(planned.values()))
        if not rows:
            raise Fenced(f"run {self._fence.token} was taken over")
        rows = {name: rows[name] for name in planned}
        changes = [
            (row, planned[name])
            for name, row in rows.items()
            if row.state is State.REJECTED or (row.state is State.PLANNED and differs(row, planned[name]))
        ]
        self._refused |= {row.name for row in rows.values() if row.state is State.REJECTED}
        self._shared = await self._shared_of(changes)
        changes = [(row, document) for row, document in changes if row.name not in self._shared]
        if not changes:
            return rows
        await postings.replan(self._database, self._fence, changes)
        async with self._database.connect() as connection:
            fresh = await postings.read(connection, self._fence.integration, [name.reference for name in planned])
        return {name: fresh[name] for name in planned}

    async def _shared_of(self, changes: Sequence[tuple[Posting, Planned]]) -> set[Name]:
        """Customers that another run has planned from an order of its own and is about to send.

        An order asks only that its customer exists (P4): whichever run comes first sends what that run planned. Content
        of our own would take the other's licence away (P2), and a third run's ours, so that none of them sends.
        """
        customers = [
            row.name.reference
            for row, _ in changes
            if row.kind == Kind.CUSTOMER.value and row.step is Step.CREATE and row.state is State.PLANNED
        ]
        if not customers:
            return set()
        async with self._database.connect() as connection:
            return await postings.in_hand(connection, self._fence, customers)

    async def _find(self, lookups: Sequence[Lookup]) -> dict[str, Sequence[StoredDocument]]:
        """By reference of the document that was asked for."""
        size = self._target.ledger.lookup_size
        found: dict[str, Sequence[StoredDocument]] = {}
        for start in range(0, len(lookups), size):
            found.update(await self._target.ledger.find(lookups[start : start + size]))
        return found

    async def _record(self, judged: Sequence[tuple[Posting, Judgement]]) -> set[Name]:
        results = [judgement.as_found(posting) for posting, judgement in judged]
        written = await postings.found(self._database, self._fence, results, self._target.timing)
        for posting, judgement in judged:
            self._sender.story(
                "held" if judgement.state is State.HELD else "stored",
                posting.record_key,
                posting.name.written,
                {"number": judgement.number, "by": "look-up", "error": judgement.error, "adopted": not judgement.ours},
            )
        return written


def _own(prepared: _Prepared, document: Document) -> Stands | Stop:
    """The verdict for whoever planned `document`. What an ERP has against a shared customer as another order shows it,
    it need not have against this order's: that one is planned, and tried, in the next run."""
    name = name_of(document)
    verdict = prepared.verdicts[name]
    if isinstance(verdict, Stopped) and verdict.kind not in _NOT_OF_CONTENT and prepared.documents[name] != document:
        return Changed(f"{name.written} was planned from another order, and stopped there: {verdict.message}")
    return verdict


__all__ = ["Applier", "Target", "Work", "name_of", "planned_from"]
