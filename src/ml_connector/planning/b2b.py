"""Orders by which a B2B buyer pays ERP invoices: no sale, one payment per capture against the company's receivable."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from ml_connector.domain.documents import Document, HoldCode, Kind, Line, Role
from ml_connector.domain.money import ZERO, allocate
from ml_connector.domain.orders import B2BFacts, InvoiceShare, Transaction
from ml_connector.planning.amendment import settle
from ml_connector.planning.digest import transaction_digest
from ml_connector.planning.facts import hold
from ml_connector.planning.gate import awaiting_capture
from ml_connector.planning.money_state import sum_of
from ml_connector.planning.order_entry import clearing_line
from ml_connector.planning.payments import tender
from ml_connector.planning.work import Work


def invoice_payments(work: Work, b2b: B2BFacts, captures: tuple[Transaction, ...]) -> list[Document]:
    """Raises `Stop`: nothing captured, an invoice without number, more captured than the order asks for."""
    shares = b2b.invoices or (InvoiceShare(b2b.invoice_number, work.total),)
    if not all(share.number for share in shares):
        raise hold(HoldCode.B2B_UNKNOWN, "the order pays an invoice whose number the B2B edition did not give")
    if not captures:
        raise awaiting_capture(work, captures)
    captured, named = sum_of(captures), sum((share.amount for share in shares), ZERO)
    if captured > work.total or work.whole(named) != work.total:
        raise hold(
            HoldCode.TOTALS_MISMATCH,
            f"the order asks for {work.total} {work.currency}, captured are {captured}, its invoices are {named}",
            facts={
                "store_total": str(work.total),
                "computed_total": str(work.whole(named)),
                "captured": str(work.whole(captured)),
                "difference": str(work.total - work.whole(named)),
                "tolerance": str(work.whole(ZERO)),
            },
        )
    documents: list[Document] = []
    for row in captures:
        documents.extend(_payment(work, row, shares))
    return documents


def _payment(work: Work, row: Transaction, shares: Sequence[InvoiceShare]) -> tuple[Document, ...]:
    name = work.names.name("P", row.id)
    digest = transaction_digest(row, *(f"{share.number}={share.amount}" for share in shares))
    day = work.day(row.created)

    def build(generation: int) -> Document:
        document = work.document(
            Kind.PAYMENT,
            name,
            generation,
            posting_date=day,
            document_date=day,
            text=f"Payment order {work.order.id}",
            lines=[clearing_line(work, row, "captured money"), *_settled(work, work.whole(row.amount), shares)],
            source_digest=digest,
            applies_to="+".join(share.number for share in shares),
        )
        return replace(document, tender=tender(row))

    return settle(work, name, digest, build).documents


def _settled(work: Work, amount: Decimal, shares: Sequence[InvoiceShare]) -> list[Line]:
    """One line per invoice: several captures pay each invoice in the proportion of the amounts that B2B names."""
    named = sum((share.amount for share in shares), ZERO)
    exact = [amount * share.amount / named if named else amount for share in shares]
    why = "the invoice was booked in the ERP already: only the receivable falls, no revenue, no tax"
    return [
        work.customer_line(Role.RECEIVABLE, -part, f"Pays invoice {share.number}", why, share.number)
        for share, part in zip(shares, allocate(exact, amount, work.currency), strict=True)
        if part != 0
    ]
