"""Control actions and countable states: how a test or a story moves the store from outside, past its API."""

import functools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

from aiohttp import web

from ml_connector.sandbox.bigcommerce import editing, inventory, lifecycle, refunding
from ml_connector.sandbox.bigcommerce.api_shipments import remove_shipments, ship
from ml_connector.sandbox.bigcommerce.demo import TO_CANCEL, TO_EDIT
from ml_connector.sandbox.bigcommerce.errors import ApiError
from ml_connector.sandbox.bigcommerce.hooks import signature_headers
from ml_connector.sandbox.bigcommerce.money import dec
from ml_connector.sandbox.bigcommerce.sender import forge
from ml_connector.sandbox.bigcommerce.standin import StandIn
from ml_connector.sandbox.bigcommerce.state import Account, StoredOrder
from ml_connector.sandbox.bigcommerce.vocabulary import vocabulary
from ml_connector.sandbox.core.control import answer, read_json, refusal

Doc = dict[str, Any]
OrderAction = Callable[["Control", StoredOrder, Doc], object]


class Control:
    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.store = standin.store

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/orders", _said(self.add_orders)),
            web.post("/orders/{order_id}/{action}", _said(self.act)),
            web.post("/story", _said(self.story)),
            web.get("/settings", _said(self.show_settings)),
            web.post("/settings", _said(self.set_settings)),
            web.get("/webhooks", _said(self.show_webhooks)),
            web.post("/webhooks", _said(self.set_webhooks)),
            web.post("/webhooks/forge", _said(self.forge)),
            web.post("/webhooks/{delivery_id}/redeliver", _said(self.redeliver)),
            web.post("/accounts", _said(self.add_account)),
            web.delete("/accounts/{client_id}", _said(self.remove_account)),
            web.post("/quota", _said(self.eat_quota)),
            web.delete("/products/{product_id}", _said(self.remove_product)),
            web.post("/inventory", _said(self.put_inventory)),
        ]

    def states(self) -> Mapping[str, Callable[[Mapping[str, str]], Sequence[Any]]]:
        store, book = self.store, self.standin.book
        return {
            "orders": self.orders,
            "order_ids": lambda query: sorted(store.orders),
            "customers": lambda query: _chunk(query, store.customers),
            "customer_groups": lambda query: list(store.groups.values()),
            "products": lambda query: list(store.products.values()),
            "hooks": lambda query: [h.shown(store.store_hash) for h in book.hooks.values()],
            "deliveries": lambda query: [d.shown() for d in book.deliveries if d.id > int(query.get("after", "0"))][
                : int(query.get("limit", "1000000"))
            ],
            "metafields": lambda query: [m for o in store.orders.values() for m in o.metafields],
            "vocabulary": lambda query: [
                {**vocabulary(), "customers": [{"id": c["id"], "email": c["email"]} for c in store.customers.values()]}
            ],
            "inventory": self.inventory,
            "stock_writes": lambda query: [
                {"sku": each.sku, "location_id": each.location_id, "quantity": each.quantity}
                for each in store.inventory.applied
                if query.get("sku") in (None, each.sku)
            ],
            "oversold": lambda query: list(store.inventory.oversold),
            "jobs": lambda query: [{"pending": store.pending_jobs, "deliveries": self.standin.sender.waiting}],
        }

    def orders(self, query: Mapping[str, str]) -> Sequence[Any]:
        """Orders with all sub-resources, by id; in chunks with `after` and `limit`."""
        profile = self.store.profile
        shown = {
            "store_hash": self.store.store_hash,
            **{k: profile[k] for k in ("timezone", "currency", "decimal_places", "is_price_entered_with_tax")},
        }
        return [{"store": shown, **o.snapshot()} for o in _chunk(query, self.store.orders)]

    async def add_orders(self, request: web.Request) -> Any:
        """One snapshot, a list of them, or `{"orders": [...], "modified", "webhooks", "staged"}`."""
        body = await read_json(request)
        options: Doc = {}
        if isinstance(body, dict) and "orders" in body:
            options = cast("Doc", body)
            body = options["orders"]
        snapshots = cast("list[Doc]", body if isinstance(body, list) else [body])
        ids: list[int] = []
        for snapshot in snapshots:
            if not isinstance(snapshot.get("order"), dict):
                raise ValueError("a snapshot has at least the key 'order'")  # noqa: TRY004
            stored = self.standin.insert(
                snapshot,
                modified=str(options.get("modified", "verbatim")),
                webhooks=bool(options.get("webhooks", True)),
                staged=bool(options.get("staged", False)),
            )
            ids.append(stored.id)
        return {"orders": len(ids), "ids": ids}

    async def act(self, request: web.Request) -> Any:
        action = _ACTIONS.get(request.match_info["action"])
        if action is None:
            raise ValueError(f"no action {request.match_info['action']!r}; there are {', '.join(sorted(_ACTIONS))}")
        stored = self.store.orders.get(int(request.match_info["order_id"]))
        if stored is None:
            raise ApiError(404, f"no order {request.match_info['order_id']}")
        made = action(self, stored, cast("Doc", await read_json(request)))
        return {"order": stored.order, "made": made}

    async def story(self, request: web.Request) -> Any:
        """Later chapters of the demo: `edits` changes one placed order and cancels another."""
        step = str(cast("Doc", await read_json(request)).get("step", ""))
        if step != "edits":
            raise ValueError("the story has the step 'edits'")
        tags = self.standin.tags
        for order_id in tags.get(TO_EDIT, []):
            stored = self.store.orders[order_id]
            line = max(stored.products, key=lambda p: int(p["quantity"]))
            editing.change_quantity(self.store, stored, line["id"], int(line["quantity"]) - 1)
        for order_id in tags.get(TO_CANCEL, []):
            lifecycle.cancel(self.store, self.store.orders[order_id])
        return {"edited": tags.get(TO_EDIT, []), "cancelled": tags.get(TO_CANCEL, [])}

    async def show_settings(self, request: web.Request) -> Any:
        return self.standin.settings()

    async def set_settings(self, request: web.Request) -> Any:
        return self.standin.change_settings(cast("Doc", await read_json(request)))

    async def show_webhooks(self, request: web.Request) -> Any:
        sender = self.standin.sender
        switches = {name: getattr(sender.switches, name) for name in sender.switches.__slots__}
        return {**switches, "held": sender.held, "waiting": sender.waiting, "signature": self.store.settings.signature}

    async def set_webhooks(self, request: web.Request) -> Any:
        """Disturbances on the way (`Switches`), `signature`, and `held` to let deliveries pile up."""
        sender = self.standin.sender
        for name, value in cast("Doc", await read_json(request)).items():
            if name == "held":
                sender.held = bool(value)
                sender.wake()
            elif name == "signature":
                self.standin.change_settings({name: value})
            elif name in sender.switches.__slots__:
                setattr(sender.switches, name, float(value))
            else:
                raise ValueError(f"no switch {name!r}")
        return await self.show_webhooks(request)

    async def forge(self, request: web.Request) -> Any:
        """Send what the store never said: `mode` unsigned, bad_signature, stale, wrong_header or unknown_id."""
        body = cast("Doc", await read_json(request))
        mode = str(body.get("mode", "bad_signature"))
        hook = next(
            (h for h in self.standin.book.hooks.values() if body.get("destination", h.destination) == h.destination),
            None,
        )
        destination = str(body.get("destination") or (hook.destination if hook else ""))
        if not destination:
            raise ValueError("there is no hook yet: name a destination")
        data = body.get("data") or {"type": "order", "id": 999_999_999 if mode == "unknown_id" else 1}
        raw = self.standin.book.event_body(str(body.get("scope", "store/order/created")), cast("Doc", data))
        secret = next(a.client_secret for a in self.store.accounts.values())
        if mode == "bad_signature":
            secret = "not-the-secret"  # noqa: S105
        stamp = int(self.store.now()) - (3600 if mode == "stale" else 0)
        own = dict(hook.headers or {}) if hook else {}
        if mode == "wrong_header":
            own = dict.fromkeys(own, "wrong")
        signed = {} if mode == "unsigned" else signature_headers("standard", secret, "msg_forged", stamp, raw)
        extra = {str(k): str(v) for k, v in cast("Doc", body.get("headers") or {}).items()}
        headers = {"Content-Type": "application/json", **own, **signed, **extra}
        status, error = await forge(destination, raw, headers)
        return {"status": status, "error": error, "mode": mode, "body": json.loads(raw)}

    async def redeliver(self, request: web.Request) -> Any:
        """Deliver an old event once more, as it was."""
        wanted = int(request.match_info["delivery_id"])
        for delivery in self.standin.book.deliveries:
            if delivery.id == wanted:
                delivery.state, delivery.due_s = "waiting", self.store.now()
                self.standin.sender.push(delivery)
                return delivery.shown()
        raise ApiError(404, f"no delivery {wanted}")

    async def add_account(self, request: web.Request) -> Any:
        body = cast("Doc", await read_json(request))
        account = Account(
            str(body["access_token"]),
            str(body["client_id"]),
            str(body.get("client_secret", "")),
            frozenset(body["scopes"]),
        )
        self.store.accounts[account.access_token] = account
        return {"client_id": account.client_id, "scopes": sorted(account.scopes)}

    async def remove_account(self, request: web.Request) -> Any:
        """Deleting an API account takes its hooks with it and orphans its metafields."""
        client_id = request.match_info["client_id"]
        for token in [t for t, a in self.store.accounts.items() if a.client_id == client_id]:
            del self.store.accounts[token]
        hooks = self.standin.book.hooks
        gone = [h.id for h in hooks.values() if h.client_id == client_id]
        for number in gone:
            del hooks[number]
        return {"client_id": client_id, "hooks_removed": gone}

    async def remove_product(self, request: web.Request) -> Any:
        """The merchant deletes a product; orders keep their lines of it."""
        product_id = int(request.match_info["product_id"])
        if self.store.products.pop(product_id, None) is None:
            raise ApiError(404, f"no product {product_id}")
        return {"product_id": product_id}

    async def put_inventory(self, request: web.Request) -> Any:
        """The merchant counts: `items` ({sku, quantity, location_id, tracked_by}) and `locations`, at once."""
        body = cast("Doc", await read_json(request))
        return {"items": inventory.put(self.store.inventory, body, self.standin.product_of)}

    def inventory(self, query: Mapping[str, str]) -> Sequence[Any]:
        """Quantities by location and SKU; `sku` asks for one."""
        stock = self.store.inventory
        return [
            {"location_id": place, "sku": sku, "on_hand": level.on_hand, "available": level.available}
            for (place, sku), level in stock.levels.items()
            if query.get("sku") in (None, sku)
        ]

    async def eat_quota(self, request: web.Request) -> Any:
        """Another app uses requests of the present window."""
        self.standin.door.quota.spend(int(cast("Doc", await read_json(request)).get("requests", 10)))
        return self.standin.door.quota.headers()


