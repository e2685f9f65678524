"""Payments: one document per captured transaction, and what moves a deposit to the receivable when revenue is due."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import Document, Kind, Line, Role, Tender
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import Transaction
from ml_connector.planning.amendment import kept, reverse_standing, settle
from ml_connector.planning.digest import digest as digest_of
from ml_connector.planning.digest import transaction_digest
from ml_connector.planning.order_entry import clearing_line, offline_line
from ml_connector.planning.references import Name
from ml_connector.planning.work import Work


def payments(work: Work, captures: Sequence[Transaction], applies_to: str, deposit: bool) -> list[Document]:
    """`applies_to`: the order document that is paid; empty where the money comes before it (`deposit`)."""
    documents: list[Document] = []
    for row in captures:
        documents.extend(_payment(work, row, applies_to, deposit))
    return documents


def payment_by_status(
    work: Work, captures: Sequence[Transaction], paid: bool, applies_to: str, deposit: bool
) -> list[Document]:
    """The payment that the status alone shows. Its day and amount are frozen by its posting; a real row replaces it."""
    name = work.names.name("S", work.order.id)
    posted = work.ledger.live(name)
    if captures:
        return list(reverse_standing(work, name, work.day(captures[0].created))) if posted else []
    if posted is not None and name.base not in work.facts.repost:
        return [*(kept(item) for item in work.ledger.reversals(name)), kept(posted)]
    if not paid or work.due == 0:
        return []
    digest = digest_of("status", work.order.id, work.due)
    day = work.day(work.order.modified)

    def build(generation: int) -> Document:
        lines = [offline_line(work), _settling(work, work.due, deposit, "settles the receivable")]
        document = _document(work, name, generation, day, lines, digest, applies_to, deposit)
        return replace(document, tender=Tender(method=work.order.payment_method))

    return list(settle(work, name, digest, build).documents)


def applications(
    work: Work,
    paid: Sequence[Document],
    order: Document,
    drawn: Mapping[str, Decimal],
    natural: date,
    *,
    at_most: Decimal | None = None,
) -> list[Document]:
    """One deposit application per payment that stands as a deposit.

    `drawn`: what refunds took from each deposit before delivery; `natural`: the day on which revenue is due; `at_most`:
    what is open on a sales document, which takes no more; the rest stays on account.
    """
    sources = {work.names.name("P", row.id).base: row.id for row in work.snapshot.transactions}
    sources[work.names.name("S", work.order.id).base] = str(work.order.id)
    documents: list[Document] = []
    for payment in paid:
        amount = deposited(payment) - drawn.get(payment.reference, ZERO)
        if at_most is not None:
            amount = min(amount, at_most)
            at_most -= amount
        if amount != 0 and deposited(payment) != 0:
            documents.extend(_application(work, payment, order, amount, natural, sources))
    return documents


def deposited(payment: Document) -> Decimal:
    """What a payment put on the deposit account; zero where it paid the receivable."""
    if payment.kind not in (Kind.PAYMENT, Kind.DEPOSIT):
        return ZERO
    return -sum((line.signed for line in payment.lines if line.role is Role.CUSTOMER_DEPOSIT), ZERO)


def _payment(work: Work, row: Transaction, applies_to: str, deposit: bool) -> tuple[Document, ...]:
    name = work.names.name("P", row.id)
    digest = transaction_digest(row)
    day = work.day(row.created)

    def build(generation: int) -> Document:
        why = f"transaction {row.id} ({row.event}, ok): gross amount, provider fees come with the payout"
        lines = [
            clearing_line(work, row, why),
            _settling(work, work.whole(row.amount), deposit, "the buyer has paid this part"),
        ]
        return replace(_document(work, name, generation, day, lines, digest, applies_to, deposit), tender=tender(row))

    return settle(work, name, digest, build).documents


def tender(row: Transaction) -> Tender:
    return Tender(row.method, row.gateway, row.gateway_transaction_id)


def _document(
    work: Work,
    name: Name,
    generation: int,
    day: date,
    lines: Sequence[Line],
    digest: str,
    applies_to: str,
    deposit: bool,
) -> Document:
    """A payment, or a deposit where the ERP knows documents of that kind: it names the sales order, if there is one."""
    kind = Kind.DEPOSIT if deposit and work.form.itemised else Kind.PAYMENT
    word = "Deposit" if kind is Kind.DEPOSIT else "Payment"
    return work.document(
        kind,
        name,
        generation,
        posting_date=day,
        document_date=day,
        text=f"{word} order {work.order.id}",
        lines=lines,
        source_digest=digest,
        applies_to=applies_to if kind is Kind.DEPOSIT or not deposit else "",
    )


def _settling(work: Work, amount: Decimal, deposit: bool, why: str) -> Line:
    text = f"Payment order {work.order.id}"
    if deposit:
        return work.customer_line(Role.CUSTOMER_DEPOSIT, -amount, text, "money before delivery is a debt to the buyer")
    return work.customer_line(Role.RECEIVABLE, -amount, text, why)


def _application(
    work: Work, payment: Document, order: Document, amount: Decimal, natural: date, sources: Mapping[str, str]
) -> tuple[Document, ...]:
    name = work.names.name("A", sources[payment.base_reference])
    digest = digest_of("application", payment.base_reference, amount)
    text = f"Deposit order {work.order.id}"
    day = max(natural, payment.document_date)

    def build(generation: int) -> Document:
        return work.document(
            Kind.DEPOSIT_APPLICATION,
            name,
            generation,
            posting_date=day,
            document_date=day,
            text=text,
            lines=[
                work.customer_line(Role.CUSTOMER_DEPOSIT, amount, text, "delivered: the advance is used up"),
                work.customer_line(Role.RECEIVABLE, -amount, text, "and settles the receivable of the order entry"),
            ],
            source_digest=digest,
            applies_to=order.reference,
            draws=payment.reference if work.form.itemised else "",
        )

    return settle(work, name, digest, build).documents
