"""Documents of ours that our records do not know: after a restored backup, or a lost commit (P7, section 3.4).

The first look-up of a reference asks for all its generations. What it finds is adopted as it is and never amended by
itself; what cannot be read as one of our documents waits for a person.
"""

from collections.abc import Sequence
from dataclasses import replace

from ml_connector.connectors.base import Ledger, Lookup, StoredDocument, Timing
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence, Found, Name, Planned, Posting, State, Step


async def adopt_generations(
    database: Database,
    fence: Fence,
    ledger: Ledger,
    timing: Timing,
    planned: Planned,
    document: Document,
    found: Sequence[StoredDocument],
) -> Posting | None:
    """Writes a posting for every generation in `found`, and for the reversals that undid some of them.

    Returns the first that waits for a person, if one does: until that is decided, no further look can help.
    """
    generations: dict[int, list[StoredDocument]] = {}
    for stored in found:
        generations.setdefault(_generation(stored.reference, document.base_reference), []).append(stored)
    reversals = await _reversals(
        ledger, document, [g for g, docs in generations.items() if any(d.reversed_by for d in docs)]
    )
    for generation, stored in sorted(generations.items()):
        as_generation = at_generation(document, generation)
        row = replace_planned(planned, as_generation)
        by_hand = generation not in reversals and any(x.reversed_by for x in stored)
        await _adopt(database, fence, ledger, timing, row, as_generation, stored, by_hand=by_hand)
    for generation, stored in sorted(reversals.items()):
        reversal = _reversal_of(at_generation(document, generation), generation)
        row = replace(
            replace_planned(planned, reversal),
            step=Step.REVERSE,
            reverses=Name(document.base_reference, generation),
        )
        await _adopt(database, fence, ledger, timing, row, reversal, stored)
    async with database.connect() as connection:
        rows = await postings.read(connection, fence.integration, [document.base_reference])
    return next((row for _, row in sorted(rows.items()) if row.state is State.HELD), None)


def at_generation(document: Document, generation: int) -> Document:
    """The same content under another generation of its reference."""
    suffix = f"-{generation}" if generation > 1 else ""
    return replace(document, generation=generation, reference=document.base_reference + suffix)


def replace_planned(planned: Planned, document: Document) -> Planned:
    return replace(
        planned,
        name=Name(document.base_reference, document.generation),
        kind=document.kind.value,
        fingerprint=document.fingerprint,
        content=document_to_json(document),
    )


async def _adopt(
    database: Database,
    fence: Fence,
    ledger: Ledger,
    timing: Timing,
    planned: Planned,
    document: Document,
    stored: Sequence[StoredDocument],
    *,
    by_hand: bool = False,
) -> None:
    rows = await postings.plan(database, fence, [planned])
    row = rows.get(planned.name)
    if row is None or row.state in postings.LIVE:
        return
    if by_hand:
        state, error = State.HELD, f"{stored[0].number} was reversed in the ERP by {stored[0].reversed_by}"
    elif len(stored) > 1:
        state, error = State.HELD, f"the ERP holds {len(stored)} documents under {document.reference}"
    else:
        differences = () if document.kind is Kind.REVERSAL else ledger.differences(document, stored[0])
        # An older, reversed generation may say anything: it counts for nothing any more.
        believed = not differences or bool(stored[0].reversed_by)
        state = State.POSTED if believed else State.HELD
        error = (
            None
            if believed
            else f"{stored[0].number} in the ERP is not what would be planned now: " + "; ".join(differences)
        )
    found = Found(row, state, number=stored[0].number, fingerprint=document.fingerprint, ours=False, error=error)
    await postings.found(database, fence, [found], timing)


async def _reversals(ledger: Ledger, document: Document, generations: Sequence[int]) -> dict[int, list[StoredDocument]]:
    """Our own reversals of these generations, by generation; one that somebody made by hand is not among them."""
    lookups = [Lookup(_reversal_of(at_generation(document, generation), generation)) for generation in generations]
    if not lookups:
        return {}
    answers = await ledger.find(lookups)
    found = {
        generation: list(answers.get(lookup.document.reference, ()))
        for generation, lookup in zip(generations, lookups, strict=True)
    }
    return {generation: stored for generation, stored in found.items() if stored}


def _reversal_of(document: Document, generation: int) -> Document:
    head, _, name = document.base_reference.rpartition("-")  # short form S1-O7, long form BC-S1-7-O
    suffix = f"-{generation}" if generation > 1 else ""
    return replace(
        document,
        kind=Kind.REVERSAL,
        reference=f"{head}-X{name}{suffix}",
        reverses=document.reference,
        lines=tuple(line.mirrored("mirror of the posted line") for line in document.lines),
    )


def _generation(reference: str, base: str) -> int:
    rest = reference.removeprefix(base).removeprefix("-")
    return int(rest) if rest.isdigit() else 1
