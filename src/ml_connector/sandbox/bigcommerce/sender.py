"""Sends webhook deliveries in the background, with retries on the store's clock."""

import asyncio
import heapq
import random
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ml_connector.sandbox.bigcommerce.hooks import (
    BLOCKED,
    EXHAUSTED,
    RETRY_DELAYS_S,
    WILL_RETRY,
    Delivery,
    HookBook,
    Switches,
    signature_headers,
)
from ml_connector.sandbox.bigcommerce.state import Store

Doc = dict[str, Any]
PARALLEL = 16
EXCEPTION_PAUSE_S = 600
EXCEPTION_SCOPE = "store/hook/deliveryException"


@dataclass(slots=True)
class Sender:
    """Takes events from the store and brings them to their hooks.

    `held` turns sending off (deliveries pile up); deliveries go out as fast as `PARALLEL` connections allow.
    """

    store: Store
    book: HookBook
    seed: int
    switches: Switches = field(default_factory=Switches)
    held: bool = False
    _queue: list[tuple[float, int, Delivery]] = field(default_factory=list[tuple[float, int, Delivery]])
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _running: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])
    _draw: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._draw = random.Random(f"{self.seed}/webhooks")

    def event(self, scope: str, data: Doc) -> None:
        """Queue an event for the hooks that want it, with the switched disturbances."""
        for delivery in self.book.deliveries_for(scope, data):
            if self._chance(self.switches.drop_rate):
                delivery.state = "dropped"
                continue
            delivery.due_s += self.switches.delay_s
            if self._chance(self.switches.reorder_rate):
                delivery.due_s += self._draw.random() * self.switches.reorder_by_s
            self.push(delivery)
            if self._chance(self.switches.duplicate_rate):
                hook = self.book.hooks[delivery.hook_id]
                self.push(self.book.delivery(hook, scope, delivery.body, delivery.due_s))

    def _chance(self, rate: float) -> bool:
        return rate > 0 and self._draw.random() < rate

    def push(self, delivery: Delivery) -> None:
        heapq.heappush(self._queue, (delivery.due_s, delivery.id, delivery))
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    def clear(self) -> None:
        self._queue.clear()

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._running)

    async def run(self) -> None:
        """Deliver until cancelled."""
        # Receivers of a sandbox have certificates of their own making.
        connector = aiohttp.TCPConnector(limit=PARALLEL, ssl=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                self._woken.clear()
                pause_s = self._start_due(session)
                waits = [asyncio.ensure_future(self._woken.wait()), *self._running]
                if pause_s is not None:
                    waits.append(asyncio.ensure_future(self.store.clock.sleep(pause_s)))
                _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for task in pending - self._running:
                    task.cancel()

    def _start_due(self, session: aiohttp.ClientSession) -> float | None:
        """Start what is due; store seconds until the next delivery is, None if only a wake-up can change anything."""
        while self._queue and not self.held and len(self._running) < PARALLEL:
            due_s, _, delivery = self._queue[0]
            if due_s > (now := self.store.now()):
                return due_s - now
            heapq.heappop(self._queue)
            task = asyncio.ensure_future(self._deliver(session, delivery))
            self._running.add(task)
            task.add_done_callback(self._done)
        return None

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._woken.set()

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> None:
        hook = self.book.hooks.get(delivery.hook_id)
        if hook is None or not hook.is_active:
            delivery.state = "dropped"
            return
        if (blocked_s := self.book.blocked_for_s(delivery)) > 0:
            self._exception(delivery, BLOCKED, "The domain is blocked.")
            delivery.due_s = self.store.now() + blocked_s
            self.push(delivery)
            return
        timestamp = int(self.store.now() + self.switches.clock_skew_s)
        secret = next((a.client_secret for a in self.store.accounts.values() if a.client_id == hook.client_id), "")
        signed = signature_headers(self.store.settings.signature, secret, delivery.message_id, timestamp, delivery.body)
        headers = {"Content-Type": "application/json", **(hook.headers or {}), **signed}
        timeout = aiohttp.ClientTimeout(total=self.switches.receiver_timeout_s)
        status, error = await _post(session, delivery.destination, delivery.body, headers, timeout)
        ok = status is not None and 200 <= status < 300
        delivery.attempts.append({"at_s": self.store.now(), "status": status, "error": error})
        self.book.note_result(delivery, ok)
        if ok:
            delivery.state = "delivered"
        else:
            self._retry(delivery)

    def _retry(self, delivery: Delivery) -> None:
        number = len(delivery.attempts)
        if number <= len(RETRY_DELAYS_S):
            delivery.due_s = self.store.now() + RETRY_DELAYS_S[number - 1]
            self.push(delivery)
            self._exception(delivery, WILL_RETRY, "The delivery failed and will be repeated.")
            return
        delivery.state = "failed"
        hook = self.book.hooks.get(delivery.hook_id)
        if hook is not None:
            self.book.deactivate(hook)
        self._exception(delivery, EXHAUSTED, "All repetitions failed; the webhook is switched off.")

    def _exception(self, delivery: Delivery, code: int, message: str) -> None:
        """Announce the trouble to a `deliveryException` hook, at most once per destination in ten minutes."""
        if delivery.scope == EXCEPTION_SCOPE:
            return
        now = self.store.now()
        last = self.book.exceptions_at.get(delivery.destination, float("-inf"))
        if code == WILL_RETRY and now - last < EXCEPTION_PAUSE_S:
            return
        self.book.exceptions_at[delivery.destination] = now
        data = {"type": "webhook", "id": delivery.hook_id, "error_code": code, "message": message}
        self.event(EXCEPTION_SCOPE, data)


async def _post(
    session: aiohttp.ClientSession,
    destination: str,
    body: bytes,
    headers: dict[str, str],
    timeout: aiohttp.ClientTimeout,
) -> tuple[int | None, str]:
    try:
        async with session.post(
            destination, data=body, headers=headers, allow_redirects=False, timeout=timeout
        ) as response:
            await response.read()
            return response.status, ""
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return None, f"{type(error).__name__}: {error}"


async def forge(destination: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str]:
    """Post something that did not come from the store, to see it refused."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session:
        return await _post(session, destination, body, headers, aiohttp.ClientTimeout(total=10))
