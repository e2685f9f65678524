"""The three sides as they are read: the store and the ERP by their connectors, our own by the tables."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from ml_connector.connectors.base import KnowsItself, ListsDocuments, Lookup, StoredDocument
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine import postings, standings
from ml_connector.engine.evidence import unseen
from ml_connector.engine.postings import Posting
from ml_connector.engine.records import Status
from ml_connector.flows.context import Context, Incapable
from ml_connector.reconcile.names import kind_of
from ml_connector.reconcile.values import Known, Owner

FLOW = "orders"
_AT_ONCE = 500
_DONE = (Status.SYNCED, Status.EXCLUDED)


class Sources(Protocol):
    """What is read for a reconciliation. Every list is small: of a day, or of a chunk of orders."""

    async def created(self, day: date) -> list[int]:
        """Numbers of the orders that were placed on `day`, in any order."""
        ...

    async def changed_since(self, day: date) -> set[int]:
        """Numbers of the orders that changed, or were refunded, on `day` or later."""
        ...

    async def orders(self, numbers: Sequence[int]) -> Mapping[int, OrderSnapshot]:
        """Complete snapshots; what the store does not know is absent."""
        ...

    async def known(self, numbers: Sequence[int]) -> Mapping[int, Known]:
        """Our records of these orders."""
        ...

    async def postings(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Posting]]:
        """Our postings of these orders."""
        ...

    async def known_between(self, low: int, high: int) -> set[int]:
        """Numbers of the orders that we have a record of."""
        ...

    async def owners(self, references: Collection[str]) -> Mapping[str, Owner]:
        """By reference without generation, what our postings say of it."""
        ...

    async def documents(self, day: date) -> list[StoredDocument]:
        """The ERP's documents of `day` under our tag."""
        ...

    async def under(self, references: Collection[str]) -> list[StoredDocument]:
        """The ERP's documents under exactly these references, whatever their day."""
        ...

    async def require_sight(self) -> None:
        """Raises `Transient` where the look-up does not see the youngest document that is known to be ours."""
        ...


class ContextSources:
    """Everything by the connectors and tables of one integration. Raises `ConnectorError`."""

    def __init__(self, context: Context, zone: ZoneInfo) -> None:
        self._context = context
        self._zone = zone
        self._integration = context.integration.id
        erp = context.erp_connector
        if not isinstance(erp, ListsDocuments):
            raise Incapable(
                "cannot list its documents of a day, so nothing can be reconciled", system=context.erp.system
            )
        self._lister = erp

    # -------------------------------------------------------------- the store

    async def created(self, day: date) -> list[int]:
        first, last = self._bounds(day)
        pages = self._context.orders.orders_created(first, last)
        return sorted({int(change.key) async for page in pages for change in page.changes})

    async def changed_since(self, day: date) -> set[int]:
        first, _ = self._bounds(day)
        pages = self._context.orders.changed_orders(first)
        return {int(change.key) async for page in pages for change in page.changes}

    async def orders(self, numbers: Sequence[int]) -> Mapping[int, OrderSnapshot]:
        found = await self._context.orders.orders([str(number) for number in numbers])
        return {int(key): snapshot for key, snapshot in found.items()}

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        """First and last second of a day; days of 23 and 25 hours are as long as they are."""
        first = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        after = day + timedelta(days=1)
        following = datetime(after.year, after.month, after.day, tzinfo=self._zone)
        return first.astimezone(UTC), following.astimezone(UTC) - timedelta(seconds=1)

    # -------------------------------------------------------------- our tables

    async def known(self, numbers: Sequence[int]) -> Mapping[int, Known]:
        async with self._context.database.connect() as connection:
            rows = await standings.standings(connection, self._integration, FLOW, [str(number) for number in numbers])
        return {
            int(row.key): Known(row.status, row.hold, row.why, row.stamp, row.heard_at, done=row.status in _DONE)
            for row in rows
        }

    async def postings(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Posting]]:
        found: dict[int, list[Posting]] = defaultdict(list)
        async with self._context.database.connect() as connection:
            rows = await postings.of_records(connection, self._integration, FLOW, [str(number) for number in numbers])
        for posting in rows.values():
            found[int(posting.record_key)].append(posting)
        return found

    async def known_between(self, low: int, high: int) -> set[int]:
        async with self._context.database.connect() as connection:
            return await standings.numbered(connection, self._integration, FLOW, low, high)

    async def owners(self, references: Collection[str]) -> Mapping[str, Owner]:
        found: dict[str, Owner] = {}
        for part in _chunks(sorted(references)):
            async with self._context.database.connect() as connection:
                rows = await postings.owners(connection, self._integration, part)
            for reference, (key, numbers) in rows.items():
                if key.isdecimal():
                    found[reference] = Owner(int(key), numbers)
        return found

    # -------------------------------------------------------------- the ERP

    async def documents(self, day: date) -> list[StoredDocument]:
        tag = self._context.policy.reference_tag
        prefix = f"{tag}-" if self._context.reference_form == "short" else f"BC-{tag}-"
        return [document async for document in self._lister.documents_between(day, day, prefix)]

    async def under(self, references: Collection[str]) -> list[StoredDocument]:
        ledger = self._context.ledger
        found: dict[str, StoredDocument] = {}
        for part in _chunks(sorted(references), ledger.lookup_size):
            asked = await self._asked(part)
            stored = await ledger.find([Lookup(document) for document in asked])
            found |= {document.number: document for each in stored.values() for document in each}
        return list(found.values())

    async def _asked(self, references: Sequence[str]) -> list[Document]:
        """What a look-up asks for: our own document where there is one, else one of which only the name and the kind
        matter; targets keep kinds in places of their own."""
        bases = [base for reference in references for base in (reference, reference.rpartition("-")[0])]
        async with self._context.database.connect() as connection:
            rows = await postings.read(connection, self._integration, bases)
        ours = {name.written: document_from_json(row.content) for name, row in rows.items()}
        return [ours.get(reference) or self._named(reference) for reference in references]

    def _named(self, reference: str) -> Document:
        nothing = date.min
        kind = kind_of(self._context.policy.reference_tag, reference, sales=self._context.style == "sales")
        return Document(kind, reference, 1, nothing, nothing, "", "", "", ())

    async def require_sight(self) -> None:
        context = self._context
        blind = await unseen(
            context.database, self._integration, context.erp.id, context.ledger, system=context.erp.system
        )
        if blind is not None:
            raise blind


async def zone_of(context: Context) -> ZoneInfo:
    """Where days begin: `dates.time_zone`, normally the store's own zone. Raises `ConnectorError`."""
    if context.policy.dates_time_zone != "store":
        return ZoneInfo(context.policy.dates_time_zone)
    store = context.store_connector
    return ZoneInfo(await store.time_zone() if isinstance(store, KnowsItself) else "UTC")


def _chunks(items: Sequence[str], size: int = _AT_ONCE) -> Iterable[list[str]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))
