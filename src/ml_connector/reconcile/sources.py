"""The three sides as they are read: the store and the ERP by their connectors, our own by the tables."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import text

from ml_connector.connectors.base import KnowsItself, ListsDocuments, Lookup, StoredDocument
from ml_connector.connectors.errors import Transient
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import Document, Kind
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine import postings
from ml_connector.engine.postings import Posting
from ml_connector.engine.records import Status
from ml_connector.flows.context import Context, Incapable
from ml_connector.reconcile.values import Known, Owner

FLOW = "orders"
_AT_ONCE = 500

_RECORDS = text("""
SELECT key, status, coalesce(hold_kind, '') AS hold, coalesce(last_error, reason, '') AS message, stamp, heard_at,
       status IN ('synced', 'excluded') AS done
  FROM records
 WHERE integration = :integration AND flow = :flow AND key = ANY(CAST(:keys AS text[]))
""")

_RECORDS_BETWEEN = text("""
SELECT key FROM records
 WHERE integration = :integration AND flow = :flow AND key ~ '^[0-9]{1,18}$'
   AND CASE WHEN key ~ '^[0-9]{1,18}$' THEN key::bigint END BETWEEN :low AND :high
""")

_OWNERS = text("""
SELECT reference, record_key, number FROM postings
 WHERE integration = :integration AND reference = ANY(CAST(:references AS text[]))
""")


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
        parameters = {"integration": self._integration, "flow": FLOW, "keys": [str(number) for number in numbers]}
        async with self._context.database.connect() as connection:
            return {
                int(row.key): Known(
                    Status(row.status), row.hold, row.message, row.stamp, row.heard_at, done=row.done
                )
                for row in await connection.execute(_RECORDS, parameters)
            }  # fmt: skip

    async def postings(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Posting]]:
        found: dict[int, list[Posting]] = defaultdict(list)
        async with self._context.database.connect() as connection:
            rows = await postings.of_records(connection, self._integration, FLOW, [str(number) for number in numbers])
        for posting in rows.values():
            found[int(posting.record_key)].append(posting)
        return found

    async def known_between(self, low: int, high: int) -> set[int]:
        parameters = {"integration": self._integration, "flow": FLOW, "low": low, "high": high}
        async with self._context.database.connect() as connection:
            return {int(key) for key in (await connection.execute(_RECORDS_BETWEEN, parameters)).scalars()}

    async def owners(self, references: Collection[str]) -> Mapping[str, Owner]:
        found: dict[str, Owner] = {}
        for part in _chunks(sorted(references)):
            parameters = {"integration": self._integration, "references": part}
            async with self._context.database.connect() as connection:
                rows = (await connection.execute(_OWNERS, parameters)).all()
            for row in rows:
                if row.record_key.isdecimal():
                    numbers = found[row.reference].numbers if row.reference in found else frozenset[str]()
                    found[row.reference] = Owner(
                        int(row.record_key), numbers | ({row.number} if row.number else frozenset[str]())
                    )
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
            stored = await ledger.find([Lookup(_asked(reference)) for reference in part])
            found |= {document.number: document for each in stored.values() for document in each}
        return list(found.values())

    async def require_sight(self) -> None:
        async with self._context.database.connect() as connection:
            witness = await postings.youngest(connection, self._integration)
        if witness is None:
            return
        document = document_from_json(witness.content)
        if not (await self._context.ledger.find([Lookup(document)])).get(document.reference):
            raise Transient(
                f"the look-up does not see {document.reference}, posted as {witness.number}: that other documents are "
                "not seen proves nothing; look at the rights of the user in the ERP",
                system=self._context.erp.system,
            )


async def zone_of(context: Context) -> ZoneInfo:
    """Where days begin: `dates.time_zone`, normally the store's own zone. Raises `ConnectorError`."""
    if context.policy.dates_time_zone != "store":
        return ZoneInfo(context.policy.dates_time_zone)
    store = context.store_connector
    return ZoneInfo(await store.time_zone() if isinstance(store, KnowsItself) else "UTC")


def _asked(reference: str) -> Document:
    """A document of which only the name matters: what a look-up asks for."""
    nothing = date.min
    return Document(Kind.ORDER, reference, 1, nothing, nothing, "", "", "", ())


def _chunks(items: Sequence[str], size: int = _AT_ONCE) -> Iterable[list[str]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))
