"""Refunds: one credit entry per refund and one money document per refund payment, never a reversal of the sale."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ml_connector.domain.documents import Document, HoldCode, Kind, Line, Note, Role, Tender
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import Refund, RefundPayment, Transaction
from ml_connector.planning.amendment import reverse_standing, settle
from ml_connector.planning.credit_entry import Taken, count_items, income_lines
from ml_connector.planning.digest import refund_digest
from ml_connector.planning.facts import hold
from ml_connector.planning.money_state import TENDERS
from ml_connector.planning.sale import Sale
from ml_connector.planning.work import Work


@dataclass(frozen=True, slots=True)
class Selection:
    """The refunds that count, and notes on those that do not."""

    live: tuple[Refund, ...]
    declined: tuple[Refund, ...]
    notes: tuple[Note, ...]

    @property
    def total(self) -> Decimal:
        return sum((refund.total_amount for refund in self.live), ZERO)


def select(work: Work) -> Selection:
    """Raises `Stop` where some payments of a refund were declined, or all and policy asks."""
    live: list[Refund] = []
    declined: list[Refund] = []
    notes: list[Note] = []
    for refund in sorted(work.snapshot.refunds, key=lambda refund: refund.id):
        flags = [payment.is_declined for payment in refund.payments]
        asks = bool(flags) and all(flags) and work.policy.refunds_declined == "hold"
        if (any(flags) and not all(flags)) or asks:
            raise hold(
                HoldCode.REFUND_PARTLY_DECLINED,
                f"refund {refund.id}: {sum(flags)} of {len(flags)} payments were declined",
                key=str(refund.id),
                facts={
                    "refund": str(refund.id),
                    "total_amount": str(work.whole(refund.total_amount)),
                    "declined": str(_paid(work, refund, declined=True)),
                    "paid_back": str(_paid(work, refund, declined=False)),
                },
            )
        if flags and all(flags):
            declined.append(refund)
            notes.append(Note("refund_declined", f"refund {refund.id}", "the provider declined it: no money moved"))
        elif work.policy.refunds_post_when == "settled" and not _settled(work, refund):
            notes.append(Note("refund_unsettled", f"refund {refund.id}", "no settled refund transaction yet"))
        else:
            live.append(refund)
    return Selection(tuple(live), tuple(declined), tuple(notes))


def _paid(work: Work, refund: Refund, declined: bool) -> Decimal:
    return work.whole(sum((one.amount for one in refund.payments if one.is_declined is declined), ZERO))


def guard_captured(work: Work, selection: Selection, money: Decimal) -> None:
    """Raises `Stop` where more is given back than came. `money`: captured or owed on account."""
    order = work.order
    limit = money + order.store_credit_amount + order.gift_certificate_amount
    if selection.total > limit and any(_is_new(work, refund) for refund in selection.live):
        raise hold(
            HoldCode.REFUND_EXCEEDS_CAPTURE,
            f"refunds of {selection.total} {work.currency} exceed the {limit} that were paid",
            facts={
                "refunded": str(work.whole(selection.total)),
                "captured": str(work.whole(money)),
                "paid": str(work.whole(limit)),
                "difference": str(work.whole(selection.total - limit)),
            },
        )


@dataclass
class Refunds:
    """What `plan_refunds` found: documents in the order of posting, and what refunds took from deposits."""

    documents: list[Document] = field(default_factory=list[Document])
    from_deposit: Decimal = ZERO


def plan_refunds(
    work: Work, selection: Selection, sale: Sale | None, order: Document | None, *, direct: bool, early: frozenset[int]
) -> Refunds:
    """`sale` None: the order has no entry (not due yet, or cancelled), so money alone goes out.

    `order`: the entry that refunds apply to. `direct`: refunds credit clearing themselves (one step).
    `early`: IDs of refunds whose money went out before the entry, from the deposit. Raises `Stop`.
    """
    found = Refunds()
    credits = _credits(work, selection, sale, order, direct) if sale is not None and order is not None else {}
    for refund in sorted((*selection.live, *selection.declined), key=lambda refund: refund.id):
        if refund in selection.declined:
            found.documents.extend(_undone(work, refund))
            continue
        chain = credits.get(refund.id, ())
        found.documents.extend(chain)
        if direct and chain:
            continue
        for payment in refund.payments:
            documents = _money_out(work, refund, payment, chain, refund.id in early)
            found.documents.extend(documents)
            if documents:
                found.from_deposit += sum(
                    (line.signed for line in documents[-1].lines if line.role is Role.CUSTOMER_DEPOSIT), ZERO
                )
    return found


def _credits(
    work: Work, selection: Selection, sale: Sale, order: Document, direct: bool
) -> dict[int, tuple[Document, ...]]:
    """The credit entries. Posted ones count first: what they took is a fact, the others take from what is left."""
    taken = Taken()
    chains: dict[int, tuple[Document, ...]] = {}
    for refund in sorted(selection.live, key=lambda refund: (_is_new(work, refund), refund.id)):
        chain = _credit(work, refund, sale, order, taken, direct)
        if not chain:
            continue
        chains[refund.id] = chain
        document = chain[-1]
        if not any(line.parts for line in document.lines):
            # Posted without its parts: what it must have taken, by the same rule.
            taken.add_lines(income_lines(work, refund, sale, taken))
        else:
            taken.add_lines(document.lines)
        count_items(taken, refund)
    return chains


def _credit(
    work: Work, refund: Refund, sale: Sale, order: Document, taken: Taken, direct: bool
) -> tuple[Document, ...]:
    name = work.names.name("R", refund.id)
    digest = refund_digest(refund)
    day = work.day(refund.created)
    total = work.whole(refund.total_amount)
    if not refund.items and not refund.payments and total == 0:
        return ()

    def build(generation: int) -> Document:
        _guard_payments(work, refund)
        lines = [*income_lines(work, refund, sale, taken), *_owed_back(work, refund, total, direct)]
        return work.document(
            work.form.credit,
            name,
            generation,
            posting_date=day,
            document_date=day,
            text=f"Refund order {work.order.id}",
            lines=lines,
            source_digest=digest,
            applies_to=order.reference,
        )

    return settle(work, name, digest, build).documents


def _owed_back(work: Work, refund: Refund, total: Decimal, direct: bool) -> list[Line]:
    """The credit side of a ledger's entry; of a credit memo the ERP makes it itself."""
    if work.form.itemised:
        return []
    if direct and refund.payments:
        return [_payout_line(work, refund, payment) for payment in refund.payments if payment.amount != 0]
    if total == 0:
        return []
    text = f"Refund {refund.id} order {work.order.id}"
    return [work.customer_line(Role.RECEIVABLE, -total, text, "the buyer may have this back")]


