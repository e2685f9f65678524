"""A store, our postings and an ERP of any size, for a reconciliation that reads them without a wire.

A few hundred real orders (of the sandbox's generator, planned by the real planner) are told again and again under
numbers and days of their own. Nothing is kept but those templates: an order is made when it is asked for, so that the
memory of the process is that of the reconciliation.

`python -m bench.books TEMPLATES CONFIGURATION ORDERS DAYS` compares them and prints one JSON object.
"""

import asyncio
import json
import re
import resource
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.world import ERP, INTEGRATION
from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.connectors.base import Settings, StoredDocument
from ml_connector.connectors.bigcommerce.wire import snapshot_from
from ml_connector.connectors.s4hana.settings import S4Settings, read_settings
from ml_connector.connectors.s4hana.stored import differences
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document, Documents, Kind
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.orders import OrderSnapshot, Refund, Transaction
from ml_connector.domain.policy import Policy
from ml_connector.engine.posting_values import Name, Posting, State, Step
from ml_connector.engine.records import Status
from ml_connector.planning.facts import Facts
from ml_connector.planning.plan import plan_order
from ml_connector.reconcile.expected import created_on
from ml_connector.reconcile.measures import as_stored
from ml_connector.reconcile.stream import Cursor, reconcile
from ml_connector.reconcile.values import Known, Owner, Rules

FIRST = 1_000_000
"""The first order's number; what belongs to an order is numbered by the order's number and a digit."""

CUSTOMER = "17200001"
ORDER_LETTERS = "OSD"
"""Kinds of documents that are named after their order; R: after a refund, M: after its payment, others: a capture."""

_REFERENCE = re.compile(r"^(?P<tag>[A-Z0-9]+)-(?P<letter>[A-Z])(?P<id>\d+)(?P<tail>(-\d)?)$")


@dataclass(frozen=True, slots=True)
class Template:
    """`day`: when the order was placed, in the store's time zone. `numbers`: a digit for each capture, refund and
    payment of a refund, by the letter and the ID that its document is named after."""

    snapshot: OrderSnapshot
    documents: tuple[Document, ...]
    contents: tuple[Mapping[str, Any], ...]
    stored: tuple[StoredDocument, ...]
    day: date
    numbers: Mapping[tuple[str, str], int]


def template_of(raw: Mapping[str, Any], tables: Tables, policy: Policy) -> Template:
    snapshot = snapshot_from(raw)
    accounts = {str(snapshot.order.customer_id): CUSTOMER}
    plan = plan_order(snapshot, tables, policy, Facts(customer_accounts=accounts))
    if not isinstance(plan, Documents):
        raise TypeError(f"order {snapshot.order.id} cannot be planned: {plan}")
    documents = tuple(document for document in plan.documents if document.kind is not Kind.CUSTOMER)
    day = created_on(snapshot, policy)
    assert day is not None
    paid_back = [payment for refund in snapshot.refunds for payment in refund.payments]
    return Template(
        snapshot,
        documents,
        tuple(document_to_json(document) for document in documents),
        tuple(_padded(as_stored(document, tables)) for document in documents),
        day,
        {
            **{("P", each.id): digit for digit, each in enumerate(snapshot.transactions)},
            **{("R", str(each.id)): digit for digit, each in enumerate(snapshot.refunds)},
            **{("M", str(each.id)): digit for digit, each in enumerate(paid_back)},
        },
    )


def _padded(stored: StoredDocument) -> StoredDocument:
    """Accounts and customers as the connector reads them."""
    lines = (
        replace(
            line, account=line.account and line.account.zfill(10), customer=line.customer and line.customer.zfill(10)
        )
        for line in stored.lines
    )
    return replace(stored, lines=tuple(lines))


def _alpha(number: str) -> str:
    return number and number.zfill(10)


