"""What stands in the books against what the source asks for: keep it, reverse and repost, adjust, or ask a person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import ITEMISED, Document, HoldCode, Kind, PostedDocument, Role, Side
from ml_connector.domain.money import ZERO
from ml_connector.planning import texts
from ml_connector.planning.adjustment import adjusted
from ml_connector.planning.dates import open_day
from ml_connector.planning.facts import hold
from ml_connector.planning.references import Name
from ml_connector.planning.work import Work


@dataclass(frozen=True, slots=True)
class Chain:
    """The documents of one name in the order of posting; `live` is the one that stands after them."""

    documents: tuple[Document, ...]
    live: Document


def settle(work: Work, name: Name, digest: str, build: Callable[[int], Document]) -> Chain:
    """Makes the document of `name` stand as the source asks for.

    `build` plans the document of a generation on its natural day; it is called only where the books may differ, so
    that what stands needs no mapping. Raises `Stop`.
    """
    past = [_kept(item) for item in work.ledger.reversals(name)]
    posted = work.ledger.live(name)
    if posted is None:
        document = build(work.ledger.next_generation(name))
        if past and past[-1].document_date == document.document_date:
            # The first half of an amendment is in the books: its second half belongs to the same day.
            document = replace(document, posting_date=past[-1].posting_date)
        document = work.opened(document)
        return Chain((*past, document), document)
    adjustments = _adjustments(work, name)
    standing = [posted, *adjustments]
    forced = name.base in work.facts.repost
    if not forced and standing[-1].document.source_digest == digest:
        return _keep(past, standing, digest)
    wanted = build(posted.document.generation)
    if not adjustments and same_content(posted.document, wanted, work.buyer.aliases):
        return _keep(past, standing, digest)
    if not forced:
        _ask_first(work, posted, wanted)
        if work.policy.amendment == "adjust":
            return _adjust(work, past, standing, wanted, digest)
    if _in_place(work, posted.document, wanted):
        return _updated(work, name, past, posted.document, build)
    return _repost(work, name, past, standing, build)


def same_content(posted: Document, wanted: Document, aliases: frozenset[str]) -> bool:
    """Equal but for dates and texts. A customer is the same under its account and under its own reference."""
    if posted.customer != wanted.customer and {posted.customer, wanted.customer} <= aliases:
        wanted = replace(wanted, customer=posted.customer)
    return posted.fingerprint == wanted.fingerprint


def reversal(work: Work, name: Name, posted: Document, posting_date: date, document_date: date) -> Document:
    """The mirror of `posted`, which carries the generation that it reverses."""
    return Document(
        kind=Kind.REVERSAL,
        reference=name.reversal(posted.generation),
        generation=posted.generation,
        posting_date=posting_date,
        document_date=document_date,
        currency=posted.currency,
        customer=posted.customer,
        text=texts.header(f"Reversal {_WORDS.get(posted.kind, 'order')} {work.order.id}"),
        lines=tuple(line.mirrored("mirror of the posted line") for line in posted.lines),
        reverses=posted.reference,
        exchange_rate=posted.exchange_rate,
        party=posted.party,
        long_reference=name.long(posted.generation, reversal=True),
        source_digest=posted.source_digest,
    )


_WORDS = {
    Kind.PAYMENT: "payment",
    Kind.DEPOSIT: "deposit",
    Kind.REFUND: "refund",
    Kind.CREDIT_MEMO: "refund",
    Kind.REFUND_PAYMENT: "refund",
}
# Goods or an invoice are out: only a person makes a credit memo and a new invoice of an edit.
_OUT = {Kind.SALES_INVOICE: "invoiced", Kind.DELIVERY: "delivered"}


def reverse_standing(work: Work, name: Name, on: date) -> tuple[Document, ...]:
    """Reversals of everything that stands under `name`, dated `on`; earlier reversals included. Raises `Stop`."""
    past = tuple(_kept(item) for item in work.ledger.reversals(name))
    new: list[Document] = []
    for item in reversed(work.ledger.standing(name)):
        if item.adopted:
            raise _not_ours(item.document)
        new.append(work.opened(reversal(work, name, item.document, on, on)))
    return (*past, *new)


def kept(posted: PostedDocument) -> Document:
    return _kept(posted)


def _kept(posted: PostedDocument, digest: str = "") -> Document:
    document = posted.document
    return replace(document, already=True, source_digest=digest or document.source_digest)


def _keep(past: list[Document], standing: Sequence[PostedDocument], digest: str) -> Chain:
    documents = [*(_kept(item) for item in standing[:-1]), _kept(standing[-1], digest)]
    return Chain((*past, *documents), documents[0])


def _adjustments(work: Work, name: Name) -> tuple[PostedDocument, ...]:
    return work.ledger.standing(work.names.name("D", name.source_id)) if name.letter == "O" else ()


def _ask_first(work: Work, posted: PostedDocument, wanted: Document) -> None:
    """Raises `Stop` where the books must not change without a person."""
    document = posted.document
    if posted.adopted:
        raise _not_ours(document)
    if document.kind in _OUT:
        raise hold(
            HoldCode.AMENDED_AFTER_INVOICING,
            f"{document.reference} is {_OUT[document.kind]}, and the order was edited since: credit it in the ERP and "
            "invoice what is right, or take the edit back",
            key=document.reference,
            facts=_differences(document, wanted),
        )
    adjusting = work.policy.amendment == "adjust"
    if work.policy.amendment == "hold" or (
        adjusting and (document.kind is not Kind.ORDER or document.customer not in work.buyer.aliases)
    ):
        raise hold(
            HoldCode.AMENDED_AFTER_POSTING,
            f"{document.reference} is posted and its source has changed",
            key=document.reference,
            facts=_differences(document, wanted),
        )


def _not_ours(document: Document) -> Exception:
    return hold(
        HoldCode.AMENDED_AFTER_POSTING,
        f"{document.reference} was found in the ERP, not sent from here: a person must amend or reverse it",
        key=document.reference,
        facts={"reference": document.reference, "adopted": "yes"},
    )


def _differences(posted: Document, wanted: Document) -> dict[str, str]:
    facts = {
        "reference": posted.reference,
        "posted_total": str(_total(posted)),
        "new_total": str(_total(wanted)),
    }
    if posted.customer != wanted.customer:
        facts |= {"posted customer": posted.customer, "new customer": wanted.customer}
    for which, document in (("posted", posted), ("new", wanted)):
        for line in document.lines:
            item = f" {line.itemised.item}" if line.itemised is not None and line.itemised.item else ""
            about = f"{which} {line.role} {line.account} {line.tax_code}".rstrip()
            facts[about + item] = f"{line.side} {line.amount}"
    return facts


_OWED = (Role.RECEIVABLE, Role.CLEARING, Role.GIFT_CERTIFICATE_LIABILITY, Role.STORE_CREDIT_LIABILITY)


def _total(document: Document) -> Decimal:
    """What the buyer owes and pays with by this document, certificates that it sells aside."""
    if document.kind in ITEMISED:
        return document.total
    return sum((line.amount for line in document.lines if line.role in _OWED and line.side is Side.DEBIT), ZERO)


def _adjust(
    work: Work, past: list[Document], standing: Sequence[PostedDocument], wanted: Document, digest: str
) -> Chain:
    name = work.names.name("D", work.order.id)
    lines = adjusted([item.document for item in standing], wanted)
    if not lines:
        return _keep(past, standing, digest)
    day = work.day(work.order.modified)
    document = work.opened(
        work.document(
            Kind.ADJUSTMENT,
            name,
            work.ledger.next_generation(name),
            posting_date=day,
            document_date=day,
            text=f"Adjust order {work.order.id}",
            lines=lines,
            source_digest=digest,
            adjusts=standing[0].document.reference,
        )
    )
    documents = tuple(_kept(item) for item in standing)
    return Chain((*past, *documents, document), documents[0])


def _in_place(work: Work, posted: Document, wanted: Document) -> bool:
    """Whether the ERP changes the document itself: never to another customer or currency, which make it another one."""
    same = posted.kind is wanted.kind and posted.currency == wanted.currency
    return same and posted.kind is work.form.order and work.form.updates and posted.customer == wanted.customer


def _updated(
    work: Work, name: Name, past: list[Document], posted: Document, build: Callable[[int], Document]
) -> Chain:  # fmt: skip
    """The same document of the ERP with the new content, under the next generation of its name. Its day stays."""
    document = build(work.ledger.next_generation(name))
    document = replace(document, posting_date=posted.posting_date, updates=posted.reference)
    return Chain((*past, document), document)


def _repost(
    work: Work,
    name: Name,
    past: list[Document],
    standing: Sequence[PostedDocument],
    build: Callable[[int], Document],
) -> Chain:
    """Both halves on the original day if it is open, else both on the first open day."""
    original = standing[0].document
    document = build(work.ledger.next_generation(name))
    day = open_day(original.posting_date, work.facts.periods, work.policy, document.reference)
    adjustment_name = work.names.name("D", name.source_id)
    undone = [
        reversal(
            work, name if item is standing[0] else adjustment_name, item.document, day, item.document.document_date
        )
        for item in reversed(standing)
    ]
    document = replace(document, posting_date=day)
    return Chain((*past, *undone, document), document)
