"""One order, three ways: what the store says, what we posted, what the ERP holds now. Pure.

Each document is judged against what we sent (`touched`), each thing of the order against what stands for it
(`lacking`). What is only not there *yet* is told apart from what is missing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import Kind
from ml_connector.domain.money import ZERO, minor_unit
from ml_connector.engine.postings import Posting
from ml_connector.engine.records import Status
from ml_connector.reconcile.causes import ABOUT, Cause
from ml_connector.reconcile.expected import Expected, expected_of, never_a_sale
from ml_connector.reconcile.lacking import against_store, two_sides
from ml_connector.reconcile.measures import (
    KIND_NAMES,
    Measures,
    accounts_of,
    by_kind,
    is_rounding_of,
    measured,
    measured_by_role,
    sums_by_account,
    total,
)
from ml_connector.reconcile.names import Names
from ml_connector.reconcile.touched import created_by, stranger, touched
from ml_connector.reconcile.values import (
    About,
    AccountEntry,
    Case,
    Compared,
    Difference,
    Entry,
    Owner,
    Rules,
    Thing,
)
from ml_connector.reconcile.view import View


class Comparison:
    """Compares orders under one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.names = Names(rules.policy.reference_tag, rules.form, rules.sales_document)
        self.usual = accounts_of(rules.tables)

    def order(self, case: Case) -> Compared:
        """The whole verdict on one order."""
        return _Judge(self, case).judged()

    def stray(self, document: StoredDocument, owner: Owner | None = None) -> Compared:
        """A live document under our tag that no order and no posting of ours knows; with an `owner`: one beside the
        document that we posted under the name."""
        found = Compared(0, documents=1)
        named = self.names.of(document.reference)
        if named is None or document.reversed_by or document.reverses:
            return Compared(0)
        measures = measured(named.kind, document, self.usual).rounded(document.currency)
        cause = Cause.FOREIGN if self.rules.ours else Cause.UNKNOWN
        text = f"{document.number} in the ERP has no counterpart in the store{created_by(document)}"
        numbers = (document.number,)
        order = int(named.order) if named.order else None
        if owner is not None:
            order = owner.order
            cause, numbers = Cause.DUPLICATE, (*sorted(owner.numbers), document.number)
            text = f"{document.reference} is booked {len(numbers)} times: {', '.join(numbers)}"
        add_entries(found, named.kind, document.posting_date, document.currency, erp=measures, documents=1)
        if self.rules.covers(document.posting_date):
            add_accounts(found, document, 0, 1)
            if named.kind in KIND_NAMES or self.rules.ours:
                found.differences.append(
                    Difference(
                        cause, order, document.reference, ZERO, measures.amount,
                        document.currency, text, day=document.posting_date, kind=KIND_NAMES.get(named.kind, ""),
                        numbers=numbers, touched=owner is not None,
                    )
                )  # fmt: skip
        return found


def add_entries(
    found: Compared, letter: str, day: date | None, currency: str, *, store: Measures | None = None,
    ours: Measures | None = None, erp: Measures | None = None, is_open: bool = False, documents: int = 0,
) -> None:  # fmt: skip
    """One thing's figures, kind by kind. A figure that one side cannot tell is left out on all."""
    sides = [by_kind(letter, side or Measures()) for side in (store, ours, erp)]
    for kind in sides[0]:
        if not all(kind in side for side in sides):
            continue
        wanted, posted, booked = (side[kind] for side in sides)
        main = kind == KIND_NAMES.get(letter)
        if main or wanted or posted or booked:
            found.entries.append(
                Entry(
                    day, currency, kind, wanted, wanted - booked if is_open else ZERO, posted, booked,
                    documents if main else 0,
                )
            )  # fmt: skip


def add_accounts(found: Compared, document: StoredDocument, ours: int, erp: int) -> None:
    """Adds a document's line sums to one side."""
    for account, amount in sums_by_account(document).items():
        found.accounts.append(
            AccountEntry(document.posting_date, document.currency, account, amount * ours, amount * erp)
        )