@dataclass(slots=True)
class Generated:
    """`Sources` of `orders` orders that were placed over `days` days; every copy of the templates has a day."""

    templates: Sequence[Template]
    orders_in_all: int
    days: int

    # -------------------------------------------------------------- numbers and days

    def _copies(self) -> Iterator[tuple[int, timedelta]]:
        copies = -(-self.orders_in_all // len(self.templates))
        for copy in range(copies):
            yield copy, timedelta(days=copy * self.days // copies)

    def _place(self, number: int) -> tuple[Template, timedelta] | None:
        place = number - FIRST
        if not 0 <= place < self.orders_in_all:
            return None
        copy, template = divmod(place, len(self.templates))
        copies = -(-self.orders_in_all // len(self.templates))
        return self.templates[template], timedelta(days=copy * self.days // copies)

    def _number(self, copy: int, template: int) -> int | None:
        place = copy * len(self.templates) + template
        return FIRST + place if place < self.orders_in_all else None

    # -------------------------------------------------------------- the store

    async def created(self, day: date) -> list[int]:
        found: list[int] = []
        for copy, shift in self._copies():
            for place, template in enumerate(self.templates):
                if template.day + shift == day and (number := self._number(copy, place)) is not None:
                    found.append(number)
        return found

    async def changed_since(self, day: date) -> set[int]:
        return set(range(FIRST, FIRST + self.orders_in_all))

    async def orders(self, numbers: Sequence[int]) -> Mapping[int, OrderSnapshot]:
        return {number: _told(*place, number) for number in numbers if (place := self._place(number)) is not None}

    # -------------------------------------------------------------- our tables

    async def known(self, numbers: Sequence[int]) -> Mapping[int, Known]:
        found = await self.orders(numbers)
        return {number: Known(Status.SYNCED, stamp=each.order.modified) for number, each in found.items()}

    async def postings(self, numbers: Sequence[int]) -> Mapping[int, Sequence[Posting]]:
        places = {number: place for number in numbers if (place := self._place(number)) is not None}
        return {number: list(_postings(*place, number)) for number, place in places.items()}

    async def known_between(self, low: int, high: int) -> set[int]:
        return {number for number in range(low, high + 1) if self._place(number) is not None}

    async def owners(self, references: Collection[str]) -> Mapping[str, Owner]:
        numbers = {reference: number for reference in references if (number := _owner(reference)) is not None}
        return {
            reference: Owner(number, frozenset(posting.number or "" for posting in _postings(*place, number)))
            for reference, number in numbers.items()
            if (place := self._place(number)) is not None
        }

    # -------------------------------------------------------------- the ERP

    async def documents(self, day: date) -> list[StoredDocument]:
        found: list[StoredDocument] = []
        for copy, shift in self._copies():
            for place, template in enumerate(self.templates):
                number = self._number(copy, place)
                if number is None:
                    continue
                for stored in template.stored:
                    if stored.posting_date is not None and stored.posting_date + shift == day:
                        found.append(_booked(template, stored, shift, number))
        return found

    async def under(self, references: Collection[str]) -> list[StoredDocument]:
        found: list[StoredDocument] = []
        for number in {owner for reference in references if (owner := _owner(reference)) is not None}:
            place = self._place(number)
            if place is not None:
                booked = (_booked(place[0], stored, place[1], number) for stored in place[0].stored)
                found += [document for document in booked if document.reference in references]
        return found

    async def require_sight(self) -> None:
        return


def _owner(reference: str) -> int | None:
    """The number of the order that a reference of ours belongs to."""
    match = _REFERENCE.match(reference)
    if match is None:
        return None
    return int(match["id"]) if match["letter"] in ORDER_LETTERS else int(match["id"]) // 10


def _renamed(template: Template, reference: str, number: int) -> str:
    """A template's reference under the number of another order."""
    match = _REFERENCE.match(reference)
    if match is None:
        raise LookupError(f"{reference} is no reference of an order, payment or refund")
    letter = match["letter"]
    named_after = letter if letter in "RM" else "P"
    id = number if letter in ORDER_LETTERS else number * 10 + template.numbers[named_after, match["id"]]
    return f"{match['tag']}-{letter}{id}{match['tail']}"


def _erp_number(reference: str) -> str:
    return f"{reference.partition('-')[2]}/1710/2026"


def _told(template: Template, shift: timedelta, number: int) -> OrderSnapshot:
    """The order as the store tells it."""
    own = template.snapshot
    numbers = template.numbers

    def paid(each: Transaction) -> Transaction:
        id = str(number * 10 + numbers["P", each.id])
        return replace(each, id=id, created=each.created + shift)

    def refunded(each: Refund) -> Refund:
        payments = (replace(paid, id=number * 10 + numbers["M", str(paid.id)]) for paid in each.payments)
        id = number * 10 + numbers["R", str(each.id)]
        return replace(each, id=id, created=each.created + shift, payments=tuple(payments))

    order = replace(own.order, id=number, created=own.order.created + shift, modified=own.order.modified + shift)
    return replace(
        own,
        order=order,
        transactions=tuple(map(paid, own.transactions)),
        refunds=tuple(map(refunded, own.refunds)),
    )


def _booked(template: Template, stored: StoredDocument, shift: timedelta, number: int) -> StoredDocument:
    """A document as the ERP's read service shows it."""
    assert stored.posting_date is not None
    assert stored.document_date is not None
    reference = _renamed(template, stored.reference, number)
    return replace(
        stored,
        reference=reference,
        number=_erp_number(reference),
        posting_date=stored.posting_date + shift,
        document_date=stored.document_date + shift,
    )


def _postings(template: Template, shift: timedelta, number: int) -> Iterator[Posting]:
    for document, content in zip(template.documents, template.contents, strict=True):
        reference = _renamed(template, document.reference, number)
        days = {name: (getattr(document, name) + shift).isoformat() for name in ("posting_date", "document_date")}
        at = datetime.combine(document.posting_date + shift, datetime.min.time(), UTC)
        yield Posting(
            name=Name(reference), integration=1, connection=2, flow="orders", record_key=str(number),
            kind=document.kind.value, step=Step.CREATE, reverses=None, state=State.CHECKED, version=3, attempt=1,
            sent_at=at, resolve_at=at, fingerprint=document.fingerprint, sent_fingerprints=(document.fingerprint,),
            content={**content, "reference": reference, **days}, before=None, stored=None,
            number=_erp_number(reference), source_digest="",
            mapping_version=1, policy_version=1, adopted=False, error=None, posted_at=at, checked_at=at, count_at=None,
            read_at=at,
        )  # fmt: skip


# ------------------------------------------------------------------ as a process of its own


def peak_mb() -> float:
    """The most resident memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _settings(content: Any, tables: Tables) -> S4Settings:
    connection = content["connections"][ERP]
    settings = {**connection["settings"], "timing": connection["timing"], "tax_groups": list(tables.tax_groups)}
    credentials = {"client_id": "bench", "client_secret": "bench"}
    return read_settings(
        Settings(name=ERP, base_url=connection["base_url"], settings=settings, credentials=credentials, sandbox=True)
    )


async def compare(raw: Sequence[Mapping[str, Any]], content: Any, *, orders: int, days: int) -> dict[str, Any]:
    """Seconds and memory of one reconciliation of everything, and its verdict."""
    entry = content["integrations"][INTEGRATION]
    tables, policy = mapping_from(entry["mapping"]), policy_from(entry["policy"])
    settings = _settings(content, tables)
    sources = Generated([template_of(each, tables, policy) for each in raw], orders, days)
    first = min(template.day for template in sources.templates)
    last = max(template.day for template in sources.templates) + timedelta(days=days)
    now = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=400)
    rules = Rules(policy, tables, now, first, last, differs=lambda sent, stored: differences(sent, stored, settings))
    cursor = Cursor.of(first, last)
    before = peak_mb()
    started, used = time.perf_counter(), time.process_time()
    if not await reconcile(sources, rules, cursor):
        raise RuntimeError("the reconciliation stopped before its end")
    totals = cursor.totals
    return {
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time() - used,
        "before_mb": before,
        "peak_mb": peak_mb(),
        "orders": totals.orders,
        "documents": totals.documents,
        "days": cursor.days,
        "differences": len(totals.found),
        "first_difference": str(totals.found[0]) if totals.found else "",
        "states": dict(totals.states),
    }


def main() -> None:
    templates, configuration, orders, days = sys.argv[1:]
    raw = json.loads(Path(templates).read_text(), parse_float=Decimal)
    content: Any = YAML(typ="safe").load(Path(configuration).read_text())
    print(json.dumps(asyncio.run(compare(raw, content, orders=int(orders), days=int(days)))))


if __name__ == "__main__":
    main()
