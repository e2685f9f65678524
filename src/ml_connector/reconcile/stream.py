"""A window of days, order by order: memory holds a day's documents and a chunk of orders, whatever the window.

Each order is compared once: those of the window on the day when they were placed, earlier ones after that, where
something of theirs (a refund, a capture, a document) falls into the window. Figures count on the store's day of each
thing, accounts on the posting date. What looks wrong is read once more before it is said, for both systems move on
while they are read. The place reached can be kept (`Cursor`), so that a long window is done in slices.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import Kind
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine.postings import Posting
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.compare import Comparison
from ml_connector.reconcile.expected import created_on, expected_of
from ml_connector.reconcile.names import Named
from ml_connector.reconcile.sources import Sources
from ml_connector.reconcile.totals import Totals
from ml_connector.reconcile.values import Case, Compared, Rules

CHUNK = 50
"""Orders read at once: as many as an order run reads."""

Thing = tuple[str, str]
Progress = Callable[["Cursor"], None]


@dataclass(slots=True)
class Cursor:
    """How far a window, both days included, has been compared. `after`: the last order of `day` that is done."""

    first: date
    last: date
    day: date
    after: int = 0
    created: set[int] = field(default_factory=set[int])
    others: set[int] = field(default_factory=set[int])
    loose: set[str] = field(default_factory=set[str])
    earlier: list[int] | None = None
    totals: Totals = field(default_factory=Totals)

    @classmethod
    def of(cls, first: date, last: date) -> "Cursor":
        return cls(first, last, first)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def days_done(self) -> int:
        return min(self.days, (self.day - self.first).days)

    def to_json(self) -> dict[str, Any]:
        return {
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "day": self.day.isoformat(),
            "after": self.after,
            "created": sorted(self.created),
            "others": sorted(self.others),
            "loose": sorted(self.loose),
            "earlier": self.earlier,
            "totals": self.totals.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Cursor":
        first, last, day = (date.fromisoformat(data[name]) for name in ("first", "last", "day"))
        return cls(
            first, last, day, data["after"], set(data["created"]), set(data["others"]), set(data["loose"]),
            data["earlier"], Totals.from_json(data["totals"]),
        )  # fmt: skip


async def reconcile(
    sources: Sources,
    rules: Rules,
    cursor: Cursor,
    *,
    enough: Callable[[], bool] = lambda: False,
    progress: Progress = lambda cursor: None,
) -> bool:
    """Goes on from `cursor`, which moves with its totals. False: stopped because it was `enough`; call again.

    `rules.first` and `rules.last` are the cursor's. Raises what the sources raise; the cursor then stands behind the
    last chunk that was done, so that the call may be repeated.
    """
    stream = _Stream(sources, Comparison(rules), cursor, enough, progress)
    return await stream.days() and await stream.earlier()


async def examine(sources: Sources, rules: Rules, numbers: Sequence[int]) -> list[tuple[Case, Compared]]:
    """These orders with everything read now, in the order in which a hold may rest on it: our rows before the ERP."""
    return await _Stream(sources, Comparison(rules), Cursor.of(date.min, date.min)).examined(numbers)


@dataclass(slots=True)
class _Stream:
    sources: Sources
    comparison: Comparison
    cursor: Cursor
    enough: Callable[[], bool] = lambda: False
    progress: Progress = lambda cursor: None
    sees: bool = False

    # -------------------------------------------------------------- orders of the window

    async def days(self) -> bool:
        cursor = self.cursor
        while cursor.day <= cursor.last:
            numbers = await self.sources.created(cursor.day)
            by_thing = self._by_thing(await self.sources.documents(cursor.day))
            cursor.created.update(numbers)
            for part in _chunks([number for number in sorted(numbers) if number > cursor.after]):
                if self.enough():
                    return False
                await self._compare(part, by_thing, counts=True)
                cursor.after = part[-1]
                self.progress(cursor)
            await self._left_over(by_thing)
            cursor.day += timedelta(days=1)
            cursor.after = 0
            self.progress(cursor)
        return True

    def _by_thing(self, documents: Iterable[StoredDocument]) -> dict[Thing, list[StoredDocument]]:
        found: dict[Thing, list[StoredDocument]] = defaultdict(list)
        for document in documents:
            named = self.comparison.names.of(document.reference)
            if named is not None:
                found[named.thing].append(document)
        return found

    async def _left_over(self, by_thing: Mapping[Thing, Sequence[StoredDocument]]) -> None:
        """Documents of the day that belong to no order of the day: to another order, or to nobody."""
        documents = [document for each in by_thing.values() for document in each if not document.reverses]
        owners = await self.sources.owners({_base(document.reference, self._named(document)) for document in documents})
        told = {number for each in self.cursor.totals.found for number in each.numbers}
        for document in documents:
            owner = owners.get(_base(document.reference, self._named(document)))
            if owner is None and document.number not in told:
                self.cursor.totals.add(self.comparison.stray(document), counts=False)
            elif owner is not None:
                self.cursor.others.add(owner.order)
                if document.number not in owner.numbers:
                    self.cursor.loose.add(document.reference)

    async def _loose(self) -> None:
        """Documents under a name of ours that are not ours, posted on another day than ours. Those of earlier orders
        are seen with their orders."""
        cursor = self.cursor
        documents = await self.sources.under(cursor.loose)
        owners = await self.sources.owners({_base(document.reference, self._named(document)) for document in documents})
        told = {number for each in cursor.totals.found for number in each.numbers}
        for document in documents:
            owner = owners.get(_base(document.reference, self._named(document)))
            if owner is not None and owner.order in cursor.created and document.number not in {*owner.numbers, *told}:
                cursor.totals.add(self.comparison.stray(document, owner), counts=False)

    def _named(self, document: StoredDocument) -> Named:
        named = self.comparison.names.of(document.reference)
        assert named is not None
        return named

    # -------------------------------------------------------------- orders placed before

    async def earlier(self) -> bool:
        """Orders that were not placed in the window, or that only we know of."""
        cursor = self.cursor
        if cursor.earlier is None:
            earlier = await self._earlier()
            if cursor.loose:
                await self._loose()
            cursor.earlier = earlier
            cursor.after = 0
        for part in _chunks([number for number in cursor.earlier if number > cursor.after]):
            if self.enough():
                return False
            await self._compare(part, {}, counts=False)
            cursor.after = part[-1]
            self.progress(cursor)
        return True

    async def _earlier(self) -> list[int]:
        cursor = self.cursor
        low, high = min(cursor.created, default=0), max(cursor.created, default=0)
        changed = await self.sources.changed_since(cursor.first)
        # Numbers grow: what was placed after the window has nothing in it.
        found = {number for number in changed if not high or number <= high} | cursor.others
        if high:
            found |= await self.sources.known_between(low, high)
        return sorted(found - cursor.created)

    # -------------------------------------------------------------- a chunk

    async def _compare(
        self, numbers: Sequence[int], by_thing: dict[Thing, list[StoredDocument]], *, counts: bool
    ) -> None:
        cases = await self._cases(numbers, by_thing)
        compared = [self.comparison.order(case) for case in cases]
        doubtful = [each.order_id for each in compared if any(not found.open for found in each.differences)]
        if doubtful:
            again = {each.order_id: each for _, each in await self.examined(doubtful)}
            compared = [again.get(each.order_id, each) for each in compared]
        for case, each in zip(cases, compared, strict=True):
            # An archived order is in no list of the store, and still one of the window.
            placed = counts or (case.snapshot is not None and self._is_of_window(case.snapshot))
            self.cursor.totals.add(each, counts=placed and case.snapshot is not None)
            if case.snapshot is None and each.state:
                self.cursor.totals.states[each.state] += 1

    def _is_of_window(self, snapshot: OrderSnapshot) -> bool:
        return self.comparison.rules.covers(created_on(snapshot, self.comparison.rules.policy))

    async def _cases(self, numbers: Sequence[int], by_thing: dict[Thing, list[StoredDocument]]) -> list[Case]:
        """Documents of the day are taken out of `by_thing`; what was posted on another day is looked up."""
        snapshots = await self.sources.orders(numbers)
        records = await self.sources.known(numbers)
        rows = await self.sources.postings(numbers)
        stored: dict[int, list[StoredDocument]] = {}
        absent: dict[str, int] = {}
        for number in numbers:
            things = self._things(number, snapshots.get(number), rows.get(number, ()))
            stored[number] = [document for thing in things for document in by_thing.pop(thing, ())]
            seen = {document.reference for document in stored[number]}
            absent |= {name: number for name in _sent(rows.get(number, ())) if name not in seen}
        for document in await self.sources.under(absent) if absent else ():
            stored[absent[document.reference]].append(document)
        return [
            Case(
                number, snapshots.get(number), records.get(number), tuple(rows.get(number, ())),
                tuple(stored[number]),
            )
            for number in numbers
        ]  # fmt: skip

    def _things(self, number: int, snapshot: OrderSnapshot | None, rows: Sequence[Posting]) -> set[Thing]:
        things = {named.thing for row in rows if (named := self.comparison.names.of(row.name.reference)) is not None}
        things |= {("O", str(number)), ("D", str(number)), ("S", str(number))}
        if snapshot is not None:
            rules = self.comparison.rules
            things |= {(each.kind, each.id) for each in expected_of(snapshot, rules.policy, sales=rules.is_sales)}
        return things

    async def examined(self, numbers: Sequence[int]) -> list[tuple[Case, Compared]]:
        found: list[tuple[Case, Compared]] = []
        for part in _chunks(sorted(numbers)):
            snapshots = await self.sources.orders(part)
            records = await self.sources.known(part)
            rows = await self.sources.postings(part)
            asked: dict[str, int] = {}
            for number in part:
                own = rows.get(number, ())
                things = self._things(number, snapshots.get(number), own)
                for thing in things:
                    asked |= dict.fromkeys(self.comparison.names.all_written(*thing, number), number)
                asked |= dict.fromkeys(_sent(own), number)
            stored: dict[int, list[StoredDocument]] = defaultdict(list)
            for document in await self.sources.under(asked):
                stored[asked[document.reference]].append(document)
            for number in part:
                case = Case(
                    number, snapshots.get(number), records.get(number), tuple(rows.get(number, ())),
                    tuple(stored[number]),
                )  # fmt: skip
                found.append((case, self.comparison.order(case)))
        await self._require_sight(each for _, each in found)
        return found

    async def _require_sight(self, compared: Iterable[Compared]) -> None:
        """That documents are gone is said only by a look-up that sees what must be there."""
        gone = any(found.cause is Cause.DELETED for each in compared for found in each.differences)
        if gone and not self.sees:
            await self.sources.require_sight()
            self.sees = True


def _sent(rows: Iterable[Posting]) -> set[str]:
    """Names that the ERP may hold: everything that was ever sent or found."""
    return {
        row.name.written
        for row in rows
        if row.kind != Kind.CUSTOMER.value and row.is_entry and (row.attempt > 0 or row.posted_at is not None)
    }


def _base(reference: str, named: Named) -> str:
    """Without the generation, as postings are named."""
    return reference.removesuffix(f"-{named.generation}") if named.generation > 1 else reference


def _chunks(numbers: Sequence[int]) -> Iterable[list[int]]:
    return (list(numbers[start : start + CHUNK]) for start in range(0, len(numbers), CHUNK))
