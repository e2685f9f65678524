"""Native webhooks (10.0 FP 2602): subscriptions, the log of events, and the messenger that sends them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp

from ml_connector.sandbox.business_one.access import COMPANY
from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import bad_query, duplicate_key, refused, unknown_set
from ml_connector.sandbox.business_one.fields import BY_OBJECT_TYPE, SETS, EntitySet, Row
from ml_connector.sandbox.business_one.store import Key
from ml_connector.sandbox.core.clock import Clock

BATCH = 20
TRANSACTIONS = "Created,Updated,Deleted,Cancelled,Closed,Reopened"
CATALOGUE_SETS = tuple(name for name in BY_OBJECT_TYPE.values() if SETS[name].stamped or name.endswith("Payments"))
SIGNATURE, TOKEN = "X-B1-Webhook-Signature", "X-B1-Webhook-Token"


@dataclass
class Webhooks:
    company: Company
    clock: Clock
    draw: random.Random
    http_allowed: bool
    """Plain addresses, where the stand-in itself speaks plain HTTP."""
    pending: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Subscription -> events that it has not been told."""
    replays: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _handshakes: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.company.listeners.append(self.note)

    def subscribe(self, given: Row) -> Row:
        """Raises ``B1Error``."""
        self._check_available()
        webhook, url = given.get("WebhookID"), str(given.get("WebhookURL") or "")
        if not webhook or not url.startswith(("https://", "http://") if self.http_allowed else "https://"):
            raise refused("Specify WebhookID and an https WebhookURL")
        table = self.company.table("EventSubscriptions")
        if table.get(webhook) is not None or any(row["WebhookURL"] == url for row in table.rows.values()):
            raise duplicate_key()
        shakes = given.get("Handshake") == "tYES"
        row = {
            "AuthenticationType": "HMAC",
            "VerifyCertificate": "tYES",
            "Handshake": "tNO",
            "WorkMode": "Standard",
            **given,
            "State": "Inactive" if shakes else "Active",
            "EventCollection": self._events(webhook, given.get("EventCollection") or []),
            **self.company.stamp(created=True),
        }
        table.put((webhook,), row)
        if shakes:
            self._wake(self._handshakes, webhook)
        return row

    def change(self, key: Key, given: Row) -> None:
        values = dict(given)
        if "EventCollection" in values:
            values["EventCollection"] = self._events(key[0], values["EventCollection"])
        self.company.table("EventSubscriptions").change(key, **values, **self.company.stamp())

    def act(self, key: Key, action: str) -> None:
        """Handshake, Pause, Resume, Replay. Raises ``B1Error``."""
        webhook = str(key[0])
        if action == "Handshake":
            self._wake(self._handshakes, webhook)
        elif action in ("Pause", "Resume"):
            self._change(webhook, State="Inactive" if action == "Pause" else "Active", LastErrMsg=None)
            self.woken.set()
        elif action == "Replay":
            table = self.company.table("EventNotifications")
            wanted = [str(key[0]) for key, row in table.rows.items() if webhook in row.get("_webhooks", ())]
            self._change(webhook, WorkMode="Replay")
            self.replays[webhook] = wanted
            self.woken.set()
        else:
            raise bad_query(f"Action '{action}' of 'EventSubscription' is invalid")

    def catalogue(self) -> list[dict[str, str]]:
        self._check_available()
        return [
            {"BusinessObject": name, "ObjectType": str(SETS[name].object_type), "TransactionTypes": TRANSACTIONS}
            for name in CATALOGUE_SETS
        ]

    def note(self, entity_set: EntitySet, key: Key, transaction: str) -> None:
        """A committed deed, if a subscription asks for it; one that is undone takes its event with it."""
        settings = self.company.settings
        if not (settings.webhooks and settings.webhook_enabled):
            return
        asking = [
            str(row["WebhookID"])
            for row in self.company.table("EventSubscriptions").rows.values()
            if any(
                each["BusinessObject"] == entity_set.name and each["TransactionType"] == transaction
                for each in row["EventCollection"]
            )
        ]
        if not asking:
            return
        event = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        row = {
            "EventID": event,
            "BusinessObject": entity_set.name,
            "ObjectType": str(entity_set.object_type),
            "TransactionType": transaction,
            "Operation": transaction[0],
            "FieldsInKey": len(key),
            "FieldNames": "\t".join(entity_set.keys),
            "FieldValues": "\t".join(str(part) for part in key),
            "Status": "New",
            "ReplayState": "None",
            "SourceDB": COMPANY,
            "UserID": "manager",
            **self.company.stamp(created=True),
            "_webhooks": tuple(asking),
            "_body": self._body(entity_set, key, transaction, event),
        }
        self.company.table("EventNotifications").put((event,), row)
        for webhook in asking:
            self.pending.setdefault(webhook, []).append(event)
        self.woken.set()

    async def run(self) -> None:
        """Send for ever."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            while True:
                await self.woken.wait()
                self.woken.clear()
                while self._handshakes:
                    await self._shake(http, self._handshakes.pop(0))
                for webhook in list(self.replays):
                    events = self.replays.pop(webhook)
                    await self._deliver(http, webhook, events)
                    if self.company.table("EventSubscriptions").get(webhook) is not None:
                        self._change(webhook, WorkMode="Standard")
                for webhook, events in list(self.pending.items()):
                    await self._send_pending(http, webhook, events)

    def reset(self) -> None:
        self.pending.clear()
        self.replays.clear()
        self._handshakes.clear()

    async def _send_pending(self, http: aiohttp.ClientSession, webhook: str, events: list[str]) -> None:
        while events:
            row = self.company.table("EventSubscriptions").get(webhook)
            if row is None:
                self.pending.pop(webhook, None)
                return
            if row["State"] != "Active":
                return
            batch = events[:BATCH]
            if not await self._deliver(http, webhook, batch):
                return
            del events[: len(batch)]

    async def _deliver(self, http: aiohttp.ClientSession, webhook: str, events: Sequence[str]) -> bool:
        settings, table = self.company.settings, self.company.table("EventNotifications")
        rows = [row for event in events if (row := table.get(event)) is not None]
        if not rows:
            return True
        if settings.webhook_reorder:
            rows.reverse()
        body = json.dumps([row["_body"] for row in rows]).encode()
        for attempt in range(settings.webhook_retry_times + 1):
            if attempt:
                await self.clock.sleep(settings.webhook_retry_interval_s)
            subscription = self.company.table("EventSubscriptions").get(webhook)
            if subscription is None:
                return False
            problem = await self._post(http, subscription, body)
            for _ in range(settings.webhook_duplicates if problem is None else 0):
                await self._post(http, subscription, body)
            if problem is None:
                self._mark(rows, "Delivered")
                stamp = self.company.stamp()
                self._change(webhook, LastSentDate=stamp["UpdateDate"], LastSentTime=str(stamp["UpdateTime"]))
                return True
            self._change(webhook, LastErrMsg=problem[:254])
        self._mark(rows, "Failed")
        self._change(webhook, State="Exceptional")
        return False

    async def _post(self, http: aiohttp.ClientSession, subscription: Row, body: bytes) -> str | None:
        headers = {"Content-Type": "application/json", **self._signed(subscription, body)}
        try:
            async with http.post(
                subscription["WebhookURL"], data=body, headers=headers, **self._options(subscription)
            ) as answer:
                return None if answer.status < 300 else f"HTTP {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return f"{type(error).__name__}: {error}"

    async def _shake(self, http: aiohttp.ClientSession, webhook: str) -> None:
        """GET with a token, which the answer must repeat."""
        subscription = self.company.table("EventSubscriptions").get(webhook)
        if subscription is None:
            return
        token = str(uuid.UUID(int=self.draw.getrandbits(128), version=4))
        headers = {TOKEN: token, **self._signed(subscription, token.encode())}
        try:
            async with http.get(subscription["WebhookURL"], headers=headers, **self._options(subscription)) as answer:
                agreed = answer.status == 200 and _member(await answer.text(), "Challenge") == token
                problem = None if agreed else "Handshake failed: the challenge was not repeated"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"Handshake failed: {type(error).__name__}: {error}"
        state = "Active" if problem is None else "Exceptional"
        self._change(webhook, State=state, LastErrMsg=problem if problem is None else problem[:254])
        self.woken.set()

    def _signed(self, subscription: Row, message: bytes) -> Mapping[str, str]:
        credentials = str(subscription.get("AuthenticationCred") or "")
        if subscription["AuthenticationType"] == "Basic":
            return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
        if subscription["AuthenticationType"] != "HMAC":
            return {}
        secret = "another key" if self.company.settings.webhook_wrong_key else _secret(credentials)
        digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
        return {SIGNATURE: base64.b64encode(digest).decode()}

    def _options(self, subscription: Row) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=self.company.settings.webhook_timeout_s)
        return {"timeout": timeout, "ssl": subscription["VerifyCertificate"] == "tYES", "allow_redirects": False}

    def _body(self, entity_set: EntitySet, key: Key, transaction: str, event: str) -> dict[str, Any]:
        moment = self.company.utc_now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {
            "id": event,
            "specversion": "1.0",
            "source": f"/default/sap.b1/{COMPANY}",
            "type": f"sap.b1.{entity_set.name}.{transaction}.v1",
            "subject": "\t".join(str(part) for part in key),
            "time": moment,
            "datacontenttype": "application/json",
            "data": {name: str(part) for name, part in zip(entity_set.keys, key, strict=True)},
        }

    def _events(self, webhook: str, given: Sequence[Row]) -> list[Row]:
        for each in given:
            if each.get("BusinessObject") not in CATALOGUE_SETS or each.get("TransactionType") is None:
                raise refused("Specify BusinessObject and TransactionType from the catalogue")
        return [
            {**each, "WebhookID": webhook, "ObjectType": str(SETS[each["BusinessObject"]].object_type)}
            for each in given
        ]

    def _mark(self, rows: Sequence[Row], status: str) -> None:
        table = self.company.table("EventNotifications")
        for row in rows:
            if table.get(row["EventID"]) is not None:
                table.change((row["EventID"],), Status=status)

    def _change(self, webhook: str, **values: Any) -> None:
        table = self.company.table("EventSubscriptions")
        if table.get(webhook) is not None:
            table.change((webhook,), **values)

    def _wake(self, queue: list[str], webhook: str) -> None:
        queue.append(webhook)
        self.woken.set()

    def _check_available(self) -> None:
        if not self.company.settings.webhooks:
            raise unknown_set("EventSubscriptions")
        if not self.company.settings.webhook_enabled:
            raise refused("Webhooks are not enabled for this company")


def _secret(credentials: str) -> str:
    """The key alone, or JSON that names it beside its algorithm: that form is not verified."""
    return str(_member(credentials, "key") or credentials)


def _member(text: str, name: str) -> Any:
    """Of a JSON object; None where there is none."""
    try:
        told: Any = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", told).get(name) if isinstance(told, dict) else None
