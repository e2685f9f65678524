"""A ledger that holds what plans ask for, so that tests can plant faults in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ml_connector.connectors.base import ROUNDING, StoredDocument, StoredLine
from ml_connector.domain.documents import ITEMISED, Document, Documents, Kind, PostedDocument, Role
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import OpenPeriods, Policy
from ml_connector.reconcile.tie_out import Difference, TieOut, tie_out
from tests.planning.store import a_mapping, a_policy, plan


@dataclass
class Books:
    """The ERP's side. `post` makes a store's order true in it, `tie` compares both sides. `family`: the ERP that takes
    itemised documents; empty: a ledger."""

    family: str = ""
    policy: Policy = field(default_factory=a_policy)
    tables: Tables = field(default_factory=a_mapping)
    stored: list[StoredDocument] = field(default_factory=list)
    snapshots: dict[int, OrderSnapshot] = field(default_factory=dict)
    _posted: dict[int, dict[str, Document]] = field(default_factory=dict)

    def post(self, snapshot: OrderSnapshot, periods: OpenPeriods | None = None) -> tuple[Document, ...]:
        """Plans the order as it is now and posts what is not there yet."""
        order = snapshot.order.id
        self.snapshots[order] = snapshot
        known = self._posted.setdefault(order, {})
        made = plan(
            snapshot, self.policy, self.tables, tuple(map(PostedDocument, known.values())),
            periods=periods or OpenPeriods(), **self._facts,
        )  # fmt: skip
        assert isinstance(made, Documents), made
        new = [d for d in made.documents if d.kind is not Kind.CUSTOMER and d.reference not in known]
        for document in new:
            known[document.reference] = document
            self._store(document)
        return tuple(new)

    @property
    def _facts(self) -> dict[str, str]:
        return {"style": "sales", "family": self.family, "reference_form": "long"} if self.family else {}

    @property
    def form(self) -> dict[str, str]:
        """How references and sales are written here, as `Rules` and `tie_out` take it."""
        return {"form": "long", "sales_document": self.policy.sales_document} if self.family else {}

    def see(self, snapshot: OrderSnapshot) -> None:
        """The store has this order; nothing is posted for it."""
        self.snapshots[snapshot.order.id] = snapshot

    def tie(self, held: Mapping[str, str] | None = None) -> TieOut:
        sides = (self.snapshots.values(), self.stored)
        return tie_out(*sides, policy=self.policy, tables=self.tables, held=held or {}, **self.form)

    # ------------------------------------------------------------------ faults

    def of(self, reference: str) -> StoredDocument:
        (found,) = [each for each in self.stored if each.reference == reference]
        return found

    def drop(self, reference: str) -> None:
        self.stored.remove(self.of(reference))

    def double(self, reference: str, /, **changes: object) -> None:
        self.stored.append(replace(self.of(reference), number="0199999999/1710/2026", **changes))

    def change(self, reference: str, /, **changes: object) -> None:
        self.stored[self.stored.index(self.of(reference))] = replace(self.of(reference), **changes)

    def shift(self, reference: str, amount: str, *, tax: bool) -> None:
        """Moves `amount` between the buyer's line and another (`tax`: the tax line); the document still balances."""
        document = self.of(reference)
        lines = list(document.lines)
        [debtor] = [line for line in lines if line.customer]
        other = next(line for line in lines if not line.customer and (not line.account) == tax)
        moved = Decimal(amount)
        if tax:  # the total stays: what the tax loses, the revenue gains
            debtor = next(line for line in lines if line.account and not line.customer)
        lines[lines.index(debtor)] = replace(debtor, amount=debtor.amount + moved)
        lines[lines.index(other)] = replace(other, amount=other.amount - moved)
        assert sum(line.amount for line in lines) == sum(line.amount for line in document.lines) == 0
        self.change(reference, lines=tuple(lines))

    def _store(self, document: Document) -> None:
        number = f"{100000000 + len(self.stored):010}/1710/{document.posting_date.year}"
        undone = ""
        if document.reverses:
            undone = self.of(document.reverses).number
            self.change(document.reverses, reversed_by=number)
        if document.updates:  # the same document by its new name
            number = self.of(document.updates).number
            self.drop(document.updates)
        self.stored.append(
            StoredDocument(
                document.reference, number, document.currency, document.posting_date, document.document_date,
                tuple(_lines(document)), reverses=undone,
            )
        )  # fmt: skip


def _lines(document: Document) -> Iterable[StoredLine]:
    """As the ERP's read service shows them: the debtor's line by its control account, tax lines without an account, and
    of an itemised document the line that the ERP makes by itself."""
    for line in document.lines:
        account = "" if line.role is Role.TAX_PAYABLE else line.account
        on_account = line.role is Role.CUSTOMER_DEPOSIT and (document.kind is Kind.DEPOSIT or document.draws)
        customer = document.customer if line.role is Role.RECEIVABLE or on_account else ""
        item = ""
        if document.kind in ITEMISED and line.role is Role.ROUNDING:
            account, item = "", ROUNDING  # a system of sales style rounds on an account that it does not show
        yield StoredLine(account=account, amount=line.signed, tax_code=line.tax_code, customer=customer, item=item)
    if document.kind in ITEMISED:
        yield StoredLine(account="121000", amount=-document.balance, customer=document.customer)


def causes(found: Iterable[Difference]) -> list[tuple[str, str]]:
    return sorted((each.cause, each.reference) for each in found)
