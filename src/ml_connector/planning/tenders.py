"""Store credit and gift certificates that pay an order: documents of their own beside an itemised sales document.

A ledger entry carries them on its own lines; there they are no payments.
"""

from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import Document, Kind, Role
from ml_connector.planning.amendment import kept, reverse_standing, settle
from ml_connector.planning.digest import digest as digest_of
from ml_connector.planning.work import Work


def tenders(work: Work, applies_to: str, day: date) -> list[Document]:
    """`applies_to`: the sales document that is paid; `day`: its natural posting day. Raises `Stop`."""
    if not work.form.itemised:
        return []
    documents: list[Document] = []
    for letter, role, text, amount in _of(work):
        documents.extend(_tender(work, letter, role, text, amount, applies_to, day))
    return documents


def tenders_undone(work: Work) -> list[Document]:
    """Reversals of what stands: the order is cancelled, and what it was paid with is given back."""
    on = work.day(work.order.modified)
    return [document for letter, *_ in _of(work) for document in _undone(work, letter, on)]


def tenders_kept(work: Work) -> list[Document]:
    names = [work.names.name(letter, work.order.id) for letter, *_ in _of(work)]
    return [kept(item) for name in names for item in (*work.ledger.reversals(name), *work.ledger.standing(name))]


def _of(work: Work) -> tuple[tuple[str, Role, str, Decimal], ...]:
    return (
        ("T", Role.STORE_CREDIT_LIABILITY, "Store credit", work.store_credit),
        ("G", Role.GIFT_CERTIFICATE_LIABILITY, "Gift certificate", work.gift_certificates),
    )


def _tender(
    work: Work, letter: str, role: Role, about: str, amount: Decimal, applies_to: str, day: date
) -> tuple[Document, ...]:
    if amount == 0:
        return _undone(work, letter, work.day(work.order.modified))
    name = work.names.name(letter, work.order.id)
    digest = digest_of("tender", letter, work.order.id, amount)
    text = f"{about} order {work.order.id}"

    def build(generation: int) -> Document:
        why = f"{about.lower()} spent: the debt to its holder falls, and with it what the buyer owes"
        return work.document(
            Kind.PAYMENT,
            name,
            generation,
            posting_date=day,
            document_date=work.day(work.order.created),
            text=f"Payment order {work.order.id}",
            lines=[work.line(role, amount, text, why), work.customer_line(Role.RECEIVABLE, -amount, text, why)],
            source_digest=digest,
            applies_to=applies_to,
        )

    return settle(work, name, digest, build).documents


def _undone(work: Work, letter: str, on: date) -> tuple[Document, ...]:
    return reverse_standing(work, work.names.name(letter, work.order.id), on)
