"""What a look-up proves: presence at any time; whose content it is; that there is exactly one (P6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_connector.connectors.base import DocumentState, Finishes, Ledger, Lookup, StoredDocument, Timing
from ml_connector.connectors.errors import Transient, Unauthorized
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document, Kind
from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Found, Posting, State


@dataclass(frozen=True, slots=True)
class Judgement:
    """A document was found. `state` POSTED: it is the one we want. HELD: a person must look."""

    state: State
    number: str
    ours: bool
    error: str = ""
    shown: str = ""

    def as_found(self, posting: Posting) -> Found:
        return Found(
            posting=posting,
            state=self.state,
            number=self.number or None,
            stored={"shown": self.shown} if self.shown else None,
            fingerprint=posting.fingerprint,
            ours=self.ours,
            error=self.error or None,
        )


def judge(posting: Posting, document: Document, found: Sequence[StoredDocument], ledger: Ledger) -> Judgement | None:
    """None: nothing was found. Found two: never choose. Found one: ours if it says what we sent or plan."""
    mine = [stored for stored in found if stored.reference == document.reference]
    if document.is_update:
        # An update has happened when what it changes says what the update says, and not before (P8).
        mine = [stored for stored in found if not ledger.differences(document, stored)]
    if not mine:
        return None
    numbers = ", ".join(stored.number for stored in mine)
    ours = posting.fingerprint in posting.sent_fingerprints
    if len(mine) > 1:
        return Judgement(
            State.HELD,
            mine[0].number,
            ours,
            f"the {document.home} holds {len(mine)} documents under {document.reference}: {numbers}",
        )
    stored = mine[0]
    if stored.reversed_by and document.kind is not Kind.REVERSAL:
        return Judgement(
            State.HELD,
            stored.number,
            ours,
            f"{stored.number} was reversed in the {document.home} by {stored.reversed_by}",
        )
    if stored.state not in ("posted", "closed"):
        advice = stored.fields.get("advice", "")
        return Judgement(
            State.HELD,
            stored.number,
            ours,
            f"{stored.number} exists in the {document.home} as {words_of(stored.state)}, not as a posted document"
            + (f": {advice}" if advice else ""),
        )
    differences = () if _content_belongs_elsewhere(document) else ledger.differences(document, stored)
    if differences:
        return Judgement(
            State.HELD,
            stored.number,
            False,
            f"{stored.number} in the {document.home} is not what was planned: " + "; ".join(differences),
        )
    return Judgement(State.POSTED, stored.number, ours, shown=stored.shown)


def words_of(state: DocumentState) -> str:
    """As a person reads it."""
    return state.replace("_", " ")


def unfinished(
    posting: Posting, document: Document, found: Sequence[StoredDocument], ledger: Ledger
) -> StoredDocument | None:
    """The one document that an attempt of ours has made and not booked, with the content that was sent; else None.

    The ledger can finish it. That nothing of the attempt is still on its way, the caller has to know.
    """
    if not isinstance(ledger, Finishes) or document.kind not in ledger.finishes:
        return None
    mine = [stored for stored in found if stored.reference == document.reference]
    if len(mine) != 1 or mine[0].state != "unfinished" or posting.fingerprint not in posting.sent_fingerprints:
        return None
    return None if ledger.differences(document, mine[0]) else mine[0]


def _content_belongs_elsewhere(document: Document) -> bool:
    """An order asks of a customer only that it exists; its content is the customers flow's alone (P4)."""
    return document.kind is Kind.CUSTOMER and document.generation == 1


def unseen_for_s(posting: Posting, timing: Timing) -> float:
    """For how many seconds after it was read a look-up need not show the document that was posted (V)."""
    if posting.posted_at is None:
        return 0.0
    return max(0.0, timing.v_s - (posting.read_at - posting.posted_at).total_seconds())


async def unseen(
    database: Database, integration: int, target: int, ledger: Ledger, *, system: str = ""
) -> Transient | None:
    """Absence proves nothing while the look-up does not see the youngest document of ours that it must show (V).

    `target`: the connection of `ledger`; what stands elsewhere is no witness of what is seen there.
    """
    async with database.connect() as connection:
        witness = await postings.youngest(connection, integration, target, ledger.timing)
    if witness is None:
        return None
    document = document_from_json(witness.content)
    if (await ledger.find([Lookup(document)])).get(document.reference):
        return None
    return Transient(
        f"the look-up does not see {document.reference}, posted as {witness.number}: that it does not see "
        f"another document proves nothing; look at the rights of the user in the {document.home}",
        system=system,
    )


async def blind_count(
    database: Database, integration: int, target: int, ledger: Ledger, missing: Sequence[Posting], *, system: str = ""
) -> Unauthorized | None:
    """That a count misses documents says something of them only while the look-up still shows another one of the kind,
    which was counted before; where there is none yet, it is believed."""
    async with database.connect() as connection:
        witnesses = await postings.counted_before(
            connection, integration, target, [each.kind for each in missing], [each.name.reference for each in missing]
        )
    documents = [document_from_json(witness.content) for witness in witnesses]
    if not documents:
        return None
    found = await ledger.find([Lookup(document) for document in documents])
    gone = [document for document in documents if not found.get(document.reference)]
    if not gone:
        return None
    return Unauthorized(
        f"the look-up shows no {gone[0].kind.value} any more, not even {gone[0].reference}, which was counted: nothing "
        "is counted until it does; look at the rights of the user in the ERP",
        system=system,
    )