class _Judge:
    def __init__(self, comparison: Comparison, case: Case) -> None:
        self.rules, self.names, self.case = comparison.rules, comparison.names, case
        self.view = View(comparison.rules, comparison.names, comparison.usual, case)
        self.found = self.view.found

    # -------------------------------------------------------------- the order

    def judged(self) -> Compared:
        things = self._things()
        adjustments = things.pop(("D", str(self.case.order_id)), None)
        for thing in things.values():
            self._judge(thing, adjustments if thing.kind == "O" else None)
            adjustments = None if thing.kind == "O" else adjustments
        if adjustments is not None:
            self._judge(adjustments, None)
        self._complete()
        return self.found

    def _things(self) -> dict[tuple[str, str], Thing]:
        case = self.case
        things: dict[tuple[str, str], Thing] = {}

        def thing(kind: str, id: str) -> Thing:
            return things.setdefault((kind, id), Thing(kind, id))

        for posting in sorted(case.postings, key=lambda p: p.name):
            named = self.names.of(posting.name.reference)
            if posting.kind != Kind.CUSTOMER.value and posting.is_entry and named is not None:
                thing(*named.thing).postings.append(posting)
        for document in case.stored:
            named = self.names.of(document.reference)
            if named is not None and not document.reverses:
                side = thing(*named.thing)
                (side.reversed if document.reversed_by else side.live).append(document)
        standing = {name for name, each in things.items() if any(self.view.stands(p) for p in each.postings)}
        if case.snapshot is not None:
            for expected in expected_of(case.snapshot, self.rules.policy, sales=self.rules.is_sales, posted=standing):
                thing(expected.kind, expected.id).expected = expected
        ranks = {letter: rank for rank, letter in enumerate("OTGPSARMD")}
        return dict(sorted(things.items(), key=lambda item: (ranks[item[0][0]], item[0][1].zfill(20))))

    def _complete(self) -> None:
        """Where the order itself is: each is posted, waiting, held, excluded or dead, or we never heard of it."""
        case, record = self.case, self.case.record
        found = self.found
        if not self.rules.ours:
            found.state = str(record.status) if record is not None else ""
            found.reason = record.message if record is not None else ""
        elif case.snapshot is None:
            found.state = "not_in_store"
            if record is not None and record.status is not Status.EXCLUDED and record.done and not found.differences:
                self._tell_order(Cause.NOT_IN_STORE, "our record of it is " + str(record.status))
        elif record is None:
            rule = never_a_sale(case.snapshot, self.rules.policy)
            fresh = self.rules.is_fresh(case.snapshot.order.modified)
            found.state = "excluded" if rule else "waiting" if fresh else "never_heard"
            found.reason = rule
            if found.state == "never_heard" and not self.view.record_told:
                self._tell_order(Cause.NEVER_HEARD, "no webhook and no poll has named it, and nothing is due yet")
        elif record.status is Status.SYNCED:
            found.state = "posted"
        elif record.status is Status.RUNNING:
            found.state = "waiting"
        else:
            found.state = str(record.status)
            found.reason = (
                record.hold or record.message.partition(":")[0] if record.status is not Status.WAITING else ""
            )
            if record.status is Status.DEAD and not self.view.record_told:
                self._tell_order(Cause.DEAD, record.message)

    def _tell_order(self, cause: Cause, words: str) -> None:
        snapshot = self.case.snapshot
        self.found.differences.append(
            Difference(
                cause, self.case.order_id, "", ZERO, ZERO, snapshot.order.currency if snapshot else "",
                f"order {self.case.order_id}: {ABOUT[cause].words}: {words}",
            )
        )  # fmt: skip

    # -------------------------------------------------------------- one thing

    def _judge(self, thing: Thing, adjustments: Thing | None) -> None:
        parts = [thing, *([adjustments] if adjustments is not None else [])]
        standing = [p for part in parts for p in part.postings if self.view.stands(p)]
        live = [document for part in parts for document in part.live]
        expected = thing.expected
        currency = expected.currency if expected else self._currency(standing, live)
        store = _wanted(expected).rounded(currency) if expected else Measures()
        ours = total(measured_by_role(thing.kind, self.view.content(p)) for p in standing).rounded(currency)
        booked = [self.view.measured(thing.kind, document, parts) for document in live]
        erp = total(booked).rounded(currency)
        exact = expected.shipping if expected else ZERO
        against = ours if standing else erp
        booked_shipping = against.shipping
        if exact is not None and booked_shipping is not None and is_rounding_of(exact, booked_shipping, currency):
            store = replace(store, shipping=booked_shipping)
        if self._is_tax_rounding(store, against, currency):
            store = replace(store, tax=against.tax)
        day = expected.day if expected else self._day(standing, live)
        if self.rules.covers(day):
            about = About(thing, self._name(thing, standing, live), store, ours, erp, currency, day)
            if self.rules.ours:
                seen = [
                    touched(self.view, p, part, about) for part in parts for p in part.postings if self.view.stands(p)
                ]
                strangers = [stranger(self.view, part, about) for part in parts]
                settled = any(seen) or any(strangers)
                is_open = against_store(self.view, about, standing, live, settled=settled)
            else:
                is_open = two_sides(self.view, about, live)
            if expected or standing or live:
                add_entries(
                    self.found, thing.kind, day, currency, store=store, ours=ours, erp=erp, is_open=is_open,
                    documents=len(live),
                )  # fmt: skip
        self.found.documents += len(live)
        for posting in standing:
            content = self.view.content(posting)
            if self.rules.covers(content.posting_date):
                add_accounts(self.found, self.view.comparable(content, live), 1, 0)
        for document in live:
            if self.rules.covers(document.posting_date):
                add_accounts(self.found, document, 0, 1)

    def _is_tax_rounding(self, store: Measures, against: Measures, currency: str) -> bool:
        """An ERP that takes itemised documents may compute tax by itself, a cent beside the store; that cent stands on
        the document's rounding line, within the tolerance."""
        rules = self.rules
        tolerance = minor_unit(currency) * rules.policy.rounding_tolerance_minor if currency else ZERO
        return rules.is_sales and abs(store.tax - against.tax) <= tolerance

    def _currency(self, standing: Sequence[Posting], live: Sequence[StoredDocument]) -> str:
        if standing:
            return self.view.content(standing[0]).currency
        return live[0].currency if live else ""

    def _day(self, standing: Sequence[Posting], live: Sequence[StoredDocument]) -> date | None:
        if standing:
            return self.view.content(standing[0]).posting_date
        return live[0].posting_date if live else None

    def _name(self, thing: Thing, standing: Sequence[Posting], live: Sequence[StoredDocument]) -> str:
        if standing:
            return standing[-1].name.written
        return live[0].reference if live else self.names.written(thing.kind, thing.id, self.case.order_id)


def _wanted(expected: Expected) -> Measures:
    sign = -1 if expected.kind == "R" else 1
    return Measures(
        expected.amount, sign * expected.tax, expected.shipping, expected.certificates, expected.credit
    )  # fmt: skip
