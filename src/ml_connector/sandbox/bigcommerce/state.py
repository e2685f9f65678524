"""What the store holds. One mutable object, changed by the API handlers, the lifecycle and the control actions."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ml_connector.sandbox.bigcommerce.dates import parse_date, rfc2822
from ml_connector.sandbox.bigcommerce.inventory import Inventory
from ml_connector.sandbox.core.clock import Clock

Doc = dict[str, Any]
SUB_RESOURCES = ("products", "shipping_addresses", "coupons", "taxes", "fees", "transactions", "refunds")


@dataclass(slots=True)
class StoredOrder:
    """One order with all its sub-resources, each in the shape of its API (v3 amounts as decimal strings).

    `modified` is epoch seconds, as coarse as the store's own stamp; `arrived_at` is when the order came into the
    store, whatever its own dates say. `visible_at` and `transactions_at` are when reads
    begin to show the order and its transactions. `before` is the order as it was before the latest change.
    """

    id: int
    order: Doc
    products: list[Doc]
    shipping_addresses: list[Doc]
    coupons: list[Doc]
    taxes: list[Doc]
    fees: list[Doc]
    transactions: list[Doc]
    refunds: list[Doc]
    created: int
    modified: int
    arrived_at: float = 0.0
    shipments: list[Doc] = field(default_factory=list[Doc])
    shipped_at: dict[int, float] = field(default_factory=dict[int, float])
    metafields: list[Doc] = field(default_factory=list[Doc])
    extra: Doc = field(default_factory=dict[str, Any])
    visible_at: float = 0.0
    transactions_at: float = 0.0
    before: Doc | None = None
    changed_at: float = 0.0

    @property
    def currency(self) -> str:
        return str(self.order["default_currency_code"])

    def snapshot(self) -> Doc:
        """Order and sub-resources, as a whole document."""
        return {
            "order": self.order,
            **{name: getattr(self, name) for name in SUB_RESOURCES},
            "shipments": self.shipments,
            **self.extra,
        }


@dataclass(frozen=True, slots=True)
class Account:
    """One API account: what its token may do. Hooks and metafields belong to its client id."""

    access_token: str
    client_id: str
    client_secret: str
    scopes: frozenset[str]


@dataclass(slots=True)
class Settings:
    """How the store behaves; `POST /_control/settings` changes any of it. Times are store seconds."""

    quota: int = 60_000
    quota_window_s: float = 30.0
    concurrency_caps: bool = True
    headers_on_429: bool = True
    latency_s: float = 0.0
    hooks_need_https: bool = False
    signature: str = "standard"
    payment_delay_s: float = 0.0
    transactions_delay_s: float = 0.0
    order_404_for_s: float = 0.0
    stale_read_s: float = 0.0
    refund_decline: bool = False
    transactions_bump_modified: bool = True
    refunds_bump_modified: bool = True
    metafields_bump_modified: bool = False
    inventory_delay_s: float = 0.0
    inventory_sku_names_variants: bool = False


@dataclass(slots=True)
class Store:
    """The whole store. `number(kind)` draws ids; `at(delay, job)` runs something later on the store's clock."""

    clock: Clock
    store_hash: str
    base_url: str
    profile: Doc
    settings: Settings = field(default_factory=Settings)
    accounts: dict[str, Account] = field(default_factory=dict[str, Account])
    orders: dict[int, StoredOrder] = field(default_factory=dict[int, StoredOrder])
    customers: dict[int, Doc] = field(default_factory=dict[int, Doc])
    addresses: dict[int, Doc] = field(default_factory=dict[int, Doc])
    groups: dict[int, Doc] = field(default_factory=dict[int, Doc])
    products: dict[int, Doc] = field(default_factory=dict[int, Doc])
    categories: dict[int, Doc] = field(default_factory=dict[int, Doc])
    brands: dict[int, Doc] = field(default_factory=dict[int, Doc])
    emails: dict[str, int] = field(default_factory=dict[str, int])
    inventory: Inventory = field(default_factory=Inventory)
    on_event: Callable[[str, Doc], None] = lambda scope, data: None
    _sequences: dict[str, int] = field(default_factory=dict[str, int])
    _jobs: list[tuple[float, int, Callable[[], None]]] = field(
        default_factory=list[tuple[float, int, Callable[[], None]]]
    )
    _job_numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    wake: Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.clock.time_s()

    def number(self, kind: str, count: int = 1) -> int:
        """The first of `count` fresh ids of a kind."""
        first = self._sequences.get(kind, _FIRST_IDS.get(kind, 1))
        self._sequences[kind] = first + count
        return first

    def reserve(self, kind: str, used: int) -> None:
        """Let the sequence go on above an id that came from outside."""
        self._sequences[kind] = max(self._sequences.get(kind, _FIRST_IDS.get(kind, 1)), used + 1)

    def at(self, delay_s: float, job: Callable[[], None]) -> None:
        if delay_s <= 0:
            job()
            return
        heapq.heappush(self._jobs, (self.now() + delay_s, next(self._job_numbers), job))
        self.wake()

    def run_due(self) -> float | None:
        """Run what is due; seconds until the next job, None if there is none."""
        while self._jobs and self._jobs[0][0] <= self.now():
            heapq.heappop(self._jobs)[2]()
        return max(self._jobs[0][0] - self.now(), 0.0) if self._jobs else None

    @property
    def pending_jobs(self) -> int:
        return len(self._jobs)

    def touch(self, stored: StoredOrder, *, bump: bool = True) -> None:
        """Note a change of an order: `date_modified` moves to now (whole seconds)."""
        now = self.now()
        stored.changed_at = now
        if bump:
            stored.modified = int(now)
            stored.order["date_modified"] = rfc2822(now)

    def remember(self, stored: StoredOrder) -> None:
        """Keep the order as it is now, for reads that are to be stale."""
        stored.before = dict(stored.order)

    def add_order(self, snapshot: Doc, *, modified: str = "verbatim") -> StoredOrder:
        """Insert an order snapshot (keys of `SUB_RESOURCES` and `order`). An order id that exists is replaced.

        `modified` says what becomes of `date_modified`: `verbatim` keeps it, `now` sets the store's present time.
        """
        order = dict(snapshot["order"])
        order_id = int(order.get("id") or self.number("order"))
        order["id"] = order_id
        self.reserve("order", order_id)
        now = self.now()
        if modified == "now" or not order.get("date_modified"):
            order["date_modified"] = rfc2822(now)
        order.setdefault("date_created", rfc2822(now))
        parts = {name: copies(snapshot, name) for name in SUB_RESOURCES}
        stored = StoredOrder(
            id=order_id,
            order=order,
            created=parse_date(order["date_created"]) or int(now),
            modified=parse_date(order["date_modified"]) or int(now),
            shipments=copies(snapshot, "shipments"),
            extra={k: v for k, v in snapshot.items() if k in ("b2b", "store")},
            arrived_at=now,
            changed_at=now,
            products=parts["products"],
            shipping_addresses=parts["shipping_addresses"],
            coupons=parts["coupons"],
            taxes=parts["taxes"],
            fees=parts["fees"],
            transactions=parts["transactions"],
            refunds=parts["refunds"],
        )
        for kind, docs in (("transaction", stored.transactions), ("refund", stored.refunds)):
            for doc in docs:
                self.reserve(kind, int(doc["id"]))
        for refund in stored.refunds:
            for payment in refund.get("payments", []):
                self.reserve("refund_payment", int(payment["id"]))
        self.orders[order_id] = stored
        return stored


def copies(snapshot: Doc, name: str) -> list[Doc]:
    """The documents of one sub-resource, each copied; none if the snapshot lacks it."""
    found: list[Doc] = snapshot.get(name) or []
    return [dict(document) for document in found]


_FIRST_IDS = {"order": 100, "transaction": 1001, "line": 500, "address": 300, "tax_row": 2000, "customer": 101}
