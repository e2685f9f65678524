"""Pages that keep themselves current: one stream of server-sent events for each, scoped by the page's filter.

The page's part is rendered again when the queue says that something moved, or every few seconds; it is sent only if it
came out differently, at most once a second, and only while who asked may still look. A heartbeat tells how old what is
shown may be. Beyond `STREAMS` in one process, or `STREAMS_EACH` of one person, a page is told to ask again by itself.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ml_connector.domain.access import Person, Right
from ml_connector.engine.database import Database
from ml_connector.engine.records import CHANNEL
from ml_connector.web.access import still

STREAMS = 200
STREAMS_EACH = 20
"""Of one person or token: nobody takes the streams of everybody else."""
LOOK_EVERY_S = 5.0
AT_MOST_EVERY_S = 1.0
BEAT_EVERY_S = 15.0

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
log = structlog.get_logger()


class Streams:
    """The streams of this process. One listener on the queue wakes them all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: Counter[str] = Counter()
        self._moved = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None
        self._ends = asyncio.Event()

    def open(self, request: Request, render: Callable[[], Awaitable[str]]) -> Response:
        """A stream of what `render` makes. 503 when there are too many: the page looks again by itself."""
        if self._open.total() >= STREAMS or self._open[_who(request)] >= STREAMS_EACH:
            return Response(status_code=503, headers={"Retry-After": "10"})
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="console streams")
        return StreamingResponse(self._events(request, render), media_type="text/event-stream", headers=HEADERS)

    def end(self) -> None:
        """Ends every stream: the process is about to end."""
        self._ends.set()
        self._moved.set()

    async def close(self) -> None:
        """After `end`, or without it."""
        self.end()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def _events(self, request: Request, render: Callable[[], Awaitable[str]]) -> AsyncGenerator[bytes]:
        self._open[who := _who(request)] += 1
        shown, beat_at = "", 0.0
        loop = asyncio.get_running_loop()
        try:
            while not self._ends.is_set() and not await request.is_disconnected():
                try:
                    if not await still(request, Right.look):
                        return
                    made = await render()
                except (SQLAlchemyError, OSError) as error:
                    log.warning("console.stream", why=type(error).__name__)
                    made = shown
                else:
                    if made != shown or loop.time() - beat_at >= BEAT_EVERY_S:
                        beat_at = loop.time()
                        yield b"event: beat\ndata: .\n\n" if made == shown else _event(made)
                shown = made
                await asyncio.sleep(AT_MOST_EVERY_S)
                await self._wait()
        finally:
            self._open[who] -= 1
            self._open += Counter()  # forgets who has none

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._moved.wait()
        except TimeoutError:
            pass

    async def _listen(self) -> None:
        while not self._ends.is_set():
            try:
                async with self._database.listen(CHANNEL) as hints:
                    async for _ in hints:
                        self._moved.set()
                        self._moved.clear()
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(LOOK_EVERY_S)  # the streams look by themselves meanwhile


def _who(request: Request) -> str:
    asked: Person | None = getattr(request.state, "person", None)
    return asked.who if asked is not None else ""


def _event(text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"{lines}\n".encode()
