"""One order with its postings and documents at hand: what the judgements of it share."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from ml_connector.connectors.base import ROUNDING, StoredDocument
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document
from ml_connector.engine.postings import LIVE, Posting, State
from ml_connector.reconcile.causes import ABOUT, Cause
from ml_connector.reconcile.measures import (
    KIND_NAMES,
    Accounts,
    Measures,
    accounts_in,
    as_stored,
    is_tax,
    measured,
    measured_by_role,
    sums_by_account,
)
from ml_connector.reconcile.names import Names
from ml_connector.reconcile.values import About, Case, Compared, Difference, Rules, Thing


class View:
    """`undone`: what a reversal of ours has reversed; `undoing`: also what one is meant to reverse."""

    def __init__(self, rules: Rules, names: Names, usual: Accounts, case: Case) -> None:
        self.rules, self.names, self.usual, self.case = rules, names, usual, case
        self.found = Compared(case.order_id)
        self.undone = {
            p.reverses for p in case.postings if p.reverses is not None and (p.state in LIVE or p.has_replaced)
        }
        self.reversals = {p.reverses: p for p in case.postings if p.reverses is not None and p.state is not State.VOID}
        self.undoing = self.reversals.keys()
        self.record_told = False
        self._documents: dict[tuple[str, int], Document] = {}

    # -------------------------------------------------------------- our documents, the ERP's documents

    def stands(self, posting: Posting) -> bool:
        """We posted it, and did not reverse it ourselves. One that is held was posted before somebody touched it."""
        posted = posting.state in LIVE or (posting.state is State.HELD and posting.posted_at is not None)
        return posted and posting.name not in self.undone

    def content(self, posting: Posting) -> Document:
        key = (posting.name.reference, posting.name.generation)
        if key not in self._documents:
            self._documents[key] = document_from_json(posting.content)
        return self._documents[key]

    def comparable(self, content: Document, live: Iterable[StoredDocument]) -> StoredDocument:
        """Without what the ERP's read service does not give: tax codes, the account of a rounding line."""
        ours = as_stored(content, self.rules.tables)
        theirs = next((document for document in live if document.reference == content.reference), None)
        if theirs is None:
            return ours
        coded = any(x.tax_code for x in theirs.lines if is_tax(x))
        rounds = any(x.item == ROUNDING and not x.account for x in theirs.lines)
        lines = tuple(
            replace(
                line,
                tax_code=line.tax_code if coded or not is_tax(line) else "",
                account="" if rounds and line.item == ROUNDING else line.account,
            )
            for line in ours.lines
        )
        return replace(ours, lines=lines)

    def measured(self, kind: str, document: StoredDocument, parts: Sequence[Thing]) -> Measures:
        """The ERP's figures. A document that holds what we sent, account by account, has our figures: its lines alone
        cannot tell two roles on one account apart."""
        posting = next(
            (p for part in parts for p in part.postings if p.name.written == document.reference), None
        )  # fmt: skip
        accounts: Accounts = self.usual
        if posting is not None:
            content = self.content(posting)
            same_currency = content.currency == document.currency
            if same_currency and sums_by_account(self.comparable(content, [document])) == sums_by_account(document):
                return measured_by_role(kind, content)
            accounts = accounts_in(content, self.usual)
        return measured(kind, document, accounts)

    def is_unseen(self, posting: Posting) -> bool:
        return posting.posted_at is not None and self.rules.now - posting.posted_at < timedelta(
            seconds=self.rules.visible_s
        )

    # -------------------------------------------------------------- the order

    def is_moving(self) -> bool:
        record = self.case.record
        return record is not None and not record.done

    def modified(self) -> datetime:
        assert self.case.snapshot is not None
        return self.case.snapshot.order.modified

    def is_fresh(self) -> bool:
        return self.case.snapshot is not None and self.rules.is_fresh(self.modified())

    def is_stale(self) -> bool:
        """The store has changed the order since we last read it."""
        stamp = self.case.record.stamp if self.case.record else None
        return self.case.snapshot is not None and stamp is not None and self.modified() > stamp

    # -------------------------------------------------------------- saying it

    def say_of_order(self, cause: Cause, about: About, words: str) -> bool:
        """A cause that lies in the record: said once for the order, whatever it lacks. True: it is only not yet."""
        if not self.record_told:
            self.record_told = True
            text = f"order {self.case.order_id}: {ABOUT[cause].words}"
            self.say(cause, about, f"{text}: {words}" if words else text, about.name)
        return ABOUT[cause].open

    def say(
        self, cause: Cause, about: About, text: str, reference: str, documents: Sequence[StoredDocument] = (),
        amounts: tuple[Decimal, Decimal] | None = None, touched: bool = False,
    ) -> None:  # fmt: skip
        store, erp = amounts or (about.store.amount, about.erp.amount)
        self.found.differences.append(
            Difference(
                cause, self.case.order_id, reference, store, erp, about.currency, text, ours=about.ours.amount,
                day=about.day, kind=KIND_NAMES.get(about.thing.kind, ""),
                numbers=tuple(document.number for document in documents), touched=touched,
            )
        )  # fmt: skip
