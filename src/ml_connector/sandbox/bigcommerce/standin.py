"""The running stand-in: the store with its catalogue, its webhooks, its door, and what is put into it from outside."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from ml_connector.sandbox.bigcommerce import lifecycle
from ml_connector.sandbox.bigcommerce.api_customers import add_address, add_customer, add_group
from ml_connector.sandbox.bigcommerce.api_store import store_profile
from ml_connector.sandbox.bigcommerce.basket import Recipe
from ml_connector.sandbox.bigcommerce.dates import parse_date, rfc2822
from ml_connector.sandbox.bigcommerce.demo import DEMO
from ml_connector.sandbox.bigcommerce.drafting import Buyer
from ml_connector.sandbox.bigcommerce.generator import Generator, Mix, buyers
from ml_connector.sandbox.bigcommerce.hooks import SIGNATURES, HookBook, Switches
from ml_connector.sandbox.bigcommerce.routes import ALL_SCOPES
from ml_connector.sandbox.bigcommerce.sender import Sender
from ml_connector.sandbox.bigcommerce.state import Account, Settings, Store, StoredOrder
from ml_connector.sandbox.bigcommerce.vocabulary import BRANDS, CATEGORIES, CUSTOMER_GROUPS, ITEMS
from ml_connector.sandbox.bigcommerce.web import Call, Door, Quota
from ml_connector.sandbox.core.system import Environment

Doc = dict[str, Any]
STORE_HASH = "sandbox1"
ACCOUNT = Account("sandbox-access-token-0001", "sandboxclient0001", "9f2c7d1e4b8a6035c1d2e3f4a5b6c7d8", ALL_SCOPES)
DEFAULT_CUSTOMERS = 20
_STORE_KEYS = ("timezone", "currency", "decimal_places", "is_price_entered_with_tax")
DAY_S = 86_400
FIRST_MADE = 100_000
"""Products that are made for a SKU have higher numbers."""


@dataclass(slots=True)
class StandIn:
    """Everything that is one store. `tags` names orders of the demo for later actions."""

    environment: Environment
    store: Store
    book: HookBook
    sender: Sender
    door: Door
    people: list[Buyer] = field(default_factory=list[Buyer])
    tags: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _by_sku: dict[str, int] = field(default_factory=dict[str, int])

    async def start(self) -> None:
        self.environment.spawn(self.sender.run())
        self.environment.spawn(self._run_jobs())

    async def _run_jobs(self) -> None:
        while True:
            self._woken.clear()
            pause_s = self.store.run_due()
            waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._woken.wait())]
            if pause_s is not None:
                waits.append(asyncio.ensure_future(self.store.clock.sleep(pause_s)))
            _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()

    def wake(self) -> None:
        self._woken.set()

    async def reset(self) -> None:
        """Back to an empty store with its catalogue; hooks and deliveries are gone too."""
        fresh = _new_store(self.environment)
        for each in fields(Store):
            if each.name not in ("on_event", "wake"):
                setattr(self.store, each.name, getattr(fresh, each.name))
        self.door.quota = Quota(self.store)
        self.sender.clear()
        self.sender.switches = Switches()
        self.sender.held = False
        for kept in (self.book.hooks, self.book.deliveries, self.book.results, self.book.blocked_until, self.tags):
            kept.clear()
        self.book.exceptions_at.clear()
        self.book.emails.clear()
        self.people.clear()
        self._by_sku.clear()

    def on_fault(self, call: Call) -> None:
        """Faults that act on the store whenever a request meets their rule."""
        if call.fault("hook_deactivated") is not None:
            for hook in self.book.hooks.values():
                self.book.deactivate(hook)
        if (args := call.fault("quota_shrink")) is not None:
            self.door.quota.spend(int(args.get("take", 10)))
        if (args := call.fault("clock_skew")) is not None:
            self.sender.switches.clock_skew_s = float(args.get("seconds", 600))

    def insert(self, snapshot: Doc, *, modified: str, webhooks: bool, staged: bool = False) -> StoredOrder:
        """Put an order snapshot into the store, with the customer and the products that it names."""
        self._apply_store(snapshot.get("store"))
        self._ensure_catalogue(snapshot.get("products") or [])
        self._ensure_customer(snapshot["order"])
        if staged:
            return lifecycle.checkout(self.store, snapshot)
        stored = self.store.add_order(snapshot, modified=modified)
        if webhooks:
            lifecycle.announce(self.store, stored)
        self.store.inventory.follow(stored.id, int(stored.order["status_id"]), stored.products)
        return stored

    def product_of(self, sku: str) -> tuple[int, int]:
        """Product and base variant of a SKU; a product is made where none has it."""
        if len(self._by_sku) != len(self.store.products):
            self._by_sku = {each["sku"] or f"#{number}": number for number, each in self.store.products.items()}
        found = self._by_sku.get(sku)
        if found is None:
            found = FIRST_MADE + self.store.number("product")
            self.store.products[found] = _product(found, sku, sku, "10.00", 0, [], "physical")
            self._by_sku[sku] = found
        product = self.store.products[found]
        product["inventory_tracking"] = "product"
        return found, int(product["base_variant_id"])

    def _apply_store(self, given: Mapping[str, Any] | None) -> None:
        for key in _STORE_KEYS:
            if given and key in given:
                known, value = self.store.profile[key], given[key]
                self.store.profile[key] = {**known, **value} if key == "timezone" else value

    def _ensure_customer(self, order: Doc) -> None:
        customer_id = int(order.get("customer_id") or 0)
        if customer_id and customer_id not in self.store.customers:
            billing: Doc = order.get("billing_address") or {}
            fields_of = {k: billing.get(k, "") for k in ("first_name", "last_name", "email", "company", "phone")}
            add_customer(self.store, fields_of, customer_id)

    def _ensure_catalogue(self, lines: Iterable[Doc]) -> None:
        for line in lines:
            product_id = int(line.get("product_id") or 0)
            if product_id and product_id not in self.store.products:
                named: list[object] = line.get("categories") or []
                categories = [int(str(c)) for c in named if str(c).isdigit()]
                self.store.products[product_id] = _product(
                    product_id, line.get("sku", ""), line.get("name", ""), line.get("base_price", "0"),
                    _brand_id(self.store, line.get("brand", "")), categories, line.get("type", "physical"),
                )  # fmt: skip

    def add_people(self, count: int, seed: int) -> None:
        """Registered customers, each with one address."""
        first = self.store.number("customer", count)
        for buyer in buyers(seed, count, first):
            person = {"first_name": buyer.first_name, "last_name": buyer.last_name}
            group = 2 if buyer.customer_id % 5 == 0 else 1
            add_customer(self.store, {**person, "email": buyer.email, "customer_group_id": group}, buyer.customer_id)
            place = {
                "address1": "1 Main Street",
                "city": "Austin",
                "state_or_province": "Texas",
                "postal_code": "78701",
            }
            add_address(self.store, {**person, **place, "country_code": "US", "customer_id": buyer.customer_id})
            self.people.append(buyer)

    async def seed(self, body: Doc) -> Doc:
        """Generate orders: at once, or with `pace_per_s` one after the other as a shop would see them."""
        unknown = body.keys() - _SEED_KEYS
        if unknown:
            raise ValueError(f"a seed has {', '.join(sorted(_SEED_KEYS))}, not {', '.join(sorted(unknown))}")
        profile: object = body.get("profile") or {}
        seed = int(body.get("seed", self.environment.seed))
        customers = int(body.get("customers", 0 if self.people else DEFAULT_CUSTOMERS))
        if customers:
            self.add_people(customers, seed)
        spread_s = int(float(body.get("spread_days", 1)) * DAY_S)
        start = parse_date(str(body.get("start", "")))
        if body.get("start") and start is None:
            raise ValueError(f"start is an ISO date, not {body['start']!r}")
        start_s = start if start is not None else int(self.store.now()) - spread_s
        generator = Generator(
            seed, self.people, self.store.number, int(self.store.now()), self.store.profile["currency"]
        )
        plan = (
            _demo_plan(start_s, spread_s) if profile == "demo" else _plan(generator, body, profile, start_s, spread_s)
        )
        if body.get("pace_per_s"):
            self.environment.spawn(self._arrive(generator, plan, float(body["pace_per_s"])))
            return {"orders": len(plan), "arriving": True}
        ids = await self._insert_all(generator, plan, body)
        return {"orders": len(ids), "first_id": min(ids, default=None), "last_id": max(ids, default=None)}

    async def _insert_all(self, generator: Generator, plan: list[tuple[Recipe, int]], body: Doc) -> list[int]:
        ids: list[int] = []
        modified, webhooks = str(body.get("modified", "now")), bool(body.get("webhooks", True))
        for index, (recipe, placed_s) in enumerate(plan):
            snapshot = generator.order(index, recipe, placed_s)
            stored = self.insert(snapshot, modified=modified, webhooks=webhooks)
            self._tag(recipe, stored)
            ids.append(stored.id)
            if index % 50 == 0:
                await asyncio.sleep(0)
        return ids

    async def _arrive(self, generator: Generator, plan: list[tuple[Recipe, int]], pace_per_s: float) -> None:
        for index, (recipe, _) in enumerate(plan):
            snapshot = generator.order(index, recipe, int(self.store.now()))
            snapshot["order"]["date_created"] = rfc2822(self.store.now())
            self._tag(recipe, self.insert(snapshot, modified="now", webhooks=True, staged=True))
            await self.store.clock.sleep(1 / pace_per_s)

    def _tag(self, recipe: Recipe, stored: StoredOrder) -> None:
        if recipe.tag:
            self.tags.setdefault(recipe.tag, []).append(stored.id)

    def change_settings(self, given: Mapping[str, Any]) -> Doc:
        """Set any of `Settings`, or fields of the store's profile with `store`. Raises ValueError."""
        known = {f.name: f for f in fields(Settings)}
        for name, value in given.items():
            if name == "store":
                self.store.profile.update(value)
            elif name not in known:
                raise ValueError(f"no setting {name!r}; there are store, {', '.join(sorted(known))}")
            elif name == "signature" and value not in SIGNATURES:
                raise ValueError(f"signature is one of {', '.join(SIGNATURES)}")
            else:
                setattr(self.store.settings, name, type(getattr(self.store.settings, name))(value))
        return self.settings()

    def settings(self) -> Doc:
        return {f.name: getattr(self.store.settings, f.name) for f in fields(Settings)}


