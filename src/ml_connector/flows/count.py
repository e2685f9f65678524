"""Counts every posted document by its reference (P11): finds a second system's document and a broken assumption.

Runs past the target's visibility lag, many references to a look-up; a posting whose outcome was once unknown is
counted once more at `sent_at + 2H`. What does not count to exactly one, or says something else than was sent, is held
for a person. A look-up that has gone blind counts nothing: the count itself is held, and the documents are left alone.
"""

from collections.abc import Mapping, Sequence

from ml_connector.connectors.base import Ledger, Lookup, StoredDocument
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine import crash, postings, records
from ml_connector.engine.apply import Target
from ml_connector.engine.evidence import blind_count, words_of
from ml_connector.engine.postings import Counted, Posting
from ml_connector.engine.records import Lane
from ml_connector.engine.runs import Done, Fail, Outcome, Run
from ml_connector.flows.answers import outcome_of_error
from ml_connector.flows.context import Context
from ml_connector.flows.runtime import Runtime

NAME = "system:count"
EVERY_S = 60.0
AT_ONCE = 200
AGAIN_S = 60.0


class CountFlow:
    """One periodic record per integration."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s
        self._every_s = runtime.count_every_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        outcome: Outcome = Done(next_in_s=self._every_s)
        for target in context.targets:  # one that is away leaves the others their count
            try:
                while run.alive and not run.stopping and await self._count_some(context, run, target) == AT_ONCE:
                    pass
            except ConnectorError as error:
                if target.connection == context.erp.id:
                    outcome = outcome_of_error(error, connection=context.erp.id, epoch=context.erp.epoch)
                elif isinstance(outcome, Done):  # the ERP's documents are counted again all the same
                    outcome = Fail(str(error), floor_s=AGAIN_S)
        return dict.fromkeys(run.keys, outcome)

    async def _count_some(self, context: Context, run: Run, target: Target) -> int:
        async with context.database.connect() as connection:
            due = await postings.due_counts(connection, run.integration, target.connection, limit=AT_ONCE)
        if not due:
            return 0
        documents = {posting.name: document_from_json(posting.content) for posting in due}
        stored = await _find(target.ledger, list(documents.values()))
        updated = await _updated(context, run, due)
        missing = [p for p in due if p.name not in updated and not _mine(documents[p.name], stored)]
        await self._require_sight(context, run, target, missing)
        reversed_by_us = await _reversed_by_us(context, run, due)
        counted = [
            _counted(
                p,
                documents[p.name],
                stored.get(documents[p.name].reference, ()),
                target.ledger,
                ours=p.name in reversed_by_us,
                update=updated.get(p.name),
            )
            for p in due
        ]
        await crash.point("count.b")
        await postings.count(context.database, run.fence, counted)
        await crash.point("count.a")
        wrong = [result for result in counted if result.error]
        for result in wrong:
            context.story("held", result.posting.record_key, result.posting.name.written, {"error": result.error})
        if wrong:
            async with context.database.connect() as connection:
                await records.notify(connection, {Lane(run.integration, result.posting.flow) for result in wrong})
        return len(due)

    async def _require_sight(self, context: Context, run: Run, target: Target, missing: Sequence[Posting]) -> None:
        """Raises what a blind look-up is. Shipments are deleted in the store by right: that others are gone says
        nothing of the look-up."""
        missing = [posting for posting in missing if posting.kind != Kind.SHIPMENT.value]
        if missing:
            system = context.erp.system
            blind = await blind_count(
                context.database, run.integration, target.connection, target.ledger, missing, system=system
            )
            if blind is not None:
                raise blind


def _mine(document: Document, found: Mapping[str, Sequence[StoredDocument]]) -> list[StoredDocument]:
    return [stored for stored in found.get(document.reference, ()) if stored.reference == document.reference]


async def _find(ledger: Ledger, documents: Sequence[Document]) -> dict[str, Sequence[StoredDocument]]:
    found: dict[str, Sequence[StoredDocument]] = {}
    for start in range(0, len(documents), ledger.lookup_size):
        found.update(await ledger.find([Lookup(d) for d in documents[start : start + ledger.lookup_size]]))
    return found


async def _reversed_by_us(context: Context, run: Run, due: Sequence[Posting]) -> set[postings.Name]:
    """Those of `due` that a reversal of ours undoes, or is about to: their mark in the ERP is no surprise."""
    async with context.database.connect() as connection:
        return await postings.reversed_names(connection, run.integration, [p.name.reference for p in due])


async def _updated(context: Context, run: Run, due: Sequence[Posting]) -> dict[postings.Name, postings.State]:
    """Those of `due` that an update of ours has given another name, or is about to; asked after the look-up."""
    async with context.database.connect() as connection:
        return await postings.updated_names(connection, run.integration, [p.name.reference for p in due])


def _counted(
    posting: Posting,
    document: Document,
    found: Sequence[StoredDocument],
    ledger: Ledger,
    *,
    ours: bool,
    update: postings.State | None = None,
) -> Counted:
    mine = [stored for stored in found if stored.reference == document.reference]
    if update is not None:  # it goes by the next name, or is about to: that one is counted
        if not mine or (len(mine) == 1 and update in postings.OPEN):
            return Counted(posting, 1)
        numbers = ", ".join(stored.number for stored in mine)
        words = f"{numbers} stands under {document.reference}, which was changed in place and has another name since"
        return Counted(posting, 1 + len(mine), words)
    if posting.adopted:  # what a person reversed beside it is what made it right
        mine = [stored for stored in mine if not stored.reversed_by] or mine
    if len(mine) != 1:
        numbers = ", ".join(stored.number for stored in mine) or "none"
        return Counted(
            posting, len(mine), f"the {document.home} shows {len(mine)} documents under {document.reference}: {numbers}"
        )
    stored = mine[0]
    if stored.reversed_by and not ours and document.kind is not Kind.REVERSAL:
        return Counted(posting, 0, f"{stored.number} was reversed in the {document.home} by {stored.reversed_by}")
    if stored.state in ("unfinished", "awaiting_approval"):
        return Counted(
            posting, 0, f"{stored.number} stands in the {document.home} as {words_of(stored.state)}: it is not booked"
        )
    if document.kind is Kind.CUSTOMER or document.is_update or posting.adopted:
        return Counted(posting, 1)  # what is updated changes by right; what was adopted is taken as it is
    differences = ledger.differences(document, stored)
    if differences:
        return Counted(
            posting, 0, f"{stored.number} in the {document.home} is not what was sent: " + "; ".join(differences)
        )
    return Counted(posting, 1)
