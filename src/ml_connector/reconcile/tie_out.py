"""Tie-out by day, currency and kind: the store's facts against the ERP's documents, each difference with its order.

Counts live documents only: a reversed document and its reversal net to nothing and are not compared.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import Role
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.money import ZERO, round_half_up
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.domain.policy import Policy
from ml_connector.reconcile.expected import KIND_NAMES, Expected, expected_of

_BUYER_OWES = "OD"
_CUSTOMER_SIGN = {"P": -1, "S": -1, "R": -1, "M": 1}
"""Payments and credits stand on the buyer's credit side, money given back on the debit side."""
_TAX_SIGN = {"O": 1, "R": -1}
_NOT_WAITING = {"posting_held", "reversed_in_erp"}
"""Holds that say that the books were touched: what is missing there is missing."""
_LIABILITIES = (Role.GIFT_CERTIFICATE_LIABILITY, Role.STORE_CREDIT_LIABILITY)


@dataclass(frozen=True, slots=True)
class Actual:
    """A live document of ours in the ERP, reduced to what can be compared. `tax`: what it owes; negative in refunds."""

    reference: str
    kind: str
    id: str
    generation: int
    number: str
    amount: Decimal
    tax: Decimal
    currency: str
    day: date | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not tie: which order or document, by how much, and the likely cause in words."""

    cause: str  # missing | duplicate | amount | tax | currency | unknown
    order_id: int | None
    reference: str
    store: Decimal
    erp: Decimal
    currency: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    day: date | None
    currency: str
    kind: str
    store: Decimal
    erp: Decimal
    documents: int

    @property
    def difference(self) -> Decimal:
        return self.erp - self.store


@dataclass(slots=True)
class TieOut:
    orders: int = 0
    documents: int = 0
    duplicates: int = 0
    missing: int = 0
    held: dict[str, str] = field(default_factory=dict[str, str])  # order ID -> reason
    rows: list[Row] = field(default_factory=list[Row])
    found: list[Difference] = field(default_factory=list[Difference])
    differences: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    @property
    def difference(self) -> Decimal:
        """The largest absolute difference of any currency."""
        return max((abs(v) for v in self.differences.values()), default=ZERO)

    @property
    def clean(self) -> bool:
        return not self.found and not self.duplicates and not self.missing and self.difference == 0


def live_documents(stored: Iterable[StoredDocument], tag: str, tables: Tables) -> list[Actual]:
    """Documents under references of `tag` that are neither reversed nor reversals; a reversal's own row is left out."""
    pattern = re.compile(rf"{re.escape(tag)}-([OPSARMD])(\d+|Z[0-9A-Z]+)(?:-(\d+))?")
    found: list[Actual] = []
    for document in stored:
        match = pattern.fullmatch(document.reference)
        if match is None or document.reversed_by or document.reverses:
            continue
        kind, thing, generation = match.groups()
        found.append(
            Actual(
                document.reference,
                kind,
                _plain_id(thing),
                int(generation or 1),
                document.number,
                _amount(kind, document, tables),
                -sum((line.amount for line in document.lines if not line.account and not line.customer), ZERO),
                document.currency,
                document.posting_date,
            )
        )
    return found