_SEED_KEYS = frozenset(
    {"orders", "seed", "customers", "profile", "spread_days", "start", "pace_per_s", "modified", "webhooks"}
)


def _demo_plan(start_s: int, spread_s: int) -> list[tuple[Recipe, int]]:
    step = spread_s / len(DEMO)
    return [(recipe, start_s + int(index * step)) for index, recipe in enumerate(DEMO)]


def _plan(generator: Generator, body: Doc, profile: object, start_s: int, spread_s: int) -> list[tuple[Recipe, int]]:
    if not isinstance(profile, dict):
        raise ValueError(f"a profile is 'demo' or an object with kinds, markets and features, not {profile!r}")  # noqa: TRY004
    return list(generator.mixed(int(body.get("orders", 0)), Mix.of(cast("Doc", profile)), start_s, spread_s))


def _product(
    product_id: int,
    sku: str,
    name: str,
    price: str,
    brand_id: int,
    categories: list[int],
    kind: str,
    tax_class: int = 0,
) -> Doc:
    return {
        "id": product_id,
        "name": name,
        "type": kind if kind != "giftcertificate" else "digital",
        "sku": sku,
        "price": float(price),
        "weight": 0.5,
        "tax_class_id": tax_class,
        "categories": categories,
        "brand_id": brand_id,
        "is_visible": True,
        "availability": "available",
        "inventory_tracking": "none",
        "base_variant_id": product_id + 5000,
        "date_created": "2025-01-01T00:00:00+00:00",
        "date_modified": "2025-01-01T00:00:00+00:00",
    }


