"""The plan of one order: everything that must exist in the ledger for it, in the order of posting.

Pure: the snapshot, mapping, policy and facts decide everything. No clock, no input or output.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from ml_connector.domain.documents import Document, Documents, Excluded, Held, HoldCode, Kind, Plan, Role
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import OrderSnapshot, Transaction
from ml_connector.domain.policy import Policy
from ml_connector.planning import gate
from ml_connector.planning.amendment import kept
from ml_connector.planning.b2b import invoice_payments
from ml_connector.planning.cancellation import cancelled_entry
from ml_connector.planning.customers import buyer_of
from ml_connector.planning.dates import local_day
from ml_connector.planning.facts import Facts, Stop, hold
from ml_connector.planning.families import LETTERS, effective, form_of
from ml_connector.planning.ledger import Ledger
from ml_connector.planning.lookups import Lookups
from ml_connector.planning.money_state import captures_of
from ml_connector.planning.order_entry import order_chain, posting_day
from ml_connector.planning.payments import applications, deposited, payment_by_status, payments
from ml_connector.planning.references import Names, ReferenceOverflow
from ml_connector.planning.refunds import Selection, guard_captured, plan_refunds, select
from ml_connector.planning.sale import sale_of
from ml_connector.planning.served import unserved
from ml_connector.planning.tenders import tenders, tenders_kept, tenders_undone
from ml_connector.planning.work import Work


def plan_order(snapshot: OrderSnapshot, mapping: Mapping, policy: Policy, facts: Facts) -> Plan:
    """What must exist for the order. `Held` and `Excluded` say why nothing can or should be done now.

    Documents that are posted already come out as they stand, with `already` set. Every missing mapping entry is
    named in one `Held`.
    """
    lookups = Lookups(mapping)
    try:
        plan = _plan(snapshot, mapping, policy, facts, lookups)
    except Stop as stop:
        return _nothing_left_behind(stop.plan, facts)
    except ReferenceOverflow as overflow:
        return Held(
            HoldCode.REFERENCE_OVERFLOW,
            f"no reference can be made: {overflow}",
            facts={"reason": str(overflow), "order": str(snapshot.order.id)},
        )
    return lookups.held() or unserved(plan, policy, facts) or plan


def _nothing_left_behind(plan: Held | Excluded, facts: Facts) -> Held | Excluded:
    """An order is left out only while nothing of it stands in the books."""
    standing = Ledger(facts.posted).standing_of(*_SALES)
    if not isinstance(plan, Excluded) or not standing:
        return plan
    document = standing[0].document
    return Held(
        HoldCode.AMENDED_AFTER_POSTING,
        f"{document.reference} is posted, and by now the order would be left out: {plan.message}",
        key=document.reference,
        facts={"reference": document.reference, "kind": document.kind.value},
    )


_SALES = tuple(kind for kind in Kind if kind not in (Kind.CUSTOMER, Kind.REVERSAL))
_DELIVERIES = ("shipment", "completion")


def _plan(snapshot: OrderSnapshot, mapping: Mapping, policy: Policy, facts: Facts, lookups: Lookups) -> Documents:
    ledger = Ledger(facts.posted)
    created = local_day(snapshot.order.created, snapshot.store.time_zone, policy)
    gate.guard_status(snapshot, policy, facts, ledger, created)
    captures = captures_of(snapshot)
    standing = ledger.standing_of(*LETTERS)
    form = form_of(facts.style, facts.family, policy, standing[0].document.kind if standing else None)
    policy = effective(policy, form)
    work = Work(
        snapshot=snapshot,
        mapping=mapping,
        policy=policy,
        facts=facts,
        lookups=lookups,
        names=Names(policy.reference_tag, snapshot.order.id, facts.reference_form),
        ledger=ledger,
        buyer=buyer_of(snapshot, mapping, policy, facts, ledger, lookups, created),
        form=form,
    )
    selection = select(work)
    b2b = snapshot.b2b
    if b2b is not None and b2b.is_invoice_order:
        documents = [*invoice_payments(work, b2b, captures), *_money_back(work, selection, early=False)]
    elif gate.is_cancelled(snapshot):
        documents = _cancelled(work, captures, selection)
    else:
        documents = _sold(work, captures, selection)
    documents = _with_customer(work, documents)
    return Documents(tuple(_with_leftovers(work, documents)), selection.notes)


def _sold(work: Work, captures: tuple[Transaction, ...], selection: Selection) -> list[Document]:
    way = gate.offline_way(work)
    deposit = _is_deposit(work)
    direct = _is_direct(work, way, deposit)
    if not gate.order_is_due(work, captures, way, direct):
        return _before_delivery(work, captures, selection, way)
    if work.total == 0 and work.policy.posting_zero_total == "exclude" and not work.ledger:
        raise gate.zero_total()
    chain = order_chain(work, captures, direct)
    work = _with_posted_buyer(work, chain.live)
    natural = chain.live.posting_date if chain.live.already else posting_day(work, captures)
    spent = tenders(work, chain.live.reference, natural)
    paid = [] if direct else _payments(work, captures, way, chain.live.reference, deposit)
    by_status = any(document.reference.startswith(_status_base(work)) for document in paid) or (
        direct and gate.paid_by_status(work, way)
    )
    guard_captured(work, selection, gate.money_for_refunds(work, captures, way, by_status))
    adjusted = any(document.kind is Kind.ADJUSTMENT for document in chain.documents)
    sale = sale_of(work, chain.live, adjusted) if selection.live else None
    # Deposits of a sales order are the ERP's to apply, when it invoices.
    deposits = ZERO if work.form.deposits else sum((deposited(document) for document in paid), ZERO)
    early = _early(work, selection, natural) if deposits else frozenset[int]()
    refunds = plan_refunds(work, selection, sale, chain.live, direct=direct, early=early)
    if deposits:
        drawn = _drawn(paid, refunds.from_deposit)
        applied = _applied(work, paid, chain.live, drawn, natural)
        return [*paid, *chain.documents, *spent, *applied, *refunds.documents]
    return [*chain.documents, *spent, *paid, *refunds.documents]


def _before_delivery(
    work: Work, captures: tuple[Transaction, ...], selection: Selection, way: gate.OfflineWay
) -> list[Document]:
    """Revenue is not due: captured money is a deposit, and refunds pay it back."""
    paid = _payments(work, captures, way, "", deposit=True)
    if not paid:
        raise gate.awaiting_capture(work, captures, "not delivered yet, and no money was captured")
    guard_captured(work, selection, sum((deposited(document) for document in paid), ZERO))
    return [*paid, *_money_back(work, selection, early=True)]


def _cancelled(work: Work, captures: tuple[Transaction, ...], selection: Selection) -> list[Document]:
    way = gate.offline_way(work)
    deposit = _is_deposit(work)
    direct = _is_direct(work, way, deposit)
    entry, stands = cancelled_entry(work, captures, selection)
    order = work.ledger.live(work.order_name)
    had_entry = order is not None or any(item.kind is Kind.REVERSAL for item in entry)
    if order is not None:
        work = _with_posted_buyer(work, order.document)
    applies_to = order.document.reference if order is not None else ""
    paid = [] if direct and had_entry else _payments(work, captures, way, applies_to, deposit)
    applied = [kept(item) for item in work.ledger.standing_of(Kind.DEPOSIT_APPLICATION)]
    if stands and order is not None:
        adjusted = any(document.kind is Kind.ADJUSTMENT for document in entry)
        sale = sale_of(work, order.document, adjusted)
        refunds = plan_refunds(work, selection, sale, order.document, direct=direct, early=frozenset()).documents
    else:
        refunds = _money_back(work, selection, early=not had_entry and any(deposited(item) for item in paid))
    # What was paid with store credit or a certificate comes off before the sale does, or the ERP calls it paid.
    spent = [] if not had_entry else tenders_kept(work) if stands else tenders_undone(work)
    return [*entry, *spent, *paid, *applied, *refunds] if stands else [*spent, *entry, *paid, *applied, *refunds]


def _payments(
    work: Work, captures: tuple[Transaction, ...], way: gate.OfflineWay, applies_to: str, deposit: bool
) -> list[Document]:
    by_status = payment_by_status(work, captures, gate.paid_by_status(work, way), applies_to, deposit)
    return [*by_status, *payments(work, captures, applies_to, deposit)]


def _money_back(work: Work, selection: Selection, early: bool) -> list[Document]:
    ids = frozenset(refund.id for refund in selection.live) if early else frozenset[int]()
    return plan_refunds(work, selection, None, None, direct=False, early=ids).documents


def _is_deposit(work: Work) -> bool:
    """Whether captured money is a debt to the buyer first: before delivery, and beside an open sales order."""
    return work.policy.posting_trigger in _DELIVERIES or work.form.deposits


def _is_direct(work: Work, way: gate.OfflineWay, deposit: bool) -> bool:
    """Whether this order's money goes to clearing without a receivable: as it was posted, else as policy says."""
    if work.form.itemised:
        return False
    posted = work.ledger.live(work.order_name)
    if posted is not None:
        roles = {line.role for line in posted.document.lines}
        if Role.CLEARING in roles or Role.RECEIVABLE in roles:
            return Role.CLEARING in roles
        if posted.settled_as:
            return posted.settled_as == "one_step"
    return work.policy.posting_settlement == "one_step" and not deposit and way != "on_account"


