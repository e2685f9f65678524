"""Delivery notes of the ERP, as shipments of the store's orders: each note one shipment, once.

One run: resolve what is unknown -> read the notes -> find out which orders they deliver, by the documents of ours that
they were made from -> read these orders -> plan -> make the shipments exist -> say what became of each note. A shipment
is a document of the store, so the engine makes it exist as it makes documents of the ERP exist.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Excluded, Held, Line, LineType
from ml_connector.domain.shipments import DeliveryNote, NoteLine
from ml_connector.engine import crash, postings
from ml_connector.engine.apply import Applier, Work
from ml_connector.engine.outcomes import Applied, Stop, Stopped
from ml_connector.engine.postings import Posting, State, Step
from ml_connector.engine.records import Status
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.flows.answers import outcome_of_error, outcome_of_exclusion, outcome_of_hold, outcome_of_stop
from ml_connector.flows.batches import each_by_itself
from ml_connector.flows.context import Context
from ml_connector.flows.facts import postings_by_record
from ml_connector.flows.runtime import Runtime
from ml_connector.planning.shipments import Facts, Sold, Standing, orders_of, plan_shipments

NAME = "shipments"
BATCH = 40
ORDERS = "orders"
_PENDING = (State.PLANNED, State.REJECTED)


class ShipmentsFlow:
    """ERP to store. A record's key is the ERP's key of the delivery note."""

    name = NAME
    batch = BATCH

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        outcomes: dict[str, Outcome] = {}
        try:
            applier = self._runtime.applier(context, run, context.shipment_target)
            await _Batch(context, run, applier, outcomes).process()
        except ConnectorError as error:
            outcome = outcome_of_error(
                error, connection=context.failed_connection(error), epoch=context.epoch_of(error)
            )
            for key in run.keys:
                outcomes.setdefault(key, outcome)
        return outcomes


@dataclass(slots=True)
class _Batch:
    """The notes of one run. `outcomes` fills up; what is not in it yet is still on its way."""

    context: Context
    run: Run
    applier: Applier
    outcomes: dict[str, Outcome]
    rows: dict[str, list[Posting]] = field(default_factory=dict[str, list[Posting]])

    async def process(self) -> None:
        for key, result in (await self.applier.resolve(self.run.keys)).items():
            self.outcomes[key] = self._stopped(result)
        if not self.context.integration.flow(NAME).enabled:
            for key in self._left():
                self.outcomes[key] = Done(status=Status.EXCLUDED, reason="switched_off: shipments")
        await self._read_rows()
        notes = await self._read_notes()
        await crash.point("source.read.a", NAME)
        facts = await self._facts([note for note in notes.values() if not self._nothing_new(note)])
        await crash.point("plan.a", NAME)
        await self._apply({key: notes[key] for key in facts if key not in self.outcomes}, facts)

    def _left(self) -> list[str]:
        return [key for key in self.run.keys if key not in self.outcomes]

    def _stopped(self, result: Stop) -> Outcome:
        return outcome_of_stop(result, connection=self.context.store.id, epoch=self.context.store.epoch)

    # -------------------------------------------------------------- read

    async def _read_rows(self) -> None:
        """Our own postings of these notes; one that waits for a person stops its note."""
        known = await postings_by_record(self.context.database, self.run.integration, NAME, self._left())
        self.rows = {key: list(rows) for key, rows in known.items()}
        for key, rows in self.rows.items():
            held = next((row for row in rows if row.state is State.HELD), None)
            if held is not None:
                message = held.error or f"a person must look at {held.name.written} in the store"
                self.outcomes[key] = self._stopped(Stopped("posting_held", held.name.reference, message))

    async def _read_notes(self) -> dict[str, DeliveryNote]:
        notes, failures = await each_by_itself(self.context.deliveries.deliveries, self._left())
        for key, error in failures.items():
            self.outcomes[key] = outcome_of_error(error, connection=self.context.erp.id, epoch=self.context.erp.epoch)
        for key in self._left():
            if key not in notes:
                reason = f"no_delivery: the ERP has no delivery {key}, or it is none yet"
                self.outcomes[key] = Done(status=Status.EXCLUDED, reason=reason)
        return notes

    def _nothing_new(self, note: DeliveryNote) -> bool:
        """All of it stands in the store, planned from the very note that the ERP has now: no call is needed."""
        latest = _latest(self.rows.get(note.key, ()))
        if not latest or any(
            row.state not in postings.LIVE or row.source_digest != note.digest for row in latest.values()
        ):
            return False
        self.outcomes[note.key] = Done()
        return True

    async def _facts(self, notes: Sequence[DeliveryNote]) -> dict[str, Facts]:
        """What planning must know of each note; the orders are read together."""
        sources = await self._sources(notes)
        sold: dict[str, list[Sold]] = {}
        unclear: dict[str, list[str]] = {}
        for note in notes:
            sold[note.key], unclear[note.key] = [], []
            for line in note.lines:
                found = self._sold(line, sources)
                if isinstance(found, Sold):
                    sold[note.key].append(found)
                elif found:
                    unclear[note.key].append(found)
        wanted = orders_of([each for lines in sold.values() for each in lines])
        orders, failures = await each_by_itself(self.context.shipping.order_shipping, wanted)
        facts: dict[str, Facts] = {}
        for note in notes:
            broken = next((failures[each.order] for each in sold[note.key] if each.order in failures), None)
            if broken is not None:
                store = self.context.store
                self.outcomes[note.key] = outcome_of_error(broken, connection=store.id, epoch=store.epoch)
                continue
            standing = {row.name.reference: _standing(row) for row in _latest(self.rows.get(note.key, ())).values()}
            facts[note.key] = Facts(tuple(sold[note.key]), tuple(unclear[note.key]), orders, standing)
        return facts

    async def _sources(self, notes: Iterable[DeliveryNote]) -> dict[str, Posting]:
        """By the ERP's number, the documents of ours from which these notes deliver. A reference alone proves nothing:
        people copy documents, and the reference goes along."""
        named = {line.reference for note in notes for line in note.lines if line.reference}
        if not named:
            return {}
        bases = {base for name in named for base in (name, name.rpartition("-")[0]) if base}
        async with self.context.database.connect() as connection:
            rows = await postings.read(connection, self.run.integration, bases)
        return {
            row.number: row
            for name, row in rows.items()
            if name.written in named and row.number and row.flow == ORDERS and row.step is Step.CREATE
        }

    def _sold(self, line: NoteLine, sources: Mapping[str, Posting]) -> Sold | str:
        """The line of the store's order that a line ships; in words where it should be one and is not; empty where it
        is none: another's goods, freight, a charge."""
        row = sources.get(line.number)
        if row is None:
            return ""
        document = document_from_json(row.content)
        written = self.context.deliveries.line_at(document, line.place)
        if written is None:
            return f"{row.name.written} has no line {line.place} from which {line.item} could come"
        if written.itemised is None or written.itemised.type is not LineType.ITEM:
            return ""
        if written.itemised.item != line.item:
            return f"{row.name.written} sold {written.itemised.item} in the line from which {line.item} was delivered"
        number = _order_line(written)
        return Sold(line, row.record_key, number) if number is not None else ""

    # -------------------------------------------------------------- plan and apply

    async def _apply(self, notes: Mapping[str, DeliveryNote], facts: Mapping[str, Facts]) -> None:
        mapping, policy = self.context.mapping, self.context.policy
        work: list[Work] = []
        for key, note in notes.items():
            made = plan_shipments(note, facts[key], mapping, policy)
            if isinstance(made, Held):
                self._tell(key, {"held": made.code.value, "key": made.key, **(made.facts or {})})
                self.outcomes[key] = outcome_of_hold(made)
            elif isinstance(made, Excluded):
                self.outcomes[key] = outcome_of_exclusion(made, None)
            else:
                documents = [document.reference for document in made.documents]
                self._tell(key, {"documents": documents, "notes": [note.code for note in made.notes]})
                work.append(Work(key, made.documents, mapping.version, policy.version))
        for key, result in (await self.applier.apply(work)).items():
            self.outcomes[key] = Done() if isinstance(result, Applied) else self._stopped(result)

    def _tell(self, key: str, facts: Mapping[str, object]) -> None:
        self.context.story("planned", key, "", facts)


def _latest(rows: Iterable[Posting]) -> dict[str, Posting]:
    """By reference, the row of its last generation."""
    found: dict[str, Posting] = {}
    for row in sorted(rows, key=lambda row: row.name):
        found[row.name.reference] = row
    return found


def _standing(row: Posting) -> Standing:
    return Standing(
        document_from_json(row.content),
        live=row.state in postings.LIVE,
        pending=row.state in _PENDING,
        adopted=row.adopted,
    )


def _order_line(line: Line) -> int | None:
    """The store's line that a line of our document sold."""
    named = {part.key.split("/")[1] for part in line.parts if part.key.startswith("line/")}
    return int(named.pop()) if len(named) == 1 else None