def _brand_id(store: Store, name: str) -> int:
    if not name:
        return 0
    for brand in store.brands.values():
        if brand["name"] == name:
            return int(brand["id"])
    number = max(store.brands, default=0) + 1
    store.brands[number] = {"id": number, "name": name}
    return number


def _new_store(environment: Environment) -> Store:
    store = Store(
        clock=environment.clock,
        store_hash=STORE_HASH,
        base_url=environment.base_url,
        profile=store_profile(STORE_HASH, environment.base_url),
    )
    store.accounts[ACCOUNT.access_token] = ACCOUNT
    for number, name in BRANDS.items():
        store.brands[number] = {"id": number, "name": name}
    for number, name in CATEGORIES.items():
        store.categories[number] = {
            "id": number, "category_id": number, "parent_id": 0, "name": name, "tree_id": 1, "is_visible": True,
        }  # fmt: skip
    for item in ITEMS:
        brand = _brand_id(store, item.brand)
        store.products[item.id] = _product(
            item.id, item.sku, item.name, str(item.price), brand, list(item.categories), item.kind, item.tax_class_id
        )
    for number, name in CUSTOMER_GROUPS.items():
        add_group(store, {"name": name}, number)
    return store


def build(environment: Environment) -> StandIn:
    store = _new_store(environment)
    book = HookBook(store)
    sender = Sender(store, book, environment.seed)
    door = Door(store, Quota(store))
    standin = StandIn(environment, store, book, sender, door)
    store.on_event = sender.event
    store.wake = standin.wake
    door.on_fault = standin.on_fault
    return standin