def _with_posted_buyer(work: Work, order: Document) -> Work:
    """Payments and refunds use the customer account of the order that stands."""
    if order.customer in work.buyer.aliases:
        return work
    return replace(work, buyer=replace(work.buyer, account=order.customer, party=order.party))


def _early(work: Work, selection: Selection, natural: date) -> frozenset[int]:
    """Refunds whose money went out of the deposit: as posted, else by their day, while no deposit is applied yet."""
    applied = bool(work.ledger.standing_of(Kind.DEPOSIT_APPLICATION))
    early: set[int] = set()
    for refund in selection.live:
        posted = [work.ledger.live(work.names.name("M", payment.id)) for payment in refund.payments]
        lines = [line for item in posted if item is not None for line in item.document.lines]
        if any(line.role is Role.CUSTOMER_DEPOSIT for line in lines) or (
            not lines and not applied and work.day(refund.created) < natural
        ):
            early.add(refund.id)
    return frozenset(early)


def _applied(
    work: Work, paid: Sequence[Document], order: Document, drawn: dict[str, Decimal], natural: date
) -> list[Document]:
    """Deposits settled with what they were paid for. Beside sales documents only where the ERP leaves that to us, and
    policy wants it; what was settled stays so."""
    if not work.form.itemised:
        return applications(work, paid, order, drawn, natural)
    if not work.form.applies or work.policy.sales_deposits == "leave":
        return [kept(item) for item in work.ledger.standing_of(Kind.DEPOSIT_APPLICATION)]
    owed = order.total - work.store_credit - work.gift_certificates
    return applications(work, paid, order, drawn, natural, at_most=max(owed, ZERO))