def _said(handler: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer what the action returns; a refusal of the store keeps its status."""

    @functools.wraps(handler)
    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            return answer(await handler(request))
        except ApiError as error:
            return refusal(f"{error.message} {error.errors or ''}".strip(), error.status)

    return wrapped


def _chunk(query: Mapping[str, str], by_id: Mapping[int, Any]) -> list[Any]:
    after = int(query.get("after", "0"))
    ids = sorted(i for i in by_id if i > after)
    return [by_id[i] for i in (ids[: int(query["limit"])] if "limit" in query else ids)]


def _capture(control: Control, stored: StoredOrder, body: Doc) -> object:
    amount = Decimal(str(body["amount"])) if "amount" in body else None
    lifecycle.capture(control.store, stored, amount, ok=bool(body.get("ok", True)))
    return None


def _void(control: Control, stored: StoredOrder, body: Doc) -> object:
    lifecycle.void(control.store, stored)
    return None


def _refund(control: Control, stored: StoredOrder, body: Doc) -> object:
    """`items` as the API takes them, or `amount` for a free amount; `provider` overrides the tender; `decline`."""
    items = cast("list[Doc]", body.get("items") or [])
    if "amount" in body:
        items = [*items, {"item_type": "ORDER", "item_id": stored.id, "amount": body["amount"]}]
    adjustment = dec(body["tax_adjustment_amount"]) if "tax_adjustment_amount" in body else None
    sums = refunding.figures(stored, items, adjustment)
    payments = body.get("payments") or refunding.alternatives(stored, sums.total)[0]
    if "provider" in body:
        payments = [{"provider_id": body["provider"], "amount": sums.total, "offline": True}]
    return lifecycle.create_refund(
        control.store, stored, sums, payments, reason=str(body.get("reason", "")), decline=body.get("decline")
    )


def _cancel(control: Control, stored: StoredOrder, body: Doc) -> object:
    lifecycle.cancel(control.store, stored)
    return None


def _edit(control: Control, stored: StoredOrder, body: Doc) -> object:
    line_id = int(body.get("line_id") or stored.products[0]["id"])
    price = Decimal(str(body["unit_price"])) if "unit_price" in body else None
    editing.change_quantity(control.store, stored, line_id, int(body["quantity"]), price)
    return {"line_id": line_id}


def _status(control: Control, stored: StoredOrder, body: Doc) -> object:
    lifecycle.set_status(control.store, stored, int(body["status_id"]))
    return None


def _ship(control: Control, stored: StoredOrder, body: Doc) -> object:
    """Ship everything that is left, or the `items` given, from each address."""
    if "items" in body:
        return ship(control.store, stored, body)
    shipments: list[Doc] = []
    for address in list(stored.shipping_addresses):
        items = [
            {"order_product_id": p["id"], "quantity": p["quantity"] - p.get("quantity_shipped", 0)}
            for p in stored.products
            if p["order_address_id"] == address["id"] and p["quantity"] > p.get("quantity_shipped", 0)
        ]
        if items:
            shipments.append(ship(control.store, stored, {**body, "order_address_id": address["id"], "items": items}))
    return shipments


def _unship(control: Control, stored: StoredOrder, body: Doc) -> object:
    """All shipments of the order are deleted; its status stays."""
    remove_shipments(control.store, stored, list(stored.shipments))
    return None


def _remove(control: Control, stored: StoredOrder, body: Doc) -> object:
    """Deleted for good, as the store's API can: it is in no list and answers 404."""
    del control.store.orders[stored.id]
    return None


def _touch(control: Control, stored: StoredOrder, body: Doc) -> object:
    """Change texts alone (`fields`): the stamp moves, no amount does."""
    lifecycle.change(control.store, stored, **cast("Doc", body.get("fields") or {}))
    return None


def _transaction(control: Control, stored: StoredOrder, body: Doc) -> object:
    """Append a transaction row as given."""
    row = {"id": control.store.number("transaction"), "order_id": str(stored.id), "test": False, **body}
    row.setdefault("gateway_transaction_id", f"gw{row['id']}")
    lifecycle.add_transaction(control.store, stored, row)
    return row


_ACTIONS: dict[str, OrderAction] = {
    "capture": _capture,
    "void": _void,
    "refund": _refund,
    "cancel": _cancel,
    "edit": _edit,
    "status": _status,
    "ship": _ship,
    "unship": _unship,
    "touch": _touch,
    "remove": _remove,
    "transaction": _transaction,
}
