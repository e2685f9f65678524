"""One planning run: the inputs, what was derived from them once, and how documents of this order are made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property

from ml_connector.domain.documents import Dimension, Document, Kind, Line, LinePart, Role
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.money import round_half_up
from ml_connector.domain.orders import Address, Order, OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.planning import texts
from ml_connector.planning.customers import Buyer
from ml_connector.planning.dates import local_day, open_day
from ml_connector.planning.decompose import Decomposition, decompose
from ml_connector.planning.dimensions import dimension_of
from ml_connector.planning.facts import Facts
from ml_connector.planning.families import Form
from ml_connector.planning.ledger import Ledger
from ml_connector.planning.lookups import Lookups
from ml_connector.planning.parts import line_of
from ml_connector.planning.references import Name, Names


@dataclass(frozen=True)
class Work:
    snapshot: OrderSnapshot
    mapping: Mapping
    policy: Policy
    facts: Facts
    lookups: Lookups
    names: Names
    ledger: Ledger
    buyer: Buyer
    form: Form

    @property
    def order(self) -> Order:
        return self.snapshot.order

    @property
    def currency(self) -> str:
        return self.order.currency

    @cached_property
    def order_name(self) -> Name:
        return self.names.name(self.form.letter, self.order.id)

    @cached_property
    def decomposition(self) -> Decomposition:
        """The order as it is now, under the current mapping. Raises `Stop`."""
        return decompose(self.snapshot, self.policy, self.lookups, itemised=self.form.itemised)

    @cached_property
    def total(self) -> Decimal:
        return self.whole(self.order.total.inc_tax)

    @cached_property
    def due(self) -> Decimal:
        """What the buyer owes in money: the total without store credit and gift certificates."""
        return self.total - self.store_credit - self.gift_certificates

    @cached_property
    def store_credit(self) -> Decimal:
        return self.whole(self.order.store_credit_amount)

    @cached_property
    def gift_certificates(self) -> Decimal:
        return self.whole(self.order.gift_certificate_amount)

    def whole(self, amount: Decimal) -> Decimal:
        return round_half_up(amount, self.currency)

    def day(self, moment: datetime) -> date:
        return local_day(moment, self.snapshot.store.time_zone, self.policy)

    def line(
        self,
        role: Role,
        debit: Decimal,
        text: str,
        why: str,
        *,
        account: str = "",
        tax_code: str = "",
        assignment: str = "",
        dimension: Dimension | None = None,
        parts: tuple[LinePart, ...] = (),
    ) -> Line:
        """A line of this order; account and dimension are the role's unless given. Negative `debit`: credit."""
        return line_of(
            role,
            account or self.lookups.account(role),
            debit,
            text,
            why,
            tax_code=tax_code,
            dimension=dimension_of(self.mapping, role) if dimension is None else dimension,
            assignment=assignment,
            parts=parts,
        )

    def customer_line(self, role: Role, debit: Decimal, text: str, why: str, assignment: str = "") -> Line:
        """A line on the customer's receivable or deposit, under the assignment that clears it."""
        return self.line(role, debit, text, why, assignment=assignment or self.names.assignment)

    def document(
        self,
        kind: Kind,
        name: Name,
        generation: int,
        *,
        posting_date: date,
        document_date: date,
        text: str,
        lines: Sequence[Line],
        source_digest: str,
        applies_to: str = "",
        adjusts: str = "",
        draws: str = "",
        customer_reference: str = "",
        ship_to: Address | None = None,
    ) -> Document:
        return Document(
            kind=kind,
            reference=name.reference(generation),
            generation=generation,
            posting_date=posting_date,
            document_date=document_date,
            currency=self.currency,
            customer=self.buyer.account,
            text=texts.header(text),
            lines=tuple(lines),
            applies_to=applies_to,
            adjusts=adjusts,
            draws=draws,
            exchange_rate=self.exchange_rate,
            party=self.buyer.party,
            long_reference=name.long(generation),
            source_digest=source_digest,
            customer_reference=customer_reference,
            ship_to=ship_to,
        )

    @property
    def exchange_rate(self) -> Decimal | None:
        """The store's rate, where policy wants it and the order is in another currency than the store."""
        order = self.order
        if self.policy.fx_rate != "store" or order.currency == order.store_currency:
            return None
        return order.store_to_transactional_rate

    def opened(self, document: Document) -> Document:
        """`document` on a day that the ERP accepts. Raises `Stop` where policy wants a person to decide."""
        day = open_day(document.posting_date, self.facts.periods, self.policy, document.reference)
        return document if day == document.posting_date else replace(document, posting_date=day)
