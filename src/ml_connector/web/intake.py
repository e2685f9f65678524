"""Stores verified deliveries and marks what they name, in one transaction, before anybody is answered.

Deliveries that arrive while a commit is under way go together into the next one: a burst costs a few commits, a
single delivery waits for nobody.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ml_connector.connectors.base import Delivery
from ml_connector.engine import crash, records, tracing
from ml_connector.engine.database import AsyncConnection, Database, is_outage
from ml_connector.engine.records import Heard, Lane
from ml_connector.web.doors import Target

LARGEST_GROUP = 500
"""Deliveries of one commit."""

STORE_WITHIN_S = 8.0
"""Then senders are told to try again: a record is locked for long, or the database hangs."""

IDLE_S = 30.0
NOTIFY_PAUSE_S = 0.1
"""Between two hints of this process: a burst wakes workers a few times, not once for each delivery."""

_ID_LIMIT = 200
log = structlog.get_logger()


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    body: bytes
    targets: Sequence[Target]
    stored: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Intake:
    """The intake of one process. `start` before the first `accept`, `close` after the last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._unsettled: set[asyncio.Future[None]] = set()
        self._arrived = asyncio.Event()
        self._to_wake: set[Lane] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._store_for_ever(), name="intake"),
            asyncio.create_task(self._notify_for_ever(), name="intake notify"),
        ]

    async def accept(self, delivery: Delivery, body: bytes, targets: Sequence[Target]) -> None:
        """Returns when the delivery and its marks are on the disk. Raises `DBAPIError` when they are not."""
        if not self._tasks or self._tasks[0].done():
            raise ConnectionError("the intake does not run")
        heard = _Waiting(delivery, body, targets)
        self._unsettled.add(heard.stored)
        heard.stored.add_done_callback(self._unsettled.discard)
        self._waiting.append(heard)
        self._arrived.set()
        await heard.stored

    async def close(self) -> None:
        """Stores what waits, wakes whom it concerns, and stops."""
        await asyncio.gather(*self._unsettled, return_exceptions=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(DBAPIError, OSError):
            await self._notify()

    # ------------------------------------------------------------------ storing

    async def _store_for_ever(self) -> None:
        """A connection is kept while deliveries come, and made anew after an error."""
        try:
            while True:
                await self._arrived.wait()
                try:
                    async with self._database.connect() as connection:
                        await self._store_while_they_come(connection)
                except (SQLAlchemyError, OSError) as error:
                    self._tell(self._take(), error)
        finally:
            _settle(self._waiting, ConnectionError("the intake does not run any more"))

    async def _store_while_they_come(self, connection: AsyncConnection) -> None:
        """Returns when none has come for a while, or the connection cannot be used any more."""
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._arrived.wait()
            except TimeoutError:
                return
            if not await self._store_or_tell(connection, self._take()):
                return

    def _take(self) -> list[_Waiting]:
        group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
        if not self._waiting:
            self._arrived.clear()
        return group

    async def _store_or_tell(self, connection: AsyncConnection, group: Sequence[_Waiting]) -> bool:
        """Every delivery of the group is stored, or its sender is told. False: the connection is of no more use."""
        try:
            await self._store(connection, group)
        except (DBAPIError, OSError) as error:
            if is_outage(error):
                self._tell(group, error)
                return False
            if len(group) == 1:
                self._tell(group, error)
                return True
            for each in group:  # one of them cannot be stored; the others must not suffer for it
                if not await self._store_or_tell(connection, [each]):
                    self._tell(group, error)
                    return False
            return True
        except BaseException:  # the process stops, or an error of our own: nobody may wait for ever
            _settle(group, ConnectionError("not stored"))
            raise
        _settle(group, None)
        return True

    def _tell(self, group: Sequence[_Waiting], error: BaseException) -> None:
        log.warning("intake.not_stored", deliveries=len(group), why=type(error).__name__)
        _settle(group, error)

    async def _store(self, connection: AsyncConnection, group: Sequence[_Waiting]) -> None:
        marks: set[tuple[Lane, str]] = set()
        rows: list[Heard] = []
        for each in group:
            for target in each.targets:
                id, scope = _plain(each.delivery.id), _plain(each.delivery.scope)
                rows.append(Heard(target.integration, id, scope, each.body))
                marks.update(
                    (Lane(target.integration, flow), key)
                    for flow, key, _ in each.delivery.marks
                    if flow in target.flows
                )
        await crash.point("intake.commit.b", rows[0].id)
        began = time.time()
        async with asyncio.timeout(STORE_WITHIN_S):
            await records.hear(connection, rows, marks)
        for lane, key in marks:
            tracing.told(lane.integration, lane.flow, key, "heard", began, deliveries=len(group))
        await crash.point("intake.commit.a", rows[0].id)
        self._to_wake.update(lane for lane, _ in marks)
        self._wake.set()

    # ------------------------------------------------------------------ waking

    async def _notify_for_ever(self) -> None:
        """A hint, after the commit and outside of it; workers poll anyway."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            with suppress(DBAPIError, OSError):
                await self._notify()
            await asyncio.sleep(NOTIFY_PAUSE_S)

    async def _notify(self) -> None:
        lanes, self._to_wake = self._to_wake, set()
        if lanes:
            async with self._database.connect() as connection:
                await records.notify(connection, sorted(lanes))
            await crash.point("notify.a")


def _settle(group: Sequence[_Waiting], error: BaseException | None) -> None:
    for heard in group:
        if heard.stored.done():
            continue  # the sender has gone away
        if error is None:
            heard.stored.set_result(None)
        else:
            heard.stored.set_exception(error)


def _plain(value: str) -> str:
    """What PostgreSQL takes as text: no NUL, no half of a surrogate pair."""
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:_ID_LIMIT]
