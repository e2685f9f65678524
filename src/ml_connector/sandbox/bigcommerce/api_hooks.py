"""Webhooks v3: registration and the admin view. Hooks are seen by the client id that made them, and by nobody else."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ml_connector.sandbox.bigcommerce.errors import ApiError, not_found, unprocessable
from ml_connector.sandbox.bigcommerce.hooks import Hook, HookBook, domain
from ml_connector.sandbox.bigcommerce.tables import HOOK_ADMIN, HOOK_POST, HOOK_PUT
from ml_connector.sandbox.bigcommerce.web import Call, must_fit_v3, nothing, v3, v3_page

Doc = dict[str, Any]
MAX_PER_SCOPE = 10
# What may follow store/ in a scope: family, then what happened.
_EVENTS = {
    "order": (
        "created", "updated", "archived", "statusUpdated", "message/created", "refund/created", "transaction/created",
        "transaction/updated", "metafield/created", "metafield/updated", "metafield/deleted",
    ),
    "shipment": ("created", "updated", "deleted"),
    "customer": ("created", "updated", "deleted", "address/created", "address/updated", "address/deleted"),
    "product": ("created", "updated", "deleted", "inventory/updated", "inventory/order/updated"),
    "sku": ("created", "updated", "deleted", "inventory/updated", "inventory/order/updated"),
    "cart": ("created", "updated", "deleted", "abandoned", "converted", "couponApplied"),
    "category": ("created", "updated", "deleted"),
    "subscriber": ("created", "updated", "deleted"),
    "inventory/location": ("created", "updated"),
    "priceList": ("created", "updated", "deleted", "record/created", "record/updated", "record/deleted"),
    "company": ("created", "updated", "deleted", "statusUpdated"),
    "information": ("updated",),
    "app": ("uninstalled",),
    "hook": ("deliveryException",),
}  # fmt: skip
_READ_SCOPES = {
    "order": "store_v2_orders",
    "shipment": "store_v2_orders",
    "customer": "store_v2_customers",
    "product": "store_v2_products",
    "sku": "store_v2_products",
}


class HookApi:
    """The handlers, around the book of hooks."""

    def __init__(self, book: HookBook) -> None:
        self._book = book

    def create(self, call: Call) -> web.Response:
        body = call.document()
        must_fit_v3(HOOK_POST, body)
        scope, destination = str(body["scope"]), str(body["destination"])
        self._check(call, scope, destination, body.get("headers"))
        mine = [h for h in self._mine(call) if h.scope == scope]
        if any(h.destination == destination for h in mine):
            raise ApiError(409, "A webhook with this scope and destination exists already.")
        if len(mine) >= MAX_PER_SCOPE:
            raise ApiError(403, f"There may be {MAX_PER_SCOPE} webhooks for one scope.")
        now = int(call.store.now())
        hook = Hook(
            call.store.number("hook"), call.account.client_id, scope, destination, bool(body.get("is_active", True)),
            body.get("headers"), now, now,
        )  # fmt: skip
        self._book.hooks[hook.id] = hook
        return v3(hook.shown(call.store.store_hash))

    def select(self, call: Call) -> web.Response:
        query = call.query
        found = [
            h
            for h in self._mine(call)
            if query.get("scope", h.scope) == h.scope
            and query.get("destination", h.destination) == h.destination
            and query.get("is_active", str(h.is_active)).lower() == str(h.is_active).lower()
        ]
        return v3_page(call, found, lambda h: h.shown(call.store.store_hash))

    def get(self, call: Call) -> web.Response:
        return v3(self._find(call).shown(call.store.store_hash))

    def update(self, call: Call) -> web.Response:
        hook, body = self._find(call), call.document()
        must_fit_v3(HOOK_PUT, body)
        scope, destination = str(body.get("scope", hook.scope)), str(body.get("destination", hook.destination))
        headers = body.get("headers", hook.headers)
        self._check(call, scope, destination, headers)
        if any(h.id != hook.id and (h.scope, h.destination) == (scope, destination) for h in self._mine(call)):
            raise ApiError(409, "A webhook with this scope and destination exists already.")
        hook.scope, hook.destination, hook.headers = scope, destination, headers
        hook.is_active = bool(body.get("is_active", hook.is_active))
        hook.deactivated = hook.deactivated and not hook.is_active
        hook.updated_at = int(call.store.now())
        return v3(hook.shown(call.store.store_hash))

    def delete(self, call: Call) -> web.Response:
        hook = self._find(call)
        del self._book.hooks[hook.id]
        return v3(hook.shown(call.store.store_hash))

    def admin(self, call: Call) -> web.Response:
        now = call.store.now()
        wanted = call.query.get("is_active")
        mine = [h for h in self._mine(call) if wanted is None or str(h.is_active).lower() == wanted.lower()]
        blocked = {
            place: until - now
            for (client, place), until in self._book.blocked_until.items()
            if client == call.account.client_id and until > now
        }
        return v3(
            {
                "emails": self._book.emails,
                "hooks_list": [{**h.shown(call.store.store_hash), "status": _status(h)} for h in mine],
                "blocked_domains": [
                    {"destination": place, "time_left": int(left_s), "reasons": self._reasons(place)}
                    for place, left_s in blocked.items()
                ],
            }
        )

    def set_admin(self, call: Call) -> web.Response:
        body = call.document()
        must_fit_v3(HOOK_ADMIN, body)
        self._book.emails = [str(e) for e in body.get("emails", [])]
        return nothing()

    def _reasons(self, place: str) -> list[Doc]:
        failed = [
            d.attempts[-1]
            for d in self._book.deliveries
            if domain(d.destination) == place and d.attempts and d.state != "delivered"
        ]
        if not failed:
            return []
        text = failed[-1]["error"] or f"HTTP {failed[-1]['status']}"
        return [{"failure_description": text, "count": len(failed), "timestamp": int(failed[-1]["at_s"])}]

    def _mine(self, call: Call) -> list[Hook]:
        self._book.deactivate_idle()
        return [h for h in self._book.hooks.values() if h.client_id == call.account.client_id]

    def _find(self, call: Call) -> Hook:
        hook = self._book.hooks.get(call.path_id("hook_id"))
        if hook is None or hook.client_id != call.account.client_id:
            raise not_found()
        return hook

    @staticmethod
    def _check(call: Call, scope: str, destination: str, headers: Mapping[str, object] | None) -> None:
        """Raises ApiError: 400 for a scope that does not exist, 403 without its permission, 422 for a destination."""
        family = _family(scope)
        if family is None:
            raise ApiError(400, f"The scope '{scope}' is not valid.", errors={"scope": "invalid"})
        wanted = _READ_SCOPES.get(family)
        if wanted and not {wanted, f"{wanted}_read_only"} & call.account.scopes:
            raise ApiError(403, f"You don't have the permission {wanted} that the scope '{scope}' needs.")
        parts = urlsplit(destination)
        real = parts.scheme == "https" and parts.port in (None, 443)
        if not parts.hostname or (call.store.settings.hooks_need_https and not real):
            raise unprocessable({"destination": "The destination must be an HTTPS address on port 443."})
        if not all(isinstance(v, str) for v in (headers or {}).values()):
            raise unprocessable({"headers": "Headers are strings."})


def _family(scope: str) -> str | None:
    parts = scope.rstrip("/").split("/")
    if len(parts) < 3 or parts[0] != "store":
        return None
    rest = "/".join(parts[3:] if parts[1] == "channel" and parts[2].isdigit() else parts[1:])
    for family, events in _EVENTS.items():
        if rest == f"{family}/*" or rest in {f"{family}/{event}" for event in events}:
            return family
        if any(rest == f"{family}/{event.rpartition('/')[0]}/*" for event in events if "/" in event):
            return family
    return None


def _status(hook: Hook) -> str:
    if hook.is_active:
        return "active"
    return "deactivated" if hook.deactivated else "inactive"