def _drawn(paid: Sequence[Document], from_deposit: Decimal) -> dict[str, Decimal]:
    """What early refunds took, spread over the deposits from the last one."""
    drawn: dict[str, Decimal] = {}
    for document in reversed(paid):
        take = min(deposited(document), from_deposit)
        if take > 0:
            drawn[document.reference] = take
            from_deposit -= take
    return drawn


def _status_base(work: Work) -> str:
    return work.names.name("S", work.order.id).base


def _with_customer(work: Work, documents: list[Document]) -> list[Document]:
    """The customer comes first, where its account does not exist yet and a new document needs it."""
    customer = work.buyer.document
    if customer is None or all(document.already for document in documents):
        return documents
    return [customer, *documents]


def _with_leftovers(work: Work, documents: list[Document]) -> list[Document]:
    """Raises `Stop` where something stands in the books that the source does not ask for any more."""
    past: list[Document] = []
    for item in work.ledger.unused(documents):
        document = item.document
        if document.kind is Kind.REVERSAL:
            # What a person declared gone in the ERP has no document: its name is no reversal's.
            if not document.reference.startswith(f"{document.reverses}-"):
                past.append(kept(item))
        elif document.kind is not Kind.CUSTOMER:
            raise hold(
                HoldCode.AMENDED_AFTER_POSTING,
                f"{document.reference} is posted, and the store no longer shows what it was posted for",
                key=document.reference,
                facts={"reference": document.reference, "kind": document.kind.value},
            )
    return [*past, *documents]
