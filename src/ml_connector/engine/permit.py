"""The permit of one write: commits `sending` when the connection stands, and runs out after P.

The monotonic time is taken *before* the statement is issued, because its commit may block for long on a synchronous
replica, and the first byte must leave within P of `sent_at` (`docs/exactly-once.md`, P).
"""

import time
from collections.abc import Sequence

from ml_connector.connectors.base import Timing
from ml_connector.connectors.errors import NotSent
from ml_connector.engine import crash, postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence, Posting, Sent
from ml_connector.engine.watchdog import Watchdog


class SendPermit:
    """For one request that carries the documents of `batch`, whose rows were read before the look-up."""

    def __init__(
        self, database: Database, fence: Fence, batch: Sequence[Posting], timing: Timing, watchdog: Watchdog
    ) -> None:
        self._database = database
        self._fence = fence
        self._batch = tuple(batch)
        self._timing = timing
        self._watchdog = watchdog
        self._began: float | None = None
        self._watched = False
        self.sent: tuple[Sent, ...] = ()
        self.further = False  # a second write was begun: the first one stands, whatever is said of that

    async def arm(self) -> None:
        """Commits `sending`, once; a replay after a renewed session finds it done and only checks the time."""
        if self.sent:
            self.check()
            return
        await crash.point("sending.commit.b")
        self._began = time.monotonic()
        self._watchdog.arm(self._timing.p_s)
        self._watched = True
        try:
            self.sent = await postings.send(self._database, self._fence, self._batch, self._timing)
        except BaseException:
            self.close()
            raise
        if not self.sent:
            self.close()
            raise NotSent("another run is at work on the document, or the send gate is closed")
        await crash.point("sending.commit.a")
        if len(self.sent) > 1:
            await crash.point("batch.cas.a")

    def check(self) -> None:
        if self._began is None or not self.sent:
            raise NotSent("the permit was never granted")
        late_s = time.monotonic() - self._began
        if late_s > self._timing.p_s:
            raise NotSent(f"{late_s:.1f} s have gone since the posting was opened, {self._timing.p_s:g} s are allowed")

    def again(self) -> "SecondWrite":
        self.further = True
        return SecondWrite(self)

    async def arm_again(self) -> None:
        """Commits that another write of the same attempts leaves now: H counts from it. P counts from before that."""
        if not self.sent:
            raise NotSent("the permit was never granted")
        await crash.point("again.commit.b")
        began = time.monotonic()
        moved = await postings.send_again(self._database, self._fence, self.sent, self._timing)
        if len(moved) < len(self.sent):
            raise NotSent("another run is at work on the document, or the send gate is closed")
        self._began, self.sent = began, moved
        await crash.point("again.commit.a")

    def close(self) -> None:
        """The attempt is over, whatever came of it. The watchdog counts who asked for it: once is enough."""
        if self._watched:
            self._watched = False
            self._watchdog.disarm()


class SecondWrite:
    """The permit of the next write of a document whose first one was answered; a replay of it checks the time alone."""

    def __init__(self, permit: SendPermit) -> None:
        self._permit = permit
        self._armed = False

    async def arm(self) -> None:
        if self._armed:
            self.check()
            return
        await self._permit.arm_again()
        self._armed = True

    def check(self) -> None:
        if not self._armed:
            raise NotSent("the permit was never granted")
        self._permit.check()

    def again(self) -> "SecondWrite":
        return SecondWrite(self._permit)