def _money_out(
    work: Work, refund: Refund, payment: RefundPayment, credit: Sequence[Document], early: bool
) -> tuple[Document, ...]:
    amount = work.whole(payment.amount)
    if amount == 0:
        return ()
    name = work.names.name("M", payment.id)
    digest = refund_digest(refund)
    day = work.day(refund.created)
    text = f"Refund {refund.id} order {work.order.id}"
    b2b = work.snapshot.b2b
    assignment = b2b.invoice_number if b2b is not None and b2b.is_invoice_order else ""

    def build(generation: int) -> Document:
        if early:
            why = "given back before delivery: the advance falls"
            debit = work.customer_line(Role.CUSTOMER_DEPOSIT, amount, text, why)
        else:
            why = "settles the credit note" if credit else "given back without a credit entry: no sale is in the books"
            debit = work.customer_line(Role.RECEIVABLE, amount, text, why, assignment)
        document = work.document(
            Kind.REFUND_PAYMENT,
            name,
            generation,
            posting_date=day,
            document_date=day,
            text=f"Refund order {work.order.id}",
            lines=[debit, _payout_line(work, refund, payment)],
            source_digest=digest,
            applies_to=credit[-1].reference if credit else "",
        )
        return replace(document, tender=_tender(work, payment))

    return settle(work, name, digest, build).documents


def _payout_line(work: Work, refund: Refund, payment: RefundPayment) -> Line:
    amount = -work.whole(payment.amount)
    provider = "".join(character for character in payment.provider_id.lower() if character.isalnum())
    if provider == "storecredit":
        why = "money kept as credit: a new debt to the customer"
        return work.line(Role.STORE_CREDIT_LIABILITY, amount, f"Store credit refund {refund.id}", why)
    if provider == "giftcertificate":
        why = "money given back to the certificate: a new debt to its holder"
        return work.line(Role.GIFT_CERTIFICATE_LIABILITY, amount, f"Gift certificate refund {refund.id}", why)
    rows = work.snapshot.transactions
    own = [row.method for row in rows if payment.transaction_id and row.id == payment.transaction_id]
    paid = [row.method for row in rows if row.gateway == payment.provider_id and row.method not in TENDERS]
    methods = tuple(dict.fromkeys([*own, *paid]))
    offline = work.order.payment_method if payment.offline else ""
    method = work.lookups.payout(payment.provider_id, methods, work.currency, offline)
    return work.line(
        Role.CLEARING,
        amount,
        f"{method.text} refund {refund.id}",
        "paid back through the same clearing account",
        account=method.account or "?",
    )


def _tender(work: Work, payment: RefundPayment) -> Tender:
    """The way back; its transaction is known where the store names the row."""
    rows = [row for row in work.snapshot.transactions if payment.transaction_id and row.id == payment.transaction_id]
    method = rows[0].method if rows else work.order.payment_method if payment.offline else ""
    return Tender(method, payment.provider_id, rows[0].gateway_transaction_id if rows else "")


def _undone(work: Work, refund: Refund) -> list[Document]:
    """A refund whose payments came to be declined after it was posted: its entries are reversed."""
    documents: list[Document] = []
    day = work.day(work.order.modified)
    for letter, ids in (("R", [refund.id]), ("M", [payment.id for payment in refund.payments])):
        for source_id in ids:
            documents.extend(reverse_standing(work, work.names.name(letter, source_id), day))
    return documents


def _guard_payments(work: Work, refund: Refund) -> None:
    paid = sum((payment.amount for payment in refund.payments), ZERO)
    if refund.payments and work.whole(paid) != work.whole(refund.total_amount):
        raise hold(
            HoldCode.REFUND_MISMATCH,
            f"refund {refund.id}: its payments are {paid}, its total is {refund.total_amount}",
            key=str(refund.id),
            facts={
                "refund": str(refund.id),
                "total_amount": str(work.whole(refund.total_amount)),
                "payments": str(work.whole(paid)),
            },
        )


def _is_new(work: Work, refund: Refund) -> bool:
    posted = work.ledger.live(work.names.name("R", refund.id))
    return posted is None or posted.document.source_digest != refund_digest(refund)


def _settled(work: Work, refund: Refund) -> bool:
    """Whether every payment has its ok refund transaction, or goes out by hand."""
    rows: list[Transaction] = [
        row for row in work.snapshot.transactions if row.event == "refund" and row.status == "ok" and not row.test
    ]
    for payment in refund.payments:
        if payment.offline:
            continue
        match = next((row for row in rows if _pays(row, payment)), None)
        if match is None:
            return False
        rows.remove(match)
    return True


def _pays(row: Transaction, payment: RefundPayment) -> bool:
    if payment.transaction_id:
        return row.id == payment.transaction_id
    return row.gateway == payment.provider_id and row.amount == payment.amount
