"""The order document: an entry of what the buyer owes against income, tax and liabilities, or an itemised sale."""

from collections.abc import Sequence
from datetime import date

from ml_connector.domain.documents import Document, ExcludedCode, Line, Role, Side
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import Tax3, Transaction
from ml_connector.planning.amendment import Chain, settle
from ml_connector.planning.digest import order_digest
from ml_connector.planning.facts import exclude
from ml_connector.planning.itemised import closed, itemised_lines
from ml_connector.planning.parts import lines_of
from ml_connector.planning.places import placed, ship_to
from ml_connector.planning.work import Work


def order_chain(work: Work, captures: tuple[Transaction, ...], direct: bool) -> Chain:
    """The order document as it must stand. `direct`: captured money is debited here (one step). Raises `Stop`."""
    own = captures if direct else ()
    company = work.snapshot.b2b.company_id if work.snapshot.b2b is not None else ""
    digest = order_digest(work.snapshot, f"{work.buyer.key}|{company}", own)
    return settle(work, work.order_name, digest, lambda generation: _entry(work, generation, digest, captures, direct))


def posting_day(work: Work, captures: Sequence[Transaction]) -> date:
    """The natural posting day of the order document; once posted it is frozen."""
    order, policy = work.order, work.policy
    if policy.posting_trigger == "shipment":
        return work.day(order.shipped or order.modified)
    if policy.posting_trigger == "completion":
        return work.day(order.modified)
    if policy.dates_posting == "trigger_date" and policy.posting_trigger == "capture" and captures:
        return work.day(captures[0].created)
    return work.day(order.created)


def _entry(
    work: Work, generation: int, digest: str, captures: tuple[Transaction, ...], direct: bool
) -> Document:  # fmt: skip
    if work.form.itemised:
        lines = itemised_lines(work, work.decomposition.parts, Side.CREDIT, {})
        total = work.order.total
        whole = Tax3(work.whole(total.ex_tax), work.total, work.whole(total.tax))
        lines = placed(work, closed(work, lines, _tax_lines(work), whole, Side.CREDIT, f"order {work.order.id}"))
    else:
        lines = [
            *_debits(work, captures, direct),
            *lines_of(work.decomposition.parts, work.policy.posting_lines, work.order.id),
            *_tax_lines(work),
        ]
    if not lines and not work.lookups.missing:
        raise exclude(ExcludedCode.ZERO_TOTAL, "nothing is left to post: the order and each of its lines are zero")
    return work.document(
        work.form.order,
        work.order_name,
        generation,
        posting_date=posting_day(work, captures),
        document_date=work.day(work.order.created),
        text=f"Web order {work.order.id}",
        lines=lines,
        source_digest=digest,
        customer_reference=work.snapshot.b2b.po_number if work.snapshot.b2b is not None else "",
        ship_to=ship_to(work) if work.form.itemised else None,
    )


def _tax_lines(work: Work) -> list[Line]:
    return [
        work.line(
            Role.TAX_PAYABLE,
            -tax.amount,
            f"Tax {tax.tax_code}",
            f"tax rows of code {tax.tax_code} sum to {tax.exact}; the codes together equal total_tax",
            account=tax.account,
            tax_code=tax.tax_code,
        )
        for tax in work.decomposition.taxes
        if tax.amount != 0
    ]


def _debits(work: Work, captures: tuple[Transaction, ...], direct: bool) -> list[Line]:
    order = work.order
    lines = _clearing(work, captures) if direct else []
    open_amount = work.due - sum((line.signed for line in lines), ZERO)
    if open_amount != 0:
        why = (
            "what the buyer owes in money: total_inc_tax minus store credit minus gift certificates"
            if not lines
            else "captured money beyond what is due: the buyer has a credit"
        )
        lines.append(work.customer_line(Role.RECEIVABLE, open_amount, f"Web order {order.id}", why))
    if work.store_credit != 0:
        lines.append(
            work.line(
                Role.STORE_CREDIT_LIABILITY,
                work.store_credit,
                f"Store credit order {order.id}",
                "store credit spent: the debt to the customer falls",
            )
        )
    if work.gift_certificates != 0:
        lines.append(
            work.line(
                Role.GIFT_CERTIFICATE_LIABILITY,
                work.gift_certificates,
                f"Gift certificate order {order.id}",
                "gift certificate redeemed: the debt to its holder falls",
            )
        )
    return lines


def _clearing(work: Work, captures: tuple[Transaction, ...]) -> list[Line]:
    lines = [clearing_line(work, row, _direct_why(row)) for row in captures]
    if not captures and work.due != 0:
        lines.append(offline_line(work))
    return lines


def _direct_why(row: Transaction) -> str:
    return f"captured by transaction {row.id}; money goes straight to the provider's clearing account"


def clearing_line(work: Work, row: Transaction, why: str) -> Line:
    """Captured money on the provider's clearing account: gross, keyed by the transaction."""
    offline = work.order.payment_method if row.method == "offline" or not row.gateway else ""
    method = work.lookups.payment(row.gateway, row.method, row.currency, offline)
    return work.line(
        Role.CLEARING,
        work.whole(row.amount),
        f"{method.text} {row.id}",
        why,
        account=method.account or "?",
        assignment=row.id,
    )


def offline_line(work: Work) -> Line:
    """Money of a method without rows, which the order's status declares paid."""
    method = work.lookups.payment("", "", work.currency, work.order.payment_method)
    return work.line(
        Role.CLEARING,
        work.due,
        f"{method.text} order {work.order.id}",
        "offline method declared paid when the order reaches a paid status; no transaction row exists",
        account=method.account or "?",
    )
