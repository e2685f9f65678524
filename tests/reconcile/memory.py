"""Three sides in memory: a store, our tables and an ERP that holds what plans asked for, to plant faults in."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ml_connector.connectors.base import StoredDocument, StoredLine
from ml_connector.connectors.errors import Transient
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import ITEMISED, Document, Kind
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine.postings import Name, Posting, State, Step
from ml_connector.engine.records import Status
from ml_connector.reconcile.expected import created_on
from ml_connector.reconcile.stream import Cursor, reconcile
from ml_connector.reconcile.totals import Totals
from ml_connector.reconcile.values import Known, Owner, Rules
from tests.planning.store import CREATED, StoreOrder, a_transaction, captured, due
from tests.reconcile.books import Books

NOW = CREATED + timedelta(days=40)
FIRST, LAST = date(2026, 3, 4), date(2026, 3, 10)
SALES = {Kind.ORDER, *ITEMISED} - {Kind.CREDIT_MEMO}


def an_order(number: int, days: int = 0, **changes: object) -> OrderSnapshot:
    """An order of the window, paid by card with a payment of its own."""
    order = captured(StoreOrder(id=number, **changes).snapshot())
    placed = CREATED + timedelta(days=days)
    paid = a_transaction(due(order), number, currency=order.order.currency, created=placed + timedelta(minutes=5))
    return replace(
        order, order=replace(order.order, created=placed, modified=placed + timedelta(hours=1)), transactions=(paid,)
    )


@dataclass
class World:
    """`trade` makes an order true on all sides; the rest is what goes wrong."""

    books: Books = field(default_factory=Books)
    records: dict[int, Known] = field(default_factory=dict)
    rows: dict[int, list[Posting]] = field(default_factory=lambda: defaultdict(list))
    sees: bool = True
    asked_at_once: int = 0

    # -------------------------------------------------------------- what goes right

    def trade(self, snapshot: OrderSnapshot) -> int:
        number = snapshot.order.id
        for document in self.books.post(snapshot):
            self.rows[number].append(posting_of(document, number, self.books.of(document.reference).number))
        self.records[number] = Known(Status.SYNCED, stamp=snapshot.order.modified, heard_at=snapshot.order.created)
        return number

    def see(self, snapshot: OrderSnapshot, record: Known | None = None) -> int:
        """Only the store has it, and perhaps a record of ours."""
        self.books.see(snapshot)
        if record is not None:
            self.records[snapshot.order.id] = record
        return snapshot.order.id

    def reference(self, number: int) -> str:
        return next(row.name.written for row in self.rows[number] if row.kind in SALES)

    # -------------------------------------------------------------- what goes wrong

    def swap(self, reference: str, account: str) -> None:
        """Somebody moves a line of the document to another account."""
        document = self.books.of(reference)
        lines = list(document.lines)
        place = next(n for n, line in enumerate(lines) if line.account and not line.customer)
        lines[place] = replace(lines[place], account=account)
        self.books.change(reference, lines=tuple(lines))

    def double(self, reference: str, **changes: object) -> None:
        """Somebody posts ours once more."""
        number = f"017{len(self.books.stored):07}/1710/2026"
        self.books.stored.append(replace(self.books.of(reference), number=number, **changes))

    def add(self, reference: str, day: date, amount: str = "108.25") -> StoredDocument:
        """Somebody posts a document under this name."""
        value = Decimal(amount)
        document = StoredDocument(
            reference, f"019{len(self.books.stored):07}/1710/2026", "USD", day, day,
            (StoredLine("410000", -value), StoredLine("121000", value, customer="99")), created_by="CLERK",
        )  # fmt: skip
        self.books.stored.append(document)
        return document

    # -------------------------------------------------------------- comparing

    def rules(self, first: date = FIRST, last: date = LAST) -> Rules:
        return Rules(self.books.policy, self.books.tables, NOW, first, last, **self.books.form)

    async def compared(self, first: date = FIRST, last: date = LAST) -> Totals:
        cursor = Cursor.of(first, last)
        assert await reconcile(Memory(self), self.rules(first, last), cursor)
        return cursor.totals


class Memory:
    """The sides of a world, asked as the real ones are."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def created(self, day: date) -> list[int]:
        policy = self.world.books.policy
        return [n for n, s in self.world.books.snapshots.items() if created_on(s, policy) == day]

    async def changed_since(self, day: date) -> set[int]:
        first = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return {n for n, s in self.world.books.snapshots.items() if s.order.modified >= first}

    async def orders(self, numbers: Sequence[int]) -> Mapping[int, OrderSnapshot]:
        self.world.asked_at_once = max(self.world.asked_at_once, len(numbers))
        return {n: self.world.books.snapshots[n] for n in numbers if n in self.world.books.snapshots}

    async def known(self, numbers: Sequence[int]) -> Mapping[int, Known]:
        return {n: self.world.records[n] for n in numbers if n in self.world.records}

    async def postings(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Posting]]:
        return {n: self.world.rows[n] for n in numbers if n in self.world.rows}

    async def known_between(self, low: int, high: int) -> set[int]:
        return {n for n in self.world.records if low <= n <= high}

    async def owners(self, references: Collection[str]) -> Mapping[str, Owner]:
        found: dict[str, Owner] = {}
        for number, rows in self.world.rows.items():
            for reference in {row.name.reference for row in rows} & set(references):
                numbers = {row.number for row in rows if row.name.reference == reference and row.number}
                found[reference] = Owner(number, frozenset(numbers))
        return found

    async def documents(self, day: date) -> list[StoredDocument]:
        return [document for document in self.world.books.stored if document.posting_date == day]

    async def under(self, references: Collection[str]) -> list[StoredDocument]:
        return [document for document in self.world.books.stored if document.reference in references]

    async def require_sight(self) -> None:
        if not self.world.sees:
            raise Transient("the look-up sees nothing")


def posting_of(document: Document, order: int, number: str, state: State = State.CHECKED) -> Posting:
    """The row of a document that was posted when the order was placed."""
    reverses, step = None, Step.CREATE
    if document.kind is Kind.REVERSAL:
        suffix = f"-{document.generation}" if document.generation > 1 else ""
        step, reverses = Step.REVERSE, Name(document.reverses.removesuffix(suffix), document.generation)
    if document.updates:
        step = Step.UPDATE
        reverses = Name(document.base_reference, document.generation - 1)
    posted = datetime(document.posting_date.year, document.posting_date.month, document.posting_date.day, tzinfo=UTC)
    return Posting(
        name=Name(document.base_reference, document.generation), integration=1, connection=2, flow="orders",
        record_key=str(order), kind=document.kind.value, step=step, reverses=reverses, state=state, version=3,
        attempt=1, sent_at=posted, resolve_at=None, fingerprint=document.fingerprint,
        sent_fingerprints=(document.fingerprint,),
        content=document_to_json(document), before=None, stored=None, number=number, source_digest=None,
        mapping_version=1, policy_version=1, adopted=False, error=None, posted_at=posted, checked_at=posted,
        count_at=None, read_at=posted,
    )  # fmt: skip
