"""Who the debtor is: an own account, a shared one, a one-time account, a company's, or one to create first."""

from dataclasses import dataclass, replace
from datetime import UTC, date

from ml_connector.domain.customers import Customer
from ml_connector.domain.documents import Document, Documents, Held, HoldCode, Kind, Party, Plan
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.orders import Address, OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.planning import texts
from ml_connector.planning.digest import digest
from ml_connector.planning.facts import Facts
from ml_connector.planning.ledger import Ledger
from ml_connector.planning.lookups import Lookups
from ml_connector.planning.references import ReferenceOverflow, customer_reference, guest_key, guest_reference
from ml_connector.planning.served import unserved

GUEST = "guest"
_NO_DEBTOR = (Kind.CUSTOMER, Kind.REVERSAL, Kind.DEPOSIT_APPLICATION)
_ORDER_KINDS = tuple(kind for kind in Kind if kind not in _NO_DEBTOR)


@dataclass(frozen=True, slots=True)
class Buyer:
    """`account`: the ERP's customer, or the reference of the `customer` document that creates it.

    `key` is the source's identity of the buyer, whatever mapping and policy make of it; it counts as content.
    `aliases` are all names of this account.
    """

    account: str
    key: str
    party: Party | None = None
    document: Document | None = None
    aliases: frozenset[str] = frozenset()


def buyer_of(
    snapshot: OrderSnapshot, mapping: Mapping, policy: Policy, facts: Facts, ledger: Ledger, lookups: Lookups, day: date
) -> Buyer:
    """The debtor of an order. Misses are kept in `lookups`. A guest's posted order stays a guest's order."""
    order, b2b = snapshot.order, snapshot.b2b
    posted = ledger.standing_of(*_ORDER_KINDS)
    if posted:
        document = posted[0].document
        if _is_one_time(document, mapping):
            return Buyer(document.customer, GUEST, document.party, aliases=frozenset({document.customer}))
        key = guest_key(order.billing.email)
        own = {guest_reference(policy.reference_tag, order.billing.email), facts.customer_accounts.get(key, "")} - {""}
        if document.customer in own:
            return Buyer(document.customer, GUEST, aliases=frozenset(own))
    if b2b is not None and b2b.company_id in mapping.customers.companies:
        account = mapping.customers.companies[b2b.company_id]
        return Buyer(account, str(order.customer_id), aliases=frozenset({account}))
    if order.customer_id == 0:
        return _guest(order.billing, mapping, policy, facts, ledger, lookups, day)
    party = Party(
        key=str(order.customer_id),
        address=order.billing,
        is_company=bool(order.billing.company),
        vat_number=order.customer_vat_number,
    )
    return _registered(party, mapping, policy, facts, ledger, lookups, day)


def plan_customer(customer: Customer, mapping: Mapping, policy: Policy, facts: Facts) -> Plan:
    """The business partner of one registered customer, where policy keeps one and none is known yet."""
    if policy.customers_registered == "collective":
        return Documents(())
    address = customer.addresses[0] if customer.addresses else Address()
    party = Party(
        key=str(customer.id),
        address=Address(
            first_name=customer.first_name or address.first_name,
            last_name=customer.last_name or address.last_name,
            company=customer.company or address.company,
            street_1=address.street_1,
            street_2=address.street_2,
            city=address.city,
            state=address.state,
            zip=address.zip,
            country_iso2=address.country_iso2,
            phone=customer.phone or address.phone,
            email=customer.email,
        ),
        is_company=bool(customer.company),
        vat_number=customer.vat_number,
    )
    lookups = Lookups(mapping)
    day = customer.created.astimezone(UTC).date()
    try:
        buyer = _registered(party, mapping, policy, facts, Ledger(facts.posted), lookups, day)
    except ReferenceOverflow as overflow:
        return Held(
            HoldCode.REFERENCE_OVERFLOW,
            f"no reference can be made: {overflow}",
            facts={"reason": str(overflow), "customer": str(customer.id)},
        )
    plan = Documents((buyer.document,) if buyer.document is not None else ())
    return unserved(plan, policy, facts) or plan


def _registered(
    party: Party, mapping: Mapping, policy: Policy, facts: Facts, ledger: Ledger, lookups: Lookups, day: date
) -> Buyer:
    if policy.customers_registered == "collective":
        account = mapping.customers.collective
        if not account:
            lookups.miss("customer", "collective")
        return Buyer(account, party.key, aliases=frozenset({account}))
    reference = customer_reference(policy.reference_tag, int(party.key))
    mapped = mapping.customers.individual.get(party.key, "")
    return _own_account(party, mapped, reference, facts, ledger, day)


def _guest(
    billing: Address, mapping: Mapping, policy: Policy, facts: Facts, ledger: Ledger, lookups: Lookups, day: date
) -> Buyer:
    if policy.customers_guest == "by_email" and billing.email:
        party = Party(guest_key(billing.email), billing, is_company=bool(billing.company))
        reference = guest_reference(policy.reference_tag, billing.email)
        return replace(_own_account(party, "", reference, facts, ledger, day), key=GUEST)
    account = mapping.customers.one_time
    if not account:
        lookups.miss("customer", "one_time")
    key = guest_key(billing.email)
    party = Party(key, billing, is_company=bool(billing.company), one_time=True)
    return Buyer(account, GUEST, party, aliases=frozenset({account}))


def _own_account(
    party: Party, mapped: str, reference: str, facts: Facts, ledger: Ledger, day: date
) -> Buyer:  # fmt: skip
    known = mapped or facts.customer_accounts.get(party.key, "") or facts.customer_accounts.get(reference, "")
    if known:
        return Buyer(known, party.key, aliases=frozenset({known, reference}))
    posted = ledger.get(reference)
    document = Document(
        kind=Kind.CUSTOMER,
        reference=reference,
        generation=1,
        posting_date=posted.document.posting_date if posted else day,
        document_date=posted.document.document_date if posted else day,
        currency="",
        customer="",
        text=texts.header(f"Customer {party.key}"),
        lines=(),
        party=party,
        long_reference=reference,
        source_digest=digest("customer", party.key),
        already=posted is not None,
    )
    return Buyer(reference, party.key, None, document, frozenset({reference}))


def _is_one_time(document: Document, mapping: Mapping) -> bool:
    one_time = mapping.customers.one_time
    return (document.party is not None and document.party.one_time) or (
        bool(one_time) and document.customer == one_time
    )
