"""What a document of a plan asks of its posting, and what the posting says to that before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_connector.connectors.base import Problem
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import IN_PLACE, Document, Kind
from ml_connector.engine import postings
from ml_connector.engine.database import dump_json, parse_json
from ml_connector.engine.outcomes import Changed, Stands, Stop, Stopped, Waits, next_look_s
from ml_connector.engine.postings import OPEN, Name, Planned, Posting, State, Step


@dataclass(frozen=True, slots=True)
class Work:
    """What must exist for one record, in order. Documents that are `already` posted are passed over."""

    key: str
    documents: tuple[Document, ...]
    mapping_version: int = 0
    policy_version: int = 0


def name_of(document: Document) -> Name:
    return Name(document.base_reference, document.generation)


def base_of(written: str) -> str:
    """`written` without its last part, which is a generation or belongs to the reference."""
    return written.rpartition("-")[0] or written


def planned_from(document: Document, *, connection: int, flow: str, work: Work) -> Planned:
    """The posting row that `document` asks for."""
    step, reverses = Step.CREATE, None
    if document.kind is Kind.REVERSAL:
        step = Step.REVERSE
        suffix = f"-{document.generation}" if document.generation > 1 else ""
        reverses = Name(document.reverses.removesuffix(suffix), document.generation)
    elif document.updates:
        step, reverses = Step.UPDATE, _name_in(document.updates, document.base_reference)
    elif document.is_update:
        step = Step.UPDATE
    return Planned(
        name=name_of(document),
        connection=connection,
        flow=flow,
        record_key=work.key,
        kind=document.kind.value,
        fingerprint=document.fingerprint,
        content=document_to_json(document),
        step=step,
        reverses=reverses,
        source_digest=document.source_digest or None,
        mapping_version=work.mapping_version,
        policy_version=work.policy_version,
    )


def _name_in(written: str, base: str) -> Name:
    """The generation of `base` that is written so."""
    suffix = written.removeprefix(f"{base}-")
    return Name(base, int(suffix) if suffix != written and suffix.isdigit() else 1)


def is_first(row: Posting) -> bool:
    """Nothing was ever sent under the reference, as far as we know: the target may hold any generation of it (P7)."""
    return row.name.generation == 1 and row.attempt == 0


def stands_alone(row: Posting) -> bool:
    """A document that stands beside no earlier generation of itself: no master data, no reversal, no adjustment."""
    return row.is_entry and Kind(row.kind) not in (*IN_PLACE, Kind.ADJUSTMENT)


def differs(row: Posting, planned: Planned) -> bool:
    """Dates and texts too: what a row keeps is what is sent, for a reversal takes its day from there."""
    if row.content is planned.content:  # inserted a moment ago
        return False
    return row.fingerprint != planned.fingerprint or row.content != parse_json(dump_json(dict(planned.content)))


def standing(row: Posting, planned: Planned) -> Stands | Stop | None:
    """What an existing row already says about the document; None: it may be sent once a look-up finds nothing."""
    if row.state in postings.LIVE:
        shared = row.kind == Kind.CUSTOMER.value and row.step is Step.CREATE  # an order asks only that it exists (P4)
        if shared or row.fingerprint == planned.fingerprint:
            return Stands(row.number or "")
        return Changed("the document was posted with other content meanwhile")
    if row.state in OPEN:
        return Waits(row.name.reference, next_look_s(row))
    if row.state is State.HELD:
        return Stopped("posting_held", row.name.reference, row.error or "a person must look at the document in the ERP")
    if row.state is State.VOID:
        return Stopped(
            "reversed_in_erp", row.name.reference, "this generation was declared not live; start the next one"
        )
    if not row.absence_counts and row.resolve_at is not None:
        wait_s = max(0.1, (row.resolve_at - row.read_at).total_seconds())
        return Waits("", wait_s, f"{row.name.written} was refused a moment ago")
    return None


def problem_of(problems: Sequence[Problem]) -> Stop:
    first = problems[0]
    text = "; ".join(dict.fromkeys(problem.message for problem in problems))
    if first.kind == "period":
        return Stopped("closed_period", first.key, text)
    return Stopped("unmapped" if first.kind == "tax_group" else "master_data", f"{first.kind}|{first.key}", text)
