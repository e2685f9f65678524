"""The permit of one stock write: arms the SKUs when the connection stands, and runs out after P, as `engine.permit`."""

import time
from collections.abc import Mapping
from typing import Self

from ml_connector.connectors.base import Timing
from ml_connector.connectors.errors import NotSent
from ml_connector.engine import crash, stock
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence
from ml_connector.engine.stock import Levels
from ml_connector.engine.watchdog import Watchdog


class StockPermit:
    """For one request that writes `sent`, planned on rows of these `versions`. `armed`: their versions since."""

    def __init__(
        self,
        database: Database,
        fence: Fence,
        versions: Mapping[str, int],
        sent: Mapping[str, Levels],
        seqs: Mapping[str, int],
        timing: Timing,
        watchdog: Watchdog,
    ) -> None:
        self._database = database
        self._fence = fence
        self._versions = versions
        self._sent = sent
        self._seqs = seqs
        self._timing = timing
        self._watchdog = watchdog
        self._began: float | None = None
        self._watched = False
        self.armed: Mapping[str, int] = {}

    async def arm(self) -> None:
        if self.armed:
            self.check()
            return
        await crash.point("sending.commit.b", self._fence_key)
        self._began = time.monotonic()
        self._watchdog.arm(self._timing.p_s)
        self._watched = True
        try:
            self.armed = await self._open()
        except BaseException:
            self.close()
            raise
        await crash.point("sending.commit.a", self._fence_key)

    async def _open(self) -> Mapping[str, int]:
        async with self._database.transaction() as connection:
            opened = await stock.arm(connection, self._fence, self._versions, self._sent, self._seqs, self._timing)
            if len(opened) < len(self._sent):
                first = min(self._sent.keys() - opened.keys())
                raise NotSent(f"the stock of {first} is being written by another run, or this one was taken over")
        return opened

    def check(self) -> None:
        if self._began is None or not self.armed:
            raise NotSent("the permit was never granted")
        late_s = time.monotonic() - self._began
        if late_s > self._timing.p_s:
            raise NotSent(f"{late_s:.1f} s have gone since the write was opened, {self._timing.p_s:g} s are allowed")

    def again(self) -> Self:
        """Levels are one write."""
        return self

    def close(self) -> None:
        if self._watched:
            self._watched = False
            self._watchdog.disarm()

    @property
    def _fence_key(self) -> str:
        return f"stock {' '.join(sorted(self._sent))[:200]}"
