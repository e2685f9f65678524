"""Business One as a ledger of sales style: find, post, check and list documents, read the chart, ping, set up."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import date, datetime

from ml_connector.connectors.base import (
    ChangePage,
    Check,
    LedgerAccount,
    LedgerDimension,
    Lookup,
    Outgoing,
    Permit,
    PostResult,
    Problem,
    Refused,
    Services,
    SetupStep,
    StoredDocument,
    Timing,
)
from ml_connector.connectors.business_one import customers, deliveries, matching, setup, stock
from ml_connector.connectors.business_one.answers import SYSTEM, UNKNOWN_SET
from ml_connector.connectors.business_one.checks import problems
from ml_connector.connectors.business_one.client import B1Client, chunks, literal
from ml_connector.connectors.business_one.master_data import MasterData
from ml_connector.connectors.business_one.pings import ping
from ml_connector.connectors.business_one.posting import post_document, reverse
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.stored import (
    Reading,
    answers,
    clauses_of,
    differences,
    documents_of,
    drafts_of,
    is_cancelled,
)
from ml_connector.connectors.business_one.tables import (
    ALL,
    DOCUMENT_SELECT,
    DRAFT_SELECT,
    DRAFTS,
    PAYMENT_DRAFTS,
    PAYMENT_SELECT,
    REFERENCE,
    Target,
    targets_of,
)
from ml_connector.connectors.business_one.wire import written_lines
from ml_connector.connectors.errors import Rejected
from ml_connector.connectors.gathering import together
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, text_of
from ml_connector.domain.documents import Document, Kind, Line
from ml_connector.domain.policy import OpenPeriods
from ml_connector.domain.shipments import DeliveryNote
from ml_connector.domain.stock import ItemStock


class B1Connector:
    """A live connection to one company."""

    def __init__(self, settings: B1Settings, services: Services) -> None:
        self._settings = settings
        self._client = B1Client(settings, services)
        self._master = MasterData(self._client)
        self._no_payment_drafts = False

    async def close(self) -> None:
        await self._client.close()

    @property
    def timing(self) -> Timing:
        return self._settings.timing

    @property
    def batch_size(self) -> int:
        return 1

    @property
    def lookup_size(self) -> int:
        return 40

    async def ping(self) -> Sequence[Check]:
        return await ping(self._client, self._master)

    async def books(self) -> str:
        """The number of the installation, and the company: the same under every name of the server."""
        row = await self._client.action("LicenseService_GetInstallationNumber")
        number = text_of(row, "value").strip()
        return f"{number}/{self._settings.company}" if number else ""

    # -------------------------------------------------------------- stock

    @property
    def stock_lag_s(self) -> float:
        return self._settings.timing.v_s

    async def stock(self, items: Collection[str], warehouses: Collection[str]) -> Mapping[str, ItemStock]:
        """In stock, committed and ordered of these items; see `stock`."""
        return await stock.stock(self._client, items, warehouses)

    def all_stock(self, warehouses: Collection[str]) -> AsyncIterator[Sequence[ItemStock]]:
        """Every item that keeps stock, a page at a time."""
        return stock.all_stock(self._client, warehouses)

    # -------------------------------------------------------------- deliveries

    def changed_deliveries(self, since: datetime) -> AsyncIterator[ChangePage]:
        """Delivery notes, and invoices with a tracking number; see `deliveries`."""
        return deliveries.changed(self._client, since)

    async def deliveries(self, keys: Sequence[str]) -> Mapping[str, DeliveryNote]:
        """By `DeliveryNotes/918` and `Invoices/4107`."""
        return await deliveries.read(self._client, keys)

    def line_at(self, document: Document, place: int) -> Line | None:
        """Of a sales document, the line that was written there."""
        lines = written_lines(document, self._settings)
        return lines[place] if 0 <= place < len(lines) else None

    # -------------------------------------------------------------- finding

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        """By our reference in the set of its kind and among the drafts; customers by their own rules."""
        apart = (Kind.CUSTOMER, Kind.DEPOSIT_APPLICATION)
        partners = [lookup for lookup in lookups if lookup.document.kind is Kind.CUSTOMER]
        applications = [lookup for lookup in lookups if lookup.document.kind is Kind.DEPOSIT_APPLICATION]
        entries = [lookup for lookup in lookups if lookup.document.kind not in apart]
        found: dict[str, Sequence[StoredDocument]] = {}
        if partners:
            with readable(customers.SET, SYSTEM):
                found |= await customers.find(self._client, partners)
        if applications:
            with readable(matching.SET, SYSTEM):
                found |= await matching.find(self._client, applications)
        stored = await self._stored(entries)
        for lookup in entries:
            hits = [document for document in stored if answers(lookup, document.reference)]
            if hits:
                found[lookup.document.reference] = hits
        return found

    async def _stored(self, lookups: Sequence[Lookup]) -> list[StoredDocument]:
        """Drafts first, documents after them: one that is approved in between is seen as either, never as neither."""
        by_target: dict[Target, list[str]] = {}
        of_drafts: dict[bool, list[str]] = {}
        for lookup in lookups:
            for target in targets_of(lookup.document):
                by_target.setdefault(target, []).extend(clauses_of(lookup))
                if lookup.document.kind is not Kind.REVERSAL:
                    of_drafts.setdefault(target.payment, []).extend(clauses_of(lookup))
        drafts = await together(self._drafts(payment, clauses) for payment, clauses in of_drafts.items())
        drafts_by = dict(zip(of_drafts, drafts, strict=True))
        rows = await together(self._all_rows(target, clauses) for target, clauses in by_target.items())
        read = [
            await self._read(target, found, drafts_by.get(target.payment, ()))
            for target, found in zip(by_target, rows, strict=True)
        ]
        return list({document.number: document for documents in read for document in documents}.values())

    async def _all_rows(self, target: Target, clauses: Sequence[str]) -> list[Row]:
        answered = await together(self._rows(target, where) for where in chunks(list(dict.fromkeys(clauses))))
        return [row for rows in answered for row in rows]

    async def _rows(self, target: Target, where: str) -> list[Row]:
        return await self._client.rows(
            target.set, where=where, select=PAYMENT_SELECT if target.payment else DOCUMENT_SELECT
        )

    async def _drafts(self, payment: bool, clauses: Sequence[str]) -> list[Row]:
        """Drafts that approval procedures make. Older Service Layers have no set of payment drafts."""
        if payment and self._no_payment_drafts:
            return []
        name = PAYMENT_DRAFTS if payment else DRAFTS
        try:
            answered = await together(
                self._client.rows(name, where=where, select=DRAFT_SELECT)
                for where in chunks(list(dict.fromkeys(clauses)))
            )
        except Rejected as error:
            if not payment or error.code not in {str(code) for code in UNKNOWN_SET}:
                raise
            self._no_payment_drafts = True
            return []
        return [row for rows in answered for row in rows]

    async def _read(self, target: Target, rows: Sequence[Row], drafts: Sequence[Row] = ()) -> list[StoredDocument]:
        if not rows and not drafts:
            return []
        freight = await self._master.freight_account() if not target.payment else str
        reading = Reading(await self._master.iso(), freight, await self._master.account_number())
        with readable(target.set, SYSTEM):
            documents = documents_of(target, rows, reading)
            there = {document.reference for document in documents}
            name = PAYMENT_DRAFTS if target.payment else DRAFTS
            return [*documents, *drafts_of(target, drafts, there, name)]

    async def documents_between(self, first: date, last: date, prefix: str) -> AsyncIterator[StoredDocument]:
        """Our documents of every kind by posting date."""
        where = (
            f"DocDate ge '{first.isoformat()}' and DocDate le '{last.isoformat()}' and "
            f"startswith({REFERENCE},{literal(prefix)})"
        )
        for target in ALL:
            select = PAYMENT_SELECT if target.payment else DOCUMENT_SELECT
            rows = await self._client.rows(target.set, where=where, select=select, priority="background")
            for document in await self._read(target, await self._with_counterparts(target, rows)):
                if document.posting_date is None or first <= document.posting_date <= last:
                    yield document
        with readable(matching.SET, SYSTEM):
            async for document in matching.between(self._client, first, last, prefix):
                yield document

    async def _with_counterparts(self, target: Target, rows: Sequence[Row]) -> list[Row]:
        """A cancelled document and the one that cancels it may lie on different days: both are read to know either."""
        names = sorted({text_of(row, REFERENCE) for row in rows if is_cancelled(row)})
        answered = await together(
            self._rows(target, where) for where in chunks([f"{REFERENCE} eq {literal(name)}" for name in names])
        )
        by_entry = {text_of(row, "DocEntry"): row for found in (rows, *answered) for row in found}
        return list(by_entry.values())

    def differences(self, sent: Document, stored: StoredDocument) -> Sequence[str]:
        if sent.kind is Kind.CUSTOMER:
            return customers.differences(sent, stored)
        if sent.kind is Kind.DEPOSIT_APPLICATION:
            return matching.differences(sent, stored)
        return differences(sent, stored, self._settings)

    # -------------------------------------------------------------- checking

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        found: dict[str, Sequence[Problem]] = {}
        for document in documents:
            if document.kind is Kind.CUSTOMER and (listed := customers.problems(document)):
                found[document.reference] = listed
            if document.kind is Kind.DEPOSIT_APPLICATION and (
                listed := await matching.problems(self._master, document)
            ):
                found[document.reference] = listed
        with readable("master data", SYSTEM):
            return {**found, **await problems(self._master, self._client, documents)}

    async def accounts(self) -> Sequence[LedgerAccount]:
        return await self._master.named_accounts()

    async def dimensions(self) -> Sequence[LedgerDimension]:
        return await self._master.named_rules()

    async def open_periods(self, max_age_s: float) -> OpenPeriods | None:
        return await self._master.periods(max_age_s)

    # -------------------------------------------------------------- posting

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        """One document in one call; of several, the first (`batch_size` is 1)."""
        first, *others = outgoing
        result = await self._post_one(first, permit)
        return [result, *(Refused("one document goes in one call", transient=True) for _ in others)]

    async def _post_one(self, item: Outgoing, permit: Permit) -> PostResult:
        document = item.document
        if document.kind is Kind.CUSTOMER:
            send = customers.create if document.generation == 1 else customers.update
            return await send(self._client, document, permit)
        if document.kind is Kind.DEPOSIT_APPLICATION:
            return await matching.post(self._client, item, permit)
        if matching.undoes_one(document):
            words = f"{document.reverses} is undone by hand: cancel the internal reconciliation in Business One"
            raise Rejected(words, system=SYSTEM, code="reversal")
        if document.kind is Kind.REVERSAL:
            return await reverse(self._client, self.find, item, permit)
        return await post_document(self._client, self._master, self.find, item, permit)

    # -------------------------------------------------------------- setting up

    async def plan_setup(self) -> Sequence[SetupStep]:
        return await setup.plan(self._client)

    async def set_up(self, steps: Sequence[SetupStep]) -> Sequence[SetupStep]:
        return await setup.apply(self._client, steps)
