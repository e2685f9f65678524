"""What planning must know of earlier runs, read from the postings of a record."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document, Kind, PostedDocument
from ml_connector.domain.policy import OpenPeriods
from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Posting
from ml_connector.flows.context import Context
from ml_connector.planning.facts import Facts


async def postings_by_record(
    database: Database, integration: int, flow: str, keys: Sequence[str]
) -> Mapping[str, Sequence[Posting]]:
    """Every posting of these records, whatever its state."""
    async with database.connect() as connection:
        rows = await postings.of_records(connection, integration, flow, keys)
    return _by_record(rows.values())


async def standing_by_record(
    database: Database, integration: int, flow: str, keys: Sequence[str]
) -> Mapping[str, Sequence[Posting]]:
    """As `postings_by_record`, without the contents of the documents."""
    async with database.connect() as connection:
        rows = await postings.standing(connection, integration, flow, keys)
    return _by_record(rows.values())


def _by_record(rows: Iterable[Posting]) -> Mapping[str, Sequence[Posting]]:
    by_record: dict[str, list[Posting]] = defaultdict(list)
    for posting in rows:
        by_record[posting.record_key].append(posting)
    return by_record


def facts_of(
    rows: Iterable[Posting],
    context: Context,
    *,
    periods: OpenPeriods,
    customer_accounts: Mapping[str, str],
    backfilled: bool,
    repost: bool = False,
    left_out: str = "",
) -> Facts:
    """Every document that stands in the ERP, reversed ones and their reversals included; customers apart. `left_out`:
    why a person wants nothing of it posted."""
    rows = list(rows)
    posted: list[PostedDocument] = []
    for posting in sorted(rows, key=lambda p: p.name):
        if posting.kind == Kind.CUSTOMER.value or _never_reversed(posting):
            continue
        document = document_from_json(posting.content)
        if posting.state in postings.LIVE or posting.state is postings.State.VOID:
            posted.append(PostedDocument(document, number=posting.number or "", adopted=posting.adopted))
        if posting.state is postings.State.VOID:
            posted.append(PostedDocument(_gone(document)))
    return Facts(
        periods=periods,
        posted=tuple(posted),
        customer_accounts=customer_accounts,
        backfilled=backfilled,
        reference_form="long" if context.reference_form == "long" else "short",
        style="sales" if context.style == "sales" else "journal",
        family=context.family,
        kinds=context.kinds,
        repost=frozenset(posting.name.reference for posting in rows) if repost else frozenset(),
        left_out=left_out,
    )


def _never_reversed(posting: Posting) -> bool:
    """A person said that this reversal is not in the ERP, or this update, which the ERP has never shown: what it should
    have undone stands."""
    never_seen = posting.replaces and not posting.has_replaced
    return posting.state is postings.State.VOID and (posting.kind == Kind.REVERSAL.value or never_seen)


def _gone(document: Document) -> Document:
    """A person said that this generation is not live in the ERP: for planning that is a reversal nobody has to post."""
    return replace(document, kind=Kind.REVERSAL, reverses=document.reference, reference=f"{document.reference}-VOID")
