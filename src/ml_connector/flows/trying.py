"""The dry run of a store's youngest orders: what would be booked, what would be held and why. Nothing is written."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ml_connector.connectors.base import Problem
from ml_connector.domain.documents import Documents, Excluded, Held
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.flows.context import Context
from ml_connector.flows.preview import Preview, preview

ORDERS = 50
WINDOWS_D = (1, 7, 31, 183, 1100)
"""Days back, one after the other until there are enough orders: a busy store is not read for years."""

SHOWN = 5
MASTER_DATA = "master_data"


@dataclass(frozen=True, slots=True)
class Group:
    """Orders that are held, or left out, for one reason. `orders`: the first few."""

    kind: str
    key: str
    message: str
    count: int
    sums: Mapping[str, str]
    orders: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tried:
    """What came out. `documents`: kind -> number; `sums`: currency -> totals of the orders that would be booked.
    `missing`: what the mapping lacks, with how many orders need it."""

    at: str
    orders: int
    booked: int
    documents: Mapping[str, int] = field(default_factory=dict[str, int])
    sums: Mapping[str, str] = field(default_factory=dict[str, str])
    held: Sequence[Group] = ()
    excluded: Sequence[Group] = ()
    missing: Sequence[tuple[str, str, int]] = ()
    mapping_version: int = 0

    @property
    def held_count(self) -> int:
        return sum(group.count for group in self.held)

    @property
    def excluded_count(self) -> int:
        return sum(group.count for group in self.excluded)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, note: Mapping[str, Any] | None) -> "Tried | None":
        """From a note; None where there is none."""
        if not note:
            return None
        parts: dict[str, Any] = {
            "held": tuple(Group(**each) for each in note["held"]),
            "excluded": tuple(Group(**each) for each in note["excluded"]),
            "missing": tuple((kind, key, count) for kind, key, count in note["missing"]),
        }
        return cls(**{**note, **parts})


async def try_last(context: Context, count: int = ORDERS) -> Tried:
    """Reads the store's youngest orders and plans them as if they were to be booked. Raises `ConnectorError`."""
    previews = await preview(context, await last_orders(context, count), assume_backfilled=True)
    documents = [document for each in previews for document in each.news]
    found: Mapping[str, Sequence[Problem]] = await context.ledger.check(documents) if documents else {}
    return _told(context, previews, found)


async def last_orders(context: Context, count: int) -> list[str]:
    """Keys of the youngest, oldest first."""
    now = datetime.now(UTC)
    kept: deque[str] = deque(maxlen=count)
    for days in WINDOWS_D:
        kept.clear()
        async for page in context.orders.orders_created(now - timedelta(days=days), now + timedelta(days=1)):
            kept.extend(change.key for change in page.changes)
        if len(kept) == count:
            break
    return list(kept)


def _told(context: Context, previews: Sequence[Preview], found: Mapping[str, Sequence[Problem]]) -> Tried:
    held, excluded = _Groups(), _Groups()
    missing: Counter[tuple[str, str]] = Counter()
    documents: Counter[str] = Counter()
    sums: dict[str, Decimal] = {}
    booked = 0
    for each in previews:
        if each.plan is None or each.snapshot is None:
            continue
        match each.plan:
            case Held() as plan:
                held.add(plan.code.value, plan.key, plan.message, each.key, each.snapshot)
                missing.update(dict.fromkeys(plan.missing, 1))
            case Excluded() as plan:
                excluded.add(plan.code.value, "", plan.message, each.key, each.snapshot)
            case Documents():
                wrong = _wrong(each, found)
                if wrong:
                    first = wrong[0]
                    held.add(MASTER_DATA, f"{first.kind} {first.key}", first.message, each.key, each.snapshot)
                    continue
                booked += 1
                documents.update(document.kind.value for document in each.news)
                _add(sums, each.snapshot)
    return Tried(
        datetime.now(UTC).isoformat(timespec="seconds"), len(previews), booked, dict(documents), _texts(sums),
        held.all(), excluded.all(), tuple((kind, key, n) for (kind, key), n in missing.most_common()),
        context.integration.mapping_version,
    )  # fmt: skip


def _wrong(each: Preview, found: Mapping[str, Sequence[Problem]]) -> list[Problem]:
    """What master data says against an order's documents, but for what the plan itself brings into being: customers."""
    made = {document.reference for document in each.news}
    said = [problem for document in each.news for problem in found.get(document.reference, ())]
    return [problem for problem in said if problem.key not in made]


class _Groups:
    """Orders by the reason that they share."""

    def __init__(self) -> None:
        self._orders: dict[tuple[str, str], list[str]] = {}
        self._messages: dict[tuple[str, str], str] = {}
        self._sums: dict[tuple[str, str], dict[str, Decimal]] = {}

    def add(self, kind: str, key: str, message: str, order: str, snapshot: OrderSnapshot) -> None:
        name = (kind, key)
        self._orders.setdefault(name, []).append(order)
        self._messages.setdefault(name, message)
        _add(self._sums.setdefault(name, {}), snapshot)

    def all(self) -> tuple[Group, ...]:
        """Those with most orders first."""
        ordered = sorted(self._orders.items(), key=lambda item: (-len(item[1]), item[0]))
        return tuple(
            Group(*name, self._messages[name], len(orders), _texts(self._sums[name]), orders[:SHOWN])
            for name, orders in ordered
        )


def _add(sums: dict[str, Decimal], snapshot: OrderSnapshot) -> None:
    order = snapshot.order
    sums[order.currency] = sums.get(order.currency, Decimal(0)) + order.total.inc_tax


def _texts(sums: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: format(value, "f") for currency, value in sums.items()}
