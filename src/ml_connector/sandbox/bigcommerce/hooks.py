"""Registered webhooks and what is delivered to them: signing, retries, the block list, deactivation.

Vendor: Webhooks overview (retry schedule, block list) and the HTTPS webhooks page (Standard Webhooks signature).
"""

import base64
import hashlib
import hmac
import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ml_connector.sandbox.bigcommerce.state import Store

Doc = dict[str, Any]
RETRY_DELAYS_S = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21_600, 50_400, 86_400)
IDLE_S = 90 * 86_400
BLOCK_WINDOW_S, BLOCK_MINIMUM, BLOCK_RATIO, BLOCK_S = 120, 100, 0.9, 180
WILL_RETRY, EXHAUSTED, BLOCKED = 90001, 90002, 90003
SIGNATURES = ("none", "standard", "x-bc-signature-hex", "x-bc-signature-base64")


@dataclass(slots=True)
class Hook:
    id: int
    client_id: str
    scope: str
    destination: str
    is_active: bool
    headers: dict[str, str] | None
    created_at: int
    updated_at: int
    deactivated: bool = False
    last_event_s: float = 0.0

    def wants(self, scope: str) -> bool:
        if self.scope.endswith("/*"):
            return scope.startswith(self.scope[:-1])
        return scope == self.scope.rstrip("/")

    def shown(self, store_hash: str) -> Doc:
        return {
            "id": self.id,
            "client_id": self.client_id,
            "store_hash": store_hash,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "scope": self.scope,
            "destination": self.destination,
            "is_active": self.is_active,
            "headers": self.headers,
        }


@dataclass(slots=True)
class Delivery:
    """One event for one hook, over all its attempts. `state`: waiting, delivered, dropped, failed."""

    id: int
    message_id: str
    hook_id: int
    client_id: str
    destination: str
    scope: str
    body: bytes
    due_s: float
    state: str = "waiting"
    attempts: list[Doc] = field(default_factory=list[Doc])

    def shown(self) -> Doc:
        return {
            "id": self.id,
            "message_id": self.message_id,
            "hook_id": self.hook_id,
            "destination": self.destination,
            "scope": self.scope,
            "body": json.loads(self.body),
            "state": self.state,
            "due_s": self.due_s,
            "attempts": self.attempts,
        }


@dataclass(slots=True)
class Switches:
    """What goes wrong on the way to the receiver, set by `POST /_control/webhooks`.

    Rates are 0..1, times store seconds, the receiver's time-out wall seconds.
    """

    drop_rate: float = 0.0
    duplicate_rate: float = 0.0
    reorder_rate: float = 0.0
    reorder_by_s: float = 5.0
    delay_s: float = 0.0
    clock_skew_s: float = 0.0
    receiver_timeout_s: float = 10.0


@dataclass(slots=True)
class HookBook:
    """All hooks of the store and the deliveries that they gave rise to."""

    store: Store
    hooks: dict[int, Hook] = field(default_factory=dict[int, Hook])
    deliveries: "deque[Delivery]" = field(default_factory=lambda: deque[Delivery](maxlen=200_000))
    emails: list[str] = field(default_factory=list[str])
    results: dict[tuple[str, str], "deque[tuple[float, bool]]"] = field(
        default_factory=dict[tuple[str, str], "deque[tuple[float, bool]]"]
    )
    blocked_until: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    exceptions_at: dict[str, float] = field(default_factory=dict[str, float])
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def event_body(self, scope: str, data: Doc) -> bytes:
        """The event as it is sent. Its hash is fixed here, so every delivery of it carries the same one."""
        event: Doc = {
            "scope": scope,
            "store_id": str(self.store.profile["store_id"]),
            "data": data,
            "hash": "",
            "created_at": int(self.store.now()),
            "producer": f"stores/{self.store.store_hash}",
        }
        event["hash"] = hashlib.sha1(json.dumps(event, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        return json.dumps(event, separators=(",", ":")).encode()

    def deliveries_for(self, scope: str, data: Doc) -> list[Delivery]:
        """A fresh delivery for each active hook that wants the event."""
        now = self.store.now()
        self.deactivate_idle()
        wanting = [h for h in self.hooks.values() if h.is_active and h.wants(scope)]
        if not wanting:
            return []
        body = self.event_body(scope, data)
        for hook in wanting:
            hook.last_event_s = now
        return [self.delivery(hook, scope, body, now) for hook in wanting]

    def delivery(self, hook: Hook, scope: str, body: bytes, due_s: float) -> Delivery:
        number = next(self._numbers)
        made = Delivery(
            number, f"msg_{number:012x}", hook.id, hook.client_id, hook.destination, scope, body, due_s
        )  # fmt: skip
        self.deliveries.append(made)
        return made

    def note_result(self, delivery: Delivery, ok: bool) -> None:
        """Count towards the domain's ratio and block it when it is too low."""
        key = (delivery.client_id, domain(delivery.destination))
        now = self.store.now()
        results = self.results.setdefault(key, deque())
        results.append((now, ok))
        while results and results[0][0] < now - BLOCK_WINDOW_S:
            results.popleft()
        good = sum(1 for _, each in results if each)
        if len(results) >= BLOCK_MINIMUM and good < BLOCK_RATIO * len(results):
            self.blocked_until[key] = now + BLOCK_S
            results.clear()

    def blocked_for_s(self, delivery: Delivery) -> float:
        key = (delivery.client_id, domain(delivery.destination))
        return max(self.blocked_until.get(key, 0.0) - self.store.now(), 0.0)

    def deactivate(self, hook: Hook) -> None:
        hook.is_active, hook.deactivated, hook.updated_at = False, True, int(self.store.now())

    def deactivate_idle(self) -> None:
        for hook in self.hooks.values():
            if hook.is_active and self.store.now() - max(hook.last_event_s, hook.updated_at) > IDLE_S:
                self.deactivate(hook)


def domain(destination: str) -> str:
    return destination.split("/")[2] if destination.count("/") >= 2 else destination


def signature_headers(mode: str, secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Signature headers by mode. Standard Webhooks signs `id.timestamp.body`; `X-BC-Signature` the raw body alone."""
    key = secret.encode()
    if mode == "standard":
        signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
    if mode.startswith("x-bc-signature"):
        signed = hmac.new(key, body, hashlib.sha256).digest()
        return {"X-BC-Signature": signed.hex() if mode.endswith("hex") else base64.b64encode(signed).decode()}
    return {}
