"""S/4HANA as a ledger: find, post and check documents, list them, read the chart, ping."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ml_connector.connectors.base import (
    Check,
    LedgerAccount,
    LedgerDimension,
    Lookup,
    Outgoing,
    Permit,
    Posted,
    PostResult,
    Problem,
    Refused,
    Services,
    StoredDocument,
    Timing,
    Unknown,
)
from ml_connector.connectors.errors import (
    ConnectorError,
    Rejected,
    Throttled,
    Unauthorized,
    Uncertain,
)
from ml_connector.connectors.gathering import together
from ml_connector.connectors.http import Response
from ml_connector.connectors.odata import AgainPermit, readable
from ml_connector.connectors.odata_errors import error_of
from ml_connector.connectors.odata_values import all_of, day, equals, starts_with, text_of
from ml_connector.connectors.s4hana import customers, stock
from ml_connector.connectors.s4hana.answers import ALREADY_REVERSED, confirmations, not_executed, results
from ml_connector.connectors.s4hana.client import SYSTEM, S4Client
from ml_connector.connectors.s4hana.master_data import MasterData, problems
from ml_connector.connectors.s4hana.pings import ping
from ml_connector.connectors.s4hana.settings import S4Settings
from ml_connector.connectors.s4hana.stored import (
    CUBE,
    CUBE_SCENARIO,
    CUBE_SET,
    LOCAL,
    LOGICAL_SYSTEM,
    ORDER_BY,
    REFERENCE,
    SELECT,
    answers,
    differences,
    filters,
    grouped,
)
from ml_connector.connectors.s4hana.tables import SOAP_ACTION
from ml_connector.connectors.s4hana.wire import bare, message_id, request_body
from ml_connector.connectors.soap import Fault, FieldError, body_of
from ml_connector.domain.documents import Document, Kind
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.stock import ItemStock

POSTING_SCENARIO = "SAP_COM_0002"
LOOKUP_PAGE = 5000
LIST_DAYS = 7

# Statuses with which a server refuses a request before it is handed to the service.
_NEVER_EXECUTED = frozenset({405, 406, 411, 413, 414, 415})


class S4Connector:
    """A live connection to one company code."""

    def __init__(
        self, settings: S4Settings, services: Services, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings = settings
        self._client = S4Client(settings, services)
        self._master = MasterData(self._client)
        self._now = now
        self._youngest: Document | None = None  # the last document that this process posted

    async def close(self) -> None:
        await self._client.close()

    @property
    def timing(self) -> Timing:
        return self._settings.timing

    @property
    def batch_size(self) -> int:
        return self._settings.batch_size

    @property
    def lookup_size(self) -> int:
        return 100

    async def ping(self) -> Sequence[Check]:
        return await ping(self._client, self._master, self._youngest)

    async def books(self) -> str:
        """The logical system (system and client) of an entry that was made here, and the company code."""
        by_us = equals("AccountingDocCreatedByUser", self._settings.created_by_user)
        company, made_here = equals("CompanyCode", self._settings.company_code), equals("ReferenceDocumentType", LOCAL)
        pages = self._client.service(CUBE, CUBE_SCENARIO).pages(
            CUBE_SET,
            order_by=ORDER_BY,
            where=all_of(company, made_here, by_us),
            select=(*ORDER_BY.split(","), LOGICAL_SYSTEM),
            page_size=1,
            priority="background",
            first_only=True,
        )
        async for rows in pages:
            system = text_of(rows[0], LOGICAL_SYSTEM)
            return f"{system}/{self._settings.company_code}" if system else ""
        return ""

    # -------------------------------------------------------------- finding

    async def find(self, lookups: Sequence[Lookup]) -> Mapping[str, Sequence[StoredDocument]]:
        """By reference in the item cube, reversals under their own reference included; customers by external ID."""
        found: dict[str, Sequence[StoredDocument]] = {}
        partners = [lookup for lookup in lookups if lookup.document.kind is Kind.CUSTOMER]
        entries = [lookup for lookup in lookups if lookup.document.kind is not Kind.CUSTOMER]
        if partners:
            found |= await customers.find(self._client, partners)
        if entries:
            stored = await self._stored_under(entries)
            for lookup in entries:
                hits = [document for document in stored if answers(lookup, document.reference)]
                if hits:
                    found[lookup.document.reference] = hits
        return found

    async def _stored_under(self, lookups: Sequence[Lookup]) -> list[StoredDocument]:
        """As many calls as the length of an address asks for, side by side."""
        service = self._client.service(CUBE, CUBE_SCENARIO)
        answered = await together(
            service.rows(
                CUBE_SET,
                order_by=ORDER_BY,
                where=all_of(equals("CompanyCode", self._settings.company_code), where),
                select=SELECT,
                page_size=LOOKUP_PAGE,
            )
            for where in filters(lookups)
        )
        with readable(CUBE, SYSTEM):
            return list({document.number: document for rows in answered for document in grouped(rows)}.values())

    async def documents_between(self, first: date, last: date, prefix: str) -> AsyncIterator[StoredDocument]:
        """Our documents by posting date, a week at a time: the read service is made for small extracts."""
        service = self._client.service(CUBE, CUBE_SCENARIO)
        while first <= last:
            end = min(last, first + timedelta(days=LIST_DAYS - 1))
            rows = await service.rows(
                CUBE_SET,
                order_by=ORDER_BY,
                where=all_of(
                    equals("CompanyCode", self._settings.company_code),
                    f"PostingDate ge {day(first)} and PostingDate le {day(end)}",
                    starts_with(REFERENCE, prefix),
                ),
                select=SELECT,
                priority="background",
            )
            with readable(CUBE, SYSTEM):
                stored = grouped(rows)
            for document in stored:
                yield document
            first = end + timedelta(days=1)

    def differences(self, sent: Document, stored: StoredDocument) -> Sequence[str]:
        if sent.kind is Kind.CUSTOMER:
            return customers.differences(sent, stored)
        return differences(sent, stored, self._settings)

    # -------------------------------------------------------------- checking

    async def check(self, documents: Sequence[Document]) -> Mapping[str, Sequence[Problem]]:
        found: dict[str, Sequence[Problem]] = {}
        for document in documents:
            if document.kind is Kind.CUSTOMER and (listed := customers.problems(document, self._settings)):
                found[document.reference] = listed
        return {**found, **await problems(self._master, self._client, documents)}

    async def accounts(self) -> Sequence[LedgerAccount]:
        """Numbered as people know them: without leading zeros."""
        return [replace(each, number=bare(each.number)) for each in await self._master.named_accounts()]

    async def dimensions(self) -> Sequence[LedgerDimension]:
        """As `accounts`."""
        centers = [*(await self._master.profit_centers() or ()), *await self._master.cost_centers()]
        return [replace(each, key=bare(each.key)) for each in centers]

    # -------------------------------------------------------------- stock

    @property
    def stock_lag_s(self) -> float:
        return self._settings.timing.v_s

    async def stock(self, items: Collection[str], warehouses: Collection[str]) -> Mapping[str, ItemStock]:
        """Unrestricted physical stock of these products; see `stock`."""
        return await stock.stock(self._client, items, warehouses)

    def all_stock(self, warehouses: Collection[str]) -> AsyncIterator[Sequence[ItemStock]]:
        """Every product, a page of stock rows at a time."""
        return stock.all_stock(self._client, warehouses)

    # -------------------------------------------------------------- posting

    async def post(self, outgoing: Sequence[Outgoing], permit: Permit) -> Sequence[PostResult]:
        """Journal documents go in one SOAP request; customers one by one before them, since partners have no batch."""
        partners = [[item] for item in outgoing if item.document.kind is Kind.CUSTOMER]
        entries = [item for item in outgoing if item.document.kind is not Kind.CUSTOMER]
        answered: dict[str, PostResult] = {}
        for part in [*partners, *([entries] if entries else [])]:
            send = self._post_entries if part is entries else self._post_partner
            try:
                got = await send(part, AgainPermit(permit) if answered else permit)
            except Uncertain as error:
                if not answered:
                    raise
                got = [Unknown(str(error))] * len(part)
            except ConnectorError as error:  # nothing of this part was written, but of the parts before it
                if not answered:
                    raise
                got = [Refused(str(error), error.code, transient=True)] * len(part)
            answered |= {item.document.reference: result for item, result in zip(part, got, strict=True)}
        self._remember(outgoing, answered)
        return [answered[item.document.reference] for item in outgoing]

    def _remember(self, outgoing: Sequence[Outgoing], answered: Mapping[str, PostResult]) -> None:
        posted = [item.document for item in outgoing if isinstance(answered[item.document.reference], Posted)]
        self._youngest = next((document for document in reversed(posted) if document.kind is not Kind.CUSTOMER), None)

    async def _post_partner(self, outgoing: Sequence[Outgoing], permit: Permit) -> list[PostResult]:
        """Generation 1 creates the partner; a later one changes it."""
        return [
            await (customers.create if item.document.generation == 1 else customers.update)(
                self._client, item.document, permit
            )
            for item in outgoing
        ]

    async def _post_entries(self, outgoing: Sequence[Outgoing], permit: Permit) -> list[PostResult]:
        """A document that cannot even be written is refused alone; the others go."""
        now = self._now()
        unwritable: dict[str, Refused] = {}
        writable = outgoing
        try:
            body = request_body(outgoing, self._settings, now)
        except (FieldError, Unmapped):
            refusals = {item.document.reference: self._unwritable(item) for item in outgoing}
            unwritable = {reference: refused for reference, refused in refusals.items() if refused is not None}
            writable = [item for item in outgoing if item.document.reference not in unwritable]
            if not writable:
                words = "; ".join(refused.message for refused in unwritable.values())
                raise Rejected(words, system=SYSTEM, code="field") from None
            body = request_body(writable, self._settings, now)
        answered = unwritable | await self._post_written(writable, body, now, permit)
        return [answered[item.document.reference] for item in outgoing]

    def _unwritable(self, item: Outgoing) -> Refused | None:
        try:
            request_body([item], self._settings, self._now())
        except (FieldError, Unmapped) as error:
            return Refused(str(error), "field")
        return None

    async def _post_written(
        self, outgoing: Sequence[Outgoing], body: bytes, now: datetime, permit: Permit
    ) -> dict[str, PostResult]:
        """`body`: the request for all of `outgoing`, with message IDs of `now`."""
        references = [item.document.reference for item in outgoing]
        response = await self._client.write(
            "POST",
            self._settings.journal_path,
            headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{SOAP_ACTION}"', "Accept": "text/xml"},
            body=body,
            permit=permit,
            references=references,
        )
        found = self._results(response, [message_id(reference, now) for reference in references])
        return {
            item.document.reference: await self._settled(item, result)
            for item, result in zip(outgoing, found, strict=True)
        }

    def _results(self, response: Response, message_ids: Sequence[str]) -> list[PostResult]:
        """The results of an answer. Raises what a whole answer can say about all of its documents."""
        facts: dict[str, Any] = {"system": SYSTEM, "status": response.status, "request_id": response.request_id}
        try:
            message = body_of(response.body)
        except ValueError as error:
            raise self._failure(response) from error
        if isinstance(message, Fault):
            if not_executed(message):
                return [Refused(f"SAP could not read the request: {message.message}", "soap_fault")] * len(message_ids)
            raise Uncertain(f"SAP answered with a fault: {message.message}", code=message.code, **facts)
        try:
            return results(confirmations(message), message_ids)
        except ValueError as error:
            raise Uncertain(str(error), **facts) from error

    def _failure(self, response: Response) -> ConnectorError:
        """An answer that is no SOAP: from the web tier in front, or cut."""
        status = response.status
        facts: dict[str, Any] = {"system": SYSTEM, "status": status, "request_id": response.request_id}
        words = error_of(response).words
        if status in (401, 403, 404):
            return Unauthorized(
                f"the journal entry service at {self._settings.journal_path} is not open to the communication user: "
                f"arrange the communication scenario {POSTING_SCENARIO} for it ({words})",
                **facts,
            )
        if status == 429:
            return Throttled("posting: asked to slow down", retry_after_s=response.retry_after_s(), **facts)
        if status in _NEVER_EXECUTED:
            return Rejected(f"the journal entry service refuses the request: {words}", **facts)
        return Uncertain(f"the answer to the posting is not readable: {words}", **facts)

    async def _settled(self, item: Outgoing, result: PostResult) -> PostResult:
        """ "Already reversed" says that it is done, not by whom: the look-up decides."""
        if not isinstance(result, Refused) or result.hold != ALREADY_REVERSED:
            return result
        try:
            found = await self.find([Lookup(item.document)])
        except ConnectorError as error:
            return Unknown(f"{result.message}; the look-up failed: {error}")
        ours = found.get(item.document.reference, ())
        if len(ours) == 1:
            return Posted(ours[0].number, (result.message,))
        return Refused(result.message, result.code, hold="reversed_in_erp")