def tie_out(
    snapshots: Iterable[OrderSnapshot],
    stored: Iterable[StoredDocument],
    *,
    policy: Policy,
    tables: Tables,
    held: Mapping[str, str],
) -> TieOut:
    """Compares both sides. `held`: order ID -> reason, the kind of the hold first; what a held order lacks is waiting
    for a person, not missing, unless it is held because its documents were touched in the ERP."""
    result = TieOut(held=dict(held))
    waiting = {order for order, reason in held.items() if re.split(r"[ :]", reason, maxsplit=1)[0] not in _NOT_WAITING}
    actual = live_documents(stored, policy.reference_tag, tables)
    result.documents = len(actual)
    by_name: dict[tuple[str, str], list[Actual]] = defaultdict(list)
    for document in actual:
        by_name[document.kind, document.id].append(document)
    sums: dict[tuple[date | None, str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    counts: Counter[tuple[date | None, str, str]] = Counter()
    for snapshot in snapshots:
        result.orders += 1
        for expected in expected_of(snapshot, policy):
            documents = by_name.pop((expected.kind, expected.id), [])
            if expected.kind == "O" and documents:
                documents[0] = _adjusted(documents[0], by_name.pop(("D", expected.id), []))
            if not documents and str(expected.order_id) in waiting:
                continue
            row = (expected.day, expected.currency, KIND_NAMES[expected.kind])
            sums[row][0] += expected.amount
            sums[row][1] += sum((d.amount for d in documents), ZERO)
            counts[row] += len(documents)
            _compare(expected, documents, result)
    for documents in by_name.values():
        for document in documents:
            if document.kind not in KIND_NAMES:
                continue  # deposit applications move money between our own accounts
            row = (document.day, document.currency, KIND_NAMES[document.kind])
            sums[row][1] += document.amount
            counts[row] += 1
            result.found.append(
                Difference(
                    "unknown", None, document.reference, ZERO, document.amount, document.currency,
                    f"{document.number} in the ERP has no counterpart in the store",
                )
            )  # fmt: skip
    for (day, currency, kind), (store, erp) in sorted(sums.items(), key=lambda item: (str(item[0][0]), *item[0][1:])):
        row = Row(
            day,
            currency,
            kind,
            round_half_up(store, currency),
            round_half_up(erp, currency),
            counts[day, currency, kind],
        )
        result.rows.append(row)
        result.differences[currency] = result.differences.get(currency, ZERO) + abs(row.difference)
    return result


def _compare(expected: Expected, documents: list[Actual], result: TieOut) -> None:
    def note(cause: str, reference: str, store: Decimal, erp: Decimal, text: str) -> None:
        result.found.append(Difference(cause, expected.order_id, reference, store, erp, expected.currency, text))

    name = f"{expected.kind}{expected.id}"
    wanted, tax = (round_half_up(amount, expected.currency) for amount in (expected.amount, expected.tax))
    if not documents:
        result.missing += 1
        note("missing", name, wanted, ZERO, f"order {expected.order_id}: no live document for {name} in the ERP")
        return
    if len(documents) > 1:
        result.duplicates += len(documents) - 1
        numbers = ", ".join(d.number for d in documents)
        booked = sum((d.amount for d in documents), ZERO)
        note(
            "duplicate",
            documents[0].reference,
            wanted,
            booked,
            f"{name} is booked {len(documents)} times: {numbers}",
        )
        return
    document = documents[0]
    if document.currency != expected.currency:
        words = f"{document.number} is in {document.currency}, the order in {expected.currency}"
        note("currency", document.reference, wanted, document.amount, words)
    if document.amount != wanted:
        note("amount", document.reference, wanted, document.amount, f"{document.number} differs from the store")
    if expected.kind in _TAX_SIGN and document.tax * _TAX_SIGN[expected.kind] != tax:
        note("tax", document.reference, tax, document.tax, f"tax of {document.number} differs from the store")


def _adjusted(document: Actual, adjustments: Iterable[Actual]) -> Actual:
    """An order's document with what later adjustments added to it or took away."""
    for adjustment in adjustments:
        document = replace(document, amount=document.amount + adjustment.amount, tax=document.tax + adjustment.tax)
    return document


def _amount(kind: str, document: StoredDocument, tables: Tables) -> Decimal:
    """The money of a document, positive on the side where its kind belongs: the buyer's side, or without a buyer the
    clearing side. A document that was booked the wrong way round comes out negative."""
    customer = sum((line.amount for line in document.lines if line.customer), ZERO)
    clearing = {method.account.lstrip("0") for method in tables.payment_methods}
    liabilities = {tables.accounts.get(role.value, "").lstrip("0") for role in _LIABILITIES} - {""}
    money = sum((line.amount for line in document.lines if line.account.lstrip("0") in clearing), ZERO)
    tenders = [line.amount for line in document.lines if not line.customer and line.account.lstrip("0") in liabilities]
    if kind in _BUYER_OWES:
        return customer + money + sum((x for x in tenders if x > 0), ZERO)
    if customer:
        return customer * _CUSTOMER_SIGN.get(kind, 1)
    return abs(money + sum(tenders, ZERO))


def _plain_id(thing: str) -> str:
    return str(int(thing[1:], 36)) if thing.startswith("Z") else thing
